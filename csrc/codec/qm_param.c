#include "codec/qm_param.h"

#include "base/qm_ascii.h"
#include "base/qm_utf8.h"
#include "codec/qm_fold.h"
#include "codec/qm_word.h"

/* Columns for our part of a line: the semicolon of the next follows it. */
enum { LINE_MAX_COLUMNS = QM_FOLD_AIM - 1 };

/* Longest ASCII value on one line: every byte escaped still passes below 998.
 */
enum { ONE_LINE_MAX = 450 };

static const char charset_mark[] = "UTF-8''";

struct writer {
    struct qm_buf *out;
    struct qm_span name;
    struct qm_span value; /* what is still to be written */
    bool percent;         /* %XX of RFC 2231, else a quoted-string */
};

/* token of RFC 2045 section 5.1, without what RFC 2231 gives a meaning to. */
static bool is_name_char(unsigned char c)
{
    return qm_ascii_is_visible(c) && strchr("()<>@,;:\\\"/[]?=*'%", c) == NULL;
}

/* attribute-char of RFC 2231 section 7, kept to what RFC 5987 allows too. */
static bool is_plain_in_percent(unsigned char c)
{
    return qm_ascii_is_alnum(c) ||
           (qm_ascii_is_visible(c) && strchr("!#$&+-.^_`|~", c) != NULL);
}

static enum qm_err check(struct qm_span name, struct qm_span value)
{
    size_t i;

    if (name.len > QM_PARAM_NAME_MAX || value.len > QM_PARAM_VALUE_MAX) {
        return QM_E_TOO_LONG;
    }
    for (i = 0; i < name.len; i++) {
        if (!is_name_char((unsigned char)name.ptr[i])) {
            return QM_E_SYNTAX;
        }
    }
    if (qm_ascii_has(value, qm_ascii_is_control)) {
        return QM_E_CONTROL;
    }
    if (!qm_utf8_is_valid(value)) {
        return QM_E_UTF8;
    }
    return name.len > 0 ? QM_OK : QM_E_SYNTAX;
}

/* Columns of one character (its bytes) in the form of this value. */
static size_t char_width(const struct writer *writer, struct qm_span bytes)
{
    char c = bytes.ptr[0];

    if (writer->percent) {
        return is_plain_in_percent((unsigned char)c) ? 1 : 3 * bytes.len;
    }
    return c == '"' || c == '\\' ? 2 : 1;
}

static void put_char(const struct writer *writer, struct qm_span bytes)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t i;

    if (char_width(writer, bytes) == 1) {
        (void)qm_buf_append_char(writer->out, bytes.ptr[0]);
        return;
    }
    for (i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];

        (void)qm_buf_append_char(writer->out, writer->percent ? '%' : '\\');
        if (writer->percent) {
            (void)qm_buf_append_char(writer->out, hex[c >> 4]);
            (void)qm_buf_append_char(writer->out, hex[c & 15]);
        } else {
            (void)qm_buf_append_char(writer->out, (char)c);
        }
    }
}

/* Writes characters while they fit into `room` columns. */
static void put_chars(struct writer *writer, size_t room)
{
    while (writer->value.len > 0) {
        size_t len = qm_utf8_char_len(writer->value);
        struct qm_span bytes = qm_span_make(writer->value.ptr, len);
        size_t width = char_width(writer, bytes);

        if (width > room) {
            break;
        }
        put_char(writer, bytes);
        room -= width;
        writer->value = qm_span_from(writer->value, len);
    }
}

static size_t value_width(const struct writer *writer)
{
    struct qm_span rest = writer->value;
    size_t width = 0;

    while (rest.len > 0) {
        size_t len = qm_utf8_char_len(rest);

        width += char_width(writer, qm_span_make(rest.ptr, len));
        rest = qm_span_from(rest, len);
    }
    return width;
}

