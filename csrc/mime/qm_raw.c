#include "mime/qm_raw.h"

#include "base/qm_ascii.h"
#include "codec/qm_fold.h"
#include "mime/qm_scan.h"

void qm_raw_init(struct qm_raw *raw)
{
    memset(raw, 0, sizeof(*raw));
    qm_buf_init(&raw->head, QM_RAW_HEAD_MAX, false);
    raw->at_line_start = true;
}

void qm_raw_deinit(struct qm_raw *raw)
{
    qm_buf_deinit(&raw->head);
}

static enum qm_err see_line_end(struct qm_raw *raw, char c)
{
    raw->ended = raw->at_line_start;
    raw->done = raw->ended && c == '\n';
    raw->after_cr = c == '\r';
    raw->at_line_start = true;
    raw->line_at = raw->used + 1;
    return qm_buf_append_text(&raw->head, "\r\n");
}

static enum qm_err see_in_line(struct qm_raw *raw, char c)
{
    raw->after_cr = false;
    raw->at_line_start = false;
    raw->fault_at = raw->used;
    if (c == '\0') {
        return QM_E_CONTROL;
    }
    if (raw->used - raw->line_at >= QM_SCAN_LINE_MAX) {
        raw->fault_at = raw->line_at;
        return QM_E_TOO_LONG;
    }
    return qm_buf_append_char(&raw->head, c);
}

/* One byte; `done` without counting it when it belongs to the body. */
static enum qm_err see_byte(struct qm_raw *raw, char c)
{
    enum qm_err err = QM_OK;

    if (c == '\n' && raw->after_cr) {
        raw->after_cr = false;
        raw->done = raw->ended;
        raw->line_at = raw->used + 1;
    } else if (raw->ended) {
        raw->done = true;
        return QM_OK;
    } else if (c == '\r' || c == '\n') {
        err = see_line_end(raw, c);
    } else {
        err = see_in_line(raw, c);
    }
    raw->used++;
    return err;
}

enum qm_err qm_raw_update(struct qm_raw *raw, struct qm_span bytes)
{
    enum qm_err err = QM_OK;
    size_t i;

    for (i = 0; i < bytes.len && err == QM_OK && !raw->done; i++) {
        err = see_byte(raw, bytes.ptr[i]);
    }
    return err;
}

enum qm_err qm_raw_finish(struct qm_raw *raw)
{
    if (raw->at_line_start) {
        return raw->head.err;
    }
    return qm_buf_append_text(&raw->head, "\r\n");
}

static bool begins_with(struct qm_span text, struct qm_span start)
{
    return text.len >= start.len &&
           qm_ascii_equal_nocase(qm_span_make(text.ptr, start.len), start);
}

/* Length of the line at the front, its CRLF included. */
static size_t line_len(struct qm_span text)
{
    const char *end = memchr(text.ptr, '\n', text.len);

    return end == NULL ? text.len : (size_t)(end - text.ptr) + 1;
}

static size_t field_len(struct qm_span text)
{
    size_t len = line_len(text);

    while (len < text.len && qm_ascii_is_blank((unsigned char)text.ptr[len])) {
        len += line_len(qm_span_from(text, len));
    }
    return len;
}

/* RFC 5322 section 4.5.8 lets blanks stand before the colon. */
static bool split(struct qm_raw_field *field)
{
    struct qm_span whole = field->whole;
    const char *colon = memchr(whole.ptr, ':', whole.len);
    size_t len;

    if (colon == NULL) {
        return false;
    }
    len = (size_t)(colon - whole.ptr);
    field->value = qm_span_from(whole, len + 1);
    if (field->value.len >= 2) {
        field->value.len -= 2;
    }
    while (len > 0 && qm_ascii_is_blank((unsigned char)whole.ptr[len - 1])) {
        len--;
    }
    field->name = qm_span_make(whole.ptr, len);
    return qm_fold_is_field_name(field->name);
}

/*
 * "From user@host Mon Jan  1 ..." separates messages in a mailbox file
 * (RFC 4155, appendix A) and belongs to none of them.
 */
static bool is_separator(struct qm_span line)
{
    struct qm_raw_field field;

    memset(&field, 0, sizeof(field));
    field.whole = line;
    return begins_with(line, qm_span_of("From ")) && !split(&field);
}

void qm_raw_walk(const struct qm_raw *raw, struct qm_raw_field *field)
{
    struct qm_span head = qm_buf_span(&raw->head);
    size_t len = head.len > 0 ? line_len(head) : 0;

    memset(field, 0, sizeof(*field));
    field->rest = head;
    if (len > 0 && is_separator(qm_span_make(head.ptr, len))) {
        field->rest = qm_span_from(head, len);
    }
}

enum qm_err qm_raw_next(struct qm_raw_field *field)
{
    struct qm_span rest = field->rest;
    size_t len;

    if (rest.len == 0 || rest.ptr[0] == '\r') {
        return QM_E_EMPTY;
    }
    len = field_len(rest);
    field->whole = qm_span_make(rest.ptr, len);
    if (!split(field)) {
        return QM_E_SYNTAX;
    }
    field->rest = qm_span_from(rest, len);
    return QM_OK;
}

static bool is_hidden(struct qm_span name)
{
    return qm_ascii_equal_nocase(name, qm_span_of("Bcc")) ||
           qm_ascii_equal_nocase(name, qm_span_of("Resent-Bcc")) ||
           begins_with(name, qm_span_of("X-Qqmail-Outbox"));
}

enum qm_err qm_raw_append_public(struct qm_raw *raw, struct qm_buf *out)
{
    struct qm_raw_field field;
    enum qm_err err;

    qm_raw_walk(raw, &field);
    for (;;) {
        err = qm_raw_next(&field);
        if (err != QM_OK) {
            break;
        }
        if (!is_hidden(field.name)) {
            (void)qm_buf_append(out, field.whole);
        }
    }
    if (err != QM_E_EMPTY) {
        raw->fault_at = qm_buf_len(&raw->head) - field.rest.len;
        return err;
    }
    return qm_buf_append(out, field.rest);
}
