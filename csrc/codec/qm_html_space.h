/*
 * qm_html_space.h: what HTML and CSS have as white space.
 */
#ifndef QM_HTML_SPACE_H
#define QM_HTML_SPACE_H

#include "base/qm_span.h"

QM_DECLS_BEGIN

/* Space, tab, LF, CR, FF: "ASCII whitespace" of the HTML standard. */
static inline bool qm_html_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* Without white space at both ends. */
static inline struct qm_span qm_html_trim(struct qm_span text)
{
    while (text.len > 0 && qm_html_is_space(text.ptr[0])) {
        text = qm_span_from(text, 1);
    }
    while (text.len > 0 && qm_html_is_space(text.ptr[text.len - 1])) {
        text.len--;
    }
    return text;
}

QM_DECLS_END

#endif
