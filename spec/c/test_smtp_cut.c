/*
 * test_smtp_cut.c: three messages in a window, the connection cut everywhere.
 *
 * The dialogue with a model server is cut after every byte of either side. The
 * server's book must agree with what the machine says: each message has exactly
 * one outcome, none is delivered whose 250 did not come whole, and "may be
 * delivered" is said exactly when its last byte had been handed over.
 */
#include "check.h"
#include "model_server.h"
#include "smtp/qm_smtp.h"

enum { COUNT = 3, NO_CUT = 1000000 };

/* How a message is to travel. */
enum way { BY_DATA, BY_BDAT, BY_EAGER_BDAT };

struct outcome {
    unsigned count;
    enum qm_smtp_event_type type;
    bool handed_over;
};

struct run {
    struct qm_smtp smtp;
    struct model model;
    struct outcome outcomes[COUNT + 1];
    unsigned submitted;
    unsigned failed;
    size_t taken;         /* bytes of ours that the transport took */
    size_t fed;           /* bytes of the server that came to us */
    size_t cut_ours;      /* the transport takes so many, then breaks */
    size_t cut_theirs;    /* ... and so many of the server come through */
    unsigned sends;       /* how often the transport was called */
    size_t piece;         /* most bytes taken at once */
    const enum way *ways; /* of messages 1, 2, 3 */
    bool ready;
};

static struct run run;

static const char body_text[] = ".one\r\n..\r\n";

static void note(const struct qm_smtp_event *event)
{
    if (event->type == QM_EVENT_READY) {
        run.ready = true;
    } else if (event->type == QM_EVENT_FAILED) {
        run.failed++;
    } else if (event->type != QM_EVENT_RECIPIENT) {
        struct outcome *outcome = &run.outcomes[event->id];

        CHECK(run.failed == 0); /* FAILED comes last */
        outcome->count++;
        outcome->type = event->type;
        outcome->handed_over = event->handed_over;
    }
}

static void submit(unsigned number)
{
    char from[] = "s0@x";
    char to[] = "0a@x";
    struct qm_smtp_message message;
    uint32_t id = 0;

    from[1] = (char)('0' + number);
    to[0] = (char)('0' + number);
    memset(&message, 0, sizeof(message));
    message.from = qm_span_of(from);
    message.has_size = run.ways[number - 1] != BY_DATA;
    message.size = sizeof(body_text) - 1;
    message.eager = run.ways[number - 1] == BY_EAGER_BDAT;
    CHECK(qm_smtp_begin(&run.smtp, &message, &id) == QM_OK);
    CHECK(qm_smtp_add_rcpt(&run.smtp, qm_span_of(to)) == QM_OK);
    to[1] = 'b';
    CHECK(qm_smtp_add_rcpt(&run.smtp, qm_span_of(to)) == QM_OK);
    CHECK(qm_smtp_submit(&run.smtp) == QM_OK);
    CHECK(id == number);
    run.submitted = number;
}

static void send_body(void)
{
    size_t used;

    CHECK(qm_smtp_body(&run.smtp, qm_span_of(body_text), &used) == QM_OK);
    CHECK(used == sizeof(body_text) - 1);
    CHECK(qm_smtp_body_end(&run.smtp) == QM_OK);
}

/* The server says nothing any more; what it said before is still read. */
static void receive(bool is_last)
{
    size_t most = run.model.out_len;
    struct qm_span piece;

    most = most < run.cut_theirs ? most : run.cut_theirs;
    piece = qm_span_make(run.model.out + run.fed, most - run.fed);
    run.fed = most;
    CHECK(qm_smtp_feed(&run.smtp, piece) == QM_OK);
    if (is_last || run.fed == run.cut_theirs) {
        qm_smtp_input_ended(&run.smtp, QM_FAULT_CLOSED);
    }
}

static void send_output(void)
{
    struct qm_span out = qm_smtp_output(&run.smtp);
    size_t len = out.len < run.piece ? out.len : run.piece;

    if (run.taken + len > run.cut_ours) {
        len = run.cut_ours - run.taken;
    }
    run.sends++;
    model_feed(&run.model, out.ptr, len);
    run.taken += len;
    qm_smtp_sent(&run.smtp, len);
    if (run.taken == run.cut_ours) {
        receive(true);
    }
}

/* One thing at a time, in the order of the pump; false at the end. */
static bool step(void)
{
    struct qm_smtp_event event;
    unsigned want;

    if (qm_smtp_next_event(&run.smtp, &event)) {
        note(&event);
        return true;
    }
    want = qm_smtp_want(&run.smtp);
    if ((want & QM_WANT_WORK) != 0 && run.submitted < COUNT) {
        submit(run.submitted + 1);
    } else if ((want & QM_WANT_BODY) != 0) {
        send_body();
    } else if ((want & QM_WANT_SEND) != 0) {
        send_output();
    } else if ((want & QM_WANT_RECV) != 0) {
        receive(false);
    } else {
        return false;
    }
    return true;
}

