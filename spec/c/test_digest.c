/* test_digest.c: values printed in standards. */
#include "check.h"
#include "crypto/qm_digest.h"

static void check_value(enum qm_digest digest, const unsigned char *value,
                        const char *hex)
{
    char got[2 * QM_DIGEST_SIZE_MAX + 1];
    size_t i;

    for (i = 0; i < qm_digest_size(digest); i++) {
        (void)snprintf(got + 2 * i, 3, "%02x", value[i]);
    }
    CHECK(strcmp(got, hex) == 0);
}

static void test_digests(void)
{
    unsigned char value[QM_DIGEST_SIZE_MAX];

    /* RFC 1321 A.5, RFC 3174 7.3, FIPS 180-4 */
    CHECK(qm_digest_of(QM_DIGEST_MD5, qm_span_of("abc"), value) == QM_OK);
    check_value(QM_DIGEST_MD5, value, "900150983cd24fb0d6963f7d28e17f72");
    CHECK(qm_digest_of(QM_DIGEST_SHA1, qm_span_of("abc"), value) == QM_OK);
    check_value(QM_DIGEST_SHA1, value,
                "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(qm_digest_of(QM_DIGEST_SHA256, qm_span_make(NULL, 0), value) ==
          QM_OK);
    check_value(
        QM_DIGEST_SHA256, value,
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(qm_digest_size(QM_DIGEST_SHA512) == 64);
}

static void test_hmac(void)
{
    unsigned char value[QM_DIGEST_SIZE_MAX];

    /* RFC 2202 section 2 case 2, RFC 4231 section 4.3 */
    CHECK(qm_digest_hmac(QM_DIGEST_MD5, qm_span_of("Jefe"),
                         qm_span_of("what do ya want for nothing?"),
                         value) == QM_OK);
    check_value(QM_DIGEST_MD5, value, "750c783e6ab0b503eaa86e310a5db738");
    CHECK(qm_digest_hmac(QM_DIGEST_SHA256, qm_span_of("Jefe"),
                         qm_span_of("what do ya want for nothing?"),
                         value) == QM_OK);
    check_value(
        QM_DIGEST_SHA256, value,
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(qm_digest_hmac(QM_DIGEST_SHA1, qm_span_make(NULL, 0),
                         qm_span_make(NULL, 0), value) == QM_OK);
    check_value(QM_DIGEST_SHA1, value,
                "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

static void test_pbkdf2(void)
{
    unsigned char value[QM_DIGEST_SIZE_MAX];
    uint32_t too_many = (uint32_t)INT32_MAX + 1;

    /* RFC 6070 section 2 */
    CHECK(qm_digest_pbkdf2(QM_DIGEST_SHA1, qm_span_of("password"),
                           qm_span_of("salt"), 4096, value) == QM_OK);
    check_value(QM_DIGEST_SHA1, value,
                "4b007901b765489abead49d926f721d065a429c1");
    CHECK(qm_digest_pbkdf2(QM_DIGEST_SHA1, qm_span_of("password"),
                           qm_span_of("salt"), too_many,
                           value) == QM_E_TOO_LONG);
}

static void test_equal(void)
{
    const unsigned char a[4] = { 1, 2, 3, 4 };
    const unsigned char b[4] = { 1, 2, 3, 5 };

    CHECK(qm_digest_equal(a, a, 4));
    CHECK(!qm_digest_equal(a, b, 4));
    CHECK(qm_digest_equal(a, b, 3));
}

int main(void)
{
    TEST(test_digests);
    TEST(test_hmac);
    TEST(test_pbkdf2);
    TEST(test_equal);
    return check_done();
}
