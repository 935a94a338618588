#include "codec/qm_qp.h"

#include "base/qm_ascii.h"
#include "codec/qm_run.h"

/*
 * The text is taken apart into units that are written whole: a plain byte, a
 * blank, a UTF-8 character, "From" at the start of a line, a line break. A unit
 * whose form depends on a byte not yet seen is held.
 */
enum {
    LINE_LEN =
        75, /* without the "=" of a soft break (RFC 2045 section 6.7 (5)) */
    FROM_LEN = 4,
    STEP_MAX = 24 /* no input byte causes more to be written */
};

static const char from_word[] = "From";

void qm_qp_init(struct qm_qp *state)
{
    memset(state, 0, sizeof(*state));
}

/* Bytes that may stand for themselves anywhere: RFC 2045 section 6.7 (2). */
static bool is_plain(unsigned char c)
{
    return qm_ascii_is_visible(c) && c != '=';
}

static bool is_break(unsigned char c)
{
    return c == '\r' || c == '\n';
}

/*
 * Bytes in the UTF-8 character that `c` would begin; 1 when it begins none.
 * Bytes that follow need only look like continuations: what matters is that
 * they stay together when they are a character.
 */
static size_t unit_len(unsigned char c)
{
    if (c < 0xc2 || c > 0xf4) {
        return 1;
    }
    if (c < 0xe0) {
        return 2;
    }
    return c < 0xf0 ? 3 : 4;
}

static char *put_soft_break(struct qm_qp *state, char *out)
{
    memcpy(out, "=\r\n", 3);
    state->column = 0;
    return out + 3;
}

/* Writes the bytes as =XX, all on one line. */
static char *put_encoded(struct qm_qp *state, const char *bytes, size_t len,
                         char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t i;

    if (state->column + 3 * len > LINE_LEN) {
        out = put_soft_break(state, out);
    }
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];

        *out++ = '=';
        *out++ = digits[c >> 4];
        *out++ = digits[c & 0x0f];
    }
    state->column = (unsigned char)(state->column + 3 * len);
    return out;
}

/* Writes bytes that fit on the line as they are. */
static char *put_literal(struct qm_qp *state, const char *bytes, size_t len,
                         char *out)
{
    memcpy(out, bytes, len);
    state->column = (unsigned char)(state->column + len);
    return out + len;
}

/* Writes the held unit, now that the byte after it is known. */
static char *release(struct qm_qp *state, unsigned char next, char *out)
{
    unsigned char first = (unsigned char)state->held[0];
    const char *held = state->held;
    size_t len = state->held_len;

    state->held_len = 0;
    if (first >= 0x80 || (qm_ascii_is_blank(first) && is_break(next))) {
        return put_encoded(state, held, len, out);
    }
    if (len == FROM_LEN && next == ' ') {
        out = put_encoded(state, held, 1, out);
        return put_literal(state, held + 1, len - 1, out);
    }
    return put_literal(state, held, len, out);
}

/* Adds `c` to the held unit when it belongs there. */
static bool extend(struct qm_qp *state, unsigned char c)
{
    unsigned char first = (unsigned char)state->held[0];
    size_t len = state->held_len;
    bool belongs;

    if (first >= 0x80) {
        belongs = len < unit_len(first) && (c & 0xc0) == 0x80;
    } else {
        belongs = first == 'F' && len < FROM_LEN &&
                  c == (unsigned char)from_word[len];
    }
    if (belongs) {
        state->held[state->held_len++] = (char)c;
    }
    return belongs;
}

/* Takes a byte that begins a unit. */
static char *begin_unit(struct qm_qp *state, unsigned char c, char *out)
{
    char byte = (char)c;

    if (is_break(c)) {
        memcpy(out, "\r\n", 2);
        state->column = 0;
        state->after_cr = c == '\r';
        return out + 2;
    }
    if (state->column == LINE_LEN) {
        out = put_soft_break(state, out);
    }
    if (qm_ascii_is_blank(c) || unit_len(c) > 1 ||
        (c == 'F' && state->column == 0)) {
        state->held[0] = byte;
        state->held_len = 1;
        return out;
    }
    if (is_plain(c) && !(c == '.' && state->column == 0)) {
        return put_literal(state, &byte, 1, out);
    }
    return put_encoded(state, &byte, 1, out);
}

static char *take_byte(struct qm_qp *state, unsigned char c, char *out)
{
    bool swallow = state->after_cr && c == '\n';

    state->after_cr = false;
    if (swallow) {
        return out;
    }
    if (state->held_len > 0) {
        if (extend(state, c)) {
            return out;
        }
        out = release(state, c, out);
    }
    return begin_unit(state, c, out);
}

/*
 * Length of the bytes at the start of `text` that go out as they are: plain
 * ones, and blanks with a plain one after them.
 */
static size_t literal_run(const char *text, size_t len)
{
    size_t run = qm_run_of_plain(text, len);

    while (run > 0 && qm_ascii_is_blank((unsigned char)text[run - 1])) {
        run--;
    }
    return run;
}

/* Copies what can be copied without looking at each byte's surroundings. */
static size_t copy_run(struct qm_qp *state, const char *text, size_t len,
                       char *out)
{
    size_t room = (size_t)(LINE_LEN - state->column);
    size_t run;

    if (state->column == 0 || state->held_len > 0) {
        return 0;
    }
    run = literal_run(text, len < room ? len : room);
    if (run > 0) {
        (void)put_literal(state, text, run, out);
    }
    return run;
}

void qm_qp_update(struct qm_qp *state, struct qm_span input, char *out,
                  size_t cap, size_t *used_out, size_t *written_out)
{
    size_t used = 0;
    size_t written = 0;

    while (used < input.len && cap - written >= STEP_MAX) {
        const char *at = input.ptr + used;
        char *end = take_byte(state, (unsigned char)*at, out + written);
        size_t left = input.len - used - 1;
        size_t run;

        written = (size_t)(end - out);
        run = cap - written;
        run = copy_run(state, at + 1, left < run ? left : run, end);
        written += run;
        used += 1 + run;
    }
    *used_out = used;
    *written_out = written;
}

size_t qm_qp_finish(struct qm_qp *state, char *out)
{
    char *end = out;

    if (state->held_len > 0) {
        end = release(state, '\n', out);
    }
    qm_qp_init(state);
    return (size_t)(end - out);
}
