/*
 * qm_base64_lines.h: whole lines of base64 at once, as the processor can best.
 *
 * A full line is 57 bytes that become 76 characters and CRLF (RFC 2045 section
 * 6.8). All encoders give the same bytes; they differ in the instructions they
 * need. None reads or writes a byte outside of the lines it is given, and none
 * needs an alignment.
 */
#ifndef QM_BASE64_LINES_H
#define QM_BASE64_LINES_H

#include "base/qm_span.h"

enum {
    QM_BASE64_LINE_IN = 57,
    QM_BASE64_LINE_OUT = 78 /* with its CRLF */
};

/* `in` has 57 bytes a line, `out` room for 78; they do not overlap. */
typedef void qm_base64_lines_fn(const unsigned char *in, size_t lines,
                                char *out);

struct qm_base64_encoder {
    const char *name; /* the instructions: "avx2", "portable", ... */
    qm_base64_lines_fn *encode;
};

QM_DECLS_BEGIN

/*
 * The encoders that work on this processor, fastest first; the last one is
 * "portable". NULL from there on.
 */
const struct qm_base64_encoder *qm_base64_encoder_at(size_t index);

/* The fastest one. */
qm_base64_lines_fn *qm_base64_lines_best(void);

/* `groups` times 3 bytes into 4 characters, without line breaks. */
void qm_base64_groups(const unsigned char *in, size_t groups, char *out);

QM_DECLS_END

#endif
