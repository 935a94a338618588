/*
 * qm_tls_err.h: why a TLS connection failed, as a short list of stable names.
 *
 * OpenSSL knows hundreds of reasons; a caller wants to know whose fault it is
 * and what to do. The names are part of the public interface.
 */
#ifndef QM_TLS_ERR_H
#define QM_TLS_ERR_H

#include "base/qm_base.h"

/* X(symbol, stable name) */
#define QM_TLS_CODE_LIST(X)                                                    \
    /* nothing failed */                                                       \
    X(QM_TLS_OK, "ok")                                                         \
    /* the certificate is its own issuer and not a trusted one */              \
    X(QM_TLS_SELF_SIGNED, "self_signed")                                       \
    /* a certificate of the chain is past its last day */                      \
    X(QM_TLS_EXPIRED, "expired")                                               \
    /* or before its first; often the local clock is wrong */                  \
    X(QM_TLS_NOT_YET_VALID, "not_yet_valid")                                   \
    /* it was issued for other names */                                        \
    X(QM_TLS_HOST_MISMATCH, "host_mismatch")                                   \
    /* its issuer is neither sent nor trusted */                               \
    X(QM_TLS_NO_ISSUER, "no_issuer")                                           \
    /* the chain is refused for any other reason */                            \
    X(QM_TLS_UNTRUSTED, "untrusted")                                           \
    /* more intermediates than QM_TLS_CHAIN_MAX */                             \
    X(QM_TLS_CHAIN_TOO_LONG, "chain_too_long")                                 \
    /* a key or digest below the security level */                             \
    X(QM_TLS_WEAK, "weak")                                                     \
    /* a revocation list names it */                                           \
    X(QM_TLS_REVOKED, "revoked")                                               \
    /* the answer to ClientHello was no TLS record */                          \
    X(QM_TLS_NOT_TLS, "not_tls")                                               \
    /* no version of TLS in common */                                          \
    X(QM_TLS_PROTOCOL_VERSION, "protocol_version")                             \
    /* the connection ended inside the handshake */                            \
    X(QM_TLS_CLOSED, "closed")                                                 \
    /* the connection ended later, without close_notify */                     \
    X(QM_TLS_TRUNCATED, "truncated")                                           \
    /* the other side gave up with an alert */                                 \
    X(QM_TLS_ALERT, "alert")                                                   \
    /* anything else, see the text */                                          \
    X(QM_TLS_FAILED, "failed")

enum qm_tls_code {
#define QM_TLS_CODE_ENUM(symbol, name) symbol,
    QM_TLS_CODE_LIST(QM_TLS_CODE_ENUM) QM_TLS_CODE_COUNT
#undef QM_TLS_CODE_ENUM
};

QM_DECLS_BEGIN

/* Stable name ("host_mismatch"); "unknown" for a value out of range. */
const char *qm_tls_code_name(enum qm_tls_code code);

/* From a verify result, X509_V_*. */
enum qm_tls_code qm_tls_code_of_verify(long result);

/*
 * From an entry of OpenSSL's error queue, 0 included. QM_TLS_CLOSED stands
 * for an unexpected end of the stream; never QM_TLS_NOT_TLS, which only the
 * bytes themselves can tell.
 */
enum qm_tls_code qm_tls_code_of_queue(unsigned long entry);

/* Number of the alert received (RFC 8446, section 6), or -1 for none. */
int qm_tls_alert_of_queue(unsigned long entry);

QM_DECLS_END

#endif
