#include "crypto/qm_key.h"

#include "crypto/qm_digest.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

const char *qm_key_fault_name(enum qm_key_fault fault)
{
    static const char *const names[] = {
#define QM_KEY_NAME(symbol, name) name,
        QM_KEY_FAULT_LIST(QM_KEY_NAME)
#undef QM_KEY_NAME
    };

    return names[fault];
}

/* --- DER (X.690) of the public part --------------------------------------- */

enum { DER_INTEGER = 0x02, DER_BITS = 0x03, DER_OID = 0x06, DER_LIST = 0x30 };

/* Reads a length of up to three bytes, which no key of ours passes. */
static bool der_len(struct qm_span *rest, size_t *len_out)
{
    const unsigned char *bytes = (const unsigned char *)rest->ptr;
    size_t count;
    size_t len = 0;
    size_t i;

    if (rest->len == 0) {
        return false;
    }
    count = bytes[0] < 0x80 ? 0 : (size_t)(bytes[0] & 0x7f);
    if (count > 3 || count >= rest->len) {
        return false;
    }
    for (i = 1; i <= count; i++) {
        len = len << 8 | bytes[i];
    }
    *len_out = count == 0 ? bytes[0] : len;
    *rest = qm_span_from(*rest, 1 + count);
    return *len_out <= rest->len;
}

/* Takes a value of this kind off the front of `rest`. */
static bool der_take(struct qm_span *rest, unsigned char tag,
                     struct qm_span *value_out)
{
    size_t len;

    if (rest->len == 0 || (unsigned char)rest->ptr[0] != tag) {
        return false;
    }
    *rest = qm_span_from(*rest, 1);
    if (!der_len(rest, &len)) {
        return false;
    }
    *value_out = qm_span_make(rest->ptr, len);
    *rest = qm_span_from(*rest, len);
    return true;
}

/* Of a BIT STRING that holds a list of modulus and exponent (RFC 8017 A.1.1) */
static size_t bits_of_modulus(struct qm_span bits)
{
    struct qm_span rest = qm_span_from(bits, 1);
    struct qm_span list;
    struct qm_span n;
    unsigned char first;
    size_t count;

    if (!der_take(&rest, DER_LIST, &list) || !der_take(&list, DER_INTEGER, &n)) {
        return 0;
    }
    while (n.len > 0 && n.ptr[0] == 0) {
        n = qm_span_from(n, 1);
    }
    count = 8 * n.len;
    first = n.len > 0 ? (unsigned char)n.ptr[0] : 0;
    while (first != 0 && (first & 0x80) == 0) {
        first = (unsigned char)(first << 1);
        count--;
    }
    return count;
}

/* SubjectPublicKeyInfo (RFC 5280 section 4.1): which algorithm, and the key */
static bool split_public(struct qm_span whole, struct qm_span *oid_out,
                         struct qm_span *bits_out)
{
    struct qm_span list;
    struct qm_span algorithm;

    return der_take(&whole, DER_LIST, &list) &&
           der_take(&list, DER_LIST, &algorithm) &&
           der_take(&algorithm, DER_OID, oid_out) &&
           der_take(&list, DER_BITS, bits_out);
}

