#include "tls/qm_tls_fault.h"

#include "base/qm_ascii.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

enum {
    /* content types of a record, RFC 8446, section 5.1 */
    RECORD_FIRST = 20,
    RECORD_HANDSHAKE = 22,
    RECORD_LAST = 23,
    SERVER_HELLO = 2,        /* RFC 8446, section 4 */
    SERVER_HELLO_VERSION = 9 /* offset: record and message header before it */
};

enum qm_err qm_tls_fault_set(struct qm_tls *tls, enum qm_tls_code code,
                             const char *text)
{
    tls->code = code;
    qm_tls_text_clear(&tls->text);
    qm_tls_text_add(&tls->text, text);
    return tls->err = QM_E_TLS;
}

static unsigned char head_byte(const struct qm_tls *tls, size_t index)
{
    return index < tls->head_len ? (unsigned char)tls->head[index] : 0;
}

static bool answered_plainly(const struct qm_tls *tls)
{
    unsigned char type = head_byte(tls, 0);

    return tls->head_len > 0 && (type < RECORD_FIRST || type > RECORD_LAST);
}

/* Three digits and a space or hyphen: RFC 5321, section 4.2. */
bool qm_tls_fault_is_smtp(const struct qm_tls *tls)
{
    size_t i;

    for (i = 0; i < 3; i++) {
        if (!qm_ascii_is_digit(head_byte(tls, i))) {
            return false;
        }
    }
    return head_byte(tls, 3) == ' ' || head_byte(tls, 3) == '-';
}

static struct qm_span first_line(const struct qm_tls *tls)
{
    size_t len = 0;

    while (len < tls->head_len && tls->head[len] != '\r' &&
           tls->head[len] != '\n') {
        len++;
    }
    return qm_span_make(tls->head, len);
}

/* An alert would only be garbage to a peer that does not speak TLS. */
static enum qm_err fail_not_tls(struct qm_tls *tls)
{
    tls->cipher_sent += qm_buf_len(&tls->pipe.out);
    qm_buf_reset(&tls->pipe.out);
    qm_tls_fault_set(tls, QM_TLS_NOT_TLS, "the answer is not TLS: \"");
    qm_tls_text_add_escaped(&tls->text, first_line(tls));
    qm_tls_text_add(&tls->text, "\"");
    if (qm_tls_fault_is_smtp(tls)) {
        qm_tls_text_add(&tls->text, " (the server speaks plain SMTP on this "
                                    "port; TLS there begins with STARTTLS)");
    }
    return QM_E_TLS;
}

static enum qm_err fail_certificate(struct qm_tls *tls)
{
    long result = SSL_get_verify_result(tls->ssl);
    enum qm_tls_code code = qm_tls_code_of_verify(result);

    if (tls->cert_code != QM_TLS_OK) {
        return qm_tls_fault_set(tls, tls->cert_code, tls->cert_text.bytes);
    }
    return qm_tls_fault_set(tls, code == QM_TLS_OK ? QM_TLS_UNTRUSTED : code,
                            X509_verify_cert_error_string(result));
}

static enum qm_err fail_end(struct qm_tls *tls)
{
    if (tls->established) {
        return qm_tls_fault_set(tls, QM_TLS_TRUNCATED,
                                "the connection ended without close_notify");
    }
    if (tls->head_len == 0) {
        return qm_tls_fault_set(tls, QM_TLS_CLOSED,
                                "the connection was closed without an answer "
                                "to the TLS handshake");
    }
    return qm_tls_fault_set(tls, QM_TLS_CLOSED,
                            "the connection was closed during the TLS "
                            "handshake");
}

static const char *version_name(int version)
{
    switch (version) {
    case SSL3_VERSION:
        return "SSL 3.0";
    case TLS1_VERSION:
        return "TLS 1.0";
    case TLS1_1_VERSION:
        return "TLS 1.1";
    case TLS1_2_VERSION:
        return "TLS 1.2";
    case TLS1_3_VERSION:
        return "TLS 1.3";
    default:
        return NULL;
    }
}

/* The version in a ServerHello, when that is what came first; else NULL. */
static const char *offered_version(const struct qm_tls *tls)
{
    if (head_byte(tls, 0) != RECORD_HANDSHAKE ||
        head_byte(tls, 5) != SERVER_HELLO) {
        return NULL;
    }
    return version_name(head_byte(tls, SERVER_HELLO_VERSION) << 8 |
                        head_byte(tls, SERVER_HELLO_VERSION + 1));
}

static enum qm_err fail_version(struct qm_tls *tls)
{
    const char *offered = offered_version(tls);
    const char *needed = version_name((int)SSL_get_min_proto_version(tls->ssl));

    qm_tls_fault_set(tls, QM_TLS_PROTOCOL_VERSION, "");
    if (offered != NULL) {
        qm_tls_text_add(&tls->text, "the other side offers only ");
        qm_tls_text_add(&tls->text, offered);
    } else {
        qm_tls_text_add(&tls->text, "there is no TLS version in common");
    }
    if (needed != NULL) {
        qm_tls_text_add(&tls->text, " (needed is at least ");
        qm_tls_text_add(&tls->text, needed);
        qm_tls_text_add(&tls->text, ")");
    }
    return QM_E_TLS;
}

static enum qm_err fail_alert(struct qm_tls *tls, unsigned long entry)
{
    int alert = qm_tls_alert_of_queue(entry);

    qm_tls_fault_set(tls, QM_TLS_ALERT, "the other side gave up with alert ");
    qm_tls_text_add_number(&tls->text, alert);
    qm_tls_text_add(&tls->text, " (");
    qm_tls_text_add(&tls->text, SSL_alert_desc_string_long(alert));
    qm_tls_text_add(&tls->text, ")");
    return QM_E_TLS;
}

static enum qm_err fail_other(struct qm_tls *tls, enum qm_tls_code code,
                              unsigned long entry)
{
    const char *reason = ERR_reason_error_string(entry);

    return qm_tls_fault_set(
        tls, code, reason != NULL ? reason : "the TLS library gave no reason");
}

static bool has_reason(unsigned long entry, int reason)
{
    return ERR_GET_LIB(entry) == ERR_LIB_SSL && ERR_GET_REASON(entry) == reason;
}

static enum qm_err fail(struct qm_tls *tls)
{
    unsigned long entry = ERR_peek_error();
    enum qm_tls_code code = qm_tls_code_of_queue(entry);

    if (tls->pipe.out.err != QM_OK) {
        return tls->err = tls->pipe.out.err;
    }
    if (ERR_GET_REASON(entry) == ERR_R_MALLOC_FAILURE) {
        return tls->err = QM_E_MEMORY;
    }
    if (!tls->established && answered_plainly(tls)) {
        return fail_not_tls(tls);
    }
    if (has_reason(entry, SSL_R_CERTIFICATE_VERIFY_FAILED)) {
        return fail_certificate(tls);
    }
    /* OpenSSL 1.1.1 leaves the queue empty at an unexpected end */
    if (code == QM_TLS_CLOSED || (entry == 0 && tls->pipe.eof)) {
        return fail_end(tls);
    }
    if (code == QM_TLS_PROTOCOL_VERSION && !tls->established) {
        return fail_version(tls);
    }
    if (code == QM_TLS_ALERT) {
        return fail_alert(tls, entry);
    }
    return fail_other(tls, code, entry);
}

enum qm_err qm_tls_fault_judge(struct qm_tls *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return QM_E_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        if (!tls->established) {
            return fail_end(tls);
        }
        tls->peer_closed = true;
        return QM_E_CLOSED;
    default:
        return fail(tls);
    }
}
