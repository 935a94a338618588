/*
 * bench.h: what the programs of bench/ share: local addresses, numbers from
 * the command line, settings from the environment, a clock.
 */
#ifndef BENCH_H
#define BENCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A place on this machine: measurements never leave it. */
struct bench_addr {
    union {
        struct sockaddr any;
        struct sockaddr_in inet;
        struct sockaddr_un local;
    } sa;
    socklen_t len;
};

/* Says "what: detail" on stderr and ends the program. */
void bench_die(const char *what, const char *detail) __attribute__((noreturn));

/* The same with the text of errno. */
void bench_die_errno(const char *what) __attribute__((noreturn));

/* "unix:PATH" or "127.x.y.z:PORT"; ends the program when it is neither. */
struct bench_addr bench_parse_addr(const char *text);

/* A decimal number in a range; ends the program when it is none. */
long bench_parse_number(const char *text, long min, long max);

/*
 * A setting of a client, from the environment. The program ends when it is not
 * there; with another value to fall back on, that one counts.
 */
const char *bench_setting(const char *name, const char *otherwise);

/* The same, as a number. */
long bench_setting_number(const char *name, long otherwise, long max);

/* The same, "true" or "false"; false when it is not there. */
bool bench_setting_is_true(const char *name);

/* Monotonic microseconds. */
int64_t bench_now_us(void);

#endif
