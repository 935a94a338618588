#include "tls/qm_tls_bind.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#define EXPORTER  "tls-exporter"
#define END_POINT "tls-server-end-point"

/* RFC 9266 section 2: 32 bytes under this label, empty context. */
static bool make_exporter(const struct qm_tls *tls, struct qm_tls_bind *bind)
{
    static const char label[] = "EXPORTER-Channel-Binding";

    bind->name = EXPORTER;
    bind->len = 32;
    /* before TLS 1.3 it is safe under conditions only: not used */
    return SSL_version(tls->ssl) >= TLS1_3_VERSION &&
           SSL_export_keying_material(tls->ssl, bind->data, bind->len, label,
                                      sizeof(label) - 1, NULL, 0, 1) == 1;
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

    bind->name = END_POINT;
    if (SSL_is_server(tls->ssl)) {
        return hash_cert(SSL_get_certificate(tls->ssl), bind);
    }
    cert = SSL_get_peer_certificate(tls->ssl); /* ours to free */
    made = hash_cert(cert, bind);
    X509_free(cert);
    return made;
}

enum qm_err qm_tls_bind(const struct qm_tls *tls, const char *name,
                        struct qm_tls_bind *bind_out)
{
    bool made = false;

    memset(bind_out, 0, sizeof(*bind_out));
    if (tls->ssl == NULL || !tls->established) {
        return QM_E_MISUSE;
    }
    ERR_clear_error();
    if (name == NULL || strcmp(name, EXPORTER) == 0) {
        made = make_exporter(tls, bind_out);
    }
    if (!made && (name == NULL || strcmp(name, END_POINT) == 0)) {
        made = make_end_point(tls, bind_out);
    }
    ERR_clear_error();
    return made ? QM_OK : QM_E_UNSUPPORTED;
}
