/* test_cmd.c: command lines, what may not get in, what the trace shows. */
#include "check.h"
#include "smtp/qm_cmd.h"

static struct qm_buf out;
static struct qm_trace trace;
static const struct qm_cmd cmd = { &out, &trace };

static void begin(void)
{
    qm_buf_init(&out, 65536, false);
    qm_trace_init(&trace);
}

static void check_line(const char *line, const char *traced)
{
    const struct qm_trace_line *last = qm_trace_get(&trace, trace.count - 1);

    CHECK(qm_span_equal(qm_buf_span(&out), qm_span_of(line)));
    CHECK(last != NULL && last->direction == 'C');
    CHECK(last != NULL && qm_span_equal(qm_span_make(last->text, last->len),
                                        qm_span_of(traced)));
    qm_buf_deinit(&out);
}

static enum qm_err write_rcpt(struct qm_span path, bool utf8)
{
    struct qm_cmd_rcpt rcpt;

    memset(&rcpt, 0, sizeof(rcpt));
    rcpt.path = path;
    rcpt.utf8 = utf8;
    return qm_cmd_rcpt(&cmd, &rcpt);
}

static void check_nothing(void)
{
    CHECK(qm_buf_len(&out) == 0);
    CHECK(trace.count == 0);
    qm_buf_deinit(&out);
}

static void test_plain(void)
{
    begin();
    CHECK(qm_cmd_plain(&cmd, "DATA") == QM_OK);
    check_line("DATA\r\n", "DATA");
}

static void test_hello(void)
{
    begin();
    CHECK(qm_cmd_hello(&cmd, "EHLO", qm_span_of("[127.0.0.1]")) == QM_OK);
    check_line("EHLO [127.0.0.1]\r\n", "EHLO [127.0.0.1]");
}

static void test_mail(void)
{
    struct qm_cmd_mail mail;

    memset(&mail, 0, sizeof(mail));
    begin();
    CHECK(qm_cmd_mail(&cmd, &mail) == QM_OK);
    check_line("MAIL FROM:<>\r\n", "MAIL FROM:<>");

    mail.path = qm_span_of("a@b");
    mail.has_size = true;
    mail.size = UINT64_MAX;
    mail.eightbit = true;
    mail.utf8 = true;
    begin();
    CHECK(qm_cmd_mail(&cmd, &mail) == QM_OK);
    check_line(
        "MAIL FROM:<a@b> SIZE=18446744073709551615 BODY=8BITMIME SMTPUTF8\r\n",
        "MAIL FROM:<a@b> SIZE=18446744073709551615 BODY=8BITMIME SMTPUTF8");
}

static void test_mail_extensions(void)
{
    struct qm_cmd_mail mail;

    memset(&mail, 0, sizeof(mail));
    mail.path = qm_span_of("a@b");
    mail.require_tls = true;
    mail.dsn.ret = QM_DSN_RET_HEADERS;
    mail.dsn.envid = qm_span_of("no 1");
    begin();
    CHECK(qm_cmd_mail(&cmd, &mail) == QM_OK);
    check_line("MAIL FROM:<a@b> REQUIRETLS RET=HDRS ENVID=no+201\r\n",
               "MAIL FROM:<a@b> REQUIRETLS RET=HDRS ENVID=no+201");
    mail.dsn.envid = qm_span_of("a\r\nRCPT TO:<x@y>");
    begin();
    CHECK(qm_cmd_mail(&cmd, &mail) == QM_E_CONTROL);
    check_nothing();
}

static void test_rcpt_extensions(void)
{
    struct qm_cmd_rcpt rcpt;

    memset(&rcpt, 0, sizeof(rcpt));
    rcpt.path = qm_span_of("a@b");
    rcpt.dsn.notify = QM_DSN_SUCCESS | QM_DSN_DELAY;
    rcpt.dsn.orcpt = qm_span_of("c d@e");
    begin();
    CHECK(qm_cmd_rcpt(&cmd, &rcpt) == QM_OK);
    check_line("RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c+20d@e\r\n",
               "RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c+20d@e");
    rcpt.dsn.orcpt = qm_span_of("a@b\nDATA");
    begin();
    CHECK(qm_cmd_rcpt(&cmd, &rcpt) == QM_E_CONTROL);
    check_nothing();
}

