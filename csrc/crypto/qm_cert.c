#include "crypto/qm_cert.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { RSA_KEY_MIN = 138 }; /* 1024 bits, the exponent 3, and their DER */

struct fault_entry {
    const char *name;
    const char *text;
};

static const struct fault_entry faults[] = {
#define QM_CERT_FAULT_ENTRY(symbol, name, text) { name, text },
    QM_CERT_FAULTS(QM_CERT_FAULT_ENTRY)
#undef QM_CERT_FAULT_ENTRY
};

const char *qm_cert_fault_name(enum qm_cert_fault fault)
{
    return faults[fault].name;
}

const char *qm_cert_fault_text(enum qm_cert_fault fault)
{
    return faults[fault].text;
}

/* --- certificates --------------------------------------------------------- */

void qm_cert_init(struct qm_cert *cert)
{
    memset(cert, 0, sizeof(*cert));
}

void qm_cert_deinit(struct qm_cert *cert)
{
    size_t i;

    X509_free(cert->leaf);
    for (i = 0; i < cert->chain_len; i++) {
        X509_free(cert->chain[i]);
    }
    qm_cert_init(cert);
}

/* Takes `x509` in any case. */
static enum qm_err add_one(struct qm_cert *cert, X509 *x509, bool chain_only)
{
    if (!chain_only && cert->leaf == NULL) {
        cert->leaf = x509;
        return QM_OK;
    }
    if (cert->chain_len == QM_CERT_CHAIN_MAX) {
        X509_free(x509);
        return QM_E_LIMIT;
    }
    cert->chain[cert->chain_len++] = x509;
    return QM_OK;
}

/* Without a function the library would ask at the terminal. */
struct answer {
    struct qm_span passphrase;
    bool asked;
};

static int give_passphrase(char *buf, int size, int rwflag, void *user)
{
    struct answer *answer = user;
    struct qm_span passphrase = answer->passphrase;

    (void)rwflag;
    answer->asked = true;
    if (passphrase.ptr == NULL || size < 0 || passphrase.len > (size_t)size) {
        return -1;
    }
    memcpy(buf, passphrase.ptr, passphrase.len);
    return (int)passphrase.len;
}

static enum qm_err read_pem(struct qm_cert *cert, BIO *bio, bool chain_only)
{
    struct answer nothing = { { NULL, 0 }, false };
    enum qm_err err = QM_OK;
    size_t count = 0;
    unsigned long why;

    while (err == QM_OK) {
        X509 *x509 = PEM_read_bio_X509(bio, NULL, give_passphrase, &nothing);

        if (x509 == NULL) {
            break;
        }
        count++;
        err = add_one(cert, x509, chain_only);
    }
    why = ERR_peek_last_error();
    if (err == QM_OK && (count == 0 || ERR_GET_LIB(why) != ERR_LIB_PEM ||
                         ERR_GET_REASON(why) != PEM_R_NO_START_LINE)) {
        err = QM_E_SYNTAX;
    }
    return err;
}

static enum qm_err read_der(struct qm_cert *cert, struct qm_span bytes,
                            bool chain_only)
{
    const unsigned char *at = (const unsigned char *)bytes.ptr;
    X509 *x509 = d2i_X509(NULL, &at, (long)bytes.len);

    return x509 != NULL ? add_one(cert, x509, chain_only) : QM_E_SYNTAX;
}

/* The first byte of a SEQUENCE: "0", with which no PEM text begins. */
static bool is_der(struct qm_span bytes)
{
    return bytes.len > 2 && bytes.ptr[0] == '0' &&
           ((unsigned char)bytes.ptr[1] & 0x80U) != 0;
}

enum qm_err qm_cert_read(struct qm_cert *cert, struct qm_span bytes,
                         bool chain_only)
{
    enum qm_err err;
    BIO *bio;

    if (bytes.len == 0 || bytes.len > QM_CERT_BYTES_MAX) {
        return bytes.len == 0 ? QM_E_SYNTAX : QM_E_LIMIT;
    }
    ERR_clear_error();
    if (is_der(bytes)) {
        err = read_der(cert, bytes, chain_only);
    } else {
        bio = BIO_new_mem_buf(bytes.ptr, (int)bytes.len);
        err = bio != NULL ? read_pem(cert, bio, chain_only) : QM_E_MEMORY;
        BIO_free(bio);
    }
    ERR_clear_error();
    return err;
}

/* By its algorithm: EVP_PKEY_id() has another symbol in each major version. */
static int kind_of(X509 *x509)
{
    ASN1_OBJECT *algorithm = NULL;

    if (X509_PUBKEY_get0_param(&algorithm, NULL, NULL, NULL,
                               X509_get_X509_PUBKEY(x509)) != 1) {
        return NID_undef;
    }
    return OBJ_obj2nid(algorithm);
}

/* --- may it be used? ------------------------------------------------------ */

static enum qm_cert_fault check_time(X509 *x509, int64_t now)
{
    time_t when = (time_t)now;

    if (X509_cmp_time(X509_get0_notAfter(x509), &when) <= 0) {
        return QM_CERT_EXPIRED;
    }
    if (X509_cmp_time(X509_get0_notBefore(x509), &when) > 0) {
        return QM_CERT_EARLY;
    }
    return QM_CERT_FINE;
}

