/*
 * test_smtp.c: runs the dialogues of spec/transcripts through the machine.
 *
 * Each is run as written, then with the server's bytes one at a time, then cut
 * in two at every position; the outcome must be the same. See
 * spec/transcripts/README.md for the notation.
 */
#include "check.h"
#include "guard_page.h"
#include "smtp/qm_smtp.h"

#include "base/qm_mem.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_MAX = 64, LINE_MAX_LEN = 2048, GROUP_MAX = 65536 };

/* How the server's bytes are cut: 0 whole, -1 byte by byte, n: after n. */
enum { CUT_WHOLE = 0, CUT_BYTES = -1 };

struct run {
    struct qm_smtp smtp;
    bool open;
    const char *file;
    int line_number;
    int cut;
    int longest_group; /* bytes, to know which cuts there are */
    bool never_split;
    char group[GROUP_MAX]; /* server bytes not yet fed */
    size_t group_len;
    bool group_unchecked; /* S!: output may still be waiting */
    char events[EVENTS_MAX][LINE_MAX_LEN];
    int event_first;
    int event_count;
    char text[LINE_MAX_LEN]; /* reply text of the last event */
    char outstanding[64];    /* what it says was in flight */
    char hostname[300];
    char user[128];
    char password[128];
    char token[128];
    struct guard_page *guard;
};

static void complain(struct run *run, const char *what, const char *detail)
{
    printf("%s:%d (cut %d): %s%s%s\n", run->file, run->line_number, run->cut,
           what, detail[0] != '\0' ? ": " : "", detail);
    check_failures++;
}

/* --- events as lines ----------------------------------------------------- */

static void print_event(const struct qm_smtp_event *event, char *out,
                        size_t cap)
{
    static const char *const names[] = { "none",      "ready",   "recipient",
                                         "delivered", "refused", "checked",
                                         "lost",      "failed",  "closed" };
    const char *name = names[event->type];
    const char *fault = qm_smtp_fault_name(event->fault);
    const char *phase = qm_phase_name(event->phase);

    switch (event->type) {
    case QM_EVENT_RECIPIENT:
        snprintf(out, cap, "%s %u %u %d", name, event->id, event->index + 1,
                 event->code);
        break;
    case QM_EVENT_DELIVERED:
    case QM_EVENT_CHECKED:
        snprintf(out, cap, "%s %u %d", name, event->id, event->code);
        break;
    case QM_EVENT_REFUSED:
        snprintf(out, cap, "%s %u %s %d", name, event->id, phase, event->code);
        break;
    case QM_EVENT_LOST:
        snprintf(out, cap, "%s %u %s", name, event->id,
                 event->handed_over ? "unknown" : "no");
        break;
    case QM_EVENT_FAILED:
        snprintf(out, cap, "%s %s %s %d", name, fault, phase, event->code);
        break;
    case QM_EVENT_NONE:
    case QM_EVENT_READY:
    case QM_EVENT_CLOSED:
        snprintf(out, cap, "%s", name);
        break;
    }
}

static void pull_events(struct run *run)
{
    struct qm_smtp_event event;

    while (qm_smtp_next_event(&run->smtp, &event)) {
        if (run->event_count >= EVENTS_MAX) {
            complain(run, "too many events", "");
            return;
        }
        snprintf(run->text, sizeof(run->text), "%.*s", (int)event.text.len,
                 event.text.len > 0 ? event.text.ptr : "");
        snprintf(run->outstanding, sizeof(run->outstanding), "%u%s",
                 event.in_flight, event.behind ? " behind" : "");
        print_event(&event, run->events[run->event_count++], LINE_MAX_LEN);
    }
}

/* --- input --------------------------------------------------------------- */

static void feed_piece(struct run *run, size_t from, size_t to)
{
    struct qm_span piece = qm_span_make(run->group + from, to - from);

    if (to == from) {
        return;
    }
    piece = guard_page_put(run->guard, piece);
    if (qm_smtp_feed(&run->smtp, piece) != QM_OK) {
        complain(run, "feed failed", "");
    }
    pull_events(run);
}

