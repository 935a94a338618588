/*
 * qm_html_text.h: the plain text of an HTML mail, for those who read no HTML.
 *
 * Paragraphs, headings, lists, tables (cells are separated by " | "), <pre>
 * and quotations ("> ") keep their shape; links say where they lead, images
 * what their `alt` says. What a reader would not show is left out: scripts,
 * styles, comments, elements that are hidden by attribute or style, filling of
 * previews. One pass in linear time; nothing is held but the output.
 */
#ifndef QM_HTML_TEXT_H
#define QM_HTML_TEXT_H

#include "base/qm_buf.h"

QM_DECLS_BEGIN

/*
 * Appends the text of `html` to the empty `out`: valid UTF-8 with LF at the end
 * of each line, nothing at all when there is no text. Any input will do; bytes
 * that are not UTF-8 come out as U+FFFD. QM_E_LIMIT or QM_E_MEMORY from `out`.
 */
enum qm_err qm_html_text(struct qm_buf *out, struct qm_span html) QM_MUST_USE;

QM_DECLS_END

#endif
