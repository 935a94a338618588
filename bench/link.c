/*
 * link: a long line in a short one: passes bytes on between clients and one
 * server, each way so many milliseconds late, and counts flights.
 *
 *   link --listen 127.0.0.1:PORT --connect 127.0.0.1:PORT --delay-ms N
 *
 * Says "listening ADDRESS" when ready (port 0: any free one), and one line of
 * JSON for each connection when it ends, or at SIGTERM:
 *
 *   bursts       pieces of the server's bytes with bytes of the client's
 *                between them, as the client sees them
 *   round_trips  how often the client said something and had to wait for what
 *                can be an answer to it: what comes sooner than a round trip
 *                later answers something older. With many mails in flight
 *                there are more bursts than round trips.
 *
 * Only the bytes are late: a connection is there at once, and there is no
 * limit to what is under way but WINDOW_CAP.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { CONNS_MAX = 64, PIECE_CAP = 65536, WINDOW_CAP = 8 * 1024 * 1024 };

/* What was read at one time; without bytes: the end. */
struct piece {
    struct piece *next;
    int64_t due_us;
    size_t len;
    size_t at; /* passed on so far */
    char bytes[];
};

/* One direction. */
struct flow {
    int from;
    int to;
    struct piece *first;
    struct piece *last;
    size_t queued;
    uint64_t bytes;
    bool heard_end;
    bool told_end;
    bool blocked; /* the receiver has no room */
};

struct conn {
    unsigned number;
    struct flow up;   /* client to server */
    struct flow down; /* server to client */
    bool dead;
    bool spoke;  /* the client has, since the last burst */
    bool asking; /* a round trip has begun */
    int64_t asked_us;
    int64_t opened_us;
    uint64_t bursts;
    uint64_t round_trips;
};

struct link {
    struct bench_addr here;
    struct bench_addr there;
    int64_t delay_us;
    int listener;
    unsigned accepted;
    size_t conn_count;
    struct conn *conns[CONNS_MAX];
    struct pollfd fds[1 + 2 * CONNS_MAX];
};

static volatile sig_atomic_t stop;

/* --- counting, at the client's end of the line -------------------------- */

static void note_said(struct conn *c, int64_t now)
{
    c->spoke = true;
    if (!c->asking) {
        c->asking = true;
        c->asked_us = now;
    }
}

static void note_answer(struct conn *c, int64_t now, int64_t round_trip_us)
{
    c->bursts += c->spoke ? 1 : 0;
    c->spoke = false;
    if (c->asking && now - c->asked_us >= round_trip_us) {
        c->asking = false;
        c->round_trips++;
    }
}

static void print_counts(const struct conn *c)
{
    printf("{\"connection\": %u, \"bursts\": %llu, \"round_trips\": %llu, "
           "\"bytes_up\": %llu, \"bytes_down\": %llu, \"seconds\": %.6f}\n",
           c->number, (unsigned long long)c->bursts,
           (unsigned long long)c->round_trips, (unsigned long long)c->up.bytes,
           (unsigned long long)c->down.bytes,
           (double)(bench_now_us() - c->opened_us) / 1000000);
    (void)fflush(stdout);
}

/* --- one direction ------------------------------------------------------ */

static void add_piece(struct flow *f, const char *bytes, size_t len,
                      int64_t due_us)
{
    struct piece *p = malloc(sizeof *p + len);
    if (!p) {
        bench_die_errno("link");
    }
    *p = (struct piece){ .due_us = due_us, .len = len };
    if (len > 0) {
        memcpy(p->bytes, bytes, len);
    }
    if (f->last) {
        f->last->next = p;
    } else {
        f->first = p;
    }
    f->last = p;
    f->queued += len;
    f->bytes += len;
}

static void drop_first(struct flow *f)
{
    struct piece *p = f->first;
    f->first = p->next;
    if (!f->first) {
        f->last = NULL;
    }
    f->queued -= p->len;
    free(p);
}

