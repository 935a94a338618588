#include "mime/qm_source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where FNV-1a begins. */
static const uint64_t sum_of_nothing = 0xcbf29ce484222325;

void qm_source_memory(struct qm_source *source, struct qm_span bytes)
{
    memset(source, 0, sizeof(*source));
    source->kind = QM_SOURCE_MEMORY;
    source->bytes = bytes;
    source->size = bytes.len;
    source->size_known = true;
}

void qm_source_pull(struct qm_source *source, bool size_known, uint64_t size)
{
    memset(source, 0, sizeof(*source));
    source->kind = QM_SOURCE_PULL;
    source->size = size;
    source->size_known = size_known;
}

/*
 * Without O_NONBLOCK the open of a FIFO would wait for a writer; a regular
 * file does not care.
 */
static int open_path(const char *path)
{
    int fd;

    do {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static enum qm_err take_stamp(int fd, struct qm_source_stamp *stamp_out)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return QM_E_SYSTEM;
    }
    if (!S_ISREG(st.st_mode) || st.st_size < 0) {
        return QM_E_UNSUPPORTED;
    }
    stamp_out->device = (uint64_t)st.st_dev;
    stamp_out->inode = (uint64_t)st.st_ino;
    stamp_out->size = (uint64_t)st.st_size;
    stamp_out->mtime_seconds = (int64_t)st.st_mtim.tv_sec;
    stamp_out->mtime_nanoseconds = (int64_t)st.st_mtim.tv_nsec;
    return QM_OK;
}

static bool same_stamp(const struct qm_source_stamp *a,
                       const struct qm_source_stamp *b)
{
    return a->device == b->device && a->inode == b->inode &&
           a->size == b->size && a->mtime_seconds == b->mtime_seconds &&
           a->mtime_nanoseconds == b->mtime_nanoseconds;
}

/* Closing must not hide why something failed before. */
static void close_quietly(int fd)
{
    int saved = errno;

    (void)close(fd);
    errno = saved;
}

enum qm_err qm_source_file(struct qm_source *source, const char *path)
{
    enum qm_err err;
    int fd;

    memset(source, 0, sizeof(*source));
    source->kind = QM_SOURCE_FILE;
    source->path = path;
    source->size_known = true;
    fd = open_path(path);
    if (fd < 0) {
        return QM_E_SYSTEM;
    }
    err = take_stamp(fd, &source->stamp);
    source->size = source->stamp.size;
    close_quietly(fd);
    return err;
}

void qm_source_skip(struct qm_source *source, uint64_t count)
{
    source->first = count < source->size ? count : source->size;
}

bool qm_source_size(const struct qm_source *source, uint64_t *size_out)
{
    if (source->size_known) {
        *size_out = source->size - source->first;
    }
    return source->size_known;
}

static int source_fd(const struct qm_source *source)
{
    return source->fd_plus_one - 1;
}

static enum qm_err check_unchanged(const struct qm_source *source)
{
    struct qm_source_stamp now;

    if (take_stamp(source_fd(source), &now) != QM_OK ||
        !same_stamp(&now, &source->stamp)) {
        return QM_E_CHANGED;
    }
    return QM_OK;
}

static enum qm_err open_file(struct qm_source *source)
{
    int fd = open_path(source->path);
    enum qm_err err;

    if (fd < 0) {
        return errno == ENOENT ? QM_E_CHANGED : QM_E_SYSTEM;
    }
    source->fd_plus_one = fd + 1;
    err = check_unchanged(source);
    if (err == QM_OK && lseek(fd, (off_t)source->first, SEEK_SET) < 0) {
        err = QM_E_SYSTEM;
    }
    if (err != QM_OK) {
        qm_source_close(source);
    }
    return err;
}

enum qm_err qm_source_open(struct qm_source *source)
{
    qm_source_close(source);
    source->at = source->first;
    source->sum = sum_of_nothing;
    if (source->kind == QM_SOURCE_FILE) {
        return open_file(source);
    }
    if (source->kind == QM_SOURCE_PULL && source->touched) {
        return QM_E_UNSUPPORTED;
    }
    return QM_OK;
}

