#include "tls/qm_tls_ctx.h"

#include "base/qm_mem.h"
#include "tls/qm_tls_bio.h"
#include "tls/qm_tls_hooks.h"
#include "tls/qm_tls_trust.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#if OPENSSL_VERSION_NUMBER < 0x10101000L
#error "OpenSSL 1.1.1 or later is needed"
#endif

bool qm_tls_library_fits(struct qm_tls_text *why)
{
    unsigned long ours = (unsigned long)OPENSSL_VERSION_NUMBER >> 28;
    unsigned long theirs = OpenSSL_version_num() >> 28;

    if (ours == theirs) {
        return true;
    }
    qm_tls_text_clear(why);
    qm_tls_text_add(why, "built for " OPENSSL_VERSION_TEXT
                         ", but this process runs ");
    qm_tls_text_add(why, OpenSSL_version(OPENSSL_VERSION));
    return false;
}

const char *qm_tls_library_text(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

/* Appends the oldest reason OpenSSL noted. */
static void add_reason(struct qm_tls_text *why)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    qm_tls_text_add(why, reason != NULL ? reason : "unknown reason");
}

static enum qm_err refuse(struct qm_tls_text *why, enum qm_err err,
                          const char *option, const char *value)
{
    qm_tls_text_add(why, option);
    qm_tls_text_add(why, " \"");
    qm_tls_text_add(why, value);
    qm_tls_text_add(why, "\": ");
    add_reason(why);
    return err;
}

/* Looks first whether the file opens: OpenSSL's own texts for that are poor. */
static enum qm_err check_readable(const char *option, const char *path,
                                  struct qm_tls_text *why)
{
    FILE *file = fopen(path, "rb");
    char reason[128];
    int failure = errno;

    if (file != NULL) {
        (void)fclose(file);
        return QM_OK;
    }
    if (strerror_r(failure, reason, sizeof(reason)) != 0) {
        reason[0] = '\0';
    }
    qm_tls_text_add(why, option);
    qm_tls_text_add(why, " \"");
    qm_tls_text_add(why, path);
    qm_tls_text_add(why, "\": ");
    qm_tls_text_add(why, reason);
    return QM_E_SYSTEM;
}

static int protocol_of(enum qm_tls_version version, int fallback)
{
    switch (version) {
    case QM_TLS_VERSION_1_0:
        return TLS1_VERSION;
    case QM_TLS_VERSION_1_1:
        return TLS1_1_VERSION;
    case QM_TLS_VERSION_1_2:
        return TLS1_2_VERSION;
    case QM_TLS_VERSION_1_3:
        return TLS1_3_VERSION;
    case QM_TLS_VERSION_DEFAULT:
    default:
        return fallback;
    }
}

static enum qm_err set_versions(SSL_CTX *ssl_ctx,
                                const struct qm_tls_options *options,
                                struct qm_tls_text *why)
{
    int lowest = protocol_of(options->min_version, TLS1_2_VERSION);
    int highest = protocol_of(options->max_version, 0);

    if (!options->server && lowest < TLS1_2_VERSION) {
        qm_tls_text_add(why, "min_version must be at least 1.2");
        return QM_E_UNSUPPORTED;
    }
    if (highest != 0 && highest < lowest) {
        qm_tls_text_add(why, "max_version is below min_version");
        return QM_E_UNSUPPORTED;
    }
    if (!SSL_CTX_set_min_proto_version(ssl_ctx, lowest) ||
        !SSL_CTX_set_max_proto_version(ssl_ctx, highest)) {
        qm_tls_text_add(why, "this OpenSSL has not that version of TLS");
        return QM_E_UNSUPPORTED;
    }
    return QM_OK;
}

/*
 * OpenSSL before 3.2 is content with level 1 unless the distribution says
 * otherwise; a cipher list given by the caller may still lower it.
 */
