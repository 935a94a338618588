#include "disk/qm_file.h"

#include "base/qm_mem.h"
#include "disk/qm_fd.h"
#include "disk/qm_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char part_suffix[] = ".part";

/* "a/" would make "a/.part": a file in the folder, not beside it. */
static int reason_against(const char *path)
{
    size_t len = strlen(path);

    if (len == 0) {
        return ENOENT;
    }
    return path[len - 1] == '/' ? EISDIR : 0;
}

/* Both names in one block. */
static enum qm_err set_names(struct qm_file *file, const char *path)
{
    size_t len = strlen(path);

    file->path = qm_mem_alloc(2 * len + 1 + sizeof(part_suffix));
    if (file->path == NULL) {
        return QM_E_MEMORY;
    }
    file->part = file->path + len + 1;
    memcpy(file->path, path, len + 1);
    memcpy(file->part, path, len);
    memcpy(file->part + len, part_suffix, sizeof(part_suffix));
    return QM_OK;
}

static void forget_names(struct qm_file *file)
{
    qm_mem_free(file->path);
    file->path = NULL;
    file->part = NULL;
}

enum qm_err qm_file_create(struct qm_file *file, const char *path)
{
    int reason = reason_against(path);
    int fd;

    memset(file, 0, sizeof(*file));
    if (reason != 0) {
        errno = reason;
        return QM_E_SYSTEM;
    }
    if (set_names(file, path) != QM_OK) {
        return QM_E_MEMORY;
    }
    (void)unlink(file->part); /* of one that died; open() tells what it hit */
    fd = qm_fd_open(file->part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
    if (fd < 0) {
        forget_names(file);
        return QM_E_SYSTEM;
    }
    file->fd_plus_one = fd + 1;
    return QM_OK;
}

static int file_fd(const struct qm_file *file)
{
    return file->fd_plus_one - 1;
}

enum qm_err qm_file_append(struct qm_file *file, struct qm_span bytes)
{
    enum qm_err err;

    if (file->fd_plus_one == 0) {
        return QM_E_CLOSED;
    }
    err = qm_fd_write(file_fd(file), bytes);
    if (err != QM_OK) {
        qm_file_abort(file);
    }
    return err;
}

static enum qm_err finish_content(struct qm_file *file, bool sync)
{
    enum qm_err err = sync ? qm_fd_sync_data(file_fd(file)) : QM_OK;

    if (err == QM_OK) {
        err = qm_fd_finish(file_fd(file));
        file->fd_plus_one = 0;
    }
    return err;
}

static enum qm_err finish_name(const struct qm_file *file)
{
    return rename(file->part, file->path) == 0 ? QM_OK : QM_E_SYSTEM;
}

static void remove_quietly(const char *path)
{
    int saved = errno;

    (void)unlink(path);
    errno = saved;
}

/*
 * Content first: a name that outlives a power failure must not name less. The
 * folder is opened before anything is done, as that may fail as well.
 */
static enum qm_err finish_synced(struct qm_file *file)
{
    int folder = qm_folder_open_parent(file->path);
    enum qm_err err;

    if (folder < 0) {
        return QM_E_SYSTEM;
    }
    err = finish_content(file, true);
    if (err == QM_OK) {
        err = finish_name(file);
    }
    if (err == QM_OK) {
        err = qm_fd_sync_names(folder);
        if (err != QM_OK) {
            remove_quietly(file->path);
        }
    }
    qm_fd_close(folder);
    return err;
}

static enum qm_err finish(struct qm_file *file)
{
    enum qm_err err = finish_content(file, false);

    return err == QM_OK ? finish_name(file) : err;
}

enum qm_err qm_file_commit(struct qm_file *file, bool sync)
{
    enum qm_err err;

    if (file->fd_plus_one == 0) {
        return QM_E_CLOSED;
    }
    err = sync ? finish_synced(file) : finish(file);
    if (err != QM_OK) {
        qm_file_abort(file);
        return err;
    }
    forget_names(file);
    return QM_OK;
}

void qm_file_abort(struct qm_file *file)
{
    if (file->fd_plus_one > 0) {
        qm_fd_close(file_fd(file));
        file->fd_plus_one = 0;
    }
    if (file->path != NULL) {
        remove_quietly(file->part);
        forget_names(file);
    }
}

enum qm_err qm_file_rename(const char *from, const char *to)
{
    return rename(from, to) == 0 ? QM_OK : QM_E_SYSTEM;
}

enum qm_err qm_file_remove(const char *path)
{
    return unlink(path) == 0 ? QM_OK : QM_E_SYSTEM;
}

enum qm_err qm_file_read(const char *path, size_t most, struct qm_buf *out)
{
    int fd = qm_fd_open(path, O_RDONLY | O_NONBLOCK);
    enum qm_err err;

    if (fd < 0) {
        return QM_E_SYSTEM;
    }
    err = qm_fd_read(fd, most, out);
    qm_fd_close(fd);
    return err;
}

enum qm_err qm_file_stat(const char *path, struct qm_file_info *info_out)
{
    struct stat st;

    if (lstat(path, &st) != 0) {
        return QM_E_SYSTEM;
    }
    if (!S_ISREG(st.st_mode) || st.st_size < 0) {
        return QM_E_UNSUPPORTED;
    }
    info_out->size = (uint64_t)st.st_size;
    info_out->mtime_seconds = (int64_t)st.st_mtim.tv_sec;
    info_out->mtime_nanoseconds = (int64_t)st.st_mtim.tv_nsec;
    return QM_OK;
}
