/*
 * qm_header.h: the header of a message, an ordered list of encoded fields.
 *
 * Fields are encoded, folded and checked as they are added; what lies in
 * `text` is ready to be sent. A field that is refused leaves nothing behind.
 */
#ifndef QM_HEADER_H
#define QM_HEADER_H

#include "base/qm_buf.h"

struct qm_header {
    struct qm_buf text;    /* finished fields, CRLF at each line's end */
    struct qm_buf scratch; /* the value being made */
    size_t name_len;       /* of the list being made */
    size_t fault_at;       /* after an error: offset in the value given */
    const char *why;       /* after an error: static English text, or NULL */
    bool utf8;             /* it holds bytes above 127 (RFC 6532) */
};

QM_DECLS_BEGIN

/* No allocation. `cap` bounds all fields together, in bytes. */
void qm_header_init(struct qm_header *header, size_t cap);
void qm_header_deinit(struct qm_header *header);

/*
 * Adds an unstructured field (RFC 5322 section 2.2.1): encoded-words where
 * ASCII alone would not say the same. `words`: it is nothing but text, which is
 * encoded as well where it has no place to fold at. Without it that is
 * QM_E_TOO_LONG, and "<...>" at the end stays readable for programs.
 *
 * QM_E_SYNTAX for the name, QM_E_CONTROL, QM_E_UTF8 with fault_at set.
 */
enum qm_err qm_header_add_text(struct qm_header *header, struct qm_span name,
                               struct qm_span value, bool words) QM_MUST_USE;

/* Adds a value as it stands, ASCII only (QM_E_NONASCII), folded at blanks. */
enum qm_err qm_header_add_raw(struct qm_header *header, struct qm_span name,
                              struct qm_span value) QM_MUST_USE;

/*
 * A field that lists mailboxes: begin, add each, end. `display` is the plain
 * name in UTF-8 or empty, `address` a bare addr-spec. Faults of an address are
 * those of qm_addr_spec(), those of a name as for qm_header_add_text();
 * `*in_display_out` tells which of the two fault_at is about.
 */
void qm_header_begin_list(struct qm_header *header, struct qm_span name);
enum qm_err qm_header_add_mailbox(struct qm_header *header,
                                  struct qm_span display,
                                  struct qm_span address,
                                  bool *in_display_out) QM_MUST_USE;
enum qm_err qm_header_end_list(struct qm_header *header,
                               struct qm_span name) QM_MUST_USE;

/*
 * The one rule for text from a user in any header position: valid UTF-8
 * (QM_E_UTF8) without control characters other than TAB (QM_E_CONTROL).
 */
enum qm_err qm_header_check(struct qm_span value,
                            size_t *fault_at_out) QM_MUST_USE;

QM_DECLS_END

#endif
