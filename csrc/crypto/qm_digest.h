/*
 * qm_digest.h: digests of OpenSSL, keyed and repeated.
 *
 * Only functions that every OpenSSL since 1.1.1 has, so that the module works
 * beside whatever OpenSSL its process brought. A digest that the library does
 * not give (MD5 under FIPS) is QM_E_UNSUPPORTED.
 */
#ifndef QM_DIGEST_H
#define QM_DIGEST_H

#include "base/qm_err.h"
#include "base/qm_span.h"

enum qm_digest {
    QM_DIGEST_MD5, /* for CRAM-MD5 alone */
    QM_DIGEST_SHA1,
    QM_DIGEST_SHA256,
    QM_DIGEST_SHA512
};

enum { QM_DIGEST_SIZE_MAX = 64 };

/* A value over bytes that come in pieces. */
struct qm_digest_run {
    struct evp_md_ctx_st *ctx; /* NULL: not begun, or ended */
};

QM_DECLS_BEGIN

/* Bytes of a value of this digest. */
size_t qm_digest_size(enum qm_digest digest);

/* `out` has room for qm_digest_size() bytes, here and below. */
enum qm_err qm_digest_of(enum qm_digest digest, struct qm_span bytes,
                         unsigned char *out) QM_MUST_USE;

/* Pieces: begin, update any number of times, end or drop; dropping twice is
 * allowed. */
enum qm_err qm_digest_begin(struct qm_digest_run *run,
                            enum qm_digest digest) QM_MUST_USE;
enum qm_err qm_digest_update(struct qm_digest_run *run,
                             struct qm_span bytes) QM_MUST_USE;
enum qm_err qm_digest_end(struct qm_digest_run *run,
                          unsigned char *out) QM_MUST_USE;
void qm_digest_drop(struct qm_digest_run *run);

/* HMAC (RFC 2104). */
enum qm_err qm_digest_hmac(enum qm_digest digest, struct qm_span key,
                           struct qm_span bytes,
                           unsigned char *out) QM_MUST_USE;

/* PBKDF2 with HMAC (RFC 8018 section 5.2), one block: Hi() of RFC 5802. */
enum qm_err qm_digest_pbkdf2(enum qm_digest digest, struct qm_span password,
                             struct qm_span salt, uint32_t rounds,
                             unsigned char *out) QM_MUST_USE;

/* Equality in time that does not depend on where they differ. */
bool qm_digest_equal(const unsigned char *a, const unsigned char *b,
                     size_t len);

QM_DECLS_END

#endif
