#include "tls/qm_tls_hooks.h"

#include "tls/qm_tls.h"
#include "tls/qm_tls_cert.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

static struct qm_tls *filter_of(X509_STORE_CTX *state)
{
    SSL *ssl =
        X509_STORE_CTX_get_ex_data(state, SSL_get_ex_data_X509_STORE_CTX_idx());

    return ssl != NULL ? SSL_get_app_data(ssl) : NULL;
}

/*
 * All of it is in the order of arrival, the peer's own first. After a refusal
 * OpenSSL has forgotten it.
 */
static void keep_chain(struct qm_tls *tls, X509_STORE_CTX *state)
{
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(state);

    if (tls->chain == NULL && sent != NULL) {
        /* without memory there is simply nothing to show */
        tls->chain = X509_chain_up_ref(sent);
    }
}

int qm_tls_on_verify(int good, X509_STORE_CTX *state)
{
    struct qm_tls *tls = filter_of(state);
    long result = X509_STORE_CTX_get_error(state);

    if (tls == NULL) {
        return good;
    }
    keep_chain(tls, state);
    if (good || tls->cert_code != QM_TLS_OK) {
        return good;
    }
    tls->cert_code = qm_tls_code_of_verify(result);
    qm_tls_cert_explain(X509_STORE_CTX_get_current_cert(state), result,
                        X509_STORE_CTX_get_error_depth(state), tls->host.text,
                        &tls->cert_text);
    return good;
}

/*
 * A copy, because OpenSSL forbids resumption of a session whose connection
 * ends without close_notify, and many mail servers end theirs like that.
 */
int qm_tls_on_session(SSL *ssl, SSL_SESSION *session)
{
    struct qm_tls *tls = SSL_get_app_data(ssl);
    SSL_SESSION *copy;

    if (tls == NULL || qm_buf_len(&tls->store_key) == 0 ||
        (tls->ctx->verify && SSL_get_verify_result(ssl) != X509_V_OK)) {
        return 0;
    }
    copy = SSL_SESSION_dup(session);
    if (copy != NULL) {
        /* without memory the next connection makes a full handshake */
        (void)qm_tls_store_put(&tls->ctx->store, qm_buf_span(&tls->store_key),
                               copy);
    }
    return 0;
}
