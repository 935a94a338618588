/*
 * tls_pair.h: a client filter and a server filter that talk in memory.
 *
 * Test programs run from the top of the tree; tls_certs() makes the
 * certificates on first use.
 */
#ifndef TLS_PAIR_H
#define TLS_PAIR_H

#include "check.h"

#include "tls/qm_tls.h"

#include <stdlib.h>

#define CERTS "build/spec-certs/"

struct pair {
    struct qm_tls client;
    struct qm_tls server;
};

static inline struct qm_tls_ctx *open_ctx(const struct qm_tls_options *options)
{
    struct qm_tls_text why;
    struct qm_tls_ctx *ctx = NULL;
    enum qm_err err = qm_tls_ctx_open(options, &ctx, &why);

    CHECK(err == QM_OK);
    if (err != QM_OK) {
        printf("%s\n", why.bytes);
        exit(1);
    }
    return ctx;
}

static inline struct qm_tls_ctx *client_ctx(bool verify)
{
    struct qm_tls_options options;

    memset(&options, 0, sizeof(options));
    options.ca_file = CERTS "ca.pem";
    options.verify = verify;
    return open_ctx(&options);
}

static inline struct qm_tls_ctx *server_ctx(const char *name,
                                            enum qm_tls_version highest)
{
    struct qm_tls_options options;
    char cert[64];
    char key[64];

    (void)snprintf(cert, sizeof(cert), CERTS "%s.pem", name);
    (void)snprintf(key, sizeof(key), CERTS "%s.key", name);
    memset(&options, 0, sizeof(options));
    options.server = true;
    options.cert = cert;
    options.key = key;
    options.max_version = highest;
    options.min_version = highest;
    options.ciphers = "DEFAULT:@SECLEVEL=0";
    return open_ctx(&options);
}

/* Hands over what waits, `step` bytes at a time; true when it moved. */
static inline bool move(struct qm_tls *from, struct qm_tls *to, size_t step)
{
    struct qm_span waiting = qm_tls_output(from);
    uint64_t plain;

    if (waiting.len == 0) {
        return false;
    }
    if (waiting.len > step) {
        waiting.len = step;
    }
    if (qm_tls_feed(to, waiting) != QM_OK) {
        CHECK(to->err == QM_E_MEMORY);
        return false;
    }
    CHECK(qm_tls_sent(from, waiting.len, &plain) == QM_OK);
    return true;
}

/* One step of a handshake whose outcome is looked at later. */
static inline void step_on(struct qm_tls *tls)
{
    enum qm_err err = qm_tls_handshake(tls);

    CHECK(err == QM_OK || err == tls->err || err == QM_E_AGAIN);
}

/* Ends when both are through, or when neither has anything to say. */
static inline enum qm_err shake(struct pair *pair, size_t step)
{
    bool moved = true;
    enum qm_err client = QM_E_AGAIN;

    while (moved) {
        client = qm_tls_handshake(&pair->client);
        moved = move(&pair->client, &pair->server, step);
        step_on(&pair->server);
        moved = move(&pair->server, &pair->client, step) || moved;
    }
    return client;
}

static inline void open_pair(struct pair *pair, struct qm_tls_ctx *client,
                             struct qm_tls_ctx *server, const char *name,
                             const char *session_key)
{
    CHECK(qm_tls_open_client(&pair->client, client, qm_span_of(name),
                             qm_span_of(session_key)) == QM_OK);
    CHECK(qm_tls_open_server(&pair->server, server) == QM_OK);
}

static inline void close_pair(struct pair *pair)
{
    qm_tls_close(&pair->client);
    qm_tls_close(&pair->server);
    qm_tls_close(&pair->client);
}

static inline struct qm_span no_bytes(void)
{
    return qm_span_make(NULL, 0);
}

static inline void tls_certs(void)
{
    if (system("sh spec/support/certs.sh build/spec-certs") != 0) {
        printf("spec/support/certs.sh failed\n");
        exit(1);
    }
}

#endif
