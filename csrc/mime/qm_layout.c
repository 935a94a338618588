#include "mime/qm_layout.h"

#include "base/qm_ascii.h"
#include "base/qm_mem.h"
#include "base/qm_utf8.h"

/* Levels differ in one letter at the end: none is the beginning of another. */
enum level {
    LEVEL_SIGNED = 's',
    LEVEL_MIXED = 'm',
    LEVEL_RELATED = 'r',
    LEVEL_ALTERNATIVE = 'a'
};

struct layout {
    struct qm_message *m;
    struct qm_buf *text;
    struct qm_span boundary;
    size_t bodies; /* text, html, calendar */
    size_t inlines;
    size_t attachments;
    bool is_sealed;  /* one part of role QM_PART_SMIME is all there is */
    enum qm_err err; /* first failure; every step after it does nothing */
};

/* --- segments ------------------------------------------------------------ */

static enum qm_err add_segment(struct qm_message *m, struct qm_segment segment)
{
    if (m->segment_count == m->segment_room) {
        size_t room = m->segment_room > 0 ? 2 * m->segment_room : 8;
        struct qm_segment *segments =
            qm_mem_resize(m->segments, room * sizeof(*segments));

        if (segments == NULL) {
            return QM_E_MEMORY;
        }
        m->segments = segments;
        m->segment_room = room;
    }
    m->segments[m->segment_count++] = segment;
    return QM_OK;
}

/* Lists the text written since the last call. */
static void flush_text(struct layout *layout, bool in_seven, bool in_eight)
{
    struct qm_message *m = layout->m;
    size_t len = qm_buf_len(layout->text);
    struct qm_segment segment = { 0, 0, false, { false, false } };

    if (layout->err == QM_OK) {
        layout->err = layout->text->err;
    }
    if (layout->err != QM_OK || len == m->marked) {
        return;
    }
    segment.start = m->marked;
    segment.len = len - m->marked;
    segment.in_mode[QM_PART_SEVEN] = in_seven;
    segment.in_mode[QM_PART_EIGHT] = in_eight;
    m->marked = len;
    layout->err = add_segment(m, segment);
}

static void add_body(struct layout *layout, size_t part)
{
    struct qm_segment segment = { 0, 0, true, { true, true } };

    flush_text(layout, true, true);
    segment.start = part;
    if (layout->err == QM_OK) {
        layout->err = add_segment(layout->m, segment);
    }
}

static void put(struct layout *layout, const char *text)
{
    (void)qm_buf_append_text(layout->text, text);
}

static void put_boundary(struct layout *layout, enum level level)
{
    put(layout, "=_");
    (void)qm_buf_append(layout->text, layout->boundary);
    (void)qm_buf_append_char(layout->text, (char)level);
}

/* --- leaves -------------------------------------------------------------- */

static void put_encoding(struct layout *layout, enum qm_encoding encoding)
{
    put(layout, "Content-Transfer-Encoding: ");
    put(layout, qm_encoding_name(encoding));
    put(layout, "\r\n");
}

static void add_leaf(struct layout *layout, size_t index)
{
    struct qm_part *part = &layout->m->parts[index];

    if (layout->err != QM_OK) {
        return;
    }
    layout->err = qm_part_append_fields(part, layout->text);
    if (layout->err != QM_OK) {
        layout->m->fault_part = index;
        return;
    }
    if (part->encoding[QM_PART_SEVEN] == part->encoding[QM_PART_EIGHT]) {
        put_encoding(layout, part->encoding[QM_PART_SEVEN]);
    } else {
        flush_text(layout, true, true);
        put_encoding(layout, part->encoding[QM_PART_SEVEN]);
        flush_text(layout, true, false);
        put_encoding(layout, part->encoding[QM_PART_EIGHT]);
        flush_text(layout, false, true);
    }
    put(layout, "\r\n");
    add_body(layout, index);
}

/* --- levels -------------------------------------------------------------- */

static bool is_within(enum qm_part_role role, enum level level)
{
    return level == LEVEL_MIXED || level == LEVEL_SIGNED ||
           !qm_part_role_is_attached(role);
}

static bool is_level_eightbit(const struct layout *layout, enum level level,
                              size_t mode)
{
    size_t i;

    for (i = 0; i < layout->m->part_count; i++) {
        const struct qm_part *part = &layout->m->parts[i];

        if (part->encoding[mode] == QM_ENCODING_8BIT &&
            is_within(part->role, level)) {
            return true;
        }
    }
    return false;
}

