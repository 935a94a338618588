/*
 * qm_tls_fault.h: turns a failed OpenSSL call into the state of a filter.
 */
#ifndef QM_TLS_FAULT_H
#define QM_TLS_FAULT_H

#include "tls/qm_tls.h"

QM_DECLS_BEGIN

/*
 * To be called right after an SSL_* call returned `result`, with the error
 * queue as it left it. QM_E_AGAIN and QM_E_CLOSED are no failures; anything
 * else is kept in the filter and returned.
 */
enum qm_err qm_tls_fault_judge(struct qm_tls *tls, int result);

/* Fails the filter with QM_E_TLS for a reason of our own. */
enum qm_err qm_tls_fault_set(struct qm_tls *tls, enum qm_tls_code code,
                             const char *text);

/* True when the first bytes of the peer are a reply line of SMTP. */
bool qm_tls_fault_is_smtp(const struct qm_tls *tls);

QM_DECLS_END

#endif
