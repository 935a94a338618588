/*
 * qm_fd.h: descriptors of files, for the other units of this floor.
 *
 * A signal never makes a call fail. Failures are QM_E_SYSTEM and leave their
 * code in errno.
 */
#ifndef QM_FD_H
#define QM_FD_H

#include "base/qm_buf.h"

QM_DECLS_BEGIN

/*
 * open() with close-on-exec; a file made by O_CREAT is its owner's alone
 * (0600). -1 with errno when it fails.
 */
int qm_fd_open(const char *path, int flags);

/* Writes all of it, or fails with any part of it written. */
enum qm_err qm_fd_write(int fd, struct qm_span bytes) QM_MUST_USE;

/*
 * Appends at most the first `most` bytes of a regular file; QM_E_UNSUPPORTED
 * for anything else. What is opened with O_NONBLOCK never waits.
 */
enum qm_err qm_fd_read(int fd, size_t most, struct qm_buf *out) QM_MUST_USE;

/* Waits until the content is on the medium; for a file. */
enum qm_err qm_fd_sync_data(int fd) QM_MUST_USE;

/*
 * Waits until the names are on the medium; for a folder. Fine where the file
 * system cannot do that.
 */
enum qm_err qm_fd_sync_names(int fd);

/*
 * Closes it after writing: some file systems tell of a full disk only now.
 * The descriptor is gone in any case.
 */
enum qm_err qm_fd_finish(int fd) QM_MUST_USE;

/* Closes it and leaves errno alone. */
void qm_fd_close(int fd);

QM_DECLS_END

#endif
