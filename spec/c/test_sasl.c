/* test_sasl.c: mechanisms, their messages and the choice among them. */
#include "check.h"
#include "smtp/qm_sasl.h"

#include "base/qm_mem.h"

enum { ALL = ~0 };

static struct qm_sasl_login make_login(const char *user, const char *password,
                                       const char *token)
{
    struct qm_sasl_login login;

    memset(&login, 0, sizeof(login));
    login.user = qm_span_of(user);
    login.password = qm_span_of(password);
    login.token = qm_span_of(token);
    return login;
}

static void check_response(enum qm_sasl_mechanism mechanism, unsigned step,
                           const struct qm_sasl_login *login,
                           const char *expected)
{
    struct qm_buf out;
    bool has_response = false;

    qm_buf_init(&out, 12288, true);
    CHECK(qm_sasl_respond(mechanism, step, login, &out, &has_response) ==
          QM_OK);
    CHECK(has_response);
    CHECK(qm_span_equal(qm_buf_span(&out), qm_span_of(expected)));
    qm_buf_deinit(&out);
}

static void check_no_step(enum qm_sasl_mechanism mechanism, unsigned step)
{
    struct qm_sasl_login login = make_login("u", "p", "");
    struct qm_buf out;
    bool has_response;

    qm_buf_init(&out, 12288, true);
    CHECK(qm_sasl_respond(mechanism, step, &login, &out, &has_response) ==
          QM_E_SYNTAX);
    CHECK(qm_buf_len(&out) == 0);
    qm_buf_deinit(&out);
}

