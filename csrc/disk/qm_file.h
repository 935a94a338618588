/*
 * qm_file.h: a private file that is there whole or not at all.
 *
 * Bytes go to `path` + ".part", which takes the name `path` only when all of
 * them are written: whoever looks for `path` never sees half a file. A process
 * that dies leaves a .part at most, and the next writer of the same path
 * removes it. So no two may write one path at the same time: names are to be
 * chosen so that each has one writer.
 *
 * Symbolic links are not followed in the last component. Failures of the
 * system are QM_E_SYSTEM and leave their code in errno.
 */
#ifndef QM_FILE_H
#define QM_FILE_H

#include "base/qm_buf.h"

/* A writer; the block is on the heap while it is open. */
struct qm_file {
    char *path;      /* the final name; NULL when closed */
    char *part;      /* the name until then, in the same block */
    int fd_plus_one; /* 0: no descriptor, so that a zeroed struct is closed */
};

struct qm_file_info {
    uint64_t size;             /* bytes */
    int64_t mtime_seconds;     /* last change, since 1970 */
    int64_t mtime_nanoseconds; /* 0 to 999999999 more */
};

QM_DECLS_BEGIN

/* Opens the .part with mode 0600. Overwrites *file without closing it. */
enum qm_err qm_file_create(struct qm_file *file, const char *path) QM_MUST_USE;

/* Writes all of it. A failure aborts; a closed writer is QM_E_CLOSED. */
enum qm_err qm_file_append(struct qm_file *file,
                           struct qm_span bytes) QM_MUST_USE;

/*
 * Puts the file in its place, over one that was there, and closes the writer.
 * With `sync` it returns when content and name have reached the medium. A
 * failure aborts, and what was written is not at the path then.
 */
enum qm_err qm_file_commit(struct qm_file *file, bool sync) QM_MUST_USE;

/* Closes the writer and removes the .part. Idempotent; errno is kept. */
void qm_file_abort(struct qm_file *file);

/* Over a file that is at `to`. */
enum qm_err qm_file_rename(const char *from, const char *to) QM_MUST_USE;

enum qm_err qm_file_remove(const char *path) QM_MUST_USE;

/*
 * Appends at most the first `most` bytes; links are followed. QM_E_UNSUPPORTED
 * when it is no regular file: no FIFO makes this wait.
 */
enum qm_err qm_file_read(const char *path, size_t most,
                         struct qm_buf *out) QM_MUST_USE;

/* QM_E_UNSUPPORTED when it is no regular file (nor is a link to one). */
enum qm_err qm_file_stat(const char *path,
                         struct qm_file_info *info_out) QM_MUST_USE;

QM_DECLS_END

#endif
