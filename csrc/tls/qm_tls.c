#include "tls/qm_tls.h"

#include "tls/qm_tls_fault.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static enum qm_err open_filter(struct qm_tls *tls, struct qm_tls_ctx *ctx)
{
    BIO *bio;

    memset(tls, 0, sizeof(*tls));
    tls->ctx = qm_tls_ctx_retain(ctx);
    qm_buf_init(&tls->pipe.in, QM_TLS_IN_CAP, false);
    qm_buf_init(&tls->pipe.out, QM_TLS_OUT_CAP, false);
    qm_buf_init(&tls->store_key,
                QM_TLS_SESSION_KEY_MAX + sizeof(tls->host.text), false);
    qm_buf_init(&tls->names, QM_TLS_NAMES_CAP, false);
    tls->ssl = SSL_new(ctx->ssl_ctx);
    bio = qm_tls_bio_new(ctx->bio_method, &tls->pipe);
    if (tls->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        return QM_E_MEMORY;
    }
    SSL_set_bio(tls->ssl, bio, bio);
    return SSL_set_app_data(tls->ssl, tls) ? QM_OK : QM_E_MEMORY;
}

/* Names and addresses are compared by OpenSSL while it verifies the chain. */
static enum qm_err set_host(struct qm_tls *tls, struct qm_span server_name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
    enum qm_err err;

    if (server_name.len == 0 && !tls->ctx->verify) {
        return QM_OK;
    }
    err = qm_tls_host_set(&tls->host, server_name);
    if (err != QM_OK) {
        return err;
    }
    if (tls->host.kind == QM_TLS_HOST_ADDRESS) {
        return X509_VERIFY_PARAM_set1_ip_asc(param, tls->host.text)
                   ? QM_OK
                   : QM_E_MEMORY;
    }
    /* RFC 9525, section 6: no common name, no wildcard inside a label */
    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (!X509_VERIFY_PARAM_set1_host(param, tls->host.text, 0) ||
        !SSL_set_tlsext_host_name(tls->ssl, tls->host.text)) {
        return QM_E_MEMORY;
    }
    return QM_OK;
}

/*
 * Offers the session remembered under the filter's key, if any. A copy: when
 * the connection ends without close_notify, OpenSSL marks its session as not
 * to be resumed. Without memory there is simply a full handshake.
 */
static void offer_session(struct qm_tls *tls)
{
    SSL_SESSION *session =
        qm_tls_store_find(&tls->ctx->store, qm_buf_span(&tls->store_key));

    if (session == NULL) {
        return;
    }
    session = SSL_SESSION_dup(session);
    if (session != NULL) {
        (void)SSL_set_session(tls->ssl, session);
        SSL_SESSION_free(session);
    }
}

/* A resumed session is not verified again, so the name is part of its key. */
static enum qm_err set_session(struct qm_tls *tls, struct qm_span session_key)
{
    if (session_key.len == 0) {
        return QM_OK;
    }
    if (session_key.len > QM_TLS_SESSION_KEY_MAX) {
        return QM_E_TOO_LONG;
    }
    (void)qm_buf_append(&tls->store_key, session_key);
    (void)qm_buf_append_char(&tls->store_key, '\0');
    if (qm_buf_append_text(&tls->store_key, tls->host.text) != QM_OK) {
        return tls->store_key.err;
    }
    offer_session(tls);
    return QM_OK;
}

enum qm_err qm_tls_open_client(struct qm_tls *tls, struct qm_tls_ctx *ctx,
                               struct qm_span server_name,
                               struct qm_span session_key)
{
    enum qm_err err;

    if (ctx->server) {
        return QM_E_MISUSE;
    }
    ERR_clear_error();
    err = open_filter(tls, ctx);
    if (err == QM_OK) {
        SSL_set_connect_state(tls->ssl);
        err = set_host(tls, server_name);
    }
    if (err == QM_OK) {
        err = set_session(tls, session_key);
    }
    ERR_clear_error();
    if (err != QM_OK) {
        qm_tls_close(tls);
    }
    return err;
}

enum qm_err qm_tls_open_server(struct qm_tls *tls, struct qm_tls_ctx *ctx)
{
    enum qm_err err;

    if (!ctx->server) {
        return QM_E_MISUSE;
    }
    ERR_clear_error();
    err = open_filter(tls, ctx);
    ERR_clear_error();
    if (err != QM_OK) {
        qm_tls_close(tls);
        return err;
    }
    SSL_set_accept_state(tls->ssl);
    return QM_OK;
}

void qm_tls_close(struct qm_tls *tls)
{
    if (tls->ctx == NULL) {
        return;
    }
    SSL_free(tls->ssl);
    sk_X509_pop_free(tls->chain, X509_free);
    qm_buf_deinit(&tls->pipe.in);
    qm_buf_deinit(&tls->pipe.out);
    qm_buf_deinit(&tls->store_key);
    qm_buf_deinit(&tls->names);
    qm_tls_ctx_release(tls->ctx);
    memset(tls, 0, sizeof(*tls));
}

/* SSL_VERIFY_PEER has seen to it already; an anonymous cipher shows nobody. */
static enum qm_err check_peer(struct qm_tls *tls)
{
    X509 *cert;

