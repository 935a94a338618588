/*
 * test_tls_ctx.c: whom a client trusts: certificates, names, options,
 * sessions, cached contexts.
 */
#include "tls_pair.h"

#include "base/qm_mem.h"
#include "tls/qm_tls_cache.h"
#include "tls/qm_tls_info.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* --- certificates --------------------------------------------------------- */

struct cert_case {
    const char *cert;
    const char *name;
    enum qm_tls_code code;
    const char *says; /* part of the text */
};

static const struct cert_case cert_cases[] = {
    { "good", "localhost", QM_TLS_OK, "" },
    { "good", "LOCALHOST.", QM_TLS_OK, "" },
    { "good", "127.0.0.1", QM_TLS_OK, "" },
    { "good", "::1", QM_TLS_OK, "" },
    { "good", "[0:0::1]", QM_TLS_OK, "" },
    { "wildcard", "mail.qq.test", QM_TLS_OK, "" },
    { "good", "127.0.0.2", QM_TLS_HOST_MISMATCH, "(not for 127.0.0.2)" },
    { "good", "::2", QM_TLS_HOST_MISMATCH, "127.0.0.1, ::1 (not for ::2)" },
    { "good", "test", QM_TLS_HOST_MISMATCH, "is for localhost, mx.test, smtp" },
    { "wildcard", "a.b.qq.test", QM_TLS_HOST_MISMATCH, "*.qq.test (not for" },
    { "wildcard", "qq.test", QM_TLS_HOST_MISMATCH, "*.qq.test" },
    { "wildpart", "mail.qq.test", QM_TLS_HOST_MISMATCH, "m*.qq.test" },
    { "wronghost", "localhost", QM_TLS_HOST_MISMATCH,
      "certificate is for other.example (not for localhost)" },
    { "nosan", "localhost", QM_TLS_HOST_MISMATCH, "no subject alternative" },
    { "ipcn", "127.0.0.1", QM_TLS_HOST_MISMATCH, "other.example" },
    { "nulsan", "localhost", QM_TLS_HOST_MISMATCH,
      "localhost\\x00.evil.example (not" },
    { "expired", "localhost", QM_TLS_EXPIRED,
      "certificate expired on 2020-02-01 00:00:00 UTC" },
    { "notyet", "localhost", QM_TLS_NOT_YET_VALID,
      "is not valid before 2040-01-01 00:00:00 UTC" },
    { "selfsigned", "localhost", QM_TLS_SELF_SIGNED, "(CN=localhost)" },
    { "rogue", "localhost", QM_TLS_NO_ISSUER, "CN=qqmail rogue authority" },
    { "roguechain", "localhost", QM_TLS_UNTRUSTED, "not a trusted authority" },
    { "clientonly", "localhost", QM_TLS_UNTRUSTED, "purpose" },
    { "notca", "localhost", QM_TLS_UNTRUSTED, "issuer certificate CN=local" },
    { "weak", "localhost", QM_TLS_WEAK, "too weak" },
    { "longchain", "localhost", QM_TLS_CHAIN_TOO_LONG, "more than 10" },
};

static void check_cert(const struct cert_case *wanted, bool verify,
                       enum qm_tls_version version)
{
    struct qm_tls_ctx *client = client_ctx(verify);
    struct qm_tls_ctx *server = server_ctx(wanted->cert, version);
    bool good = wanted->code == QM_TLS_OK || !verify;
    struct qm_tls_info info;
    struct pair pair;
    enum qm_err err;

