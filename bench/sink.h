/*
 * sink.h: the two halves of the sink: what it is (sink.c), and what one
 * connection says and does (sink_conn.c).
 */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include "bench.h"
#include "sink_ids.h"

#include <openssl/ssl.h>
#include <stddef.h>

enum { IN_CAP = 65536, OUT_CAP = 16384, CONNS_MAX = 1024 };

enum mode { MODE_PLAIN, MODE_IMPLICIT, MODE_STARTTLS };
enum state { STATE_COMMAND, STATE_AUTH, STATE_DATA, STATE_CHUNK };

struct conn;

struct sink {
    const char *listen_text;
    const char *cert;
    const char *key;
    enum mode mode;
    bool auth;
    bool no_resume;
    bool chunking;
    int64_t delay_us;   /* before each flight of answers */
    int64_t command_us; /* and this for each command it answers */

    struct bench_addr addr;
    int epoll;
    int listener;
    int signals;
    SSL_CTX *ctx; /* NULL: plain */
    bool stop;

    struct conn *conns[CONNS_MAX];
    size_t conn_count;
    uint64_t mails, connections, resumed, bytes, commands, flights;
    struct id_set ids;
};

struct conn {
    struct sink *sink;
    size_t index; /* in sink->conns */
    int fd;
    uint32_t events; /* epoll waits for these */
    SSL *ssl;        /* NULL while plain */
    enum state state;
    int answers;      /* lines of AUTH still to come */
    bool handshaking; /* ssl is not ready yet */
    bool drained;     /* the last read left nothing behind */
    bool begins_tls;  /* as soon as the output has left */
    bool ends;        /* the same */
    bool dead;        /* to be dropped */
    bool released;    /* the output has waited long enough */
    int64_t due_us;   /* when it will have; 0: it does not wait */
    uint64_t body;    /* bytes of the message so far */
    uint64_t chunk;   /* bytes of BDAT still to come */
    bool chunk_is_last;
    int64_t cost; /* commands that this flight answers */
    struct id_scan id;
    size_t in_len;
    size_t out_len;
    size_t out_at; /* sent so far */
    char in[IN_CAP];
    char out[OUT_CAP];
};

/*
 * Takes over the descriptor, greets, and serves. The epoll event of a
 * connection has its address.
 */
void conn_open(struct sink *s, int fd);

/* Goes on until it has to wait; frees the connection when it is over. */
void conn_serve(struct conn *c);

/* Closes and frees. */
void conn_drop(struct conn *c);

#endif