    if (!tls->ctx->verify) {
        return QM_OK;
    }
    cert = SSL_get_peer_certificate(tls->ssl);
    if (cert == NULL || SSL_get_verify_result(tls->ssl) != X509_V_OK) {
        X509_free(cert);
        return qm_tls_fault_set(tls, QM_TLS_UNTRUSTED,
                                "the other side did not prove who it is");
    }
    X509_free(cert);
    tls->verified = true;
    return QM_OK;
}

/* What does not resume today is no good tomorrow. */
static void forget_session(struct qm_tls *tls)
{
    if (qm_buf_len(&tls->store_key) > 0) {
        qm_tls_store_remove(&tls->ctx->store, qm_buf_span(&tls->store_key));
    }
}

enum qm_err qm_tls_handshake(struct qm_tls *tls)
{
    enum qm_err err;
    int result;

    if (tls->ctx == NULL) {
        return QM_E_MISUSE;
    }
    if (tls->err != QM_OK || tls->established) {
        return tls->err;
    }
    ERR_clear_error();
    result = SSL_do_handshake(tls->ssl);
    if (result == 1) {
        tls->established = true;
        err = check_peer(tls);
    } else {
        err = qm_tls_fault_judge(tls, result);
    }
    ERR_clear_error();
    if (tls->err != QM_OK) {
        forget_session(tls);
    }
    return err;
}

static void keep_head(struct qm_tls *tls, struct qm_span cipher)
{
    size_t room = sizeof(tls->head) - tls->head_len;
    size_t len = cipher.len < room ? cipher.len : room;

    if (!tls->established && len > 0) {
        memcpy(tls->head + tls->head_len, cipher.ptr, len);
        tls->head_len += len;
    }
}

enum qm_err qm_tls_feed(struct qm_tls *tls, struct qm_span cipher)
{
    enum qm_err err;

    if (tls->ctx == NULL || tls->pipe.eof) {
        return QM_E_MISUSE;
    }
    if (tls->err != QM_OK || tls->peer_closed) {
        return QM_OK;
    }
    if (cipher.len > qm_buf_free_space(&tls->pipe.in)) {
        return QM_E_LIMIT;
    }
    err = qm_buf_append(&tls->pipe.in, cipher);
    if (err != QM_OK) {
        return tls->err = err;
    }
    keep_head(tls, cipher);
    return QM_OK;
}

void qm_tls_eof(struct qm_tls *tls)
{
    tls->pipe.eof = true;
}

enum qm_err qm_tls_read(struct qm_tls *tls, char *out, size_t cap,
                        size_t *len_out)
{
    enum qm_err err = QM_OK;
    int result;

    *len_out = 0;
    if (tls->err != QM_OK) {
        return tls->err;
    }
    if (!tls->established || cap == 0) {
        return QM_E_MISUSE;
    }
    if (tls->peer_closed) {
        return QM_E_CLOSED;
    }
    ERR_clear_error();
    result = SSL_read_ex(tls->ssl, out, cap, len_out);
    if (result != 1) {
        err = qm_tls_fault_judge(tls, result);
    }
    ERR_clear_error();
    return err;
}

static bool may_seal(const struct qm_tls *tls)
{
    return qm_buf_len(&tls->pipe.out) < QM_TLS_OUT_BUSY &&
           !qm_tls_marks_full(&tls->marks);
}

/* One call of SSL_write makes one record, as `plain` fits into it. */
static enum qm_err seal(struct qm_tls *tls, struct qm_span plain)
{
    size_t written = 0;
    int result = SSL_write_ex(tls->ssl, plain.ptr, plain.len, &written);

    if (result != 1) {
        return qm_tls_fault_judge(tls, result);
    }
    qm_tls_marks_add(&tls->marks, tls->cipher_sent + qm_buf_len(&tls->pipe.out),
                     written);
    return QM_OK;
}

enum qm_err qm_tls_write(struct qm_tls *tls, struct qm_span plain,
                         size_t *accepted_out)
{
    enum qm_err err = QM_OK;

    *accepted_out = 0;
    if (tls->err != QM_OK) {
        return tls->err;
    }
    if (!tls->established || tls->shut) {
        return QM_E_MISUSE;
    }
    ERR_clear_error();
    while (plain.len > 0 && may_seal(tls) && err == QM_OK) {
        size_t len =
            plain.len < QM_TLS_RECORD_MAX ? plain.len : QM_TLS_RECORD_MAX;

        err = seal(tls, qm_span_make(plain.ptr, len));
        if (err == QM_OK) {
            plain = qm_span_from(plain, len);
            *accepted_out += len;
        }
    }
    ERR_clear_error();
    return err;
}

struct qm_span qm_tls_output(const struct qm_tls *tls)
{
    return qm_buf_span(&tls->pipe.out);
}

enum qm_err qm_tls_sent(struct qm_tls *tls, size_t cipher_len,
                        uint64_t *plain_out)
{
    *plain_out = 0;
    if (cipher_len > qm_buf_len(&tls->pipe.out)) {
        return QM_E_MISUSE;
    }
    qm_buf_consume(&tls->pipe.out, cipher_len);
    tls->cipher_sent += cipher_len;
    *plain_out = qm_tls_marks_pass(&tls->marks, tls->cipher_sent);
    return QM_OK;
}

void qm_tls_shutdown(struct qm_tls *tls)
{
    if (!tls->established || tls->err != QM_OK || tls->shut) {
        return;
    }
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
    tls->shut = true;
}
