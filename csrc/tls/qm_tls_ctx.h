/*
 * qm_tls_ctx.h: what many connections share: trust, versions, own
 * certificate, remembered sessions.
 *
 * Loading the authorities of a system takes milliseconds, so contexts are
 * made once (see qm_tls_cache.h). A context is counted by reference: its
 * filters and its holders may let go of it in any order. One thread at a
 * time.
 */
#ifndef QM_TLS_CTX_H
#define QM_TLS_CTX_H

#include "base/qm_err.h"
#include "tls/qm_tls_store.h"
#include "tls/qm_tls_text.h"

struct bio_method_st;
struct ssl_ctx_st;

enum {
    QM_TLS_CHAIN_MAX = 10,        /* intermediates in a chain */
    QM_TLS_CERT_LIST_MAX = 65536, /* bytes of certificates in a handshake */
    QM_TLS_SECURITY_LEVEL = 2     /* of OpenSSL: 112 bits, no SHA-1 */
};

enum qm_tls_version {
    QM_TLS_VERSION_DEFAULT, /* lowest: 1.2; highest: what OpenSSL can do */
    QM_TLS_VERSION_1_0,     /* 1.0 and 1.1 (RFC 8996) for test servers only */
    QM_TLS_VERSION_1_1,
    QM_TLS_VERSION_1_2,
    QM_TLS_VERSION_1_3
};

/* Paths are NUL-terminated and NULL when absent. */
struct qm_tls_options {
    const char *ca_file; /* PEM; without it and ca_path: the system's */
    const char *ca_path; /* directory of hashed PEM files */
    const char *cert;    /* PEM chain this side shows */
    const char *key;     /* PEM, not encrypted; absent: inside `cert` */
    const char *ciphers; /* OpenSSL list for TLS <= 1.2; may set @SECLEVEL */
    enum qm_tls_version min_version;
    enum qm_tls_version max_version;
    bool verify; /* refuse a peer without a good certificate */
    bool server; /* for the server of tests */
};

struct qm_tls_ctx {
    struct ssl_ctx_st *ssl_ctx;
    struct bio_method_st *bio_method;
    struct qm_tls_store store; /* sessions of clients */
    unsigned refs;             /* holders */
    bool verify;
    bool server;
};

QM_DECLS_BEGIN

/*
 * False when this process runs another major version of OpenSSL than the one
 * we were built for (a host may bring its own): nothing else here may be
 * called then. `why` is written in that case.
 */
bool qm_tls_library_fits(struct qm_tls_text *why);

/* Name and version of the OpenSSL in this process; static. */
const char *qm_tls_library_text(void);

/*
 * A new context with one reference. On failure `why` names the option and the
 * reason: QM_E_SYSTEM a file cannot be read, QM_E_SYNTAX it holds nothing
 * usable, QM_E_UNSUPPORTED the versions or ciphers cannot be had, QM_E_MEMORY.
 */
enum qm_err qm_tls_ctx_open(const struct qm_tls_options *options,
                            struct qm_tls_ctx **ctx_out,
                            struct qm_tls_text *why) QM_MUST_USE;

struct qm_tls_ctx *qm_tls_ctx_retain(struct qm_tls_ctx *ctx);

/* Frees it with the last reference. NULL is allowed. */
void qm_tls_ctx_release(struct qm_tls_ctx *ctx);

QM_DECLS_END

#endif
