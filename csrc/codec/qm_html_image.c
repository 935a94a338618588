#include "codec/qm_html_image.h"

#include "base/qm_ascii.h"
#include "codec/qm_entity.h"
#include "codec/qm_html_space.h"

static bool is_word(struct qm_span text, const char *word)
{
    return qm_ascii_equal_nocase(text, qm_span_of(word));
}

/* --- CSS ------------------------------------------------------------------ */

/* The character at the front, a reference taken for what it stands for. */
static uint32_t read_point(const struct qm_html_value *css, size_t *len_out)
{
    uint32_t point = 0;

    *len_out = 0;
    if (css->has_entities && css->text.ptr[0] == '&') {
        *len_out = qm_entity_read(css->text, &point);
    }
    if (*len_out == 0) {
        *len_out = 1;
        point = (unsigned char)css->text.ptr[0];
    }
    return point;
}

static void skip(struct qm_html_value *css, size_t len)
{
    css->text = qm_span_from(css->text, len);
}

/*
 * Takes what stands before the quote; the rest begins behind it. False, with
 * nothing left, where it does not come.
 */
static bool take_quoted(struct qm_html_value *css, uint32_t quote,
                        struct qm_span *inside_out)
{
    const char *first = css->text.ptr;

    while (css->text.len > 0) {
        size_t len;
        uint32_t point = read_point(css, &len);

        if (point == quote) {
            *inside_out = qm_span_make(first, (size_t)(css->text.ptr - first));
            skip(css, len);
            return true;
        }
        if (point == '\\' && css->text.len > len) {
            len++;
        }
        skip(css, len);
    }
    return false;
}

/* Behind "url(". */
static bool take_address(struct qm_html_value *css, struct qm_span *url_out)
{
    const char *end;
    uint32_t point;
    size_t len;

    while (css->text.len > 0 && qm_html_is_space(css->text.ptr[0])) {
        skip(css, 1);
    }
    if (css->text.len == 0) {
        return false;
    }
    point = read_point(css, &len);
    if (point == '"' || point == '\'') {
        skip(css, len);
        return take_quoted(css, point, url_out);
    }
    end = memchr(css->text.ptr, ')', css->text.len);
    if (end == NULL) {
        skip(css, css->text.len);
        return false;
    }
    len = (size_t)(end - css->text.ptr);
    *url_out = qm_span_make(css->text.ptr, len);
    skip(css, len + 1);
    return true;
}

static void skip_css_comment(struct qm_html_value *css)
{
    skip(css, 2);
    while (css->text.len >= 2) {
        const char *star = memchr(css->text.ptr, '*', css->text.len - 1);

        if (star == NULL) {
            break;
        }
        skip(css, (size_t)(star - css->text.ptr) + 1);
        if (css->text.ptr != NULL && css->text.ptr[0] == '/') {
            return;
        }
    }
    skip(css, css->text.len);
}