    open_pair(&pair, client, server, wanted->name, "");
    err = shake(&pair, SIZE_MAX);
    qm_tls_info(&pair.client, &info);
    CHECK(err == (good ? QM_OK : QM_E_TLS));
    CHECK(info.problem == wanted->code);
    CHECK(info.verified == (wanted->code == QM_TLS_OK && verify));
    if (!good) {
        CHECK(pair.client.code == wanted->code);
        CHECK(strstr(pair.client.text.bytes, wanted->says) != NULL);
        CHECK(qm_tls_handshake(&pair.client) == QM_E_TLS);
        CHECK(pair.server.code == QM_TLS_ALERT);
    }
    if (strstr(info.problem_text, wanted->says) == NULL) {
        printf("%s for %s: %s\n", wanted->cert, wanted->name,
               info.problem_text);
        CHECK(false);
    }
    close_pair(&pair);
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
}

static void test_every_certificate(void)
{
    size_t i;

    for (i = 0; i < QM_COUNTOF(cert_cases); i++) {
        check_cert(&cert_cases[i], true, QM_TLS_VERSION_1_2);
        check_cert(&cert_cases[i], true, QM_TLS_VERSION_1_3);
        check_cert(&cert_cases[i], false, QM_TLS_VERSION_1_3);
    }
}

/* More certificates than anybody needs: 16 times the long chain. */
static void test_certificate_list_is_bounded(void)
{
    struct qm_tls_ctx *client = client_ctx(false);
    struct qm_tls_options options;
    struct qm_tls_ctx *server;
    struct pair pair;

    CHECK(system("cd build/spec-certs && for i in 1 2 3 4; do "
                 "cat longchain.pem longchain.pem longchain.pem longchain.pem; "
                 "done > ../c/test_tls_list.pem") == 0);
    memset(&options, 0, sizeof(options));
    options.server = true;
    options.cert = "build/c/test_tls_list.pem";
    options.key = CERTS "longchain.key";
    server = open_ctx(&options);
    open_pair(&pair, client, server, "localhost", "");
    CHECK(shake(&pair, 4096) == QM_E_TLS);
    CHECK(pair.client.code == QM_TLS_FAILED);
    CHECK(strstr(pair.client.text.bytes, "excessive message size") != NULL);
    close_pair(&pair);
    CHECK(remove("build/c/test_tls_list.pem") == 0);
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
}

static void test_names_that_are_refused(void)
{
    static const struct {
        const char *name;
        size_t len;
        enum qm_err err;
    } cases[] = {
        { "", 0, QM_E_EMPTY },
        { ".", 1, QM_E_SYNTAX },
        { ".qq.test", 8, QM_E_SYNTAX },
        { "a..b", 4, QM_E_SYNTAX },
        { "localhost\0.evil", 15, QM_E_SYNTAX },
        { "*.qq.test", 9, QM_E_SYNTAX },
        { "local host", 10, QM_E_SYNTAX },
        { "fe80::1%eth0", 12, QM_E_SYNTAX },
        { "\xe9\x82\xae.test", 8, QM_E_NONASCII },
    };
    struct qm_tls_ctx *ctx = client_ctx(true);
    struct qm_tls tls;
    char longest[254];
    size_t i;

    for (i = 0; i < QM_COUNTOF(cases); i++) {
        CHECK(qm_tls_open_client(&tls, ctx,
                                 qm_span_make(cases[i].name, cases[i].len),
                                 no_bytes()) == cases[i].err);
        CHECK(tls.ctx == NULL);
    }
    memset(longest, 'a', sizeof(longest));
    CHECK(qm_tls_open_client(&tls, ctx, qm_span_make(longest, 254),
                             no_bytes()) == QM_E_TOO_LONG);
    CHECK(qm_tls_open_server(&tls, ctx) == QM_E_MISUSE);
    qm_tls_ctx_release(ctx);
}

/* --- sessions ------------------------------------------------------------- */

