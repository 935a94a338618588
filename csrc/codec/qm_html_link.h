/*
 * qm_html_link.h: where a link leads, behind its text.
 *
 * " <https://...>" as RFC 3986, appendix C writes addresses within text. What
 * the text itself says is not said again.
 */
#ifndef QM_HTML_LINK_H
#define QM_HTML_LINK_H

#include "base/qm_buf.h"

QM_DECLS_BEGIN

/* Whether the value of `href` leads anywhere outside of the mail. */
bool qm_html_link_leads(struct qm_span href);

/*
 * Appends where `href` leads unless the text in `out` from offset `text_at` on
 * says so, or it leads nowhere. Its errors are those of `out`.
 */
void qm_html_link_append(struct qm_buf *out, struct qm_span href,
                         size_t text_at);

QM_DECLS_END

#endif
