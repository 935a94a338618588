#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr, pipe2, accept4 */
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE /* dladdr */
#endif
#include "net/qm_os.h"

#include "net/qm_errno.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __linux__

int qm_os_socket(int family)
{
    return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

enum qm_err qm_os_pipe(int fds_out[2])
{
    return pipe2(fds_out, O_CLOEXEC | O_NONBLOCK) == 0 ? QM_OK : QM_E_SYSTEM;
}

static int accept_prepared(int fd)
{
    return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

#else

static enum qm_err prepare(int fd)
{
    int status = fcntl(fd, F_GETFL);
    int descriptor = fcntl(fd, F_GETFD);

    if (status < 0 || descriptor < 0 ||
        fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, descriptor | FD_CLOEXEC) < 0) {
        return QM_E_SYSTEM;
    }
    return QM_OK;
}

/* The descriptor made ready, or closed again and -1. */
static int prepare_or_close(int fd)
{
    if (fd >= 0 && prepare(fd) != QM_OK) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

int qm_os_socket(int family)
{
    return prepare_or_close(socket(family, SOCK_STREAM, 0));
}

enum qm_err qm_os_pipe(int fds_out[2])
{
    int saved;

    if (pipe(fds_out) != 0) {
        return QM_E_SYSTEM;
    }
    if (prepare(fds_out[0]) == QM_OK && prepare(fds_out[1]) == QM_OK) {
        return QM_OK;
    }
    saved = errno;
    close(fds_out[0]);
    close(fds_out[1]);
    errno = saved;
    return QM_E_SYSTEM;
}

static int accept_prepared(int fd)
{
    return prepare_or_close(accept(fd, NULL, NULL));
}

#endif

/* A client that left before it was accepted is no fault of the listener. */
static bool is_worth_another_try(int code)
{
    return code == EINTR || code == ECONNABORTED;
}

enum qm_err qm_os_accept(int fd, int *fd_out)
{
    int accepted;

    do {
        accepted = accept_prepared(fd);
    } while (accepted < 0 && is_worth_another_try(errno));
    if (accepted >= 0) {
        *fd_out = accepted;
        return QM_OK;
    }
    return qm_errno_is_again(errno) ? QM_E_AGAIN : QM_E_SYSTEM;
}

/* RTLD_NODELETE works on what is loaded; RTLD_NOLOAD keeps it from loading. */
void qm_os_pin_module(void)
{
#if defined(RTLD_NODELETE) && defined(RTLD_NOLOAD)
    static const char marker = 0;
    Dl_info info;
    void *handle;

    if (dladdr(&marker, &info) == 0 || info.dli_fname == NULL) {
        return;
    }
    handle = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NODELETE | RTLD_NOLOAD);
    if (handle != NULL) {
        dlclose(handle);
    }
#endif
}
