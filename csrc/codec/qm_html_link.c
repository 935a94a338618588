#include "codec/qm_html_link.h"

#include "base/qm_ascii.h"
#include "base/qm_utf8.h"
#include "codec/qm_entity.h"

static bool begins_with(struct qm_span text, const char *start)
{
    size_t len = strlen(start);

    return text.len >= len && qm_ascii_equal_nocase(qm_span_make(text.ptr, len),
                                                    qm_span_of(start));
}

static struct qm_span without(struct qm_span text, const char *start)
{
    return begins_with(text, start) ? qm_span_from(text, strlen(start)) : text;
}

static bool is_blank(char c)
{
    return qm_ascii_is_control((unsigned char)c) || c == ' ';
}

static struct qm_span trimmed(struct qm_span text)
{
    while (text.len > 0 && is_blank(text.ptr[0])) {
        text = qm_span_from(text, 1);
    }
    while (text.len > 0 && is_blank(text.ptr[text.len - 1])) {
        text.len--;
    }
    return text;
}

/* RFC 3986, 3.1: a scheme, and "//" behind it. */
static bool has_authority(struct qm_span href)
{
    size_t i = 0;

    while (i < href.len &&
           (qm_ascii_is_alnum((unsigned char)href.ptr[i]) ||
            href.ptr[i] == '+' || href.ptr[i] == '-' || href.ptr[i] == '.')) {
        i++;
    }
    return i > 0 && href.len > i + 3 && memcmp(href.ptr + i, "://", 3) == 0;
}

bool qm_html_link_leads(struct qm_span href)
{
    href = trimmed(href);
    return (has_authority(href) && !begins_with(href, "javascript:") &&
            !begins_with(href, "file:")) ||
           (begins_with(href, "mailto:") && href.len > 7) ||
           (begins_with(href, "tel:") && href.len > 4);
}

/* One character of an address: what would end it early is escaped. */
static void append_point(struct qm_buf *out, uint32_t point)
{
    char bytes[4];
    size_t len;

    if (point == ' ') {
        (void)qm_buf_append_text(out, "%20"); /* sticky, as are all here */
    } else if (point == '<') {
        (void)qm_buf_append_text(out, "%3C");
    } else if (point == '>') {
        (void)qm_buf_append_text(out, "%3E");
    } else if (point >= 0x20 && point != 0x7f) {
        len = qm_entity_put(point, bytes);
        (void)qm_buf_append(out, qm_span_make(bytes, len));
    }
}

static void append_decoded(struct qm_buf *out, struct qm_span href)
{
    while (href.len > 0 && out->err == QM_OK) {
        uint32_t point;
        size_t len = href.ptr[0] == '&' ? qm_entity_read(href, &point) : 0;

        if (len > 0) {
            append_point(out, point);
        } else if ((len = qm_utf8_char_len(href)) > 1) {
            (void)qm_buf_append(out, qm_span_make(href.ptr, len));
        } else if (len == 1) {
            append_point(out, (unsigned char)href.ptr[0]);
        } else {
            len = 1;
            append_point(out, 0xfffd);
        }
        href = qm_span_from(href, len);
    }
}

/* What people write of an address: no scheme, no slash at the end. */
static struct qm_span spoken(struct qm_span url)
{
    url = without(without(url, "http://"), "https://");
    url = without(without(url, "mailto:"), "www.");
    if (url.len > 0 && url.ptr[url.len - 1] == '/') {
        url.len--;
    }
    return url;
}

static bool ends_with(struct qm_span text, struct qm_span end)
{
    return end.len > 0 && text.len >= end.len &&
           qm_ascii_equal_nocase(qm_span_from(text, text.len - end.len), end) &&
           (text.len == end.len ||
            !qm_ascii_is_alnum(
                (unsigned char)text.ptr[text.len - end.len - 1]));
}

/* The address as it is written: people know what mail and phones are. */
static struct qm_span written(struct qm_span href)
{
    struct qm_span rest = without(trimmed(href), "mailto:");
    const char *question;

    if (!begins_with(trimmed(href), "mailto:")) {
        return without(rest, "tel:");
    }
    question = rest.len == 0 ? NULL : memchr(rest.ptr, '?', rest.len);
    return question == NULL
               ? rest
               : qm_span_make(rest.ptr, (size_t)(question - rest.ptr));
}

static bool says(struct qm_span text, struct qm_span href, struct qm_span url)
{
    if (begins_with(trimmed(href), "tel:")) {
        return qm_ascii_has(text, qm_ascii_is_digit);
    }
    return ends_with(spoken(trimmed(text)), spoken(url));
}

void qm_html_link_append(struct qm_buf *out, struct qm_span href,
                         size_t text_at)
{
    size_t end = qm_buf_len(out);
    const char *start = text_at < end ? " <" : "<";
    size_t url_at = end + strlen(start);
    struct qm_span all;

    if (!qm_html_link_leads(href)) {
        return;
    }
    (void)qm_buf_append_text(out, start);
    append_decoded(out, written(href));
    if (out->err != QM_OK) {
        return;
    }
    all = qm_buf_span(out);
    if (all.len == url_at ||
        says(qm_span_make(all.ptr + text_at, end - text_at), href,
             qm_span_from(all, url_at))) {
        qm_buf_truncate(out, end);
    } else {
        (void)qm_buf_append_text(out, ">");
    }
}
