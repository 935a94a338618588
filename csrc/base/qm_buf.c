#include "base/qm_buf.h"

#include "base/qm_mem.h"

enum { FIRST_ROOM = 256 };

void qm_buf_init(struct qm_buf *buf, size_t cap, bool wipe)
{
    memset(buf, 0, sizeof(*buf));
    buf->cap = cap;
    buf->wipe = wipe;
}

static void wipe_range(struct qm_buf *buf, size_t from, size_t to)
{
    if (buf->wipe && to > from) {
        qm_mem_wipe(buf->data + from, to - from);
    }
}

void qm_buf_deinit(struct qm_buf *buf)
{
    wipe_range(buf, 0, buf->room);
    qm_mem_free(buf->data);
    qm_buf_init(buf, buf->cap, buf->wipe);
}

void qm_buf_reset(struct qm_buf *buf)
{
    wipe_range(buf, buf->start, buf->end);
    buf->start = 0;
    buf->end = 0;
    buf->err = QM_OK;
}

size_t qm_buf_len(const struct qm_buf *buf)
{
    return buf->end - buf->start;
}

size_t qm_buf_free_space(const struct qm_buf *buf)
{
    return buf->cap - qm_buf_len(buf);
}

struct qm_span qm_buf_span(const struct qm_buf *buf)
{
    if (buf->data == NULL) {
        return qm_span_make(NULL, 0);
    }
    return qm_span_make(buf->data + buf->start, qm_buf_len(buf));
}

/* Moves the content to the front, so that all free room is at the end. */
static void compact(struct qm_buf *buf)
{
    size_t len = qm_buf_len(buf);

    if (buf->data == NULL || buf->start == 0) {
        return;
    }
    memmove(buf->data, buf->data + buf->start, len);
    wipe_range(buf, len, buf->end);
    buf->start = 0;
    buf->end = len;
}

static size_t next_room(const struct qm_buf *buf, size_t needed)
{
    size_t room = buf->room > 0 ? buf->room : FIRST_ROOM;

    while (room < needed) {
        room = room > buf->cap / 2 ? buf->cap : room * 2;
    }
    return room > buf->cap ? buf->cap : room;
}

/*
 * Growth copies into a fresh block rather than resizing when secrets may be
 * inside: realloc() would leave the old bytes on the heap.
 */
static enum qm_err grow(struct qm_buf *buf, size_t needed)
{
    size_t room = next_room(buf, needed);
    size_t len = qm_buf_len(buf);
    char *data;

    data = buf->wipe ? qm_mem_alloc(room) : qm_mem_resize(buf->data, room);
    if (data == NULL) {
        return QM_E_MEMORY;
    }
    if (buf->wipe) {
        if (buf->data != NULL) {
            memcpy(data, buf->data, len);
        }
        wipe_range(buf, 0, buf->room); /* reserved bytes may be written too */
        qm_mem_free(buf->data);
    }
    buf->data = data;
    buf->room = room;
    return QM_OK;
}

static enum qm_err make_room(struct qm_buf *buf, size_t len)
{
    if (buf->err != QM_OK) {
        return buf->err;
    }
    if (len > qm_buf_free_space(buf)) {
        return buf->err = QM_E_LIMIT;
    }
    if (buf->data != NULL && len <= buf->room - buf->end) {
        return QM_OK;
    }
    compact(buf);
    if (buf->data != NULL && len <= buf->room - buf->end) {
        return QM_OK;
    }
    return buf->err = grow(buf, buf->end + len);
}

char *qm_buf_make_room(struct qm_buf *buf, size_t len)
{
    if (make_room(buf, len) != QM_OK) {
        return NULL;
    }
    return buf->data + buf->end;
}

void qm_buf_commit(struct qm_buf *buf, size_t len)
{
    buf->end += len;
}

enum qm_err qm_buf_append(struct qm_buf *buf, struct qm_span bytes)
{
    char *room = qm_buf_reserve(buf, bytes.len);

    if (room == NULL) {
        return buf->err;
    }
    if (bytes.len > 0) {
        memcpy(room, bytes.ptr, bytes.len);
    }
    qm_buf_commit(buf, bytes.len);
    return QM_OK;
}

enum qm_err qm_buf_append_text(struct qm_buf *buf, const char *text)
{
    return qm_buf_append(buf, qm_span_of(text));
}

enum qm_err qm_buf_append_char(struct qm_buf *buf, char c)
{
    return qm_buf_append(buf, qm_span_make(&c, 1));
}

enum qm_err qm_buf_append_u64(struct qm_buf *buf, uint64_t value)
{
    char digits[20]; /* 2^64 - 1 has 20 digits */
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return qm_buf_append(buf, qm_span_make(digits + at, sizeof(digits) - at));
}

void qm_buf_consume(struct qm_buf *buf, size_t len)
{
    if (len > qm_buf_len(buf)) {
        len = qm_buf_len(buf);
    }
    wipe_range(buf, buf->start, buf->start + len);
    buf->start += len;
    if (buf->start == buf->end) {
        buf->start = 0;
        buf->end = 0;
    }
}

void qm_buf_truncate(struct qm_buf *buf, size_t len)
{
    if (len < qm_buf_len(buf)) {
        wipe_range(buf, buf->start + len, buf->end);
        buf->end = buf->start + len;
    }
}
