/*
 * qm_key.h: a private key that signs: RSA with SHA-256 (PKCS #1 v1.5), or
 * Ed25519.
 *
 * Read from PEM text, and kept by OpenSSL, which overwrites it when it is
 * freed. As in qm_digest.h, only functions that every OpenSSL since 1.1.1 has
 * under the same name: what kind of key it is tells its public part.
 */
#ifndef QM_KEY_H
#define QM_KEY_H

#include "base/qm_err.h"
#include "base/qm_span.h"

enum {
    QM_KEY_RSA_MIN = 1024, /* bits: RFC 8301 section 3.2 */
    QM_KEY_RSA_MAX = 16384, /* bits: what OpenSSL itself verifies */
    QM_KEY_SIGNATURE_MAX = QM_KEY_RSA_MAX / 8,
    QM_KEY_TEXT_MAX = 64 * 1024 /* bytes of PEM */
};

enum qm_key_kind { QM_KEY_RSA, QM_KEY_ED25519 };

/* X(symbol, stable name) */
#define QM_KEY_FAULT_LIST(X)                                                   \
    X(QM_KEY_OK, "ok")                                                         \
    X(QM_KEY_NO_KEY, "no_key")                     /* no private key in PEM */ \
    X(QM_KEY_LOCKED, "locked")                     /* a passphrase is needed */\
    X(QM_KEY_WRONG_PASSPHRASE, "wrong_passphrase") /* it is another one */     \
    X(QM_KEY_WRONG_KIND, "wrong_kind")             /* neither of the two */    \
    X(QM_KEY_TOO_SHORT, "too_short")               /* RSA of few bits */       \
    X(QM_KEY_TOO_LONG, "too_long")                 /* RSA of too many */       \
    X(QM_KEY_NO_MEMORY, "memory")

enum qm_key_fault {
#define QM_KEY_ENUM(symbol, name) symbol,
    QM_KEY_FAULT_LIST(QM_KEY_ENUM)
#undef QM_KEY_ENUM
        QM_KEY_FAULT_COUNT
};

struct qm_key {
    struct evp_pkey_st *pkey; /* NULL: none */
    enum qm_key_kind kind;
    size_t bits; /* of the modulus; RSA alone */
};

QM_DECLS_BEGIN

/*
 * Reads the first private key in `pem`, a PKCS #8, PKCS #1 or other form that
 * OpenSSL knows. `passphrase` may be empty: there is none.
 */
enum qm_key_fault qm_key_read(struct qm_key *key, struct qm_span pem,
                              struct qm_span passphrase) QM_MUST_USE;
void qm_key_deinit(struct qm_key *key);

const char *qm_key_fault_name(enum qm_key_fault fault);

/*
 * Signs a text as DKIM does: rsa-sha256 (RFC 6376 section 3.3.1), or
 * ed25519-sha256, which signs the SHA-256 of the text (RFC 8463 section 3).
 * `out` has room for QM_KEY_SIGNATURE_MAX bytes.
 */
enum qm_err qm_key_sign(const struct qm_key *key, struct qm_span text,
                        unsigned char *out, size_t *len_out) QM_MUST_USE;

QM_DECLS_END

#endif
