#include "codec/qm_word.h"

#include "base/qm_mem.h"
#include "check.h"
#include "codec/qm_base64.h"
#include "guard_page.h"

enum { BIG = 1 << 20 };

static const char emoji_text[] =
    "\xe6\x9c\x88\xe5\xba\xa6\xe6\x8a\xa5\xe8\xa1\xa8 \xf0\x9f\x93\x8a "
    "\xc3\xa9t\xc3\xa9 2026 \xe7\x98\x8a\xe7\x98\x8d\xe5\x98\x8a";

static size_t take_encoded(const char *text, char *out, char kind)
{
    size_t len = strcspn(text, "?");
    size_t written = 0;
    size_t i;

    if (kind == 'B') {
        CHECK(qm_base64_decode(qm_span_make(text, len), out, &written) ==
              QM_OK);
        return written;
    }
    for (i = 0; i < len; i++) {
        char hex[3] = { 0 };

        if (text[i] == '=') {
            memcpy(hex, text + i + 1, 2);
            out[written++] = (char)strtol(hex, NULL, 16);
            i += 2;
        } else {
            out[written++] = text[i] == '_' ? ' ' : text[i];
        }
    }
    return written;
}

/* A reader of our own output, checking every length rule on the way. */
static size_t decode(struct qm_span words, size_t column, char *out)
{
    size_t total = 0;
    size_t at = 0;

    while (at < words.len) {
        const char *word = words.ptr + at;
        const char *end = strstr(word + 10, "?=");
        size_t len = (size_t)(end - word) + 2;
        size_t got = take_encoded(word + 10, out + total, word[8]);

        CHECK(strncmp(word, "=?UTF-8?", 8) == 0);
        CHECK(len <= QM_WORD_MAX);
        CHECK(column + len <= QM_WORD_LINE);
        CHECK(got > 0);
        total += got;
        at += len;
        if (at < words.len) {
            CHECK(strncmp(words.ptr + at, "\r\n =?", 5) == 0);
            at += 3;
            column = 1;
        }
    }
    return total;
}

static void check_round_trip(struct qm_span text, enum qm_word_place place,
                             size_t column)
{
    struct qm_buf out;
    static char decoded[BIG];
    struct qm_span words;

    qm_buf_init(&out, BIG, false);
    CHECK(qm_word_encode(&out, text, place, column) == QM_OK);
    CHECK(qm_buf_append_char(&out, '\0') == QM_OK);
    words = qm_buf_span(&out);
    words.len--;
    if (words.len > 3 && words.ptr[0] == '\r') {
        CHECK(column > 50);
        words = qm_span_from(words, 3);
        column = 1;
    }
    CHECK(decode(words, column, decoded) == text.len);
    CHECK(memcmp(decoded, text.ptr, text.len) == 0);
    qm_buf_deinit(&out);
}

static void check_encoded(const char *text, enum qm_word_place place,
                          size_t column, const char *expected)
{
    struct qm_buf out;

    qm_buf_init(&out, BIG, false);
    CHECK(qm_word_encode(&out, qm_span_of(text), place, column) == QM_OK);
    check_bytes(__FILE__, __LINE__, qm_buf_span(&out).ptr, qm_buf_len(&out),
                expected, strlen(expected));
    qm_buf_deinit(&out);
}

static void test_needed(void)
{
    char run[QM_WORD_PLAIN_RUN + 1];

    CHECK(!qm_word_needed(qm_span_of("")));
    CHECK(!qm_word_needed(qm_span_of("plain text, a=b? no")));
    CHECK(qm_word_needed(qm_span_of("\xe4\xb8\xad")));
    CHECK(qm_word_needed(qm_span_of("x =?UTF-8?B?eA==?=")));
    CHECK(!qm_word_needed(qm_span_of("?=")));
    memset(run, 'a', sizeof(run));
    CHECK(qm_word_needed(qm_span_make(run, sizeof(run))));
    CHECK(!qm_word_needed(qm_span_make(run, sizeof(run) - 1)));
    run[400] = ' ';
    CHECK(!qm_word_needed(qm_span_make(run, sizeof(run))));
}

static void test_known_forms(void)
{
    check_encoded("", QM_WORD_TEXT, 0, "");
    check_encoded("\xe6\x9c\xba\xe5\x99\xa8\xe4\xba\xba", QM_WORD_PHRASE, 6,
                  "=?UTF-8?B?5py65Zmo5Lq6?=");
    check_encoded("Keld J\xc3\xb8rn Simonsen", QM_WORD_PHRASE, 6,
                  "=?UTF-8?Q?Keld_J=C3=B8rn_Simonsen?=");
    check_encoded("a.b, (\xc3\xa9) = _?", QM_WORD_TEXT, 0,
                  "=?UTF-8?B?YS5iLCAow6kpID0gXz8=?=");
    check_encoded("a.b, (\xc3\xa9) is plain enough", QM_WORD_TEXT, 0,
                  "=?UTF-8?Q?a.b,_(=C3=A9)_is_plain_enough?=");
    check_encoded("a.b, \xc3\xa9 is plain enough", QM_WORD_PHRASE, 0,
                  "=?UTF-8?Q?a=2Eb=2C_=C3=A9_is_plain_enough?=");
    check_encoded("R\xc3\xa9sum\xc3\xa9 final version.pdf", QM_WORD_QUOTED, 0,
                  "=?UTF-8?B?UsOpc3Vtw6kgZmluYWwgdmVyc2lvbi5wZGY=?=");
}

