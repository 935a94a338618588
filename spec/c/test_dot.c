#include "codec/qm_dot.h"

#include "stream.h"

static struct qm_dot state;

static void start_stuffing(void)
{
    qm_dot_init(&state, true);
}

static void start_line_ends(void)
{
    qm_dot_init(&state, false);
}

static void update(struct qm_span input, char *out, size_t cap,
                   size_t *used_out, size_t *written_out)
{
    qm_dot_update(&state, input, out, cap, used_out, written_out);
}

static size_t finish(char *out)
{
    return qm_dot_finish(&state, out);
}

static const struct stream stuffing = { start_stuffing, update, finish, 2, 5 };
static const struct stream line_ends = { start_line_ends, update, finish, 2,
                                         5 };

/* What the receiver is meant to get: CRLF lines, the last one complete. */
static size_t normalise(struct qm_span input, char *out)
{
    size_t len = 0;
    size_t i;

    for (i = 0; i < input.len; i++) {
        char c = input.ptr[i];

        if (c == '\n' && i > 0 && input.ptr[i - 1] == '\r') {
            continue;
        }
        if (c != '\r' && c != '\n') {
            out[len++] = c;
            continue;
        }
        out[len++] = '\r';
        out[len++] = '\n';
    }
    if (len > 0 && out[len - 1] != '\n') {
        out[len++] = '\r';
        out[len++] = '\n';
    }
    return len;
}

/*
 * A receiver after RFC 5321 section 4.5.2: takes lines until one is a dot
 * alone, and the first dot from each other line. False when the wire holds a
 * lone CR or LF, or when anything follows the end mark.
 */
static bool receive(struct qm_span wire, char *out, size_t *len_out)
{
    size_t len = 0;
    size_t at = 0;

    while (at < wire.len) {
        size_t from = at;
        size_t line;

        while (at < wire.len && wire.ptr[at] != '\r' && wire.ptr[at] != '\n') {
            at++;
        }
        if (wire.len - at < 2 || memcmp(wire.ptr + at, "\r\n", 2) != 0) {
            return false;
        }
        line = at - from;
        at += 2;
        if (line == 1 && wire.ptr[from] == '.') {
            *len_out = len;
            return at == wire.len;
        }
        if (line > 0 && wire.ptr[from] == '.') {
            from++;
        }
        memcpy(out + len, wire.ptr + from, at - from);
        len += at - from;
    }
    return false;
}

static void check_input(struct qm_span input)
{
    static char expected[STREAM_OUT_MAX];
    static char received[STREAM_OUT_MAX];
    size_t expected_len = normalise(input, expected);
    size_t received_len = 0;

    CHECK(receive(stream_whole(&stuffing, input), received, &received_len));
    CHECK(qm_span_equal(qm_span_make(received, received_len),
                        qm_span_make(expected, expected_len)));
    CHECK(qm_span_equal(stream_whole(&line_ends, input),
                        qm_span_make(expected, expected_len)));
}

static void check_splits(const struct stream *stream, struct qm_span input)
{
    struct qm_span whole = stream_whole(stream, input);
    size_t first;

    for (first = 0; first <= input.len; first++) {
        CHECK(stream_same(stream, input, first, input.len, 2, whole));
        CHECK(stream_same(stream, input, first, input.len, 64, whole));
    }
    CHECK(stream_same(stream, input, 0, 1, 2, whole));
}

/* Every text of up to 7 bytes that can matter, cut at every place. */
static void every_short_text(void)
{
    static const char letters[] = "\r\n.x";
    unsigned len;
    unsigned code;

    for (len = 0; len <= 7; len++) {
        for (code = 0; code < 1u << (2 * len); code++) {
            char text[7];
            unsigned i;

            for (i = 0; i < len; i++) {
                text[i] = letters[code >> (2 * i) & 3];
            }
            check_input(qm_span_make(text, len));
            check_splits(&stuffing, qm_span_make(text, len));
            check_splits(&line_ends, qm_span_make(text, len));
        }
    }
}

