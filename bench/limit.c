/*
 * limit: what a client can do at best. It knows what the server will say,
 * builds each mail with as little work as possible and does nothing else.
 *
 * Settings: those of all clients (README.md), of which HOW, CHUNKING and
 * WINDOW say the same as to the library:
 *
 *   one by one            MAIL, RCPT and DATA in one flight, the body in another
 *   window 1              the next mail's commands behind the dot: one flight
 *   CHUNKING              all of a mail in one flight; with window n, up to n
 *                         verdicts are due when the next mail goes out
 *   FILE                  one by one, the file read, encoded and written in
 *                         steps
 *   EARLY=true            MAIL does not wait for the answer to AUTH
 */
#define _GNU_SOURCE
#include "bench.h"
#include "notice.h"
#include "wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILE_STEP = QM_BASE64_LINE_IN * 1024, WINDOW_MAX = 64 };

static const char LOGIN[] = "AUTH PLAIN AHUAcA==\r\n"; /* "u" and "p" */
static const char ENVELOPE[] = "MAIL FROM:<bench@example.com>\r\n"
                               "RCPT TO:<user@discard.test>\r\n";
static const char MIXED[] = "=_limit-mixed";
static const char ALTERNATIVE[] = "=_limit-alternative";

struct limit {
    struct wire_plan plan;
    struct wire wire;
    struct notice notice;
    const char *file; /* NULL: none */
    bool is_first;    /* each mail over a connection of its own */
    bool chunking;
    bool early;
    bool is_logging_in; /* the answer to AUTH is still due */
    unsigned long window;
    unsigned long due; /* mails without a verdict, with BDAT */
    struct notice_out out;
    struct notice_out mail;
};

/* --- a mail ------------------------------------------------------------- */

static void add_header(struct limit *l, unsigned long number)
{
    out_text(&l->mail, "To: user@discard.test\r\n");
    for (size_t i = 0; i < NOTICE_FIELDS; i++) {
        out_field(&l->mail, i, number);
        out_text(&l->mail, "\r\n");
    }
    out_text(&l->mail, "MIME-Version: 1.0\r\n");
}

static void begin_multipart(struct limit *l, const char *type,
                            const char *boundary)
{
    out_text(&l->mail, "Content-Type: multipart/");
    out_text(&l->mail, type);
    out_text(&l->mail, "; boundary=\"");
    out_text(&l->mail, boundary);
    out_text(&l->mail, "\"\r\n");
}

