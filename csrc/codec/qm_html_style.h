/*
 * qm_html_style.h: what a `style` attribute hides.
 *
 * Mails hide the text of their preview in many ways at once; a browser would
 * show none of it. `mso-hide: all` alone hides from Outlook only, which is what
 * buttons for all others do: it decides nothing.
 */
#ifndef QM_HTML_STYLE_H
#define QM_HTML_STYLE_H

#include "base/qm_span.h"

enum qm_html_style {
    QM_HTML_STYLE_NONE,   /* says nothing of interest */
    QM_HTML_STYLE_HIDDEN, /* the element and what is in it do not show */
    QM_HTML_STYLE_TINY,   /* font-size: 0, until an element inside has one */
    QM_HTML_STYLE_SIZED   /* a font size of its own */
};

QM_DECLS_BEGIN

/* In linear time; any bytes will do. */
enum qm_html_style qm_html_style_of(struct qm_span style);

QM_DECLS_END

#endif
