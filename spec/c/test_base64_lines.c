#include "codec/qm_base64_lines.h"

#include "check.h"
#include "guard_page.h"

enum { LINES_MAX = 9, IN_MAX = LINES_MAX * QM_BASE64_LINE_IN };

/* By arithmetic on each character, so that it shares no table with the rest. */
static char letter_of(unsigned value)
{
    if (value < 26) {
        return (char)('A' + (int)value);
    }
    if (value < 52) {
        return (char)('a' + (int)value - 26);
    }
    if (value < 62) {
        return (char)('0' + (int)value - 52);
    }
    return value == 62 ? '+' : '/';
}

static void reference(const unsigned char *in, size_t lines, char *out)
{
    size_t line;
    size_t i;

    for (line = 0; line < lines; line++) {
        for (i = 0; i < 76; i++) {
            size_t bit = i * 6;
            unsigned pair = (unsigned)in[bit / 8] << 8;

            pair |= bit / 8 + 1 < QM_BASE64_LINE_IN ? in[bit / 8 + 1] : 0;
            *out++ = letter_of(pair >> (10 - bit % 8) & 0x3f);
        }
        *out++ = '\r';
        *out++ = '\n';
        in += QM_BASE64_LINE_IN;
    }
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 24;
}

static void fill(unsigned char *bytes, size_t len, unsigned *state)
{
    size_t i;

    for (i = 0; i < len; i++) {
        bytes[i] = (unsigned char)next_random(state);
    }
}

/* Bytes around the output show whether one too many was written. */
static void check_encoder(const struct qm_base64_encoder *encoder,
                          const unsigned char *in, size_t lines, size_t shift)
{
    static char got[64 + LINES_MAX * QM_BASE64_LINE_OUT + 1];
    static char expected[LINES_MAX * QM_BASE64_LINE_OUT];
    size_t len = lines * QM_BASE64_LINE_OUT;

    memset(got, '#', sizeof(got));
    reference(in, lines, expected);
    encoder->encode(in, lines, got + shift + 1);
    CHECK(memcmp(got + shift + 1, expected, len) == 0);
    CHECK(got[shift] == '#' && got[shift + 1 + len] == '#');
}

static void is_the_same_for_all_encoders(void)
{
    static unsigned char bytes[IN_MAX + 64];
    const struct qm_base64_encoder *encoder;
    unsigned random = 7;
    size_t index;
    size_t round;

    for (index = 0; (encoder = qm_base64_encoder_at(index)) != NULL; index++) {
        for (round = 0; round < 2000; round++) {
            size_t lines = round % (LINES_MAX + 1);

            fill(bytes, sizeof(bytes), &random);
            check_encoder(encoder, bytes + round % 64, lines, (round * 5) % 64);
        }
    }
}

/* Each of the 64 characters at each place of a line, and nothing beside it. */
static void knows_every_value_at_every_place(void)
{
    const struct qm_base64_encoder *encoder;
    size_t index;
    size_t place;
    unsigned value;

    for (index = 0; (encoder = qm_base64_encoder_at(index)) != NULL; index++) {
        for (place = 0; place < 76; place++) {
            for (value = 0; value < 64; value++) {
                unsigned char in[QM_BASE64_LINE_IN + 1] = { 0 };
                size_t bit = place * 6;
                unsigned pair = value << (10 - bit % 8);

                in[bit / 8] = (unsigned char)(pair >> 8);
                in[bit / 8 + 1] |= (unsigned char)(pair & 0xff);
                check_encoder(encoder, in, 1, 0);
            }
        }
    }
}

static void reads_nothing_behind_its_input(void)
{
    static unsigned char bytes[IN_MAX];
    struct guard_page guard = guard_page_open(IN_MAX);
    const struct qm_base64_encoder *encoder;
    unsigned random = 1;
    size_t index;
    size_t lines;

    fill(bytes, sizeof(bytes), &random);
    for (index = 0; (encoder = qm_base64_encoder_at(index)) != NULL; index++) {
        for (lines = 0; lines <= LINES_MAX; lines++) {
            struct qm_span in = guard_page_put(
                &guard, qm_span_make((char *)bytes, lines * QM_BASE64_LINE_IN));

            check_encoder(encoder, (const unsigned char *)in.ptr, lines, 0);
        }
    }
    guard_page_close(&guard);
}

static void begins_with_the_best_and_ends_with_portable(void)
{
    const struct qm_base64_encoder *encoder = qm_base64_encoder_at(0);
    size_t count = 0;

    CHECK(encoder != NULL && encoder->encode == qm_base64_lines_best());
    while (qm_base64_encoder_at(count) != NULL) {
        encoder = qm_base64_encoder_at(count++);
    }
    CHECK(strcmp(encoder->name, "portable") == 0);
    CHECK(qm_base64_encoder_at(count + 5) == NULL);
}

int main(void)
{
    TEST(is_the_same_for_all_encoders);
    TEST(knows_every_value_at_every_place);
    TEST(reads_nothing_behind_its_input);
    TEST(begins_with_the_best_and_ends_with_portable);
    return check_done();
}
