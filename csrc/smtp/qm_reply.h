/*
 * qm_reply.h: incremental reader of SMTP replies (RFC 5321 section 4.2).
 *
 * Feed it bytes as they come; it says when one whole reply is there. Strict
 * where leniency has lost mail: a line without its LF is no line, all lines of
 * a reply carry the same code, a NUL is an error. Lenient where servers differ
 * harmlessly: bare LF, missing text, any bytes in the text.
 */
#ifndef QM_REPLY_H
#define QM_REPLY_H

#include "base/qm_buf.h"

/*
 * RFC 5321 section 4.5.3.1.5 allows 512 octets a line; real servers send
 * more. The rest keeps a hostile server from filling memory.
 */
enum {
    QM_REPLY_LINE_MAX = 4096,
    QM_REPLY_LINES_MAX = 128,
    QM_REPLY_TOTAL_MAX = 65536
};

/* Enhanced status code of RFC 3463; class 0 means there was none. */
struct qm_enhanced {
    unsigned short status;  /* 2, 4 or 5 */
    unsigned short subject; /* 0 to 999 */
    unsigned short detail;  /* 0 to 999 */
};

struct qm_reply {
    struct qm_buf lines; /* whole lines with their codes, LF ended */
    size_t line_start;   /* where the unfinished line begins */
    int code;            /* 200 to 599 once a line was read, else 0 */
    unsigned line_count;
    bool complete; /* the last line has been read */
    struct qm_enhanced enhanced;
};

QM_DECLS_BEGIN

void qm_reply_init(struct qm_reply *reply);
void qm_reply_deinit(struct qm_reply *reply);

/* Forgets the reply that was read and starts on the next one. */
void qm_reply_reset(struct qm_reply *reply);

/*
 * Reads from `input` up to the end of one reply. *used_out bytes were taken.
 * QM_OK: the reply is complete. QM_E_AGAIN: all input was taken, more is
 * needed. QM_E_SYNTAX: this is no SMTP reply. QM_E_LIMIT: line, line count or
 * total too large. QM_E_MEMORY. After an error the bytes read so far are in
 * `lines`, for the error text.
 */
enum qm_err qm_reply_feed(struct qm_reply *reply, struct qm_span input,
                          size_t *used_out) QM_MUST_USE;

/*
 * Takes the next line of a complete reply (without code and line end) out of
 * `*rest`, which starts as qm_buf_span(&reply->lines). False at the end.
 */
bool qm_reply_next_line(struct qm_span *rest, struct qm_span *line_out);

/*
 * Appends the text for people: lines joined by a blank, enhanced codes taken
 * out, decoded to printable UTF-8 and cut to what `out` can hold.
 */
enum qm_err qm_reply_text(const struct qm_reply *reply, struct qm_buf *out);

/* 2, 3, 4 or 5. */
static inline int qm_reply_class(const struct qm_reply *reply)
{
    return reply->code / 100;
}

/*
 * 25x: the only completion code for EHLO, MAIL, RCPT and the mail data.
 * A 220 or 221 there means that the two sides no longer agree.
 */
static inline bool qm_reply_is_done(const struct qm_reply *reply)
{
    return reply->code / 10 == 25;
}

QM_DECLS_END

#endif
