#define _GNU_SOURCE
#include "sink.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    OUT_ROOM = 512, /* more than the longest answer */
    LINE_CAP = 4096
};

static void watch(struct conn *c, uint32_t events)
{
    if (c->events == events) {
        return;
    }
    struct epoll_event ev = { .events = events, .data.ptr = c };
    c->events = events;
    if (epoll_ctl(c->sink->epoll, EPOLL_CTL_MOD, c->fd, &ev) != 0) {
        c->dead = true;
    }
}

/* --- what is said ------------------------------------------------------- */

static void reply(struct conn *c, const char *text)
{
    size_t len = strlen(text);
    if (len > OUT_CAP - c->out_len) {
        c->dead = true;
        return;
    }
    memcpy(c->out + c->out_len, text, len);
    c->out_len += len;
}

static void on_ehlo(struct conn *c)
{
    reply(c, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n");
    reply(c, "250-SMTPUTF8\r\n");
    if (c->sink->chunking) {
        reply(c, "250-CHUNKING\r\n");
    }
    if (c->sink->mode == MODE_STARTTLS && !c->ssl) {
        reply(c, "250-STARTTLS\r\n");
    }
    if (c->sink->auth) {
        reply(c, "250-AUTH PLAIN LOGIN\r\n");
    }
    reply(c, "250 SIZE 1073741824\r\n");
}

static void next_auth_step(struct conn *c, bool is_login)
{
    if (c->answers == 0) {
        c->state = STATE_COMMAND;
        reply(c, "235 2.7.0 Ok\r\n");
        return;
    }
    c->state = STATE_AUTH;
    if (!is_login) {
        reply(c, "334 \r\n");
    } else {
        reply(c, c->answers == 2 ? "334 VXNlcm5hbWU6\r\n"
                                 : "334 UGFzc3dvcmQ6\r\n");
    }
}

static bool starts_with(const char *line, size_t len, const char *word)
{
    size_t word_len = strlen(word);
    return len >= word_len && strncasecmp(line, word, word_len) == 0;
}

static void on_auth(struct conn *c, const char *line, size_t len)
{
    bool is_login = starts_with(line, len, "AUTH LOGIN");
    if (!c->sink->auth ||
        (!is_login && !starts_with(line, len, "AUTH PLAIN"))) {
        reply(c, "504 5.5.4 No such mechanism\r\n");
        return;
    }
    bool has_initial = len > strlen("AUTH PLAIN ");
    c->answers = (is_login ? 2 : 1) - (has_initial ? 1 : 0);
    next_auth_step(c, is_login);
}

static void on_starttls(struct conn *c)
{
    if (c->sink->mode != MODE_STARTTLS || c->ssl) {
        reply(c, "502 5.5.1 Not here\r\n");
        return;
    }
    reply(c, "220 2.0.0 Go ahead\r\n");
    c->begins_tls = true;
}

/* --- mails -------------------------------------------------------------- */

/* One that was given up before needs no more than this. */
static void on_mail(struct conn *c)
{
    c->body = 0;
    id_scan_begin(&c->id, false);
    reply(c, "250 2.1.0 Ok\r\n");
}

static void add_body(struct conn *c, const char *p, size_t len)
{
    c->body += len;
    id_scan_feed(&c->id, p, len);
}

static void end_mail(struct conn *c)
{
    c->sink->bytes += c->body;
    c->sink->mails++;
    id_set_add(&c->sink->ids, &c->id);
    c->state = STATE_COMMAND;
    reply(c, "250 2.0.0 Ok: queued as SINK\r\n");
}

static void on_data(struct conn *c)
{
    id_scan_begin(&c->id, true);
    c->state = STATE_DATA;
    reply(c, "354 Go ahead\r\n");
}

static void end_chunk(struct conn *c)
{
    if (c->chunk_is_last) {
        end_mail(c);
        return;
    }
    c->state = STATE_COMMAND;
    reply(c, "250 2.0.0 Ok\r\n");
}

static void on_bdat(struct conn *c, const char *line)
{
    /* The line ends with CRLF in the buffer: strtoull() stops there. */
    char *rest = NULL;
    c->chunk = strtoull(line + strlen("BDAT "), &rest, 10);
    c->chunk_is_last = strncasecmp(rest, " LAST", 5) == 0;
    c->state = STATE_CHUNK;
    if (c->chunk == 0) {
        end_chunk(c);
    }
}

static void command(struct conn *c, const char *line, size_t len)
{
    if (starts_with(line, len, "MAIL FROM:")) {
        on_mail(c);
    } else if (starts_with(line, len, "RCPT TO:")) {
        reply(c, "250 2.1.5 Ok\r\n");
    } else if (starts_with(line, len, "DATA")) {
        on_data(c);
    } else if (c->sink->chunking && starts_with(line, len, "BDAT ")) {
        on_bdat(c, line);
    } else if (starts_with(line, len, "EHLO")) {
        on_ehlo(c);
    } else if (starts_with(line, len, "AUTH ")) {
        on_auth(c, line, len);
    } else if (starts_with(line, len, "STARTTLS")) {
        on_starttls(c);
    } else if (starts_with(line, len, "QUIT")) {
        reply(c, "221 2.0.0 Bye\r\n");
        c->ends = true;
    } else if (starts_with(line, len, "RSET") ||
               starts_with(line, len, "NOOP") ||
               starts_with(line, len, "HELO")) {
        reply(c, "250 2.0.0 Ok\r\n");
    } else {
        reply(c, "502 5.5.2 What?\r\n");
    }
}

/* --- what is read ------------------------------------------------------- */

/*
 * All answer how many bytes they used up, 0: more is needed. The line end of
 * DATA is left for take_data(), which then finds an empty message as well.
 */
static size_t take_line(struct conn *c, const char *p, size_t len)
{
    const char *end = memmem(p, len, "\r\n", 2);
    if (!end) {
        c->dead = c->dead || len > LINE_CAP;
        return 0;
    }
    size_t line_len = (size_t)(end - p);
    c->cost++;
    if (c->state == STATE_AUTH) {
        c->answers--;
        next_auth_step(c, true);
    } else {
        command(c, p, line_len);
    }
    return c->state == STATE_DATA ? line_len : line_len + 2;
}

/* The end of a mail, found by its dot: an encoded file has none at all. */
static const char *find_end(const char *p, size_t len)
{
    const char *at = p;
    while (len - (size_t)(at - p) >= 5) {
        at = memchr(at + 2, '.', len - (size_t)(at - p) - 4);
        if (!at) {
            return NULL;
        }
        at -= 2;
        if (memcmp(at, "\r\n.\r\n", 5) == 0) {
            return at;
        }
        at++;
    }
    return NULL;
}

static size_t take_data(struct conn *c, const char *p, size_t len)
{
    const char *end = find_end(p, len);
    if (!end) {
        size_t sure = len > 4 ? len - 4 : 0; /* the rest may begin the end */
        add_body(c, p, sure);
        return sure;
    }
    /* The line end of DATA counts for the one before the dot. */
    add_body(c, p, (size_t)(end - p));
    c->cost++;
    end_mail(c);
    return (size_t)(end - p) + 5;
}

static size_t take_chunk(struct conn *c, const char *p, size_t len)
{
    size_t used = len < c->chunk ? len : (size_t)c->chunk;
    add_body(c, p, used);
    c->chunk -= used;
    if (c->chunk == 0) {
        end_chunk(c);
    }
    return used;
}

static size_t take(struct conn *c, const char *p, size_t len)
{
    if (c->state == STATE_DATA) {
        return take_data(c, p, len);
    }
    return c->state == STATE_CHUNK ? take_chunk(c, p, len)
                                   : take_line(c, p, len);
}

static bool may_go_on(const struct conn *c)
{
    return !c->dead && !c->ends && !c->begins_tls &&
           OUT_CAP - c->out_len >= OUT_ROOM;
}

/* Answers all that has been read, as far as there is room for answers. */
static void digest(struct conn *c)
{
    size_t at = 0;
    while (may_go_on(c)) {
        size_t used = take(c, c->in + at, c->in_len - at);
        if (used == 0) {
            break;
        }
        at += used;
    }
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
}

/* --- bytes in and out --------------------------------------------------- */

/* False: nothing happens before what epoll now waits for, or ever. */
static bool wait_or_die(struct conn *c, int result)
{
    int why = SSL_get_error(c->ssl, result);
    if (why == SSL_ERROR_WANT_READ) {
        watch(c, EPOLLIN);
    } else if (why == SSL_ERROR_WANT_WRITE) {
        watch(c, EPOLLOUT);
    } else {
        c->dead = true;
    }
    return false;
}

static bool begin_tls(struct conn *c)
{
    c->begins_tls = false;
    c->in_len = 0; /* nothing said in clear text counts any more */
    c->ssl = SSL_new(c->sink->ctx);
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1) {
        c->dead = true;
        return false;
    }
    SSL_set_accept_state(c->ssl);
    c->handshaking = true;
    return true;
}

