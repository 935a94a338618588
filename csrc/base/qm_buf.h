/*
 * qm_buf.h: a byte queue that knows its maximum from the start.
 *
 * Written at the end, consumed from the front. The struct is embedded by its
 * user; only the storage is on the heap. Errors are sticky: after the cap or
 * memory was hit every write fails with the same code, so a writer may append
 * a whole record and look at the error once.
 */
#ifndef QM_BUF_H
#define QM_BUF_H

#include "base/qm_err.h"
#include "base/qm_span.h"

struct qm_buf {
    char *data;      /* storage, NULL until the first write */
    size_t start;    /* offset of the first unconsumed byte */
    size_t end;      /* offset past the last byte */
    size_t room;     /* bytes allocated */
    size_t cap;      /* most bytes it may ever hold at once */
    enum qm_err err; /* first failure, kept until qm_buf_reset() */
    bool wipe;       /* overwrite bytes before they are given up */
};

QM_DECLS_BEGIN

/* No allocation. `cap` in bytes; `wipe` for buffers that see secrets. */
void qm_buf_init(struct qm_buf *buf, size_t cap, bool wipe);

/* Frees the storage; the buffer may be used again after qm_buf_init(). */
void qm_buf_deinit(struct qm_buf *buf);

/* Empties it and clears the error; the storage is kept. */
void qm_buf_reset(struct qm_buf *buf);

enum qm_err qm_buf_append(struct qm_buf *buf, struct qm_span bytes);
enum qm_err qm_buf_append_text(struct qm_buf *buf, const char *text);
enum qm_err qm_buf_append_char(struct qm_buf *buf, char c);
enum qm_err qm_buf_append_u64(struct qm_buf *buf, uint64_t value);

/*
 * Room for at least `len` bytes at the end, to be written in place and then
 * counted with qm_buf_commit(). NULL (and the sticky error) when there is no
 * such room. The pointer is valid until the next call on the buffer.
 */
static inline char *qm_buf_reserve(struct qm_buf *buf, size_t len) QM_MUST_USE;
void qm_buf_commit(struct qm_buf *buf, size_t len);

/* The bytes that wait; valid until the next call that changes the buffer. */
struct qm_span qm_buf_span(const struct qm_buf *buf);
size_t qm_buf_len(const struct qm_buf *buf);

/* Bytes that may still be added before the cap is reached. */
size_t qm_buf_free_space(const struct qm_buf *buf);

/* Gives up `len` bytes from the front; more than there are means all. */
void qm_buf_consume(struct qm_buf *buf, size_t len);

/* Drops bytes from the end so that `len` remain (undo of an append). */
void qm_buf_truncate(struct qm_buf *buf, size_t len);

/* What qm_buf_reserve() does where there is no room at the end yet. */
char *qm_buf_make_room(struct qm_buf *buf, size_t len) QM_MUST_USE;

static inline char *qm_buf_reserve(struct qm_buf *buf, size_t len)
{
    /* The room is never larger than the cap. */
    if (buf->err == QM_OK && buf->data != NULL && len <= buf->room - buf->end) {
        return buf->data + buf->end;
    }
    return qm_buf_make_room(buf, len);
}

QM_DECLS_END

#endif
