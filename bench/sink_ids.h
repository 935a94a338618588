/*
 * sink_ids.h: how many different Message-IDs the sink has taken. A mail that
 * came twice counts twice among the mails, and once here.
 */
#ifndef BENCH_SINK_IDS_H
#define BENCH_SINK_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Looks for the Message-ID in the header of one mail. */
struct id_scan {
    uint64_t hash;  /* of what has been read of it */
    size_t matched; /* characters of the field's name; all: in its value */
    size_t column;
    bool in_command; /* what comes first is the line end of DATA */
    bool skips;      /* the rest of this line */
    bool found;
    bool over; /* the header is */
};

/* Hashes, not the ids: 10,000 mails collide once in 10^11 runs. */
struct id_set {
    uint64_t *slots; /* 0: free */
    size_t cap;      /* a power of two */
    size_t count;
};

void id_scan_begin(struct id_scan *scan, bool in_command);

/* The next bytes of the mail, cut anywhere. */
void id_scan_feed(struct id_scan *scan, const char *p, size_t len);

/* The mail has been accepted: its id counts, unless it is there or has none. */
void id_set_add(struct id_set *set, const struct id_scan *scan);

void id_set_free(struct id_set *set);

#endif