/* RFC 2045 section 6.4: what has 8bit inside is not 7bit itself. */
static void put_level_encoding(struct layout *layout, enum level level)
{
    if (!is_level_eightbit(layout, level, QM_PART_EIGHT)) {
        return;
    }
    if (is_level_eightbit(layout, level, QM_PART_SEVEN)) {
        put_encoding(layout, QM_ENCODING_8BIT);
        return;
    }
    flush_text(layout, true, true);
    put_encoding(layout, QM_ENCODING_8BIT);
    flush_text(layout, false, true);
}

/* `root`: the type parameter RFC 2387 section 3.1 wants, or NULL. */
static void open_level(struct layout *layout, enum level level,
                       const char *subtype, const char *root)
{
    put(layout, "Content-Type: multipart/");
    put(layout, subtype);
    put(layout, ";\r\n boundary=\"");
    put_boundary(layout, level);
    put(layout, "\"");
    if (root != NULL) {
        put(layout, ";\r\n type=\"");
        put(layout, root);
        put(layout, "\"");
    }
    put(layout, "\r\n");
    put_level_encoding(layout, level);
}

/* The CRLF in front belongs to the boundary (RFC 2046 section 5.1.1). */
static void delimit(struct layout *layout, enum level level)
{
    put(layout, "\r\n--");
    put_boundary(layout, level);
    put(layout, "\r\n");
}

static void close_level(struct layout *layout, enum level level)
{
    put(layout, "\r\n--");
    put_boundary(layout, level);
    put(layout, "--");
}

/* All parts of one role, each behind a delimiter when `level` is not 0. */
static void add_role(struct layout *layout, enum qm_part_role role, int level)
{
    size_t i;

    for (i = 0; i < layout->m->part_count; i++) {
        if (layout->m->parts[i].role == role) {
            if (level != 0) {
                delimit(layout, (enum level)level);
            }
            add_leaf(layout, i);
        }
    }
}

/* In the order in which they were given, whatever they are. */
static void add_attached(struct layout *layout)
{
    size_t i;

    for (i = 0; i < layout->m->part_count; i++) {
        if (qm_part_role_is_attached(layout->m->parts[i].role)) {
            delimit(layout, LEVEL_MIXED);
            add_leaf(layout, i);
        }
    }
}

/* From the plainest to the richest (RFC 2046 section 5.1.4). */
static void add_texts(struct layout *layout, int level)
{
    add_role(layout, QM_PART_TEXT, level);
    add_role(layout, QM_PART_HTML, level);
    add_role(layout, QM_PART_CALENDAR, level);
}

static void add_alternative(struct layout *layout)
{
    if (layout->bodies == 1) {
        add_texts(layout, 0);
        return;
    }
    open_level(layout, LEVEL_ALTERNATIVE, "alternative", NULL);
    add_texts(layout, LEVEL_ALTERNATIVE);
    close_level(layout, LEVEL_ALTERNATIVE);
}

static const char *root_type(const struct layout *layout)
{
    size_t i;

    for (i = 0; i < layout->m->part_count && layout->bodies == 1; i++) {
        if (layout->m->parts[i].role == QM_PART_TEXT) {
            return "text/plain";
        }
        if (layout->m->parts[i].role == QM_PART_HTML) {
            return "text/html";
        }
        if (layout->m->parts[i].role == QM_PART_CALENDAR) {
            return "text/calendar";
        }
    }
    return "multipart/alternative";
}

static void add_related(struct layout *layout)
{
    if (layout->inlines == 0) {
        add_alternative(layout);
        return;
    }
    open_level(layout, LEVEL_RELATED, "related", root_type(layout));
    delimit(layout, LEVEL_RELATED);
    add_alternative(layout);
    add_role(layout, QM_PART_INLINE, LEVEL_RELATED);
    close_level(layout, LEVEL_RELATED);
}

/* Inline parts without a body they could belong to are put beside the rest. */
static void add_mixed(struct layout *layout)
{
    open_level(layout, LEVEL_MIXED, "mixed", NULL);
    if (layout->bodies > 0) {
        delimit(layout, LEVEL_MIXED);
        add_related(layout);
    } else {
        add_role(layout, QM_PART_INLINE, LEVEL_MIXED);
    }
    add_attached(layout);
    close_level(layout, LEVEL_MIXED);
}

