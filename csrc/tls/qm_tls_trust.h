/*
 * qm_tls_trust.h: where the authorities of this system are.
 */
#ifndef QM_TLS_TRUST_H
#define QM_TLS_TRUST_H

#include "base/qm_base.h"

struct ssl_ctx_st;

QM_DECLS_BEGIN

/*
 * Trusts what the system trusts: OpenSSL's own default paths (SSL_CERT_FILE
 * and SSL_CERT_DIR are honoured), else the first bundle found where the usual
 * systems keep it; a statically linked OpenSSL often looks in vain.
 */
void qm_tls_trust_system(struct ssl_ctx_st *ssl_ctx);

/* The default bundle and directory, for noticing that they changed. */
const char *qm_tls_trust_default_file(void);
const char *qm_tls_trust_default_path(void);

QM_DECLS_END

#endif
