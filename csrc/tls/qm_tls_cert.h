/*
 * qm_tls_cert.h: what a certificate says, and what is wrong with it.
 *
 * Certificates come from the other side: every text made here is escaped and
 * bounded.
 */
#ifndef QM_TLS_CERT_H
#define QM_TLS_CERT_H

#include "base/qm_buf.h"
#include "tls/qm_tls_text.h"

struct x509_st;

QM_DECLS_BEGIN

/* Distinguished names as in RFC 4514, UTF-8. Both append. */
void qm_tls_cert_subject(const struct x509_st *cert, struct qm_tls_text *text);
void qm_tls_cert_issuer(const struct x509_st *cert, struct qm_tls_text *text);

/* First and last second of validity since 1970-01-01 UTC; 0 if unreadable. */
int64_t qm_tls_cert_not_before(const struct x509_st *cert);
int64_t qm_tls_cert_not_after(const struct x509_st *cert);

/*
 * Appends the host names and addresses of the subject alternative name, each
 * followed by a NUL (bytes that are not visible ASCII appear as \xNN). Stops
 * without an error at the cap of the buffer.
 */
void qm_tls_cert_names(const struct x509_st *cert, struct qm_buf *names);

/*
 * Writes the reason of verify result `result` (X509_V_ERR_*) as a sentence:
 * `cert`, at `depth` (0 = the server's own), was refused while `host` was
 * wanted ("" when none).
 */
void qm_tls_cert_explain(const struct x509_st *cert, long result, int depth,
                         const char *host, struct qm_tls_text *text);

QM_DECLS_END

#endif
