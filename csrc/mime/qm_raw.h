/*
 * qm_raw.h: the header block of a message somebody else made.
 *
 * Takes the block off the front of a stream of bytes, with CRLF line ends,
 * gives its fields one by one, and copies it without the fields that name
 * hidden recipients. Nothing is decoded.
 */
#ifndef QM_RAW_H
#define QM_RAW_H

#include "base/qm_buf.h"

/* Far more than any mail system lets pass; it bounds what is held here. */
enum { QM_RAW_HEAD_MAX = 256 * 1024 };

struct qm_raw {
    struct qm_buf head; /* the block so far, CRLF line ends */
    uint64_t used;      /* bytes of the source that belong to the block */
    bool at_line_start; /* the next byte begins a line */
    bool after_cr;      /* a LF now belongs to the line end before it */
    bool ended;         /* the empty line was seen */
    bool done;          /* no further byte belongs to the block */
    uint64_t line_at;   /* offset where the current line begins */
    uint64_t fault_at;  /* after an error: offset in the source or head */
};

/* A walk over the fields of a finished block. */
struct qm_raw_field {
    struct qm_span rest;  /* not yet looked at */
    struct qm_span whole; /* name, colon, value and CRLF, folds included */
    struct qm_span name;
    struct qm_span value; /* as written, without the last CRLF */
};

QM_DECLS_BEGIN

void qm_raw_init(struct qm_raw *raw);
void qm_raw_deinit(struct qm_raw *raw);

/*
 * Takes bytes until the empty line; raw->done tells that there is no need for
 * more. QM_E_CONTROL for NUL, QM_E_TOO_LONG for a line over 998 bytes,
 * QM_E_LIMIT when the block passes QM_RAW_HEAD_MAX.
 */
enum qm_err qm_raw_update(struct qm_raw *raw, struct qm_span bytes) QM_MUST_USE;

/* The source is at its end or raw->done: completes the last line. */
enum qm_err qm_raw_finish(struct qm_raw *raw) QM_MUST_USE;

void qm_raw_walk(const struct qm_raw *raw, struct qm_raw_field *field);

/*
 * Next field. QM_E_EMPTY after the last one; QM_E_SYNTAX for a line that is
 * neither a field nor the continuation of one, field->rest then begins there.
 */
enum qm_err qm_raw_next(struct qm_raw_field *field) QM_MUST_USE;

/*
 * Appends the block, the empty line included, without Bcc, Resent-Bcc and the
 * envelope that a mail has on its way through our outbox (X-Qqmail-Outbox...).
 */
enum qm_err qm_raw_append_public(struct qm_raw *raw,
                                 struct qm_buf *out) QM_MUST_USE;

QM_DECLS_END

#endif
