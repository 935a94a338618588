/*
 * qm_body.h: the transfer encodings behind one face (RFC 2045 section 6).
 *
 * Text goes through line-end normalisation first, whatever the encoding, so
 * that only CRLF ever comes out; data (attachments) keeps every byte. The
 * output does not depend on how the input or the output is cut.
 */
#ifndef QM_BODY_H
#define QM_BODY_H

#include "codec/qm_base64.h"
#include "codec/qm_dot.h"
#include "codec/qm_qp.h"

enum qm_encoding {
    QM_ENCODING_7BIT,
    QM_ENCODING_8BIT,
    QM_ENCODING_QP,
    QM_ENCODING_BASE64
};

enum {
    QM_BODY_ROOM = 128,  /* least room a call needs to make progress */
    QM_BODY_MIDDLE = 512 /* normalised text on its way into base64 */
};

struct qm_body {
    enum qm_encoding encoding;
    bool text;            /* line ends mean something */
    bool alone;           /* the last thing in the message: end with CRLF */
    char last;            /* last byte written, NUL before the first */
    struct qm_dot lines;  /* 7bit, 8bit and text in base64 */
    struct qm_qp qp;      /* quoted-printable */
    struct qm_base64 b64; /* base64 */
    size_t middle_at;     /* first byte of middle not yet encoded */
    size_t middle_end;    /* past the last byte of middle */
    char middle[QM_BODY_MIDDLE];
};

QM_DECLS_BEGIN

/* The value of Content-Transfer-Encoding: "base64" and the like. */
const char *qm_encoding_name(enum qm_encoding encoding);

void qm_body_begin(struct qm_body *body, enum qm_encoding encoding, bool text,
                   bool alone);

/* As qm_base64_update(); every call with cap >= QM_BODY_ROOM makes progress. */
void qm_body_update(struct qm_body *body, struct qm_span input, char *out,
                    size_t cap, size_t *used_out, size_t *written_out);

/* True while an update with empty input still has something to write. */
bool qm_body_pending(const struct qm_body *body);

/* Ends the body; only when nothing is pending. At most QM_BODY_ROOM bytes. */
size_t qm_body_finish(struct qm_body *body, char *out);

QM_DECLS_END

#endif
