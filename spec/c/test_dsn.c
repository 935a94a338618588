/* test_dsn.c: parameters of delivery reports, encoded and refused. */
#include "check.h"
#include "smtp/qm_dsn.h"

static struct qm_buf out;

static void check_mail(enum qm_dsn_ret ret, struct qm_span envid,
                       enum qm_err err, const char *text)
{
    struct qm_dsn_mail dsn;

    dsn.ret = ret;
    dsn.envid = envid;
    qm_buf_init(&out, 4096, false);
    (void)qm_buf_append_text(&out, "x");
    CHECK(qm_dsn_append_mail(&out, &dsn) == err);
    CHECK(qm_span_equal(qm_span_from(qm_buf_span(&out), 1), qm_span_of(text)));
    qm_buf_deinit(&out);
}

static void check_rcpt(unsigned notify, const char *orcpt, bool utf8,
                       enum qm_err err, const char *text)
{
    struct qm_dsn_rcpt dsn;

    dsn.notify = notify;
    dsn.orcpt = qm_span_of(orcpt);
    qm_buf_init(&out, 4096, false);
    (void)qm_buf_append_text(&out, "x");
    CHECK(qm_dsn_append_rcpt(&out, &dsn, utf8) == err);
    CHECK(qm_span_equal(qm_span_from(qm_buf_span(&out), 1), qm_span_of(text)));
    qm_buf_deinit(&out);
}

static void test_read_notify(void)
{
    unsigned notify = 99;

    CHECK(qm_dsn_read_notify(qm_span_of("never"), &notify) == QM_OK);
    CHECK(notify == QM_DSN_NEVER);
    CHECK(qm_dsn_read_notify(qm_span_of("delay,success"), &notify) == QM_OK);
    CHECK(notify == (QM_DSN_DELAY | QM_DSN_SUCCESS));
    CHECK(qm_dsn_read_notify(qm_span_of(""), &notify) == QM_E_SYNTAX);
    CHECK(qm_dsn_read_notify(qm_span_of("never,delay"), &notify) ==
          QM_E_SYNTAX);
    CHECK(qm_dsn_read_notify(qm_span_of("success,"), &notify) == QM_E_SYNTAX);
    CHECK(qm_dsn_read_notify(qm_span_of("SUCCESS"), &notify) == QM_E_SYNTAX);
    CHECK(qm_dsn_read_notify(qm_span_of("failure delay"), &notify) ==
          QM_E_SYNTAX);
}

static void test_read_ret(void)
{
    enum qm_dsn_ret ret = QM_DSN_RET_FULL;

    CHECK(qm_dsn_read_ret(qm_span_of(""), &ret) == QM_OK);
    CHECK(ret == QM_DSN_RET_ANY);
    CHECK(qm_dsn_read_ret(qm_span_of("headers"), &ret) == QM_OK);
    CHECK(ret == QM_DSN_RET_HEADERS);
    CHECK(qm_dsn_read_ret(qm_span_of("full"), &ret) == QM_OK);
    CHECK(ret == QM_DSN_RET_FULL);
    CHECK(qm_dsn_read_ret(qm_span_of("HDRS"), &ret) == QM_E_SYNTAX);
}

static void test_mail(void)
{
    struct qm_span none = qm_span_make(NULL, 0);

    check_mail(QM_DSN_RET_ANY, none, QM_OK, "");
    check_mail(QM_DSN_RET_FULL, none, QM_OK, " RET=FULL");
    check_mail(QM_DSN_RET_HEADERS, qm_span_of("a+b=c d"), QM_OK,
               " RET=HDRS ENVID=a+2Bb+3Dc+20d");
    check_mail(QM_DSN_RET_FULL, qm_span_of("编号"), QM_E_NONASCII, "");
}

static void test_envid_length(void)
{
    char text[101];

    memset(text, 'a', sizeof(text));
    check_mail(QM_DSN_RET_ANY, qm_span_make(text, 101), QM_E_TOO_LONG, "");
    memset(text, '+', sizeof(text));
    check_mail(QM_DSN_RET_ANY, qm_span_make(text, 34), QM_E_TOO_LONG, "");
}

/* The examples of RFC 6533 and the escapes of RFC 3461. */
static void test_rcpt(void)
{
    check_rcpt(0, "", false, QM_OK, "");
    check_rcpt(QM_DSN_NEVER, "", false, QM_OK, " NOTIFY=NEVER");
    check_rcpt(QM_DSN_SUCCESS | QM_DSN_FAILURE | QM_DSN_DELAY, "", false, QM_OK,
               " NOTIFY=SUCCESS,FAILURE,DELAY");
    check_rcpt(QM_DSN_NEVER | QM_DSN_DELAY, "a@b", false, QM_E_SYNTAX, "");
    check_rcpt(0, "a+b@c", false, QM_OK, " ORCPT=rfc822;a+2Bb@c");
    check_rcpt(0, "\"a b\"@c", true, QM_OK, " ORCPT=rfc822;\"a+20b\"@c");
    check_rcpt(0, "用户@b", true, QM_OK, " ORCPT=utf-8;用户@b");
    check_rcpt(0, "用户@b", false, QM_OK, " ORCPT=utf-8;\\x{7528}\\x{6237}@b");
    check_rcpt(0, "é+\\ 😀@b", false, QM_OK,
               " ORCPT=utf-8;\\x{E9}\\x{2B}\\x{5C}\\x{20}\\x{1F600}@b");
    check_rcpt(0, "\xff@b", true, QM_E_UTF8, "");
}

static void test_orcpt_length(void)
{
    char text[502];

    memset(text, 'a', sizeof(text));
    text[501] = '\0';
    check_rcpt(QM_DSN_NEVER, text, false, QM_E_TOO_LONG, "");
}

/* Nothing that ends a parameter or a line gets through as it is. */
static void test_each_byte(void)
{
    int byte;

    for (byte = 1; byte < 128; byte++) {
        char text[] = "a?b";
        bool control = byte < 0x20 || byte == 0x7f;
        struct qm_dsn_mail dsn = { QM_DSN_RET_ANY, { text, 3 } };
        struct qm_span value;

        text[1] = (char)byte;
        qm_buf_init(&out, 4096, false);
        CHECK(qm_dsn_append_mail(&out, &dsn) ==
              (control ? QM_E_CONTROL : QM_OK));
        value = qm_span_from(qm_buf_span(&out), control ? 0 : 7);
        CHECK(control == (value.len == 0));
        CHECK(memchr(value.ptr == NULL ? "" : value.ptr, ' ', value.len) ==
              NULL);
        CHECK(value.len == 0 || value.len == 3 || value.ptr[1] == '+');
        qm_buf_deinit(&out);
    }
}

static void test_nul(void)
{
    check_mail(QM_DSN_RET_ANY, qm_span_make("a\0b", 3), QM_E_CONTROL, "");
}

int main(void)
{
    TEST(test_read_notify);
    TEST(test_read_ret);
    TEST(test_mail);
    TEST(test_envid_length);
    TEST(test_rcpt);
    TEST(test_orcpt_length);
    TEST(test_each_byte);
    TEST(test_nul);
    return check_done();
}
