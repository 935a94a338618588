#include "tls/qm_tls_info.h"

#include "tls/qm_tls_cert.h"
#include "tls/qm_tls_fault.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/*
 * What verification was about, or where a session was resumed and nothing had
 * to be verified, what is remembered with it. NULL when there is none.
 */
static const STACK_OF(X509) * chain_of(const struct qm_tls *tls)
{
    if (tls->chain != NULL || tls->ssl == NULL) {
        return tls->chain;
    }
    return SSL_is_server(tls->ssl) ? NULL : SSL_get_peer_cert_chain(tls->ssl);
}

static const X509 *cert_at(const struct qm_tls *tls, int index)
{
    const STACK_OF(X509) *chain = chain_of(tls);

    if (chain == NULL || index < 0 || index >= sk_X509_num(chain)) {
        return NULL;
    }
    return sk_X509_value(chain, index);
}

static void describe(const X509 *cert, struct qm_tls_info_cert *out)
{
    qm_tls_text_clear(&out->subject);
    qm_tls_text_clear(&out->issuer);
    qm_tls_cert_subject(cert, &out->subject);
    qm_tls_cert_issuer(cert, &out->issuer);
    out->not_before = qm_tls_cert_not_before(cert);
    out->not_after = qm_tls_cert_not_after(cert);
}

static void describe_own(struct qm_tls *tls, struct qm_tls_info *info)
{
    const X509 *cert = cert_at(tls, 0);

    if (cert == NULL) {
        return;
    }
    info->has_cert = true;
    describe(cert, &info->cert);
    qm_buf_reset(&tls->names);
    qm_tls_cert_names(cert, &tls->names);
    info->names = qm_buf_span(&tls->names);
}

void qm_tls_info(struct qm_tls *tls, struct qm_tls_info *info)
{
    memset(info, 0, sizeof(*info));
    info->problem = tls->cert_code;
    info->problem_text = tls->cert_text.bytes;
    info->verified = tls->verified;
    info->plain_smtp = tls->code == QM_TLS_NOT_TLS && qm_tls_fault_is_smtp(tls);
    ERR_clear_error();
    if (tls->established) {
        info->version = SSL_get_version(tls->ssl);
        info->cipher = SSL_get_cipher_name(tls->ssl);
        info->resumed = SSL_session_reused(tls->ssl) == 1;
    }
    describe_own(tls, info);
    ERR_clear_error();
}

bool qm_tls_info_chain(struct qm_tls *tls, int index,
                       struct qm_tls_info_cert *cert_out)
{
    const X509 *cert =
        index < QM_TLS_INFO_CHAIN_MAX ? cert_at(tls, index) : NULL;

    if (cert == NULL) {
        return false;
    }
    ERR_clear_error();
    describe(cert, cert_out);
    ERR_clear_error();
    return true;
}
