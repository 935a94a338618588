/*
 * test_smtp_body.c: a long body in pieces of every size, through an output
 * that is emptied in pieces of every size.
 */
#include "check.h"
#include "smtp/qm_smtp.h"

enum { BODY_LEN = 140000, WIRE_MAX = 2 * BODY_LEN + 1024 };

static struct qm_smtp smtp;
static char body[BODY_LEN];
static char wire[WIRE_MAX];
static size_t wire_len;

/* Lines of all lengths, many of them beginning with a dot. */
static void make_body(void)
{
    size_t i;

    for (i = 0; i < BODY_LEN; i++) {
        body[i] = i % 7 == 0 ? '\n' : (i % 5 == 0 ? '.' : 'x');
    }
}

static void pull(void)
{
    struct qm_smtp_event event;

    while (qm_smtp_next_event(&smtp, &event)) {
        CHECK(event.type == QM_EVENT_READY || event.type == QM_EVENT_RECIPIENT);
    }
}

static void say(const char *text)
{
    qm_smtp_sent(&smtp, qm_smtp_output(&smtp).len);
    CHECK(qm_smtp_feed(&smtp, qm_span_of(text)) == QM_OK);
    pull();
}

/* `size` 0: by DATA. */
static void open_body(size_t size)
{
    struct qm_smtp_settings set;
    struct qm_smtp_message message;
    uint32_t id;

    memset(&set, 0, sizeof(set));
    memset(&message, 0, sizeof(message));
    set.hostname = qm_span_of("[127.0.0.1]");
    set.pipelining = true;
    set.chunking = true;
    message.from = qm_span_of("a@b");
    message.has_size = size > 0;
    message.size = size;
    CHECK(qm_smtp_init(&smtp, &set) == QM_OK);
    say("220 x\r\n");
    say("250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    CHECK(qm_smtp_begin(&smtp, &message, &id) == QM_OK);
    CHECK(qm_smtp_add_rcpt(&smtp, qm_span_of("c@d")) == QM_OK);
    CHECK(qm_smtp_submit(&smtp) == QM_OK);
    pull();
    say(size > 0 ? "250 ok\r\n250 ok\r\n" : "250 ok\r\n250 ok\r\n354 go\r\n");
}

static void take_output(size_t most)
{
    struct qm_span out = qm_smtp_output(&smtp);
    size_t len = out.len < most ? out.len : most;

    memcpy(wire + wire_len, out.ptr, len);
    wire_len += len;
    qm_smtp_sent(&smtp, len);
}

/* Does what it wants until the end mark is out; every step must count. */
static void drive(size_t piece, size_t sent_piece)
{
    size_t at = 0;
    bool ended = false;

    wire_len = 0;
    while (check_failures == 0 && !(ended && qm_smtp_output(&smtp).len == 0)) {
        unsigned want = qm_smtp_want(&smtp);
        size_t left = BODY_LEN - at < piece ? BODY_LEN - at : piece;
        size_t used = 0;

        CHECK((want & (QM_WANT_BODY | QM_WANT_SEND)) != 0);
        if ((want & QM_WANT_BODY) == 0) {
            take_output(sent_piece);
        } else if (left == 0) {
            CHECK(qm_smtp_body_end(&smtp) == QM_OK);
            ended = true;
        } else {
            CHECK(qm_smtp_body(&smtp, qm_span_make(body + at, left), &used) ==
                  QM_OK);
            CHECK(used > 0); /* wanted, so it is taken */
            at += used;
        }
    }
}

/* The encoder is proved on its own: here it only serves as the measure. */
static size_t encode(bool stuff, char *out)
{
    struct qm_dot dot;
    size_t used;
    size_t written;

    qm_dot_init(&dot, stuff);
    qm_dot_update(&dot, qm_span_make(body, BODY_LEN), out, WIRE_MAX - 8, &used,
                  &written);
    CHECK(used == BODY_LEN);
    return written + qm_dot_finish(&dot, out + written);
}

static char expected[WIRE_MAX];

/* Sends the body in pieces of all sizes; by BDAT when there is a `size`. */
static void check_pieces(size_t size, size_t expected_len)
{
    static const size_t pieces[] = { 1,     2,     3,     1000,    16384,
                                     65535, 65536, 65537, BODY_LEN };
    static const size_t sent[] = { 7, 1460, 65534, 65535, WIRE_MAX };
    size_t i;
    size_t j;

    for (i = 0; i < QM_COUNTOF(pieces); i++) {
        for (j = 0; j < QM_COUNTOF(sent); j++) {
            if (pieces[i] < 1000 && sent[j] < 1000) {
                continue; /* slow under valgrind, and nothing new */
            }
            open_body(size);
            drive(pieces[i], sent[j]);
            CHECK(wire_len == expected_len &&
                  memcmp(wire, expected, wire_len) == 0);
            qm_smtp_deinit(&smtp);
        }
    }
}

static void test_data(void)
{
    make_body();
    check_pieces(0, encode(true, expected));
}

static void test_chunk(void)
{
    size_t size;
    int line_len;

    make_body();
    size = encode(false, expected);
    line_len = snprintf(expected, 64, "BDAT %lu LAST\r\n", (unsigned long)size);
    (void)encode(false, expected + line_len);
    check_pieces(size, size + (size_t)line_len);
}

int main(void)
{
    TEST(test_data);
    TEST(test_chunk);
    return check_done();
}
