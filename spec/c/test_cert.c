/* test_cert.c: certificates and keys of people. */
#include "people.h"

#include "base/qm_mem.h"

static enum qm_err read_text(struct qm_span bytes)
{
    struct qm_cert cert;
    enum qm_err err;

    qm_cert_init(&cert);
    err = qm_cert_read(&cert, bytes, false);
    CHECK((err == QM_OK) == (cert.leaf != NULL) || err == QM_E_SYNTAX ||
          err == QM_E_LIMIT);
    qm_cert_deinit(&cert);
    return err;
}

static void forms(void)
{
    struct qm_cert cert;

    people_cert(&cert, "li.der");
    CHECK(cert.chain_len == 0 && !qm_cert_is_ec(&cert));
    qm_cert_deinit(&cert);
    people_cert(&cert, "chain.pem");
    CHECK(cert.chain_len == 1 && qm_cert_is_ec(&cert));
    CHECK(qm_cert_read(&cert, people_read("ca.pem"), true) == QM_OK);
    CHECK(cert.chain_len == 2 && !qm_cert_has_others(&cert));
    CHECK(qm_cert_read(&cert, people_read("me.crt"), true) == QM_OK);
    CHECK(qm_cert_has_others(&cert));
    qm_cert_deinit(&cert);
    people_cert(&cert, "me.pem"); /* a key behind it */
    qm_cert_deinit(&cert);
}

static void refusals(void)
{
    static char large[QM_CERT_BYTES_MAX + 1];

    CHECK(read_text(qm_span_make(NULL, 0)) == QM_E_SYNTAX);
    CHECK(read_text(qm_span_of("x")) == QM_E_SYNTAX);
    CHECK(read_text(people_read("garbage.pem")) == QM_E_SYNTAX);
    CHECK(read_text(people_read("me.key")) == QM_E_SYNTAX);
    CHECK(read_text(people_read("me.der")) == QM_E_SYNTAX);
    memset(large, 'x', sizeof(large));
    CHECK(read_text(qm_span_make(large, sizeof(large))) == QM_E_LIMIT);
}

static void long_chain(void)
{
    struct qm_cert cert;
    size_t i;

    people_cert(&cert, "me.crt");
    for (i = 0; i < QM_CERT_CHAIN_MAX; i++) {
        CHECK(qm_cert_read(&cert, people_read("ca.pem"), true) == QM_OK);
    }
    CHECK(qm_cert_read(&cert, people_read("ca.pem"), true) == QM_E_LIMIT);
    qm_cert_deinit(&cert);
}

/* Any cut, and any broken byte: an answer, and nothing read beyond the end. */
static void damage(void)
{
    struct qm_span whole = people_read("wang.crt");
    size_t i;

    for (i = 0; i < whole.len; i++) {
        char *part = malloc(i + 1);

        memcpy(part, whole.ptr, i + 1);
        (void)read_text(qm_span_make(part, i));
        part[i] = (char)(part[i] ^ 1);
        (void)read_text(qm_span_make(part, i + 1));
        free(part);
    }
    whole = people_read("li.der");
    for (i = 0; i < whole.len; i++) {
        char *part = malloc(i + 1);

        memcpy(part, whole.ptr, i);
        CHECK(read_text(qm_span_make(part, i)) == QM_E_SYNTAX);
        free(part);
    }
}

static enum qm_cert_fault check_file(const char *name, enum qm_cert_use use,
                                     int64_t now)
{
    struct qm_cert cert;
    enum qm_cert_fault fault;

    people_cert(&cert, name);
    fault = qm_cert_check(&cert, use, now);
    qm_cert_deinit(&cert);
    return fault;
}

static void uses(void)
{
    int64_t now = people_now();
    int64_t end = INT64_C(2524521600); /* 2049-12-31 */
    struct qm_cert none;

    CHECK(check_file("me.crt", QM_CERT_SIGN, now) == QM_CERT_FINE);
    CHECK(check_file("me.crt", QM_CERT_ENCRYPT, now) == QM_CERT_FINE);
    CHECK(check_file("wang.crt", QM_CERT_ENCRYPT, now) == QM_CERT_FINE);
    CHECK(check_file("nameless.crt", QM_CERT_ENCRYPT, now) == QM_CERT_FINE);
    CHECK(check_file("signonly.crt", QM_CERT_SIGN, now) == QM_CERT_FINE);
    CHECK(check_file("signonly.crt", QM_CERT_ENCRYPT, now) == QM_CERT_PURPOSE);
    CHECK(check_file("sealonly.crt", QM_CERT_SIGN, now) == QM_CERT_PURPOSE);
    CHECK(check_file("server.crt", QM_CERT_SIGN, now) == QM_CERT_PURPOSE);
    CHECK(check_file("expired.crt", QM_CERT_SIGN, now) == QM_CERT_EXPIRED);
    CHECK(check_file("early.crt", QM_CERT_SIGN, now) == QM_CERT_EARLY);
    CHECK(check_file("ed.crt", QM_CERT_SIGN, now) == QM_CERT_KIND);
    CHECK(check_file("short.crt", QM_CERT_ENCRYPT, now) == QM_CERT_WEAK);
    CHECK(check_file("me.crt", QM_CERT_SIGN, end - 1) == QM_CERT_FINE);
    CHECK(check_file("me.crt", QM_CERT_SIGN, end + 1) == QM_CERT_EXPIRED);
    CHECK(check_file("me.crt", QM_CERT_SIGN, 0) == QM_CERT_EARLY);
    qm_cert_init(&none);
    CHECK(qm_cert_check(&none, QM_CERT_SIGN, now) == QM_CERT_NONE);
}

