/*
 * test_smtp_memory.c: the n-th allocation of a session fails, for every n.
 *
 * Whatever fails, nothing leaks, and a message counts as delivered only when
 * its reply was read.
 */
#include "check.h"
#include "smtp/qm_smtp.h"

#include "base/qm_mem.h"

struct seen {
    bool delivered;
    bool over;
};

static void pull(struct qm_smtp *smtp, struct seen *seen)
{
    struct qm_smtp_event event;

    while (qm_smtp_next_event(smtp, &event)) {
        seen->delivered |= event.type == QM_EVENT_DELIVERED;
        seen->over |= event.type == QM_EVENT_FAILED;
    }
}

static void say(struct qm_smtp *smtp, struct seen *seen, const char *text)
{
    qm_smtp_sent(smtp, qm_smtp_output(smtp).len);
    if (!seen->over && qm_smtp_feed(smtp, qm_span_of(text)) != QM_OK) {
        qm_smtp_input_ended(smtp, QM_FAULT_TRANSPORT);
    }
    pull(smtp, seen);
}

/* How the message is to travel. */
enum way { BY_DATA, BY_BDAT, BY_EAGER_BDAT };

static enum qm_err submit(struct qm_smtp *smtp, enum way way)
{
    struct qm_smtp_message message;
    uint32_t id;
    enum qm_err err;

    memset(&message, 0, sizeof(message));
    message.from = qm_span_of("a@b");
    message.has_size = way != BY_DATA;
    message.size = 7;
    message.eager = way == BY_EAGER_BDAT;
    err = qm_smtp_begin(smtp, &message, &id);
    if (err == QM_OK) {
        err = qm_smtp_add_rcpt(smtp, qm_span_of("c@d"));
    }
    if (err == QM_OK) {
        err = qm_smtp_submit(smtp);
    }
    if (err != QM_OK) {
        qm_smtp_drop(smtp);
    }
    return err;
}

static enum qm_err send_body(struct qm_smtp *smtp)
{
    size_t used;
    enum qm_err err = qm_smtp_body(smtp, qm_span_of("hello\n"), &used);

    return err != QM_OK ? err : qm_smtp_body_end(smtp);
}

static void run_session(struct qm_smtp *smtp, struct seen *seen, enum way way)
{
    say(smtp, seen, "220 x\r\n");
    say(smtp, seen,
        "250-x\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 AUTH PLAIN\r\n");
    say(smtp, seen, "235 ok\r\n");
    if (submit(smtp, way) != QM_OK) {
        return;
    }
    pull(smtp, seen);
    if (way != BY_EAGER_BDAT) {
        say(smtp, seen, "250 ok\r\n250 ok\r\n");
    }
    if (way == BY_DATA) {
        say(smtp, seen, "354 go\r\n");
    }
    if (send_body(smtp) != QM_OK) {
        return;
    }
    if (way == BY_EAGER_BDAT) {
        say(smtp, seen, "250 ok\r\n250 ok\r\n");
    }
    say(smtp, seen, "250 queued\r\n");
}

/* Returns true when the session went through to the end. */
static bool run_with_fault(long allowed, enum way way)
{
    struct qm_smtp_settings set;
    struct qm_smtp smtp;
    struct seen seen = { false, false };

    memset(&set, 0, sizeof(set));
    set.hostname = qm_span_of("[127.0.0.1]");
    set.login.user = qm_span_of("user");
    set.login.password = qm_span_of("password");
    set.mechanisms = ~0u;
    set.allow_clear_auth = true;
    set.pipelining = true;
    set.chunking = true;
    qm_mem_test_fail_after(allowed);
    if (qm_smtp_init(&smtp, &set) == QM_OK) {
        run_session(&smtp, &seen, way);
    }
    qm_mem_test_fail_after(-1);
    CHECK(!(seen.delivered && seen.over));
    qm_smtp_deinit(&smtp);
    CHECK(qm_mem_test_live() == 0);
    return seen.delivered;
}

static void fail_every_allocation(enum way way)
{
    bool delivered = false;
    long n;

    for (n = 0; n < 200 && !delivered; n++) {
        delivered = run_with_fault(n, way);
    }
    CHECK(delivered);
    CHECK(n > 5);
}

static void test_data(void)
{
    fail_every_allocation(BY_DATA);
}

static void test_chunk(void)
{
    fail_every_allocation(BY_BDAT);
}

static void test_eager_chunk(void)
{
    fail_every_allocation(BY_EAGER_BDAT);
}

int main(void)
{
    TEST(test_data);
    TEST(test_chunk);
    TEST(test_eager_chunk);
    return check_done();
}
