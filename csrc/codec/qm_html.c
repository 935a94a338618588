#include "codec/qm_html.h"

#include "base/qm_ascii.h"
#include "codec/qm_html_space.h"

struct element {
    const char *name;
    enum qm_html_kind kind;
    uint8_t breaks;
};

/* In the order of their names. */
static const struct element elements[] = {
    { "a", QM_HTML_LINK, 0 },
    { "address", QM_HTML_BLOCK, 1 },
    { "area", QM_HTML_VOID, 0 },
    { "article", QM_HTML_BLOCK, 1 },
    { "aside", QM_HTML_BLOCK, 1 },
    { "base", QM_HTML_VOID, 0 },
    { "blockquote", QM_HTML_QUOTE, 2 },
    { "body", QM_HTML_PAGE, 1 },
    { "br", QM_HTML_BREAK, 0 },
    { "caption", QM_HTML_BLOCK, 1 },
    { "center", QM_HTML_BLOCK, 1 },
    { "col", QM_HTML_VOID, 0 },
    { "datalist", QM_HTML_HIDDEN, 0 },
    { "dd", QM_HTML_DETAIL, 1 },
    { "details", QM_HTML_BLOCK, 1 },
    { "dir", QM_HTML_LIST, 2 },
    { "div", QM_HTML_BLOCK, 1 },
    { "dl", QM_HTML_TERMS, 2 },
    { "dt", QM_HTML_TERM, 1 },
    { "embed", QM_HTML_VOID, 0 },
    { "fieldset", QM_HTML_BLOCK, 1 },
    { "figcaption", QM_HTML_BLOCK, 1 },
    { "figure", QM_HTML_BLOCK, 2 },
    { "footer", QM_HTML_BLOCK, 1 },
    { "form", QM_HTML_BLOCK, 1 },
    { "h1", QM_HTML_BLOCK, 2 },
    { "h2", QM_HTML_BLOCK, 2 },
    { "h3", QM_HTML_BLOCK, 2 },
    { "h4", QM_HTML_BLOCK, 2 },
    { "h5", QM_HTML_BLOCK, 2 },
    { "h6", QM_HTML_BLOCK, 2 },
    { "head", QM_HTML_HEAD, 0 },
    { "header", QM_HTML_BLOCK, 1 },
    { "hr", QM_HTML_RULE, 1 },
    { "html", QM_HTML_PAGE, 0 },
    { "iframe", QM_HTML_RAW, 0 },
    { "img", QM_HTML_IMAGE, 0 },
    { "input", QM_HTML_VOID, 0 },
    { "legend", QM_HTML_BLOCK, 1 },
    { "li", QM_HTML_ITEM, 1 },
    { "link", QM_HTML_VOID, 0 },
    { "main", QM_HTML_BLOCK, 1 },
    { "menu", QM_HTML_LIST, 2 },
    { "meta", QM_HTML_VOID, 0 },
    { "nav", QM_HTML_BLOCK, 1 },
    { "noembed", QM_HTML_RAW, 0 },
    { "noframes", QM_HTML_RAW, 0 },
    { "noscript", QM_HTML_HIDDEN, 0 },
    { "ol", QM_HTML_ORDERED, 2 },
    { "option", QM_HTML_BLOCK, 1 },
    { "p", QM_HTML_P, 2 },
    { "param", QM_HTML_VOID, 0 },
    { "pre", QM_HTML_PRE, 2 },
    { "script", QM_HTML_RAW, 0 },
    { "section", QM_HTML_BLOCK, 1 },
    { "select", QM_HTML_HIDDEN, 0 },
    { "source", QM_HTML_VOID, 0 },
    { "style", QM_HTML_RAW, 0 },
    { "summary", QM_HTML_BLOCK, 1 },
    { "svg", QM_HTML_HIDDEN, 0 },
    { "table", QM_HTML_TABLE, 2 },
    { "tbody", QM_HTML_SECTION, 1 },
    { "td", QM_HTML_CELL, 0 },
    { "template", QM_HTML_HIDDEN, 0 },
    { "textarea", QM_HTML_RAW, 0 },
    { "tfoot", QM_HTML_SECTION, 1 },
    { "th", QM_HTML_HEADCELL, 0 },
    { "thead", QM_HTML_SECTION, 1 },
    { "title", QM_HTML_RAW, 0 },
    { "tr", QM_HTML_ROW, 1 },
    { "track", QM_HTML_VOID, 0 },
    { "ul", QM_HTML_LIST, 2 },
    { "wbr", QM_HTML_VOID, 0 },
    { "xmp", QM_HTML_RAW, 0 },
};