static enum qm_err set_strength(SSL_CTX *ssl_ctx,
                                const struct qm_tls_options *options,
                                struct qm_tls_text *why)
{
    if (SSL_CTX_get_security_level(ssl_ctx) < QM_TLS_SECURITY_LEVEL) {
        SSL_CTX_set_security_level(ssl_ctx, QM_TLS_SECURITY_LEVEL);
    }
    if (options->ciphers != NULL &&
        !SSL_CTX_set_cipher_list(ssl_ctx, options->ciphers)) {
        return refuse(why, QM_E_UNSUPPORTED, "ciphers", options->ciphers);
    }
    return QM_OK;
}

static void set_verify(SSL_CTX *ssl_ctx, const struct qm_tls_options *options)
{
    int mode = SSL_VERIFY_NONE;

    if (options->verify) {
        mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    SSL_CTX_set_verify(ssl_ctx, mode, qm_tls_on_verify);
    SSL_CTX_set_verify_depth(ssl_ctx, QM_TLS_CHAIN_MAX);
    SSL_CTX_set_max_cert_list(ssl_ctx, QM_TLS_CERT_LIST_MAX);
}

static enum qm_err set_trust(SSL_CTX *ssl_ctx,
                             const struct qm_tls_options *options,
                             struct qm_tls_text *why)
{
    const char *file = options->ca_file;
    const char *path = options->ca_path;

    if (options->server && !options->verify) {
        return QM_OK;
    }
    if (file == NULL && path == NULL) {
        qm_tls_trust_system(ssl_ctx);
        return QM_OK;
    }
    if (file != NULL && check_readable("ca_file", file, why) != QM_OK) {
        return QM_E_SYSTEM;
    }
    if (path != NULL && check_readable("ca_path", path, why) != QM_OK) {
        return QM_E_SYSTEM;
    }
    if (file != NULL && !SSL_CTX_load_verify_locations(ssl_ctx, file, NULL)) {
        return refuse(why, QM_E_SYNTAX, "ca_file", file);
    }
    if (path != NULL && !SSL_CTX_load_verify_locations(ssl_ctx, NULL, path)) {
        return refuse(why, QM_E_SYNTAX, "ca_path", path);
    }
    /* What the caller names is trusted itself, be it a root or not. */
    (void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl_ctx),
                                      X509_V_FLAG_PARTIAL_CHAIN);
    return QM_OK;
}

