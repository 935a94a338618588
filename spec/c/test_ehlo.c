/* test_ehlo.c: capabilities, as servers really write them. */
#include "check.h"
#include "smtp/qm_ehlo.h"

static struct qm_ehlo read_ehlo(const char *text)
{
    struct qm_ehlo ehlo;
    struct qm_reply reply;
    size_t used;

    memset(&ehlo, 0xff, sizeof(ehlo)); /* nothing of before may remain */
    qm_reply_init(&reply);
    CHECK(qm_reply_feed(&reply, qm_span_of(text), &used) == QM_OK);
    qm_ehlo_read(&ehlo, &reply);
    qm_reply_deinit(&reply);
    return ehlo;
}

static void test_qq(void)
{
    struct qm_ehlo ehlo =
        read_ehlo("250-newxmesmtplogicsvrszb51-0.qq.com\r\n250-PIPELINING\r\n"
                  "250-SIZE 73400320\r\n250-AUTH LOGIN PLAIN XOAUTH XOAUTH2\r\n"
                  "250-AUTH=LOGIN\r\n250-MAILCOMPRESS\r\n250-SMTPUTF8\r\n250 "
                  "8BITMIME\r\n");

    CHECK(ehlo.flags == (QM_EHLO_PIPELINING | QM_EHLO_SIZE | QM_EHLO_AUTH |
                         QM_EHLO_SMTPUTF8 | QM_EHLO_EIGHTBITMIME));
    CHECK(ehlo.size_limit == 73400320);
    CHECK(ehlo.mechanisms ==
          (QM_SASL_BIT(QM_SASL_PLAIN) | QM_SASL_BIT(QM_SASL_LOGIN) |
           QM_SASL_BIT(QM_SASL_XOAUTH2)));
}

static void test_first_line_is_no_keyword(void)
{
    CHECK(read_ehlo("250 PIPELINING\r\n").flags == 0);
    CHECK(read_ehlo("250-STARTTLS\r\n250 SIZE\r\n").flags == QM_EHLO_SIZE);
}

static void test_whole_tokens_without_case(void)
{
    CHECK(read_ehlo("250-x\r\n250 starttls\r\n").flags == QM_EHLO_STARTTLS);
    CHECK(read_ehlo("250-x\r\n250 XSTARTTLS\r\n").flags == 0);
    CHECK(read_ehlo("250-x\r\n250 STARTTLSX\r\n").flags == 0);
    CHECK(read_ehlo("250-x\r\n250 XAUTH PLAIN\r\n").flags == 0);
    CHECK(read_ehlo("250-x\r\n250 X-AUTH=PLAIN\r\n").flags == 0);
}

static void test_size(void)
{
    CHECK(read_ehlo("250-x\r\n250 SIZE 0\r\n").size_limit == 0);
    CHECK(read_ehlo("250-x\r\n250 SIZE -1\r\n").size_limit == 0);
    CHECK(read_ehlo("250-x\r\n250 SIZE\r\n").size_limit == 0);
    CHECK(
        read_ehlo("250-x\r\n250 SIZE 99999999999999999999999\r\n").size_limit ==
        0);
    CHECK(read_ehlo("250-x\r\n250 SIZE 18446744073709551615\r\n").size_limit ==
          UINT64_MAX);
}

static void test_auth(void)
{
    CHECK(read_ehlo("250-x\r\n250 AUTH\r\n").mechanisms == 0);
    CHECK(read_ehlo("250-x\r\n250 AUTH DIGEST-MD5 NTLM\r\n").mechanisms == 0);
    CHECK(read_ehlo("250-x\r\n250 AUTH  plain \r\n").mechanisms ==
          QM_SASL_BIT(QM_SASL_PLAIN));
    CHECK(read_ehlo("250-x\r\n250 AUTH=LOGIN PLAIN\r\n").mechanisms ==
          (QM_SASL_BIT(QM_SASL_PLAIN) | QM_SASL_BIT(QM_SASL_LOGIN)));
}

static void test_keywords(void)
{
    CHECK(strcmp(qm_ehlo_keyword(0), "PIPELINING") == 0);
    CHECK(qm_ehlo_keyword(1000) == NULL);
}

int main(void)
{
    TEST(test_qq);
    TEST(test_first_line_is_no_keyword);
    TEST(test_whole_tokens_without_case);
    TEST(test_size);
    TEST(test_auth);
    TEST(test_keywords);
    return check_done();
}
