#define _GNU_SOURCE
#include "wire.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CODE_LEN = 3, PUT_MAX = 1 << 30 };

static void die_of_tls(const char *what)
{
    char text[256];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    bench_die(what, text);
}

/* Keeps the newest one; the reference is taken over. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct wire_plan *plan = SSL_get_app_data(ssl);
    SSL_SESSION_free(plan->session);
    plan->session = session;
    return 1;
}

static SSL_CTX *make_context(const char *authority, bool resumes)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx || SSL_CTX_load_verify_locations(ctx, authority, NULL) != 1) {
        die_of_tls(authority);
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (resumes) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
                                                SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ctx, keep_session);
    }
    return ctx;
}

void wire_plan_load(struct wire_plan *plan)
{
    long port = bench_setting_number("PORT", 0, 65535);
    const char *tls = bench_setting("TLS", "none");
    memset(plan, 0, sizeof *plan);
    plan->where = bench_parse_addr("127.0.0.1:0");
    plan->where.sa.inet.sin_port = htons((uint16_t)port);
    plan->resumes = bench_setting_is_true("RESUME");
    if (strcmp(tls, "implicit") == 0) {
        plan->ctx = make_context(bench_setting("CA", NULL), plan->resumes);
    } else if (strcmp(tls, "none") != 0) {
        bench_die(tls, "not none or implicit");
    }
}

void wire_plan_free(struct wire_plan *plan)
{
    SSL_SESSION_free(plan->session);
    SSL_CTX_free(plan->ctx);
}

static void shake_hands(struct wire *w, struct wire_plan *plan)
{
    w->ssl = SSL_new(plan->ctx);
    if (!w->ssl || SSL_set_fd(w->ssl, w->fd) != 1 ||
        SSL_set_app_data(w->ssl, plan) != 1 ||
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(w->ssl), "127.0.0.1") !=
            1) {
        die_of_tls("TLS");
    }
    if (plan->session && SSL_set_session(w->ssl, plan->session) != 1) {
        die_of_tls("TLS session");
    }
    if (SSL_connect(w->ssl) != 1) {
        die_of_tls("TLS handshake");
    }
}

void wire_open(struct wire *w, struct wire_plan *plan)
{
    int one = 1;
    w->ssl = NULL;
    w->at = w->len = 0;
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (w->fd < 0 ||
        setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        connect(w->fd, &plan->where.sa.any, plan->where.len) != 0) {
        bench_die_errno("connect");
    }
    if (plan->ctx) {
        shake_hands(w, plan);
    }
}

/* A session whose connection was not shut down is not resumed. */
void wire_close(struct wire *w)
{
    if (w->ssl) {
        (void)SSL_shutdown(w->ssl);
        SSL_free(w->ssl);
    }
    close(w->fd);
}

static ssize_t put_some(struct wire *w, const char *p, size_t len)
{
    if (!w->ssl) {
        return write(w->fd, p, len);
    }
    return SSL_write(w->ssl, p, (int)(len < PUT_MAX ? len : PUT_MAX));
}

void wire_put(struct wire *w, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = put_some(w, p, len);
        if (n <= 0) {
            bench_die("write", "the server hung up");
        }
        p += n;
        len -= (size_t)n;
    }
}

static void fill(struct wire *w)
{
    memmove(w->in, w->in + w->at, w->len - w->at);
    w->len -= w->at;
    w->at = 0;
    char *to = w->in + w->len;
    size_t room = sizeof w->in - w->len;
    ssize_t n =
        w->ssl ? SSL_read(w->ssl, to, (int)room) : read(w->fd, to, room);
    if (n <= 0) {
        bench_die("read", "the server hung up");
    }
    w->len += (size_t)n;
}

/* A whole line, which stays in place until the next one is asked for. */
static const char *next_line(struct wire *w)
{
    const char *end = NULL;
    while (!(end = memchr(w->in + w->at, '\n', w->len - w->at))) {
        fill(w);
    }
    const char *line = w->in + w->at;
    w->at = (size_t)(end + 1 - w->in);
    return line;
}

void wire_expect(struct wire *w, const char *code)
{
    const char *line = NULL;
    do {
        line = next_line(w);
        if (memcmp(line, code, CODE_LEN) != 0) {
            bench_die("not the reply that was wanted", code);
        }
    } while (line[CODE_LEN] == '-');
}
