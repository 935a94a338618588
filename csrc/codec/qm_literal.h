/*
 * qm_literal.h: address literals of RFC 5321 section 4.1.3.
 */
#ifndef QM_LITERAL_H
#define QM_LITERAL_H

#include "base/qm_span.h"

QM_DECLS_BEGIN

/* "127.0.0.1": four decimal numbers to 255, no leading zeros. */
bool qm_literal_is_ipv4(struct qm_span text);

/* "::1", "2001:db8::192.0.2.1": RFC 4291 section 2.2, no zone. */
bool qm_literal_is_ipv6(struct qm_span text);

/* What may stand between '[' and ']': IPv4, or "IPv6:" and an IPv6 address. */
bool qm_literal_is_valid(struct qm_span inside);

QM_DECLS_END

#endif