/* One connection with a reply, so that the tickets of TLS 1.3 get through. */
static bool connect_once(struct qm_tls_ctx *client, struct qm_tls_ctx *server,
                         const char *name, const char *key)
{
    struct qm_tls_info info;
    struct pair pair;
    char plain[64];
    size_t len;

    open_pair(&pair, client, server, name, key);
    CHECK(shake(&pair, SIZE_MAX) == QM_OK);
    CHECK(qm_tls_write(&pair.server, qm_span_of("220 ok\r\n"), &len) == QM_OK);
    CHECK(move(&pair.server, &pair.client, SIZE_MAX));
    CHECK(qm_tls_read(&pair.client, plain, sizeof(plain), &len) == QM_OK);
    qm_tls_info(&pair.client, &info);
    CHECK(info.verified == client->verify && info.has_cert);
    /* an abrupt end must not spoil the session */
    qm_tls_eof(&pair.client);
    CHECK(qm_tls_read(&pair.client, plain, sizeof(plain), &len) == QM_E_TLS);
    close_pair(&pair);
    return info.resumed;
}

static void check_resumption(enum qm_tls_version version)
{
    struct qm_tls_ctx *client = client_ctx(true);
    struct qm_tls_ctx *careless = client_ctx(false);
    struct qm_tls_ctx *server = server_ctx("good", version);

    CHECK(!connect_once(client, server, "localhost", "a"));
    CHECK(connect_once(client, server, "localhost", "a"));
    CHECK(connect_once(client, server, "localhost", "a"));
    CHECK(!connect_once(client, server, "localhost", "b"));
    CHECK(!connect_once(client, server, "localhost", ""));
    /* the same key for another name, or without verification: not shared */
    CHECK(!connect_once(client, server, "mx.test", "a"));
    CHECK(!connect_once(careless, server, "localhost", "a"));
    CHECK(qm_tls_store_count(&client->store) == 3);
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(careless);
    qm_tls_ctx_release(server);
}

static void test_resumption(void)
{
    check_resumption(QM_TLS_VERSION_1_2);
    check_resumption(QM_TLS_VERSION_1_3);
}

static void test_sessions_of_refused_servers(void)
{
    struct qm_tls_ctx *client = client_ctx(true);
    struct qm_tls_ctx *good = server_ctx("good", QM_TLS_VERSION_1_2);
    struct qm_tls_ctx *bad = server_ctx("wronghost", QM_TLS_VERSION_1_2);
    struct pair pair;

    CHECK(!connect_once(client, good, "localhost", "a"));
    CHECK(qm_tls_store_count(&client->store) == 1);
    open_pair(&pair, client, bad, "localhost", "a");
    CHECK(shake(&pair, SIZE_MAX) == QM_E_TLS);
    CHECK(pair.client.code == QM_TLS_HOST_MISMATCH);
    CHECK(qm_tls_store_count(&client->store) == 0);
    close_pair(&pair);
    CHECK(!connect_once(client, good, "localhost", "a"));
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(good);
    qm_tls_ctx_release(bad);
}

static void test_store_forgets_the_oldest(void)
{
    struct qm_tls_store store;
    char key[2] = { 'k', 0 };
    int i;

    memset(&store, 0, sizeof(store));
    for (i = 0; i < QM_TLS_STORE_MAX; i++) {
        key[1] = (char)i;
        CHECK(qm_tls_store_put(&store, qm_span_make(key, 2),
                               SSL_SESSION_new()) == QM_OK);
    }
    CHECK(qm_tls_store_find(&store, qm_span_make("k\0", 2)) != NULL);
    CHECK(qm_tls_store_put(&store, qm_span_of("new"), SSL_SESSION_new()) ==
          QM_OK);
    CHECK(qm_tls_store_find(&store, qm_span_make("k\0", 2)) != NULL);
    CHECK(qm_tls_store_find(&store, qm_span_make("k\1", 2)) == NULL);
    CHECK(qm_tls_store_count(&store) == QM_TLS_STORE_MAX);
    qm_tls_store_remove(&store, qm_span_of("new"));
    qm_tls_store_remove(&store, qm_span_of("new"));
    CHECK(qm_tls_store_count(&store) == QM_TLS_STORE_MAX - 1);
    qm_tls_store_deinit(&store);
}

