/*
 * wire.h: the connection of the limit client: blocking, plain or TLS, what is
 * written goes out at once. Whatever goes wrong ends the program.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include "bench.h"

#include <openssl/ssl.h>
#include <stddef.h>

enum { WIRE_IN_CAP = 65536 };

struct wire_plan {
    struct bench_addr where;
    SSL_CTX *ctx;         /* NULL: plain */
    SSL_SESSION *session; /* to resume; NULL: none yet, or not wanted */
    bool resumes;
};

struct wire {
    int fd;
    SSL *ssl;
    size_t at; /* of what was read, used so far */
    size_t len;
    char in[WIRE_IN_CAP];
};

/* From the settings PORT, TLS, CA, RESUME; it stays in place. */
void wire_plan_load(struct wire_plan *plan);
void wire_plan_free(struct wire_plan *plan);

/* Connects, with the handshake. */
void wire_open(struct wire *w, struct wire_plan *plan);
void wire_close(struct wire *w);

void wire_put(struct wire *w, const char *p, size_t len);

/* Reads one reply, which must have this code. */
void wire_expect(struct wire *w, const char *code);

#endif