static const struct element unknown = { "", QM_HTML_OTHER, 0 };

/* --- names ---------------------------------------------------------------- */

static int compare(struct qm_span name, const char *other)
{
    size_t i;

    for (i = 0; i < name.len; i++) {
        int a = qm_ascii_lower((unsigned char)name.ptr[i]);
        int b = (unsigned char)other[i];

        if (a != b || b == 0) {
            return b == 0 ? 1 : a - b;
        }
    }
    return other[i] == '\0' ? 0 : -1;
}

static const struct element *find_element(struct qm_span name)
{
    size_t low = 0;
    size_t high = QM_COUNTOF(elements);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(name, elements[middle].name);

        if (order == 0) {
            return &elements[middle];
        } else if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return &unknown;
}

/* FNV-1a: tells names apart that no table holds. */
static uint32_t hash_of(struct qm_span name)
{
    uint32_t hash = 2166136261u;
    size_t i;

    for (i = 0; i < name.len; i++) {
        hash ^= qm_ascii_lower((unsigned char)name.ptr[i]);
        hash *= 16777619u;
    }
    return hash;
}

/* --- tags ----------------------------------------------------------------- */

static void skip_spaces(struct qm_html *html)
{
    while (html->at < html->input.len &&
           qm_html_is_space(html->input.ptr[html->at])) {
        html->at++;
    }
}

/* Up to the first of `stops`, or white space where `at_space`. */
static struct qm_span take_until(struct qm_html *html, const char *stops,
                                 bool at_space)
{
    size_t first = html->at;

    while (html->at < html->input.len) {
        char c = html->input.ptr[html->at];

        if ((c != '\0' && strchr(stops, c) != NULL) ||
            (at_space && qm_html_is_space(c))) {
            break;
        }
        html->at++;
    }
    return qm_span_make(html->input.ptr + first, html->at - first);
}

static bool is_at(const struct qm_html *html, char c)
{
    return html->at < html->input.len && html->input.ptr[html->at] == c;
}

static struct qm_span take_value(struct qm_html *html)
{
    struct qm_span value = { NULL, 0 };

    skip_spaces(html);
    if (!is_at(html, '=')) {
        return value;
    }
    html->at++;
    skip_spaces(html);
    if (is_at(html, '"') || is_at(html, '\'')) {
        const char *quote = is_at(html, '"') ? "\"" : "'";

        html->at++;
        value = take_until(html, quote, false);
        html->at += html->at < html->input.len ? 1 : 0;
        return value;
    }
    return take_until(html, ">", true);
}

static void note_attribute(struct qm_html_token *token, struct qm_span name,
                           struct qm_span value)
{
    struct {
        const char *name;
        struct qm_span *place;
    } rows[] = { { "href", &token->href },
                 { "alt", &token->alt },
                 { "style", &token->style },
                 { "start", &token->start },
                 { "src", &token->src },
                 { "srcset", &token->srcset },
                 { "background", &token->background } };
    size_t i;

    if (compare(name, "hidden") == 0) {
        token->is_hidden = true;
    }
    for (i = 0; i < QM_COUNTOF(rows); i++) {
        if (rows[i].place->ptr == NULL && compare(name, rows[i].name) == 0) {
            *rows[i].place = value;
        }
    }
}

/* From behind the name to behind the '>'. */
static bool take_attributes(struct qm_html *html, struct qm_html_token *token)
{
    for (;;) {
        struct qm_span name;

        skip_spaces(html);
        if (html->at >= html->input.len) {
            return false;
        } else if (is_at(html, '>')) {
            html->at++;
            return true;
        } else if (is_at(html, '/')) {
            html->at++;
            token->is_closed = is_at(html, '>');
            continue;
        }
        name = take_until(html, "/>=", true);
        if (name.len == 0) {
            html->at++; /* a stray '=' begins a name */
            continue;
        }
        note_attribute(token, name, take_value(html));
    }
}

/* --- what is passed over -------------------------------------------------- */

static size_t find(const struct qm_html *html, size_t from, char c)
{
    struct qm_span rest = qm_span_from(html->input, from);
    const char *found = rest.len > 0 ? memchr(rest.ptr, c, rest.len) : NULL;

    return found == NULL ? html->input.len : (size_t)(found - html->input.ptr);
}

static void skip_past(struct qm_html *html, char c)
{
    html->at = find(html, html->at, c);
    html->at += html->at < html->input.len ? 1 : 0;
}

