#include "tls/qm_tls_trust.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, Arch */
    "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
    "/etc/ssl/ca-bundle.pem",             /* openSUSE */
    "/etc/ssl/cert.pem",                  /* BSD, macOS */
};

static const char *from_environment(const char *variable, const char *fallback)
{
    const char *value = getenv(variable);

    return value != NULL && value[0] != '\0' ? value : fallback;
}

const char *qm_tls_trust_default_file(void)
{
    return from_environment(X509_get_default_cert_file_env(),
                            X509_get_default_cert_file());
}

const char *qm_tls_trust_default_path(void)
{
    return from_environment(X509_get_default_cert_dir_env(),
                            X509_get_default_cert_dir());
}

static bool readable(const char *path)
{
    return access(path, R_OK) == 0;
}

void qm_tls_trust_system(SSL_CTX *ssl_ctx)
{
    size_t i;

    (void)SSL_CTX_set_default_verify_paths(ssl_ctx);
    if (readable(qm_tls_trust_default_file()) ||
        readable(qm_tls_trust_default_path())) {
        return;
    }
    for (i = 0; i < QM_COUNTOF(bundles); i++) {
        if (readable(bundles[i]) &&
            SSL_CTX_load_verify_locations(ssl_ctx, bundles[i], NULL)) {
            return;
        }
    }
}
