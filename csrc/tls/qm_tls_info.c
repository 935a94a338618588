#include "tls/qm_tls_info.h"

#include "tls/qm_tls_cert.h"
#include "tls/qm_tls_fault.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

static void describe_cert(struct qm_tls *tls, struct qm_tls_info *info)
{
    X509 *cert = SSL_get_peer_certificate(tls->ssl);

    if (cert == NULL) {
        return;
    }
    info->has_cert = true;
    qm_tls_cert_subject(cert, &info->subject);
    qm_tls_cert_issuer(cert, &info->issuer);
    info->not_before = qm_tls_cert_not_before(cert);
    info->not_after = qm_tls_cert_not_after(cert);
    qm_buf_reset(&tls->names);
    qm_tls_cert_names(cert, &tls->names);
    info->names = qm_buf_span(&tls->names);
    X509_free(cert);
}

void qm_tls_info(struct qm_tls *tls, struct qm_tls_info *info)
{
    memset(info, 0, sizeof(*info));
    info->problem = tls->cert_code;
    info->problem_text = tls->cert_text.bytes;
    info->verified = tls->verified;
    info->plain_smtp = tls->code == QM_TLS_NOT_TLS && qm_tls_fault_is_smtp(tls);
    if (!tls->established) {
        return;
    }
    ERR_clear_error();
    info->version = SSL_get_version(tls->ssl);
    info->cipher = SSL_get_cipher_name(tls->ssl);
    info->resumed = SSL_session_reused(tls->ssl) == 1;
    describe_cert(tls, info);
    ERR_clear_error();
}
