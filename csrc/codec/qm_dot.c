#include "codec/qm_dot.h"

/*
 * How far one search for a line end looks ahead. Both CR and LF are searched
 * for, so an unbounded look for the one that does not occur would cost the
 * whole rest of the input at each line.
 */
enum { WINDOW = 512 };

void qm_dot_init(struct qm_dot *state, bool stuff)
{
    state->at_line_start = true;
    state->after_cr = false;
    state->stuff = stuff;
}

/* Length of what precedes the first CR or LF, looking at WINDOW bytes. */
static size_t clean_run(const char *text, size_t len)
{
    const char *found;

    if (len > WINDOW) {
        len = WINDOW;
    }
    found = memchr(text, '\n', len);
    if (found != NULL) {
        len = (size_t)(found - text);
    }
    found = memchr(text, '\r', len);
    return found != NULL ? (size_t)(found - text) : len;
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

void qm_dot_update(struct qm_dot *state, struct qm_span input, char *out,
                   size_t cap, size_t *used_out, size_t *written_out)
{
    size_t used = 0;
    size_t written = 0;

    while (used < input.len) {
        const char *at = input.ptr + used;
        size_t left = input.len - used;
        size_t room = cap - written;
        size_t run;

        if (state->after_cr && *at == '\n') {
            state->after_cr = false; /* CRLF went out with the CR */
            used++;
            continue;
        }
        state->after_cr = false;
        if (*at == '\r' || *at == '\n' ||
            (*at == '.' && state->at_line_start && state->stuff)) {
            if (room < 2) {
                break;
            }
            write_pair(state, *at, out + written);
            written += 2;
            used++;
            continue;
        }
        if (room == 0) {
            break;
        }
        run = clean_run(at, left < room ? left : room);
        memcpy(out + written, at, run);
        state->at_line_start = false;
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
