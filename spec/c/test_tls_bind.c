/* test_tls_bind.c: both ends of a channel give it the same name. */
#include "tls_pair.h"

#include "tls/qm_tls_bind.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

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
    CHECK(qm_tls_bind(&pair.client, NULL, &got) == QM_OK);
    CHECK(same(&got, &expected));
    CHECK(qm_tls_bind(&pair.server, "tls-server-end-point", &got) == QM_OK);
    CHECK(same(&got, &expected));
    CHECK(qm_tls_bind(&pair.client, "tls-exporter", &got) == QM_E_UNSUPPORTED);
    close_pair(&pair);
}

int main(void)
{
    tls_certs();
    TEST(test_exporter);
    TEST(test_end_point);
    return check_done();
}
