/* test_cms.c: signatures and envelopes, judged by OpenSSL's other half. */
#include "people.h"

#include "base/qm_mem.h"
#include "crypto/qm_cms.h"

#include <openssl/cms.h>
#include <openssl/err.h>

static const char entity[] = "Content-Type: text/plain\r\n\r\nPay 100 to Li.";

static struct qm_span entity_span(void)
{
    return qm_span_make(entity, sizeof(entity) - 1);
}

static CMS_ContentInfo *parse(const struct qm_buf *der)
{
    struct qm_span bytes = qm_buf_span(der);
    const unsigned char *at = (const unsigned char *)bytes.ptr;
    CMS_ContentInfo *info = d2i_CMS_ContentInfo(NULL, &at, (long)bytes.len);

    CHECK(info != NULL);
    CHECK(at == (const unsigned char *)bytes.ptr + bytes.len);
    return info;
}

static void feed(struct qm_cms *cms, size_t step)
{
    struct qm_span rest = entity_span();

    while (rest.len > 0) {
        size_t len = rest.len < step ? rest.len : step;

        CHECK(qm_cms_update(cms, qm_span_make(rest.ptr, len)) == QM_OK);
        rest = qm_span_from(rest, len);
    }
}

static void begin_signature(struct qm_cms *cms, const char *cert_name,
                            const char *key_name, bool detached)
{
    struct qm_cert cert;
    void *key = people_key(key_name);

    people_cert(&cert, cert_name);
    CHECK(qm_cms_sign(cms, &cert, key, detached) == QM_OK);
    qm_cert_key_free(key);
    qm_cert_deinit(&cert);
}

static X509_STORE *trusted(void)
{
    X509_STORE *store = X509_STORE_new();
    struct qm_cert ca;

    people_cert(&ca, "ca.pem");
    CHECK(X509_STORE_add_cert(store, ca.leaf) == 1);
    qm_cert_deinit(&ca);
    return store;
}

/* Is the signature one over `text`? NULL: over what it holds itself. */
static bool verifies(const struct qm_buf *der, const char *text)
{
    CMS_ContentInfo *info = parse(der);
    X509_STORE *store = trusted();
    BIO *content = text != NULL ? BIO_new_mem_buf(text, -1) : NULL;
    BIO *out = BIO_new(BIO_s_mem());
    bool worked = CMS_verify(info, NULL, store, content, out, CMS_BINARY) == 1;

    if (worked && text == NULL) {
        char *held;
        long len = BIO_get_mem_data(out, &held);

        worked = qm_span_equal(qm_span_make(held, (size_t)len), entity_span());
    }
    ERR_clear_error();
    BIO_free(content);
    BIO_free(out);
    X509_STORE_free(store);
    CMS_ContentInfo_free(info);
    return worked;
}

static void sign_and_verify(const char *cert, const char *key, bool detached,
                            size_t step)
{
    struct qm_cms cms;
    struct qm_buf out;

    qm_cms_init(&cms);
    qm_buf_init(&out, QM_CMS_ROOM_MAX, false);
    begin_signature(&cms, cert, key, detached);
    feed(&cms, step);
    CHECK(qm_cms_finish(&cms, &out) == QM_OK);
    CHECK(verifies(&out, detached ? entity : NULL));
    if (detached) {
        CHECK(!verifies(&out, "Content-Type: text/plain\r\n\r\nPay 900"));
        CHECK(!verifies(&out, ""));
    }
    qm_cms_deinit(&cms);
    qm_buf_deinit(&out);
}

static void signatures(void)
{
    size_t step;

    for (step = 1; step <= sizeof(entity); step += 7) {
        sign_and_verify("me-ec.crt", "me-ec.key", true, step);
        sign_and_verify("me-ec.crt", "me-ec.key", false, step);
    }
    sign_and_verify("me.crt", "me.key", true, 16);
    sign_and_verify("me.crt", "me.key", false, 16);
    sign_and_verify("chain.pem", "chained.key", true, 16);
}

static bool decrypts(const struct qm_buf *der, const char *name)
{
    CMS_ContentInfo *info = parse(der);
    BIO *out = BIO_new(BIO_s_mem());
    struct qm_cert cert;
    char file[64];
    void *key;
    char *plain;
    bool worked;
    long len;

    (void)snprintf(file, sizeof(file), "%s.crt", name);
    people_cert(&cert, file);
    (void)snprintf(file, sizeof(file), "%s.key", name);
    key = people_key(file);
    worked = CMS_decrypt(info, key, cert.leaf, NULL, out, CMS_BINARY) == 1;
    len = BIO_get_mem_data(out, &plain);
    worked = worked &&
             qm_span_equal(qm_span_make(plain, (size_t)len), entity_span());
    ERR_clear_error();
    BIO_free(out);
    CMS_ContentInfo_free(info);
    qm_cert_key_free(key);
    qm_cert_deinit(&cert);
    return worked;
}

