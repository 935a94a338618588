#include "mime/qm_message.h"

#include "base/qm_mem.h"
#include "mime/qm_layout.h"

void qm_message_init(struct qm_message *m)
{
    memset(m, 0, sizeof(*m));
    qm_header_init(&m->header, QM_MESSAGE_TEXT_MAX);
    qm_raw_init(&m->raw);
    m->fault_part = SIZE_MAX;
}

static enum qm_err make_slice(struct qm_message *m)
{
    size_t i;

    for (i = 0; i < m->part_count && m->slice == NULL; i++) {
        if (m->parts[i].source.kind == QM_SOURCE_FILE) {
            m->slice = qm_mem_alloc(QM_MESSAGE_SLICE);
            if (m->slice == NULL) {
                return QM_E_MEMORY;
            }
        }
    }
    return QM_OK;
}

static void drop_slice(struct qm_message *m)
{
    qm_mem_free(m->slice);
    m->slice = NULL;
}

static void stop_reading(struct qm_message *m)
{
    size_t part = qm_message_reading_part(m);

    if (part < m->part_count) {
        qm_source_close(&m->parts[part].source);
    }
    m->in_body = false;
    m->reading = false;
    m->input = qm_span_make(NULL, 0);
    drop_slice(m);
}

void qm_message_deinit(struct qm_message *m)
{
    stop_reading(m);
    qm_header_deinit(&m->header);
    qm_raw_deinit(&m->raw);
    qm_mem_free(m->parts);
    qm_mem_free(m->segments);
    qm_message_init(m);
}

static bool is_usual(const struct qm_message *m)
{
    return m->header.text.room <= QM_MESSAGE_KEPT_MAX &&
           m->header.scratch.room <= QM_MESSAGE_KEPT_MAX &&
           m->part_room * sizeof(*m->parts) <= QM_MESSAGE_KEPT_MAX &&
           m->segment_room * sizeof(*m->segments) <= QM_MESSAGE_KEPT_MAX;
}

void qm_message_reset(struct qm_message *m)
{
    struct qm_message old;

    if (!is_usual(m)) {
        qm_message_deinit(m);
        return;
    }
    stop_reading(m);
    qm_raw_deinit(&m->raw);
    old = *m;
    qm_message_init(m);
    m->header.text = old.header.text;
    m->header.scratch = old.header.scratch;
    qm_buf_reset(&m->header.text);
    qm_buf_reset(&m->header.scratch);
    m->parts = old.parts;
    m->part_room = old.part_room;
    m->segments = old.segments;
    m->segment_room = old.segment_room;
}

enum qm_err qm_message_add_part(struct qm_message *m,
                                const struct qm_part *part)
{
    if (m->built || m->part_count >= QM_MESSAGE_PARTS_MAX) {
        return m->built ? QM_E_MISUSE : QM_E_LIMIT;
    }
    if (m->part_count == m->part_room) {
        size_t room = m->part_room > 0 ? 2 * m->part_room : 4;
        struct qm_part *parts =
            qm_mem_resize(m->parts, room * sizeof(*m->parts));

        if (parts == NULL) {
            return QM_E_MEMORY;
        }
        m->parts = parts;
        m->part_room = room;
    }
    m->parts[m->part_count++] = *part;
    m->is_raw = m->is_raw || part->role == QM_PART_RAW;
    return QM_OK;
}

enum qm_err qm_message_build(struct qm_message *m, struct qm_span boundary)
{
    enum qm_err err;

    if (m->built) {
        return QM_E_MISUSE;
    }
    err = make_slice(m);
    if (err == QM_OK) {
        err = qm_layout_make(m, boundary);
    }
    drop_slice(m);
    m->built = err == QM_OK;
    m->err = QM_E_MISUSE; /* until the first rewind */
    return err;
}

static enum qm_err copy_parts(struct qm_message *to,
                              const struct qm_message *from)
{
    size_t count = from->part_count;

    if (count > to->part_room) {
        struct qm_part *parts =
            qm_mem_resize(to->parts, count * sizeof(*parts));

        if (parts == NULL) {
            return QM_E_MEMORY;
        }
        to->parts = parts;
        to->part_room = count;
    }
    to->part_count = count;
    memcpy(to->parts, from->parts, count * sizeof(*to->parts));
    return QM_OK;
}

