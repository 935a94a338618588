/* test_tls_bind.c: both ends of a channel give it the same name. */
#include "tls_pair.h"

#include "tls/qm_tls_bind.h"
#include "tls/qm_tls_info.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

static bool same(const struct qm_tls_bind *a, const struct qm_tls_bind *b)
{
    return strcmp(a->name, b->name) == 0 && a->len == b->len &&
           memcmp(a->data, b->data, a->len) == 0;
}

static void open_shaken(struct pair *pair, enum qm_tls_version version)
{
    struct qm_tls_ctx *client = client_ctx(true);
    struct qm_tls_ctx *server = server_ctx("good", version);
    struct qm_tls_bind bind;

    memset(pair, 0, sizeof(*pair));
    CHECK(qm_tls_bind(&pair->client, NULL, &bind) == QM_E_MISUSE);
    open_pair(pair, client, server, "localhost", "");
    CHECK(qm_tls_bind(&pair->client, NULL, &bind) == QM_E_MISUSE);
    CHECK(shake(pair, 100000) == QM_OK);
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
}

static void test_exporter(void)
{
    struct qm_tls_bind first;
    struct qm_tls_bind other;
    struct pair pair;

    open_shaken(&pair, QM_TLS_VERSION_1_3);
    CHECK(qm_tls_bind(&pair.client, NULL, &first) == QM_OK);
    CHECK(qm_tls_bind(&pair.server, "tls-exporter", &other) == QM_OK);
    CHECK(strcmp(first.name, "tls-exporter") == 0 && first.len == 32);
    CHECK(same(&first, &other));
    CHECK(qm_tls_bind(&pair.client, "tls-unique", &other) == QM_E_UNSUPPORTED);
    close_pair(&pair);
    /* another connection, another name */
    open_shaken(&pair, QM_TLS_VERSION_1_3);
    CHECK(qm_tls_bind(&pair.client, NULL, &other) == QM_OK);
    CHECK(!same(&first, &other));
    close_pair(&pair);
}

/* The certificates of the specs are signed with ECDSA and SHA-256. */
static void digest_of_cert(struct qm_tls_bind *bind)
{
    FILE *file = fopen(CERTS "good.pem", "r");
    X509 *cert = file != NULL ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    unsigned len = 0;

    CHECK(cert != NULL);
    CHECK(X509_digest(cert, EVP_sha256(), bind->data, &len) == 1);
    bind->name = "tls-server-end-point";
    bind->len = len;
    X509_free(cert);
    (void)fclose(file);
}

static void test_end_point(void)
{
    struct qm_tls_bind expected;
    struct qm_tls_bind got;
    struct pair pair;

    open_shaken(&pair, QM_TLS_VERSION_1_2);
    memset(&expected, 0, sizeof(expected));
    digest_of_cert(&expected);
    CHECK(qm_tls_bind(&pair.client, "tls-server-end-point", &got) == QM_OK);
    CHECK(same(&got, &expected));
    CHECK(qm_tls_bind(&pair.server, "tls-server-end-point", &got) == QM_OK);
    CHECK(same(&got, &expected));
    CHECK(qm_tls_bind(&pair.client, "tls-exporter", &got) == QM_E_UNSUPPORTED);
    close_pair(&pair);
}

static void unique_once(struct qm_tls_ctx *client, struct qm_tls_ctx *server,
                        bool resumed, struct qm_tls_bind *bind_out)
{
    struct qm_tls_bind other;
    struct qm_tls_info info;
    struct pair pair;

    open_pair(&pair, client, server, "localhost", "a");
    CHECK(shake(&pair, SIZE_MAX) == QM_OK);
    qm_tls_info(&pair.client, &info);
    CHECK(info.resumed == resumed);
    CHECK(qm_tls_bind(&pair.client, NULL, bind_out) == QM_OK);
    CHECK(strcmp(bind_out->name, "tls-unique") == 0 && bind_out->len == 12);
    CHECK(qm_tls_bind(&pair.server, "tls-unique", &other) == QM_OK);
    CHECK(same(bind_out, &other));
    /* of a resumed handshake the server's Finished is the first */
    CHECK(SSL_get_finished(resumed ? pair.server.ssl : pair.client.ssl,
                           other.data, sizeof(other.data)) == other.len);
    CHECK(same(bind_out, &other));
    close_pair(&pair);
}

static void test_unique(void)
{
    struct qm_tls_ctx *client = client_ctx(true);
    struct qm_tls_ctx *server = server_ctx("good", QM_TLS_VERSION_1_2);
    struct qm_tls_bind first;
    struct qm_tls_bind second;

    unique_once(client, server, false, &first);
    unique_once(client, server, true, &second);
    CHECK(!same(&first, &second));
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
}

#ifdef SSL_OP_NO_EXTENDED_MASTER_SECRET
static void test_old_master_secret(void)
{
    struct qm_tls_ctx *client = client_ctx(true);
    struct qm_tls_ctx *server = server_ctx("good", QM_TLS_VERSION_1_2);
    struct qm_tls_bind bind;
    struct pair pair;

    open_pair(&pair, client, server, "localhost", "");
    (void)SSL_set_options(pair.client.ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    CHECK(shake(&pair, SIZE_MAX) == QM_OK);
    CHECK(qm_tls_bind(&pair.client, "tls-unique", &bind) == QM_E_UNSUPPORTED);
    CHECK(qm_tls_bind(&pair.client, NULL, &bind) == QM_OK);
    CHECK(strcmp(bind.name, "tls-server-end-point") == 0);
    close_pair(&pair);
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
}
#endif

int main(void)
{
    tls_certs();
    TEST(test_exporter);
    TEST(test_end_point);
    TEST(test_unique);
#ifdef SSL_OP_NO_EXTENDED_MASTER_SECRET
    TEST(test_old_master_secret);
#endif
    return check_done();
}