/* How many bytes came; 0: none, or the end. */
static size_t take(struct link *l, struct conn *c, struct flow *f, int64_t now)
{
    char bytes[PIECE_CAP];
    ssize_t n = read(f->from, bytes, sizeof bytes);
    if (n < 0) {
        c->dead = c->dead || errno != EAGAIN;
        return 0;
    }
    f->heard_end = n == 0;
    add_piece(f, bytes, (size_t)n, now + l->delay_us);
    return (size_t)n;
}

/* True: there may be more to pass on. */
static bool pass_piece(struct conn *c, struct flow *f)
{
    struct piece *p = f->first;
    if (p->len == 0) {
        (void)shutdown(f->to, SHUT_WR);
        f->told_end = true;
        drop_first(f);
        return false;
    }
    ssize_t n = write(f->to, p->bytes + p->at, p->len - p->at);
    if (n < 0) {
        f->blocked = errno == EAGAIN;
        c->dead = c->dead || !f->blocked;
        return false;
    }
    p->at += (size_t)n;
    if (p->at == p->len) {
        drop_first(f);
    }
    return true;
}

static void pass_due(const struct link *l, struct conn *c, struct flow *f)
{
    int64_t now = bench_now_us();
    while (f->first && !f->blocked && f->first->due_us <= now) {
        /* Noted before: the client may answer before write() is back. */
        if (f == &c->down && f->first->len > 0) {
            note_answer(c, now, 2 * l->delay_us);
        }
        if (!pass_piece(c, f)) {
            return;
        }
    }
}

/* --- connections -------------------------------------------------------- */

static void make_ready(int fd)
{
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

static int dial(const struct link *l)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, &l->there.sa.any, l->there.len) != 0) {
        bench_die_errno("link: connect");
    }
    make_ready(fd);
    return fd;
}

static void open_conn(struct link *l, int client)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c || l->conn_count == CONNS_MAX) {
        bench_die("link", "too many connections");
    }
    int server = dial(l);
    make_ready(client);
    c->number = ++l->accepted;
    c->up.from = c->down.to = client;
    c->up.to = c->down.from = server;
    c->spoke = true; /* the greeting is a burst as well */
    c->opened_us = bench_now_us();
    l->conns[l->conn_count++] = c;
}

static void accept_one(struct link *l)
{
    int fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        open_conn(l, fd);
    }
}

static void end_conn(struct link *l, size_t index)
{
    struct conn *c = l->conns[index];
    print_counts(c);
    while (c->up.first) {
        drop_first(&c->up);
    }
    while (c->down.first) {
        drop_first(&c->down);
    }
    close(c->up.from);
    close(c->up.to);
    free(c);
    l->conns[index] = l->conns[--l->conn_count];
}

/* --- the loop ----------------------------------------------------------- */

static void set_events(struct pollfd *fd, const struct flow *in,
                       const struct flow *out)
{
    bool may_read = !in->heard_end && in->queued < WINDOW_CAP;
    fd->events =
        (short)((may_read ? POLLIN : 0) | (out->blocked ? POLLOUT : 0));
    /* poll() tells of a hang-up even where nothing was asked. */
    fd->fd = fd->events == 0 ? -1 : in->from;
    fd->revents = 0;
}

static void first_due(const struct flow *f, int64_t *due)
{
    if (f->first && !f->blocked && f->first->due_us < *due) {
        *due = f->first->due_us;
    }
}

static void wait_for_events(struct link *l, const sigset_t *mask)
{
    int64_t due = INT64_MAX;
    l->fds[0] = (struct pollfd){ .fd = l->listener, .events = POLLIN };
    for (size_t i = 0; i < l->conn_count; i++) {
        struct conn *c = l->conns[i];
        set_events(&l->fds[1 + 2 * i], &c->up, &c->down);
        set_events(&l->fds[2 + 2 * i], &c->down, &c->up);
        first_due(&c->up, &due);
        first_due(&c->down, &due);
    }
    int64_t left = due == INT64_MAX ? 0 : due - bench_now_us();
    left = left > 0 ? left : 0;
    struct timespec ts = { .tv_sec = (time_t)(left / 1000000),
                           .tv_nsec = (long)(left % 1000000) * 1000 };
    if (ppoll(l->fds, (nfds_t)(1 + 2 * l->conn_count),
              due == INT64_MAX ? NULL : &ts, mask) < 0) {
        for (size_t i = 0; i < 1 + 2 * l->conn_count; i++) {
            l->fds[i].revents = 0;
        }
    }
}

