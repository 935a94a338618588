/*
 * qm_word.h: encoded-words for header text (RFC 2047).
 *
 * UTF-8 only. B or Q, whichever is shorter; a word is at most 75 characters and
 * holds whole characters. Words are separated by CRLF SP, ready for a header.
 * White space between two words is dropped by readers (RFC 2047 section 6.2),
 * so a text is encoded as a whole, its own blanks inside the words.
 */
#ifndef QM_WORD_H
#define QM_WORD_H

#include "base/qm_buf.h"

enum {
    QM_WORD_MAX = 75,       /* one word, RFC 2047 section 2 */
    QM_WORD_LINE = 76,      /* a line that holds words, same section */
    QM_WORD_PLAIN_RUN = 900 /* plain text without a blank: with any field name
                               before it this stays below the 998 of a line */
};

enum qm_word_place {
    QM_WORD_TEXT,   /* unstructured: Subject and the like */
    QM_WORD_PHRASE, /* display name: fewer characters, RFC 2047 section 5 */
    QM_WORD_QUOTED  /* between the quotes of a parameter, where old readers look
                       for words: B only, room left for what ends the value */
};

QM_DECLS_BEGIN

/*
 * True when `text` cannot stand in a header as it is: a byte above 127, "=?"
 * anywhere, which a reader would take for the start of a word, or more than
 * QM_WORD_PLAIN_RUN bytes without a blank, where no line could be broken.
 */
bool qm_word_needed(struct qm_span text);

/*
 * Appends `text` to `out` as one or more encoded-words, nothing for an empty
 * text. `column` is how far the line is already filled (the field name counts),
 * so that the first word still fits into 76 columns; when not one character
 * would fit, the output begins with CRLF SP.
 *
 * QM_E_UTF8 for invalid UTF-8, QM_E_CONTROL for control characters other than
 * TAB, QM_E_LIMIT or QM_E_MEMORY from `out`; the content of `out` is then
 * unchanged.
 */
enum qm_err qm_word_encode(struct qm_buf *out, struct qm_span text,
                           enum qm_word_place place, size_t column) QM_MUST_USE;

QM_DECLS_END

#endif