/* --- sums ---------------------------------------------------------------- */

/* FNV-1a: enough against accidents. */
static uint64_t sum_on(uint64_t sum, struct qm_span bytes)
{
    size_t i;

    for (i = 0; i < bytes.len; i++) {
        sum = (sum ^ (unsigned char)bytes.ptr[i]) * 0x100000001b3;
    }
    return sum;
}

void qm_source_watch(struct qm_source *source)
{
    source->watched = true;
}

static enum qm_err check_sum(struct qm_source *source)
{
    if (!source->watched) {
        return QM_OK;
    }
    if (source->summed) {
        return source->sum == source->first_sum ? QM_OK : QM_E_CHANGED;
    }
    source->first_sum = source->sum;
    source->summed = true;
    return QM_OK;
}

static enum qm_err end_of_file(struct qm_source *source)
{
    enum qm_err err = check_unchanged(source);

    return err == QM_OK ? check_sum(source) : err;
}

/* --- reading ------------------------------------------------------------- */

static ssize_t read_some(int fd, char *slice, size_t len)
{
    ssize_t got;

    do {
        got = read(fd, slice, len);
    } while (got < 0 && errno == EINTR);
    return got;
}

/*
 * At the promised end one more byte is asked for: files whose stated size says
 * nothing (as under /proc) or that grew are told apart from whole ones.
 */
static enum qm_err next_of_file(struct qm_source *source, char *slice,
                                size_t cap, struct qm_span *bytes_out)
{
    uint64_t left = source->size - source->at;
    size_t want = left < cap ? (size_t)left : cap;
    ssize_t got;

    if (source->fd_plus_one == 0) {
        return QM_E_MISUSE;
    }
    got = read_some(source_fd(source), slice, want > 0 ? want : 1);
    if (got < 0) {
        return QM_E_SYSTEM;
    }
    if ((got == 0) != (left == 0)) {
        return QM_E_CHANGED;
    }
    source->at += (uint64_t)got;
    *bytes_out = qm_span_make(slice, (size_t)got);
    if (source->watched) {
        source->sum = sum_on(source->sum, *bytes_out);
    }
    return left == 0 ? end_of_file(source) : QM_OK;
}

static enum qm_err next_of_pull(struct qm_source *source,
                                struct qm_span *bytes_out)
{
    if (source->bytes.len == 0 && !source->ended) {
        return QM_E_AGAIN;
    }
    *bytes_out = source->bytes;
    source->at += source->bytes.len;
    source->bytes = qm_span_make(NULL, 0);
    if (source->size_known &&
        (source->at > source->size ||
         (bytes_out->len == 0 && source->at != source->size))) {
        return QM_E_CHANGED;
    }
    return QM_OK;
}

enum qm_err qm_source_next(struct qm_source *source, char *slice, size_t cap,
                           struct qm_span *bytes_out)
{
    *bytes_out = qm_span_make(NULL, 0);
    if (source->kind == QM_SOURCE_FILE) {
        return next_of_file(source, slice, cap, bytes_out);
    }
    if (source->kind == QM_SOURCE_PULL) {
        return next_of_pull(source, bytes_out);
    }
    if (source->at < source->size) {
        *bytes_out = qm_span_from(source->bytes, (size_t)source->at);
        source->at = source->size;
    }
    return QM_OK;
}

enum qm_err qm_source_push(struct qm_source *source, struct qm_span piece)
{
    if (source->kind != QM_SOURCE_PULL || source->ended ||
        source->bytes.len > 0) {
        return QM_E_MISUSE;
    }
    source->touched = true;
    source->bytes = piece;
    source->ended = piece.len == 0;
    return QM_OK;
}

void qm_source_close(struct qm_source *source)
{
    if (source->fd_plus_one > 0) {
        close_quietly(source_fd(source));
        source->fd_plus_one = 0;
    }
}
