/*
 * qm_path.h: files of one folder and of no other, wherever a path leads.
 */
#ifndef QM_PATH_H
#define QM_PATH_H

#include "base/qm_buf.h"

QM_DECLS_BEGIN

/*
 * Appends at most the first `most` bytes of a regular file in `folder` or
 * further down, both as they are without links and "..": what may be read of a
 * folder that others fill must not be decided by the text of a path alone.
 * Nothing when it is not inside. Whoever changes links meanwhile gets an error,
 * never a file of elsewhere: no link is followed once the place is known.
 * Anything but a regular file is QM_E_UNSUPPORTED; failures of the system are
 * QM_E_SYSTEM and leave their code in errno.
 */
enum qm_err qm_path_read(const char *folder, const char *path, size_t most,
                         struct qm_buf *out, bool *inside_out) QM_MUST_USE;

QM_DECLS_END

#endif
