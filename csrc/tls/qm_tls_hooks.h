/*
 * qm_tls_hooks.h: the two places where OpenSSL calls us back.
 *
 * Both find their filter (struct qm_tls) as the application data of the SSL.
 */
#ifndef QM_TLS_HOOKS_H
#define QM_TLS_HOOKS_H

#include "base/qm_base.h"

struct ssl_session_st;
struct ssl_st;
struct x509_store_ctx_st;

QM_DECLS_BEGIN

/*
 * Keeps the certificates and notes what is wrong with one while they are at
 * hand; the verdict `good` is returned as it came.
 */
int qm_tls_on_verify(int good, struct x509_store_ctx_st *state);

/*
 * Puts a copy of a new session into the store of the context. Always 0: the
 * session itself stays OpenSSL's.
 */
int qm_tls_on_session(struct ssl_st *ssl, struct ssl_session_st *session);

QM_DECLS_END

#endif
