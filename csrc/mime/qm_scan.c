#include "mime/qm_scan.h"

#include "base/qm_ascii.h"
#include "base/qm_bits.h"
#include "base/qm_utf8.h"
#include "codec/qm_run.h"

static const char marker[] = "--=_";

void qm_scan_init(struct qm_scan *scan)
{
    memset(scan, 0, sizeof(*scan));
    scan->marking = true;
}

static unsigned wanted_len(unsigned char lead)
{
    if (lead >= 0xf0) {
        return 4;
    }
    return lead >= 0xe0 ? 3 : 2;
}

static void mark_bad(struct qm_scan *scan, uint64_t at)
{
    if (!scan->bad_utf8) {
        scan->bad_utf8 = true;
        scan->bad_at = at;
    }
    scan->held_len = 0;
}

/* `scan->len` is still the offset of `c`. */
static void see_high(struct qm_scan *scan, unsigned char c)
{
    scan->high = true;
    scan->escapes++;
    if (scan->bad_utf8) {
        return;
    }
    if (scan->held_len == 0 && (c < 0xc2 || c > 0xf4)) {
        mark_bad(scan, scan->len);
        return;
    }
    scan->held[scan->held_len++] = (char)c;
    if (scan->held_len < wanted_len((unsigned char)scan->held[0])) {
        return;
    }
    if (qm_utf8_char_len(qm_span_make(scan->held, scan->held_len)) == 0) {
        mark_bad(scan, scan->len + 1 - scan->held_len);
    }
    scan->held_len = 0;
}

static void see_control(struct qm_scan *scan, unsigned char c)
{
    scan->control = true;
    scan->escapes++;
    if (c == '\0' && !scan->nul) {
        scan->nul = true;
        scan->nul_at = scan->len;
    }
}

static void see_line_end(struct qm_scan *scan, unsigned char c)
{
    if (c == '\n' && scan->after_cr) {
        scan->after_cr = false;
    } else {
        scan->crlf_len += 2;
        scan->after_cr = c == '\r';
    }
    scan->line_at = scan->len + 1;
    scan->marking = true;
}

static void see_in_line(struct qm_scan *scan, unsigned char c)
{
    uint64_t column = scan->len - scan->line_at;

    scan->crlf_len++;
    scan->after_cr = false;
    if (column >= QM_SCAN_LINE_MAX && !scan->too_long) {
        scan->too_long = true;
        scan->too_long_at = scan->line_at;
    }
    if (scan->marking) {
        scan->marking = (char)c == marker[column];
        if (scan->marking && column == sizeof(marker) - 2) {
            scan->boundary = true;
            scan->marking = false;
        }
    }
}

static void see_ascii(struct qm_scan *scan, unsigned char c)
{
    if (scan->held_len > 0) {
        mark_bad(scan, scan->len - scan->held_len);
    }
    if (c == '\r' || c == '\n') {
        see_line_end(scan, c);
        return;
    }
    if (c == '=') {
        scan->escapes++;
    } else if (qm_ascii_is_control(c) && c != '\t') {
        see_control(scan, c);
    }
    see_in_line(scan, c);
}

static void see_byte(struct qm_scan *scan, unsigned char c)
{
    if (c < 0x80) {
        see_ascii(scan, c);
    } else {
        see_high(scan, c);
        see_in_line(scan, c);
    }
    scan->len++;
}

/*
 * The first `run` bytes are plain or above ASCII, `high` are the places of
 * those. Bytes up to the first character that is not valid, or not yet whole;
 * more than `run` where a row of characters goes on behind it.
 */
static size_t valid_run(struct qm_span text, uint64_t high, size_t run)
{
    high &= qm_bits_below(run);
    while (high != 0) {
        size_t at = qm_bits_first(high);
        size_t end = at + qm_utf8_run_of_high(qm_span_from(text, at));

        if (end >= run || (unsigned char)text.ptr[end] >= 0x80) {
            return end;
        }
        high &= ~qm_bits_below(end);
    }
    return run;
}

static void add_to_line(struct qm_scan *scan, size_t run)
{
    scan->len += run;
    scan->crlf_len += run;
    if (scan->len - scan->line_at > QM_SCAN_LINE_MAX && !scan->too_long) {
        scan->too_long = true;
        scan->too_long_at = scan->line_at;
    }
}

/* A run that goes on behind the block ends in characters above ASCII. */
static void add_high(struct qm_scan *scan, uint64_t high, size_t in_block,
                     size_t run)
{
    size_t inside = run < in_block ? run : in_block;
    size_t count = qm_bits_count(high & qm_bits_below(inside)) + (run - inside);

    scan->high |= count > 0;
    scan->escapes += count;
}

/*
 * Takes bytes of a block: what needs no encoding, and whole characters above
 * ASCII. None where the start of the line still matters.
 */
static size_t see_run(struct qm_scan *scan, struct qm_span text,
                      struct qm_run_kinds kinds)
{
    size_t in_block;
    size_t run;

    if (scan->marking || scan->held_len > 0) {
        return 0;
    }
    in_block = qm_bits_run(kinds.plain | kinds.high);
    run = valid_run(text, kinds.high, in_block);
    add_high(scan, kinds.high, in_block, run);
    add_to_line(scan, run);
    return run;
}

void qm_scan_update(struct qm_scan *scan, struct qm_span bytes)
{
    struct qm_run_kinds kinds = { 0, 0 };
    size_t known = 0; /* the kinds of bytes up to here are known */
    size_t at = 0;

    while (at < bytes.len) {
        struct qm_span rest = qm_span_from(bytes, at);
        size_t step;

        if (at >= known) {
            kinds = qm_run_kinds(rest.ptr, rest.len);
            known = at + QM_RUN_BLOCK;
        }
        step = see_run(scan, rest, kinds);
        if (step == 0) {
            see_byte(scan, (unsigned char)bytes.ptr[at]);
            step = 1;
        }
        kinds.plain = qm_bits_shift(kinds.plain, step);
        kinds.high = qm_bits_shift(kinds.high, step);
        at += step;
    }
}

void qm_scan_finish(struct qm_scan *scan)
{
    if (scan->held_len > 0) {
        mark_bad(scan, scan->len - scan->held_len);
    }
}