/* --- contexts ------------------------------------------------------------- */

static void check_refused(const struct qm_tls_options *options, enum qm_err err,
                          const char *says)
{
    struct qm_tls_ctx *ctx;
    struct qm_tls_text why;

    CHECK(qm_tls_ctx_open(options, &ctx, &why) == err);
    CHECK(ctx == NULL);
    CHECK(ERR_peek_error() == 0);
    if (strstr(why.bytes, says) == NULL) {
        printf("%s\n", why.bytes);
        CHECK(false);
    }
}

static void test_options_that_are_refused(void)
{
    struct qm_tls_options options;

    memset(&options, 0, sizeof(options));
    options.verify = true;
    options.ca_file = CERTS "absent.pem";
    check_refused(&options, QM_E_SYSTEM, "ca_file \"" CERTS "absent.pem\": No");
    options.ca_file = CERTS "garbage.pem";
    check_refused(&options, QM_E_SYNTAX, "garbage.pem\": ");
    options.ca_file = NULL;
    options.ca_path = CERTS "absent";
    check_refused(&options, QM_E_SYSTEM, "ca_path");
    options.ca_path = NULL;
    options.min_version = QM_TLS_VERSION_1_1;
    check_refused(&options, QM_E_UNSUPPORTED, "at least 1.2");
    options.min_version = QM_TLS_VERSION_1_3;
    options.max_version = QM_TLS_VERSION_1_2;
    check_refused(&options, QM_E_UNSUPPORTED, "below");
    options.min_version = QM_TLS_VERSION_DEFAULT;
    options.ciphers = "NONSENSE";
    check_refused(&options, QM_E_UNSUPPORTED, "ciphers \"NONSENSE\": no ciph");
    options.ciphers = NULL;
    options.key = CERTS "good.key";
    check_refused(&options, QM_E_EMPTY, "cert is missing");
    options.cert = CERTS "good.pem";
    options.key = CERTS "weak.key";
    check_refused(&options, QM_E_SYNTAX, "key \"" CERTS "weak.key\": ");
    options.cert = CERTS "weak.pem";
    check_refused(&options, QM_E_SYNTAX, "ee key too small");
    options.cert = CERTS "good.pem";
    options.key = NULL;
    check_refused(&options, QM_E_SYNTAX, "cert ");
    options.key = CERTS "encrypted.key";
    check_refused(&options, QM_E_UNSUPPORTED, "encrypted");
}

static void test_client_certificate(void)
{
    struct qm_tls_options options;
    struct qm_tls_ctx *client;
    struct qm_tls_ctx *anonymous = client_ctx(true);
    struct qm_tls_ctx *server;
    struct qm_tls_info info;
    struct pair pair;
    char byte;
    size_t len;

    memset(&options, 0, sizeof(options));
    options.ca_file = CERTS "ca.pem";
    options.verify = true;
    options.cert = CERTS "client.pem";
    options.key = CERTS "client.key";
    client = open_ctx(&options);
    options.cert = CERTS "good.pem";
    options.key = CERTS "good.key";
    options.server = true;
    server = open_ctx(&options);

    open_pair(&pair, client, server, "localhost", "");
    CHECK(shake(&pair, SIZE_MAX) == QM_OK);
    qm_tls_info(&pair.server, &info);
    CHECK(info.verified && info.has_cert);
    CHECK(strcmp(info.cert.subject.bytes, "CN=qqmail test client") == 0);
    close_pair(&pair);

    /* TLS 1.3 tells only after the client's handshake is over */
    open_pair(&pair, anonymous, server, "localhost", "");
    CHECK(shake(&pair, SIZE_MAX) == QM_OK);
    CHECK(qm_tls_read(&pair.client, &byte, 1, &len) == QM_E_TLS);
    CHECK(pair.client.code == QM_TLS_ALERT);
    CHECK(strstr(pair.client.text.bytes, "alert 116") != NULL);
    close_pair(&pair);
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(anonymous);
    qm_tls_ctx_release(server);
}

