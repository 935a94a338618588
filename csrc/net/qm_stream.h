/*
 * qm_stream.h: one non-blocking connection, from connect() to close().
 *
 * Nothing here waits: QM_E_AGAIN says when the caller has to. After
 * QM_E_SYSTEM the code is in errno. Writing to a peer that is gone never
 * raises SIGPIPE. Descriptors are close-on-exec.
 */
#ifndef QM_STREAM_H
#define QM_STREAM_H

#include "base/qm_span.h"
#include "net/qm_address.h"

enum qm_stream_state {
    QM_STREAM_CLOSED = 0,
    QM_STREAM_CONNECTING,
    QM_STREAM_OPEN,
    QM_STREAM_FAILED, /* connect() failed; `error` says how */
};

struct qm_stream {
    enum qm_stream_state state;
    int fd;                 /* meaningful unless the state is CLOSED */
    int error;              /* errno of the failed connect() */
    struct qm_address peer; /* whom it talks to */
};

QM_DECLS_BEGIN

/*
 * Starts to connect; `source` (may be NULL) is the local address to use. The
 * stream is closed when this fails. A unix socket whose listener has no room
 * gives QM_E_SYSTEM with EAGAIN: nothing is under way, try again later.
 */
enum qm_err qm_stream_connect(struct qm_stream *stream,
                              const struct qm_address *peer,
                              const struct qm_address *source);

/* Takes over an accepted descriptor. Never fails. */
void qm_stream_adopt(struct qm_stream *stream, int fd);

/*
 * QM_OK when connected, QM_E_AGAIN while it is under way (wait for
 * "writable"), QM_E_SYSTEM when it failed, QM_E_CLOSED when not open.
 */
enum qm_err qm_stream_connected(struct qm_stream *stream);

/*
 * Reads 1 to `cap` bytes. QM_E_CLOSED: the peer ended its side in order.
 * A reset is QM_E_SYSTEM with ECONNRESET.
 */
enum qm_err qm_stream_read(struct qm_stream *stream, char *out, size_t cap,
                           size_t *len_out);

/* Writes a part of `bytes`, at least 1 unless there are none. */
enum qm_err qm_stream_write(struct qm_stream *stream, struct qm_span bytes,
                            size_t *len_out);

/* No more bytes will be written (FIN). Failures do not matter. */
void qm_stream_shutdown(struct qm_stream *stream);

/* Closes with RST, dropping what was not sent. */
void qm_stream_reset(struct qm_stream *stream);

/* Idempotent. */
void qm_stream_close(struct qm_stream *stream);

QM_DECLS_END

#endif
