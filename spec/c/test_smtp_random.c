/*
 * test_smtp_random.c: a server that answers anything at any time.
 *
 * Whatever it says, the session comes to an end, each message gets exactly one
 * outcome, none is delivered without a 25x read after its last byte had left,
 * and nothing is said after the end.
 */
#include "check.h"
#include "smtp/qm_smtp.h"

#include "base/qm_mem.h"

enum { MESSAGES = 12, STEPS = 4000, SESSIONS = 20000 };

static struct qm_smtp smtp;
static uint32_t random_state;
static unsigned submitted;
static unsigned outcomes[MESSAGES + 1];
static bool checks[MESSAGES + 1];
static bool ended[MESSAGES + 1]; /* its last byte was handed over */
static bool over;

static unsigned roll(unsigned sides)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (unsigned)((random_state >> 8) % sides);
}

static void note(const struct qm_smtp_event *event)
{
    CHECK(!over);
    switch (event->type) {
    case QM_EVENT_CHECKED:
        CHECK(checks[event->id]);
        outcomes[event->id]++;
        break;
    case QM_EVENT_DELIVERED:
        CHECK(event->code / 10 == 25);
        CHECK(ended[event->id]);
        outcomes[event->id]++;
        break;
    case QM_EVENT_LOST:
        CHECK(!event->handed_over || ended[event->id]);
        outcomes[event->id]++;
        break;
    case QM_EVENT_REFUSED:
        outcomes[event->id]++;
        break;
    case QM_EVENT_RECIPIENT:
        CHECK(outcomes[event->id] == 0);
        break;
    case QM_EVENT_FAILED:
    case QM_EVENT_CLOSED:
        over = true;
        break;
    case QM_EVENT_NONE:
    case QM_EVENT_READY:
        break;
    }
}

static void submit(void)
{
    struct qm_smtp_message message;
    unsigned rcpts = 1 + roll(3);
    uint32_t id = 0;

    memset(&message, 0, sizeof(message));
    message.from = qm_span_of("a@x");
    message.has_size = roll(4) > 0;
    message.size = 6;
    message.eager = roll(3) > 0;
    message.check = roll(8) == 0;
    CHECK(qm_smtp_begin(&smtp, &message, &id) == QM_OK);
    while (rcpts-- > 0) {
        CHECK(qm_smtp_add_rcpt(&smtp, qm_span_of("b@x")) == QM_OK);
    }
    CHECK(qm_smtp_submit(&smtp) == QM_OK);
    submitted = id;
    checks[id] = message.check;
}

static void send_body(void)
{
    static const char text[] = ".one\r\n";
    size_t used = 0;

    CHECK(!checks[qm_smtp_body_id(&smtp)]);
    if (roll(200) == 0) { /* too short; by DATA any size is right */
        CHECK(qm_smtp_body(&smtp, qm_span_of("x\n"), &used) == QM_OK);
        if (qm_smtp_body_end(&smtp) != QM_OK) {
            CHECK(smtp.state == QM_S_FAILED || smtp.aborted);
        }
        return;
    }
    CHECK(qm_smtp_body(&smtp, qm_span_of(text), &used) == QM_OK);
    CHECK(used == sizeof(text) - 1);
    CHECK(qm_smtp_body_end(&smtp) == QM_OK);
}

/* Which messages have left as a whole is seen from outside by their offset. */
static void send_output(void)
{
    size_t len = qm_smtp_output(&smtp).len;
    unsigned i;

    qm_smtp_sent(&smtp, roll(3) == 0 ? 1 + roll((unsigned)len) : len);
    for (i = 0; i < smtp.txn_count; i++) {
        const struct qm_txn *txn =
            &smtp.txns[(smtp.txn_first + i) % smtp.txn_max];

        if (txn->stage == QM_TXN_HANDED && txn->end_offset <= smtp.sent) {
            ended[txn->id] = true;
        }
    }
}

