#include "codec/qm_canon.h"

#include "base/qm_ascii.h"

/* Where a piece of a body goes. */
struct room {
    char *out;
    size_t cap;
    size_t len;
};

void qm_canon_init(struct qm_canon *state, bool relaxed)
{
    memset(state, 0, sizeof(*state));
    state->relaxed = relaxed;
}

/* --- body ---------------------------------------------------------------- */

/* Writes what was held back; false when there was no room for all of it. */
static bool pay(struct qm_canon *state, struct room *room)
{
    while (state->owed > 0 && room->cap - room->len >= 2) {
        room->out[room->len++] = '\r';
        room->out[room->len++] = '\n';
        state->owed--;
        state->any = true;
    }
    if (state->owed > 0 || room->len == room->cap) {
        return false;
    }
    if (state->blank) {
        room->out[room->len++] = ' ';
        state->blank = false;
        state->any = true;
    }
    return room->len < room->cap;
}

static void end_line(struct qm_canon *state)
{
    state->after_cr = false;
    state->blank = false;
    state->owed++;
}

/* A CR that turned out to be no part of a line end is text. */
static bool put_cr(struct qm_canon *state, struct room *room)
{
    if (!pay(state, room)) {
        return false;
    }
    room->out[room->len++] = '\r';
    state->after_cr = false;
    state->any = true;
    return true;
}

/* Length of the text at the front that is copied as it is. */
static size_t plain_len(const struct qm_canon *state, struct qm_span input)
{
    size_t len = 0;

    while (len < input.len) {
        char c = input.ptr[len];

        if (c == '\r' || c == '\n' ||
            (state->relaxed && qm_ascii_is_blank((unsigned char)c))) {
            break;
        }
        len++;
    }
    return len;
}

/* Copies text from the front of `input`, which begins with some. */
static size_t put_text(struct qm_canon *state, struct qm_span input,
                       struct room *room)
{
    size_t len;

    if (!pay(state, room)) {
        return 0;
    }
    if (input.len > room->cap - room->len) {
        input.len = room->cap - room->len;
    }
    len = plain_len(state, input);
    memcpy(room->out + room->len, input.ptr, len);
    room->len += len;
    state->any = true;
    return len;
}

/* Takes something from the front of `input`; 0 when there is no room. */
static size_t take(struct qm_canon *state, struct qm_span input,
                   struct room *room)
{
    char c = input.ptr[0];

    if (c == '\n') {
        end_line(state);
        return 1;
    }
    if (state->after_cr && !put_cr(state, room)) {
        return 0;
    }
    if (c == '\r') {
        state->after_cr = true;
        return 1;
    }
    if (state->relaxed && qm_ascii_is_blank((unsigned char)c)) {
        state->blank = true;
        return 1;
    }
    return put_text(state, input, room);
}

void qm_canon_update(struct qm_canon *state, struct qm_span input, char *out,
                     size_t cap, size_t *used_out, size_t *written_out)
{
    struct room room = { out, cap, 0 };
    size_t used = 0;

    while (used < input.len) {
        size_t len = take(state, qm_span_from(input, used), &room);

        if (len == 0) {
            break;
        }
        used += len;
    }
    *used_out = used;
    *written_out = room.len;
}

/*
 * RFC 6376 section 3.4.3: a simple body without text is one CRLF, section
 * 3.4.4: a relaxed one is nothing.
 */
size_t qm_canon_finish(struct qm_canon *state, char *out, size_t cap)
{
    struct room room = { out, cap, 0 };

    if (state->ended || (state->after_cr && !put_cr(state, &room))) {
        return room.len;
    }
    if (state->relaxed && !state->any) {
        state->ended = true;
    } else if (room.cap - room.len >= 2) {
        room.out[room.len++] = '\r';
        room.out[room.len++] = '\n';
        state->ended = true;
    }
    return room.len;
}

/* --- header -------------------------------------------------------------- */

static struct qm_span without_line_end(struct qm_span field)
{
    if (field.len > 0 && field.ptr[field.len - 1] == '\n') {
        field.len--;
    }
    if (field.len > 0 && field.ptr[field.len - 1] == '\r') {
        field.len--;
    }
    return field;
}

static bool is_white(char c)
{
    return c == '\r' || c == '\n' || qm_ascii_is_blank((unsigned char)c);
}

/* RFC 6376 section 3.4.2; answers how much of the field was the name. */
static size_t put_name(struct qm_span field, struct qm_buf *out)
{
    size_t i;

    for (i = 0; i < field.len; i++) {
        unsigned char c = (unsigned char)field.ptr[i];

        if (!is_white((char)c)) {
            (void)qm_buf_append_char(out, (char)qm_ascii_lower(c));
        }
        if (c == ':') {
            return i + 1;
        }
    }
    return i;
}

static void put_value(struct qm_span value, struct qm_buf *out)
{
    bool any = false;
    bool white = false;
    size_t i;

    for (i = 0; i < value.len; i++) {
        if (is_white(value.ptr[i])) {
            white = true;
            continue;
        }
        if (white && any) {
            (void)qm_buf_append_char(out, ' ');
        }
        white = false;
        any = true;
        (void)qm_buf_append_char(out, value.ptr[i]);
    }
}

enum qm_err qm_canon_header(struct qm_span field, bool relaxed,
                            struct qm_buf *out)
{
    field = without_line_end(field);
    if (!relaxed) {
        return qm_buf_append(out, field);
    }
    put_value(qm_span_from(field, put_name(field, out)), out);
    return out->err;
}
