#include "codec/qm_dot.h"

#include "codec/qm_run.h"

void qm_dot_init(struct qm_dot *state, bool stuff)
{
    state->at_line_start = true;
    state->after_cr = false;
    state->stuff = stuff;
}

/*
 * Answers a byte that is not copied as it is (CR, LF, a dot to be doubled):
 * two bytes each.
 */
static void write_pair(struct qm_dot *state, char c, char *out)
{
    memcpy(out, c == '.' ? ".." : "\r\n", 2);
    state->after_cr = c == '\r';
    state->at_line_start = c != '.';
}

/* Copies what needs no change; 0 when the next byte does, or lacks room. */
static size_t copy_run(struct qm_dot *state, struct qm_span input, char *out,
                       size_t room)
{
    size_t most = input.len < room ? input.len : room;
    size_t run =
        qm_run_of_lines(input.ptr, most, state->at_line_start, state->stuff);

    if (run > 0) {
        memcpy(out, input.ptr, run);
        state->at_line_start = out[run - 1] == '\n';
    }
    return run;
}

void qm_dot_update(struct qm_dot *state, struct qm_span input, char *out,
                   size_t cap, size_t *used_out, size_t *written_out)
{
    size_t used = 0;
    size_t written = 0;

    while (used < input.len) {
        const char *at = input.ptr + used;
        size_t run;

        if (state->after_cr && *at == '\n') {
            state->after_cr = false; /* CRLF went out with the CR */
            used++;
            continue;
        }
        state->after_cr = false;
        run = copy_run(state, qm_span_from(input, used), out + written,
                       cap - written);
        if (run == 0) {
            if (cap - written < 2) {
                break;
            }
            write_pair(state, *at, out + written);
            written += 2;
            used++;
        }
        written += run;
        used += run;
    }
    *used_out = used;
    *written_out = written;
}

size_t qm_dot_finish(struct qm_dot *state, char *out)
{
    size_t written = 0;

    if (!state->at_line_start) {
        memcpy(out, "\r\n", 2);
        written = 2;
    }
    if (state->stuff) {
        memcpy(out + written, ".\r\n", 3);
        written += 3;
    }
    qm_dot_init(state, state->stuff);
    return written;
}