/* Without this OpenSSL would ask for the passphrase on the terminal. */
/* NOLINTNEXTLINE(readability-non-const-parameter): a pem_password_cb */
static int refuse_passphrase(char *buffer, int size, int writing, void *asked)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static enum qm_err load_key(SSL_CTX *ssl_ctx, const char *option,
                            const char *path, struct qm_tls_text *why)
{
    bool asked = false;
    int loaded;

    SSL_CTX_set_default_passwd_cb(ssl_ctx, refuse_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(ssl_ctx, &asked);
    loaded = SSL_CTX_use_PrivateKey_file(ssl_ctx, path, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb(ssl_ctx, NULL);
    SSL_CTX_set_default_passwd_cb_userdata(ssl_ctx, NULL);
    if (asked && !loaded) {
        qm_tls_text_add(why, option);
        qm_tls_text_add(why, " \"");
        qm_tls_text_add(why, path);
        qm_tls_text_add(why, "\": the private key is encrypted");
        return QM_E_UNSUPPORTED;
    }
    return loaded ? QM_OK : refuse(why, QM_E_SYNTAX, option, path);
}

static enum qm_err set_identity(SSL_CTX *ssl_ctx,
                                const struct qm_tls_options *options,
                                struct qm_tls_text *why)
{
    const char *option = options->key != NULL ? "key" : "cert";
    const char *key = options->key != NULL ? options->key : options->cert;
    enum qm_err err;

    if (options->cert == NULL) {
        if (options->server || options->key != NULL) {
            qm_tls_text_add(why, "cert is missing");
            return QM_E_EMPTY;
        }
        return QM_OK;
    }
    err = check_readable("cert", options->cert, why);
    if (err == QM_OK) {
        err = check_readable(option, key, why);
    }
    if (err != QM_OK) {
        return err;
    }
    if (!SSL_CTX_use_certificate_chain_file(ssl_ctx, options->cert)) {
        return refuse(why, QM_E_SYNTAX, "cert", options->cert);
    }
    err = load_key(ssl_ctx, option, key, why);
    if (err != QM_OK) {
        return err;
    }
    /* loading notices another key of the same kind only */
    return SSL_CTX_check_private_key(ssl_ctx)
               ? QM_OK
               : refuse(why, QM_E_SYNTAX, option, key);
}

static void set_behaviour(SSL_CTX *ssl_ctx, bool server)
{
    static const unsigned char context_id[] = { 'q', 'q', 'm', 'a', 'i', 'l' };

    SSL_CTX_set_options(ssl_ctx,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (server) {
        (void)SSL_CTX_set_session_id_context(ssl_ctx, context_id,
                                             sizeof(context_id));
        return;
    }
    SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_CLIENT |
                                                SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl_ctx, qm_tls_on_session);
}

static enum qm_err configure(SSL_CTX *ssl_ctx,
                             const struct qm_tls_options *options,
                             struct qm_tls_text *why)
{
    enum qm_err err = set_versions(ssl_ctx, options, why);

    if (err == QM_OK) {
        err = set_strength(ssl_ctx, options, why);
    }
    if (err == QM_OK) {
        err = set_trust(ssl_ctx, options, why);
    }
    if (err == QM_OK) {
        err = set_identity(ssl_ctx, options, why);
    }
    set_verify(ssl_ctx, options);
    set_behaviour(ssl_ctx, options->server);
    return err;
}

static struct qm_tls_ctx *make(const struct qm_tls_options *options)
{
    struct qm_tls_ctx *ctx = qm_mem_alloc(sizeof(*ctx));

    if (ctx == NULL) {
        return NULL;
    }
    memset(ctx, 0, sizeof(*ctx));
    ctx->refs = 1;
    ctx->verify = options->verify;
    ctx->server = options->server;
    ctx->bio_method = qm_tls_bio_method();
    ctx->ssl_ctx = SSL_CTX_new(options->server ? TLS_server_method()
                                               : TLS_client_method());
    if (ctx->bio_method == NULL || ctx->ssl_ctx == NULL) {
        qm_tls_ctx_release(ctx);
        return NULL;
    }
    return ctx;
}

enum qm_err qm_tls_ctx_open(const struct qm_tls_options *options,
                            struct qm_tls_ctx **ctx_out,
                            struct qm_tls_text *why)
{
    struct qm_tls_ctx *ctx;
    enum qm_err err;

    *ctx_out = NULL;
    qm_tls_text_clear(why);
    ERR_clear_error();
    ctx = make(options);
    if (ctx == NULL) {
        qm_tls_text_add(why, "cannot make a TLS context: ");
        add_reason(why);
        ERR_clear_error();
        return QM_E_MEMORY;
    }
    err = configure(ctx->ssl_ctx, options, why);
    ERR_clear_error();
    if (err != QM_OK) {
        qm_tls_ctx_release(ctx);
        return err;
    }
    *ctx_out = ctx;
    return QM_OK;
}

struct qm_tls_ctx *qm_tls_ctx_retain(struct qm_tls_ctx *ctx)
{
    ctx->refs++;
    return ctx;
}

void qm_tls_ctx_release(struct qm_tls_ctx *ctx)
{
    if (ctx == NULL || --ctx->refs > 0) {
        return;
    }
    qm_tls_store_deinit(&ctx->store);
    SSL_CTX_free(ctx->ssl_ctx);
    BIO_meth_free(ctx->bio_method);
    qm_mem_free(ctx);
}
