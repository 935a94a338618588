#include "codec/qm_html_line.h"

#include "base/qm_utf8.h"
#include "codec/qm_entity.h"

struct range {
    uint32_t first;
    uint32_t last;
};

/* White space that is collapsed: nbsp and the widths of typography too. */
static const struct range spaces[] = { { 0x09, 0x0a },     { 0x0c, 0x0d },
                                       { 0x20, 0x20 },     { 0xa0, 0xa0 },
                                       { 0x1680, 0x1680 }, { 0x2000, 0x200a },
                                       { 0x2028, 0x2029 }, { 0x202f, 0x202f },
                                       { 0x205f, 0x205f } };

/* Shows nothing: control characters, and what mails fill a preview with. */
static const struct range nothings[] = {
    { 0x00, 0x08 },     { 0x0b, 0x0b },     { 0x0e, 0x1f },
    { 0x7f, 0x9f },     { 0xad, 0xad },     { 0x34f, 0x34f },
    { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180e },
    { 0x200b, 0x200b }, { 0x200e, 0x200e }, { 0x2060, 0x2064 },
    { 0x3164, 0x3164 }, { 0xfeff, 0xfeff }
};

/*
 * Characters of scripts without blanks between words: a line end of the source
 * between two of them is none (CSS Text 3, 4.1.3). Not Hangul.
 */
static const struct range wide[] = {
    { 0x2e80, 0x312f },   { 0x31a0, 0x4dbf },  { 0x4e00, 0x9fff },
    { 0xf900, 0xfaff },   { 0xfe30, 0xfe4f },  { 0xff01, 0xff60 },
    { 0x1f200, 0x1f2ff }, { 0x20000, 0x3ffff }
};

/* Dots, dashes and quotes that they have in common with other scripts. */
static const struct range shared[] = { { 0xb7, 0xb7 },
                                       { 0x2014, 0x2015 },
                                       { 0x2018, 0x2019 },
                                       { 0x201c, 0x201d },
                                       { 0x2025, 0x2026 } };