/* Whether what was read since `start` ends so. */
static bool has_read(const struct qm_html *html, size_t start, const char *end)
{
    size_t len = strlen(end);

    return html->at >= start + len &&
           memcmp(html->input.ptr + (html->at - len), end, len) == 0;
}

/*
 * At "<!--"; "<!-->" and "<!--->" are whole comments. "--!>" ends one as well
 * (HTML, 13.2.5.51).
 */
static void skip_comment(struct qm_html *html)
{
    size_t start = html->at + 2;
    size_t content = html->at + 4;
    bool is_end;

    html->at = start;
    do {
        skip_past(html, '>');
        is_end =
            has_read(html, start, "-->") || has_read(html, content, "--!>");
        start = html->at;
        content = start > content ? start : content;
    } while (!is_end && html->at < html->input.len);
}

/* "</name", then no letter. */
static bool ends_raw(struct qm_span rest, struct qm_span name)
{
    return rest.len > name.len + 2 && rest.ptr[1] == '/' &&
           qm_ascii_equal_nocase(qm_span_make(rest.ptr + 2, name.len), name) &&
           !qm_ascii_is_alnum((unsigned char)rest.ptr[name.len + 2]);
}

/* To the end tag of an element whose content is no HTML. */
static void skip_raw(struct qm_html *html, struct qm_span name)
{
    html->at = find(html, html->at, '<');
    while (html->at < html->input.len &&
           !ends_raw(qm_span_from(html->input, html->at), name)) {
        html->at = find(html, html->at + 1, '<');
    }
}

/* --- tokens --------------------------------------------------------------- */

/* At "<x" or "</x". False when the input ends within the tag. */
static bool take_tag(struct qm_html *html, struct qm_html_token *token)
{
    const struct element *element;
    struct qm_span name;

    html->at++;
    token->type = is_at(html, '/') ? QM_HTML_END : QM_HTML_START;
    html->at += token->type == QM_HTML_END ? 1 : 0;
    name = take_until(html, "/>", true);
    element = find_element(name);
    token->kind = element->kind;
    token->breaks = element->breaks;
    token->name = hash_of(name);
    token->tag = name;
    if (!take_attributes(html, token)) {
        return false;
    }
    if (token->kind == QM_HTML_RAW && token->type == QM_HTML_START) {
        size_t first = html->at;

        skip_raw(html, name);
        token->raw = qm_span_make(html->input.ptr + first, html->at - first);
    }
    return true;
}

/* True when text goes on at '<'. */
static bool is_text_at(const struct qm_html *html)
{
    struct qm_span rest = qm_span_from(html->input, html->at);
    size_t letter = rest.len > 1 && rest.ptr[1] == '/' ? 2 : 1;

    if (rest.len > letter &&
        qm_ascii_is_alpha((unsigned char)rest.ptr[letter])) {
        return false;
    }
    return !(rest.len > 1 &&
             (rest.ptr[1] == '!' || rest.ptr[1] == '?' || rest.ptr[1] == '/'));
}

static void take_text(struct qm_html *html, struct qm_html_token *token)
{
    size_t first = html->at;

    do {
        html->at = find(html, html->at + 1, '<');
    } while (html->at < html->input.len && is_text_at(html));
    token->type = QM_HTML_TEXT;
    token->text = qm_span_make(html->input.ptr + first, html->at - first);
}

static bool begins_with(struct qm_span text, const char *start)
{
    size_t len = strlen(start);

    return text.len >= len && memcmp(text.ptr, start, len) == 0;
}

void qm_html_init(struct qm_html *html, struct qm_span input)
{
    html->input = input;
    html->at = 0;
}

void qm_html_next(struct qm_html *html, struct qm_html_token *token_out)
{
    memset(token_out, 0, sizeof(*token_out));
    while (html->at < html->input.len) {
        struct qm_span rest = qm_span_from(html->input, html->at);

        if (rest.ptr[0] != '<' || is_text_at(html)) {
            take_text(html, token_out);
            return;
        } else if (begins_with(rest, "<!--")) {
            skip_comment(html);
        } else if (rest.ptr[1] == '!' || rest.ptr[1] == '?' ||
                   (rest.ptr[1] == '/' &&
                    !(rest.len > 2 &&
                      qm_ascii_is_alpha((unsigned char)rest.ptr[2])))) {
            skip_past(html, '>');
        } else if (take_tag(html, token_out)) {
            return;
        } else {
            memset(token_out, 0, sizeof(*token_out));
        }
    }
}
