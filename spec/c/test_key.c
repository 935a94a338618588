/* test_key.c: which private keys are taken, and what they sign. */
#include "crypto/qm_key.h"

#include "check.h"
#include "dkim_keys.h"
#include "guard_page.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

static char made[16384];

/* A new key as PEM, encrypted when there is a passphrase. */
static struct qm_span make_key(int type, int bits, const char *passphrase)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(type, NULL);
    BIO *bio = BIO_new(BIO_s_mem());
    EVP_PKEY *pkey = NULL;
    int len;

    CHECK(ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1);
    CHECK(bits == 0 || EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits) == 1);
    CHECK(type != EVP_PKEY_EC || EVP_PKEY_CTX_set_ec_paramgen_curve_nid(
                                     ctx, NID_X9_62_prime256v1) == 1);
    CHECK(EVP_PKEY_keygen(ctx, &pkey) == 1);
    CHECK(PEM_write_bio_PKCS8PrivateKey(
              bio, pkey, passphrase != NULL ? EVP_aes_256_cbc() : NULL, NULL, 0,
              NULL, (void *)(uintptr_t)passphrase) == 1);
    len = BIO_read(bio, made, (int)sizeof(made));
    CHECK(len > 0);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    EVP_PKEY_CTX_free(ctx);
    return qm_span_make(made, (size_t)len);
}

static enum qm_key_fault read_with(struct qm_span pem, const char *passphrase)
{
    struct qm_key key;
    enum qm_key_fault fault = qm_key_read(&key, pem, qm_span_of(passphrase));

    CHECK((fault == QM_KEY_OK) == (key.pkey != NULL));
    CHECK(ERR_peek_error() == 0);
    qm_key_deinit(&key);
    return fault;
}

static void good_keys(void)
{
    struct qm_key key;

    CHECK(qm_key_read(&key, qm_span_of(key_rsa), qm_span_make(NULL, 0)) ==
          QM_KEY_OK);
    CHECK(key.kind == QM_KEY_RSA && key.bits == 1024);
    qm_key_deinit(&key);
    qm_key_deinit(&key);
    CHECK(qm_key_read(&key, qm_span_of(key_ed25519), qm_span_make(NULL, 0)) ==
          QM_KEY_OK);
    CHECK(key.kind == QM_KEY_ED25519);
    qm_key_deinit(&key);
    CHECK(read_with(make_key(EVP_PKEY_RSA, 2048, NULL), "") == QM_KEY_OK);
}

static void passphrases(void)
{
    struct qm_span pem = make_key(EVP_PKEY_ED25519, 0, "open sesame");

    CHECK(read_with(pem, "") == QM_KEY_LOCKED);
    CHECK(read_with(pem, "open") == QM_KEY_WRONG_PASSPHRASE);
    CHECK(read_with(pem, "open sesame") == QM_KEY_OK);
    CHECK(read_with(qm_span_of(key_rsa), "of no use") == QM_KEY_OK);
}

static void bad_keys(void)
{
    static char large[QM_KEY_TEXT_MAX + 1];

    CHECK(read_with(make_key(EVP_PKEY_RSA, 1016, NULL), "") ==
          QM_KEY_TOO_SHORT);
    CHECK(read_with(make_key(EVP_PKEY_RSA, 1023, NULL), "") ==
          QM_KEY_TOO_SHORT);
    CHECK(read_with(make_key(EVP_PKEY_EC, 0, NULL), "") == QM_KEY_WRONG_KIND);
    CHECK(read_with(make_key(EVP_PKEY_X25519, 0, NULL), "") ==
          QM_KEY_WRONG_KIND);
    CHECK(read_with(make_key(EVP_PKEY_RSA_PSS, 1024, NULL), "") ==
          QM_KEY_WRONG_KIND);
    CHECK(read_with(qm_span_of(""), "") == QM_KEY_NO_KEY);
    CHECK(read_with(qm_span_of("/etc/dkim.pem"), "") == QM_KEY_NO_KEY);
    CHECK(read_with(qm_span_make(large, sizeof(large)), "") == QM_KEY_NO_KEY);
    CHECK(read_with(qm_span_of("-----BEGIN PUBLIC KEY-----\nAAAA\n"
                               "-----END PUBLIC KEY-----\n"),
                    "") == QM_KEY_NO_KEY);
}

/* No part of a key is one. */
static void cut_keys(void)
{
    struct guard_page guard = guard_page_open(sizeof(key_rsa));
    struct qm_span pem = qm_span_of(key_rsa);
    size_t i;

    for (i = 0; i + 2 < pem.len; i++) {
        struct qm_span part = qm_span_make(pem.ptr, i);

        CHECK(read_with(guard_page_put(&guard, part), "") == QM_KEY_NO_KEY);
    }
    CHECK(read_with(guard_page_put(&guard, pem), "") == QM_KEY_OK);
    guard_page_close(&guard);
}

static void signs_nothing_without_key(void)
{
    unsigned char out[QM_KEY_SIGNATURE_MAX];
    struct qm_key key;
    size_t len;

    memset(&key, 0, sizeof(key));
    CHECK(qm_key_sign(&key, qm_span_of("x"), out, &len) == QM_E_MISUSE);
    CHECK(len == 0);
}

static void names(void)
{
    CHECK(strcmp(qm_key_fault_name(QM_KEY_OK), "ok") == 0);
    CHECK(strcmp(qm_key_fault_name(QM_KEY_NO_MEMORY), "memory") == 0);
}

int main(void)
{
    TEST(good_keys);
    TEST(passphrases);
    TEST(bad_keys);
    TEST(cut_keys);
    TEST(signs_nothing_without_key);
    TEST(names);
    return check_done();
}