static void test_bdat(void)
{
    begin();
    CHECK(qm_cmd_bdat(&cmd, 0) == QM_OK);
    check_line("BDAT 0 LAST\r\n", "BDAT 0 LAST");
    begin();
    CHECK(qm_cmd_bdat(&cmd, UINT64_MAX) == QM_OK);
    check_line("BDAT 18446744073709551615 LAST\r\n",
               "BDAT 18446744073709551615 LAST");
}

static void test_auth_is_masked(void)
{
    begin();
    CHECK(qm_cmd_auth(&cmd, "PLAIN", true, qm_span_of("AHUAcA==")) == QM_OK);
    check_line("AUTH PLAIN AHUAcA==\r\n", "AUTH PLAIN ******");
    begin();
    CHECK(qm_cmd_auth(&cmd, "LOGIN", false, qm_span_of("")) == QM_OK);
    check_line("AUTH LOGIN\r\n", "AUTH LOGIN");
    begin();
    CHECK(qm_cmd_auth(&cmd, "EXTERNAL", true, qm_span_of("")) == QM_OK);
    check_line("AUTH EXTERNAL =\r\n", "AUTH EXTERNAL ******");
    begin();
    CHECK(qm_cmd_auth_response(&cmd, qm_span_of("cA==")) == QM_OK);
    check_line("cA==\r\n", "******");
}

/* Every byte below 32, DEL and, without SMTPUTF8, every byte above 127. */
static void test_no_control_byte_leaves(void)
{
    int byte;

    for (byte = 0; byte < 256; byte++) {
        char path[] = "a?b@c";
        struct qm_span span = qm_span_make(path, 5);
        bool control = byte < 0x20 || byte == 0x7f;

        path[1] = (char)byte;
        begin();
        if (control || byte >= 0x80) {
            CHECK(write_rcpt(span, false) ==
                  (control ? QM_E_CONTROL : QM_E_NONASCII));
            CHECK(qm_cmd_hello(&cmd, "EHLO", span) != QM_OK);
            check_nothing();
        } else {
            CHECK(write_rcpt(span, false) == QM_OK);
            qm_buf_deinit(&out);
        }
        begin();
        CHECK((write_rcpt(span, true) == QM_OK) == !control);
        qm_buf_deinit(&out);
    }
}

static void test_refused_names(void)
{
    begin();
    CHECK(qm_cmd_hello(&cmd, "EHLO", qm_span_of("")) == QM_E_SYNTAX);
    CHECK(qm_cmd_hello(&cmd, "EHLO", qm_span_of("a b")) == QM_E_SYNTAX);
    CHECK(qm_cmd_hello(&cmd, "EHLO", qm_span_of("a\tb")) == QM_E_SYNTAX);
    check_nothing();
}

static void test_long_lines(void)
{
    static char path[QM_CMD_AUTH_LINE_MAX];

    memset(path, 'a', sizeof(path));
    begin();
    CHECK(write_rcpt(qm_span_make(path, QM_CMD_LINE_MAX), false) ==
          QM_E_TOO_LONG);
    CHECK(qm_cmd_auth(&cmd, "PLAIN", true, qm_span_make(path, sizeof(path))) ==
          QM_E_TOO_LONG);
    check_nothing();
}

/* A line that was refused leaves what stood before it untouched. */
static void test_refusal_keeps_the_rest(void)
{
    begin();
    CHECK(qm_cmd_plain(&cmd, "DATA") == QM_OK);
    CHECK(write_rcpt(qm_span_of("a\r\nb@c"), false) == QM_E_CONTROL);
    check_line("DATA\r\n", "DATA");
}

static void test_no_room(void)
{
    qm_buf_init(&out, 4, false);
    qm_trace_init(&trace);
    CHECK(qm_cmd_plain(&cmd, "DATA") == QM_E_LIMIT);
    CHECK(qm_buf_len(&out) == 0);
    qm_buf_deinit(&out);
}

int main(void)
{
    TEST(test_plain);
    TEST(test_hello);
    TEST(test_mail);
    TEST(test_mail_extensions);
    TEST(test_rcpt_extensions);
    TEST(test_bdat);
    TEST(test_auth_is_masked);
    TEST(test_no_control_byte_leaves);
    TEST(test_refused_names);
    TEST(test_long_lines);
    TEST(test_refusal_keeps_the_rest);
    TEST(test_no_room);
    return check_done();
}
