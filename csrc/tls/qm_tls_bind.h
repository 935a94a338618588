/*
 * qm_tls_bind.h: data that names this very TLS channel (RFC 5056).
 *
 * A login that is made over it proves that nobody stands in between. With TLS
 * 1.3 "tls-exporter" (RFC 9266), before it "tls-unique" (RFC 5929 section 3),
 * which is what servers have to know (RFC 5802 section 6.1). Both depend on the
 * keys of the connection. Where extended master secrets are missing, and
 * "tls-unique" could be forged, "tls-server-end-point" (RFC 5929 section 4),
 * which depends on the certificate.
 */
#ifndef QM_TLS_BIND_H
#define QM_TLS_BIND_H

#include "tls/qm_tls.h"

enum { QM_TLS_BIND_MAX = 64 };

struct qm_tls_bind {
    const char *name; /* as registered; static */
    unsigned char data[QM_TLS_BIND_MAX];
    size_t len;
};

QM_DECLS_BEGIN

/*
 * The best kind there is, or with a `name` just that one. QM_E_MISUSE before
 * the handshake is over; QM_E_UNSUPPORTED when there is none: a certificate
 * signed with Ed25519 has no end point.
 */
enum qm_err qm_tls_bind(const struct qm_tls *tls, const char *name,
                        struct qm_tls_bind *bind_out) QM_MUST_USE;

QM_DECLS_END

#endif
