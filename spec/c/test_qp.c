#include "codec/qm_qp.h"

#include "base/qm_ascii.h"
#include "base/qm_utf8.h"
#include "stream.h"

static struct qm_qp state;

static void start(void)
{
    qm_qp_init(&state);
}

static void update(struct qm_span input, char *out, size_t cap,
                   size_t *used_out, size_t *written_out)
{
    qm_qp_update(&state, input, out, cap, used_out, written_out);
}

static size_t finish(char *out)
{
    return qm_qp_finish(&state, out);
}

static const struct stream encoder = { start, update, finish, 64, 64 };

static size_t normalise(struct qm_span input, char *out)
{
    size_t len = 0;
    size_t i;

    for (i = 0; i < input.len; i++) {
        char c = input.ptr[i];

        if (c == '\n' && i > 0 && input.ptr[i - 1] == '\r') {
            continue;
        }
        if (c == '\r' || c == '\n') {
            out[len++] = '\r';
            c = '\n';
        }
        out[len++] = c;
    }
    return len;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Strict: false for anything RFC 2045 section 6.7 does not allow. */
static bool decode(struct qm_span text, char *out, size_t *len_out)
{
    size_t len = 0;
    size_t at = 0;

    while (at < text.len) {
        const char *here = text.ptr + at;
        size_t left = text.len - at;
        int high = left > 2 ? hex_value(here[1]) : -1;
        int low = left > 2 ? hex_value(here[2]) : -1;

        if (*here == '=' && left > 2 && memcmp(here + 1, "\r\n", 2) == 0) {
            at += 3;
        } else if (*here == '=') {
            if (high < 0 || low < 0) {
                return false;
            }
            out[len++] = (char)(unsigned char)(high * 16 + low);
            at += 3;
        } else {
            out[len++] = *here;
            at++;
        }
    }
    *len_out = len;
    return true;
}

static bool starts_with(struct qm_span line, const char *text)
{
    size_t len = strlen(text);

    return line.len >= len && memcmp(line.ptr, text, len) == 0;
}

/* One line without its CRLF. */
static void check_line(struct qm_span line)
{
    size_t i;

    CHECK(line.len <= 76);
    CHECK(!starts_with(line, ".") && !starts_with(line, "From "));
    CHECK(line.len == 0 ||
          !qm_ascii_is_blank((unsigned char)line.ptr[line.len - 1]));
    for (i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];

        CHECK(qm_ascii_is_visible(c) || qm_ascii_is_blank(c));
    }
}

static void check_lines(struct qm_span text)
{
    size_t from = 0;
    size_t at;

    for (at = 0; at < text.len; at++) {
        if (text.ptr[at] == '\n') {
            CHECK(at > 0 && text.ptr[at - 1] == '\r');
            check_line(qm_span_make(text.ptr + from, at - 1 - from));
            from = at + 1;
        }
    }
    check_line(qm_span_from(text, from));
}

static void check_input(struct qm_span input)
{
    static char expected[STREAM_OUT_MAX];
    static char decoded[STREAM_OUT_MAX];
    size_t expected_len = normalise(input, expected);
    struct qm_span text = stream_whole(&encoder, input);
    size_t decoded_len = 0;

    check_lines(text);
    CHECK(decode(text, decoded, &decoded_len));
    CHECK(qm_span_equal(qm_span_make(decoded, decoded_len),
                        qm_span_make(expected, expected_len)));
}

#define A10 "aaaaaaaaaa"
#define A70 A10 A10 A10 A10 A10 A10 A10

static const char *const answers[][2] = {
    { "", "" },
    { "foo bar=", "foo bar=3D" },
    { "a\rb\nc\r\nd\r\r\n\n", "a\r\nb\r\nc\r\nd\r\n\r\n\r\n" },
    { "a ", "a=20" },
    { "a\t", "a=09" },
    { "a  \n ", "a =20\r\n=20" },
    { " a b ", " a b=20" },
    { "\xc2\xa1Hola Se\xc3\xb1or!", "=C2=A1Hola Se=C3=B1or!" },
    { "\x01\x7f", "=01=7F" },
    { ".", "=2E" },
    { "..\n.a.\n", "=2E.\r\n=2Ea.\r\n" },
    { "From me", "=46rom me" },
    { "From \n", "=46rom=20\r\n" },
    { "From\t", "From=09" },
    { "Fr\nFro\nFrom\nFromm\nFFrom F", "Fr\r\nFro\r\nFrom\r\nFromm\r\n"
                                       "FFrom F" },
    { " From me\nxFrom me", " From me\r\nxFrom me" },
    { "From=", "From=3D" },
    { A70 "12345", A70 "12345" },
    { A70 "12345\n", A70 "12345\r\n" },
    { A70 "123456", A70 "12345=\r\n6" },
    { A70 "12=", A70 "12=3D" },
    { A70 "123=", A70 "123=\r\n=3D" },
    { A70 "12 ", A70 "12=20" },
    { A70 "123 ", A70 "123=\r\n=20" },
    { A70 "1234 \n", A70 "1234=\r\n=20\r\n" },
    { A70 "1234 5", A70 "1234 =\r\n5" },
    { A70 "12345.", A70 "12345=\r\n=2E" },
    { A70 "12345From me", A70 "12345=\r\n=46rom me" },
    { A70 "\xe8\xaf\xb7", A70 "=\r\n=E8=AF=B7" },
    { A10 A10 A10 A10 A10 A10 "123456\xf0\x9f\x98\x80",
      A10 A10 A10 A10 A10 A10 "123456=\r\n=F0=9F=98=80" },
    { A70 "\xe8\xaf", A70 "=\r\n=E8=AF" },
    { A70 "\xe8z", A70 "=E8z" },
    { A70 "\xaf\xaf\xaf", A70 "=AF=\r\n=AF=AF" },
};

