#include "base/qm_buf.h"

#include "base/qm_mem.h"
#include "check.h"

static bool holds(const struct qm_buf *buf, const char *expected)
{
    return qm_span_equal(qm_buf_span(buf), qm_span_of(expected));
}

static void starts_empty_without_memory(void)
{
    struct qm_buf buf;
    long live = qm_mem_test_live();

    qm_buf_init(&buf, 10, false);
    CHECK(qm_buf_len(&buf) == 0 && qm_buf_free_space(&buf) == 10);
    CHECK(qm_buf_span(&buf).len == 0 && buf.data == NULL);
    qm_buf_consume(&buf, 5);
    qm_buf_truncate(&buf, 0);
    qm_buf_reset(&buf);
    CHECK(qm_mem_test_live() == live);
    qm_buf_deinit(&buf);
    qm_buf_deinit(&buf);
}

static void is_a_queue(void)
{
    struct qm_buf buf;

    qm_buf_init(&buf, 100, false);
    CHECK(qm_buf_append_text(&buf, "hello") == QM_OK);
    CHECK(qm_buf_append_char(&buf, ' ') == QM_OK);
    CHECK(qm_buf_append(&buf, qm_span_make("wo\0", 3)) == QM_OK);
    CHECK(qm_buf_append(&buf, qm_span_make(NULL, 0)) == QM_OK);
    CHECK_BYTES(qm_buf_span(&buf).ptr, qm_buf_len(&buf), "hello wo\0");
    qm_buf_consume(&buf, 6);
    CHECK_BYTES(qm_buf_span(&buf).ptr, qm_buf_len(&buf), "wo\0");
    qm_buf_truncate(&buf, 2);
    CHECK(holds(&buf, "wo"));
    qm_buf_truncate(&buf, 3);
    CHECK(holds(&buf, "wo"));
    qm_buf_consume(&buf, 99);
    CHECK(qm_buf_len(&buf) == 0 && qm_buf_free_space(&buf) == 100);
    qm_buf_deinit(&buf);
}

static void numbers(void)
{
    struct qm_buf buf;

    qm_buf_init(&buf, 100, false);
    CHECK(qm_buf_append_u64(&buf, 0) == QM_OK);
    CHECK(qm_buf_append_u64(&buf, 1090) == QM_OK);
    CHECK(qm_buf_append_u64(&buf, UINT64_MAX) == QM_OK);
    CHECK(holds(&buf, "0109018446744073709551615"));
    qm_buf_deinit(&buf);
}

static void cap_is_exact_and_sticky(void)
{
    size_t cap;

    for (cap = 0; cap < 600; cap++) {
        struct qm_buf buf;
        size_t i;

        qm_buf_init(&buf, cap, false);
        for (i = 0; i < cap; i++) {
            CHECK(qm_buf_append_char(&buf, 'x') == QM_OK);
        }
        CHECK(buf.room <= cap && qm_buf_free_space(&buf) == 0);
        CHECK(qm_buf_append_text(&buf, "") == QM_OK);
        CHECK(qm_buf_append_char(&buf, 'x') == QM_E_LIMIT);
        CHECK(qm_buf_len(&buf) == cap);
        qm_buf_consume(&buf, cap);
        CHECK(qm_buf_append_char(&buf, 'x') == QM_E_LIMIT);
        CHECK(qm_buf_reserve(&buf, 0) == NULL);
        qm_buf_reset(&buf);
        CHECK(qm_buf_append_text(&buf, "") == QM_OK);
        qm_buf_deinit(&buf);
    }
}

/* What was consumed does not count against the cap. */
static void room_is_used_again(void)
{
    struct qm_buf buf;
    int round;

    qm_buf_init(&buf, 8, false);
    for (round = 0; round < 1000; round++) {
        CHECK(qm_buf_append_text(&buf, "abcde") == QM_OK);
        qm_buf_consume(&buf, 2);
        CHECK(qm_buf_append_text(&buf, "fghij") == QM_OK);
        CHECK(holds(&buf, "cdefghij") && buf.room == 8);
        qm_buf_consume(&buf, 8);
    }
    qm_buf_deinit(&buf);
}

static void a_refused_append_changes_nothing(void)
{
    struct qm_buf buf;

    qm_buf_init(&buf, 4, false);
    CHECK(qm_buf_append_text(&buf, "abc") == QM_OK);
    CHECK(qm_buf_append_text(&buf, "de") == QM_E_LIMIT);
    CHECK(holds(&buf, "abc") && buf.err == QM_E_LIMIT);
    CHECK(qm_buf_append(&buf, qm_span_make("x", SIZE_MAX)) == QM_E_LIMIT);
    qm_buf_deinit(&buf);
    qm_buf_init(&buf, SIZE_MAX, false);
    CHECK(qm_buf_append_text(&buf, "abc") == QM_OK);
    CHECK(qm_buf_reserve(&buf, SIZE_MAX) == NULL && buf.err == QM_E_LIMIT);
    qm_buf_deinit(&buf);
}

static void reserve_and_commit(void)
{
    struct qm_buf buf;
    char *room;

    qm_buf_init(&buf, 1000, false);
    room = qm_buf_reserve(&buf, 500);
    CHECK(room != NULL && qm_buf_len(&buf) == 0);
    if (room != NULL) {
        memset(room, 'y', 500);
        qm_buf_commit(&buf, 3);
    }
    CHECK(holds(&buf, "yyy") && qm_buf_free_space(&buf) == 997);
    qm_buf_deinit(&buf);
}

