/*
 * notice.h: the mail that the C clients send, put together anew for each: a
 * notice with a number in it, as text and as HTML, from the files that all
 * clients read (settings TEXT and HTML).
 */
#ifndef BENCH_NOTICE_H
#define BENCH_NOTICE_H

#include "codec/qm_base64_lines.h"

#include <stddef.h>

enum { NOTICE_TEXT_CAP = 8192, NOTICE_OUT_CAP = 128 * 1024 };

struct notice_text {
    size_t len;
    char bytes[NOTICE_TEXT_CAP];
};

struct notice {
    qm_base64_lines_fn *encode_lines;
    struct notice_text plain;
    struct notice_text html;
};

/* Bytes one after the other. What does not fit ends the program. */
struct notice_out {
    size_t len;
    char bytes[NOTICE_OUT_CAP];
};

void notice_load(struct notice *n);

void out_add(struct notice_out *out, const char *p, size_t len);
void out_text(struct notice_out *out, const char *text);
void out_number(struct notice_out *out, unsigned long number);

/* `{n}` becomes the number. */
void out_filled(struct notice_out *out, const struct notice_text *text,
                unsigned long number);

/* Base64, in lines; all but the last are full. */
void out_lines(const struct notice *n, struct notice_out *out, const char *p,
               size_t len);

/* The fields From, Subject, Date and Message-ID, by index; without line end. */
enum { NOTICE_FIELDS = 4 };
void out_field(struct notice_out *out, size_t index, unsigned long number);

#endif
