#define _GNU_SOURCE
#include "notice.h"

#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char MARK[] = "{n}";

enum { MARK_LEN = sizeof MARK - 1, GROUP_IN = 3, GROUP_OUT = 4 };

/* Lines end as they have to in a mail. */
static void load_text(const char *setting, struct notice_text *text)
{
    const char *path = bench_setting(setting, NULL);
    FILE *file = fopen(path, "rb");
    int c = 0;
    if (!file) {
        bench_die_errno(path);
    }
    text->len = 0;
    while ((c = fgetc(file)) != EOF) {
        if (text->len + 2 > sizeof text->bytes) {
            bench_die(path, "too large");
        }
        if (c == '\n') {
            text->bytes[text->len++] = '\r';
        }
        text->bytes[text->len++] = (char)c;
    }
    (void)fclose(file);
}

void notice_load(struct notice *n)
{
    n->encode_lines = qm_base64_lines_best();
    load_text("TEXT", &n->plain);
    load_text("HTML", &n->html);
}

static char *reserve(struct notice_out *out, size_t len)
{
    if (len > sizeof out->bytes - out->len) {
        bench_die("notice", "too large");
    }
    out->len += len;
    return out->bytes + out->len - len;
}

void out_add(struct notice_out *out, const char *p, size_t len)
{
    memcpy(reserve(out, len), p, len);
}

void out_text(struct notice_out *out, const char *text)
{
    out_add(out, text, strlen(text));
}

void out_number(struct notice_out *out, unsigned long number)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    out_add(out, digits + at, sizeof digits - at);
}

void out_filled(struct notice_out *out, const struct notice_text *text,
                unsigned long number)
{
    const char *p = text->bytes;
    const char *end = p + text->len;
    const char *brace = NULL;
    while ((brace = memchr(p, MARK[0], (size_t)(end - p))) != NULL) {
        out_add(out, p, (size_t)(brace - p));
        p = brace;
        if ((size_t)(end - p) >= MARK_LEN && memcmp(p, MARK, MARK_LEN) == 0) {
            out_number(out, number);
            p += MARK_LEN;
        } else {
            out_add(out, p++, 1);
        }
    }
    out_add(out, p, (size_t)(end - p));
}

/* Without line breaks. */
static void out_base64(struct notice_out *out, const char *p, size_t len)
{
    unsigned char last[GROUP_IN] = { 0 };
    size_t groups = len / GROUP_IN;
    size_t rest = len % GROUP_IN;
    qm_base64_groups((const unsigned char *)p, groups,
                     reserve(out, groups * GROUP_OUT));
    if (rest == 0) {
        return;
    }
    char *end = reserve(out, GROUP_OUT);
    memcpy(last, p + groups * GROUP_IN, rest);
    qm_base64_groups(last, 1, end);
    memset(end + rest + 1, '=', GROUP_IN - rest);
}

void out_lines(const struct notice *n, struct notice_out *out, const char *p,
               size_t len)
{
    size_t lines = len / QM_BASE64_LINE_IN;
    size_t used = lines * QM_BASE64_LINE_IN;
    n->encode_lines((const unsigned char *)p, lines,
                    reserve(out, lines * QM_BASE64_LINE_OUT));
    if (used < len) {
        out_base64(out, p + used, len - used);
        out_text(out, "\r\n");
    }
}

/* --- headers ------------------------------------------------------------ */

static void out_word(struct notice_out *out, const char *p, size_t len)
{
    out_text(out, "=?UTF-8?B?");
    out_base64(out, p, len);
    out_text(out, "?=");
}

static void out_sender(struct notice_out *out, unsigned long number)
{
    (void)number;
    static const char NAME[] = "告警中心";
    out_word(out, NAME, sizeof NAME - 1);
    out_text(out, " <bench@example.com>");
}

static void out_subject(struct notice_out *out, unsigned long number)
{
    struct notice_out word;
    word.len = 0;
    out_text(&word, "磁盘告警 ");
    out_number(&word, number);
    out_word(out, word.bytes, word.len);
}

static void out_date(struct notice_out *out, unsigned long number)
{
    (void)number;
    char text[64];
    struct tm parts;
    time_t now = time(NULL);
    (void)gmtime_r(&now, &parts);
    size_t len =
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &parts);
    out_add(out, text, len);
}

static void out_message_id(struct notice_out *out, unsigned long number)
{
    out_text(out, "<");
    out_number(out, (unsigned long)time(NULL));
    out_text(out, ".");
    out_number(out, (unsigned long)getpid());
    out_text(out, ".");
    out_number(out, number);
    out_text(out, "@example.com>");
}

void out_field(struct notice_out *out, size_t index, unsigned long number)
{
    static const struct {
        const char *name;
        void (*add)(struct notice_out *out, unsigned long number);
    } FIELDS[NOTICE_FIELDS] = {
        { "From: ", out_sender },
        { "Subject: ", out_subject },
        { "Date: ", out_date },
        { "Message-ID: ", out_message_id },
    };
    out_text(out, FIELDS[index].name);
    FIELDS[index].add(out, number);
}