/*
 * RFC 8550 section 4.4: what is not there allows all. The library's own check
 * wants keyEncipherment of each recipient, which keys for ECDH do not have.
 */
static enum qm_cert_fault check_purpose(X509 *x509, enum qm_cert_use use)
{
    uint32_t wanted = use == QM_CERT_SIGN
                          ? KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION
                          : KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT;

    if ((X509_get_key_usage(x509) & wanted) == 0 ||
        (X509_get_extended_key_usage(x509) & (XKU_SMIME | XKU_ANYEKU)) == 0) {
        return QM_CERT_PURPOSE;
    }
    return QM_CERT_FINE;
}

bool qm_cert_is_ec(const struct qm_cert *cert)
{
    return kind_of(cert->leaf) == NID_X9_62_id_ecPublicKey;
}

bool qm_cert_has_others(const struct qm_cert *cert)
{
    bool has = false;
    size_t i;

    ERR_clear_error();
    for (i = 0; i < cert->chain_len && !has; i++) {
        has = X509_check_ca(cert->chain[i]) == 0 &&
              X509_cmp(cert->chain[i], cert->leaf) != 0;
    }
    ERR_clear_error();
    return has;
}

/*
 * RFC 8551 sections 4.2 and 4.4 advise against RSA below 2048 bits, which some
 * people still have; below 1024 it hides and proves nothing. Told by the length
 * of the RSAPublicKey, since EVP_PKEY_bits() as well has another symbol in each
 * major version.
 */
static bool is_short(X509 *x509)
{
    return ASN1_STRING_length(X509_get0_pubkey_bitstr(x509)) < RSA_KEY_MIN;
}

static enum qm_cert_fault check_kind(X509 *x509)
{
    int kind = kind_of(x509);

    if (kind == NID_rsaEncryption) {
        return is_short(x509) ? QM_CERT_WEAK : QM_CERT_FINE;
    }
    return kind == NID_X9_62_id_ecPublicKey ? QM_CERT_FINE : QM_CERT_KIND;
}

enum qm_cert_fault qm_cert_check(const struct qm_cert *cert,
                                 enum qm_cert_use use, int64_t now)
{
    enum qm_cert_fault fault = QM_CERT_NONE;

    ERR_clear_error();
    if (cert->leaf != NULL) {
        fault = check_kind(cert->leaf);
    }
    if (fault == QM_CERT_FINE) {
        fault = check_time(cert->leaf, now);
    }
    if (fault == QM_CERT_FINE) {
        fault = check_purpose(cert->leaf, use);
    }
    ERR_clear_error();
    return fault;
}

/* --- keys ----------------------------------------------------------------- */

static EVP_PKEY *key_of_pem(struct qm_span bytes, struct answer *answer)
{
    BIO *bio = BIO_new_mem_buf(bytes.ptr, (int)bytes.len);
    EVP_PKEY *key = NULL;

    if (bio != NULL) {
        key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, answer);
    }
    BIO_free(bio);
    return key;
}

static EVP_PKEY *key_of_der(struct qm_span bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.ptr;

    return d2i_AutoPrivateKey(NULL, &at, (long)bytes.len);
}

enum qm_cert_fault qm_cert_key_read(struct qm_span bytes,
                                    struct qm_span passphrase, void **key_out)
{
    struct answer answer = { passphrase, false };
    EVP_PKEY *key;

    *key_out = NULL;
    if (bytes.len == 0 || bytes.len > QM_CERT_BYTES_MAX) {
        return QM_CERT_NO_KEY;
    }
    ERR_clear_error();
    key = is_der(bytes) ? key_of_der(bytes) : key_of_pem(bytes, &answer);
    ERR_clear_error();
    *key_out = key;
    if (key == NULL && answer.asked) {
        return passphrase.ptr == NULL ? QM_CERT_NO_PASSPHRASE
                                      : QM_CERT_BAD_PASSPHRASE;
    }
    return key != NULL ? QM_CERT_FINE : QM_CERT_NO_KEY;
}

void qm_cert_key_free(void *key)
{
    EVP_PKEY_free(key);
}

bool qm_cert_has_key(const struct qm_cert *cert, void *key)
{
    bool has = X509_check_private_key(cert->leaf, key) == 1;

    ERR_clear_error();
    return has;
}

/* --- what it says --------------------------------------------------------- */

enum qm_err qm_cert_addresses(const struct qm_cert *cert, struct qm_buf *out)
{
    STACK_OF(OPENSSL_STRING) * list;
    int i;

    ERR_clear_error();
    list = X509_get1_email(cert->leaf);
    for (i = 0; i < sk_OPENSSL_STRING_num(list); i++) {
        (void)qm_buf_append_text(out, sk_OPENSSL_STRING_value(list, i));
        (void)qm_buf_append_char(out, '\n');
    }
    X509_email_free(list);
    ERR_clear_error();
    return out->err;
}

int64_t qm_cert_end(const struct qm_cert *cert)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0;
    int seconds = 0;

    if (epoch == NULL || ASN1_TIME_diff(&days, &seconds, epoch,
                                        X509_get0_notAfter(cert->leaf)) != 1) {
        days = 0;
        seconds = 0;
    }
    ASN1_TIME_free(epoch);
    ERR_clear_error();
    return (int64_t)days * 86400 + seconds;
}
