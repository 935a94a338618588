/*
 * The limit: the file FILE in base64 lines, written to OUT: no message, no
 * boundary, nothing but reading, encoding and writing. A last line that is not
 * full is filled up with zeros.
 */
#define _GNU_SOURCE
#include "bench.h"
#include "codec/qm_base64_lines.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINES = 1024, /* 57 KiB stay in the cache of one core */
    IN_SIZE = LINES * QM_BASE64_LINE_IN,
    OUT_SIZE = LINES * QM_BASE64_LINE_OUT
};

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    if (!value) {
        bench_die(name, "is not set");
    }
    return value;
}

/* Less than asked for: the end. */
static size_t read_block(int fd, unsigned char *block)
{
    size_t got = 0;
    while (got < IN_SIZE) {
        ssize_t n = read(fd, block + got, IN_SIZE - got);
        if (n < 0) {
            bench_die_errno("read");
        }
        if (n == 0) {
            break;
        }
        got += (size_t)n;
    }
    return got;
}

static void write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0) {
            bench_die_errno("write");
        }
        bytes += n;
        len -= (size_t)n;
    }
}

static void encode_all(int from, int to)
{
    static unsigned char in[IN_SIZE];
    static char out[OUT_SIZE];
    qm_base64_lines_fn *encode = qm_base64_lines_best();
    size_t got = IN_SIZE;
    while (got == IN_SIZE) {
        got = read_block(from, in);
        if (got < IN_SIZE) {
            memset(in + got, 0, IN_SIZE - got);
        }
        size_t lines = (got + QM_BASE64_LINE_IN - 1) / QM_BASE64_LINE_IN;
        encode(in, lines, out);
        write_all(to, out, lines * QM_BASE64_LINE_OUT);
    }
}

int main(void)
{
    int64_t began_us = bench_now_us();
    int from = open(setting("FILE"), O_RDONLY | O_CLOEXEC);
    int to =
        open(setting("OUT"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (from < 0 || to < 0) {
        bench_die_errno("open");
    }
    encode_all(from, to);
    if (close(to) != 0) {
        bench_die_errno("close");
    }
    printf("seconds=%.6f\n", (double)(bench_now_us() - began_us) / 1000000);
    return 0;
}