static void test_plain(void)
{
    /* RFC 4616 section 4 */
    struct qm_sasl_login login = make_login("tim", "tanstaaftanstaaf", "");

    check_response(QM_SASL_PLAIN, 0, &login, "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
    check_no_step(QM_SASL_PLAIN, 1);
}

static void test_login(void)
{
    struct qm_sasl_login login = make_login("u", "p", "");
    struct qm_buf out;
    bool has_response = true;

    qm_buf_init(&out, 12288, true);
    CHECK(qm_sasl_respond(QM_SASL_LOGIN, 0, &login, &out, &has_response) ==
          QM_OK);
    CHECK(!has_response);
    qm_buf_deinit(&out);
    check_response(QM_SASL_LOGIN, 1, &login, "dQ==");
    check_response(QM_SASL_LOGIN, 2, &login, "cA==");
    check_no_step(QM_SASL_LOGIN, 3);
}

static void test_xoauth2(void)
{
    struct qm_sasl_login login = make_login("a", "", "T");

    check_response(QM_SASL_XOAUTH2, 0, &login,
                   "dXNlcj1hAWF1dGg9QmVhcmVyIFQBAQ==");
    check_response(QM_SASL_XOAUTH2, 1, &login, "");
    check_no_step(QM_SASL_XOAUTH2, 2);
}

static void test_utf8_credentials(void)
{
    struct qm_sasl_login login = make_login("用户", "密码", "");

    check_response(QM_SASL_PLAIN, 0, &login, "AOeUqOaItwDlr4bnoIE=");
}

static unsigned bits(enum qm_sasl_mechanism one, enum qm_sasl_mechanism two)
{
    return QM_SASL_BIT(one) | QM_SASL_BIT(two);
}

static void test_choice(void)
{
    struct qm_sasl_login password = make_login("u", "p", "");
    struct qm_sasl_login token = make_login("u", "", "t");
    struct qm_sasl_login certificate = make_login("", "", "");
    unsigned login_bit = QM_SASL_BIT(QM_SASL_LOGIN);
    unsigned plain_bit = QM_SASL_BIT(QM_SASL_PLAIN);
    unsigned both = login_bit | plain_bit;
    unsigned all = (unsigned)ALL;

    certificate.certificate = true;
    CHECK(qm_sasl_choose(all, both, &password, true) == QM_SASL_PLAIN);
    CHECK(qm_sasl_choose(all, all, &token, true) == QM_SASL_XOAUTH2);
    CHECK(qm_sasl_choose(all, all, &certificate, true) == QM_SASL_EXTERNAL);
    CHECK(qm_sasl_choose(both, all, &certificate, true) == QM_SASL_NONE);
    CHECK(qm_sasl_choose(login_bit, all, &password, true) == QM_SASL_LOGIN);
    CHECK(qm_sasl_choose(all, login_bit, &password, true) == QM_SASL_LOGIN);
    CHECK(qm_sasl_choose(login_bit, plain_bit, &password, true) ==
          QM_SASL_NONE);
    CHECK(qm_sasl_choose(plain_bit, all, &token, true) == QM_SASL_NONE);
    CHECK(qm_sasl_choose(0, all, &password, true) == QM_SASL_NONE);
}

static void test_strength(void)
{
    static const enum qm_sasl_mechanism falling[] = {
        QM_SASL_SCRAM_SHA_256_PLUS,
        QM_SASL_SCRAM_SHA_1_PLUS,
        QM_SASL_SCRAM_SHA_256,
        QM_SASL_SCRAM_SHA_1,
        QM_SASL_PLAIN,
        QM_SASL_LOGIN,
        QM_SASL_CRAM_MD5
    };
    struct qm_sasl_login login = make_login("u", "p", "");
    unsigned cram = bits(QM_SASL_CRAM_MD5, QM_SASL_PLAIN);
    unsigned left = (unsigned)ALL;
    size_t i;

    for (i = 0; i < QM_COUNTOF(falling); i++) {
        CHECK(qm_sasl_choose(left, left, &login, true) == falling[i]);
        left &= ~QM_SASL_BIT(falling[i]);
    }
    CHECK(qm_sasl_choose(cram, cram, &login, true) == QM_SASL_PLAIN);
    CHECK(qm_sasl_choose(cram, cram, &login, false) == QM_SASL_CRAM_MD5);
    CHECK(qm_sasl_choose(QM_SASL_BIT(QM_SASL_PLAIN), cram, &login, false) ==
          QM_SASL_PLAIN);
}

static void test_makers(void)
{
    CHECK(qm_sasl_maker(QM_SASL_PLAIN) == QM_SASL_HERE);
    CHECK(qm_sasl_maker(QM_SASL_CRAM_MD5) == QM_SASL_OUTSIDE);
    CHECK(qm_sasl_maker(QM_SASL_SCRAM_SHA_1_PLUS) == QM_SASL_BOUND);
    CHECK(qm_sasl_made_by(QM_SASL_BOUND) ==
          bits(QM_SASL_SCRAM_SHA_256_PLUS, QM_SASL_SCRAM_SHA_1_PLUS));
    check_no_step(QM_SASL_SCRAM_SHA_256, 0);
    check_no_step(QM_SASL_CRAM_MD5, 1);
}

static void test_oauthbearer(void)
{
    struct qm_sasl_login login = make_login("user@example.com", "",
                                            "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEu"
                                            "Y29tCg==");
    struct qm_sasl_login odd = make_login("a,b=c", "", "T");

    login.host = qm_span_of("server.example.com");
    login.port = 587;
    /* RFC 7628 section 4.1, with the port of submission */
    check_response(QM_SASL_OAUTHBEARER, 0, &login,
                   "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29"
                   "tAXBvcnQ9NTg3AWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQm"
                   "hiSFJoZG1semRHRXVZMjl0Q2c9PQEB");
    /* n,a=a=2Cb=3Dc,^Aauth=Bearer T^A^A */
    check_response(QM_SASL_OAUTHBEARER, 0, &odd,
                   "bixhPWE9MkNiPTNEYywBYXV0aD1CZWFyZXIgVAEB");
    check_response(QM_SASL_OAUTHBEARER, 1, &login, "AQ==");
    check_no_step(QM_SASL_OAUTHBEARER, 2);
}

static void test_external(void)
{
    struct qm_sasl_login login = make_login("tim", "", "");
    struct qm_sasl_login nobody = make_login("", "", "");

    check_response(QM_SASL_EXTERNAL, 0, &login, "dGlt");
    check_response(QM_SASL_EXTERNAL, 0, &nobody, "");
    check_no_step(QM_SASL_EXTERNAL, 1);
}

static void test_names(void)
{
    CHECK(qm_sasl_bit_of(qm_span_of("plain")) == QM_SASL_BIT(QM_SASL_PLAIN));
    CHECK(qm_sasl_bit_of(qm_span_of("PLAINX")) == 0);
    CHECK(qm_sasl_bit_of(qm_span_of("")) == 0);
    CHECK(strcmp(qm_sasl_name(QM_SASL_LOGIN), "LOGIN") == 0);
    CHECK(strcmp(qm_sasl_name(QM_SASL_NONE), "none") == 0);
}

static void test_too_long(void)
{
    static char long_token[QM_SASL_SECRET_MAX + 1];
    struct qm_sasl_login login = make_login("u", "", "");
    struct qm_buf out;
    bool has_response;

    memset(long_token, 't', sizeof(long_token));
    login.token = qm_span_make(long_token, sizeof(long_token));
    qm_buf_init(&out, 65536, true);
    CHECK(qm_sasl_respond(QM_SASL_XOAUTH2, 0, &login, &out, &has_response) ==
          QM_E_LIMIT);
    qm_buf_deinit(&out);
}

static void test_memory(void)
{
    struct qm_sasl_login login = make_login("user", "password", "");
    long n;

    for (n = 0; n < 6; n++) {
        struct qm_buf out;
        bool has_response;
        enum qm_err err;

        qm_buf_init(&out, 12288, true);
        qm_mem_test_fail_after(n);
        err = qm_sasl_respond(QM_SASL_PLAIN, 0, &login, &out, &has_response);
        qm_mem_test_fail_after(-1);
        CHECK(err == (n < 2 ? QM_E_MEMORY : QM_OK));
        qm_buf_deinit(&out);
    }
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    TEST(test_plain);
    TEST(test_login);
    TEST(test_xoauth2);
    TEST(test_utf8_credentials);
    TEST(test_oauthbearer);
    TEST(test_external);
    TEST(test_choice);
    TEST(test_strength);
    TEST(test_makers);
    TEST(test_names);
    TEST(test_too_long);
    TEST(test_memory);
    return check_done();
}