/* Hands the collected server lines over, cut as this run wants it. */
static void flush_group(struct run *run)
{
    size_t len = run->group_len;
    size_t cut = run->cut > 0 ? (size_t)run->cut : 0;
    size_t i;

    run->group_len = 0;
    if (len == 0) {
        return;
    }
    if ((int)len > run->longest_group) {
        run->longest_group = (int)len;
    }
    if (!run->group_unchecked && qm_smtp_output(&run->smtp).len > 0) {
        complain(run, "output nobody expected", qm_smtp_output(&run->smtp).ptr);
    }
    run->group_unchecked = false;
    if (run->never_split || run->cut == CUT_WHOLE || cut >= len) {
        feed_piece(run, 0, len);
        return;
    }
    if (run->cut == CUT_BYTES) {
        for (i = 0; i < len; i++) {
            feed_piece(run, i, i + 1);
        }
        return;
    }
    feed_piece(run, 0, cut);
    feed_piece(run, cut, len);
}

/* \r \n \t \0 \xHH and \\ in `text`, in place; returns the length. */
static size_t unescape(char *text)
{
    char *in = text;
    char *out = text;

    while (*in != '\0') {
        if (in[0] != '\\') {
            *out++ = *in++;
        } else if (in[1] == 'x') {
            char hex[3] = { in[2], in[3], '\0' };

            *out++ = (char)strtol(hex, NULL, 16);
            in += 4;
        } else {
            static const char from[] = "rnt0\\";
            static const char to[] = { '\r', '\n', '\t', '\0', '\\' };

            *out++ = to[strchr(from, in[1]) - from];
            in += 2;
        }
    }
    *out = '\0';
    return (size_t)(out - text);
}

static void add_group(struct run *run, const char *bytes, size_t len)
{
    if (run->group_len + len > GROUP_MAX) {
        complain(run, "group too long", "");
        return;
    }
    memcpy(run->group + run->group_len, bytes, len);
    run->group_len += len;
}

/* --- output -------------------------------------------------------------- */

static void expect_output(struct run *run, const char *bytes, size_t len)
{
    struct qm_span out = qm_smtp_output(&run->smtp);

    if (out.len < len || memcmp(out.ptr, bytes, len) != 0) {
        char got[LINE_MAX_LEN];
        int shown = out.len < 200 ? (int)out.len : 200;

        snprintf(got, sizeof(got), "[%.*s] instead of [%.*s]", shown,
                 shown > 0 ? out.ptr : "", (int)len, bytes);
        complain(run, "output is", got);
        return;
    }
    qm_smtp_sent(&run->smtp, len);
}

static void expect_event(struct run *run, const char *expected)
{
    pull_events(run);
    if (run->event_first >= run->event_count) {
        complain(run, "no event, expected", expected);
        return;
    }
    if (strcmp(run->events[run->event_first], expected) != 0) {
        char both[2 * LINE_MAX_LEN];

        snprintf(both, sizeof(both), "[%s] instead of [%s]",
                 run->events[run->event_first], expected);
        complain(run, "event is", both);
    }
    run->event_first++;
}

/* --- commands of a transcript -------------------------------------------- */

/* Value of `key=` in a line of words, copied to `out`; false when absent. */
static bool word_value(const char *line, const char *key, char *out, size_t cap)
{
    size_t key_len = strlen(key);
    const char *at = line;

    while ((at = strstr(at, key)) != NULL) {
        if ((at == line || at[-1] == ' ') && at[key_len] == '=') {
            size_t len = strcspn(at + key_len + 1, " ");

            snprintf(out, cap, "%.*s", (int)len, at + key_len + 1);
            return true;
        }
        at += key_len;
    }
    return false;
}