static struct qm_tls_ctx *cached(struct qm_tls_cache *cache,
                                 const struct qm_tls_options *options)
{
    struct qm_tls_ctx *ctx = NULL;
    struct qm_tls_text why;

    CHECK(qm_tls_cache_get(cache, options, &ctx, &why) == QM_OK);
    qm_tls_ctx_release(ctx); /* the cache keeps it */
    return ctx;
}

static void copy_file(const char *from, const char *to)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "cp " CERTS "%s %s", from, to);
    CHECK(system(command) == 0);
}

static void test_cache(void)
{
    static const char *path = "build/c/test_tls_ca.pem";
    struct qm_tls_options options;
    struct qm_tls_cache cache;
    struct qm_tls_ctx *first;
    struct qm_tls_ctx *ctx;
    struct qm_tls_text why;

    memset(&cache, 0, sizeof(cache));
    memset(&options, 0, sizeof(options));
    options.verify = true;
    options.ca_file = path;
    copy_file("ca.pem", path);
    first = cached(&cache, &options);
    CHECK(cached(&cache, &options) == first);
    options.min_version = QM_TLS_VERSION_1_3;
    CHECK(cached(&cache, &options) != first);
    options.min_version = QM_TLS_VERSION_DEFAULT;
    options.verify = false;
    CHECK(cached(&cache, &options) != first);
    options.verify = true;
    CHECK(cached(&cache, &options) == first);
    copy_file("rogue.pem", path);
    CHECK(cached(&cache, &options) != first);
    CHECK(remove(path) == 0);
    CHECK(qm_tls_cache_get(&cache, &options, &ctx, &why) == QM_E_SYSTEM);
    qm_tls_cache_deinit(&cache);
    qm_tls_cache_deinit(&cache);
}

static void test_cache_is_bounded(void)
{
    struct qm_tls_options options;
    struct qm_tls_cache cache;
    char ciphers[64];
    int i;

    memset(&cache, 0, sizeof(cache));
    memset(&options, 0, sizeof(options));
    options.ca_file = CERTS "ca.pem";
    options.ciphers = ciphers;
    for (i = 0; i < 2 * QM_TLS_CACHE_MAX; i++) {
        (void)snprintf(ciphers, sizeof(ciphers), "DEFAULT%.*s", i,
                       "::::::::::::::::::::::::::::::::");
        (void)cached(&cache, &options);
    }
    CHECK(cache.clock == 2 * QM_TLS_CACHE_MAX);
    qm_tls_cache_deinit(&cache);
}

static void test_system_trust_refuses_our_authority(void)
{
    struct qm_tls_options options;
    struct qm_tls_ctx *client;
    struct qm_tls_ctx *server = server_ctx("good", QM_TLS_VERSION_1_3);
    struct pair pair;

    memset(&options, 0, sizeof(options));
    options.verify = true;
    client = open_ctx(&options);
    open_pair(&pair, client, server, "localhost", "");
    CHECK(shake(&pair, SIZE_MAX) == QM_E_TLS);
    CHECK(pair.client.code == QM_TLS_NO_ISSUER);
    close_pair(&pair);
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
}

int main(void)
{
    tls_certs();
    TEST(test_every_certificate);
    TEST(test_certificate_list_is_bounded);
    TEST(test_names_that_are_refused);
    TEST(test_resumption);
    TEST(test_sessions_of_refused_servers);
    TEST(test_store_forgets_the_oldest);
    TEST(test_options_that_are_refused);
    TEST(test_client_certificate);
    TEST(test_cache);
    TEST(test_cache_is_bounded);
    TEST(test_system_trust_refuses_our_authority);
    CHECK(qm_mem_test_live() == 0);
    return check_done();
}
