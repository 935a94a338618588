/*
 * test_smtp_window.c: many messages in flight: sizes that do not fit, a flight
 * that is full, a warm session that allocates nothing.
 */
#include "check.h"
#include "model_server.h"
#include "smtp/qm_smtp.h"

#include "base/qm_mem.h"

static struct qm_smtp smtp;
static struct model model;
static size_t fed;
static unsigned delivered;
static unsigned refused;
static unsigned lost;
static enum qm_smtp_fault failed;

static void pull(void)
{
    struct qm_smtp_event event;

    while (qm_smtp_next_event(&smtp, &event)) {
        delivered += event.type == QM_EVENT_DELIVERED ? 1 : 0;
        refused += event.type == QM_EVENT_REFUSED ? 1 : 0;
        lost += event.type == QM_EVENT_LOST ? 1 : 0;
        failed = event.type == QM_EVENT_FAILED ? event.fault : failed;
    }
}

/* Everything goes over, everything comes back. */
static void exchange(void)
{
    struct qm_span out = qm_smtp_output(&smtp);

    model_feed(&model, out.ptr, out.len);
    qm_smtp_sent(&smtp, out.len);
    CHECK(qm_smtp_feed(&smtp, qm_span_make(model.out + fed,
                                           model.out_len - fed)) == QM_OK);
    fed = 0;
    model.out_len = 0;
    pull();
}

static void open_session(unsigned window)
{
    struct qm_smtp_settings set;

    memset(&set, 0, sizeof(set));
    set.hostname = qm_span_of("[127.0.0.1]");
    set.pipelining = true;
    set.chunking = true;
    set.window = window;
    delivered = refused = lost = 0;
    failed = QM_FAULT_NONE;
    fed = 0;
    model_init(&model);
    CHECK(qm_smtp_init(&smtp, &set) == QM_OK);
    exchange();
    exchange();
    CHECK(smtp.state == QM_S_READY);
}

static void submit(uint64_t size, unsigned rcpt_count)
{
    struct qm_smtp_message message;
    uint32_t id;

    memset(&message, 0, sizeof(message));
    message.from = qm_span_of("s1@x");
    message.has_size = true;
    message.size = size;
    message.eager = true;
    CHECK(qm_smtp_begin(&smtp, &message, &id) == QM_OK);
    while (rcpt_count-- > 0) {
        CHECK(qm_smtp_add_rcpt(&smtp, qm_span_of("1@x")) == QM_OK);
    }
    CHECK(qm_smtp_submit(&smtp) == QM_OK);
    pull();
}

static void send_body(const char *text)
{
    size_t used;

    CHECK(qm_smtp_body(&smtp, qm_span_of(text), &used) == QM_OK);
    CHECK(used == strlen(text));
    CHECK(qm_smtp_body_end(&smtp) == QM_OK);
    pull();
}

/* --- sizes that do not fit ----------------------------------------------- */

/* The body in pieces, as long as they are taken. */
static enum qm_err give(struct qm_span body, size_t piece)
{
    enum qm_err err = QM_OK;
    size_t used;

    while (err == QM_OK && body.len > 0) {
        struct qm_span part =
            qm_span_make(body.ptr, body.len < piece ? body.len : piece);

        err = qm_smtp_body(&smtp, part, &used);
        body = qm_span_from(body, used);
        exchange();
    }
    if (err == QM_OK) {
        err = qm_smtp_body_end(&smtp);
    }
    exchange();
    return err;
}

/* The server never has a whole message unless the size was right. */
static void check_size(struct qm_span body, uint64_t size, bool fits,
                       size_t piece)
{
    enum qm_err err;

    open_session(0);
    submit(size, 1);
    err = give(body, piece);
    CHECK(err == (fits ? QM_OK : QM_E_CHANGED));
    CHECK(model.messages[1].complete == fits);
    CHECK(delivered == (fits ? 1u : 0u));
    CHECK(lost == (fits ? 0u : 1u));
    CHECK(failed == (fits ? QM_FAULT_NONE : QM_FAULT_SOURCE));
    qm_smtp_deinit(&smtp);
}

static void test_every_size(void)
{
    static const struct {
        const char *text;
        uint64_t size;
    } bodies[] = { { "", 0 },         { "\n", 2 },     { "\r", 2 },
                   { "a", 3 },        { "ab\r\n", 4 }, { "\r\r\n\n", 6 },
                   { ".\n..\nx", 10 } };
    size_t i;
    uint64_t size;
    size_t piece;

    for (i = 0; i < QM_COUNTOF(bodies); i++) {
        for (size = 0; size < 14; size++) {
            for (piece = 1; piece < 12; piece++) {
                check_size(qm_span_of(bodies[i].text), size,
                           size == bodies[i].size, piece);
            }
        }
    }
}

/* --- the flight ---------------------------------------------------------- */

/* The reply to a chunk needs its place too; it waits for one. */
/* --- a source that fails ------------------------------------------------- */