/* Random calls against a plain array that is moved at each one. */
static void behaves_like_an_array(void)
{
    static char model[3000];
    size_t len = 0;
    struct qm_buf buf;
    uint32_t seed = 1;
    int round;

    qm_buf_init(&buf, sizeof(model), true);
    for (round = 0; round < 20000; round++) {
        size_t part;
        char text[200];

        seed = seed * 1664525u + 1013904223u;
        part = (seed >> 8) % sizeof(text);
        memset(text, (int)('a' + (seed >> 24) % 26), sizeof(text));
        if (seed >> 31 == 0 && len + part <= sizeof(model)) {
            CHECK(qm_buf_append(&buf, qm_span_make(text, part)) == QM_OK);
            memcpy(model + len, text, part);
            len += part;
        } else if ((seed >> 30 & 1) == 0) {
            qm_buf_consume(&buf, part);
            part = part < len ? part : len;
            memmove(model, model + part, len - part);
            len -= part;
        } else {
            len = part < len ? len - part : 0;
            qm_buf_truncate(&buf, len);
        }
        CHECK(qm_span_equal(qm_buf_span(&buf), qm_span_make(model, len)));
    }
    CHECK(buf.err == QM_OK);
    qm_buf_deinit(&buf);
}

static bool storage_has(const struct qm_buf *buf, char c)
{
    return buf->data != NULL && memchr(buf->data, c, buf->room) != NULL;
}

/* No byte given up stays in storage that is still held. */
static void wipes_what_is_given_up(void)
{
    struct qm_buf buf;
    char *room;

    qm_buf_init(&buf, 16, true);
    room = qm_buf_reserve(&buf, 16);
    CHECK(room != NULL);
    if (room != NULL) {
        memset(room, 0, 16);
    }
    CHECK(qm_buf_append_text(&buf, "SSpppTT") == QM_OK);
    qm_buf_consume(&buf, 2);
    CHECK(!storage_has(&buf, 'S'));
    qm_buf_truncate(&buf, 3);
    CHECK(!storage_has(&buf, 'T') && storage_has(&buf, 'p'));
    CHECK(qm_buf_append_text(&buf, "qqqqqqqqqqqqq") == QM_OK);
    CHECK(holds(&buf, "pppqqqqqqqqqqqqq"));
    qm_buf_truncate(&buf, 3);
    qm_buf_consume(&buf, 3);
    CHECK(!storage_has(&buf, 'p') && !storage_has(&buf, 'q'));
    CHECK(qm_buf_append_text(&buf, "rrr") == QM_OK);
    qm_buf_reset(&buf);
    CHECK(!storage_has(&buf, 'r'));
    qm_buf_deinit(&buf);
}

static void mem_wipe_clears_exactly(void)
{
    char bytes[] = "abcdef";

    qm_mem_wipe(bytes + 1, 3);
    CHECK(memcmp(bytes, "a\0\0\0ef", 6) == 0);
    qm_mem_wipe(bytes, 0);
    CHECK(bytes[0] == 'a');
}

/* Grows past several sizes; returns the number of appends that worked. */
static int fill(struct qm_buf *buf)
{
    char text[200];
    int done = 0;

    memset(text, 'm', sizeof(text));
    while (done < 10 &&
           qm_buf_append(buf, qm_span_make(text, sizeof(text))) == QM_OK) {
        done++;
    }
    return done;
}

static void check_lack_of_memory(bool wipe)
{
    bool failed = true;
    long allowed;

    for (allowed = 0; failed && allowed < 20; allowed++) {
        struct qm_buf buf;
        int done;

        qm_buf_init(&buf, 4096, wipe);
        qm_mem_test_fail_after(allowed);
        done = fill(&buf);
        qm_mem_test_fail_after(-1);
        failed = done < 10;
        CHECK(buf.err == (failed ? QM_E_MEMORY : QM_OK));
        CHECK(qm_buf_len(&buf) == (size_t)done * 200);
        CHECK(!failed || qm_buf_append_char(&buf, 'x') == QM_E_MEMORY);
        qm_buf_reset(&buf);
        CHECK(qm_buf_append_text(&buf, "again") == QM_OK);
        CHECK(holds(&buf, "again"));
        qm_buf_deinit(&buf);
    }
    CHECK(!failed && allowed > 3);
    CHECK(qm_mem_test_live() == 0);
}

static void survives_lack_of_memory(void)
{
    check_lack_of_memory(false);
    check_lack_of_memory(true);
}

static void spans(void)
{
    struct qm_span text = qm_span_of("abc");

    CHECK(qm_span_equal(qm_span_from(text, 1), qm_span_of("bc")));
    CHECK(qm_span_from(text, 3).len == 0 && qm_span_from(text, 9).len == 0);
    CHECK(!qm_span_equal(text, qm_span_of("abd")));
    CHECK(!qm_span_equal(text, qm_span_of("ab")));
    CHECK(qm_span_equal(qm_span_make(NULL, 0), qm_span_of("")));
}

int main(void)
{
    TEST(starts_empty_without_memory);
    TEST(is_a_queue);
    TEST(numbers);
    TEST(cap_is_exact_and_sticky);
    TEST(room_is_used_again);
    TEST(a_refused_append_changes_nothing);
    TEST(reserve_and_commit);
    TEST(behaves_like_an_array);
    TEST(wipes_what_is_given_up);
    TEST(mem_wipe_clears_exactly);
    TEST(survives_lack_of_memory);
    TEST(spans);
    return check_done();
}
