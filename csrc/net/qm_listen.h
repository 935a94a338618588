/*
 * qm_listen.h: the server's side, used by test servers.
 *
 * Non-blocking and close-on-exec like everything here; codes are in errno
 * after QM_E_SYSTEM.
 */
#ifndef QM_LISTEN_H
#define QM_LISTEN_H

#include "net/qm_stream.h"

struct qm_listener {
    bool is_open;
    int fd;                /* meaningful while it is open */
    struct qm_address own; /* with the port the system chose */
};

QM_DECLS_BEGIN

/*
 * Port 0 lets the system choose. The file of a unix socket must not exist
 * yet; who opened it removes it. `backlog` is how many connections may wait.
 */
enum qm_err qm_listen_open(struct qm_listener *listener,
                           const struct qm_address *own, int backlog);

/* QM_E_AGAIN when nobody waits, QM_E_CLOSED when not open. */
enum qm_err qm_listen_accept(struct qm_listener *listener,
                             struct qm_stream *stream_out);

/* Idempotent. */
void qm_listen_close(struct qm_listener *listener);

QM_DECLS_END

#endif
