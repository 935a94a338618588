#include "codec/qm_fold.h"

#include "base/qm_mem.h"
#include "check.h"
#include "codec/qm_word.h"
#include "guard_page.h"

enum { BIG = 1 << 20 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t unfold(struct qm_span field, char *out)
{
    size_t len = 0;
    size_t i;

    for (i = 0; i < field.len; i++) {
        if (field.ptr[i] != '\r' && field.ptr[i] != '\n') {
            out[len++] = field.ptr[i];
        }
    }
    return len;
}

/* No line too long, none of white space alone, each but the first indented. */
static void check_lines(struct qm_span field, bool narrow)
{
    size_t start = 0;

    CHECK(field.len > 2 && field.ptr[field.len - 1] == '\n');
    while (start < field.len) {
        size_t end = start;
        size_t blanks = 0;

        while (field.ptr[end] != '\r') {
            blanks += is_blank(field.ptr[end]) ? 1 : 0;
            end++;
        }
        CHECK(field.ptr[end + 1] == '\n');
        CHECK(end - start <= (narrow ? QM_FOLD_AIM : QM_FOLD_MAX));
        CHECK(blanks < end - start);
        CHECK(start == 0 || is_blank(field.ptr[start]));
        start = end + 2;
    }
}

static void check_field(const char *value, size_t len, bool narrow)
{
    static char unfolded[BIG];
    static char expected[BIG];
    size_t expected_len = unfold(qm_span_make(value, len), expected);
    struct qm_buf out;

    qm_buf_init(&out, BIG, false);
    CHECK(qm_fold_field(&out, qm_span_of("Subject"),
                        qm_span_make(value, len)) == QM_OK);
    check_lines(qm_buf_span(&out), narrow);
    CHECK(unfold(qm_buf_span(&out), unfolded) >= 8 + expected_len);
    CHECK(memcmp(unfolded, "Subject:", 8) == 0);
    CHECK(memcmp(unfolded + 8, expected, expected_len) == 0 ||
          (unfolded[8] == ' ' &&
           memcmp(unfolded + 9, expected, expected_len) == 0));
    qm_buf_deinit(&out);
}

static void check_text(const char *value, const char *expected)
{
    struct qm_buf out;

    qm_buf_init(&out, BIG, false);
    CHECK(qm_fold_field(&out, qm_span_of("To"), qm_span_of(value)) == QM_OK);
    check_bytes(__FILE__, __LINE__, qm_buf_span(&out).ptr, qm_buf_len(&out),
                expected, strlen(expected));
    qm_buf_deinit(&out);
}

static void test_names(void)
{
    char name[80];
    unsigned c;

    memset(name, 'x', sizeof(name));
    CHECK(qm_fold_is_field_name(qm_span_of("Subject")));
    CHECK(qm_fold_is_field_name(qm_span_of("X-Mailer_2")));
    CHECK(!qm_fold_is_field_name(qm_span_of("")));
    CHECK(qm_fold_is_field_name(qm_span_make(name, 76)));
    CHECK(!qm_fold_is_field_name(qm_span_make(name, 77)));
    for (c = 0; c < 256; c++) {
        char one[3] = { 'a', (char)c, 'b' };
        bool good = c > 0x20 && c < 0x7f && c != ':';

        CHECK(qm_fold_is_field_name(qm_span_make(one, 3)) == good);
    }
}

static void test_short_values(void)
{
    check_text("", "To: \r\n");
    check_text("a@b.cn", "To: a@b.cn\r\n");
    check_text("  a  b  ", "To:   a  b  \r\n");
    check_text("a\tb", "To: a\tb\r\n");
    check_text("a;\r\n b", "To: a;\r\n b\r\n");
    check_text("\r\n b", "To:\r\n b\r\n");
    check_text("a \r\n\t b", "To: a\r\n \t b\r\n");
    check_text("a\r\n \r\n b", "To: a\r\n  b\r\n");
    check_text("a\r\n ", "To: a \r\n");
    check_text("\r\n ", "To:  \r\n");
}

static void test_breaks_at_78(void)
{
    char value[400];
    size_t step;

    for (step = 1; step < 60; step++) {
        size_t i;

        for (i = 0; i < sizeof(value); i++) {
            value[i] = i % (step + 1) == step ? ' ' : 'a';
        }
        value[sizeof(value) - 1] = 'z';
        check_field(value, sizeof(value), true);
    }
}

/* 76 and not 78 columns as soon as an encoded-word is on the line. */
static void test_lines_with_words_are_narrower(void)
{
    check_text("=?UTF-8?Q?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?= "
               "aaaaaaaaaaaaaaaaaa",
               "To: =?UTF-8?Q?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?= "
               "aaaaaaaaaaaaaaaaaa\r\n");
    check_text("=?UTF-8?Q?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?= "
               "aaaaaaaaaaaaaaaaaaa",
               "To: =?UTF-8?Q?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?=\r\n"
               " aaaaaaaaaaaaaaaaaaa\r\n");
}

static void test_runs_of_blanks(void)
{
    char value[400];
    size_t blanks;

    for (blanks = 60; blanks < 300; blanks++) {
        memset(value, ' ', sizeof(value));
        value[0] = 'a';
        value[blanks + 1] = 'b';
        check_field(value, blanks + 2, false);
        check_field(value, blanks, false);
        check_field(value + 1, blanks, false);
    }
}

static void test_too_long_only_beyond_998(void)
{
    char value[1200];
    struct qm_buf out;

    qm_buf_init(&out, BIG, false);
    memset(value, 'a', sizeof(value));
    CHECK(qm_fold_field(&out, qm_span_of("To"), qm_span_make(value, 994)) ==
          QM_OK);
    CHECK(qm_buf_len(&out) == 1000);
    qm_buf_reset(&out);
    CHECK(qm_fold_field(&out, qm_span_of("To"), qm_span_make(value, 995)) ==
          QM_E_TOO_LONG);
    CHECK(qm_buf_len(&out) == 0);
    value[3] = ' ';
    CHECK(qm_fold_field(&out, qm_span_of("To"), qm_span_make(value, 1001)) ==
          QM_OK);
    qm_buf_reset(&out);
    CHECK(qm_fold_field(&out, qm_span_of("To"), qm_span_make(value, 1002)) ==
          QM_E_TOO_LONG);
    memset(value, ' ', sizeof(value));
    CHECK(qm_fold_field(&out, qm_span_of("To"),
                        qm_span_make(value, sizeof(value))) == QM_E_TOO_LONG);
    CHECK(qm_buf_len(&out) == 0);
    qm_buf_deinit(&out);
}

static void test_quoted_parameters_stay_whole(void)
{
    check_text("attachment; filename=\"a b c d e f g h i j k l m n o p q r s t "
               "u v w x y z and so on.pdf\"; x=y",
               "To: attachment;\r\n filename=\"a b c d e f g h i j k l m n o p "
               "q r s t u v w x y z and so on.pdf\";\r\n x=y\r\n");
    check_text(
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
        "\"Doe, John\" <a@b>",
        "To: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaa\r\n \"Doe, John\" <a@b>\r\n");
}

static void test_controls_are_refused(void)
{
    struct qm_buf out;
    unsigned c;

    qm_buf_init(&out, BIG, false);
    for (c = 0; c < 256; c++) {
        char value[3] = { 'a', (char)c, 'b' };
        bool bad = (c < 0x20 && c != '\t') || c == 0x7f;

        CHECK(qm_fold_field(&out, qm_span_of("To"), qm_span_make(value, 3)) ==
              (bad ? QM_E_CONTROL : QM_OK));
    }
    qm_buf_reset(&out);
    CHECK(qm_fold_field(&out, qm_span_of("To"), qm_span_of("a\r\nBcc: b")) ==
          QM_E_CONTROL);
    CHECK(qm_fold_field(&out, qm_span_of("To"), qm_span_of("a\r\n")) ==
          QM_E_CONTROL);
    CHECK(qm_fold_field(&out, qm_span_of("To"), qm_span_of("a\n b")) ==
          QM_E_CONTROL);
    CHECK(qm_fold_field(&out, qm_span_of("To"), qm_span_of("a\r b")) ==
          QM_E_CONTROL);
    CHECK(qm_fold_field(&out, qm_span_of("To\r\nX"), qm_span_of("a")) ==
          QM_E_SYNTAX);
    CHECK(qm_buf_len(&out) == 0);
    qm_buf_deinit(&out);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 16;
}

/* Random values of the characters that matter: nothing lost, no bad line. */
static void test_random_values(void)
{
    static const char alphabet[] = "aaaab  \t\"\"\\=?;,";
    uint32_t seed = 7;
    char value[900];
    int round;

    for (round = 0; round < 3000; round++) {
        size_t len = next_random(&seed) % sizeof(value);
        size_t i;

        for (i = 0; i < len; i++) {
            value[i] = alphabet[next_random(&seed) % (sizeof(alphabet) - 1)];
        }
        for (i = 3; i + 3 < len; i += 3 + next_random(&seed) % 80) {
            memcpy(value + i, "\r\n ", 3);
        }
        if (len > 0 && value[0] != '\r') {
            check_field(value, len, false);
        }
    }
}

/* Quotes that never end must not be searched again and again. */
static void test_quotes_without_end(void)
{
    static char value[BIG / 2];
    struct qm_buf out;
    size_t i;

    for (i = 0; i < sizeof(value); i++) {
        value[i] = "\"\\ a"[i % 4];
    }
    qm_buf_init(&out, 2 * BIG, false);
    CHECK(qm_fold_field(&out, qm_span_of("To"),
                        qm_span_make(value, sizeof(value))) == QM_OK);
    check_lines(qm_buf_span(&out), false);
    qm_buf_deinit(&out);
}

static void test_guard_page(void)
{
    static const char value[] = "\r\n a \"b\\\" c\" =?x?= \t\r\n\t\"d\r\n e ";
    struct guard_page guard = guard_page_open(4096);
    size_t len;

    for (len = 0; len < sizeof(value); len++) {
        struct qm_span text = guard_page_put(&guard, qm_span_make(value, len));
        struct qm_buf out;

        qm_buf_init(&out, BIG, false);
        CHECK(qm_fold_field(&out, qm_span_of("To"), text) != QM_E_MEMORY);
        qm_buf_deinit(&out);
    }
    guard_page_close(&guard);
}

static void test_allocation_failures(void)
{
    char value[900];
    long n;

    memset(value, 'x', sizeof(value));
    for (n = 0; n < 10; n++) {
        struct qm_buf out;
        enum qm_err err;

        qm_buf_init(&out, BIG, false);
        qm_mem_test_fail_after(n);
        err = qm_fold_field(&out, qm_span_of("To"),
                            qm_span_make(value, sizeof(value)));
        qm_mem_test_fail_after(-1);
        CHECK(err == QM_OK || (err == QM_E_MEMORY && qm_buf_len(&out) == 0));
        qm_buf_deinit(&out);
    }
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    TEST(test_names);
    TEST(test_short_values);
    TEST(test_breaks_at_78);
    TEST(test_lines_with_words_are_narrower);
    TEST(test_runs_of_blanks);
    TEST(test_too_long_only_beyond_998);
    TEST(test_quoted_parameters_stay_whole);
    TEST(test_controls_are_refused);
    TEST(test_random_values);
    TEST(test_quotes_without_end);
    TEST(test_guard_page);
    TEST(test_allocation_failures);
    return check_done();
}
