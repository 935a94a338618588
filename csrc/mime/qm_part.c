#include "mime/qm_part.h"

#include "base/qm_ascii.h"
#include "codec/qm_param.h"
#include "mime/qm_header.h"
#include "mime/qm_scan.h"

enum {
    VALUE_MAX = 255, /* no media type, content id or method has use for more */
    NAME_MAX_LEN = 2048 /* over 500 characters of any script */
};

/* --- measuring ----------------------------------------------------------- */

static enum qm_err scan_source(struct qm_part *part, char *slice, size_t cap,
                               struct qm_scan *scan)
{
    struct qm_span bytes;
    enum qm_err err;

    qm_scan_init(scan);
    err = qm_source_open(&part->source);
    while (err == QM_OK) {
        err = qm_source_next(&part->source, slice, cap, &bytes);
        if (err != QM_OK || bytes.len == 0) {
            break;
        }
        qm_scan_update(scan, bytes);
    }
    qm_source_close(&part->source);
    qm_scan_finish(scan);
    return err;
}

/* What one reading in quoted-printable comes to. */
struct trial {
    struct qm_body body;
    uint64_t size;
    size_t column; /* characters on the last line */
    char out[2 * QM_BODY_ROOM];
};

static void count_trial(struct trial *trial, size_t len)
{
    size_t i;

    trial->size += len;
    for (i = 0; i < len; i++) {
        trial->column = trial->out[i] == '\n' ? 0 : trial->column + 1;
    }
}

static void feed_trial(struct trial *trial, struct qm_span bytes)
{
    while (bytes.len > 0) {
        size_t used;
        size_t written;

        qm_body_update(&trial->body, bytes, trial->out, sizeof(trial->out),
                       &used, &written);
        count_trial(trial, written);
        bytes = qm_span_from(bytes, used);
    }
}

static enum qm_err try_qp(struct qm_part *part, char *slice, size_t cap,
                          struct trial *trial)
{
    struct qm_span bytes;
    enum qm_err err;

    trial->size = 0;
    trial->column = 0;
    qm_body_begin(&trial->body, QM_ENCODING_QP, true, false);
    err = qm_source_open(&part->source);
    while (err == QM_OK) {
        err = qm_source_next(&part->source, slice, cap, &bytes);
        if (err != QM_OK || bytes.len == 0) {
            break;
        }
        feed_trial(trial, bytes);
    }
    qm_source_close(&part->source);
    count_trial(trial, qm_body_finish(&trial->body, trial->out));
    return err;
}

/*
 * Whichever is shorter, quoted-printable when they are equal: it stays
 * readable. Alone and without a line end, QP closes with a soft line break;
 * where that would make the line longer than 76 base64 is taken.
 */
static enum qm_err choose_encoded(struct qm_part *part, char *slice, size_t cap,
                                  const struct qm_scan *scan)
{
    uint64_t base64 = qm_base64_size(scan->crlf_len, true);
    struct trial trial;
    enum qm_err err;

    part->encoding[QM_PART_SEVEN] = QM_ENCODING_BASE64;
    part->size[QM_PART_SEVEN] = base64;
    if (scan->crlf_len + 2 * scan->escapes > base64) {
        return QM_OK;
    }
    err = try_qp(part, slice, cap, &trial);
    if (err != QM_OK) {
        return err;
    }
    if (part->alone && trial.column > 0) {
        trial.size += 3;
        trial.column++;
    }
    if (trial.size <= base64 && trial.column <= QM_BASE64_LINE) {
        part->encoding[QM_PART_SEVEN] = QM_ENCODING_QP;
        part->size[QM_PART_SEVEN] = trial.size;
    }
    return QM_OK;
}

/* Size of a body that is sent as it is. */
static uint64_t plain_size(const struct qm_part *part,
                           const struct qm_scan *scan)
{
    bool open_line = scan->line_at < scan->len;

    return scan->crlf_len + (part->alone && open_line ? 2 : 0);
}

static void set_both(struct qm_part *part, enum qm_encoding encoding,
                     uint64_t size)
{
    size_t mode;

    for (mode = 0; mode < QM_PART_MODES; mode++) {
        part->encoding[mode] = encoding;
        part->size[mode] = size;
    }
    part->sized = true;
}

