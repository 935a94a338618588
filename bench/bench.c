#define _GNU_SOURCE
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void bench_die(const char *what, const char *detail)
{
    (void)fprintf(stderr, "%s: %s\n", what, detail);
    exit(1);
}

void bench_die_errno(const char *what)
{
    bench_die(what, strerror(errno));
}

static bool parse_unix(const char *path, struct bench_addr *out)
{
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof out->sa.local.sun_path) {
        return false;
    }
    out->sa.local.sun_family = AF_UNIX;
    memcpy(out->sa.local.sun_path, path, len + 1);
    out->len = sizeof out->sa.local;
    return true;
}

static bool parse_loopback(const char *text, struct bench_addr *out)
{
    char host[INET_ADDRSTRLEN];
    const char *colon = strchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof host) {
        return false;
    }
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    struct in_addr *address = &out->sa.inet.sin_addr;
    if (inet_pton(AF_INET, host, address) != 1 ||
        ntohl(address->s_addr) >> 24 != IN_LOOPBACKNET) {
        return false;
    }
    long port = bench_parse_number(colon + 1, 0, 65535);
    out->sa.inet.sin_family = AF_INET;
    out->sa.inet.sin_port = htons((uint16_t)port);
    out->len = sizeof out->sa.inet;
    return true;
}

struct bench_addr bench_parse_addr(const char *text)
{
    struct bench_addr out;
    memset(&out, 0, sizeof out);
    bool is_unix = strncmp(text, "unix:", 5) == 0;
    if (!(is_unix ? parse_unix(text + 5, &out) : parse_loopback(text, &out))) {
        bench_die(text, "not unix:PATH or 127.x.y.z:PORT");
    }
    return out;
}

long bench_parse_number(const char *text, long min, long max)
{
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end || value < min || value > max) {
        bench_die(text, "not a number, or out of range");
    }
    return value;
}

const char *bench_setting(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    value = value ? value : otherwise;
    if (!value) {
        bench_die(name, "has to be set");
    }
    return value;
}

long bench_setting_number(const char *name, long otherwise, long max)
{
    const char *value = getenv(name);
    return value ? bench_parse_number(value, 0, max) : otherwise;
}

bool bench_setting_is_true(const char *name)
{
    return strcmp(bench_setting(name, "false"), "true") == 0;
}

int64_t bench_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
