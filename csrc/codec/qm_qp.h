/*
 * qm_qp.h: quoted-printable (RFC 2045 section 6.7), streaming.
 *
 * Text mode: any of CRLF, CR, LF in the input is a line break and comes out as
 * CRLF. Encoded lines hold at most 76 characters, a soft break never splits
 * a `=XX` nor a UTF-8 character, white space before a line break is encoded,
 * and so is a leading dot or "From " at the start of a line, which some relays
 * alter. Input that is not UTF-8 is allowed. The result does not depend on how
 * the input is cut.
 */
#ifndef QM_QP_H
#define QM_QP_H

#include "base/qm_err.h"
#include "base/qm_span.h"

struct qm_qp {
    unsigned char column;   /* characters already on this line */
    bool after_cr;          /* a CR was seen and answered; swallow a LF */
    unsigned char held_len; /* bytes whose form depends on what follows: a
                               blank, part of a character, or of "From" */
    char held[4];
};

QM_DECLS_BEGIN

void qm_qp_init(struct qm_qp *state);

/* As qm_base64_update(); every call with cap >= 64 makes progress. */
void qm_qp_update(struct qm_qp *state, struct qm_span input, char *out,
                  size_t cap, size_t *used_out, size_t *written_out);

/* Ends the text (no line break is added). At most 64 bytes. */
size_t qm_qp_finish(struct qm_qp *state, char *out);

QM_DECLS_END

#endif