static void start(struct run *run, const char *line)
{
    struct qm_smtp_settings set;
    char value[300];

    memset(&set, 0, sizeof(set));
    snprintf(run->hostname, sizeof(run->hostname), "%s", "[127.0.0.1]");
    (void)word_value(line, "hostname", run->hostname, sizeof(run->hostname));
    (void)word_value(line, "user", run->user, sizeof(run->user));
    (void)word_value(line, "password", run->password, sizeof(run->password));
    (void)word_value(line, "token", run->token, sizeof(run->token));
    set.hostname = qm_span_make(run->hostname, unescape(run->hostname));
    set.login.user = qm_span_make(run->user, unescape(run->user));
    set.login.password = qm_span_of(run->password);
    set.login.token = qm_span_of(run->token);
    set.mechanisms = ~0u;
    set.pipelining = !word_value(line, "pipelining", value, sizeof(value));
    set.smtputf8 = true;
    set.chunking = !word_value(line, "chunking", value, sizeof(value));
    set.window = 1;
    set.security = QM_SMTP_CLEAR;
    if (word_value(line, "window", value, sizeof(value))) {
        set.window = (unsigned)strtoul(value, NULL, 10);
    }
    if (word_value(line, "security", value, sizeof(value))) {
        set.security = strcmp(value, "starttls") == 0 ? QM_SMTP_STARTTLS
                                                      : QM_SMTP_IMPLICIT;
    }
    set.allow_clear_auth = word_value(line, "clear_auth", value, sizeof(value));
    set.no_reset = word_value(line, "no_reset", value, sizeof(value));
    run->never_split = word_value(line, "split", value, sizeof(value));
    if (qm_smtp_init(&run->smtp, &set) != QM_OK) {
        complain(run, "init failed", "");
    }
    run->open = true;
    if (set.security == QM_SMTP_IMPLICIT) {
        qm_smtp_tls_ready(&run->smtp);
    }
}

/* ret=, envid= and require_tls= of a line. */
static void ask_mail(struct qm_smtp_message *message, const char *line,
                     char *envid, size_t cap)
{
    char ret[32] = "";

    (void)word_value(line, "ret", ret, sizeof(ret));
    (void)word_value(line, "envid", envid, cap);
    CHECK(qm_dsn_read_ret(qm_span_of(ret), &message->dsn.ret) == QM_OK);
    message->dsn.envid = qm_span_make(envid, unescape(envid));
    message->require_tls = word_value(line, "require_tls", ret, sizeof(ret));
}

/* notify= and orcpt=, the same for each recipient. */
static enum qm_err ask_reports(struct run *run, const char *line)
{
    struct qm_dsn_rcpt dsn = { 0, { NULL, 0 } };
    char orcpt[512] = "";
    char notify[64];

    if (word_value(line, "notify", notify, sizeof(notify))) {
        CHECK(qm_dsn_read_notify(qm_span_of(notify), &dsn.notify) == QM_OK);
    }
    (void)word_value(line, "orcpt", orcpt, sizeof(orcpt));
    dsn.orcpt = qm_span_make(orcpt, unescape(orcpt));
    return qm_smtp_ask_reports(&run->smtp, &dsn);
}

static enum qm_err submit(struct run *run, const char *line)
{
    struct qm_smtp_message message;
    char envid[128] = "";
    char from[512] = "";
    char to[LINE_MAX_LEN] = "";
    char value[32];
    char *at = to;
    uint32_t id = 0;
    enum qm_err err;