static void serve(struct link *l, struct conn *c, const struct pollfd *fds)
{
    int64_t now = bench_now_us();
    if (fds[0].revents & POLLOUT) {
        c->down.blocked = false;
    }
    if (fds[1].revents & POLLOUT) {
        c->up.blocked = false;
    }
    if (fds[0].revents & ~POLLOUT && take(l, c, &c->up, now) > 0) {
        note_said(c, now);
    }
    if (fds[1].revents & ~POLLOUT) {
        (void)take(l, c, &c->down, now);
    }
    pass_due(l, c, &c->up);
    pass_due(l, c, &c->down);
}

/* From the last down: what has ended gives its place to the last. */
static void serve_all(struct link *l)
{
    for (size_t i = l->conn_count; i-- > 0;) {
        struct conn *c = l->conns[i];
        serve(l, c, &l->fds[1 + 2 * i]);
        if (c->dead || (c->up.told_end && c->down.told_end)) {
            end_conn(l, i);
        }
    }
}

static void run(struct link *l, const sigset_t *mask)
{
    while (!stop) {
        wait_for_events(l, mask);
        serve_all(l);
        if (l->fds[0].revents & POLLIN) {
            accept_one(l);
        }
    }
    while (l->conn_count > 0) {
        end_conn(l, 0);
    }
}

/* --- start -------------------------------------------------------------- */

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* Signals come only while ppoll() waits, so that none is missed. */
static void catch_signals(sigset_t *mask_out)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, mask_out);
    sigdelset(mask_out, SIGTERM);
    sigdelset(mask_out, SIGINT);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void open_listener(struct link *l)
{
    char host[INET_ADDRSTRLEN];
    l->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(l->listener, &l->here.sa.any, l->here.len) != 0 ||
        listen(l->listener, CONNS_MAX) != 0 ||
        getsockname(l->listener, &l->here.sa.any, &l->here.len) != 0) {
        bench_die_errno("link: listen");
    }
    inet_ntop(AF_INET, &l->here.sa.inet.sin_addr, host, sizeof host);
    printf("listening %s:%d\n", host, ntohs(l->here.sa.inet.sin_port));
    (void)fflush(stdout);
}

static const struct option OPTIONS[] = {
    { "listen", required_argument, NULL, 'l' },
    { "connect", required_argument, NULL, 'c' },
    { "delay-ms", required_argument, NULL, 'd' },
    { NULL, 0, NULL, 0 },
};

static void set_option(struct link *l, int option, const char *value)
{
    switch (option) {
    case 'l':
        l->here = bench_parse_addr(value);
        break;
    case 'c':
        l->there = bench_parse_addr(value);
        break;
    case 'd':
        l->delay_us = bench_parse_number(value, 0, 60000) * 1000;
        break;
    default:
        exit(2); /* getopt has said why */
    }
}

int main(int argc, char **argv)
{
    static struct link line; /* zeroed */
    sigset_t mask;
    int option = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        set_option(&line, option, optarg);
    }
    if (line.here.sa.any.sa_family != AF_INET ||
        line.there.sa.any.sa_family != AF_INET || optind != argc) {
        bench_die("usage", "link --listen 127.0.0.1:PORT "
                           "--connect 127.0.0.1:PORT --delay-ms N");
    }
    catch_signals(&mask);
    /* The default lets every wake-up be 50 microseconds late. */
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    open_listener(&line);
    run(&line, &mask);
    close(line.listener);
    return 0;
}
