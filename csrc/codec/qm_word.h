/*
 * qm_word.h: encoded-words for header text (RFC 2047).
 *
 * UTF-8 only. B or Q, whichever is shorter; a word is at most 75 characters and
 * holds whole characters. Words are separated by CRLF SP, ready for a header.
 */
#ifndef QM_WORD_H
#define QM_WORD_H

#include "base/qm_buf.h"

enum qm_word_place {
    QM_WORD_TEXT,  /* unstructured: Subject and the like */
    QM_WORD_PHRASE /* display name: RFC 2047 section 5 (3) allows fewer chars */
};

QM_DECLS_BEGIN

/*
 * True when `text` cannot stand in a header as it is: a byte above 127, or
 * "=?" anywhere, which a reader would take for the start of a word.
 */
bool qm_word_needed(struct qm_span text);

/*
 * Appends `text` to `out` as one or more encoded-words. `column` is how far the
 * line is already filled (the field name counts), so that the first word still
 * fits into 76 columns.
 *
 * QM_E_UTF8 for invalid UTF-8, QM_E_CONTROL for control characters other than
 * TAB; `out` is then unchanged.
 */
enum qm_err qm_word_encode(struct qm_buf *out, struct qm_span text,
                           enum qm_word_place place, size_t column) QM_MUST_USE;

QM_DECLS_END

#endif