    memset(&message, 0, sizeof(message));
    (void)word_value(line, "from", from, sizeof(from));
    (void)word_value(line, "to", to, sizeof(to));
    message.from = qm_span_make(from, unescape(from));
    message.utf8 = word_value(line, "utf8", value, sizeof(value));
    message.eightbit = word_value(line, "eightbit", value, sizeof(value));
    message.eager = word_value(line, "eager", value, sizeof(value));
    message.check = word_value(line, "check", value, sizeof(value));
    message.has_size = word_value(line, "size", value, sizeof(value));
    message.size = message.has_size ? strtoul(value, NULL, 10) : 0;
    ask_mail(&message, line, envid, sizeof(envid));
    err = qm_smtp_begin(&run->smtp, &message, &id);
    if (err != QM_OK) {
        return err;
    }
    while (err == QM_OK && *at != '\0') {
        size_t len = strcspn(at, ",");
        bool more = at[len] == ',';

        at[len] = '\0';
        err = qm_smtp_add_rcpt(&run->smtp, qm_span_make(at, unescape(at)));
        if (err == QM_OK) {
            err = ask_reports(run, line);
        }
        at += len + (more ? 1 : 0);
    }
    if (err == QM_OK) {
        err = qm_smtp_submit(&run->smtp);
    }
    if (err != QM_OK) {
        qm_smtp_drop(&run->smtp);
    }
    pull_events(run);
    return err;
}

static void send_body(struct run *run, char *text, enum qm_err expected)
{
    size_t len = unescape(text);
    size_t used = 0;
    enum qm_err err = qm_smtp_body(&run->smtp, qm_span_make(text, len), &used);

    if (err != expected || (err == QM_OK && used != len)) {
        complain(run, "body gave", qm_err_name(err));
    }
    pull_events(run);
}

static void end_body(struct run *run, enum qm_err expected)
{
    enum qm_err err = qm_smtp_body_end(&run->smtp);

    if (err != expected) {
        complain(run, "end gave", qm_err_name(err));
    }
    pull_events(run);
}

static void expect_wants(struct run *run, const char *line)
{
    static const char *const names[] = { "send", "recv", "tls", "body",
                                         "work" };
    unsigned want = qm_smtp_want(&run->smtp);
    char got[64] = "";
    unsigned i;

    for (i = 0; i < 5; i++) {
        if ((want & (1u << i)) != 0) {
            size_t at = strlen(got);

            snprintf(got + at, sizeof(got) - at, "%s%s", at > 0 ? " " : "",
                     names[i]);
        }
    }
    if (strcmp(got, line) != 0) {
        complain(run, "wants", got);
    }
}

static void expect_room(struct run *run, const char *line)
{
    char got[16];

    snprintf(got, sizeof(got), "%u", qm_smtp_room(&run->smtp));
    if (strcmp(got, line) != 0) {
        complain(run, "room is", got);
    }
}

static void do_verb(struct run *run, char *line)
{
    if (strncmp(line, "set", 3) == 0) {
        start(run, line);
    } else if (strncmp(line, "submit ", 7) == 0) {
        if (submit(run, line) != QM_OK) {
            complain(run, "submit failed", line);
        }
    } else if (strncmp(line, "refuse-submit ", 14) == 0) {
        char name[32] = "";
        enum qm_err err = submit(run, line);

        (void)word_value(line, "error", name, sizeof(name));
        if (strcmp(qm_err_name(err), name) != 0) {
            complain(run, "submit gave", qm_err_name(err));
        }
    } else if (strncmp(line, "body ", 5) == 0) {
        send_body(run, line + 5, QM_OK);
    } else if (strncmp(line, "long-body ", 10) == 0) {
        send_body(run, line + 10, QM_E_CHANGED);
    } else if (strcmp(line, "end") == 0) {
        end_body(run, QM_OK);
    } else if (strcmp(line, "short-end") == 0) {
        end_body(run, QM_E_CHANGED);
    } else if (strcmp(line, "abort") == 0) {
        qm_smtp_body_abort(&run->smtp);
    } else if (strcmp(line, "tls") == 0) {
        qm_smtp_tls_ready(&run->smtp);
        pull_events(run);
    } else if (strcmp(line, "quit") == 0) {
        qm_smtp_quit(&run->smtp);
    } else if (strcmp(line, "eof") == 0) {
        qm_smtp_input_ended(&run->smtp, QM_FAULT_CLOSED);
    } else if (strcmp(line, "timeout") == 0) {
        qm_smtp_input_ended(&run->smtp, QM_FAULT_TIMEOUT);
    } else if (strncmp(line, "room ", 5) == 0) {
        expect_room(run, line + 5);
    } else if (strncmp(line, "wants", 5) == 0) {
        expect_wants(run, line[5] == ' ' ? line + 6 : "");
    } else {
        complain(run, "unknown verb", line);
    }
}

