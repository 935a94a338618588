/*
 * sink: takes mail as fast as it can and forgets it, for measurements.
 *
 *   sink --listen 127.0.0.1:PORT|unix:PATH [--mode plain|implicit|starttls]
 *        [--cert FILE --key FILE] [--auth] [--chunking] [--no-resume]
 *        [--delay-ms N] [--command-ms N]
 *
 * What has been read together is answered together: after --delay-ms, however
 * many commands it holds, or after --command-ms for each of them.
 *
 * Says "listening ADDRESS" when ready (port 0: any free one) and, on SIGUSR1
 * and at the end (SIGTERM, SIGINT), what it has seen so far. Believes
 * everything: it is not for testing what clients say.
 *
 * One thread and epoll. A connection reads, or has something to say, never
 * both: so its buffers are bounded, and a delayed answer holds up nobody else.
 */
#define _GNU_SOURCE
#include "sink.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 64 };

static void accept_all(struct sink *s)
{
    for (;;) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        conn_open(s, fd);
    }
}

static bool is_slow(const struct sink *s)
{
    return s->delay_us > 0 || s->command_us > 0;
}

/*
 * Waits for the first delayed answer's time at most. Not with the timeout of
 * epoll_wait(): whole milliseconds are far too coarse for a delay of five.
 */
static void wait_for_delayed(const struct sink *s)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < s->conn_count; i++) {
        int64_t due = s->conns[i]->due_us;
        if (due > 0 && due < first) {
            first = due;
        }
    }
    int64_t left = first == INT64_MAX ? 0 : first - bench_now_us();
    left = left > 0 ? left : 0;
    struct timespec ts = { .tv_sec = (time_t)(left / 1000000),
                           .tv_nsec = (long)(left % 1000000) * 1000 };
    struct pollfd fd = { .fd = s->epoll, .events = POLLIN };
    (void)ppoll(&fd, 1, first == INT64_MAX ? NULL : &ts, NULL);
}

/* From the last down: conn_serve() may drop one and move the last there. */
static void release_due(struct sink *s)
{
    int64_t now = bench_now_us();
    for (size_t i = s->conn_count; i-- > 0;) {
        struct conn *c = s->conns[i];
        if (c->due_us > 0 && c->due_us <= now) {
            c->due_us = 0;
            c->released = true;
            conn_serve(c);
        }
    }
}

static void print_counts(const struct sink *s)
{
    printf("mails=%llu ids=%llu connections=%llu resumed=%llu bytes=%llu "
           "commands=%llu flights=%llu\n",
           (unsigned long long)s->mails, (unsigned long long)s->ids.count,
           (unsigned long long)s->connections, (unsigned long long)s->resumed,
           (unsigned long long)s->bytes, (unsigned long long)s->commands,
           (unsigned long long)s->flights);
    (void)fflush(stdout);
}

static void on_signal(struct sink *s)
{
    struct signalfd_siginfo info;
    if (read(s->signals, &info, sizeof info) != sizeof info) {
        return;
    }
    if (info.ssi_signo == SIGUSR1) {
        print_counts(s);
    } else {
        s->stop = true;
    }
}

static void on_event(struct sink *s, const struct epoll_event *ev)
{
    if (ev->data.ptr == &s->listener) {
        accept_all(s);
    } else if (ev->data.ptr == &s->signals) {
        on_signal(s);
    } else {
        struct conn *c = ev->data.ptr;
        /* One that waits for its time is told nothing else than the end. */
        c->dead = c->due_us > 0;
        conn_serve(c);
    }
}

static void run(struct sink *s)
{
    struct epoll_event events[EVENTS_MAX];
    while (!s->stop) {
        if (is_slow(s)) {
            wait_for_delayed(s);
        }
        int n = epoll_wait(s->epoll, events, EVENTS_MAX, is_slow(s) ? 0 : -1);
        for (int i = 0; i < n; i++) {
            on_event(s, &events[i]);
        }
        if (is_slow(s)) {
            release_due(s);
        }
    }
}

/* --- start and end ------------------------------------------------------ */

static void add_source(const struct sink *s, int fd, void *id)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = id };
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
        bench_die_errno("epoll_ctl");
    }
}

static void open_signals(struct sink *s)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    add_source(s, s->signals, &s->signals);
}

