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

static enum qm_err submit(struct qm_smtp *smtp)
{
    struct qm_smtp_message message;
    uint32_t id;
    enum qm_err err;

    memset(&message, 0, sizeof(message));
    message.from = qm_span_of("a@b");
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

static void run_session(struct qm_smtp *smtp, struct seen *seen)
{
    say(smtp, seen, "220 x\r\n");
    say(smtp, seen, "250-x\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n");
    say(smtp, seen, "235 ok\r\n");
    if (submit(smtp) != QM_OK) {
        return;
    }
    pull(smtp, seen);
    say(smtp, seen, "250 ok\r\n250 ok\r\n354 go\r\n");
    if (send_body(smtp) != QM_OK) {
        return;
    }
    say(smtp, seen, "250 queued\r\n");
}

/* Returns true when the session went through to the end. */
static bool run_with_fault(long allowed)
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
    qm_mem_test_fail_after(allowed);
    if (qm_smtp_init(&smtp, &set) == QM_OK) {
        run_session(&smtp, &seen);
    }
    qm_mem_test_fail_after(-1);
    CHECK(!(seen.delivered && seen.over));
    qm_smtp_deinit(&smtp);
    CHECK(qm_mem_test_live() == 0);
    return seen.delivered;
}

static void test_every_allocation(void)
{
    bool delivered = false;
    long n;

    for (n = 0; n < 200 && !delivered; n++) {
        delivered = run_with_fault(n);
    }
    CHECK(delivered);
    CHECK(n > 5);
}

int main(void)
{
    TEST(test_every_allocation);
    return check_done();
}