/* Mostly what is fitting, so that sessions get somewhere. */
static const char *fitting(void)
{
    enum qm_smtp_ask ask = smtp.flight[smtp.flight_first].ask;

    if (ask == QM_ASK_GREETING) {
        return "220 x\r\n";
    }
    if (ask == QM_ASK_LOGIN) {
        return roll(4) > 0 ? "250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n"
                           : "250-x\r\n250 CHUNKING\r\n";
    }
    if (ask != QM_ASK_RESET && roll(5) == 0) {
        return "550 no\r\n";
    }
    return ask == QM_ASK_DATA ? "354 go\r\n" : "250 ok\r\n";
}

static void receive(void)
{
    static const char *const any[] = {
        "250 ok\r\n",  "354 go\r\n", "421 going\r\n",  "450 later\r\n",
        "500 eh\r\n",  "502 eh\r\n", "503 order\r\n",  "550 no\r\n",
        "220 hi\r\n",  "251 fw\r\n", "250-half\r\n",   "junk\r\n",
        "250 o\r\n25", "",           "334 secret?\r\n"
    };
    unsigned choice = roll(1500);
    const char *reply = choice < QM_COUNTOF(any) || smtp.flight_count == 0
                            ? any[choice % QM_COUNTOF(any)]
                            : fitting();

    CHECK(qm_smtp_feed(&smtp, qm_span_of(reply)) == QM_OK);
    if (roll(1000) == 0) {
        qm_smtp_input_ended(&smtp, QM_FAULT_CLOSED);
    }
}

/* The oldest command has left, so that its reply may come. */
static bool is_answer_due(void)
{
    return smtp.flight_count == 0 ||
           smtp.flight[smtp.flight_first].after <= smtp.sent;
}

static void step(void)
{
    struct qm_smtp_event event;
    unsigned want;

    if (qm_smtp_next_event(&smtp, &event)) {
        note(&event);
        return;
    }
    want = qm_smtp_want(&smtp);
    CHECK(want != 0 || over);
    if ((want & QM_WANT_WORK) != 0 && submitted < MESSAGES && roll(2) > 0) {
        submit();
    } else if ((want & QM_WANT_BODY) != 0 && roll(4) > 0) {
        send_body();
    } else if ((want & QM_WANT_SEND) != 0 &&
               (!is_answer_due() || roll(4) > 0) && roll(500) > 0) {
        send_output();
    } else if ((want & QM_WANT_RECV) != 0) {
        receive();
    } else if (submitted == MESSAGES && smtp.txn_count == 0) {
        qm_smtp_quit(&smtp);
        send_output();
    }
    CHECK(smtp.flight_count <= QM_SMTP_FLIGHT_MAX);
}

static void run_session(void)
{
    struct qm_smtp_settings set;
    unsigned i;

    memset(&set, 0, sizeof(set));
    set.hostname = qm_span_of("[127.0.0.1]");
    set.pipelining = true;
    set.chunking = true;
    set.window = roll(6);
    set.no_reset = roll(6) == 0;
    submitted = 0;
    over = false;
    memset(outcomes, 0, sizeof(outcomes));
    memset(ended, 0, sizeof(ended));
    CHECK(qm_smtp_init(&smtp, &set) == QM_OK);
    for (i = 0; i < STEPS && !over && check_failures == 0; i++) {
        step();
    }
    CHECK(over);
    for (i = 1; i <= submitted; i++) {
        CHECK(outcomes[i] == 1);
    }
    qm_smtp_deinit(&smtp);
}

static void test_any_server(void)
{
    unsigned seed;
    unsigned all = 0;

    for (seed = 1; seed <= SESSIONS && check_failures == 0; seed++) {
        random_state = seed;
        run_session();
        all += submitted == MESSAGES ? 1 : 0;
        if (check_failures > 0) {
            printf("seed %u\n", seed);
        }
    }
    CHECK(all > SESSIONS / 4); /* many get to the end */
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    TEST(test_any_server);
    return check_done();
}