static void open_listener(struct sink *s)
{
    int one = 1;
    int family = s->addr.sa.any.sa_family;
    s->listener = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(s->listener, &s->addr.sa.any, s->addr.len) != 0 ||
        listen(s->listener, CONNS_MAX) != 0) {
        bench_die_errno(s->listen_text);
    }
    add_source(s, s->listener, &s->listener);
}

static void say_where(struct sink *s)
{
    if (s->addr.sa.any.sa_family == AF_UNIX) {
        printf("listening %s\n", s->listen_text);
    } else {
        char host[INET_ADDRSTRLEN];
        getsockname(s->listener, &s->addr.sa.any, &s->addr.len);
        inet_ntop(AF_INET, &s->addr.sa.inet.sin_addr, host, sizeof host);
        printf("listening %s:%d\n", host, ntohs(s->addr.sa.inet.sin_port));
    }
    (void)fflush(stdout);
}

static void open_tls(struct sink *s)
{
    if (!s->cert || !s->key) {
        bench_die("sink", "TLS needs --cert and --key");
    }
    s->ctx = SSL_CTX_new(TLS_server_method());
    if (!s->ctx || SSL_CTX_use_certificate_chain_file(s->ctx, s->cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(s->ctx, s->key, SSL_FILETYPE_PEM) != 1) {
        bench_die(s->cert, "cannot be used as a certificate with this key");
    }
    SSL_CTX_set_mode(s->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(s->ctx, 1);
    /* Tickets hold the session themselves: none is kept here. */
    SSL_CTX_set_session_cache_mode(s->ctx, SSL_SESS_CACHE_OFF);
    if (s->no_resume) {
        SSL_CTX_set_options(s->ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(s->ctx, 0);
    }
}

static enum mode parse_mode(const char *text)
{
    if (strcmp(text, "plain") == 0) {
        return MODE_PLAIN;
    }
    if (strcmp(text, "implicit") == 0) {
        return MODE_IMPLICIT;
    }
    if (strcmp(text, "starttls") == 0) {
        return MODE_STARTTLS;
    }
    bench_die(text, "not plain, implicit or starttls");
}

static const struct option OPTIONS[] = {
    { "listen", required_argument, NULL, 'l' },
    { "mode", required_argument, NULL, 'm' },
    { "cert", required_argument, NULL, 'c' },
    { "key", required_argument, NULL, 'k' },
    { "delay-ms", required_argument, NULL, 'd' },
    { "command-ms", required_argument, NULL, 'o' },
    { "auth", no_argument, NULL, 'a' },
    { "chunking", no_argument, NULL, 'b' },
    { "no-resume", no_argument, NULL, 'r' },
    { NULL, 0, NULL, 0 },
};

static void set_option(struct sink *s, int option, const char *value)
{
    switch (option) {
    case 'l':
        s->listen_text = value;
        break;
    case 'm':
        s->mode = parse_mode(value);
        break;
    case 'c':
        s->cert = value;
        break;
    case 'k':
        s->key = value;
        break;
    case 'd':
        s->delay_us = bench_parse_number(value, 0, 60000) * 1000;
        break;
    case 'o':
        s->command_us = bench_parse_number(value, 0, 60000) * 1000;
        break;
    case 'b':
        s->chunking = true;
        break;
    case 'a':
        s->auth = true;
        break;
    case 'r':
        s->no_resume = true;
        break;
    default:
        exit(2); /* getopt has said why */
    }
}

int main(int argc, char **argv)
{
    static struct sink sink; /* zeroed, and large for a stack */
    struct sink *s = &sink;
    int option = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        set_option(s, option, optarg);
    }
    if (!s->listen_text || optind != argc) {
        bench_die("usage", "sink --listen ADDRESS [option...]");
    }
    s->addr = bench_parse_addr(s->listen_text);
    if (s->mode != MODE_PLAIN) {
        open_tls(s);
    }
    /* The default lets every wake-up be 50 microseconds late. */
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    open_signals(s);
    open_listener(s);
    say_where(s);
    run(s);
    print_counts(s);
    while (s->conn_count > 0) {
        conn_drop(s->conns[0]);
    }
    SSL_CTX_free(s->ctx);
    id_set_free(&s->ids);
    if (s->addr.sa.any.sa_family == AF_UNIX) {
        unlink(s->addr.sa.local.sun_path);
    }
    return 0;
}
