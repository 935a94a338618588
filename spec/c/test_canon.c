/* test_canon.c: RFC 6376 section 3.4, however the body is cut. */
#include "codec/qm_canon.h"

#include "base/qm_mem.h"
#include "stream.h"

static struct qm_canon state;

static void start_simple(void)
{
    qm_canon_init(&state, false);
}

static void start_relaxed(void)
{
    qm_canon_init(&state, true);
}

static void update(struct qm_span input, char *out, size_t cap,
                   size_t *used_out, size_t *written_out)
{
    qm_canon_update(&state, input, out, cap, used_out, written_out);
}

enum { FINISH_MAX = 2000 };

/* In the smallest steps there are. */
static size_t finish(char *out)
{
    size_t total = 0;
    size_t len;

    do {
        len = qm_canon_finish(&state, out + total,
                              FINISH_MAX - total < QM_CANON_ROOM
                                  ? FINISH_MAX - total
                                  : QM_CANON_ROOM);
        total += len;
    } while (len > 0);
    return total;
}

static const struct stream simple = { start_simple, update, finish,
                                      QM_CANON_ROOM, FINISH_MAX };
static const struct stream relaxed = { start_relaxed, update, finish,
                                       QM_CANON_ROOM, FINISH_MAX };

static void check_body(const struct stream *stream, const char *body,
                       const char *expected)
{
    struct qm_span input = qm_span_of(body);
    struct qm_span made = stream_whole(stream, input);

    check_bytes(__FILE__, __LINE__, made.ptr, made.len, expected,
                strlen(expected));
    stream_check_cuts(stream, input);
}

static void simple_bodies(void)
{
    check_body(&simple, "", "\r\n");
    check_body(&simple, "\r\n\r\n\r\n", "\r\n");
    check_body(&simple, "a\r\n\r\n", "a\r\n");
    check_body(&simple, "a", "a\r\n");
    check_body(&simple, " \t \r\n\r\n", " \t \r\n");
    check_body(&simple, "\r\n\r\na  b\t\r\n \r\n", "\r\n\r\na  b\t\r\n \r\n");
    check_body(&simple, "\r\n\r\n\r", "\r\n\r\n\r\r\n");
    check_body(&simple, "a\rb\r\r\n", "a\rb\r\r\n");
}

static void relaxed_bodies(void)
{
    check_body(&relaxed, "", "");
    check_body(&relaxed, "\r\n\r\n", "");
    check_body(&relaxed, " \t \r\n \r\n\t", "");
    check_body(&relaxed, " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n");
    check_body(&relaxed, "a", "a\r\n");
    check_body(&relaxed, "a \t", "a\r\n");
    check_body(&relaxed, "\r\n \r\n\t x\ty \r\n", "\r\n\r\n x y\r\n");
    check_body(&relaxed, "a \r \rb", "a \r \rb\r\n");
    check_body(&relaxed, "..\r\n.\r\n", "..\r\n.\r\n");
}

static void random_bodies(void)
{
    static char text[300];
    unsigned seed;

    for (seed = 0; seed < 60; seed++) {
        struct qm_span input =
            stream_random(qm_span_of("\r\n\r\n \ta."), seed, text, 60);

        stream_check_cuts(&simple, input);
        stream_check_cuts(&relaxed, input);
    }
}

static void check_header(const char *field, bool is_relaxed,
                         const char *expected)
{
    struct stream_pages *pages = stream_pages();
    struct qm_buf out;

    qm_buf_init(&out, 1000, false);
    CHECK(qm_canon_header(guard_page_put(&pages->in, qm_span_of(field)),
                          is_relaxed, &out) == QM_OK);
    check_bytes(__FILE__, __LINE__, qm_buf_span(&out).ptr, qm_buf_len(&out),
                expected, strlen(expected));
    qm_buf_deinit(&out);
}

static void headers(void)
{
    check_header("A: X\r\n", true, "a:X");
    check_header("B : Y\t\r\n\tZ  \r\n", true, "b:Y Z");
    check_header("B : Y\t\r\n\tZ  \r\n", false, "B : Y\t\r\n\tZ  ");
    check_header("Subject:\r\n  long \r\n\t \r\n line\r\n", true,
                 "subject:long line");
    check_header("Empty:", true, "empty:");
    check_header("Empty: \t\r\n", true, "empty:");
    check_header("X-A: a:b: c", true, "x-a:a:b: c");
    check_header("no colon", true, "nocolon");
    check_header("", true, "");
    check_header("", false, "");
}

static void header_without_room(void)
{
    struct qm_buf out;

    qm_buf_init(&out, 3, false);
    CHECK(qm_canon_header(qm_span_of("A: bcd"), true, &out) == QM_E_LIMIT);
    qm_buf_deinit(&out);
    qm_buf_init(&out, 100, false);
    qm_mem_test_fail_after(0);
    CHECK(qm_canon_header(qm_span_of("A: bcd"), true, &out) == QM_E_MEMORY);
    qm_mem_test_fail_after(-1);
    qm_buf_deinit(&out);
}

int main(void)
{
    TEST(simple_bodies);
    TEST(relaxed_bodies);
    TEST(random_bodies);
    TEST(headers);
    TEST(header_without_room);
    return check_done();
}
