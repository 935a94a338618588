#include "sink_ids.h"

#include "bench.h"

#include <stdlib.h>
#include <string.h>

static const char NAME[] = "message-id:";

enum { NAME_LEN = sizeof NAME - 1, FIRST_CAP = 1024 };

/* FNV-1a. */
#define HASH_BEGIN 0xcbf29ce484222325u
#define HASH_PRIME 0x100000001b3u

void id_scan_begin(struct id_scan *scan, bool in_command)
{
    memset(scan, 0, sizeof *scan);
    scan->in_command = in_command;
    scan->hash = HASH_BEGIN;
}

static void end_line(struct id_scan *scan)
{
    scan->found = scan->found || scan->matched == NAME_LEN;
    scan->over = scan->found || (scan->column == 0 && !scan->in_command);
    scan->in_command = false;
    scan->column = scan->matched = 0;
    scan->skips = false;
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static void add_to_line(struct id_scan *scan, char c)
{
    scan->column++;
    if (scan->matched < NAME_LEN) {
        scan->skips = lower(c) != NAME[scan->matched];
        scan->matched += scan->skips ? 0 : 1;
    } else if (c != ' ') {
        scan->hash = (scan->hash ^ (unsigned char)c) * HASH_PRIME;
    }
}

void id_scan_feed(struct id_scan *scan, const char *p, size_t len)
{
    for (size_t i = 0; i < len && !scan->over; i++) {
        if (p[i] == '\n') {
            end_line(scan);
        } else if (p[i] != '\r' && !scan->skips) {
            add_to_line(scan, p[i]);
        }
    }
}

/* True: it was not there. */
static bool put(uint64_t *slots, size_t cap, uint64_t hash)
{
    size_t at = (size_t)hash & (cap - 1);
    while (slots[at] != 0 && slots[at] != hash) {
        at = (at + 1) & (cap - 1);
    }
    bool is_new = slots[at] == 0;
    slots[at] = hash;
    return is_new;
}

static void grow(struct id_set *set)
{
    size_t cap = set->cap > 0 ? 2 * set->cap : FIRST_CAP;
    uint64_t *slots = calloc(cap, sizeof *slots);
    if (!slots) {
        bench_die_errno("sink");
    }
    for (size_t i = 0; i < set->cap; i++) {
        if (set->slots[i] != 0) {
            (void)put(slots, cap, set->slots[i]);
        }
    }
    free(set->slots);
    set->slots = slots;
    set->cap = cap;
}

void id_set_add(struct id_set *set, const struct id_scan *scan)
{
    if (!scan->found) {
        return;
    }
    if (2 * set->count >= set->cap) {
        grow(set);
    }
    uint64_t hash = scan->hash != 0 ? scan->hash : 1;
    set->count += put(set->slots, set->cap, hash) ? 1 : 0;
}

void id_set_free(struct id_set *set)
{
    free(set->slots);
    memset(set, 0, sizeof *set);
}
