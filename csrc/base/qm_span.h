/*
 * qm_span.h: a read-only view of bytes somebody else owns.
 *
 * A span never frees anything and is valid as long as its owner keeps the
 * bytes in place. It may hold any byte, NUL included.
 */
#ifndef QM_SPAN_H
#define QM_SPAN_H

#include "base/qm_base.h"

#include <string.h>

struct qm_span {
    const char *ptr; /* first byte; may be NULL only when len is 0 */
    size_t len;      /* bytes */
};

static inline struct qm_span qm_span_make(const char *ptr, size_t len)
{
    struct qm_span span = { ptr, len };

    return span;
}

static inline struct qm_span qm_span_of(const char *text)
{
    return qm_span_make(text, strlen(text));
}

static inline struct qm_span qm_span_from(struct qm_span span, size_t start)
{
    if (start >= span.len) {
        return qm_span_make(NULL, 0);
    }
    return qm_span_make(span.ptr + start, span.len - start);
}

static inline bool qm_span_equal(struct qm_span a, struct qm_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

#endif
