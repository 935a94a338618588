#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE /* flock */
#endif
#include "disk/qm_lock.h"

#include "disk/qm_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

/* Each time somebody removed the file under us; more is no accident. */
enum { MAX_TRIES = 10 };

/* EWOULDBLOCK: held; the number may be that of EAGAIN or another. */
static enum qm_err lock_now(int fd)
{
    int result;

    do {
        result = flock(fd, LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    if (result == 0) {
        return QM_OK;
    }
    return errno == EWOULDBLOCK ? QM_E_AGAIN : QM_E_SYSTEM;
}

/*
 * Whether the path still names the file that is locked. Between open() and
 * flock() its holder may have removed it; the next one would then make a new
 * file, and both would believe to be alone.
 */
static enum qm_err check_same(int fd, const char *path, bool *is_same_out)
{
    struct stat ours;
    struct stat named;

    *is_same_out = false;
    if (fstat(fd, &ours) != 0) {
        return QM_E_SYSTEM;
    }
    if (!S_ISREG(ours.st_mode)) {
        return QM_E_UNSUPPORTED;
    }
    if (lstat(path, &named) != 0) {
        return errno == ENOENT ? QM_OK : QM_E_SYSTEM;
    }
    *is_same_out = ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
    return QM_OK;
}

/*
 * One attempt; the descriptor is open only when the lock is held. A FIFO or a
 * device must not make open() wait, hence O_NONBLOCK.
 */
static enum qm_err try_take(const char *path, int *fd_out, bool *is_same_out)
{
    int fd = qm_fd_open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK);
    enum qm_err err;

    *is_same_out = false;
    if (fd < 0) {
        return QM_E_SYSTEM;
    }
    err = lock_now(fd);
    if (err == QM_OK) {
        err = check_same(fd, path, is_same_out);
    }
    if (err != QM_OK || !*is_same_out) {
        qm_fd_close(fd);
    }
    *fd_out = fd;
    return err;
}

enum qm_err qm_lock_take(struct qm_lock *lock_out, const char *path)
{
    int tries;

    lock_out->fd_plus_one = 0;
    for (tries = 0; tries < MAX_TRIES; tries++) {
        bool is_same;
        int fd;
        enum qm_err err = try_take(path, &fd, &is_same);

        if (err != QM_OK) {
            return err;
        }
        if (is_same) {
            lock_out->fd_plus_one = fd + 1;
            return QM_OK;
        }
    }
    return QM_E_AGAIN;
}

void qm_lock_drop(struct qm_lock *lock)
{
    if (lock->fd_plus_one > 0) {
        qm_fd_close(lock->fd_plus_one - 1);
        lock->fd_plus_one = 0;
    }
}
