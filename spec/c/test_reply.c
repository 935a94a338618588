/* test_reply.c: replies whole, byte by byte, in two parts, at a guard page. */
#include "check.h"
#include "guard_page.h"
#include "smtp/qm_reply.h"

#include "base/qm_mem.h"

enum { OUT_MAX = 4096 };

/* Feeds `text` cut at `cut`; stops at the first answer that is not "more". */
static enum qm_err feed_cut(struct qm_reply *reply, struct qm_span text,
                            size_t cut)
{
    struct qm_span parts[2];
    enum qm_err err = QM_E_AGAIN;
    size_t used;
    int i;

    parts[0] = qm_span_make(text.ptr, cut);
    parts[1] = qm_span_from(text, cut);
    for (i = 0; i < 2 && err == QM_E_AGAIN; i++) {
        err = qm_reply_feed(reply, parts[i], &used);
    }
    return err;
}

static void check_text(const struct qm_reply *reply, const char *expected)
{
    struct qm_buf out;

    qm_buf_init(&out, OUT_MAX, false);
    CHECK(qm_reply_text(reply, &out) == QM_OK);
    CHECK(qm_span_equal(qm_buf_span(&out), qm_span_of(expected)));
    qm_buf_deinit(&out);
}

/* Every way to cut it in two gives the same answer. */
static void each_cut(const char *bytes, size_t len, enum qm_err expected,
                     int code, const char *text)
{
    struct guard_page guard = guard_page_open(len);
    struct qm_span span = guard_page_put(&guard, qm_span_make(bytes, len));
    struct qm_reply reply;
    size_t cut;

    qm_reply_init(&reply);
    for (cut = 0; cut <= len; cut++) {
        enum qm_err err;

        qm_reply_reset(&reply);
        err = feed_cut(&reply, span, cut);
        CHECK(err == expected);
        if (err == QM_OK) {
            CHECK(reply.code == code);
            check_text(&reply, text);
        }
    }
    qm_reply_deinit(&reply);
    guard_page_close(&guard);
}

#define GOOD(bytes, code, text)                                                \
    each_cut(bytes, sizeof(bytes) - 1, QM_OK, code, text)
#define BAD(bytes)  each_cut(bytes, sizeof(bytes) - 1, QM_E_SYNTAX, 0, "")
#define MORE(bytes) each_cut(bytes, sizeof(bytes) - 1, QM_E_AGAIN, 0, "")

static void test_good_replies(void)
{
    GOOD("250 ok\r\n", 250, "ok");
    GOOD("250\r\n", 250, "");
    GOOD("250 \r\n", 250, "");
    GOOD("250 ok\n", 250, "ok");
    GOOD("250 ok\r\r\n", 250, "ok");
    GOOD("220-one\r\n220-\r\n220 two\r\n", 220, "one two");
    GOOD("550-5.1.1 no such\r\n550 5.1.1 user\r\n", 550, "no such user");
    GOOD("550 5.1.1\r\n", 550, "");
    /* 535 of QQ before 2021: GBK bytes */
    GOOD("535 Error: \xc7\xeb\xca\xb9\xd3\xc3\xca\xda\xc8\xa8\xc2\xeb\r\n", 535,
         "Error: 请使用授权码");
}

static void test_bad_replies(void)
{
    BAD("HTTP/1.1 200 OK\r\n");
    BAD("SSH-2.0-OpenSSH\r\n");
    BAD("\r\n");
    BAD(" 220 x\r\n");
    BAD("22 x\r\n");
    BAD("2200 x\r\n");
    BAD("000 x\r\n");
    BAD("199 x\r\n");
    BAD("600 x\r\n");
    BAD("+22 x\r\n");
    BAD("0x2 x\r\n");
    BAD("220\tx\r\n");
    BAD("220_x\r\n");
    BAD("220-a\r\n250 b\r\n");
    BAD("250-a\r\n550 b\r\n");
    BAD("250 a\0b\r\n");
    BAD("\0\0\0\x1a\0\0\0\n");
}

static void test_incomplete(void)
{
    MORE("");
    MORE("2");
    MORE("250");
    MORE("250 ok");
    MORE("250 ok\r");
    MORE("250-ok\r\n");
    MORE("250-ok\r\n250 done");
}