static void begin_part(struct limit *l, const char *boundary, const char *type)
{
    out_text(&l->mail, "\r\n--");
    out_text(&l->mail, boundary);
    out_text(&l->mail, "\r\n");
    if (type) {
        out_text(&l->mail, "Content-Type: ");
        out_text(&l->mail, type);
        out_text(&l->mail, "\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    }
}

static void end_multipart(struct limit *l, const char *boundary)
{
    out_text(&l->mail, "\r\n--");
    out_text(&l->mail, boundary);
    out_text(&l->mail, "--\r\n");
}

static void add_text(struct limit *l, const char *type,
                     const struct notice_text *text, unsigned long number)
{
    begin_part(l, ALTERNATIVE, type);
    l->out.len = 0;
    out_filled(&l->out, text, number);
    out_lines(&l->notice, &l->mail, l->out.bytes, l->out.len);
}

static void add_texts(struct limit *l, unsigned long number)
{
    begin_multipart(l, "alternative", ALTERNATIVE);
    add_text(l, "text/plain; charset=utf-8", &l->notice.plain, number);
    add_text(l, "text/html; charset=utf-8", &l->notice.html, number);
    end_multipart(l, ALTERNATIVE);
}

static void build(struct limit *l, unsigned long number)
{
    l->mail.len = 0;
    add_header(l, number);
    if (!l->file) {
        add_texts(l, number);
        return;
    }
    begin_multipart(l, "mixed", MIXED);
    begin_part(l, MIXED, NULL);
    add_texts(l, number);
    begin_part(l, MIXED, "application/octet-stream; name=\"file.bin\"");
}

/* --- sending ------------------------------------------------------------ */

static void put_out(struct limit *l)
{
    wire_put(&l->wire, l->out.bytes, l->out.len);
    l->out.len = 0;
}

/* The login that is still due goes out with what is first said to the server. */
static void add_envelope(struct limit *l)
{
    if (l->is_logging_in) {
        out_add(&l->out, LOGIN, sizeof LOGIN - 1);
    }
    out_add(&l->out, ENVELOPE, sizeof ENVELOPE - 1);
}

static void expect_envelope(struct limit *l)
{
    if (l->is_logging_in) {
        wire_expect(&l->wire, "235");
        l->is_logging_in = false;
    }
    wire_expect(&l->wire, "250");
    wire_expect(&l->wire, "250");
}

static void ask_for_data(struct limit *l)
{
    add_envelope(l);
    out_text(&l->out, "DATA\r\n");
}

static void expect_data(struct limit *l)
{
    expect_envelope(l);
    wire_expect(&l->wire, "354");
}

/* What is in `mail` goes out with the first step. */
static void put_file(struct limit *l)
{
    static char step[FILE_STEP];
    int fd = open(l->file, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;
    if (fd < 0) {
        bench_die_errno(l->file);
    }
    while ((n = read(fd, step, sizeof step)) > 0) {
        out_lines(&l->notice, &l->mail, step, (size_t)n);
        wire_put(&l->wire, l->mail.bytes, l->mail.len);
        l->mail.len = 0;
    }
    if (n < 0) {
        bench_die_errno(l->file);
    }
    close(fd);
}

static void send_by_turns(struct limit *l, unsigned long first,
                          unsigned long count)
{
    for (unsigned long i = 0; i < count; i++) {
        build(l, first + i);
        l->out.len = 0;
        ask_for_data(l);
        put_out(l);
        expect_data(l);
        if (l->file) {
            put_file(l);
            end_multipart(l, MIXED);
        }
        out_text(&l->mail, ".\r\n");
        wire_put(&l->wire, l->mail.bytes, l->mail.len);
        wire_expect(&l->wire, "250");
    }
}

static void send_pipelined(struct limit *l, unsigned long first,
                           unsigned long count)
{
    l->out.len = 0;
    if (count > 0) {
        ask_for_data(l);
        put_out(l);
    }
    for (unsigned long i = 0; i < count; i++) {
        build(l, first + i);
        expect_data(l);
        l->out.len = 0;
        out_add(&l->out, l->mail.bytes, l->mail.len);
        out_text(&l->out, ".\r\n");
        if (i + 1 < count) {
            ask_for_data(l);
        }
        put_out(l);
        wire_expect(&l->wire, "250");
    }
}

static void expect_chunk(struct limit *l)
{
    expect_envelope(l);
    wire_expect(&l->wire, "250");
    l->due--;
}

static void send_chunked(struct limit *l, unsigned long first,
                         unsigned long count)
{
    for (unsigned long i = 0; i < count; i++) {
        build(l, first + i);
        l->out.len = 0;
        add_envelope(l);
        out_text(&l->out, "BDAT ");
        out_number(&l->out, l->mail.len);
        out_text(&l->out, " LAST\r\n");
        out_add(&l->out, l->mail.bytes, l->mail.len);
        while (l->due > l->window) {
            expect_chunk(l);
        }
        put_out(l);
        l->due++;
    }
    while (l->due > 0) {
        expect_chunk(l);
    }
}

static void send_mails(struct limit *l, unsigned long first,
                       unsigned long count)
{
    if (!l->file && l->chunking) {
        send_chunked(l, first, count);
    } else if (!l->file && l->window > 0) {
        send_pipelined(l, first, count);
    } else {
        send_by_turns(l, first, count);
    }
}

/* --- connections -------------------------------------------------------- */

static void say(struct limit *l, const char *command, const char *code)
{
    wire_put(&l->wire, command, strlen(command));
    wire_expect(&l->wire, code);
}

static void begin(struct limit *l)
{
    wire_open(&l->wire, &l->plan);
    wire_expect(&l->wire, "220");
    say(l, "EHLO client.example\r\n", "250");
    if (l->early) {
        l->is_logging_in = true;
    } else {
        say(l, LOGIN, "235");
    }
}

static void end(struct limit *l)
{
    say(l, "QUIT\r\n", "221");
    wire_close(&l->wire);
}

static int64_t send_warm(struct limit *l, unsigned long count)
{
    begin(l);
    send_mails(l, 0, 1);
    int64_t began = bench_now_us();
    send_mails(l, 1, count);
    int64_t taken = bench_now_us() - began;
    end(l);
    return taken;
}

/* The first one leaves a session behind, and is not counted. */
static int64_t send_first(struct limit *l, unsigned long count)
{
    int64_t taken = 0;
    for (unsigned long i = 0; i <= count; i++) {
        int64_t began = bench_now_us();
        begin(l);
        send_mails(l, i, 1);
        taken += i > 0 ? bench_now_us() - began : 0;
        end(l);
    }
    return taken;
}

static void load(struct limit *l)
{
    wire_plan_load(&l->plan);
    notice_load(&l->notice);
    l->is_first = strcmp(bench_setting("MODE", "warm"), "first") == 0;
    l->chunking = bench_setting_is_true("CHUNKING");
    l->early = bench_setting_is_true("EARLY");
    l->window = (unsigned long)bench_setting_number("WINDOW", 0, WINDOW_MAX);
    if (strcmp(bench_setting("HOW", "send_all"), "send") == 0) {
        l->window = 0;
    }
    const char *file = bench_setting("FILE", "");
    l->file = *file ? file : NULL;
}

int main(void)
{
    static struct limit limit; /* zeroed, and large for a stack */
    struct limit *l = &limit;
    load(l);
    long mails = bench_setting_number("MAILS", 0, 100000000);
    unsigned long count = (unsigned long)mails;
    int64_t taken = l->is_first ? send_first(l, count) : send_warm(l, count);
    printf("seconds=%.6f sent=%ld\n", (double)taken / 1000000, mails);
    wire_plan_free(&l->plan);
    return 0;
}
