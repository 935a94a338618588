/*
 * qm_tls_text.h: a short sentence made from parts, some of them hostile.
 *
 * Fixed size, no heap; what does not fit is cut between characters and the
 * rest of the writing is ignored. Always NUL-terminated.
 */
#ifndef QM_TLS_TEXT_H
#define QM_TLS_TEXT_H

#include "base/qm_span.h"

enum { QM_TLS_TEXT_SIZE = 512 };

struct qm_tls_text {
    char bytes[QM_TLS_TEXT_SIZE]; /* NUL-terminated */
    size_t len;                   /* bytes before the NUL */
    bool full;                    /* something was cut off */
};

QM_DECLS_BEGIN

void qm_tls_text_clear(struct qm_tls_text *text);

/* Appends UTF-8 of our own making, or already made harmless. */
void qm_tls_text_add(struct qm_tls_text *text, const char *part);
void qm_tls_text_add_span(struct qm_tls_text *text, struct qm_span part);
void qm_tls_text_add_number(struct qm_tls_text *text, int64_t number);

/*
 * Appends bytes of a peer: visible ASCII and spaces as they are, the
 * backslash doubled, every other byte as \xNN. Nothing of it can act on a
 * terminal or end a line.
 */
void qm_tls_text_add_escaped(struct qm_tls_text *text, struct qm_span part);

QM_DECLS_END

#endif
