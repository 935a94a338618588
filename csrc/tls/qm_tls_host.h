/*
 * qm_tls_host.h: the name a certificate must be for.
 *
 * A DNS name (which is also sent as SNI) or an IP address (which never is,
 * RFC 6066, section 3).
 */
#ifndef QM_TLS_HOST_H
#define QM_TLS_HOST_H

#include "base/qm_err.h"
#include "base/qm_span.h"

enum qm_tls_host_kind {
    QM_TLS_HOST_NONE,   /* not known; only possible without verification */
    QM_TLS_HOST_NAME,   /* DNS */
    QM_TLS_HOST_ADDRESS /* IPv4 or IPv6 literal */
};

/* Zeroed is QM_TLS_HOST_NONE. */
struct qm_tls_host {
    enum qm_tls_host_kind kind;
    char text[256]; /* NUL-terminated; 253 is the longest name */
};

QM_DECLS_BEGIN

/*
 * Reads a name or address. One trailing dot and the brackets of an IPv6
 * literal are taken off. QM_E_EMPTY, QM_E_TOO_LONG, QM_E_NONASCII (an
 * internationalised name must come in its xn-- form), QM_E_SYNTAX.
 *
 * A leading dot is refused above all: OpenSSL would take it as "any host
 * below this domain".
 */
enum qm_err qm_tls_host_set(struct qm_tls_host *host, struct qm_span name);

QM_DECLS_END

#endif