static void do_line(struct run *run, char *line)
{
    bool is_server = line[0] == 'S' && strchr(":~!", line[1]) != NULL;

    if (is_server) {
        size_t len = unescape(line + 3);

        run->group_unchecked |= line[1] == '!';
        add_group(run, line + 3, len);
        if (line[1] != '~') {
            add_group(run, "\r\n", 2);
        }
        return;
    }
    flush_group(run);
    if (strncmp(line, "C: ", 3) == 0) {
        size_t len = unescape(line + 3);

        memcpy(line + 3 + len, "\r\n", 2);
        expect_output(run, line + 3, len + 2);
    } else if (strncmp(line, "C~ ", 3) == 0) {
        size_t len = unescape(line + 3);

        expect_output(run, line + 3, len);
    } else if (strncmp(line, "E: ", 3) == 0) {
        expect_event(run, line + 3);
    } else if (strncmp(line, "F: ", 3) == 0) {
        if (strcmp(run->outstanding, line + 3) != 0) {
            complain(run, "in flight was", run->outstanding);
        }
    } else if (strncmp(line, "T: ", 3) == 0) {
        if (strcmp(run->text, line + 3) != 0) {
            complain(run, "text is", run->text);
        }
    } else {
        do_verb(run, line);
    }
}

static void finish_run(struct run *run)
{
    flush_group(run);
    pull_events(run);
    if (run->event_first < run->event_count) {
        complain(run, "event nobody expected", run->events[run->event_first]);
    }
    if (qm_smtp_output(&run->smtp).len > 0) {
        complain(run, "output left over", "");
    }
    if (run->open) {
        qm_smtp_deinit(&run->smtp);
    }
}

/* Returns the length of the longest group of server bytes. */
static int run_transcript(const char *path, int cut, struct guard_page *guard)
{
    static struct run run;
    char line[LINE_MAX_LEN];
    FILE *file = fopen(path, "rb");

    memset(&run, 0, sizeof(run));
    run.file = path;
    run.cut = cut;
    run.guard = guard;
    if (file == NULL) {
        complain(&run, "cannot open", "");
        return 0;
    }
    while (fgets(line, sizeof(line) - 4, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        run.line_number++;
        if (line[0] != '\0' && line[0] != '#') {
            do_line(&run, line);
        }
    }
    fclose(file);
    finish_run(&run);
    return run.never_split ? 0 : run.longest_group;
}

static void run_all_cuts(const char *path)
{
    struct guard_page guard = guard_page_open(GROUP_MAX);
    int longest = run_transcript(path, CUT_WHOLE, &guard);
    int cut;

    run_transcript(path, CUT_BYTES, &guard);
    for (cut = 1; cut < longest && check_failures == 0; cut++) {
        run_transcript(path, cut, &guard);
    }
    guard_page_close(&guard);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_transcript(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL && strcmp(dot, ".txt") == 0;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "spec/transcripts";
    struct dirent **entries;
    int count = scandir(folder, &entries, is_transcript, by_name);
    int i;

    for (i = 0; i < count; i++) {
        char path[512];

        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        check_failures = 0;
        run_all_cuts(path);
        if (check_failures > 0) {
            check_cases_failed++;
        } else {
            check_cases_passed++;
        }
        free(entries[i]);
    }
    if (count > 0) {
        free(entries);
    }
    if (count <= 0 || qm_mem_test_live() != 0) {
        printf("no transcripts in %s, or memory leaked\n", folder);
        check_cases_failed++;
    }
    return check_done();
}