/*
 * A line that begins as our boundaries do is hidden in an encoding, so that no
 * text can end its part, whatever the boundary is. A strict text is never sent
 * as it is: relays take blanks off the ends of lines and put `>` before "From",
 * and each would break a signature (RFC 8551 section 3.1.2, RFC 1847 section
 * 2.1). Quoted-printable hides both.
 */
static enum qm_err measure_text(struct qm_part *part, char *slice, size_t cap)
{
    struct qm_scan scan;
    enum qm_err err = scan_source(part, slice, cap, &scan);
    bool plain;

    if (err != QM_OK) {
        return err;
    }
    if (scan.bad_utf8) {
        part->fault_at = scan.bad_at;
        return QM_E_UTF8;
    }
    plain = !scan.too_long && !scan.control && !scan.boundary && !part->strict;
    set_both(part, QM_ENCODING_7BIT, plain_size(part, &scan));
    if (plain && !scan.high) {
        return QM_OK;
    }
    err = choose_encoded(part, slice, cap, &scan);
    if (plain) {
        part->encoding[QM_PART_EIGHT] = QM_ENCODING_8BIT;
    } else {
        part->encoding[QM_PART_EIGHT] = part->encoding[QM_PART_SEVEN];
        part->size[QM_PART_EIGHT] = part->size[QM_PART_SEVEN];
    }
    return err;
}

/*
 * What must go as it is: 7bit or 8bit, the only encodings RFC 2046 section
 * 5.2.1 allows for message/rfc822.
 */
static enum qm_err measure_raw(struct qm_part *part, char *slice, size_t cap)
{
    struct qm_scan scan;
    enum qm_err err = scan_source(part, slice, cap, &scan);

    if (err != QM_OK) {
        return err;
    }
    if (scan.nul) {
        part->fault_at = part->source.first + scan.nul_at;
        return QM_E_CONTROL;
    }
    if (scan.too_long) {
        part->fault_at = part->source.first + scan.too_long_at;
        return QM_E_TOO_LONG;
    }
    set_both(part, scan.high ? QM_ENCODING_8BIT : QM_ENCODING_7BIT,
             plain_size(part, &scan));
    return QM_OK;
}

enum qm_err qm_part_measure(struct qm_part *part, char *slice, size_t cap)
{
    uint64_t len = 0;

    part->fault = QM_PART_SOURCE;
    part->fault_at = 0;
    if (!qm_part_is_text(part)) {
        bool known = qm_source_size(&part->source, &len);

        set_both(part, QM_ENCODING_BASE64, qm_base64_size(len, true));
        part->sized = known;
        return QM_OK;
    }
    if (part->source.kind == QM_SOURCE_PULL) {
        return QM_E_UNSUPPORTED;
    }
    if (part->role == QM_PART_RAW || part->role == QM_PART_MESSAGE) {
        return measure_raw(part, slice, cap);
    }
    return measure_text(part, slice, cap);
}

/* --- fields -------------------------------------------------------------- */

