/*
 * qm_idna.h: domains in other scripts as the names that DNS knows.
 *
 * By libidn2, which is loaded at the first such domain: programs that know none
 * need none. UTS 46, not transitional: as browsers do.
 */
#ifndef QM_IDNA_H
#define QM_IDNA_H

#include "base/qm_buf.h"

#define QM_IDNA_LIBRARY "libidn2.so.0"

QM_DECLS_BEGIN

/*
 * Appends `domain` (UTF-8) in A-labels (RFC 5890): what is ASCII stays so, in
 * lower case. QM_E_SYNTAX when it is no domain, QM_E_TOO_LONG beyond 1000 bytes,
 * QM_E_UNSUPPORTED where `library` cannot be loaded, QM_E_LIMIT or QM_E_MEMORY.
 */
enum qm_err qm_idna_to_ascii(struct qm_buf *out, const char *library,
                             struct qm_span domain) QM_MUST_USE;

QM_DECLS_END

#endif
