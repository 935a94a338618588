#include "disk/qm_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_STEP = 65536 };

int qm_fd_open(const char *path, int flags)
{
    int fd;

    do {
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, S_IRUSR | S_IWUSR);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* Nothing written, and no reason: an error all the same, or it never ends. */
static ssize_t write_once(int fd, struct qm_span bytes)
{
    ssize_t put;

    do {
        put = write(fd, bytes.ptr, bytes.len);
    } while (put < 0 && errno == EINTR);
    if (put == 0) {
        errno = EIO;
    }
    return put;
}

enum qm_err qm_fd_write(int fd, struct qm_span bytes)
{
    size_t at = 0;

    while (at < bytes.len) {
        ssize_t put = write_once(fd, qm_span_from(bytes, at));

        if (put <= 0) {
            return QM_E_SYSTEM;
        }
        at += (size_t)put;
    }
    return QM_OK;
}

static ssize_t read_once(int fd, char *room, size_t len)
{
    ssize_t got;

    do {
        got = read(fd, room, len);
    } while (got < 0 && errno == EINTR);
    return got;
}

enum qm_err qm_fd_read(int fd, size_t most, struct qm_buf *out)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return QM_E_SYSTEM;
    } else if (!S_ISREG(st.st_mode)) {
        return QM_E_UNSUPPORTED;
    }
    while (most > 0) {
        size_t len = most < READ_STEP ? most : READ_STEP;
        char *room = qm_buf_reserve(out, len);
        ssize_t got;

        if (room == NULL) {
            return out->err;
        }
        got = read_once(fd, room, len);
        if (got <= 0) {
            return got == 0 ? QM_OK : QM_E_SYSTEM;
        }
        qm_buf_commit(out, (size_t)got);
        most -= (size_t)got;
    }
    return QM_OK;
}

/* Where fdatasync() is missing fsync() does the same and more. */
static int sync_data_once(int fd)
{
#if defined(_POSIX_SYNCHRONIZED_IO) && _POSIX_SYNCHRONIZED_IO > 0
    return fdatasync(fd);
#else
    return fsync(fd);
#endif
}

enum qm_err qm_fd_sync_data(int fd)
{
    int result;

    do {
        result = sync_data_once(fd);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? QM_OK : QM_E_SYSTEM;
}

/* EINVAL: this kind of file has nothing to wait for (POSIX, fsync()). */
enum qm_err qm_fd_sync_names(int fd)
{
    int result;

    do {
        result = fsync(fd);
    } while (result != 0 && errno == EINTR);
    return result == 0 || errno == EINVAL ? QM_OK : QM_E_SYSTEM;
}

/* After EINTR it is closed all the same; a second try could hit another. */
enum qm_err qm_fd_finish(int fd)
{
    return close(fd) == 0 || errno == EINTR ? QM_OK : QM_E_SYSTEM;
}

void qm_fd_close(int fd)
{
    int saved = errno;

    (void)close(fd);
    errno = saved;
}
