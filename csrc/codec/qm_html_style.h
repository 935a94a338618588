/*
 * qm_html_style.h: what a `style` attribute hides, or sets on lines of its own.
 *
 * Mails hide the text of their preview in many ways at once; a browser would
 * show none of it. `mso-hide: all` alone hides from Outlook only, which is what
 * buttons for all others do: it decides nothing.
 */
#ifndef QM_HTML_STYLE_H
#define QM_HTML_STYLE_H

#include "base/qm_span.h"

/* Bits. Of the two about the font size one at most. */
enum qm_html_style {
    QM_HTML_STYLE_NONE = 0,   /* says nothing of interest */
    QM_HTML_STYLE_HIDDEN = 1, /* the element and what is in it do not show */
    QM_HTML_STYLE_TINY = 2,  /* font-size: 0, until an element inside has one */
    QM_HTML_STYLE_SIZED = 4, /* a font size of its own */
    QM_HTML_STYLE_BLOCK = 8  /* a block, whatever element it is */
};

QM_DECLS_BEGIN

/* In linear time; any bytes will do. */
unsigned qm_html_style_of(struct qm_span style);

QM_DECLS_END

#endif
