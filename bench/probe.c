/*
 * probe: asks an HTTP server for one path over kept connections and says how
 * long the answers took.
 *
 *   probe --connect unix:PATH|127.0.0.1:PORT --path /ping --seconds 4
 *         [--connections 8] --rate 500     open loop
 *         [--connections 8] --closed       closed loop
 *
 * Open loop: requests are due at fixed times, whether or not the ones before
 * have been answered, and the time counts from when a request was due: a
 * server that stands still is seen by all the requests it makes wait, also
 * those that no connection was free for. Closed loop: each connection asks
 * again as soon as it has its answer, to keep a server busy.
 *
 * Prints one line. `failed` counts answers other than 200; `unanswered` those
 * given up PATIENCE_US after the last was due, with their age as their time.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNS_MAX = 64,
    IN_CAP = 4096,
    REQUEST_CAP = 1024,
    SAMPLES_MAX = 1000000,
    PATIENCE_US = 10000000
};

struct conn {
    int fd;
    bool busy;
    int64_t due_us; /* of the request under way */
    size_t in_len;
    char in[IN_CAP + 1];
};

struct probe {
    struct bench_addr addr;
    const char *path;
    long rate; /* requests a second; 0: closed loop */
    long seconds;
    size_t conn_count;
    char request[REQUEST_CAP];
    size_t request_len;

    int64_t begin_us;
    int64_t end_us;  /* nothing is due from here on */
    int64_t last_us; /* of the last answer */
    size_t started;
    size_t failed;
    size_t unanswered;
    size_t sample_count;
    int64_t *samples; /* SAMPLES_MAX of them */
    struct conn conns[CONNS_MAX];
};

static void open_conn(const struct probe *p, struct conn *c)
{
    c->fd = socket(p->addr.sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, &p->addr.sa.any, p->addr.len) != 0) {
        bench_die_errno("probe: connect");
    }
}

static void open_all(struct probe *p)
{
    int len = snprintf(p->request, REQUEST_CAP,
                       "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", p->path);
    if (len < 0 || len >= REQUEST_CAP) {
        bench_die("probe", "the path is too long");
    }
    p->request_len = (size_t)len;
    p->samples = malloc(SAMPLES_MAX * sizeof *p->samples);
    if (!p->samples) {
        bench_die_errno("probe");
    }
    for (size_t i = 0; i < p->conn_count; i++) {
        open_conn(p, &p->conns[i]);
    }
}

/* --- one request -------------------------------------------------------- */

static void add_sample(struct probe *p, int64_t us)
{
    p->samples[p->sample_count++] = us;
}

/* It is shorter than any socket's buffer, and the buffer is empty. */
static void ask(struct probe *p, struct conn *c, int64_t due_us)
{
    c->due_us = due_us;
    c->busy = true;
    c->in_len = 0;
    p->started++;
    if (write(c->fd, p->request, p->request_len) != (ssize_t)p->request_len) {
        bench_die_errno("probe: write");
    }
}

/* Bytes of the answer, 0: not known yet. */
static size_t answer_length(const struct conn *c)
{
    const char *end = strstr(c->in, "\r\n\r\n");
    if (!end) {
        return 0;
    }
    const char *field = strcasestr(c->in, "\r\nContent-Length:");
    if (!field || field > end) {
        bench_die("probe", "an answer without Content-Length");
    }
    long body = strtol(field + strlen("\r\nContent-Length:"), NULL, 10);
    size_t head = (size_t)(end - c->in) + 4;
    if (body < 0 || (size_t)body > IN_CAP - head) {
        bench_die("probe", "an answer that is too long");
    }
    return head + (size_t)body;
}

static void receive(struct probe *p, struct conn *c)
{
    ssize_t n = read(c->fd, c->in + c->in_len, IN_CAP - c->in_len);
    if (n <= 0) {
        bench_die("probe", "the server has closed the connection");
    }
    c->in_len += (size_t)n;
    c->in[c->in_len] = '\0';
    size_t len = answer_length(c);
    if (len == 0 || c->in_len < len) {
        return;
    }
    c->busy = false;
    p->last_us = bench_now_us();
    p->failed += strncmp(c->in, "HTTP/1.1 200 ", 13) == 0 ? 0 : 1;
    add_sample(p, p->last_us - c->due_us);
}

/* --- the schedule ------------------------------------------------------- */

/* When the next request is due; INT64_MAX: there is none any more. */
static int64_t next_due(const struct probe *p, int64_t now)
{
    if (p->started >= SAMPLES_MAX) {
        return INT64_MAX;
    }
    int64_t due = now;
    if (p->rate > 0) {
        due = p->begin_us + (int64_t)p->started * 1000000 / p->rate;
    }
    return due < p->end_us ? due : INT64_MAX;
}

static void ask_what_is_due(struct probe *p)
{
    for (size_t i = 0; i < p->conn_count; i++) {
        int64_t now = bench_now_us();
        int64_t due = next_due(p, now);
        if (due > now) {
            return;
        }
        if (!p->conns[i].busy) {
            ask(p, &p->conns[i], due);
        }
    }
}