static enum qm_err copy_segments(struct qm_message *to,
                                 const struct qm_message *from)
{
    size_t count = from->segment_count;

    if (count > to->segment_room) {
        struct qm_segment *segments =
            qm_mem_resize(to->segments, count * sizeof(*segments));

        if (segments == NULL) {
            return QM_E_MEMORY;
        }
        to->segments = segments;
        to->segment_room = count;
    }
    to->segment_count = count;
    memcpy(to->segments, from->segments, count * sizeof(*to->segments));
    return QM_OK;
}

static enum qm_err copy_heap(struct qm_message *to,
                             const struct qm_message *from)
{
    enum qm_err err = copy_parts(to, from);

    if (err == QM_OK) {
        err = copy_segments(to, from);
    }
    if (err != QM_OK) {
        return err;
    }
    return qm_buf_append(&to->header.text, qm_buf_span(&from->header.text));
}

/* A copy begins where a message just built stands: nothing open, no reading. */
enum qm_err qm_message_copy(struct qm_message *to,
                            const struct qm_message *from)
{
    enum qm_err err;
    size_t i;

    if (!from->built) {
        return QM_E_MISUSE;
    }
    for (i = 0; i < from->part_count; i++) {
        if (from->parts[i].source.kind == QM_SOURCE_PULL) {
            return QM_E_UNSUPPORTED;
        }
    }
    err = copy_heap(to, from);
    if (err != QM_OK) {
        qm_message_deinit(to);
        return err;
    }
    for (i = 0; i < to->part_count; i++) {
        to->parts[i].source.fd_plus_one = 0;
    }
    to->header.utf8 = from->header.utf8;
    to->is_raw = from->is_raw;
    to->is_signed = from->is_signed;
    to->is_entity = from->is_entity;
    to->has_signature = from->has_signature;
    to->signed_start = from->signed_start;
    to->signed_end = from->signed_end;
    memcpy(to->size, from->size, sizeof(to->size));
    to->sized = from->sized;
    to->built = true;
    to->err = QM_E_MISUSE;
    return QM_OK;
}

void qm_message_watch(struct qm_message *m)
{
    size_t i;

    for (i = 0; i < m->part_count; i++) {
        qm_source_watch(&m->parts[i].source);
    }
}

enum qm_err qm_message_sign(struct qm_message *m, struct qm_span signature)
{
    struct qm_part *part;
    enum qm_err err;

    if (!m->built || !m->is_signed || m->reading) {
        return QM_E_MISUSE;
    }
    part = &m->parts[m->part_count - 1];
    qm_source_memory(&part->source, signature);
    err = qm_part_measure(part, NULL, 0);
    if (err == QM_OK) {
        err = qm_layout_sum(m);
    }
    m->has_signature = err == QM_OK;
    return err;
}

/* What goes out with 8BITMIME becomes what goes out without. */
static void keep_seven(struct qm_message *m)
{
    size_t i;

    for (i = 0; i < m->segment_count; i++) {
        bool *in_mode = m->segments[i].in_mode;

        in_mode[QM_PART_EIGHT] = in_mode[QM_PART_SEVEN];
    }
    for (i = 0; i < m->part_count; i++) {
        struct qm_part *part = &m->parts[i];

        part->encoding[QM_PART_EIGHT] = part->encoding[QM_PART_SEVEN];
        part->size[QM_PART_EIGHT] = part->size[QM_PART_SEVEN];
    }
    m->size[QM_PART_EIGHT] = m->size[QM_PART_SEVEN];
}

static enum qm_err make_segment_room(struct qm_message *m)
{
    size_t room = m->segment_count + 1;
    struct qm_segment *segments;

    if (room <= m->segment_room) {
        return QM_OK;
    }
    segments = qm_mem_resize(m->segments, room * sizeof(*segments));
    if (segments == NULL) {
        return QM_E_MEMORY;
    }
    m->segments = segments;
    m->segment_room = room;
    return QM_OK;
}

enum qm_err qm_message_seal(struct qm_message *m, struct qm_span fields)
{
    struct qm_segment segment;
    enum qm_err err;
    size_t mode;

