/*
 * qm_tls_info.h: what a connection turned out to be.
 */
#ifndef QM_TLS_INFO_H
#define QM_TLS_INFO_H

#include "tls/qm_tls.h"

enum {
    /* longest chain shown: the leaf, and more than any real server sends */
    QM_TLS_INFO_CHAIN_MAX = 10
};

struct qm_tls_info_cert {
    struct qm_tls_text subject; /* RFC 4514 */
    struct qm_tls_text issuer;  /* likewise */
    int64_t not_before;         /* seconds since 1970-01-01 UTC */
    int64_t not_after;          /* likewise */
};

struct qm_tls_info {
    const char *version;          /* "TLSv1.3"; NULL before the handshake */
    const char *cipher;           /* OpenSSL's name; NULL likewise */
    bool resumed;                 /* without a full handshake */
    bool verified;                /* certificate and name were checked */
    bool plain_smtp;              /* the peer answered as plain SMTP */
    bool has_cert;                /* the peer showed one; fields below */
    struct qm_tls_info_cert cert; /* its own */
    struct qm_span names;         /* each followed by a NUL */
    enum qm_tls_code problem;     /* of the certificate, or QM_TLS_OK */
    const char *problem_text;     /* as a sentence */
};

QM_DECLS_BEGIN

/*
 * The certificate is there after a refusal too. The pointers are valid until
 * the filter is used again.
 */
void qm_tls_info(struct qm_tls *tls, struct qm_tls_info *info);

/*
 * Certificate number `index` (from 0) in the order the peer sent them, its own
 * first. False when there were no more, or QM_TLS_INFO_CHAIN_MAX of them.
 */
bool qm_tls_info_chain(struct qm_tls *tls, int index,
                       struct qm_tls_info_cert *cert_out);

QM_DECLS_END

#endif