/* Those before it get their verdicts; then the session ends. */
static void test_abort_waits_for_verdicts(void)
{
    size_t used;

    open_session(3);
    submit(3, 1);
    send_body("1\r\n");
    submit(3, 1);
    send_body("2\r\n");
    submit(9, 1);
    CHECK(qm_smtp_body(&smtp, qm_span_of("3\r\n"), &used) == QM_OK);
    qm_smtp_body_abort(&smtp);
    pull();
    CHECK(failed == QM_FAULT_NONE && smtp.state == QM_S_READY);
    CHECK((qm_smtp_want(&smtp) & (QM_WANT_BODY | QM_WANT_WORK)) == 0);
    CHECK(qm_smtp_room(&smtp) == 0);
    CHECK(qm_smtp_body(&smtp, qm_span_of("4"), &used) == QM_E_MISUSE);
    exchange();
    CHECK(delivered == 2 && lost == 1 && failed == QM_FAULT_SOURCE);
    qm_smtp_deinit(&smtp);
}

static void test_abort_alone_ends_at_once(void)
{
    size_t used;

    open_session(3);
    submit(9, 1);
    CHECK(qm_smtp_body(&smtp, qm_span_of("1\r\n"), &used) == QM_OK);
    qm_smtp_body_abort(&smtp);
    pull();
    CHECK(lost == 1 && failed == QM_FAULT_SOURCE);
    qm_smtp_deinit(&smtp);
}

/* The server goes away meanwhile: that is said of those that waited for it. */
static void test_abort_ends_with_the_input(void)
{
    size_t used;

    open_session(3);
    submit(3, 1);
    send_body("1\r\n");
    submit(9, 1);
    CHECK(qm_smtp_body(&smtp, qm_span_of("2\r\n"), &used) == QM_OK);
    qm_smtp_body_abort(&smtp);
    qm_smtp_sent(&smtp, qm_smtp_output(&smtp).len);
    qm_smtp_input_ended(&smtp, QM_FAULT_RESET);
    pull();
    CHECK(delivered == 0 && lost == 2 && failed == QM_FAULT_RESET);
    qm_smtp_deinit(&smtp);
}

static void test_full_flight(void)
{
    unsigned rcpts;

    for (rcpts = QM_SMTP_FLIGHT_MAX - 3; rcpts < QM_SMTP_FLIGHT_MAX + 4;
         rcpts++) {
        bool full = rcpts + 1 >= QM_SMTP_FLIGHT_MAX;

        open_session(3);
        submit(3, rcpts);
        CHECK((qm_smtp_body_id(&smtp) == 0) == full);
        if (full) {
            CHECK(smtp.flight_count == QM_SMTP_FLIGHT_MAX);
            exchange();
        }
        send_body("x\n");
        submit(3, 1);
        CHECK(smtp.flight_count <= QM_SMTP_FLIGHT_MAX);
        while (qm_smtp_body_id(&smtp) == 0 && failed == QM_FAULT_NONE) {
            exchange();
        }
        send_body("y\n");
        exchange();
        CHECK(delivered == 2 && failed == QM_FAULT_NONE);
        qm_smtp_deinit(&smtp);
    }
}

/* Many messages with a window that the flight cannot hold. */
static void test_wide_window(void)
{
    unsigned begun = 0;

    open_session(1000);
    CHECK(qm_smtp_room(&smtp) == QM_SMTP_WINDOW_MAX + 1);
    while (delivered < 200 && failed == QM_FAULT_NONE) {
        while (begun < 200 && qm_smtp_room(&smtp) > 0) {
            submit(3, 1);
            begun++;
        }
        while (qm_smtp_body_id(&smtp) != 0) {
            send_body("x\n");
        }
        CHECK(smtp.flight_count <= QM_SMTP_FLIGHT_MAX);
        exchange();
    }
    CHECK(delivered == 200 && lost == 0 && refused == 0);
    CHECK(model.messages[1].bodies == 200);
    qm_smtp_deinit(&smtp);
}

static void send_group(unsigned count)
{
    while (count-- > 0) {
        submit(10, 3);
        send_body("hello\r\n.");
    }
    exchange();
}

static void test_warm_session_allocates_nothing(void)
{
    unsigned i;

    open_session(8);
    for (i = 0; i < 4; i++) {
        send_group(7); /* each slot of the ring has been used */
    }
    for (i = 0; i < 4; i++) {
        qm_mem_test_fail_after(0);
        send_group(7);
        qm_mem_test_fail_after(-1);
    }
    CHECK(delivered == 8 * 7);
    CHECK(failed == QM_FAULT_NONE);
    qm_smtp_deinit(&smtp);
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    TEST(test_every_size);
    TEST(test_abort_waits_for_verdicts);
    TEST(test_abort_alone_ends_at_once);
    TEST(test_abort_ends_with_the_input);
    TEST(test_full_flight);
    TEST(test_wide_window);
    TEST(test_warm_session_allocates_nothing);
    return check_done();
}
