#include "codec/qm_html_style.h"

#include "base/qm_ascii.h"
#include "codec/qm_html_space.h"

/* Nothing of an element shows that is both. */
enum {
    FLAT = 16,   /* height: 0 */
    CLIPPED = 32 /* overflow: hidden */
};

static bool is_word(struct qm_span text, const char *word)
{
    return qm_ascii_equal_nocase(text, qm_span_of(word));
}

/* The first word of a value: without "!important". */
static struct qm_span first_word(struct qm_span value)
{
    size_t len = 0;

    while (len < value.len && !qm_html_is_space(value.ptr[len]) &&
           value.ptr[len] != '!') {
        len++;
    }
    return qm_span_make(value.ptr, len);
}

/* The digits of a length; what follows them is its unit. */
static struct qm_span number_of(struct qm_span value, struct qm_span *unit_out)
{
    size_t len = 0;

    while (len < value.len &&
           (qm_ascii_is_digit((unsigned char)value.ptr[len]) ||
            value.ptr[len] == '.')) {
        len++;
    }
    *unit_out = qm_span_from(value, len);
    return qm_span_make(value.ptr, len);
}

static bool is_zero(struct qm_span value)
{
    struct qm_span unit;
    struct qm_span number = number_of(value, &unit);
    size_t i;

    for (i = 0; i < number.len; i++) {
        if (number.ptr[i] != '0' && number.ptr[i] != '.') {
            return false;
        }
    }
    return number.len > 0;
}

/* A share of nothing is nothing. */
static unsigned of_font_size(struct qm_span value)
{
    struct qm_span unit;

    if (is_zero(value)) {
        return QM_HTML_STYLE_TINY;
    }
    (void)number_of(value, &unit);
    if (value.len == 0 || is_word(unit, "em") || is_word(unit, "%") ||
        is_word(value, "inherit")) {
        return QM_HTML_STYLE_NONE;
    }
    return QM_HTML_STYLE_SIZED;
}

static unsigned of_display(struct qm_span value)
{
    if (is_word(value, "none")) {
        return QM_HTML_STYLE_HIDDEN;
    }
    return is_word(value, "block") || is_word(value, "table") ||
                   is_word(value, "flex") || is_word(value, "grid") ||
                   is_word(value, "list-item")
               ? QM_HTML_STYLE_BLOCK
               : QM_HTML_STYLE_NONE;
}

static unsigned of_declaration(struct qm_span name, struct qm_span value)
{
    if (is_word(name, "display")) {
        return of_display(value);
    } else if (is_word(name, "font-size")) {
        return of_font_size(value);
    } else if ((is_word(name, "visibility") &&
                (is_word(value, "hidden") || is_word(value, "collapse"))) ||
               ((is_word(name, "max-height") || is_word(name, "opacity")) &&
                is_zero(value))) {
        return QM_HTML_STYLE_HIDDEN;
    } else if (is_word(name, "height") && is_zero(value)) {
        return FLAT;
    }
    return is_word(name, "overflow") && is_word(value, "hidden")
               ? CLIPPED
               : QM_HTML_STYLE_NONE;
}

/* Bytes before the first `c`; all where there is none. */
static size_t length_to(struct qm_span text, char c)
{
    const char *found = text.len > 0 ? memchr(text.ptr, c, text.len) : NULL;

    return found == NULL ? text.len : (size_t)(found - text.ptr);
}

unsigned qm_html_style_of(struct qm_span style)
{
    const unsigned sizes = QM_HTML_STYLE_TINY | QM_HTML_STYLE_SIZED;
    const unsigned gone = FLAT | CLIPPED;
    unsigned result = QM_HTML_STYLE_NONE;

    while (style.len > 0) {
        size_t len = length_to(style, ';');
        struct qm_span one = qm_span_make(style.ptr, len);
        size_t colon = length_to(one, ':');
        unsigned found = of_declaration(
            qm_html_trim(qm_span_make(one.ptr, colon)),
            first_word(qm_html_trim(qm_span_from(one, colon + 1))));

        if ((found & sizes) != 0) {
            result &= ~sizes; /* the last one holds */
        }
        result |= found;
        style = qm_span_from(style, len + 1);
    }
    if ((result & gone) == gone) {
        result |= QM_HTML_STYLE_HIDDEN;
    }
    return result & ~gone;
}