    if (!m->built || m->reading) {
        return QM_E_MISUSE;
    }
    memset(&segment, 0, sizeof(segment));
    segment.start = qm_buf_len(&m->header.text);
    segment.len = fields.len;
    err = make_segment_room(m);
    if (err == QM_OK) {
        err = qm_buf_append(&m->header.text, fields);
    }
    if (err != QM_OK) {
        return err;
    }
    memmove(m->segments + 1, m->segments,
            m->segment_count * sizeof(*m->segments));
    m->segments[0] = segment;
    m->segment_count++;
    m->signed_start++;
    m->signed_end++;
    keep_seven(m);
    for (mode = 0; mode < QM_PART_MODES; mode++) {
        m->segments[0].in_mode[mode] = true;
        m->size[mode] += fields.len;
    }
    return QM_OK;
}

/* --- reading ------------------------------------------------------------- */

size_t qm_message_reading_part(const struct qm_message *m)
{
    return m->in_body ? m->segments[m->current].start : m->part_count;
}

static bool has_taken_pull(const struct qm_message *m)
{
    size_t i;

    for (i = 0; i < m->part_count; i++) {
        if (m->parts[i].source.touched) {
            return true;
        }
    }
    return false;
}

static enum qm_err begin_reading(struct qm_message *m, size_t mode,
                                 size_t first, size_t stop)
{
    stop_reading(m);
    m->mode = mode;
    m->current = first;
    m->stop = stop;
    m->offset = 0;
    m->staged_at = 0;
    m->staged_end = 0;
    m->fault_part = m->part_count;
    if (has_taken_pull(m)) {
        m->err = QM_E_UNSUPPORTED;
        return m->err;
    }
    m->err = make_slice(m);
    m->reading = m->err == QM_OK;
    return m->err;
}

enum qm_err qm_message_rewind(struct qm_message *m, bool eightbit)
{
    if (!m->built || m->is_signed != m->has_signature) {
        return QM_E_MISUSE;
    }
    return begin_reading(m, eightbit ? QM_PART_EIGHT : QM_PART_SEVEN, 0,
                         m->segment_count);
}

enum qm_err qm_message_rewind_signed(struct qm_message *m)
{
    if (!m->built || !m->is_signed) {
        return QM_E_MISUSE;
    }
    return begin_reading(m, QM_PART_SEVEN, m->signed_start, m->signed_end);
}

static void next_segment(struct qm_message *m)
{
    m->current++;
    m->offset = 0;
}

static void read_text(struct qm_message *m, char *out, size_t cap,
                      size_t *written_out)
{
    const struct qm_segment *segment = &m->segments[m->current];
    struct qm_span text = qm_buf_span(&m->header.text);
    size_t len = segment->len - m->offset;

    len = len < cap ? len : cap;
    memcpy(out, text.ptr + segment->start + m->offset, len);
    m->offset += len;
    *written_out = len;
    if (m->offset == segment->len) {
        next_segment(m);
    }
}

static enum qm_err begin_body(struct qm_message *m)
{
    struct qm_part *part = &m->parts[m->segments[m->current].start];

    m->in_body = true;
    m->input = qm_span_make(NULL, 0);
    qm_body_begin(&m->body, part->encoding[m->mode], qm_part_is_text(part),
                  part->alone);
    return qm_source_open(&part->source);
}

static void end_body(struct qm_message *m, char *out, size_t *written_out)
{
    *written_out = qm_body_finish(&m->body, out);
    qm_source_close(&m->parts[qm_message_reading_part(m)].source);
    m->in_body = false;
    next_segment(m);
}

/* One step of a body; `cap` is at least QM_BODY_ROOM. */
static enum qm_err read_body(struct qm_message *m, char *out, size_t cap,
                             size_t *written_out)
{
    enum qm_err err = QM_OK;
    size_t used;

    if (!m->in_body) {
        err = begin_body(m);
    }
    if (err == QM_OK && m->input.len == 0 && !qm_body_pending(&m->body)) {
        struct qm_part *part = &m->parts[qm_message_reading_part(m)];

        err = qm_source_next(&part->source, m->slice, QM_MESSAGE_SLICE,
                             &m->input);
        if (err == QM_OK && m->input.len == 0) {
            end_body(m, out, written_out);
            return QM_OK;
        }
    }
    if (err != QM_OK) {
        return err;
    }
    qm_body_update(&m->body, m->input, out, cap, &used, written_out);
    m->input = qm_span_from(m->input, used);
    return QM_OK;
}