static void known_answers(void)
{
    size_t i;

    for (i = 0; i < QM_COUNTOF(answers); i++) {
        struct qm_span got = stream_whole(&encoder, qm_span_of(answers[i][0]));

        if (!qm_span_equal(got, qm_span_of(answers[i][1]))) {
            printf("[%s] gave [%.*s]\n", answers[i][0], (int)got.len, got.ptr);
        }
        CHECK(qm_span_equal(got, qm_span_of(answers[i][1])));
        stream_check_cuts(&encoder, qm_span_of(answers[i][0]));
    }
}

/* Each text of up to 6 bytes from those that are handled apart. */
static void every_short_text(void)
{
    static const char letters[] = "\r\n .F\xe8\xaf=";
    unsigned len;
    unsigned code;

    for (len = 0; len <= 6; len++) {
        for (code = 0; code < 1u << (3 * len); code++) {
            char text[6];
            struct qm_span input = qm_span_make(text, len);
            struct qm_span whole;
            unsigned i;

            for (i = 0; i < len; i++) {
                text[i] = letters[code >> (3 * i) & 7];
            }
            check_input(input);
            whole = stream_whole(&encoder, input);
            for (i = 0; i < len; i++) {
                CHECK(stream_same(&encoder, input, i, len, 64, whole));
            }
            CHECK(stream_same(&encoder, input, 0, 1, 64, whole));
        }
    }
}

/* Short ends of all kinds behind a line that is nearly full. */
static void every_end_of_line(void)
{
    static const char letters[] = "\r \tx.=\xe8\xaf";
    char text[80];
    size_t fill;
    unsigned code;
    unsigned i;

    memset(text, 'a', sizeof(text));
    for (fill = 60; fill <= 76; fill++) {
        for (code = 0; code < 1u << 12; code++) {
            for (i = 0; i < 4; i++) {
                text[fill + i] = letters[code >> (3 * i) & 7];
            }
            check_input(qm_span_make(text, fill + 4));
        }
        memset(text, 'a', sizeof(text));
    }
}

static void random_texts(void)
{
    static char text[STREAM_INPUT_MAX];
    static const char *const sets[] = { "abc def.\n",
                                        "\r\n .Fromx\t=",
                                        "F From \n",
                                        "\xe8\xaf\xb7 a\n",
                                        "ab\xc3\xa9\xf0\x9f\x98\x80\xff\x80",
                                        " \t\n" };
    unsigned seed;
    size_t i;

    for (i = 0; i < QM_COUNTOF(sets); i++) {
        struct qm_span set = qm_span_of(sets[i]);

        check_input(stream_random(set, 1, text, sizeof(text)));
        for (seed = 0; seed < 6; seed++) {
            stream_check_cuts(&encoder, stream_random(set, seed, text, 400));
        }
    }
}

static void any_bytes(void)
{
    static char text[STREAM_INPUT_MAX];
    char every[256];
    unsigned i;

    for (i = 0; i < sizeof(every); i++) {
        every[i] = (char)(unsigned char)i;
    }
    check_input(qm_span_make(every, sizeof(every)));
    stream_check_cuts(&encoder, qm_span_make(every, sizeof(every)));
    check_input(stream_random(qm_span_make(every, sizeof(every)), 3, text,
                              sizeof(text)));
}

/* Each line of encoded UTF-8 is valid UTF-8 by itself. */
static void soft_breaks_keep_characters_whole(void)
{
    static const char words[] = "\xe8\xaf\xb7\xe4\xbd\xbf"
                                "a\xf0\x9f\x98\x80\xc3\xa9";
    char text[40 * sizeof(words)];
    struct qm_span encoded;
    size_t len = 0;
    size_t from = 0;
    size_t at;

    while (len + sizeof(words) < sizeof(text)) {
        memcpy(text + len, words, sizeof(words) - 1);
        len += sizeof(words) - 1;
    }
    encoded = stream_whole(&encoder, qm_span_make(text, len));
    for (at = 0; at + 2 < encoded.len; at++) {
        if (memcmp(encoded.ptr + at, "=\r\n", 3) == 0) {
            char line[80];
            size_t line_len;

            CHECK(decode(qm_span_make(encoded.ptr + from, at - from), line,
                         &line_len));
            CHECK(qm_utf8_is_valid(qm_span_make(line, line_len)));
            from = at + 3;
        }
    }
    CHECK(from > 0);
}

static void starts_again_after_finish(void)
{
    char out[64];
    size_t used;
    size_t written;

    qm_qp_init(&state);
    qm_qp_update(&state, qm_span_of("a\r"), out, sizeof(out), &used, &written);
    CHECK(qm_qp_finish(&state, out) == 0);
    qm_qp_update(&state, qm_span_of("\n."), out, sizeof(out), &used, &written);
    CHECK_BYTES(out, written, "\r\n=2E");
}

int main(void)
{
    TEST(known_answers);
    TEST(every_short_text);
    TEST(every_end_of_line);
    TEST(random_texts);
    TEST(any_bytes);
    TEST(soft_breaks_keep_characters_whole);
    TEST(starts_again_after_finish);
    return check_done();
}