static enum qm_key_fault judge(struct qm_key *key, struct qm_span whole)
{
    static const char rsa[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
    static const char ed25519[] = "\x2b\x65\x70";
    struct qm_span oid;
    struct qm_span bits;

    if (!split_public(whole, &oid, &bits)) {
        return QM_KEY_WRONG_KIND;
    }
    if (qm_span_equal(oid, qm_span_of(ed25519))) {
        key->kind = QM_KEY_ED25519;
        return QM_KEY_OK;
    }
    if (!qm_span_equal(oid, qm_span_of(rsa))) {
        return QM_KEY_WRONG_KIND;
    }
    key->kind = QM_KEY_RSA;
    key->bits = bits_of_modulus(bits);
    if (key->bits < QM_KEY_RSA_MIN) {
        return QM_KEY_TOO_SHORT;
    }
    return key->bits > QM_KEY_RSA_MAX ? QM_KEY_TOO_LONG : QM_KEY_OK;
}

/* --- reading --------------------------------------------------------------- */

struct asked {
    struct qm_span passphrase;
    bool any;
};

/* OpenSSL would ask at the terminal, were there no such function. */
static int give_passphrase(char *out, int cap, int is_writing, void *context)
{
    struct asked *asked = context;
    size_t len = asked->passphrase.len;

    (void)is_writing;
    asked->any = true;
    if (len == 0 || len > (size_t)cap) {
        return -1;
    }
    memcpy(out, asked->passphrase.ptr, len);
    return (int)len;
}

static enum qm_key_fault read_pem(struct qm_key *key, struct qm_span pem,
                                  struct qm_span passphrase)
{
    struct asked asked = { passphrase, false };
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);

    if (bio == NULL) {
        return QM_KEY_NO_MEMORY;
    }
    key->pkey = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &asked);
    BIO_free(bio);
    if (key->pkey != NULL) {
        return QM_KEY_OK;
    }
    if (!asked.any) {
        return QM_KEY_NO_KEY;
    }
    return passphrase.len == 0 ? QM_KEY_LOCKED : QM_KEY_WRONG_PASSPHRASE;
}

static enum qm_key_fault look_at_public(struct qm_key *key)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key->pkey, &der);
    enum qm_key_fault fault;

    if (len <= 0) {
        return QM_KEY_WRONG_KIND;
    }
    fault = judge(key, qm_span_make((const char *)der, (size_t)len));
    OPENSSL_free(der);
    return fault;
}

enum qm_key_fault qm_key_read(struct qm_key *key, struct qm_span pem,
                              struct qm_span passphrase)
{
    enum qm_key_fault fault;

    memset(key, 0, sizeof(*key));
    if (pem.len == 0 || pem.len > QM_KEY_TEXT_MAX) {
        return QM_KEY_NO_KEY;
    }
    ERR_clear_error();
    fault = read_pem(key, pem, passphrase);
    if (fault == QM_KEY_OK) {
        fault = look_at_public(key);
    }
    if (fault != QM_KEY_OK) {
        qm_key_deinit(key);
    }
    ERR_clear_error();
    return fault;
}

void qm_key_deinit(struct qm_key *key)
{
    EVP_PKEY_free(key->pkey);
    key->pkey = NULL;
}

/* --- signing --------------------------------------------------------------- */

static enum qm_err sign(const struct qm_key *key, const EVP_MD *method,
                        struct qm_span text, unsigned char *out,
                        size_t *len_out)
{
    EVP_MD_CTX *ctx;
    bool worked;

    *len_out = QM_KEY_SIGNATURE_MAX;
    ERR_clear_error();
    ctx = EVP_MD_CTX_new();
    worked = ctx != NULL &&
             EVP_DigestSignInit(ctx, NULL, method, NULL, key->pkey) == 1 &&
             EVP_DigestSign(ctx, out, len_out, (const unsigned char *)text.ptr,
                            text.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return worked ? QM_OK : QM_E_UNSUPPORTED;
}

enum qm_err qm_key_sign(const struct qm_key *key, struct qm_span text,
                        unsigned char *out, size_t *len_out)
{
    unsigned char hash[QM_DIGEST_SIZE_MAX];
    enum qm_err err;

    *len_out = 0;
    if (key->pkey == NULL) {
        return QM_E_MISUSE;
    }
    if (key->kind == QM_KEY_RSA) {
        return sign(key, EVP_sha256(), text, out, len_out);
    }
    err = qm_digest_of(QM_DIGEST_SHA256, text, hash);
    if (err != QM_OK) {
        return err;
    }
    text = qm_span_make((const char *)hash, qm_digest_size(QM_DIGEST_SHA256));
    return sign(key, NULL, text, out, len_out);
}
