#include "crypto/qm_digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static const EVP_MD *method_of(enum qm_digest digest)
{
    switch (digest) {
    case QM_DIGEST_MD5:
        return EVP_md5();
    case QM_DIGEST_SHA1:
        return EVP_sha1();
    case QM_DIGEST_SHA256:
        return EVP_sha256();
    case QM_DIGEST_SHA512:
        return EVP_sha512();
    }
    return NULL;
}

size_t qm_digest_size(enum qm_digest digest)
{
    static const unsigned char sizes[] = { 16, 20, 32, 64 };

    return sizes[digest];
}

static const unsigned char *bytes_of(struct qm_span span)
{
    return (const unsigned char *)(span.len > 0 ? span.ptr : "");
}

/* The library's queue of errors belongs to the whole process. */
static enum qm_err ending(bool worked)
{
    ERR_clear_error();
    return worked ? QM_OK : QM_E_UNSUPPORTED;
}

enum qm_err qm_digest_of(enum qm_digest digest, struct qm_span bytes,
                         unsigned char *out)
{
    ERR_clear_error();
    return ending(EVP_Digest(bytes_of(bytes), bytes.len, out, NULL,
                             method_of(digest), NULL) == 1);
}

enum qm_err qm_digest_begin(struct qm_digest_run *run, enum qm_digest digest)
{
    bool worked;

    ERR_clear_error();
    run->ctx = EVP_MD_CTX_new();
    if (run->ctx == NULL) {
        ERR_clear_error();
        return QM_E_MEMORY;
    }
    worked = EVP_DigestInit_ex(run->ctx, method_of(digest), NULL) == 1;
    if (!worked) {
        qm_digest_drop(run);
    }
    return ending(worked);
}

enum qm_err qm_digest_update(struct qm_digest_run *run, struct qm_span bytes)
{
    if (run->ctx == NULL) {
        return QM_E_MISUSE;
    }
    ERR_clear_error();
    return ending(EVP_DigestUpdate(run->ctx, bytes_of(bytes), bytes.len) == 1);
}

enum qm_err qm_digest_end(struct qm_digest_run *run, unsigned char *out)
{
    bool worked;

    if (run->ctx == NULL) {
        return QM_E_MISUSE;
    }
    ERR_clear_error();
    worked = EVP_DigestFinal_ex(run->ctx, out, NULL) == 1;
    qm_digest_drop(run);
    return ending(worked);
}

void qm_digest_drop(struct qm_digest_run *run)
{
    EVP_MD_CTX_free(run->ctx);
    run->ctx = NULL;
}

enum qm_err qm_digest_hmac(enum qm_digest digest, struct qm_span key,
                           struct qm_span bytes, unsigned char *out)
{
    if (key.len > INT_MAX) {
        return QM_E_TOO_LONG;
    }
    ERR_clear_error();
    return ending(HMAC(method_of(digest), bytes_of(key), (int)key.len,
                       bytes_of(bytes), bytes.len, out, NULL) != NULL);
}

enum qm_err qm_digest_pbkdf2(enum qm_digest digest, struct qm_span password,
                             struct qm_span salt, uint32_t rounds,
                             unsigned char *out)
{
    if (password.len > INT_MAX || salt.len > INT_MAX || rounds > INT_MAX) {
        return QM_E_TOO_LONG;
    }
    ERR_clear_error();
    return ending(PKCS5_PBKDF2_HMAC(password.len > 0 ? password.ptr : "",
                                    (int)password.len, bytes_of(salt),
                                    (int)salt.len, (int)rounds,
                                    method_of(digest),
                                    (int)qm_digest_size(digest), out) == 1);
}

bool qm_digest_equal(const unsigned char *a, const unsigned char *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
