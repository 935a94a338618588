/*
 * qm_dot.h: the one place where line ends and leading dots are made safe.
 *
 * Turns CR, LF and CRLF into CRLF and doubles a dot that starts a line
 * (RFC 5321 section 4.5.2), so that no input can end the mail data early. The
 * output depends on the input bytes only, never on how they were cut.
 */
#ifndef QM_DOT_H
#define QM_DOT_H

#include "base/qm_err.h"
#include "base/qm_span.h"

struct qm_dot {
    bool at_line_start; /* the next byte begins a line */
    bool after_cr;      /* a CR was seen and answered; swallow a LF */
    bool stuff;         /* double leading dots (DATA); false: only line ends */
};

QM_DECLS_BEGIN

void qm_dot_init(struct qm_dot *state, bool stuff);

/* As qm_base64_update(); every call with cap >= 2 makes progress. */
void qm_dot_update(struct qm_dot *state, struct qm_span input, char *out,
                   size_t cap, size_t *used_out, size_t *written_out);

/*
 * Completes an unfinished last line with CRLF and, when stuffing, writes the
 * end mark ".CRLF". At most 5 bytes; returns their number. An empty text gives
 * the end mark alone. The state is then ready for the next text.
 */
size_t qm_dot_finish(struct qm_dot *state, char *out);

QM_DECLS_END

#endif
