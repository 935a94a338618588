/*
 * qm_addr.h: addresses of RFC 5322 section 3.4 and RFC 5321 section 4.1.2.
 *
 * A list parser over a span (mailboxes, display names, quoted local parts,
 * groups, comments), and the writer of the two forms an address takes: display
 * form for headers, path for the envelope. One pass, no recursion, no heap;
 * results are views into the input wherever that is possible.
 *
 * Strict where two readers could see two different addresses: what remains
 * unclear is refused, with the position. Characters that look like another one
 * or like nothing (full-width forms, zero-width and direction marks) are
 * refused in local part and domain; display names may hold them.
 */
#ifndef QM_ADDR_H
#define QM_ADDR_H

#include "base/qm_buf.h"

/* RFC 5321 section 4.5.3.1: octets. */
enum {
    QM_ADDR_LOCAL_MAX = 64,
    QM_ADDR_DOMAIN_MAX = 255,
    QM_ADDR_LABEL_MAX = 63, /* RFC 1035; for a U-label: characters */
    QM_ADDR_PATH_MAX = 254  /* "<" + 254 + ">" is the 256 of 4.5.3.1.3 */
};

struct qm_addr {
    struct qm_span name;   /* display name as written, quotes stripped;
                              escapes (\x) are still inside when
                              name_quoted; several words: all between them */
    struct qm_span local;  /* local part as written, with its quotes */
    struct qm_span domain; /* domain or [literal] */
    bool name_quoted;      /* the name is one quoted-string */
    bool local_quoted;     /* the local part is a quoted-string */
    bool utf8;             /* bytes above 127 in local part or domain */
};

struct qm_addr_parser {
    struct qm_span text; /* whole input */
    size_t at;           /* next byte to read; position of the fault on error */
    const char *why;     /* static English text about the fault, or NULL: a
                            sentence part whose subject is the input */
    enum qm_err err;     /* first fault, kept */
    bool in_group;
};

QM_DECLS_BEGIN

/* Looks the whole text over for control characters and invalid UTF-8. */
void qm_addr_parser_init(struct qm_addr_parser *parser, struct qm_span text);

/*
 * Next mailbox of a comma list. QM_OK with *addr_out filled; QM_E_EMPTY when
 * the list is done; QM_E_SYNTAX, QM_E_CONTROL, QM_E_TOO_LONG or QM_E_UTF8 with
 * parser->at (byte offset) and parser->why telling where and what. An error is
 * sticky. Empty elements (`a@b,,c@d`) and group names are passed over; comments
 * count as white space.
 */
enum qm_err qm_addr_next(struct qm_addr_parser *parser,
                         struct qm_addr *addr_out) QM_MUST_USE;

/*
 * Parses exactly one bare addr-spec (`local@domain`, no name, no angle
 * brackets, no comments, no blanks around it). `*fault_at_out` gets the offset
 * of a fault; it and `why_out` may be NULL. QM_E_EMPTY for an empty text.
 */
enum qm_err qm_addr_spec(struct qm_span text, struct qm_addr *addr_out,
                         size_t *fault_at_out,
                         const char **why_out) QM_MUST_USE;

/*
 * Appends `local@domain`, the local part re-quoted from its parsed meaning
 * when it is no dot-atom. The form of both the envelope and the header.
 */
enum qm_err qm_addr_append_spec(struct qm_buf *out,
                                const struct qm_addr *addr) QM_MUST_USE;

/*
 * Appends the display name in header form: atoms as they are, ASCII with
 * specials as a quoted-string, anything else as encoded-words. `name` is the
 * plain meaning (no quotes, no escapes). `column`: as in qm_word_encode().
 * QM_E_CONTROL for control characters other than TAB, QM_E_UTF8 for invalid
 * UTF-8; the content of `out` is unchanged on error.
 */
enum qm_err qm_addr_append_name(struct qm_buf *out, struct qm_span name,
                                size_t column) QM_MUST_USE;

/*
 * Appends the plain meaning of addr->name (escapes resolved, blanks joined,
 * comments dropped). Encoded-words stay as they are.
 */
enum qm_err qm_addr_plain_name(struct qm_buf *out,
                               const struct qm_addr *addr) QM_MUST_USE;

/* Appends the plain meaning of addr->local (no quotes, no escapes). */
enum qm_err qm_addr_plain_local(struct qm_buf *out,
                                const struct qm_addr *addr) QM_MUST_USE;

QM_DECLS_END

#endif
