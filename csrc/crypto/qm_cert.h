/*
 * qm_cert.h: certificates and private keys of people, from PEM or DER.
 *
 * Reads them, and says why one cannot be used: each refusal is a fault with a
 * name of its own, since "it does not work" helps nobody. Nothing of a key or
 * a passphrase is in any text, and nothing is ever asked at a terminal. As in
 * qm_digest.h, only functions that every OpenSSL since 1.1.1 has under the same
 * name.
 */
#ifndef QM_CERT_H
#define QM_CERT_H

#include "base/qm_buf.h"

/* Far beyond any chain; it bounds what is parsed. */
enum { QM_CERT_BYTES_MAX = 1024 * 1024, QM_CERT_CHAIN_MAX = 16 };

/* X(symbol, stable name, English text) */
#define QM_CERT_FAULTS(X)                                                      \
    X(QM_CERT_FINE, "", "no fault")                                            \
    X(QM_CERT_NONE, "no_certificate", "holds no certificate")                  \
    X(QM_CERT_NO_KEY, "no_key", "holds no private key")                        \
    X(QM_CERT_NO_PASSPHRASE, "no_passphrase", "is encrypted")                  \
    X(QM_CERT_BAD_PASSPHRASE, "bad_passphrase", "has another passphrase")      \
    X(QM_CERT_MISMATCH, "key_mismatch", "is of another certificate")           \
    X(QM_CERT_EXPIRED, "expired", "is no longer valid")                        \
    X(QM_CERT_EARLY, "not_yet_valid", "is not yet valid")                      \
    X(QM_CERT_PURPOSE, "not_for_mail", "is not for this use")                  \
    X(QM_CERT_KIND, "bad_key_kind", "has a key of a kind that is not used")    \
    X(QM_CERT_WEAK, "weak_key", "has a key that is too short")

enum qm_cert_fault {
#define QM_CERT_FAULT_ENUM(symbol, name, text) symbol,
    QM_CERT_FAULTS(QM_CERT_FAULT_ENUM)
#undef QM_CERT_FAULT_ENUM
        QM_CERT_FAULT_COUNT
};

enum qm_cert_use { QM_CERT_SIGN, QM_CERT_ENCRYPT };

/* A certificate and those that stand behind it in the same text. */
struct qm_cert {
    void *leaf;                     /* X509 */
    void *chain[QM_CERT_CHAIN_MAX]; /* X509 */
    size_t chain_len;
};

QM_DECLS_BEGIN

const char *qm_cert_fault_name(enum qm_cert_fault fault);
const char *qm_cert_fault_text(enum qm_cert_fault fault);

void qm_cert_init(struct qm_cert *cert);
void qm_cert_deinit(struct qm_cert *cert);

/*
 * Reads one certificate in DER, or those of a PEM text: the first is the one
 * that counts. `chain_only`: all of them are added to the chain. Other blocks,
 * such as keys, may stand in between. QM_E_SYNTAX: there is none, or one that
 * is broken. QM_E_LIMIT: too many of them.
 */
enum qm_err qm_cert_read(struct qm_cert *cert, struct qm_span bytes,
                         bool chain_only) QM_MUST_USE;

/* Is its key one of an elliptic curve? */
bool qm_cert_is_ec(const struct qm_cert *cert);

/* Does one stand behind it that is of no authority, but of somebody else? */
bool qm_cert_has_others(const struct qm_cert *cert);

/* May it do that at `now`, seconds since 1970? */
enum qm_cert_fault qm_cert_check(const struct qm_cert *cert,
                                 enum qm_cert_use use, int64_t now);

/*
 * The private key of a PEM text, or in DER; *key_out is an EVP_PKEY for
 * qm_cert_key_free(). `passphrase` with ptr NULL: there is none.
 */
enum qm_cert_fault qm_cert_key_read(struct qm_span bytes,
                                    struct qm_span passphrase, void **key_out);
void qm_cert_key_free(void *key);

/* Does the key belong to the certificate? */
bool qm_cert_has_key(const struct qm_cert *cert, void *key);

/*
 * Appends the mail addresses of the certificate (subjectAltName and, as
 * before RFC 8550, the subject), each with a line feed.
 */
enum qm_err qm_cert_addresses(const struct qm_cert *cert, struct qm_buf *out);

/* Seconds since 1970 after which it is no longer valid. */
int64_t qm_cert_end(const struct qm_cert *cert);

QM_DECLS_END

#endif
