/*
 * qm_lock.h: a lock file: one holder at a time, on one machine.
 *
 * The kernel frees the lock when its holder ends, however it ends: a lock that
 * can be taken had no living holder. The file stays when the lock is given up;
 * only who holds the lock may remove it.
 *
 * It belongs to the open file, not to the process: a second one in the same
 * process does not get it either, and a child made by fork() shares it until
 * both have closed it or ended (exec closes it).
 */
#ifndef QM_LOCK_H
#define QM_LOCK_H

#include "base/qm_err.h"

struct qm_lock {
    int fd_plus_one; /* 0: not held, so that a zeroed struct is not */
};

QM_DECLS_BEGIN

/*
 * Takes the lock without waiting; makes the file (0600) when it is missing.
 * QM_E_AGAIN: somebody else holds it. QM_E_UNSUPPORTED: no regular file.
 * QM_E_SYSTEM with errno otherwise; ELOOP for a symbolic link.
 */
enum qm_err qm_lock_take(struct qm_lock *lock_out,
                         const char *path) QM_MUST_USE;

/* Gives it up. Idempotent. */
void qm_lock_drop(struct qm_lock *lock);

QM_DECLS_END

#endif
