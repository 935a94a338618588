#include "net/qm_listen.h"

#include "net/qm_os.h"

#include <errno.h>
#include <unistd.h>

/* "::" must not take the IPv4 port too: each family has its own listener. */
static void set_options(int fd, int family)
{
    int on = 1;

    if (family != AF_UNIX) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
}

static enum qm_err start_listening(struct qm_listener *listener, int backlog)
{
    struct qm_address *own = &listener->own;
    struct sockaddr_storage name;
    socklen_t len = sizeof(name);

    if (bind(listener->fd, &own->name.any, own->len) != 0 ||
        listen(listener->fd, backlog) != 0) {
        return QM_E_SYSTEM;
    }
    if (qm_address_family(own) == AF_UNIX) {
        return QM_OK;
    }
    if (getsockname(listener->fd, (struct sockaddr *)&name, &len) != 0) {
        return QM_E_SYSTEM;
    }
    return qm_address_copy((struct sockaddr *)&name, len, own);
}

enum qm_err qm_listen_open(struct qm_listener *listener,
                           const struct qm_address *own, int backlog)
{
    enum qm_err err;

    memset(listener, 0, sizeof(*listener));
    listener->own = *own;
    listener->fd = qm_os_socket(qm_address_family(own));
    if (listener->fd < 0) {
        return QM_E_SYSTEM;
    }
    set_options(listener->fd, qm_address_family(own));
    err = start_listening(listener, backlog);
    if (err != QM_OK) {
        int saved = errno;

        (void)close(listener->fd);
        errno = saved;
        return err;
    }
    listener->is_open = true;
    return QM_OK;
}

enum qm_err qm_listen_accept(struct qm_listener *listener,
                             struct qm_stream *stream_out)
{
    enum qm_err err;
    int fd = -1;

    if (!listener->is_open) {
        return QM_E_CLOSED;
    }
    err = qm_os_accept(listener->fd, &fd);
    if (err == QM_OK) {
        qm_stream_adopt(stream_out, fd);
    }
    return err;
}

void qm_listen_close(struct qm_listener *listener)
{
    if (listener->is_open) {
        listener->is_open = false;
        (void)close(listener->fd);
        listener->fd = -1;
    }
}