static void check_message(unsigned number)
{
    const struct outcome *outcome = &run.outcomes[number];
    const struct model_message *message = &run.model.messages[number];
    bool told_taken = message->taken && message->verdict_end <= run.fed;

    CHECK(outcome->count == 1);
    CHECK(message->bodies <= 1);
    CHECK((outcome->type == QM_EVENT_DELIVERED) == told_taken);
    if (outcome->type == QM_EVENT_LOST) {
        CHECK(outcome->handed_over == message->complete);
    } else {
        CHECK(!outcome->handed_over);
    }
    CHECK(outcome->type != QM_EVENT_REFUSED || !message->taken);
}

/* Returns how many bytes went each way. */
static void run_once(size_t cut_ours, size_t cut_theirs)
{
    struct qm_smtp_settings set;
    unsigned number;
    bool cut;

    memset(&set, 0, sizeof(set));
    set.hostname = qm_span_of("[127.0.0.1]");
    set.pipelining = true;
    set.chunking = true;
    set.window = 3;
    run.cut_ours = cut_ours;
    run.cut_theirs = cut_theirs;
    CHECK(qm_smtp_init(&run.smtp, &set) == QM_OK);
    while (check_failures == 0 && step()) {
    }
    cut = run.taken == cut_ours || run.fed == cut_theirs;
    CHECK(run.failed == (cut ? 1u : 0u));
    CHECK(cut || run.submitted == COUNT);
    CHECK(!run.model.mixed);
    for (number = 1; number <= run.submitted; number++) {
        check_message(number);
    }
    if (check_failures > 0) {
        printf("cut at %lu of ours, %lu of theirs\n", (unsigned long)cut_ours,
               (unsigned long)cut_theirs);
    }
    qm_smtp_deinit(&run.smtp);
}

struct scene {
    const enum way *ways;
    const enum model_no *no; /* of messages 1, 2, 3 */
    size_t piece;
};

static void begin(const struct scene *scene)
{
    unsigned i;

    memset(&run, 0, sizeof(run));
    model_init(&run.model);
    run.ways = scene->ways;
    run.piece = scene->piece;
    for (i = 0; i < COUNT; i++) {
        run.model.no[i + 1] = scene->no[i];
    }
}

static void cut_everywhere(const struct scene *scene)
{
    size_t ours;
    size_t theirs;
    size_t i;

    begin(scene);
    run_once(NO_CUT, NO_CUT);
    ours = run.taken;
    theirs = run.fed;
    for (i = 1; i <= ours && check_failures == 0; i++) {
        begin(scene);
        run_once(i, NO_CUT);
    }
    for (i = 1; i <= theirs && check_failures == 0; i++) {
        begin(scene);
        run_once(NO_CUT, i);
    }
}

static const enum way ways[][COUNT] = {
    { BY_DATA, BY_DATA, BY_DATA },
    { BY_BDAT, BY_BDAT, BY_BDAT },
    { BY_EAGER_BDAT, BY_EAGER_BDAT, BY_EAGER_BDAT },
    { BY_DATA, BY_EAGER_BDAT, BY_BDAT },
    { BY_EAGER_BDAT, BY_DATA, BY_EAGER_BDAT },
    { BY_BDAT, BY_EAGER_BDAT, BY_DATA },
};

static void test_one_flight(void)
{
    static const enum model_no all[COUNT] = { MODEL_YES };
    struct scene scene = { ways[2], all, NO_CUT };

    begin(&scene);
    run_once(NO_CUT, NO_CUT);
    CHECK(run.sends == 2); /* EHLO, and three messages */
}

static void test_cuts(void)
{
    static const enum model_no no[][COUNT] = {
        { MODEL_YES, MODEL_YES, MODEL_YES },
        { MODEL_YES, MODEL_NO_RCPT, MODEL_YES },
        { MODEL_YES, MODEL_NO_MAIL, MODEL_YES },
        { MODEL_NO_BODY, MODEL_YES, MODEL_NO_RCPT },
        { MODEL_NO_RCPT, MODEL_NO_BODY, MODEL_YES },
        { MODEL_NO_MAIL, MODEL_NO_RCPT, MODEL_NO_BODY },
    };
    static const size_t pieces[] = { NO_CUT, 1, 7 };
    size_t i;
    size_t j;
    size_t k;

    for (i = 0; i < QM_COUNTOF(ways); i++) {
        for (j = 0; j < QM_COUNTOF(no); j++) {
            for (k = 0; k < QM_COUNTOF(pieces) && check_failures == 0; k++) {
                struct scene scene = { ways[i], no[j], pieces[k] };

                cut_everywhere(&scene);
                if (check_failures > 0) {
                    printf("ways %u, refusals %u, pieces %u\n", (unsigned)i,
                           (unsigned)j, (unsigned)k);
                }
            }
        }
    }
}

int main(void)
{
    TEST(test_one_flight);
    TEST(test_cuts);
    return check_done();
}
