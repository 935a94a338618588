/*
 * qm_os.h: the few system calls that POSIX 2008 does not name.
 *
 * Their declarations need feature macros of the platform, which are set in
 * qm_os.c and nowhere else. All descriptors are close-on-exec and
 * non-blocking. Failures leave their code in errno.
 */
#ifndef QM_OS_H
#define QM_OS_H

#include "base/qm_err.h"

QM_DECLS_BEGIN

/* A stream socket; -1 with errno when there is none. */
int qm_os_socket(int family);

/* A pipe: fds_out[0] is read, fds_out[1] is written. */
enum qm_err qm_os_pipe(int fds_out[2]);

/* accept() on `fd`; QM_E_AGAIN when no connection waits. */
enum qm_err qm_os_accept(int fd, int *fd_out);

/*
 * Keeps the shared object that holds this code mapped until the process
 * ends. A thread of ours may still run when Lua unloads the module (dlclose()
 * in lua_close()); it must not return into an unmapped page. Where the code
 * is part of the program itself there is nothing to do.
 */
void qm_os_pin_module(void);

QM_DECLS_END

#endif