static void put_start(const struct writer *writer)
{
    (void)qm_buf_append_text(writer->out, ";\r\n ");
    (void)qm_buf_append(writer->out, writer->name);
}

/* Value and what encloses it; `first` carries the charset. */
static void put_value(struct writer *writer, bool first, size_t room)
{
    if (writer->percent) {
        (void)qm_buf_append_text(writer->out, "*=");
        (void)qm_buf_append_text(writer->out, first ? charset_mark : "");
        put_chars(writer, room);
        return;
    }
    (void)qm_buf_append_text(writer->out, "=\"");
    put_chars(writer, room);
    (void)qm_buf_append_char(writer->out, '"');
}

/* Columns put_value() needs beside the characters of the value. */
static size_t enclosing_width(const struct writer *writer, bool first)
{
    if (!writer->percent) {
        return 3; /* ="" */
    }
    return 2 + (first ? sizeof(charset_mark) - 1 : 0);
}

/* RFC 2231 section 3: name*0, name*1, ... */
static void put_sections(struct writer *writer)
{
    uint64_t index;

    for (index = 0; writer->value.len > 0; index++) {
        size_t start = qm_buf_len(writer->out) + 3; /* past ";" CRLF */
        size_t used;

        put_start(writer);
        (void)qm_buf_append_char(writer->out, '*');
        (void)qm_buf_append_u64(writer->out, index);
        if (writer->out->err != QM_OK) {
            return;
        }
        used = qm_buf_len(writer->out) - start +
               enclosing_width(writer, index == 0);
        put_value(writer, index == 0, LINE_MAX_COLUMNS - used);
    }
}

static bool has_escapes(struct qm_span value)
{
    return value.len > 0 && (memchr(value.ptr, '"', value.len) != NULL ||
                             memchr(value.ptr, '\\', value.len) != NULL);
}

static void put_rfc2231(struct writer *writer)
{
    size_t used = 1 + writer->name.len + enclosing_width(writer, true);
    size_t width = value_width(writer);

    if (used + width > LINE_MAX_COLUMNS) {
        /* Some readers join quoted sections without resolving escapes. */
        writer->percent = writer->percent || has_escapes(writer->value);
        put_sections(writer);
        return;
    }
    put_start(writer);
    put_value(writer, true, width);
}

static void put_rfc2047(struct writer *writer, bool encoded)
{
    size_t column = 1 + writer->name.len + 2; /* SP name =" */

    put_start(writer);
    if (!encoded) {
        put_value(writer, true, SIZE_MAX);
        return;
    }
    (void)qm_buf_append_text(writer->out, "=\"");
    if (qm_word_encode(writer->out, writer->value, QM_WORD_QUOTED, column) ==
        QM_OK) {
        (void)qm_buf_append_char(writer->out, '"');
    }
}

enum qm_err qm_param_append(struct qm_buf *out, struct qm_span name,
                            struct qm_span value, enum qm_param_form form)
{
    struct writer writer = { out, name, value, false };
    size_t before = qm_buf_len(out);
    bool encoded = qm_word_needed(value);
    enum qm_err err = check(name, value);

    if (err != QM_OK) {
        return err;
    }
    if (form == QM_PARAM_RFC2047) {
        put_rfc2047(&writer, encoded || value.len > ONE_LINE_MAX);
    } else {
        writer.percent = encoded;
        put_rfc2231(&writer);
    }
    if (out->err != QM_OK) {
        qm_buf_truncate(out, before);
    }
    return out->err;
}

struct qm_span qm_param_base_name(struct qm_span path)
{
    size_t start = path.len;
    struct qm_span name;

    while (start > 0 && path.ptr[start - 1] != '/' &&
           path.ptr[start - 1] != '\\') {
        start--;
    }
    name = qm_span_from(path, start);
    if (qm_span_equal(name, qm_span_of(".")) ||
        qm_span_equal(name, qm_span_of(".."))) {
        return qm_span_make(name.ptr, 0);
    }
    return name;
}