static void test_stops_at_the_end(void)
{
    struct qm_span two = qm_span_of("250 one\r\n354 two\r\n");
    struct qm_reply reply;
    size_t used;

    qm_reply_init(&reply);
    CHECK(qm_reply_feed(&reply, two, &used) == QM_OK);
    CHECK(used == 9);
    qm_reply_reset(&reply);
    CHECK(qm_reply_feed(&reply, qm_span_from(two, used), &used) == QM_OK);
    CHECK(reply.code == 354);
    qm_reply_deinit(&reply);
}

static void check_enhanced(const char *line, unsigned status, unsigned subject,
                           unsigned detail)
{
    struct qm_reply reply;
    size_t used;

    qm_reply_init(&reply);
    CHECK(qm_reply_feed(&reply, qm_span_of(line), &used) == QM_OK);
    CHECK(reply.enhanced.status == status);
    CHECK(reply.enhanced.subject == subject);
    CHECK(reply.enhanced.detail == detail);
    qm_reply_deinit(&reply);
}

static void test_enhanced_codes(void)
{
    check_enhanced("550 5.7.139 blocked\r\n", 5, 7, 139);
    check_enhanced("250 2.0.0\r\n", 2, 0, 0);
    check_enhanced("550 4.7.1 class differs\r\n", 0, 0, 0);
    check_enhanced("550 5.7 short\r\n", 0, 0, 0);
    check_enhanced("550 5.7.1234 long\r\n", 0, 0, 0);
    check_enhanced("550 5.7.1x glued\r\n", 0, 0, 0);
    check_enhanced("550 no code\r\n", 0, 0, 0);
}

/* Endless input of one kind ends in an error, with bounded memory. */
static enum qm_err flood(struct qm_reply *reply, const char *piece)
{
    enum qm_err err = QM_E_AGAIN;
    long rounds = 0;
    size_t used;

    while (err == QM_E_AGAIN && rounds++ < 1000000) {
        err = qm_reply_feed(reply, qm_span_of(piece), &used);
    }
    return err;
}

static void test_floods(void)
{
    static const char *const pieces[] = { "2", "250-x\r\n", "250-",
                                          "220-\r\n" };
    size_t i;

    for (i = 0; i < QM_COUNTOF(pieces); i++) {
        struct qm_reply reply;

        qm_reply_init(&reply);
        CHECK(flood(&reply, pieces[i]) == QM_E_LIMIT);
        CHECK(qm_buf_len(&reply.lines) <= QM_REPLY_TOTAL_MAX);
        qm_reply_deinit(&reply);
    }
}

/* All replies of up to four bytes before the line end: no crash, sane codes. */
static void test_short_lines(void)
{
    static const char alphabet[] = "0259 -.\r\xff"
                                   "A";
    size_t base = sizeof(alphabet) - 1;
    struct guard_page guard = guard_page_open(16);
    struct qm_reply reply;
    size_t number;

    qm_reply_init(&reply);
    for (number = 0; number < base * base * base * base; number++) {
        char line[6];
        struct qm_span span;
        size_t rest = number;
        size_t used;
        size_t i;

        for (i = 0; i < 4; i++, rest /= base) {
            line[i] = alphabet[rest % base];
        }
        memcpy(line + 4, "\r\n", 2);
        span = guard_page_put(&guard, qm_span_make(line, 6));
        qm_reply_reset(&reply);
        if (qm_reply_feed(&reply, span, &used) == QM_OK) {
            CHECK(reply.code >= 200 && reply.code <= 599);
        }
    }
    qm_reply_deinit(&reply);
    guard_page_close(&guard);
}

static void test_memory(void)
{
    struct qm_reply reply;
    size_t used;
    long n;

    for (n = 0; n < 10; n++) {
        enum qm_err err;

        qm_reply_init(&reply);
        qm_mem_test_fail_after(n);
        err = qm_reply_feed(&reply, qm_span_of("250 hello\r\n"), &used);
        qm_mem_test_fail_after(-1);
        CHECK(err == (n == 0 ? QM_E_MEMORY : QM_OK));
        qm_reply_deinit(&reply);
    }
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    TEST(test_good_replies);
    TEST(test_bad_replies);
    TEST(test_incomplete);
    TEST(test_stops_at_the_end);
    TEST(test_enhanced_codes);
    TEST(test_floods);
    TEST(test_short_lines);
    TEST(test_memory);
    return check_done();
}