static enum qm_err read_step(struct qm_message *m, char *out, size_t cap,
                             size_t *written_out)
{
    *written_out = 0;
    if (m->segments[m->current].is_body) {
        return read_body(m, out, cap, written_out);
    }
    read_text(m, out, cap, written_out);
    return QM_OK;
}

static size_t take_staged(struct qm_message *m, char *out, size_t cap)
{
    size_t len = m->staged_end - m->staged_at;

    len = len < cap ? len : cap;
    memcpy(out, m->staged + m->staged_at, len);
    m->staged_at += len;
    return len;
}

/* The next segment that is there in this mode; false at the end. */
static bool find_segment(struct qm_message *m)
{
    while (m->current < m->stop && !m->segments[m->current].in_mode[m->mode]) {
        next_segment(m);
    }
    return m->current < m->stop;
}

static enum qm_err fail_reading(struct qm_message *m, enum qm_err err)
{
    m->fault_part = qm_message_reading_part(m);
    if (m->fault_part < m->part_count) {
        m->parts[m->fault_part].fault = QM_PART_SOURCE;
        m->parts[m->fault_part].fault_at = 0;
    }
    stop_reading(m);
    m->err = err;
    return err;
}

/* Where the room is too small for a step, the step goes through `staged`. */
static enum qm_err read_more(struct qm_message *m, char *out, size_t cap,
                             size_t *written_out)
{
    enum qm_err err;

    if (cap >= QM_BODY_ROOM) {
        return read_step(m, out, cap, written_out);
    }
    m->staged_at = 0;
    err = read_step(m, m->staged, sizeof(m->staged), &m->staged_end);
    *written_out = take_staged(m, out, cap);
    return err;
}

enum qm_err qm_message_read(struct qm_message *m, char *out, size_t cap,
                            size_t *written_out)
{
    size_t total = take_staged(m, out, cap);
    enum qm_err err = m->err;

    if (!m->built) {
        err = QM_E_MISUSE;
    }
    while (err == QM_OK && m->reading && total < cap) {
        size_t written = 0;

        if (!find_segment(m)) {
            stop_reading(m);
            break;
        }
        err = read_more(m, out + total, cap - total, &written);
        total += written;
    }
    *written_out = total;
    if (err != QM_OK && err != QM_E_AGAIN && m->reading) {
        (void)fail_reading(m, err);
    }
    /* What was made before a fault is given first; the fault comes again. */
    return total > 0 ? QM_OK : err;
}

enum qm_err qm_message_push(struct qm_message *m, struct qm_span piece)
{
    size_t part = qm_message_reading_part(m);

    if (part >= m->part_count || m->input.len > 0) {
        return QM_E_MISUSE;
    }
    return qm_source_push(&m->parts[part].source, piece);
}

/* --- facts --------------------------------------------------------------- */

enum qm_err qm_message_size(const struct qm_message *m, bool eightbit,
                            uint64_t *size_out)
{
    if (!m->built) {
        return QM_E_MISUSE;
    }
    *size_out = m->size[eightbit ? QM_PART_EIGHT : QM_PART_SEVEN];
    return m->sized ? QM_OK : QM_E_UNSUPPORTED;
}

static bool has_eightbit(const struct qm_message *m, size_t mode)
{
    size_t i;

    for (i = 0; i < m->part_count; i++) {
        if (m->parts[i].encoding[mode] == QM_ENCODING_8BIT) {
            return true;
        }
    }
    return false;
}

bool qm_message_is_eightbit(const struct qm_message *m)
{
    return has_eightbit(m, QM_PART_EIGHT);
}

bool qm_message_needs_eightbit(const struct qm_message *m)
{
    return has_eightbit(m, QM_PART_SEVEN);
}

bool qm_message_needs_utf8(const struct qm_message *m)
{
    return m->header.utf8;
}
