#include "base/qm_utf8.h"

#include "check.h"
#include "guard_page.h"

static struct guard_page guard;

static size_t char_len(const char *bytes, size_t len)
{
    return qm_utf8_char_len(guard_page_put(&guard, qm_span_make(bytes, len)));
}

static size_t encode(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(unsigned char)(0xc0 | code >> 6);
        out[1] = (char)(unsigned char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(unsigned char)(0xe0 | code >> 12);
        out[1] = (char)(unsigned char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(unsigned char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(unsigned char)(0xf0 | code >> 18);
    out[1] = (char)(unsigned char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(unsigned char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(unsigned char)(0x80 | (code & 0x3f));
    return 4;
}

/* Each code point; no beginning of it counts as a character. */
static void every_character(void)
{
    uint32_t code;

    for (code = 0; code <= 0x10ffff; code++) {
        char bytes[4];
        size_t len = encode(code, bytes);
        bool surrogate = code >= 0xd800 && code <= 0xdfff;
        size_t cut;

        CHECK(char_len(bytes, len) == (surrogate ? 0 : len));
        for (cut = 0; cut < len; cut++) {
            CHECK(char_len(bytes, cut) == 0);
        }
    }
}

/*
 * Each sequence of two bytes, with continuations behind it: valid exactly when
 * it is how some code point is written.
 */
static void every_pair_of_bytes(void)
{
    static bool known[0x10000];
    uint32_t code;
    uint32_t pair;

    for (code = 0x80; code <= 0x10ffff; code++) {
        char bytes[4];

        if (code < 0xd800 || code > 0xdfff) {
            (void)encode(code, bytes);
            known[(unsigned char)bytes[0] << 8 | (unsigned char)bytes[1]] =
                true;
        }
    }
    for (pair = 0x8000; pair < 0x10000; pair++) {
        char bytes[4] = { (char)(unsigned char)(pair >> 8),
                          (char)(unsigned char)(pair & 0xff), '\x80', '\x80' };

        CHECK((char_len(bytes, 4) > 0) == known[pair]);
    }
}

static void later_bytes_must_be_continuations(void)
{
    int c;

    for (c = 0; c < 256; c++) {
        char three[3] = { '\xe8', '\xaf', (char)(unsigned char)c };
        char four[4] = { '\xf0', '\x9f', (char)(unsigned char)c, '\x80' };
        char last[4] = { '\xf0', '\x9f', '\x80', (char)(unsigned char)c };
        bool valid = c >= 0x80 && c <= 0xbf;

        CHECK(char_len(three, 3) == (valid ? 3 : 0));
        CHECK(char_len(four, 4) == (valid ? 4 : 0));
        CHECK(char_len(last, 4) == (valid ? 4 : 0));
    }
}

static size_t valid_prefix(const char *text)
{
    return qm_utf8_valid_prefix(guard_page_put(&guard, qm_span_of(text)));
}

static void prefix_ends_at_the_fault(void)
{
    CHECK(valid_prefix("") == 0);
    CHECK(valid_prefix("abc") == 3);
    CHECK(valid_prefix("a\xc3\xa9\xe8\xaf\xb7\xf0\x9f\x98\x80z") == 11);
    CHECK(valid_prefix("a\xe8\xaf\xb7\xe8\xaf") == 4);
    CHECK(valid_prefix("\x80") == 0);
    CHECK(valid_prefix("ab\xc0\x80") == 2);
    CHECK(valid_prefix("ab\xed\xa0\x80") == 2);
    CHECK(valid_prefix("ab\xf4\x90\x80\x80") == 2);
    CHECK(qm_utf8_valid_prefix(qm_span_make(NULL, 0)) == 0);
    CHECK(qm_utf8_is_valid(qm_span_make("a\0b", 3)));
    CHECK(!qm_utf8_is_valid(qm_span_of("a\xff")));
}

static void high_bytes(void)
{
    CHECK(!qm_utf8_has_high(qm_span_make(NULL, 0)));
    CHECK(!qm_utf8_has_high(qm_span_make("a\0\x7f", 3)));
    CHECK(qm_utf8_has_high(qm_span_of("ab\x80")));
    CHECK(qm_utf8_has_high(qm_span_of("\xff")));
}

/* Pieces of valid and of broken text, some longer than a machine word. */
static size_t random_text(char *text, size_t max, unsigned *state)
{
    static const char *const pieces[] = {
        "a",
        "plain text ",
        "\xe4\xbd\xa0\xe5\xa5\xbd",
        "\xc3\xa9",
        "\xf0\x9f\x98\x80",
        "\xed\x9f\xbf",
        "\xe0\xa0\x80",
        "\xed\xa0\x80",
        "\xe0\x80\x80",
        "\xe4\xbd",
        "\x80",
        "\xff",
    };
    unsigned kinds = *state % 3 == 0 ? 12 : 7; /* the valid ones come first */
    size_t len = 0;

    for (;;) {
        const char *piece;

        *state = *state * 1664525U + 1013904223U;
        piece = pieces[(*state >> 8) % kinds];
        if (len + strlen(piece) > max || *state % 23 == 0) {
            return len;
        }
        memcpy(text + len, piece, strlen(piece));
        len += strlen(piece);
    }
}

static size_t prefix_by_characters(struct qm_span text, bool high_only)
{
    size_t at = 0;
    size_t len;

    while ((len = qm_utf8_char_len(qm_span_from(text, at))) > 0 &&
           !(high_only && len == 1)) {
        at += len;
    }
    return at;
}

static void runs_are_those_of_single_characters(void)
{
    unsigned random = 7;
    char text[64];
    int round;

    for (round = 0; round < 20000; round++) {
        size_t len = random_text(text, sizeof(text), &random);
        struct qm_span put = guard_page_put(&guard, qm_span_make(text, len));
        size_t high = 0;

        while (high < len && (unsigned char)text[high] < 0x80) {
            high++;
        }
        CHECK(qm_utf8_valid_prefix(put) == prefix_by_characters(put, false));
        CHECK(qm_utf8_run_of_high(put) == prefix_by_characters(put, true));
        CHECK(qm_utf8_has_high(put) == (high < len));
    }
}

int main(void)
{
    guard = guard_page_open(64);
    TEST(every_character);
    TEST(every_pair_of_bytes);
    TEST(later_bytes_must_be_continuations);
    TEST(prefix_ends_at_the_fault);
    TEST(high_bytes);
    TEST(runs_are_those_of_single_characters);
    guard_page_close(&guard);
    return check_done();
}