static void begin_envelope(struct qm_cms *cms)
{
    struct qm_cert certs[2];

    people_cert(&certs[0], "li.crt");
    people_cert(&certs[1], "wang.crt");
    CHECK(qm_cms_encrypt(cms, certs, 2) == QM_OK);
    qm_cert_deinit(&certs[0]);
    qm_cert_deinit(&certs[1]);
}

static void envelopes(void)
{
    struct qm_cms cms;
    struct qm_buf out;
    size_t step;

    qm_cms_init(&cms);
    for (step = 1; step <= sizeof(entity); step += 7) {
        qm_buf_init(&out, QM_CMS_ROOM_MAX, false);
        begin_envelope(&cms);
        feed(&cms, step);
        CHECK(qm_cms_finish(&cms, &out) == QM_OK);
        CHECK(decrypts(&out, "li"));
        CHECK(decrypts(&out, "wang"));
        CHECK(!decrypts(&out, "me"));
        qm_buf_deinit(&out);
    }
    qm_cms_deinit(&cms);
}

static void misuse(void)
{
    struct qm_cert cert;
    void *other = people_key("li.key");
    struct qm_cms cms;
    struct qm_buf out;

    qm_buf_init(&out, 64, false);
    qm_cms_init(&cms);
    people_cert(&cert, "me.crt");
    CHECK(qm_cms_update(&cms, entity_span()) == QM_E_MISUSE);
    CHECK(qm_cms_finish(&cms, &out) == QM_E_MISUSE);
    CHECK(qm_cms_encrypt(&cms, &cert, 0) == QM_E_UNSUPPORTED);
    CHECK(qm_cms_sign(&cms, &cert, other, true) == QM_E_UNSUPPORTED);
    CHECK(qm_cms_update(&cms, entity_span()) == QM_E_MISUSE);
    qm_cert_key_free(other);
    qm_cert_deinit(&cert);
    qm_cms_deinit(&cms);
    qm_buf_deinit(&out);
}

/* An empty entity is one, too; a maker that was left is begun anew. */
static void empty_and_again(void)
{
    struct qm_cms cms;
    struct qm_buf out;

    qm_cms_init(&cms);
    qm_buf_init(&out, QM_CMS_ROOM_MAX, false);
    begin_envelope(&cms);
    feed(&cms, 5);
    begin_signature(&cms, "me.crt", "me.key", true);
    CHECK(qm_cms_finish(&cms, &out) == QM_OK);
    CHECK(verifies(&out, ""));
    CHECK(qm_cms_finish(&cms, &out) == QM_E_MISUSE);
    qm_cms_deinit(&cms);
    qm_buf_deinit(&out);
}

static void too_much(void)
{
    static char piece[1024 * 1024];
    size_t count = QM_CMS_HELD_MAX / sizeof(piece);
    struct qm_cms cms;
    struct qm_buf out;
    size_t i;

    qm_cms_init(&cms);
    begin_envelope(&cms);
    for (i = 0; i < count; i++) {
        CHECK(qm_cms_update(&cms, qm_span_make(piece, sizeof(piece))) == QM_OK);
    }
    CHECK(qm_cms_update(&cms, qm_span_make(piece, 1)) == QM_E_LIMIT);
    CHECK(qm_cms_update(&cms, qm_span_make(piece, 1)) == QM_E_MISUSE);

    qm_buf_init(&out, QM_CMS_ROOM_MAX, false);
    begin_signature(&cms, "me-ec.crt", "me-ec.key", true); /* holds nothing */
    for (i = 0; i <= count; i++) {
        CHECK(qm_cms_update(&cms, qm_span_make(piece, sizeof(piece))) == QM_OK);
    }
    CHECK(qm_cms_finish(&cms, &out) == QM_OK);
    CHECK(qm_buf_len(&out) < 8192);
    qm_cms_deinit(&cms);
    qm_buf_deinit(&out);
}

/* Ours is the room for the result alone. */
static void memory(void)
{
    struct qm_cms cms;
    struct qm_buf out;

    qm_cms_init(&cms);
    qm_buf_init(&out, QM_CMS_ROOM_MAX, false);
    begin_envelope(&cms);
    feed(&cms, 5);
    qm_mem_test_fail_after(0);
    CHECK(qm_cms_finish(&cms, &out) == QM_E_MEMORY);
    qm_mem_test_fail_after(-1);
    qm_buf_deinit(&out);
    qm_buf_init(&out, 16, false);
    begin_envelope(&cms);
    CHECK(qm_cms_finish(&cms, &out) == QM_E_LIMIT);
    qm_buf_deinit(&out);
    qm_cms_deinit(&cms);
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    people_start();
    TEST(signatures);
    TEST(envelopes);
    TEST(misuse);
    TEST(empty_and_again);
    TEST(too_much);
    TEST(memory);
    people_stop();
    return check_done();
}
