/*
 * qm_html.h: HTML as a row of texts and tags.
 *
 * Reads what browsers read and never fails: comments (conditional ones of
 * Outlook too), declarations and what is inside of <script>, <style> and the
 * like are passed over, a tag that does not end is none. Each byte is looked at
 * once or twice, nothing is copied or allocated; spans point into the input.
 */
#ifndef QM_HTML_H
#define QM_HTML_H

#include "base/qm_span.h"

/* What an element does to the text around it. */
enum qm_html_kind {
    QM_HTML_OTHER,   /* nothing: <b>, <span>, what nobody knows */
    QM_HTML_BLOCK,   /* a line of its own, or with blank lines around */
    QM_HTML_P,       /* ends where the next block begins */
    QM_HTML_LIST,    /* <ul>, <menu>, <dir> */
    QM_HTML_ORDERED, /* <ol> */
    QM_HTML_ITEM,    /* <li> */
    QM_HTML_TERMS,   /* <dl> */
    QM_HTML_TERM,    /* <dt> */
    QM_HTML_DETAIL,  /* <dd> */
    QM_HTML_TABLE,
    QM_HTML_SECTION, /* <tbody>, <thead>, <tfoot> */
    QM_HTML_ROW,
    QM_HTML_CELL,
    QM_HTML_HEADCELL,
    QM_HTML_PRE,
    QM_HTML_QUOTE, /* <blockquote> */
    QM_HTML_LINK,
    QM_HTML_BREAK, /* <br> */
    QM_HTML_RULE,  /* <hr> */
    QM_HTML_IMAGE,
    QM_HTML_VOID,   /* has no content: <input>, <meta> */
    QM_HTML_HIDDEN, /* content is not shown: <noscript>, <template> */
    QM_HTML_HEAD,
    QM_HTML_PAGE, /* <html>, <body> */
    QM_HTML_RAW   /* content is no HTML; the reader passes over it */
};

enum qm_html_token_type {
    QM_HTML_END_OF_INPUT,
    QM_HTML_TEXT,
    QM_HTML_START,
    QM_HTML_END
};

struct qm_html_token {
    enum qm_html_token_type type;
    struct qm_span text; /* QM_HTML_TEXT: entities not decoded */
    /* of a tag: */
    enum qm_html_kind kind;
    uint32_t name;                          /* hash of its name in lower case */
    uint8_t breaks;                         /* line ends around it: 0, 1 or 2 */
    bool is_closed;                         /* ends with "/>" */
    bool is_hidden;                         /* has the attribute `hidden` */
    struct qm_span tag;                     /* the name as written */
    struct qm_span raw;                     /* QM_HTML_RAW: what is inside */
    struct qm_span href, alt, style, start; /* as written; empty: none */
    struct qm_span src, srcset, background;
};

struct qm_html {
    struct qm_span input;
    size_t at;
};

QM_DECLS_BEGIN

void qm_html_init(struct qm_html *html, struct qm_span input);

/* The next one; after the last QM_HTML_END_OF_INPUT, again and again. */
void qm_html_next(struct qm_html *html, struct qm_html_token *token_out);

QM_DECLS_END

#endif