static bool is_in(uint32_t point, const struct range *ranges, size_t count)
{
    size_t i;

    for (i = 0; i < count && point >= ranges[i].first; i++) {
        if (point <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

static bool is_space(uint32_t point)
{
    return is_in(point, spaces, QM_COUNTOF(spaces));
}

static bool is_nothing(uint32_t point)
{
    return is_in(point, nothings, QM_COUNTOF(nothings));
}

static bool is_wide(uint32_t point)
{
    return is_in(point, wide, QM_COUNTOF(wide));
}

/* Whether a line end of the source between the two is none. */
static bool is_unbroken(uint32_t before, uint32_t after)
{
    bool has_wide = is_wide(before);

    if (!has_wide && !is_wide(after)) {
        return false;
    }
    return (has_wide && is_wide(after)) ||
           is_in(has_wide ? after : before, shared, QM_COUNTOF(shared));
}

static bool is_joiner(uint32_t point)
{
    return point == 0x200c || point == 0x200d;
}

static void append_point(struct qm_buf *out, uint32_t point)
{
    char bytes[4];
    size_t len = qm_entity_put(point, bytes);

    (void)qm_buf_append(out, qm_span_make(bytes, len)); /* sticky */
}

static void append_text(struct qm_buf *out, const char *text)
{
    (void)qm_buf_append_text(out, text); /* sticky */
}

void qm_html_line_init(struct qm_html_line *line, struct qm_buf *out)
{
    memset(line, 0, sizeof(*line));
    line->out = out;
}

/* --- line ends ------------------------------------------------------------ */

static void end_line(struct qm_html_line *line)
{
    line->is_open = false;
    line->has_space = false;
    line->at_line_end = false;
    line->joiner = 0;
}

void qm_html_line_break(struct qm_html_line *line, size_t count)
{
    if (line->is_fresh && line->gaps > 0) {
        return;
    }
    if ((line->is_fresh || line->marker_len > 0) && count > 1) {
        count = 1;
    }
    if (line->breaks < count) {
        line->breaks = count;
    }
    end_line(line);
}

void qm_html_line_br(struct qm_html_line *line)
{
    if (line->is_fresh && line->gaps > 0) {
        return;
    }
    if (line->breaks < 2 || line->is_pre) {
        line->breaks++;
    }
    end_line(line);
}

void qm_html_line_reopen(struct qm_html_line *line)
{
    line->breaks = 0;
    line->is_open = true;
    line->has_space = false;
    line->joiner = 0;
}

/* --- the start of a text -------------------------------------------------- */

static void append_marks(struct qm_html_line *line, unsigned count)
{
    unsigned i;

    for (i = 0; i < count; i++) {
        append_text(line->out, i == 0 ? ">" : " >");
    }
}

static void append_breaks(struct qm_html_line *line)
{
    unsigned quotes =
        line->quotes < line->last_quotes ? line->quotes : line->last_quotes;
    size_t i;

    if (qm_buf_len(line->out) == 0) {
        return;
    }
    for (i = 0; i < line->breaks; i++) {
        if (i > 0) {
            append_marks(line, quotes);
        }
        append_text(line->out, "\n");
    }
}

static void append_prefix(struct qm_html_line *line)
{
    size_t columns =
        line->indent > line->marker_len ? line->indent - line->marker_len : 0;

    append_marks(line, line->quotes);
    if (line->quotes > 0) {
        append_text(line->out, " ");
    }
    while (columns > 0) {
        append_text(line->out, " ");
        columns--;
    }
    (void)qm_buf_append(line->out,
                        qm_span_make(line->marker, line->marker_len));
    line->marker_len = 0;
}

static void open_line(struct qm_html_line *line)
{
    append_breaks(line);
    append_prefix(line);
    while (line->gaps > 0 && line->keeps_gaps) {
        append_text(line->out, "| ");
        line->gaps--;
    }
    line->lines++;
    line->breaks = 0;
    line->last_quotes = line->quotes;
    line->is_open = true;
}

static void append_gaps(struct qm_html_line *line)
{
    do {
        append_text(line->out, " |");
        line->gaps--;
    } while (line->gaps > 0 && line->keeps_gaps);
    append_text(line->out, " ");
}

void qm_html_line_begin(struct qm_html_line *line, uint32_t next)
{
    if (!line->is_open) {
        open_line(line);
    } else if (line->gaps > 0) {
        append_gaps(line);
    } else if (line->has_space) {
        if (!(line->at_line_end && is_unbroken(line->last, next))) {
            append_text(line->out, " ");
        }
    } else if (line->joiner != 0 && line->last >= 0x80 && next >= 0x80) {
        append_point(line->out, line->joiner);
    }
    line->gaps = 0;
    line->is_fresh = false;
    line->has_space = false;
    line->at_line_end = false;
    line->joiner = 0;
    line->last = next;
}

/* --- characters ----------------------------------------------------------- */

static void put_space(struct qm_html_line *line, uint32_t point)
{
    line->has_space = true;
    line->at_line_end = line->at_line_end || point == '\n' || point == '\r';
}

/* In <pre>. True when the character is dealt with. */
static bool put_kept(struct qm_html_line *line, uint32_t point)
{
    if (point == '\n') {
        qm_html_line_br(line);
        return true;
    } else if (point == '\t' || (is_space(point) && point != '\r')) {
        qm_html_line_begin(line, ' ');
        append_text(line->out, point == '\t' ? "\t" : " ");
        return true;
    }
    return point == '\r';
}

static void put_point(struct qm_html_line *line, uint32_t point)
{
    if (line->is_pre && put_kept(line, point)) {
        return;
    } else if (is_space(point)) {
        put_space(line, point);
    } else if (is_joiner(point)) {
        line->joiner = point;
    } else if (!is_nothing(point)) {
        qm_html_line_begin(line, point);
        append_point(line->out, point);
    }
}

/* The character at the start of `text`; a wrong byte is U+FFFD. */
static size_t read_point(struct qm_span text, uint32_t *point_out)
{
    static const unsigned char masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    size_t len = qm_utf8_char_len(text);
    uint32_t point;
    size_t i;

    if (len == 0) {
        *point_out = 0xfffd;
        return 1;
    }
    point = (unsigned char)text.ptr[0] & masks[len];
    for (i = 1; i < len; i++) {
        point = point << 6 | ((unsigned char)text.ptr[i] & 0x3f);
    }
    *point_out = point;
    return len;
}

void qm_html_line_put(struct qm_html_line *line, struct qm_span text)
{
    while (text.len > 0 && line->out->err == QM_OK) {
        uint32_t point = '&';
        size_t len = 0;

        if (text.ptr[0] == '&') {
            len = qm_entity_read(text, &point);
        }
        if (len == 0) {
            len = read_point(text, &point);
        }
        put_point(line, point);
        text = qm_span_from(text, len);
    }
}
