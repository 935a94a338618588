#include "codec/qm_base64.h"

enum {
    GROUP_IN = 3,
    GROUP_OUT = 4,
    CRLF_LEN = 2,
    NOT_BASE64 = 0x40 /* no 6-bit value */
};

void qm_base64_init(struct qm_base64 *state, bool wrap)
{
    memset(state, 0, sizeof(*state));
    state->wrap = wrap;
    state->encode_lines = qm_base64_lines_best();
}

/* Ends the line when it is full, or when `force` and it is not empty. */
static size_t end_line(struct qm_base64 *state, bool force, char *out)
{
    if (state->column < QM_BASE64_LINE && !(force && state->column > 0)) {
        return 0;
    }
    state->column = 0;
    memcpy(out, "\r\n", CRLF_LEN);
    return CRLF_LEN;
}

/*
 * Encodes `groups` groups, which fit on the current line, and ends the line
 * when that filled it. Returns the number of bytes written.
 */
static size_t encode_run(struct qm_base64 *state, const unsigned char *in,
                         size_t groups, char *out)
{
    size_t len = groups * GROUP_OUT;

    qm_base64_groups(in, groups, out);
    if (!state->wrap) {
        return len;
    }
    state->column = (unsigned char)(state->column + len);
    return len + end_line(state, false, out + len);
}

/* Groups that may be encoded in one go: room in `out`, room on the line. */
static size_t fitting_groups(const struct qm_base64 *state, size_t in_len,
                             size_t room)
{
    size_t groups = in_len / GROUP_IN;
    size_t line = (size_t)(QM_BASE64_LINE - state->column) / GROUP_OUT;

    if (state->wrap) {
        room = room > CRLF_LEN ? room - CRLF_LEN : 0;
        groups = groups < line ? groups : line;
    }
    return groups < room / GROUP_OUT ? groups : room / GROUP_OUT;
}

/* Moves input bytes to the held group; returns how many it took. */
static size_t hold(struct qm_base64 *state, struct qm_span input)
{
    size_t taken = 0;

    while (state->held_len < GROUP_IN && taken < input.len) {
        state->held[state->held_len++] = (unsigned char)input.ptr[taken++];
    }
    return taken;
}

/* Whole lines, when one begins here. */
static void encode_lines(const struct qm_base64 *state, struct qm_span input,
                         char *out, size_t cap, size_t *used, size_t *written)
{
    size_t lines = (input.len - *used) / QM_BASE64_LINE_IN;
    size_t room = (cap - *written) / QM_BASE64_LINE_OUT;

    lines = lines < room ? lines : room;
    if (!state->wrap || state->column > 0 || lines == 0) {
        return;
    }
    state->encode_lines((const unsigned char *)input.ptr + *used, lines,
                        out + *written);
    *used += lines * QM_BASE64_LINE_IN;
    *written += lines * QM_BASE64_LINE_OUT;
}

/* Whole groups from `*used` on; both counts go on. */
static void encode(struct qm_base64 *state, struct qm_span input, char *out,
                   size_t cap, size_t *used, size_t *written)
{
    for (;;) {
        size_t groups;

        encode_lines(state, input, out, cap, used, written);
        groups = fitting_groups(state, input.len - *used, cap - *written);
        if (groups == 0) {
            return;
        }
        *written += encode_run(state, (const unsigned char *)input.ptr + *used,
                               groups, out + *written);
        *used += groups * GROUP_IN;
    }
}

void qm_base64_update(struct qm_base64 *state, struct qm_span input, char *out,
                      size_t cap, size_t *used_out, size_t *written_out)
{
    size_t used = 0;
    size_t written = 0;

    if (state->held_len > 0) {
        used = hold(state, input);
        if (fitting_groups(state, state->held_len, cap) > 0) {
            written = encode_run(state, state->held, 1, out);
            state->held_len = 0;
        }
    }
    if (state->held_len == 0) {
        encode(state, input, out, cap, &used, &written);
        if (input.len - used < GROUP_IN) {
            used += hold(state, qm_span_from(input, used));
        }
    }
    *used_out = used;
    *written_out = written;
}

size_t qm_base64_finish(struct qm_base64 *state, char *out)
{
    size_t held = state->held_len;
    size_t written = 0;

    if (held > 0) {
        memset(state->held + held, 0, GROUP_IN - held);
        qm_base64_groups(state->held, 1, out);
        memset(out + held + 1, '=', GROUP_IN - held);
        written = GROUP_OUT;
        state->column = (unsigned char)(state->column + GROUP_OUT);
        state->held_len = 0;
    }
    if (state->wrap) {
        written += end_line(state, true, out + written);
    }
    return written;
}

uint64_t qm_base64_size(uint64_t len, bool wrap)
{
    uint64_t groups = len / GROUP_IN + (len % GROUP_IN > 0);
    uint64_t line = QM_BASE64_LINE / GROUP_OUT;
    uint64_t lines = groups / line + (groups % line > 0);

    return groups * GROUP_OUT + (wrap ? lines * CRLF_LEN : 0);
}

static unsigned value_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (unsigned)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (unsigned)(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0') + 52;
    }
    if (c == '+' || c == '/') {
        return c == '+' ? 62 : 63;
    }
    return NOT_BASE64;
}

/*
 * Decodes the first `len` characters of a group (2 to 4; the others are
 * padding) into len - 1 bytes. Bits that no byte takes must be zero, else two
 * texts would mean the same bytes (RFC 4648 section 3.5).
 */
static bool decode_group(const char *in, size_t len, char *out)
{
    unsigned bits = 0;
    unsigned faults = 0;
    size_t i;

    for (i = 0; i < GROUP_OUT; i++) {
        unsigned value = i < len ? value_of(in[i]) : 0;

        faults |= value & NOT_BASE64;
        bits = bits << 6 | value;
    }
    for (i = 0; i + 1 < len; i++) {
        out[i] = (char)(unsigned char)(bits >> 16 & 0xff);
        bits <<= 8;
    }
    return faults == 0 && (bits & 0xffffff) == 0;
}

enum qm_err qm_base64_decode(struct qm_span input, char *out,
                             size_t *written_out)
{
    size_t len = input.len;
    size_t written = 0;
    size_t at;

    if (len % GROUP_OUT != 0) {
        return QM_E_SYNTAX;
    }
    if (len > 0 && input.ptr[len - 1] == '=') {
        len -= input.ptr[len - 2] == '=' ? 2 : 1;
    }
    for (at = 0; at < len; at += GROUP_OUT) {
        size_t part = len - at < GROUP_OUT ? len - at : GROUP_OUT;

        if (!decode_group(input.ptr + at, part, out + written)) {
            return QM_E_SYNTAX;
        }
        written += part - 1;
    }
    *written_out = written;
    return QM_OK;
}
