/*
 * qm_canon.h: the canonical forms of DKIM (RFC 6376 section 3.4).
 *
 * What is signed is not the message but a form of it that a server on the way
 * does not change: "simple" forgives nothing but empty lines at the end,
 * "relaxed" also other white space. A body streams through, cut anywhere, with
 * a state of a few bytes: empty lines are counted, as they may be the last.
 * Fields come one by one, as they are needed.
 */
#ifndef QM_CANON_H
#define QM_CANON_H

#include "base/qm_buf.h"

/* Every call with so much room makes progress. */
enum { QM_CANON_ROOM = 2 };

struct qm_canon {
    uint64_t owed; /* line ends that count only when something follows */
    bool relaxed;
    bool after_cr; /* a CR that may begin a line end */
    bool blank;    /* relaxed: white space that counts only in a line */
    bool any;      /* something was written */
    bool ended;
};

QM_DECLS_BEGIN

void qm_canon_init(struct qm_canon *state, bool relaxed);

/*
 * Takes as much of a body as its canonical form fits into `out`. Call again
 * with the rest. A bare LF counts as a line end.
 */
void qm_canon_update(struct qm_canon *state, struct qm_span input, char *out,
                     size_t cap, size_t *used_out, size_t *written_out);

/* The end of the form; called until it answers 0. */
size_t qm_canon_finish(struct qm_canon *state, char *out, size_t cap);

/*
 * Appends the form of one header field, with its folds, to `out`, without the
 * CRLF at its end; `field` may have that or not.
 */
enum qm_err qm_canon_header(struct qm_span field, bool relaxed,
                            struct qm_buf *out);

QM_DECLS_END

#endif
