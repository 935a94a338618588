/*
 * qm_cram.h: the answer of CRAM-MD5 (RFC 2195).
 */
#ifndef QM_CRAM_H
#define QM_CRAM_H

#include "base/qm_buf.h"

QM_DECLS_BEGIN

/*
 * Appends the answer to `challenge` (decoded) to `out`, not in base64.
 * QM_E_EMPTY without a challenge: its HMAC would be one for all times.
 * QM_E_UNSUPPORTED where the library gives no MD5.
 */
enum qm_err qm_cram_answer(struct qm_span user, struct qm_span password,
                           struct qm_span challenge,
                           struct qm_buf *out) QM_MUST_USE;

QM_DECLS_END

#endif