static void known_answers(void)
{
    static const char *const answers[][2] = {
        { "", ".\r\n" },
        { "a", "a\r\n.\r\n" },
        { "a\r\n", "a\r\n.\r\n" },
        { "a\n\n", "a\r\n\r\n.\r\n" },
        { "a\r", "a\r\n.\r\n" },
        { ".", "..\r\n.\r\n" },
        { "..", "...\r\n.\r\n" },
        { "a.\n.b", "a.\r\n..b\r\n.\r\n" },
        { "\n.\r\nMAIL", "\r\n..\r\nMAIL\r\n.\r\n" },
        { "\r.\r", "\r\n..\r\n.\r\n" },
        { "a\r\r\nb", "a\r\n\r\nb\r\n.\r\n" },
        { "\r\n.\n", "\r\n..\r\n.\r\n" },
    };
    size_t i;

    for (i = 0; i < QM_COUNTOF(answers); i++) {
        struct qm_span got = stream_whole(&stuffing, qm_span_of(answers[i][0]));

        CHECK(qm_span_equal(got, qm_span_of(answers[i][1])));
    }
    CHECK(stream_whole(&line_ends, qm_span_of("")).len == 0);
}

/* Lines around the look-ahead window, and bytes of every kind. */
static void long_texts(void)
{
    static char text[STREAM_INPUT_MAX];
    static const size_t lengths[] = { 510, 511, 512, 513, 514, 1024, 1025 };
    struct qm_span lines = qm_span_make("\r\n.xyz\0\xff", 8);
    unsigned seed;
    size_t i;

    for (i = 0; i < QM_COUNTOF(lengths); i++) {
        memset(text, 'x', lengths[i]);
        memcpy(text + lengths[i], "\r\n.\r\n", 5);
        check_input(qm_span_make(text, lengths[i] + 5));
        check_splits(&stuffing, qm_span_make(text, lengths[i] + 5));
    }
    for (seed = 0; seed < 20; seed++) {
        check_input(stream_random(lines, seed, text, sizeof(text)));
        stream_check_cuts(&stuffing, stream_random(lines, seed, text, 300));
    }
}

/* One byte against all the others: no state leaks into what is copied. */
static void every_byte_passes(void)
{
    int c;

    for (c = 0; c < 256; c++) {
        char text[4] = { 'a', (char)(unsigned char)c, (char)(unsigned char)c,
                         'b' };

        check_input(qm_span_make(text, sizeof(text)));
    }
}

static void starts_again_after_finish(void)
{
    char out[32];
    size_t used;
    size_t written;

    qm_dot_init(&state, true);
    qm_dot_update(&state, qm_span_of("a\r"), out, sizeof(out), &used, &written);
    CHECK_BYTES(out, written, "a\r\n");
    CHECK_BYTES(out, qm_dot_finish(&state, out), ".\r\n");
    qm_dot_update(&state, qm_span_of("\n.b"), out, sizeof(out), &used,
                  &written);
    CHECK_BYTES(out, written, "\r\n..b");
}

static void little_room_is_no_error(void)
{
    char out[2];
    size_t used;
    size_t written;

    qm_dot_init(&state, true);
    qm_dot_update(&state, qm_span_of("x"), out, 0, &used, &written);
    CHECK(used == 0 && written == 0);
    qm_dot_update(&state, qm_span_of("."), out, 1, &used, &written);
    CHECK(used == 0 && written == 0);
    qm_dot_update(&state, qm_span_of("\r\n"), out, 2, &used, &written);
    CHECK(used == 2 && written == 2);
}

int main(void)
{
    TEST(every_short_text);
    TEST(known_answers);
    TEST(long_texts);
    TEST(every_byte_passes);
    TEST(starts_again_after_finish);
    TEST(little_room_is_no_error);
    return check_done();
}