static bool shake_hands(struct conn *c)
{
    ERR_clear_error();
    int result = SSL_do_handshake(c->ssl);
    if (result != 1) {
        return wait_or_die(c, result);
    }
    c->handshaking = false;
    c->sink->resumed += SSL_session_reused(c->ssl) ? 1 : 0;
    if (c->sink->mode == MODE_IMPLICIT) {
        reply(c, "220 sink ESMTP\r\n");
    }
    return true;
}

static bool fill_tls(struct conn *c)
{
    if (c->handshaking) {
        return shake_hands(c);
    }
    ERR_clear_error();
    int n = SSL_read(c->ssl, c->in + c->in_len, (int)(IN_CAP - c->in_len));
    if (n <= 0) {
        return wait_or_die(c, n);
    }
    c->in_len += (size_t)n;
    return true;
}

static bool fill_plain(struct conn *c)
{
    size_t room = IN_CAP - c->in_len;
    ssize_t n = -1;
    errno = EAGAIN;
    if (!c->drained) {
        n = read(c->fd, c->in + c->in_len, room);
    }
    c->drained = n > 0 && (size_t)n < room; /* saves asking again in vain */
    if (n > 0) {
        c->in_len += (size_t)n;
        return true;
    }
    if (n < 0 && errno == EAGAIN) {
        watch(c, EPOLLIN);
    } else {
        c->dead = true;
    }
    return false;
}

