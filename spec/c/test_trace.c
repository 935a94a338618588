/* test_trace.c: the ring of last lines. */
#include "check.h"
#include "smtp/qm_trace.h"

static struct qm_trace trace;

static void test_keeps_the_newest(void)
{
    unsigned i;

    qm_trace_init(&trace);
    for (i = 0; i < QM_TRACE_LINES + 5; i++) {
        char c = (char)('a' + i % 26);

        qm_trace_set_time(&trace, i);
        qm_trace_add(&trace, 'S', qm_span_make(&c, 1));
    }
    CHECK(trace.count == QM_TRACE_LINES);
    CHECK(qm_trace_get(&trace, 0)->time_ms == 5);
    CHECK(qm_trace_get(&trace, 0)->text[0] == 'f');
    CHECK(qm_trace_get(&trace, QM_TRACE_LINES - 1)->time_ms ==
          QM_TRACE_LINES + 4);
    CHECK(qm_trace_get(&trace, QM_TRACE_LINES) == NULL);
}

static void test_cuts_long_lines(void)
{
    char text[QM_TRACE_LINE_BYTES + 1];

    memset(text, 'x', sizeof(text));
    qm_trace_init(&trace);
    qm_trace_add(&trace, 'C', qm_span_make(text, QM_TRACE_LINE_BYTES));
    qm_trace_add(&trace, 'C', qm_span_make(text, sizeof(text)));
    qm_trace_add(&trace, 'C', qm_span_make(NULL, 0));
    CHECK(!qm_trace_get(&trace, 0)->cut);
    CHECK(qm_trace_get(&trace, 1)->cut);
    CHECK(qm_trace_get(&trace, 1)->len == QM_TRACE_LINE_BYTES);
    CHECK(qm_trace_get(&trace, 2)->len == 0);
}

static void add_lines(unsigned count)
{
    while (count-- > 0) {
        qm_trace_add(&trace, 'S', qm_span_of("x"));
    }
}

static void test_since(void)
{
    qm_trace_init(&trace);
    CHECK(qm_trace_since(&trace, 0) == 0);
    add_lines(3);
    CHECK(trace.total == 3);
    CHECK(qm_trace_since(&trace, 0) == 0);
    CHECK(qm_trace_since(&trace, 2) == 2);
    CHECK(qm_trace_since(&trace, 3) == 3);
    CHECK(qm_trace_get(&trace, qm_trace_since(&trace, 3)) == NULL);
    add_lines(QM_TRACE_LINES);
    CHECK(qm_trace_since(&trace, 0) == 0); /* gone: what there still is */
    CHECK(qm_trace_since(&trace, 3) == 0);
    CHECK(qm_trace_since(&trace, 4) == 1);
    CHECK(qm_trace_since(&trace, trace.total) == QM_TRACE_LINES);
    CHECK(qm_trace_since(&trace, UINT64_MAX) == QM_TRACE_LINES);
}

static void test_empty(void)
{
    qm_trace_init(&trace);
    CHECK(qm_trace_get(&trace, 0) == NULL);
}

int main(void)
{
    TEST(test_keeps_the_newest);
    TEST(test_cuts_long_lines);
    TEST(test_since);
    TEST(test_empty);
    return check_done();
}