/* token of RFC 2045 section 5.1 */
static bool is_token_char(unsigned char c)
{
    return qm_ascii_is_visible(c) && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static size_t token_len(struct qm_span text)
{
    size_t i = 0;

    while (i < text.len && is_token_char((unsigned char)text.ptr[i])) {
        i++;
    }
    return i;
}

/* Length of a quoted-string with its quotes, 0 when it does not end. */
static size_t quoted_len(struct qm_span text)
{
    size_t i = 1;

    while (i < text.len && text.ptr[i] != '"') {
        i += text.ptr[i] == '\\' ? 2 : 1;
    }
    return i < text.len ? i + 1 : 0;
}

static size_t blanks_len(struct qm_span text)
{
    size_t i = 0;

    while (i < text.len && qm_ascii_is_blank((unsigned char)text.ptr[i])) {
        i++;
    }
    return i;
}

/*
 * Parameters we write ourselves, or that would change what the part is, in
 * any form: "name*" and "name*0" are `name` too (RFC 2231 sections 3 and 4).
 */
static bool is_own_parameter(struct qm_span name)
{
    size_t len = 0;

    while (len < name.len && name.ptr[len] != '*') {
        len++;
    }
    name.len = len;
    return qm_ascii_equal_nocase(name, qm_span_of("name")) ||
           qm_ascii_equal_nocase(name, qm_span_of("boundary"));
}

/* `; name=value` at the front of *rest; consumed when it is well formed. */
static bool take_parameter(struct qm_span *rest)
{
    struct qm_span at = qm_span_from(*rest, blanks_len(*rest));
    struct qm_span name;
    size_t len;

    if (at.len == 0 || at.ptr[0] != ';') {
        return false;
    }
    at = qm_span_from(at, 1);
    at = qm_span_from(at, blanks_len(at));
    if (at.ptr == NULL) {
        return false;
    }
    len = token_len(at);
    name = qm_span_make(at.ptr, len);
    at = qm_span_from(at, len);
    if (len == 0 || is_own_parameter(name) || at.len == 0 || at.ptr[0] != '=') {
        return false;
    }
    at = qm_span_from(at, 1);
    len = at.len > 0 && at.ptr[0] == '"' ? quoted_len(at) : token_len(at);
    *rest = qm_span_from(at, len);
    return len > 0;
}

static bool begins_nocase(struct qm_span text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && qm_ascii_equal_nocase(qm_span_make(text.ptr, len),
                                                    qm_span_of(prefix));
}

/*
 * RFC 2045 section 6.4: base64 is not allowed for these types, so they cannot
 * be sent byte for byte.
 */
static bool is_composite(struct qm_span type)
{
    return begins_nocase(type, "multipart/") || begins_nocase(type, "message/");
}

/* RFC 2046 section 5.2.1, RFC 6532 section 3.7 */
static bool is_allowed(const struct qm_part *part)
{
    if (part->role != QM_PART_MESSAGE) {
        return !is_composite(part->type);
    }
    return qm_ascii_equal_nocase(part->type, qm_span_of("message/rfc822")) ||
           qm_ascii_equal_nocase(part->type, qm_span_of("message/global"));
}

/* `type/subtype` and well-formed parameters, nothing else. */
static enum qm_err check_type_syntax(struct qm_part *part)
{
    struct qm_span type = part->type;
    struct qm_span rest = qm_span_from(type, token_len(type));
    size_t sub_len;

    if (rest.len == 0 || rest.len == type.len || rest.ptr[0] != '/') {
        return QM_E_SYNTAX;
    }
    rest = qm_span_from(rest, 1);
    sub_len = token_len(rest);
    rest = qm_span_from(rest, sub_len);
    while (sub_len > 0 && rest.len > 0) {
        part->fault_at = type.len - rest.len;
        if (!take_parameter(&rest)) {
            return QM_E_SYNTAX;
        }
    }
    return sub_len > 0 ? QM_OK : QM_E_SYNTAX;
}

static enum qm_err check_type(struct qm_part *part)
{
    enum qm_err err;
    size_t i;

    part->fault = QM_PART_TYPE;
    if (part->type.len > VALUE_MAX) {
        return QM_E_TOO_LONG;
    }
    for (i = 0; i < part->type.len; i++) {
        unsigned char c = (unsigned char)part->type.ptr[i];

        if (c != ' ' && !qm_ascii_is_visible(c)) {
            part->fault_at = i;
            return qm_ascii_is_control(c) ? QM_E_CONTROL : QM_E_NONASCII;
        }
    }
    err = check_type_syntax(part);
    if (err != QM_OK) {
        return err;
    }
    return is_allowed(part) ? QM_OK : QM_E_UNSUPPORTED;
}

/* What may stand between the angle brackets of Content-ID. */
static enum qm_err check_id(struct qm_part *part)
{
    size_t i;

    part->fault = QM_PART_ID;
    if (part->id.len == 0) {
        return QM_E_EMPTY;
    }
    if (part->id.len > VALUE_MAX) {
        return QM_E_TOO_LONG;
    }
    for (i = 0; i < part->id.len; i++) {
        unsigned char c = (unsigned char)part->id.ptr[i];

        if (!qm_ascii_is_visible(c) || c == '<' || c == '>') {
            part->fault_at = i;
            return qm_ascii_is_control(c) ? QM_E_CONTROL : QM_E_SYNTAX;
        }
    }
    return QM_OK;
}

/* A file name is one line of clean text: here not even TAB may pass. */
static enum qm_err check_name(struct qm_part *part)
{
    size_t at = 0;
    enum qm_err err = qm_header_check(part->name, &at);
    const char *tab = NULL;

    part->fault = QM_PART_NAME;
    part->fault_at = at;
    if (err != QM_OK) {
        return err;
    }
    if (part->name.len > 0) {
        tab = memchr(part->name.ptr, '\t', part->name.len);
    }
    if (tab != NULL) {
        part->fault_at = (uint64_t)(tab - part->name.ptr);
        return QM_E_CONTROL;
    }
    return part->name.len > NAME_MAX_LEN ? QM_E_TOO_LONG : QM_OK;
}

static enum qm_err check_method(struct qm_part *part)
{
    part->fault = QM_PART_METHOD;
    part->fault_at = token_len(part->method);
    if (part->method.len > VALUE_MAX) {
        return QM_E_TOO_LONG;
    }
    return part->fault_at == part->method.len ? QM_OK : QM_E_SYNTAX;
}

static enum qm_err append_text_fields(struct qm_part *part, struct qm_buf *out)
{
    enum qm_err err = check_method(part);

    if (err != QM_OK) {
        return err;
    }
    (void)qm_buf_append_text(out, "Content-Type: text/");
    if (part->role != QM_PART_CALENDAR) {
        (void)qm_buf_append_text(out,
                                 part->role == QM_PART_HTML ? "html" : "plain");
    } else {
        (void)qm_buf_append_text(out, "calendar");
        if (part->method.len > 0) {
            (void)qm_buf_append_text(out, "; method=");
            (void)qm_buf_append(out, part->method);
        }
    }
    return qm_buf_append_text(out, "; charset=UTF-8\r\n");
}

static enum qm_err append_name(struct qm_part *part, struct qm_buf *out,
                               const char *param, enum qm_param_form form)
{
    part->fault = QM_PART_NAME;
    if (part->name.len > 0) {
        enum qm_err err =
            qm_param_append(out, qm_span_of(param), part->name, form);

        if (err != QM_OK) {
            return err;
        }
    }
    return qm_buf_append_text(out, "\r\n");
}

/*
 * The name twice: as encoded-words in `name`, which web mailers of Chinese
 * providers and older Outlook read, and after RFC 2231 in `filename`, which
 * the standard wants.
 */
static enum qm_err append_data_fields(struct qm_part *part, struct qm_buf *out)
{
    bool is_inline = part->role == QM_PART_INLINE;
    enum qm_err err;

    (void)qm_buf_append_text(out, "Content-Type: ");
    (void)qm_buf_append(out, part->type);
    err = append_name(part, out, "name", QM_PARAM_RFC2047);
    if (err != QM_OK) {
        return err;
    }
    if (is_inline) {
        (void)qm_buf_append_text(out, "Content-ID: <");
        (void)qm_buf_append(out, part->id);
        (void)qm_buf_append_text(out, ">\r\n");
    }
    (void)qm_buf_append_text(out, "Content-Disposition: ");
    (void)qm_buf_append_text(out, is_inline ? "inline" : "attachment");
    return append_name(part, out, "filename", QM_PARAM_RFC2231);
}

enum qm_err qm_part_append_fields(struct qm_part *part, struct qm_buf *out)
{
    enum qm_err err;

    part->fault_at = 0;
    if (qm_part_is_text(part) && part->role != QM_PART_MESSAGE) {
        return append_text_fields(part, out);
    }
    err = check_type(part);
    if (err == QM_OK) {
        err = check_name(part);
    }
    if (err == QM_OK && part->role == QM_PART_INLINE) {
        err = check_id(part);
    }
    if (err != QM_OK) {
        return err;
    }
    return append_data_fields(part, out);
}
