/*
 * lq_entropy.h: random bytes of the operating system.
 *
 * For boundaries and Message-IDs. The engine itself draws none: it is given
 * what it needs.
 */
#ifndef LQ_ENTROPY_H
#define LQ_ENTROPY_H

#include "base/qm_err.h"

QM_DECLS_BEGIN

/*
 * Fills `out` with `len` bytes fit for keys. QM_E_SYSTEM when the system gives
 * none; `out` is then not to be used.
 */
enum qm_err lq_entropy(void *out, size_t len) QM_MUST_USE;

QM_DECLS_END

#endif