static void add_content(struct layout *layout)
{
    if (layout->is_sealed) {
        add_role(layout, QM_PART_SMIME, 0);
    } else if (layout->attachments > 0 || layout->bodies == 0) {
        add_mixed(layout);
    } else {
        add_related(layout);
    }
}

/* RFC 8551 section 3.5.3.2 names the parameters; SHA-256 is what it wants. */
static void add_signed(struct layout *layout)
{
    struct qm_message *m = layout->m;

    open_level(layout, LEVEL_SIGNED,
               "signed;\r\n protocol=\"application/pkcs7-signature\"; "
               "micalg=sha-256",
               NULL);
    delimit(layout, LEVEL_SIGNED);
    flush_text(layout, true, true);
    m->signed_start = m->segment_count;
    add_content(layout);
    flush_text(layout, true, true);
    m->signed_end = m->segment_count;
    delimit(layout, LEVEL_SIGNED);
    add_role(layout, QM_PART_SMIME, 0);
    close_level(layout, LEVEL_SIGNED);
}

/* --- the whole ----------------------------------------------------------- */

static bool is_boundary(struct qm_span text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if (!qm_ascii_is_alnum((unsigned char)text.ptr[i])) {
            return false;
        }
    }
    return text.len >= QM_LAYOUT_BOUNDARY_MIN &&
           text.len <= QM_LAYOUT_BOUNDARY_MAX;
}

static void count_parts(struct layout *layout)
{
    size_t i;

    for (i = 0; i < layout->m->part_count; i++) {
        enum qm_part_role role = layout->m->parts[i].role;

        if (role == QM_PART_INLINE) {
            layout->inlines++;
        } else if (qm_part_role_is_attached(role)) {
            layout->attachments++;
        } else if (role != QM_PART_SMIME) {
            layout->bodies++;
        }
    }
    layout->is_sealed =
        layout->m->part_count == 1 && layout->m->parts[0].role == QM_PART_SMIME;
}

static enum qm_err measure_parts(struct qm_message *m, bool alone)
{
    size_t i;

    for (i = 0; i < m->part_count; i++) {
        struct qm_part *part = &m->parts[i];
        enum qm_err err;

        part->alone = alone;
        part->strict = m->is_signed || m->is_entity;
        err = qm_part_measure(part, m->slice, QM_MESSAGE_SLICE);
        if (err != QM_OK) {
            m->fault_part = i;
            return err;
        }
    }
    return QM_OK;
}

/* UINT64_MAX is beyond any sum of real sizes, but a caller may promise it. */
static enum qm_err add_size(uint64_t *sum, uint64_t size)
{
    if (size > UINT64_MAX - *sum) {
        return QM_E_LIMIT;
    }
    *sum += size;
    return QM_OK;
}

static enum qm_err sum_sizes(struct qm_message *m, size_t mode)
{
    enum qm_err err = QM_OK;
    size_t i;

    m->size[mode] = 0;
    for (i = 0; i < m->segment_count && err == QM_OK; i++) {
        const struct qm_segment *segment = &m->segments[i];

        if (segment->is_body) {
            const struct qm_part *part = &m->parts[segment->start];

            m->sized = m->sized && part->sized;
            err = add_size(&m->size[mode], part->size[mode]);
        } else if (segment->in_mode[mode]) {
            err = add_size(&m->size[mode], segment->len);
        }
    }
    return err;
}

enum qm_err qm_layout_sum(struct qm_message *m)
{
    enum qm_err err;

    m->sized = true;
    err = sum_sizes(m, QM_PART_SEVEN);
    return err == QM_OK ? sum_sizes(m, QM_PART_EIGHT) : err;
}

static bool is_high(unsigned char c)
{
    return c >= 0x80;
}

/*
 * Bytes above 127 in a header are UTF-8 or nothing (RFC 6532), and need a
 * server with SMTPUTF8.
 */
static enum qm_err check_raw_utf8(struct qm_message *m)
{
    struct qm_span head = qm_buf_span(&m->raw.head);

    m->raw.fault_at = qm_utf8_valid_prefix(head);
    if (m->raw.fault_at < head.len) {
        return QM_E_UTF8;
    }
    m->header.utf8 = qm_ascii_has(qm_buf_span(&m->header.text), is_high);
    return QM_OK;
}

