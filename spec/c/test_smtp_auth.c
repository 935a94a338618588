/*
 * test_smtp_auth.c: logins whose messages the caller makes.
 */
#include "check.h"
#include "smtp/qm_smtp.h"

#include "base/qm_mem.h"

static struct qm_smtp smtp;
static struct qm_smtp_event last; /* of the session, NONE: nothing yet */

static void drain(void)
{
    struct qm_smtp_event event;

    while (qm_smtp_next_event(&smtp, &event)) {
        last = event;
    }
}

static void say(const char *text)
{
    CHECK(qm_smtp_feed(&smtp, qm_span_of(text)) == QM_OK);
    drain();
}

/* The session's output is this, and is handed over. */
static void hear(const char *expected)
{
    struct qm_span output = qm_smtp_output(&smtp);

    CHECK(qm_span_equal(output, qm_span_of(expected)));
    qm_smtp_sent(&smtp, output.len);
    drain();
}

/* Up to the reply to EHLO, by a server with these mechanisms. */
static void begin(const char *ehlo, bool can_bind)
{
    struct qm_smtp_settings set;

    memset(&set, 0, sizeof(set));
    set.hostname = qm_span_of("me");
    set.security = QM_SMTP_IMPLICIT;
    set.login.user = qm_span_of("user");
    set.login.password = qm_span_of("pencil");
    set.mechanisms = ~0u;
    last.type = QM_EVENT_NONE;
    CHECK(qm_smtp_init(&smtp, &set) == QM_OK);
    if (can_bind) {
        qm_smtp_can_bind(&smtp);
    }
    qm_smtp_tls_ready(&smtp);
    say("220 hi\r\n");
    hear("EHLO me\r\n");
    say(ehlo);
}

static void end(void)
{
    qm_smtp_deinit(&smtp);
    CHECK(qm_mem_test_live() == 0);
}

static void respond(const char *text, bool proven)
{
    struct qm_span message = qm_span_of(text);

    CHECK(qm_smtp_want(&smtp) == QM_WANT_RESPONSE);
    CHECK(qm_smtp_respond(&smtp, &message, proven) == QM_OK);
}

static void check_challenge(enum qm_sasl_mechanism mechanism, unsigned step,
                            const char *bytes)
{
    struct qm_smtp_challenge challenge;

    CHECK(qm_smtp_want(&smtp) == QM_WANT_RESPONSE);
    CHECK(qm_smtp_phase(&smtp) == QM_PHASE_AUTH);
    CHECK(qm_smtp_challenge(&smtp, &challenge));
    CHECK(challenge.mechanism == mechanism);
    CHECK(challenge.step == step);
    CHECK(qm_span_equal(challenge.bytes, qm_span_of(bytes)));
}

static void check_failed(enum qm_smtp_fault fault)
{
    CHECK(last.type == QM_EVENT_FAILED);
    CHECK(last.fault == fault);
    CHECK(last.phase == QM_PHASE_AUTH);
    CHECK(qm_smtp_output(&smtp).len == 0);
}

#define SCRAM "250-hi\r\n250 AUTH PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS\r\n"
#define CRAM  "250-hi\r\n250 AUTH CRAM-MD5\r\n"

static void test_exchange(void)
{
    struct qm_smtp_challenge challenge;

    begin(SCRAM, false);
    check_challenge(QM_SASL_SCRAM_SHA_256, 0, "");
    CHECK(qm_smtp_challenge(&smtp, &challenge) && challenge.offers_binding);
    respond("one", false);
    CHECK(!qm_smtp_challenge(&smtp, &challenge));
    hear("AUTH SCRAM-SHA-256 b25l\r\n");
    say("334 dHdv\r\n");
    check_challenge(QM_SASL_SCRAM_SHA_256, 1, "two");
    respond("three", false);
    hear("dGhyZWU=\r\n");
    say("334 \r\n");
    check_challenge(QM_SASL_SCRAM_SHA_256, 2, "");
    respond("", true);
    hear("\r\n");
    say("235 ok\r\n");
    CHECK(last.type == QM_EVENT_READY);
    CHECK(smtp.secrets.data == NULL && smtp.challenge.data == NULL);
    end();
}

static void test_binding(void)
{
    begin(SCRAM, true);
    check_challenge(QM_SASL_SCRAM_SHA_256_PLUS, 0, "");
    end();
}

static void test_server_speaks_first(void)
{
    begin(CRAM, false);
    check_challenge(QM_SASL_CRAM_MD5, 0, "");
    CHECK(qm_smtp_respond(&smtp, NULL, false) == QM_OK);
    hear("AUTH CRAM-MD5\r\n");
    say("334 PDE+\r\n");
    check_challenge(QM_SASL_CRAM_MD5, 1, "<1>");
    CHECK(qm_smtp_respond(&smtp, NULL, false) == QM_E_MISUSE);
    respond("answer", true);
    hear("YW5zd2Vy\r\n");
    say("235 ok\r\n");
    CHECK(last.type == QM_EVENT_READY);
    CHECK(qm_smtp_respond(&smtp, NULL, false) == QM_E_MISUSE);
    end();
}

