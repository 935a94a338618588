#include "net/qm_stream.h"

#include "net/qm_errno.h"
#include "net/qm_os.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* such systems have SO_NOSIGPIPE */
#endif

/* Options that make things better; where they fail all still works. */
static void set_options(int fd, int family)
{
    int on = 1;

    if (family != AF_UNIX) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
#ifdef SO_NOSIGPIPE
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#endif
}

static bool is_under_way(int code)
{
    return code == EINPROGRESS || code == EINTR;
}

/* Binds and connects. Returns the new state, or CLOSED with errno. */
static enum qm_stream_state start_connect(int fd, const struct qm_address *peer,
                                          const struct qm_address *source)
{
    if (source != NULL && bind(fd, &source->name.any, source->len) != 0) {
        return QM_STREAM_CLOSED;
    }
    if (connect(fd, &peer->name.any, peer->len) == 0) {
        return QM_STREAM_OPEN;
    }
    return is_under_way(errno) ? QM_STREAM_CONNECTING : QM_STREAM_CLOSED;
}

enum qm_err qm_stream_connect(struct qm_stream *stream,
                              const struct qm_address *peer,
                              const struct qm_address *source)
{
    int family = qm_address_family(peer);
    int fd = qm_os_socket(family);

    memset(stream, 0, sizeof(*stream));
    if (fd < 0) {
        return QM_E_SYSTEM;
    }
    set_options(fd, family);
    stream->fd = fd;
    stream->peer = *peer;
    stream->state = start_connect(fd, peer, source);
    if (stream->state == QM_STREAM_CLOSED) {
        int saved = errno;

        close(fd);
        errno = saved;
        return QM_E_SYSTEM;
    }
    return QM_OK;
}

void qm_stream_adopt(struct qm_stream *stream, int fd)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof(name);

    memset(stream, 0, sizeof(*stream));
    memset(&name, 0, sizeof(name));
    stream->state = QM_STREAM_OPEN;
    stream->fd = fd;
    if (getpeername(fd, (struct sockaddr *)&name, &len) == 0) {
        (void)qm_address_copy((struct sockaddr *)&name, len, &stream->peer);
    }
    set_options(fd, name.ss_family);
}

/*
 * A TCP socket that connects to a free port of its own host may be given that
 * very port and so meet itself. Nobody listens there.
 */
static bool met_itself(const struct qm_stream *stream)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof(name);
    struct qm_address own;

    if (qm_address_family(&stream->peer) == AF_UNIX ||
        getsockname(stream->fd, (struct sockaddr *)&name, &len) != 0 ||
        qm_address_copy((struct sockaddr *)&name, len, &own) != QM_OK) {
        return false;
    }
    return qm_address_equal(&own, &stream->peer);
}

/* 0 when connected, EINPROGRESS while under way, else why it failed. */
static int connect_result(const struct qm_stream *stream)
{
    struct pollfd entry = { stream->fd, POLLOUT, 0 };
    int error = 0;
    socklen_t len = sizeof(error);

    if (poll(&entry, 1, 0) <= 0) {
        return EINPROGRESS;
    }
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        return errno;
    }
    return error == 0 && met_itself(stream) ? ECONNREFUSED : error;
}

/* SO_ERROR is cleared by reading it, so the answer is kept. */
static void settle_connect(struct qm_stream *stream)
{
    int error = connect_result(stream);

    if (error == 0) {
        stream->state = QM_STREAM_OPEN;
    } else if (error != EINPROGRESS) {
        stream->state = QM_STREAM_FAILED;
        stream->error = error;
    }
}

enum qm_err qm_stream_connected(struct qm_stream *stream)
{
    if (stream->state == QM_STREAM_CONNECTING) {
        settle_connect(stream);
    }
    switch (stream->state) {
    case QM_STREAM_OPEN:
        return QM_OK;
    case QM_STREAM_CONNECTING:
        return QM_E_AGAIN;
    case QM_STREAM_FAILED:
        errno = stream->error;
        return QM_E_SYSTEM;
    case QM_STREAM_CLOSED:
    default:
        return QM_E_CLOSED;
    }
}

static enum qm_err from_errno(void)
{
    return qm_errno_is_again(errno) ? QM_E_AGAIN : QM_E_SYSTEM;
}

enum qm_err qm_stream_read(struct qm_stream *stream, char *out, size_t cap,
                           size_t *len_out)
{
    enum qm_err err = qm_stream_connected(stream);
    ssize_t got;

    *len_out = 0;
    if (err != QM_OK) {
        return err;
    }
    do {
        got = recv(stream->fd, out, cap, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return from_errno();
    }
    *len_out = (size_t)got;
    return got > 0 ? QM_OK : QM_E_CLOSED;
}

enum qm_err qm_stream_write(struct qm_stream *stream, struct qm_span bytes,
                            size_t *len_out)
{
    enum qm_err err = qm_stream_connected(stream);
    ssize_t sent;

    *len_out = 0;
    if (err != QM_OK || bytes.len == 0) {
        return err;
    }
    do {
        sent = send(stream->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        return from_errno();
    }
    *len_out = (size_t)sent;
    return QM_OK;
}

void qm_stream_shutdown(struct qm_stream *stream)
{
    if (stream->state == QM_STREAM_OPEN) {
        (void)shutdown(stream->fd, SHUT_WR);
    }
}

void qm_stream_reset(struct qm_stream *stream)
{
    struct linger now = { 1, 0 };

    if (stream->state != QM_STREAM_CLOSED) {
        (void)setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
    qm_stream_close(stream);
}

/* No second close() after EINTR: the number may belong to somebody else. */
void qm_stream_close(struct qm_stream *stream)
{
    if (stream->state != QM_STREAM_CLOSED) {
        stream->state = QM_STREAM_CLOSED;
        (void)close(stream->fd);
        stream->fd = -1;
    }
}