static bool is_name_char(char c)
{
    return qm_ascii_is_alnum((unsigned char)c) || c == '-' || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* A whole name, so that the end of another one is not taken for "url". */
static bool take_url_name(struct qm_html_value *css)
{
    size_t len = 0;
    struct qm_span name;

    while (len < css->text.len && is_name_char(css->text.ptr[len])) {
        len++;
    }
    name = qm_span_make(css->text.ptr, len);
    skip(css, len);
    if (!is_word(name, "url") || css->text.len == 0 ||
        css->text.ptr[0] != '(') {
        return false;
    }
    skip(css, 1);
    return true;
}

static bool next_in_css(struct qm_html_value *css, struct qm_span *url_out)
{
    while (css->text.len > 0) {
        struct qm_span text = css->text;

        if (is_name_char(text.ptr[0])) {
            if (take_url_name(css) && take_address(css, url_out)) {
                return true;
            }
        } else if (text.len > 1 && memcmp(text.ptr, "/*", 2) == 0) {
            skip_css_comment(css);
        } else if (text.ptr[0] == '"' || text.ptr[0] == '\'') {
            skip(css, 1);
            (void)take_quoted(css, (unsigned char)text.ptr[0], &text);
        } else {
            skip(css, 1);
        }
    }
    return false;
}

/* --- srcset --------------------------------------------------------------- */

/*
 * HTML, "parsing a srcset attribute": an address goes to the next white space;
 * commas at its end are none of it, and without one a description follows.
 */
static bool next_in_srcset(struct qm_html_value *set, struct qm_span *url_out)
{
    struct qm_span text = set->text;
    size_t first = 0;
    size_t end;
    size_t rest;

    while (first < text.len &&
           (text.ptr[first] == ',' || qm_html_is_space(text.ptr[first]))) {
        first++;
    }
    rest = first;
    while (rest < text.len && !qm_html_is_space(text.ptr[rest])) {
        rest++;
    }
    end = rest;
    while (end > first && text.ptr[end - 1] == ',') {
        end--;
    }
    if (end == rest) {
        while (rest < text.len && text.ptr[rest] != ',') {
            rest++;
        }
    }
    *url_out = qm_span_make(text.ptr + first, end - first);
    set->text = qm_span_from(text, rest);
    return end > first;
}

/* --- HTML ----------------------------------------------------------------- */

/* Keeps the values in the order of the input. */
static void note(struct qm_html_images *images, struct qm_span text,
                 enum qm_html_image_form form)
{
    size_t i = images->count;

    if (text.len == 0) {
        return;
    }
    while (i > 0 && images->values[i - 1].text.ptr > text.ptr) {
        images->values[i] = images->values[i - 1];
        i--;
    }
    images->values[i].text = text;
    images->values[i].form = form;
    images->values[i].has_entities = true;
    images->count++;
}

static void note_tag(struct qm_html_images *images,
                     const struct qm_html_token *token)
{
    images->count = 0;
    images->next = 0;
    if (token->type != QM_HTML_START) {
        return;
    }
    if (token->kind == QM_HTML_IMAGE || is_word(token->tag, "input")) {
        note(images, token->src, QM_HTML_ADDRESS);
    }
    if (token->kind == QM_HTML_IMAGE || is_word(token->tag, "source")) {
        note(images, token->srcset, QM_HTML_SRCSET);
    }
    note(images, token->background, QM_HTML_ADDRESS);
    note(images, token->style, QM_HTML_CSS);
    if (is_word(token->tag, "style")) {
        images->left.text = token->raw;
        images->left.has_entities = false;
    }
}

void qm_html_images_init(struct qm_html_images *images, struct qm_span html)
{
    memset(images, 0, sizeof(*images));
    qm_html_init(&images->html, html);
}

/* The next value of the input; false at its end. */
static bool next_value(struct qm_html_images *images,
                       struct qm_html_value *value_out)
{
    while (images->next == images->count) {
        struct qm_html_token token;

        if (images->left.text.len > 0) {
            *value_out = images->left;
            value_out->form = QM_HTML_CSS;
            images->left.text.len = 0;
            return true;
        }
        qm_html_next(&images->html, &token);
        if (token.type == QM_HTML_END_OF_INPUT) {
            return false;
        }
        note_tag(images, &token);
    }
    *value_out = images->values[images->next++];
    return true;
}

/* The next address of the value being looked at; false when it has no more. */
static bool next_in_open(struct qm_html_value *open, struct qm_span *url_out)
{
    struct qm_span text = open->text;

    if (text.len == 0) {
        return false;
    }
    if (open->form == QM_HTML_ADDRESS) {
        *url_out = text;
        open->text.len = 0;
        return true;
    }
    return open->form == QM_HTML_CSS ? next_in_css(open, url_out)
                                     : next_in_srcset(open, url_out);
}

bool qm_html_images_next(struct qm_html_images *images,
                         struct qm_html_value *address_out)
{
    for (;;) {
        struct qm_span url;

        if (!next_in_open(&images->open, &url)) {
            if (!next_value(images, &images->open)) {
                return false;
            }
            continue;
        }
        *address_out = images->open;
        address_out->text = qm_html_trim(url);
        if (address_out->text.len > 0) {
            return true;
        }
    }
}

enum qm_err qm_html_image_append(struct qm_buf *out,
                                 const struct qm_html_value *address)
{
    struct qm_span text = address->text;

    while (text.len > 0 && out->err == QM_OK) {
        uint32_t point;
        size_t len = 0;

        if (address->has_entities && text.ptr[0] == '&') {
            len = qm_entity_read(text, &point);
        }
        if (len > 0) {
            char bytes[4];

            (void)qm_buf_append(
                out, qm_span_make(bytes, qm_entity_put(point, bytes)));
        } else {
            len = 1;
            (void)qm_buf_append_char(out, text.ptr[0]);
        }
        text = qm_span_from(text, len);
    }
    return out->err;
}
