#include "mime/qm_header.h"

#include "base/qm_ascii.h"
#include "base/qm_utf8.h"
#include "codec/qm_addr.h"
#include "codec/qm_fold.h"
#include "codec/qm_word.h"

void qm_header_init(struct qm_header *header, size_t cap)
{
    memset(header, 0, sizeof(*header));
    qm_buf_init(&header->text, cap, false);
    qm_buf_init(&header->scratch, cap, false);
}

void qm_header_deinit(struct qm_header *header)
{
    qm_buf_deinit(&header->text);
    qm_buf_deinit(&header->scratch);
}

enum qm_err qm_header_check(struct qm_span value, size_t *fault_at_out)
{
    size_t i;

    for (i = 0; i < value.len; i++) {
        if (qm_ascii_is_control((unsigned char)value.ptr[i]) &&
            value.ptr[i] != '\t') {
            *fault_at_out = i;
            return QM_E_CONTROL;
        }
    }
    i = qm_utf8_valid_prefix(value);
    if (i < value.len) {
        *fault_at_out = i;
        return QM_E_UTF8;
    }
    return QM_OK;
}

/* Blanks at the ends of a field body are lost on the way to the reader. */
static bool has_blank_end(struct qm_span value)
{
    return value.len > 0 &&
           (qm_ascii_is_blank((unsigned char)value.ptr[0]) ||
            qm_ascii_is_blank((unsigned char)value.ptr[value.len - 1]));
}

/*
 * "News <news.example.com>" (List-Id, RFC 2919) and the like: programs look for
 * what is in the brackets, which is no text. Where it begins; 0: there is none.
 */
static size_t find_brackets(struct qm_span value)
{
    size_t at = value.len;

    if (at == 0 || value.ptr[at - 1] != '>') {
        return 0;
    }
    while (at > 0 && value.ptr[at - 1] != '<' &&
           qm_ascii_is_visible((unsigned char)value.ptr[at - 1])) {
        at--;
    }
    if (at < 3 || value.ptr[at - 1] != '<' ||
        !qm_ascii_is_blank((unsigned char)value.ptr[at - 2]) ||
        qm_word_needed(qm_span_from(value, at))) {
        return 0;
    }
    return at - 1;
}

static enum qm_err add_words(struct qm_header *header, struct qm_span name,
                             struct qm_span value, size_t plain_at)
{
    bool has_plain = plain_at > 0;
    size_t len = has_plain ? plain_at - 1 : value.len;
    enum qm_err err;

    qm_buf_reset(&header->scratch);
    err =
        qm_word_encode(&header->scratch, qm_span_make(value.ptr, len),
                       has_plain ? QM_WORD_PHRASE : QM_WORD_TEXT, name.len + 2);
    if (err != QM_OK) {
        return err;
    }
    if (has_plain) {
        (void)qm_buf_append(&header->scratch, qm_span_from(value, len));
    }
    return qm_fold_field(&header->text, name, qm_buf_span(&header->scratch));
}

/* ASCII that no line could hold: only encoded-words could cut it. */
static bool is_unbreakable(struct qm_span value)
{
    size_t run = 0;
    size_t i;

    for (i = 0; i < value.len && run <= QM_WORD_PLAIN_RUN; i++) {
        unsigned char c = (unsigned char)value.ptr[i];

        if (c >= 0x80) {
            return false;
        }
        run = qm_ascii_is_blank(c) ? 0 : run + 1;
    }
    return run > QM_WORD_PLAIN_RUN;
}

enum qm_err qm_header_add_text(struct qm_header *header, struct qm_span name,
                               struct qm_span value, bool words)
{
    enum qm_err err = qm_header_check(value, &header->fault_at);

    if (err != QM_OK) {
        return err;
    }
    header->fault_at = 0;
    if (!words && is_unbreakable(value)) {
        return QM_E_TOO_LONG;
    }
    if (qm_word_needed(value) || has_blank_end(value)) {
        return add_words(header, name, value, words ? 0 : find_brackets(value));
    }
    return qm_fold_field(&header->text, name, value);
}

enum qm_err qm_header_add_raw(struct qm_header *header, struct qm_span name,
                              struct qm_span value)
{
    enum qm_err err = qm_header_check(value, &header->fault_at);

    if (err != QM_OK) {
        return err;
    }
    header->fault_at = 0;
    if (qm_utf8_has_high(value)) {
        return QM_E_NONASCII;
    }
    return qm_fold_field(&header->text, name, value);
}

void qm_header_begin_list(struct qm_header *header, struct qm_span name)
{
    qm_buf_reset(&header->scratch);
    header->name_len = name.len;
    header->why = NULL;
}

/* Columns filled on the last line of the value being made. */
static size_t column_of(const struct qm_header *header)
{
    struct qm_span made = qm_buf_span(&header->scratch);
    size_t at = made.len;

    while (at > 0 && made.ptr[at - 1] != '\n') {
        at--;
    }
    return made.len - at + (at == 0 ? header->name_len + 2 : 0);
}

/* Bare addresses share lines; a name begins one, where words can be cut. */
static void append_separator(struct qm_header *header, bool named, size_t len)
{
    if (qm_buf_len(&header->scratch) == 0) {
        return;
    }
    if (!named && column_of(header) + 2 + len <= QM_FOLD_AIM) {
        (void)qm_buf_append_text(&header->scratch, ", ");
    } else {
        (void)qm_buf_append_text(&header->scratch, ",\r\n ");
    }
}

static enum qm_err append_mailbox(struct qm_header *header,
                                  struct qm_span display,
                                  const struct qm_addr *addr)
{
    struct qm_buf *out = &header->scratch;
    enum qm_err err;

    append_separator(header, display.len > 0,
                     addr->local.len + addr->domain.len + 1);
    if (display.len == 0) {
        return qm_addr_append_spec(out, addr);
    }
    err = qm_addr_append_name(out, display, column_of(header));
    if (err != QM_OK) {
        return err;
    }
    (void)qm_buf_append_text(out, " <");
    err = qm_addr_append_spec(out, addr);
    if (err != QM_OK) {
        return err;
    }
    return qm_buf_append_char(out, '>');
}

enum qm_err qm_header_add_mailbox(struct qm_header *header,
                                  struct qm_span display,
                                  struct qm_span address, bool *in_display_out)
{
    size_t before = qm_buf_len(&header->scratch);
    struct qm_addr addr;
    enum qm_err err;

    *in_display_out = true;
    err = qm_header_check(display, &header->fault_at);
    if (err != QM_OK) {
        return err;
    }
    *in_display_out = false;
    header->fault_at = 0;
    err = qm_addr_spec(address, &addr, &header->fault_at, &header->why);
    if (err != QM_OK) {
        return err;
    }
    err = append_mailbox(header, display, &addr);
    if (err != QM_OK) {
        qm_buf_truncate(&header->scratch, before);
        return err;
    }
    header->utf8 = header->utf8 || addr.utf8;
    return QM_OK;
}

enum qm_err qm_header_end_list(struct qm_header *header, struct qm_span name)
{
    if (header->scratch.err != QM_OK) {
        return header->scratch.err;
    }
    return qm_fold_field(&header->text, name, qm_buf_span(&header->scratch));
}
