/*
 * qm_base64.h: base64 (RFC 4648 section 4, RFC 2045 section 6.8).
 *
 * Streaming encoder in two shapes: one line without breaks (credentials,
 * encoded-words), or lines of 76 columns with CRLF (body parts). The state is
 * a small struct the caller embeds; nothing is allocated.
 */
#ifndef QM_BASE64_H
#define QM_BASE64_H

#include "base/qm_err.h"
#include "base/qm_span.h"
#include "codec/qm_base64_lines.h"

/* RFC 2045 section 6.8: encoded lines hold at most 76 characters. */
enum { QM_BASE64_LINE = 76 };

struct qm_base64 {
    unsigned char held[3]; /* input bytes that wait for a full group */
    unsigned char held_len;
    unsigned char column;             /* characters already on this line */
    bool wrap;                        /* break lines with CRLF */
    qm_base64_lines_fn *encode_lines; /* whole lines, when wrapping */
};

QM_DECLS_BEGIN

void qm_base64_init(struct qm_base64 *state, bool wrap);

/*
 * Encodes as much of `input` as fits into `out`. `*used_out` counts input
 * bytes taken, `*written_out` output bytes made. Call again with the rest;
 * every call with cap >= 8 makes progress.
 */
void qm_base64_update(struct qm_base64 *state, struct qm_span input, char *out,
                      size_t cap, size_t *used_out, size_t *written_out);

/*
 * Writes the last group with its padding (and, when wrapping, the CRLF that
 * ends a line with something on it). At most 6 bytes; returns their number.
 */
size_t qm_base64_finish(struct qm_base64 *state, char *out);

/* Exact output size for `len` input bytes (up to 2^62), finish included. */
uint64_t qm_base64_size(uint64_t len, bool wrap);

/*
 * Strict decoder for challenges: no white space, padding required, unused bits
 * zero. `out` needs 3 bytes for each 4 of input and may be the input itself.
 * QM_E_SYNTAX when it is not base64; `out` may then hold some bytes already.
 */
enum qm_err qm_base64_decode(struct qm_span input, char *out,
                             size_t *written_out) QM_MUST_USE;

QM_DECLS_END

#endif