static bool send_tls(struct conn *c)
{
    ERR_clear_error();
    int n =
        SSL_write(c->ssl, c->out + c->out_at, (int)(c->out_len - c->out_at));
    if (n <= 0) {
        return wait_or_die(c, n);
    }
    c->out_at += (size_t)n;
    return true;
}

static bool send_plain(struct conn *c)
{
    ssize_t n = write(c->fd, c->out + c->out_at, c->out_len - c->out_at);
    if (n > 0) {
        c->out_at += (size_t)n;
        return true;
    }
    if (n < 0 && errno == EAGAIN) {
        watch(c, EPOLLOUT);
    } else {
        c->dead = true;
    }
    return false;
}

static bool flush(struct conn *c)
{
    while (c->out_at < c->out_len) {
        if (!(c->ssl ? send_tls(c) : send_plain(c))) {
            return false;
        }
    }
    c->out_at = c->out_len = 0;
    return true;
}

/* Sends what there is to say; true when the connection may go on. */
static bool speak(struct conn *c)
{
    struct sink *s = c->sink;
    int64_t wait_us = s->delay_us + s->command_us * c->cost;
    if (wait_us > 0 && !c->released) {
        c->due_us = bench_now_us() + wait_us;
        watch(c, 0);
        return false;
    }
    if (!flush(c)) {
        return false;
    }
    c->released = false;
    s->commands += (uint64_t)c->cost;
    s->flights++;
    c->cost = 0;
    if (c->begins_tls) {
        return begin_tls(c);
    }
    c->dead = c->dead || c->ends;
    return !c->dead;
}

void conn_drop(struct conn *c)
{
    struct sink *s = c->sink;
    s->conn_count--;
    s->conns[c->index] = s->conns[s->conn_count];
    s->conns[c->index]->index = c->index;
    if (c->ssl) {
        if (c->ends) {
            SSL_shutdown(c->ssl);
        }
        SSL_free(c->ssl);
    }
    close(c->fd);
    free(c);
}

void conn_serve(struct conn *c)
{
    bool goes_on = true;
    while (goes_on && !c->dead) {
        digest(c);
        if (c->out_len > 0) {
            goes_on = speak(c);
        } else {
            goes_on = c->ssl ? fill_tls(c) : fill_plain(c);
        }
    }
    if (c->dead) {
        conn_drop(c);
    }
}

static struct conn *add_conn(struct sink *s, int fd)
{
    struct conn *c = s->conn_count < CONNS_MAX ? malloc(sizeof *c) : NULL;
    if (!c) {
        return NULL;
    }
    memset(c, 0, offsetof(struct conn, in));
    c->sink = s;
    c->fd = fd;
    c->events = EPOLLIN;
    struct epoll_event ev = { .events = c->events, .data.ptr = c };
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
        free(c);
        return NULL;
    }
    c->index = s->conn_count;
    s->conns[s->conn_count++] = c;
    return c;
}

void conn_open(struct sink *s, int fd)
{
    int one = 1;
    /* Fails on a unix socket, where there is nothing to switch off. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct conn *c = add_conn(s, fd);
    if (!c) {
        close(fd);
        return;
    }
    s->connections++;
    if (s->mode == MODE_IMPLICIT) {
        begin_tls(c);
    } else {
        reply(c, "220 sink ESMTP\r\n");
    }
    conn_serve(c);
}
