#include "tls/qm_tls_bind.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

/* RFC 9266 section 2: 32 bytes under this label, empty context. */
static bool make_exporter(const struct qm_tls *tls, struct qm_tls_bind *bind)
{
    static const char label[] = "EXPORTER-Channel-Binding";

    bind->len = 32;
    /* servers expect it of TLS 1.3 alone */
    return SSL_version(tls->ssl) >= TLS1_3_VERSION &&
           SSL_export_keying_material(tls->ssl, bind->data, bind->len, label,
                                      sizeof(label) - 1, NULL, 0, 1) == 1;
}

/*
 * RFC 5929 section 3.1: the first Finished message of the handshake, which is
 * the server's where a session is resumed. Without extended master secrets two
 * channels can have the same (RFC 7627 section 1).
 */
static bool make_unique(const struct qm_tls *tls, struct qm_tls_bind *bind)
{
    bool is_server = SSL_is_server(tls->ssl) != 0;
    bool is_servers = SSL_session_reused(tls->ssl) != 0;

    if (SSL_version(tls->ssl) >= TLS1_3_VERSION ||
        SSL_get_extms_support(tls->ssl) != 1) {
        return false;
    }
    bind->len =
        is_server == is_servers
            ? SSL_get_finished(tls->ssl, bind->data, QM_TLS_BIND_MAX)
            : SSL_get_peer_finished(tls->ssl, bind->data, QM_TLS_BIND_MAX);
    return bind->len > 0 && bind->len <= QM_TLS_BIND_MAX;
}

/*
 * RFC 5929 section 4.1: the digest of the certificate's signature, SHA-256 in
 * place of MD5 and SHA-1; not defined where the signature has no single one.
 */
static const EVP_MD *end_point_digest(X509 *cert)
{
    int digest = NID_undef;

    if (X509_get_signature_info(cert, &digest, NULL, NULL, NULL) != 1 ||
        digest == NID_undef) {
        return NULL;
    }
    if (digest == NID_md5 || digest == NID_sha1) {
        digest = NID_sha256;
    }
    return EVP_get_digestbynid(digest);
}

static bool hash_cert(X509 *cert, struct qm_tls_bind *bind)
{
    const EVP_MD *digest = cert != NULL ? end_point_digest(cert) : NULL;
    unsigned len = 0;

    if (digest == NULL || EVP_MD_size(digest) > QM_TLS_BIND_MAX ||
        X509_digest(cert, digest, bind->data, &len) != 1) {
        return false;
    }
    bind->len = len;
    return true;
}

static bool make_end_point(const struct qm_tls *tls, struct qm_tls_bind *bind)
{
    X509 *cert;
    bool made;

    if (SSL_is_server(tls->ssl)) {
        return hash_cert(SSL_get_certificate(tls->ssl), bind);
    }
    cert = SSL_get_peer_certificate(tls->ssl); /* ours to free */
    made = hash_cert(cert, bind);
    X509_free(cert);
    return made;
}

/* In order of preference. */
static const struct kind {
    const char *name;
    bool (*make)(const struct qm_tls *tls, struct qm_tls_bind *bind);
} kinds[] = { { "tls-exporter", make_exporter },
              { "tls-unique", make_unique },
              { "tls-server-end-point", make_end_point } };

enum qm_err qm_tls_bind(const struct qm_tls *tls, const char *name,
                        struct qm_tls_bind *bind_out)
{
    bool made = false;
    size_t i;

    memset(bind_out, 0, sizeof(*bind_out));
    if (tls->ssl == NULL || !tls->established) {
        return QM_E_MISUSE;
    }
    ERR_clear_error();
    for (i = 0; i < QM_COUNTOF(kinds) && !made; i++) {
        if (name == NULL || strcmp(name, kinds[i].name) == 0) {
            bind_out->name = kinds[i].name;
            made = kinds[i].make(tls, bind_out);
        }
    }
    ERR_clear_error();
    return made ? QM_OK : QM_E_UNSUPPORTED;
}
