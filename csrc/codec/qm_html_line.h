/*
 * qm_html_line.h: lines of text as a browser would set them, written plainly.
 *
 * White space is collapsed, line ends and blank lines come from blocks, each
 * line begins with the marks of its quotations ("> ") and the indent of its
 * lists. All that does not show is held back until a character does, so that
 * no line ends with a blank and no text with empty lines.
 */
#ifndef QM_HTML_LINE_H
#define QM_HTML_LINE_H

#include "base/qm_buf.h"

#define QM_HTML_LINE_QUOTES_MAX 8  /* marks before a line */
#define QM_HTML_LINE_INDENT_MAX 40 /* columns before a line */

struct qm_html_line {
    struct qm_buf *out;   /* not owned; its error is the result */
    unsigned quotes;      /* set by the user, as are the next three */
    unsigned indent;      /* columns, those of the marker included */
    bool is_pre;          /* white space is kept */
    bool keeps_gaps;      /* empty cells keep their place */
    bool is_fresh;        /* in a cell without text: no new lines */
    size_t gaps;          /* cells begun since the last text of the line */
    size_t lines;         /* begun so far */
    size_t breaks;        /* line ends that wait */
    bool is_open;         /* the line has text */
    bool has_space;       /* white space waits */
    bool at_line_end;     /* ... and is a line end of the source */
    uint32_t joiner;      /* zero-width joiner that waits, 0: none */
    uint32_t last;        /* last character of the line */
    unsigned last_quotes; /* of the line before */
    char marker[24];      /* of a list item that has no text yet */
    size_t marker_len;
};

QM_DECLS_BEGIN

void qm_html_line_init(struct qm_html_line *line, struct qm_buf *out);

/* At least `count` line ends before the next text. */
void qm_html_line_break(struct qm_html_line *line, size_t count);

/* <br>: two of them make one blank line, and so do ten. */
void qm_html_line_br(struct qm_html_line *line);

/* Goes on behind the text of the line that a break ended. */
void qm_html_line_reopen(struct qm_html_line *line);

/* Opens the line, and writes what waits before a text. */
void qm_html_line_begin(struct qm_html_line *line, uint32_t next);

/* Any bytes, references to characters included. */
void qm_html_line_put(struct qm_html_line *line, struct qm_span text);

QM_DECLS_END

#endif
