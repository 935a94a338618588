/*
 * qm_addrspec.h: `local@domain` inside a longer text; the lower half of the
 * address parser. For qm_addr.c only: everybody else uses qm_addr.h.
 *
 * Works on a struct qm_addr_parser whose text has passed qm_addr_parser_init(),
 * so that it is valid UTF-8 and holds no NUL.
 */
#ifndef QM_ADDRSPEC_H
#define QM_ADDRSPEC_H

#include "codec/qm_addr.h"

QM_DECLS_BEGIN

/* Records the first fault and returns `err`. */
enum qm_err qm_addrspec_fail(struct qm_addr_parser *parser, size_t at,
                             enum qm_err err, const char *why);

/* As above: a QM_E_SYNTAX at the current place. */
enum qm_err qm_addrspec_fault(struct qm_addr_parser *parser, const char *why);

/* The byte to read, NUL at the end. */
char qm_addrspec_peek(const struct qm_addr_parser *parser);

/* atext of RFC 5322 section 3.2.3, with the UTF-8 of RFC 6532. */
bool qm_addrspec_is_atext(char c);

/*
 * Takes one byte of meaning off a quoted text: a backslash stands for what
 * follows it. False at the end.
 */
bool qm_addrspec_plain(struct qm_span *rest, char *c_out);

/*
 * Reads an addr-spec, filling local, domain and utf8 of `addr`. Stops behind
 * the domain at the end, a blank or one of `,;<>(`.
 */
enum qm_err qm_addrspec_take(struct qm_addr_parser *parser,
                             struct qm_addr *addr) QM_MUST_USE;

QM_DECLS_END

#endif
