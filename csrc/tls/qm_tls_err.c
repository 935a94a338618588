#include "tls/qm_tls_err.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

static const char *const names[] = {
#define QM_TLS_CODE_NAME(symbol, name) name,
    QM_TLS_CODE_LIST(QM_TLS_CODE_NAME)
#undef QM_TLS_CODE_NAME
};

struct code_row {
    long reason;
    enum qm_tls_code code;
};

static const struct code_row verify_rows[] = {
    { X509_V_OK, QM_TLS_OK },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, QM_TLS_NO_ISSUER },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, QM_TLS_NO_ISSUER },
    { X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, QM_TLS_NO_ISSUER },
    { X509_V_ERR_CERT_NOT_YET_VALID, QM_TLS_NOT_YET_VALID },
    { X509_V_ERR_CERT_HAS_EXPIRED, QM_TLS_EXPIRED },
    { X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, QM_TLS_SELF_SIGNED },
    { X509_V_ERR_CERT_CHAIN_TOO_LONG, QM_TLS_CHAIN_TOO_LONG },
    { X509_V_ERR_CERT_REVOKED, QM_TLS_REVOKED },
    { X509_V_ERR_HOSTNAME_MISMATCH, QM_TLS_HOST_MISMATCH },
    { X509_V_ERR_IP_ADDRESS_MISMATCH, QM_TLS_HOST_MISMATCH },
    { X509_V_ERR_EE_KEY_TOO_SMALL, QM_TLS_WEAK },
    { X509_V_ERR_CA_KEY_TOO_SMALL, QM_TLS_WEAK },
    { X509_V_ERR_CA_MD_TOO_WEAK, QM_TLS_WEAK },
};

static const struct code_row queue_rows[] = {
    { SSL_R_UNSUPPORTED_PROTOCOL, QM_TLS_PROTOCOL_VERSION },
    { SSL_R_NO_PROTOCOLS_AVAILABLE, QM_TLS_PROTOCOL_VERSION },
    { SSL_R_UNKNOWN_PROTOCOL, QM_TLS_PROTOCOL_VERSION },
    { SSL_R_UNSUPPORTED_SSL_VERSION, QM_TLS_PROTOCOL_VERSION },
    { SSL_R_WRONG_SSL_VERSION, QM_TLS_PROTOCOL_VERSION },
    { SSL_R_WRONG_VERSION_NUMBER, QM_TLS_PROTOCOL_VERSION },
    { SSL_R_VERSION_TOO_LOW, QM_TLS_PROTOCOL_VERSION },
    { SSL_R_VERSION_TOO_HIGH, QM_TLS_PROTOCOL_VERSION },
#ifdef SSL_R_LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED
    /* what a server limited to TLS 1.1 runs into when 1.1 is allowed */
    { SSL_R_LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED, QM_TLS_PROTOCOL_VERSION },
#endif
    { SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, QM_TLS_PROTOCOL_VERSION },
    { SSL_R_EE_KEY_TOO_SMALL, QM_TLS_WEAK },
    { SSL_R_CA_KEY_TOO_SMALL, QM_TLS_WEAK },
    { SSL_R_CA_MD_TOO_WEAK, QM_TLS_WEAK },
    { SSL_R_DH_KEY_TOO_SMALL, QM_TLS_WEAK },
#ifdef SSL_R_UNEXPECTED_EOF_WHILE_READING
    { SSL_R_UNEXPECTED_EOF_WHILE_READING, QM_TLS_CLOSED },
#endif
};

static enum qm_tls_code find(const struct code_row *rows, size_t count,
                             long reason, enum qm_tls_code otherwise)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (rows[i].reason == reason) {
            return rows[i].code;
        }
    }
    return otherwise;
}

const char *qm_tls_code_name(enum qm_tls_code code)
{
    size_t index = (size_t)code;

    return index < QM_COUNTOF(names) ? names[index] : "unknown";
}

enum qm_tls_code qm_tls_code_of_verify(long result)
{
    return find(verify_rows, QM_COUNTOF(verify_rows), result, QM_TLS_UNTRUSTED);
}

int qm_tls_alert_of_queue(unsigned long entry)
{
    int reason = ERR_GET_REASON(entry);

    if (ERR_GET_LIB(entry) != ERR_LIB_SSL || reason < SSL_AD_REASON_OFFSET ||
        reason > SSL_AD_REASON_OFFSET + 255) {
        return -1;
    }
    return reason - SSL_AD_REASON_OFFSET;
}

enum qm_tls_code qm_tls_code_of_queue(unsigned long entry)
{
    enum qm_tls_code otherwise = QM_TLS_FAILED;

    if (ERR_GET_LIB(entry) != ERR_LIB_SSL) {
        return QM_TLS_FAILED;
    }
    if (qm_tls_alert_of_queue(entry) >= 0) {
        otherwise = QM_TLS_ALERT;
    }
    return find(queue_rows, QM_COUNTOF(queue_rows), ERR_GET_REASON(entry),
                otherwise);
}
