#include "codec/qm_run.h"

#include "check.h"
#include "guard_page.h"

/* Long ones are looked at with wider instructions. */
enum { TEXT_MAX = 1600, USUAL_MAX = 200, ROUNDS = 20000 };

/* One byte after the other. */
static size_t lines_bytewise(const char *text, size_t len, bool at_start,
                             bool dots)
{
    size_t at = 0;

    while (at < len) {
        if (text[at] == '\r' && at + 1 < len && text[at + 1] == '\n') {
            at += 2;
            at_start = true;
            continue;
        }
        if (text[at] == '\r' || text[at] == '\n' ||
            (text[at] == '.' && at_start && dots)) {
            return at;
        }
        at_start = false;
        at++;
    }
    return at;
}

static size_t plain_bytewise(const char *text, size_t len)
{
    size_t at = 0;

    while (at < len && text[at] != '=' &&
           (text[at] == '\t' || (text[at] >= 0x20 && text[at] < 0x7f))) {
        at++;
    }
    return at;
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

static void check_kinds(struct qm_span text)
{
    struct qm_run_kinds kinds = qm_run_kinds(text.ptr, text.len);
    uint64_t plain = 0;
    uint64_t high = 0;
    size_t at;

    for (at = 0; at < QM_RUN_BLOCK && at < text.len; at++) {
        plain |= (uint64_t)plain_bytewise(text.ptr + at, 1) << at;
        high |= (uint64_t)((unsigned char)text.ptr[at] >= 0x80) << at;
    }
    CHECK(kinds.plain == plain && kinds.high == high);
}

static void check_same(struct qm_span text)
{
    size_t shape;

    for (shape = 0; shape < 4; shape++) {
        bool start = (shape & 1) != 0;
        bool dots = (shape & 2) != 0;

        CHECK(qm_run_of_lines(text.ptr, text.len, start, dots) ==
              lines_bytewise(text.ptr, text.len, start, dots));
    }
    CHECK(qm_run_of_plain(text.ptr, text.len) ==
          plain_bytewise(text.ptr, text.len));
    check_kinds(text);
}

/* Mostly harmless, so that runs get long; what matters comes by chance. */
static char random_byte(unsigned *state, unsigned rarity)
{
    static const char special[] = "\r\n.=\t \x7f\x80\xff\x1f~";
    unsigned value = next_random(state);

    if (value % rarity == 0) {
        return special[(value >> 8) % (sizeof(special) - 1)];
    }
    return (char)('a' + (int)(value % 26));
}

static size_t random_text(char *text, unsigned *state)
{
    unsigned rarity = 1 + next_random(state) % 90;
    size_t most = next_random(state) % 16 == 0 ? TEXT_MAX : USUAL_MAX;
    size_t len = next_random(state) % most;
    size_t i;

    for (i = 0; i < len; i++) {
        text[i] = random_byte(state, rarity);
        if (next_random(state) % 30 == 0 && i + 1 < len) {
            text[i++] = '\r';
            text[i] = '\n';
        }
    }
    return len;
}

static void answers_as_a_look_at_each_byte(void)
{
    struct guard_page guard = guard_page_open(TEXT_MAX);
    char text[TEXT_MAX];
    unsigned random = 5;
    size_t round;

    for (round = 0; round < ROUNDS; round++) {
        size_t len = random_text(text, &random);

        check_same(guard_page_put(&guard, qm_span_make(text, len)));
    }
    guard_page_close(&guard);
}

/* Each byte at each place around the ends of blocks, alone and in pairs. */
static void knows_every_byte_at_every_place(void)
{
    char text[140];
    unsigned value;
    size_t at;

    for (at = 0; at + 1 < sizeof(text); at++) {
        for (value = 0; value < 256; value++) {
            memset(text, 'x', sizeof(text));
            text[at] = (char)(unsigned char)value;
            check_same(qm_span_make(text, sizeof(text)));
            check_same(qm_span_make(text, at + 1));
            text[at + 1] = value % 2 == 0 ? '\n' : '.';
            check_same(qm_span_make(text, sizeof(text)));
        }
    }
}

static void takes_a_whole_text_of_lines(void)
{
    static char text[78 * 100];
    size_t i;

    for (i = 0; i < sizeof(text); i++) {
        text[i] = i % 78 == 76 ? '\r' : i % 78 == 77 ? '\n' : 'x';
    }
    CHECK(qm_run_of_lines(text, sizeof(text), true, true) == sizeof(text));
    CHECK(qm_run_of_lines(text, sizeof(text) - 1, true, true) ==
          sizeof(text) - 2);
    text[78 * 99] = '.';
    CHECK(qm_run_of_lines(text, sizeof(text), true, true) == 78 * 99);
    CHECK(qm_run_of_lines(text, sizeof(text), true, false) == sizeof(text));
    CHECK(qm_run_of_lines(NULL, 0, true, true) == 0);
    CHECK(qm_run_of_plain(NULL, 0) == 0);
}

int main(void)
{
    TEST(answers_as_a_look_at_each_byte);
    TEST(knows_every_byte_at_every_place);
    TEST(takes_a_whole_text_of_lines);
    return check_done();
}