static void names_of_faults(void)
{
    int i;

    for (i = 1; i < QM_CERT_FAULT_COUNT; i++) {
        CHECK(strlen(qm_cert_fault_name((enum qm_cert_fault)i)) > 0);
        CHECK(strlen(qm_cert_fault_text((enum qm_cert_fault)i)) > 0);
    }
}

static enum qm_cert_fault read_key(const char *name, const char *passphrase)
{
    struct qm_span given = qm_span_make(NULL, 0);
    enum qm_cert_fault fault;
    void *key;

    if (passphrase != NULL) {
        given = qm_span_of(passphrase);
    }
    fault = qm_cert_key_read(people_read(name), given, &key);
    CHECK((key != NULL) == (fault == QM_CERT_FINE));
    qm_cert_key_free(key);
    return fault;
}

static void keys(void)
{
    static char longest[5000];
    void *key;

    CHECK(read_key("me.key", NULL) == QM_CERT_FINE);
    CHECK(read_key("me.key", "not needed") == QM_CERT_FINE);
    CHECK(read_key("me.pem", NULL) == QM_CERT_FINE);
    CHECK(read_key("me.der", NULL) == QM_CERT_FINE);
    CHECK(read_key("wang.key", NULL) == QM_CERT_FINE);
    CHECK(read_key("locked.key", "correct-horse") == QM_CERT_FINE);
    CHECK(read_key("locked.key", NULL) == QM_CERT_NO_PASSPHRASE);
    CHECK(read_key("locked.key", "wrong") == QM_CERT_BAD_PASSPHRASE);
    CHECK(read_key("locked.key", "") == QM_CERT_BAD_PASSPHRASE);
    memset(longest, 'x', sizeof(longest) - 1);
    CHECK(read_key("locked.key", longest) == QM_CERT_BAD_PASSPHRASE);
    CHECK(read_key("me.crt", NULL) == QM_CERT_NO_KEY);
    CHECK(read_key("li.der", NULL) == QM_CERT_NO_KEY);
    CHECK(read_key("garbage.pem", NULL) == QM_CERT_NO_KEY);
    CHECK(qm_cert_key_read(qm_span_make(NULL, 0), qm_span_make(NULL, 0),
                           &key) == QM_CERT_NO_KEY);
}

static void pairs(void)
{
    struct qm_cert cert;
    void *own = people_key("me.key");
    void *other = people_key("li.key");

    people_cert(&cert, "me.crt");
    CHECK(qm_cert_has_key(&cert, own));
    CHECK(!qm_cert_has_key(&cert, other));
    qm_cert_key_free(own);
    qm_cert_key_free(other);
    qm_cert_deinit(&cert);
}

static void facts(void)
{
    struct qm_cert cert;
    struct qm_buf out;

    qm_buf_init(&out, 256, false);
    people_cert(&cert, "li.crt");
    CHECK(qm_cert_addresses(&cert, &out) == QM_OK);
    CHECK_BYTES(out.data + out.start, qm_buf_len(&out),
                "rcpt@example.com\nli@example.com\n");
    CHECK(qm_cert_end(&cert) == INT64_C(2524521600)); /* 2049-12-31 */
    qm_cert_deinit(&cert);
    qm_buf_deinit(&out);

    qm_buf_init(&out, 256, false);
    people_cert(&cert, "expired.crt");
    CHECK(qm_cert_end(&cert) == INT64_C(1580515200)); /* 2020-02-01 */
    qm_mem_test_fail_after(0);
    CHECK(qm_cert_addresses(&cert, &out) == QM_E_MEMORY);
    qm_mem_test_fail_after(-1);
    qm_cert_deinit(&cert);
    qm_buf_deinit(&out);

    qm_buf_init(&out, 256, false);
    people_cert(&cert, "nameless.crt");
    CHECK(qm_cert_addresses(&cert, &out) == QM_OK && qm_buf_len(&out) == 0);
    qm_cert_deinit(&cert);
    qm_buf_deinit(&out);
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    people_start();
    TEST(forms);
    TEST(refusals);
    TEST(long_chain);
    TEST(damage);
    TEST(uses);
    TEST(names_of_faults);
    TEST(keys);
    TEST(pairs);
    TEST(facts);
    people_stop();
    return check_done();
}