/* Success that comes before the server has proved itself is no success. */
static void test_not_proven(void)
{
    begin(SCRAM, false);
    respond("one", false);
    hear("AUTH SCRAM-SHA-256 b25l\r\n");
    say("235 welcome\r\n");
    check_failed(QM_FAULT_NOT_PROVEN);
    end();
}

static void test_refusal(void)
{
    begin(SCRAM, false);
    respond("one", false);
    hear("AUTH SCRAM-SHA-256 b25l\r\n");
    say("535 5.7.8 no\r\n");
    check_failed(QM_FAULT_REPLY);
    CHECK(last.code == 535);
    end();
}

static void check_bad_challenge(const char *reply)
{
    begin(SCRAM, false);
    respond("one", false);
    hear("AUTH SCRAM-SHA-256 b25l\r\n");
    say(reply);
    check_failed(QM_FAULT_BAD_CHALLENGE);
    end();
}

static void test_bad_challenge(void)
{
    check_bad_challenge("334 !\r\n");
    check_bad_challenge("334 YQ\r\n");
    check_bad_challenge("334-YQ==\r\n334 YQ==\r\n");
}

static void test_endless(void)
{
    unsigned i;

    begin(SCRAM, false);
    respond("one", false);
    hear("AUTH SCRAM-SHA-256 b25l\r\n");
    for (i = 0; i < QM_SMTP_CHALLENGES_MAX; i++) {
        say("334 \r\n");
        respond("", false);
        hear("\r\n");
    }
    say("334 \r\n");
    hear("*\r\n");
    say("501 cancelled\r\n");
    check_failed(QM_FAULT_REPLY);
    end();
}

static void test_give_up(void)
{
    begin(SCRAM, false);
    qm_smtp_give_up(&smtp, QM_FAULT_NOT_PROVEN, qm_span_of("it lies"));
    drain();
    check_failed(QM_FAULT_NOT_PROVEN);
    CHECK(qm_span_equal(last.text, qm_span_of("it lies")));
    CHECK(smtp.secrets.data == NULL);
    qm_smtp_give_up(&smtp, QM_FAULT_MEMORY, qm_span_of("")); /* too late */
    drain();
    check_failed(QM_FAULT_NOT_PROVEN);
    end();
}

static void test_decline(void)
{
    begin(SCRAM, true);
    qm_smtp_decline(&smtp);
    hear("AUTH PLAIN AHVzZXIAcGVuY2ls\r\n");
    say("235 ok\r\n");
    CHECK(last.type == QM_EVENT_READY);
    end();
    begin(CRAM, false);
    qm_smtp_decline(&smtp);
    drain();
    check_failed(QM_FAULT_NO_MECHANISM);
    end();
}

/* The connection may end while the caller thinks. */
static void test_end_of_input(void)
{
    begin(SCRAM, false);
    qm_smtp_input_ended(&smtp, QM_FAULT_CANCELLED);
    drain();
    check_failed(QM_FAULT_CANCELLED);
    CHECK(qm_smtp_want(&smtp) == 0);
    end();
}

/* Bytes behind a challenge were sent before they could be an answer. */
static void test_lockstep(void)
{
    begin(SCRAM, false);
    respond("one", false);
    hear("AUTH SCRAM-SHA-256 b25l\r\n");
    say("334 YQ==\r\n235 ok\r\n");
    check_failed(QM_FAULT_UNEXPECTED);
    end();
}

/* "AUTH SCRAM-SHA-256 " and CRLF leave 491 of the 512 bytes of a command. */
static void test_long_first_message(void)
{
    enum { FITTING = 488 / 4, GROUPS = FITTING + 1 };
    static char message[3 * GROUPS + 1];
    static char line[64 + 4 * GROUPS];
    char *base64 = line + strlen("AUTH SCRAM-SHA-256 ");
    size_t i;

    memset(message, 'a', sizeof(message) - 1);
    memcpy(line, "AUTH SCRAM-SHA-256 ", sizeof("AUTH SCRAM-SHA-256 "));
    for (i = 0; i < GROUPS; i++) {
        memcpy(base64 + 4 * i, "YWFh", 4);
    }
    begin(SCRAM, false);
    respond(message, false);
    hear("AUTH SCRAM-SHA-256\r\n");
    say("334 \r\n");
    memcpy(base64 + (size_t)4 * GROUPS, "\r\n", 3);
    hear(base64);
    say("334 dHdv\r\n");
    check_challenge(QM_SASL_SCRAM_SHA_256, 1, "two");
    end();
    message[3 * FITTING] = '\0';
    memcpy(base64 + (size_t)4 * FITTING, "\r\n", 3);
    begin(SCRAM, false);
    respond(message, false);
    hear(line);
    say("334 dHdv\r\n");
    check_challenge(QM_SASL_SCRAM_SHA_256, 1, "two");
    end();
}

int main(void)
{
    TEST(test_exchange);
    TEST(test_binding);
    TEST(test_server_speaks_first);
    TEST(test_not_proven);
    TEST(test_refusal);
    TEST(test_bad_challenge);
    TEST(test_endless);
    TEST(test_give_up);
    TEST(test_decline);
    TEST(test_end_of_input);
    TEST(test_lockstep);
    TEST(test_long_first_message);
    return check_done();
}
