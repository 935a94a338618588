/*
 * stream.h: drives the streaming encoders in every way a caller might.
 *
 * Input and output pieces end at unreadable pages, so one byte too many on
 * either side is fatal. An encoder that makes no progress fails the check.
 */
#ifndef STREAM_H
#define STREAM_H

#include "base/qm_span.h"
#include "check.h"
#include "guard_page.h"

/* An encoder under test; its state is a static of the test program. */
struct stream {
    void (*start)(void);
    void (*update)(struct qm_span input, char *out, size_t cap,
                   size_t *used_out, size_t *written_out);
    size_t (*finish)(char *out);
    size_t least_cap;  /* cap with which every call must make progress */
    size_t finish_max; /* most bytes finish() writes */
};

enum { STREAM_INPUT_MAX = 70000, STREAM_OUT_MAX = 280000 };

struct stream_pages {
    struct guard_page in;
    struct guard_page out;
};

static inline struct stream_pages *stream_pages(void)
{
    static struct stream_pages pages;

    if (pages.in.map == NULL) {
        pages.in = guard_page_open(STREAM_INPUT_MAX);
        pages.out = guard_page_open(STREAM_OUT_MAX);
    }
    return &pages;
}

/* Feeds one piece of input, `cap` bytes of output at a time. */
static inline size_t stream_feed(const struct stream *stream,
                                 struct qm_span piece, size_t cap, char *out)
{
    struct stream_pages *pages = stream_pages();
    char *room = pages->out.map + pages->out.size - cap;
    size_t total = 0;

    piece = guard_page_put(&pages->in, piece);
    while (piece.len > 0) {
        size_t used;
        size_t written;

        stream->update(piece, room, cap, &used, &written);
        CHECK(used <= piece.len && written <= cap);
        CHECK(used + written > 0);
        if (used + written == 0) {
            break;
        }
        memcpy(out + total, room, written);
        total += written;
        piece = qm_span_from(piece, used);
    }
    return total;
}

/*
 * Encodes `input`: the first `first` bytes as one piece, the rest in pieces of
 * `piece` bytes. Returns the length of the output.
 */
static inline size_t stream_encode(const struct stream *stream,
                                   struct qm_span input, size_t first,
                                   size_t piece, size_t cap, char *out)
{
    struct stream_pages *pages = stream_pages();
    char *room = pages->out.map + pages->out.size - stream->finish_max;
    size_t total;
    size_t at = first;

    stream->start();
    total = stream_feed(stream, qm_span_make(input.ptr, first), cap, out);
    while (at < input.len) {
        size_t len = input.len - at < piece ? input.len - at : piece;

        total += stream_feed(stream, qm_span_make(input.ptr + at, len), cap,
                             out + total);
        at += len;
    }
    at = stream->finish(room);
    CHECK(at <= stream->finish_max);
    memcpy(out + total, room, at);
    return total + at;
}

/* The output for `input` given in one piece, with room for all of it. */
static inline struct qm_span stream_whole(const struct stream *stream,
                                          struct qm_span input)
{
    static char out[STREAM_OUT_MAX];

    return qm_span_make(
        out, stream_encode(stream, input, input.len, 1, STREAM_OUT_MAX, out));
}

static inline bool stream_same(const struct stream *stream,
                               struct qm_span input, size_t first, size_t piece,
                               size_t cap, struct qm_span expected)
{
    static char out[STREAM_OUT_MAX];
    size_t len = stream_encode(stream, input, first, piece, cap, out);

    return qm_span_equal(qm_span_make(out, len), expected);
}

/* Checks that neither the cuts nor the room given change the output. */
static inline void stream_check_cuts(const struct stream *stream,
                                     struct qm_span input)
{
    struct qm_span whole = stream_whole(stream, input);
    size_t most = stream->least_cap + 100;
    size_t i;

    for (i = 0; i <= input.len; i++) {
        CHECK(stream_same(stream, input, i, input.len, STREAM_OUT_MAX, whole));
    }
    CHECK(stream_same(stream, input, 0, 1, STREAM_OUT_MAX, whole));
    for (i = stream->least_cap; i < most; i++) {
        CHECK(stream_same(stream, input, 0, 1, i, whole));
        CHECK(stream_same(stream, input, 0, 7, i, whole));
        CHECK(stream_same(stream, input, input.len, 1, i, whole));
    }
}

/* Fills `out` with bytes from `set`, the same ones for the same seed. */
static inline struct qm_span stream_random(struct qm_span set, unsigned seed,
                                           char *out, size_t len)
{
    uint32_t state = seed * 2654435761u + 1;
    size_t i;

    for (i = 0; i < len; i++) {
        state = state * 1664525u + 1013904223u;
        out[i] = set.ptr[(state >> 16) % set.len];
    }
    return qm_span_make(out, len);
}

#endif