static void test_blanks_survive(void)
{
    static const char *const texts[] = {
        " \xe4\xb8\xad ",
        "  \xe4\xb8\xad  \xe6\x96\x87  ",
        "\xc3\xa9       a       b       c       d       e       f       g    ",
        "\t\xe4\xb8\xad\t",
        "=?",
        "plain ascii too",
        "=?UTF-8?Q?x?= y"
    };
    size_t i;

    for (i = 0; i < QM_COUNTOF(texts); i++) {
        check_round_trip(qm_span_of(texts[i]), QM_WORD_TEXT, 9);
        check_round_trip(qm_span_of(texts[i]), QM_WORD_PHRASE, 6);
        check_round_trip(qm_span_of(texts[i]), QM_WORD_QUOTED, 7);
    }
}

/* Every column, every length: words never pass 75, lines never 76. */
static void test_all_columns_and_lengths(void)
{
    char text[600] = { 0 };
    size_t fill = 0;
    size_t column;

    while (fill + sizeof(emoji_text) - 1 < sizeof(text)) {
        memcpy(text + fill, emoji_text, sizeof(emoji_text) - 1);
        fill += sizeof(emoji_text) - 1;
    }
    for (column = 0; column < 120; column++) {
        check_round_trip(qm_span_make(text, fill), QM_WORD_TEXT, column);
        check_round_trip(qm_span_make(text, fill), QM_WORD_PHRASE, column);
        check_round_trip(qm_span_make(text, fill), QM_WORD_QUOTED, column);
    }
    for (; fill > 0; fill--) {
        if (((unsigned char)text[fill] & 0xc0) != 0x80) {
            check_round_trip(qm_span_make(text, fill), QM_WORD_TEXT, 9);
        }
    }
}

static void test_each_ascii_character(void)
{
    unsigned c;

    for (c = ' '; c < 0x7f; c++) {
        char text[4] = { (char)c, (char)c, (char)0xc3, (char)0xa9 };

        check_round_trip(qm_span_make(text, 4), QM_WORD_TEXT, 9);
        check_round_trip(qm_span_make(text, 4), QM_WORD_PHRASE, 9);
    }
}

static void test_refusals_leave_out_unchanged(void)
{
    static const struct {
        const char *text;
        size_t len;
        enum qm_err err;
    } cases[] = { { "a\r\nBcc: x", 9, QM_E_CONTROL },
                  { "a\0b", 3, QM_E_CONTROL },
                  { "\x7f", 1, QM_E_CONTROL },
                  { "\x1b[0m", 4, QM_E_CONTROL },
                  { "\xe4\xb8", 2, QM_E_UTF8 },
                  { "\xed\xa0\x80", 3, QM_E_UTF8 },
                  { "ok \xc0\xaf", 5, QM_E_UTF8 },
                  { "\xff", 1, QM_E_UTF8 },
                  { "\xf8\x88\x80\x80\x80", 5, QM_E_UTF8 } };
    struct qm_buf out;
    size_t i;

    qm_buf_init(&out, 64, false);
    CHECK(qm_buf_append_text(&out, "Subject: ") == QM_OK);
    for (i = 0; i < QM_COUNTOF(cases); i++) {
        CHECK(qm_word_encode(&out, qm_span_make(cases[i].text, cases[i].len),
                             QM_WORD_TEXT, 9) == cases[i].err);
        CHECK_BYTES(qm_buf_span(&out).ptr, qm_buf_len(&out), "Subject: ");
    }
    CHECK(qm_word_encode(&out, qm_span_of(emoji_text), QM_WORD_TEXT, 9) ==
          QM_E_LIMIT);
    CHECK_BYTES(qm_buf_span(&out).ptr, qm_buf_len(&out), "Subject: ");
    qm_buf_deinit(&out);
}

static void test_guard_page(void)
{
    struct guard_page guard = guard_page_open(4096);
    size_t len;

    for (len = 0; len < sizeof(emoji_text); len++) {
        struct qm_span text =
            guard_page_put(&guard, qm_span_make(emoji_text, len));
        struct qm_buf out;

        (void)qm_word_needed(text);
        qm_buf_init(&out, BIG, false);
        CHECK(qm_word_encode(&out, text, QM_WORD_TEXT, 9) != QM_E_MEMORY);
        qm_buf_deinit(&out);
    }
    guard_page_close(&guard);
}

static void test_allocation_failures(void)
{
    char text[900];
    long n;

    memset(text, 'x', sizeof(text));
    memcpy(text, "\xc3\xa9", 2);
    for (n = 0; n < 10; n++) {
        struct qm_buf out;
        enum qm_err err;

        qm_buf_init(&out, BIG, false);
        qm_mem_test_fail_after(n);
        err = qm_word_encode(&out, qm_span_make(text, sizeof(text)),
                             QM_WORD_TEXT, 9);
        qm_mem_test_fail_after(-1);
        CHECK(err == QM_OK || (err == QM_E_MEMORY && qm_buf_len(&out) == 0));
        qm_buf_deinit(&out);
    }
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    TEST(test_needed);
    TEST(test_known_forms);
    TEST(test_blanks_survive);
    TEST(test_all_columns_and_lengths);
    TEST(test_each_ascii_character);
    TEST(test_refusals_leave_out_unchanged);
    TEST(test_guard_page);
    TEST(test_allocation_failures);
    return check_done();
}