static enum qm_err finish(struct layout *layout)
{
    flush_text(layout, true, true);
    return layout->err == QM_OK ? qm_layout_sum(layout->m) : layout->err;
}

static enum qm_err take_head(struct qm_message *m, struct qm_part *part)
{
    struct qm_span bytes;
    enum qm_err err = qm_source_open(&part->source);

    while (err == QM_OK && !m->raw.done) {
        err = qm_source_next(&part->source, m->slice, QM_MESSAGE_SLICE, &bytes);
        if (err != QM_OK || bytes.len == 0) {
            break;
        }
        err = qm_raw_update(&m->raw, bytes);
    }
    qm_source_close(&part->source);
    if (err == QM_OK) {
        err = qm_raw_finish(&m->raw);
    }
    if (err == QM_OK) {
        err = qm_raw_append_public(&m->raw, &m->header.text);
    }
    if (err == QM_OK) {
        err = check_raw_utf8(m);
    }
    part->fault = QM_PART_SOURCE;
    part->fault_at = m->raw.fault_at;
    return err;
}

static enum qm_err lay_raw(struct layout *layout)
{
    struct qm_message *m = layout->m;
    enum qm_err err;

    if (m->part_count != 1 || qm_buf_len(layout->text) > 0) {
        return QM_E_MISUSE;
    }
    m->fault_part = 0;
    if (m->parts[0].source.kind == QM_SOURCE_PULL) {
        return QM_E_UNSUPPORTED;
    }
    err = take_head(m, &m->parts[0]);
    if (err != QM_OK) {
        return err;
    }
    qm_source_skip(&m->parts[0].source, m->raw.used);
    err = measure_parts(m, true);
    if (err != QM_OK) {
        return err;
    }
    m->fault_part = m->part_count;
    add_body(layout, 0);
    return finish(layout);
}

/* A message of fields alone still has a body: an empty text. */
static enum qm_err add_empty_text(struct qm_message *m)
{
    struct qm_part part;

    memset(&part, 0, sizeof(part));
    qm_source_memory(&part.source, qm_span_make(NULL, 0));
    return qm_message_add_part(m, &part);
}

/* RFC 8551 section 3.2.1 names the file. */
static enum qm_err add_signature(struct qm_message *m)
{
    struct qm_part part;

    memset(&part, 0, sizeof(part));
    part.role = QM_PART_SMIME;
    part.type = qm_span_of("application/pkcs7-signature");
    part.name = qm_span_of("smime.p7s");
    qm_source_memory(&part.source, qm_span_make(NULL, 0));
    return qm_message_add_part(m, &part);
}

static enum qm_err complete_parts(struct qm_message *m)
{
    enum qm_err err = m->part_count == 0 ? add_empty_text(m) : QM_OK;

    if (err == QM_OK && m->is_signed) {
        err = add_signature(m);
    }
    m->fault_part = m->part_count;
    return err;
}

static void add_everything(struct layout *layout)
{
    if (!layout->m->is_entity) {
        put(layout, "MIME-Version: 1.0\r\n");
    }
    if (layout->m->is_signed) {
        add_signed(layout);
    } else {
        add_content(layout);
    }
    if (layout->m->part_count > 1 ||
        (layout->bodies == 0 && !layout->is_sealed)) {
        put(layout, "\r\n"); /* ends the line of the last boundary */
    }
}

static enum qm_err lay_parts(struct layout *layout)
{
    struct qm_message *m = layout->m;
    enum qm_err err;

    if (!is_boundary(layout->boundary)) {
        return QM_E_SYNTAX;
    }
    err = complete_parts(m);
    count_parts(layout);
    if (err == QM_OK) {
        bool alone = layout->bodies == 1 && m->part_count == 1;

        err = measure_parts(m, alone);
    }
    if (err != QM_OK) {
        return err;
    }
    add_everything(layout);
    return finish(layout);
}

enum qm_err qm_layout_make(struct qm_message *m, struct qm_span boundary)
{
    struct layout layout;

    memset(&layout, 0, sizeof(layout));
    layout.m = m;
    layout.text = &m->header.text;
    layout.boundary = boundary;
    m->fault_part = m->part_count;
    m->segment_count = 0;
    m->marked = 0;
    return m->is_raw ? lay_raw(&layout) : lay_parts(&layout);
}