static size_t count_busy(const struct probe *p)
{
    size_t count = 0;
    for (size_t i = 0; i < p->conn_count; i++) {
        count += p->conns[i].busy ? 1 : 0;
    }
    return count;
}

/* Waits for an answer, or until a free connection has something to ask. */
static void wait_and_receive(struct probe *p, int64_t give_up_us)
{
    struct pollfd fds[CONNS_MAX];
    for (size_t i = 0; i < p->conn_count; i++) {
        fds[i].fd = p->conns[i].busy ? p->conns[i].fd : -1;
        fds[i].events = POLLIN;
        fds[i].revents = 0;
    }
    int64_t now = bench_now_us();
    int64_t until = give_up_us;
    if (count_busy(p) < p->conn_count && next_due(p, now) < until) {
        until = next_due(p, now);
    }
    int64_t left = until > now ? until - now : 0;
    struct timespec ts = { .tv_sec = (time_t)(left / 1000000),
                           .tv_nsec = (long)(left % 1000000) * 1000 };
    if (ppoll(fds, (nfds_t)p->conn_count, &ts, NULL) <= 0) {
        return;
    }
    for (size_t i = 0; i < p->conn_count; i++) {
        if (fds[i].revents != 0) {
            receive(p, &p->conns[i]);
        }
    }
}

/* A request that nobody answers must not be missing from the figures. */
static void add_unanswered(struct probe *p)
{
    int64_t now = bench_now_us();
    for (size_t i = 0; i < p->conn_count; i++) {
        if (p->conns[i].busy) {
            p->unanswered++;
            add_sample(p, now - p->conns[i].due_us);
        }
    }
    while (p->rate > 0 && next_due(p, now) != INT64_MAX) {
        add_sample(p, now - next_due(p, now));
        p->started++;
        p->unanswered++;
    }
}

static void run(struct probe *p)
{
    p->begin_us = bench_now_us();
    p->last_us = p->begin_us;
    p->end_us = p->begin_us + (int64_t)p->seconds * 1000000;
    int64_t give_up_us = p->end_us + PATIENCE_US;
    while (bench_now_us() < give_up_us) {
        ask_what_is_due(p);
        bool is_over = next_due(p, bench_now_us()) == INT64_MAX;
        if (is_over && count_busy(p) == 0) {
            break;
        }
        wait_and_receive(p, give_up_us);
    }
    add_unanswered(p);
}

/* --- the figures -------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;
    return (*x > *y) - (*x < *y);
}

/* The smallest sample that `percent` of all do not exceed. */
static double quantile_ms(const struct probe *p, size_t percent)
{
    size_t rank = (p->sample_count * percent + 99) / 100;
    return (double)p->samples[rank - 1] / 1000;
}

static void print_figures(struct probe *p)
{
    if (p->sample_count == 0) {
        bench_die("probe", "no request was due");
    }
    qsort(p->samples, p->sample_count, sizeof *p->samples, compare);
    printf("n=%zu p50_ms=%.3f p99_ms=%.3f max_ms=%.3f failed=%zu "
           "unanswered=%zu seconds=%.3f\n",
           p->sample_count, quantile_ms(p, 50), quantile_ms(p, 99),
           quantile_ms(p, 100), p->failed, p->unanswered,
           (double)(p->last_us - p->begin_us) / 1000000);
}

static const struct option OPTIONS[] = {
    { "connect", required_argument, NULL, 'c' },
    { "path", required_argument, NULL, 'p' },
    { "rate", required_argument, NULL, 'r' },
    { "seconds", required_argument, NULL, 's' },
    { "connections", required_argument, NULL, 'k' },
    { "closed", no_argument, NULL, 'l' },
    { NULL, 0, NULL, 0 },
};

static void set_option(struct probe *p, int option, const char *value)
{
    switch (option) {
    case 'c':
        p->addr = bench_parse_addr(value);
        break;
    case 'p':
        p->path = value;
        break;
    case 'r':
        p->rate = bench_parse_number(value, 1, 100000);
        break;
    case 's':
        p->seconds = bench_parse_number(value, 1, 600);
        break;
    case 'k':
        p->conn_count = (size_t)bench_parse_number(value, 1, CONNS_MAX);
        break;
    case 'l':
        p->rate = 0;
        break;
    default:
        exit(2); /* getopt has said why */
    }
}

int main(int argc, char **argv)
{
    static struct probe probe = { .rate = -1, .conn_count = 8 };
    int option = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        set_option(&probe, option, optarg);
    }
    if (probe.addr.len == 0 || !probe.path || probe.seconds == 0 ||
        probe.rate < 0 || optind != argc) {
        bench_die("usage", "probe --connect ADDRESS --path PATH --seconds N "
                           "--rate N|--closed [--connections N]");
    }
    if (probe.rate * probe.seconds > SAMPLES_MAX) {
        bench_die("probe", "too many requests for one run");
    }
    (void)signal(SIGPIPE, SIG_IGN);
    /* The default lets every wake-up be 50 microseconds late. */
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    open_all(&probe);
    run(&probe);
    print_figures(&probe);
    free(probe.samples);
    return 0;
}
