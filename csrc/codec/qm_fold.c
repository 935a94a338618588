#include "codec/qm_fold.h"

#include "base/qm_ascii.h"
#include "codec/qm_word.h"

struct folder {
    struct qm_buf *out;
    struct qm_span value;
    size_t column;      /* of the current line */
    size_t plain_until; /* quotes before this offset of value mean nothing */
    bool has_word;      /* the current line holds an encoded-word */
};

/* White space (with the fold points in it) and the text behind it. */
struct chunk {
    struct qm_span blanks; /* may hold CRLF */
    struct qm_span text;   /* empty only at the end of the value */
    size_t width;          /* columns: blanks without CRLF, and text */
    bool folded;           /* a CRLF is among the blanks */
    bool has_word;
};

bool qm_fold_is_field_name(struct qm_span name)
{
    size_t i;

    if (name.len == 0 || name.len > QM_FOLD_NAME_MAX) {
        return false;
    }
    for (i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];

        if (!qm_ascii_is_visible(c) || c == ':') {
            return false;
        }
    }
    return true;
}

static bool is_fold_point(struct qm_span text, size_t at)
{
    return text.len - at >= 3 && text.ptr[at] == '\r' &&
           text.ptr[at + 1] == '\n' &&
           qm_ascii_is_blank((unsigned char)text.ptr[at + 2]);
}

static enum qm_err check_value(struct qm_span value)
{
    size_t at = 0;

    while (at < value.len) {
        unsigned char c = (unsigned char)value.ptr[at];

        if (is_fold_point(value, at)) {
            at += 2;
        } else if (qm_ascii_is_control(c) && c != '\t') {
            return QM_E_CONTROL;
        }
        at++;
    }
    return QM_OK;
}

/* After check_value() a CR can only be the start of a fold point. */
/*
 * Offset past the quoted-string that opens at `at`, or past the place where the
 * search stopped: `*closed_out` tells which. It has to stay on one line.
 */
static size_t quote_end(struct qm_span value, size_t at, bool *closed_out)
{
    size_t i;

    *closed_out = false;
    for (i = at + 1; i < value.len && value.ptr[i] != '\r'; i++) {
        if (value.ptr[i] == '"') {
            *closed_out = true;
            return i + 1;
        }
        if (value.ptr[i] == '\\' && i + 1 < value.len &&
            value.ptr[i + 1] != '\r') {
            i++;
        }
    }
    return i;
}

/*
 * Length of the quoted-string at `at` when it is to be kept whole, else 0. What
 * was searched in vain is not searched again: a row of quotes would otherwise
 * be walked from each of them.
 */
static size_t kept_quote_len(struct folder *folder, size_t at)
{
    bool is_parameter = at > 0 && folder->value.ptr[at - 1] == '=';
    size_t most = is_parameter ? QM_FOLD_MAX : QM_FOLD_AIM;
    bool closed;
    size_t end;

    if (at < folder->plain_until) {
        return 0;
    }
    end = quote_end(folder->value, at, &closed);
    if (closed && end - at < most) {
        return end - at;
    }
    folder->plain_until = end;
    return 0;
}

/* Offset past the text that starts at `at` and has no place to break. */
static size_t text_end(struct folder *folder, size_t at)
{
    struct qm_span value = folder->value;

    while (at < value.len && !qm_ascii_is_white((unsigned char)value.ptr[at])) {
        size_t len = value.ptr[at] == '"' ? kept_quote_len(folder, at) : 0;

        at += len > 0 ? len : 1;
    }
    return at;
}

static bool has_word_start(struct qm_span text)
{
    size_t i;

    for (i = 1; i < text.len; i++) {
        if (text.ptr[i] == '?' && text.ptr[i - 1] == '=') {
            return true;
        }
    }
    return false;
}

static struct chunk read_chunk(struct folder *folder, size_t start)
{
    struct qm_span value = folder->value;
    struct chunk chunk = { { NULL, 0 }, { NULL, 0 }, 0, false, false };
    size_t at = start;
    size_t end;

    while (at < value.len && qm_ascii_is_white((unsigned char)value.ptr[at])) {
        chunk.folded = chunk.folded || value.ptr[at] == '\r';
        chunk.width += qm_ascii_is_blank((unsigned char)value.ptr[at]) ? 1 : 0;
        at++;
    }
    end = text_end(folder, at);
    chunk.blanks = qm_span_make(value.ptr + start, at - start);
    chunk.text = qm_span_make(value.ptr + at, end - at);
    chunk.width += chunk.text.len;
    chunk.has_word = has_word_start(chunk.text);
    return chunk;
}

static bool is_break_wanted(const struct folder *folder,
                            const struct chunk *chunk)
{
    bool has_word = folder->has_word || chunk->has_word;
    size_t aim = has_word ? QM_WORD_LINE : QM_FOLD_AIM;

    if (chunk->text.len == 0) {
        return false; /* a line of white space alone would follow */
    }
    return chunk->folded || folder->column + chunk->width > aim;
}

static void append_blanks(struct qm_buf *out, struct qm_span blanks)
{
    size_t i;

    for (i = 0; i < blanks.len; i++) {
        if (qm_ascii_is_blank((unsigned char)blanks.ptr[i])) {
            (void)qm_buf_append_char(out, blanks.ptr[i]);
        }
    }
}

static enum qm_err append_chunk(struct folder *folder,
                                const struct chunk *chunk)
{
    if (chunk->blanks.len > 0 && is_break_wanted(folder, chunk)) {
        (void)qm_buf_append_text(folder->out, "\r\n");
        folder->column = 0;
        folder->has_word = false;
    }
    append_blanks(folder->out, chunk->blanks);
    folder->column += chunk->width;
    folder->has_word = folder->has_word || chunk->has_word;
    if (folder->column > QM_FOLD_MAX) {
        return QM_E_TOO_LONG;
    }
    return qm_buf_append(folder->out, chunk->text);
}

/*
 * The blank behind the colon belongs to the layout. It is left out when the
 * value begins with a fold point, whose own blank then takes its place.
 */
static enum qm_err append_value(struct folder *folder)
{
    struct chunk chunk = read_chunk(folder, 0);
    size_t at = chunk.blanks.len + chunk.text.len;
    enum qm_err err;

    if (!chunk.folded || chunk.text.len == 0) {
        (void)qm_buf_append_char(folder->out, ' ');
        folder->column++;
        /* Nothing but the name stands before it: a break would win nothing. */
        append_blanks(folder->out, chunk.blanks);
        folder->column += chunk.width - chunk.text.len;
        chunk.blanks.len = 0;
        chunk.width = chunk.text.len;
    }
    err = append_chunk(folder, &chunk);
    while (err == QM_OK && at < folder->value.len) {
        chunk = read_chunk(folder, at);
        at += chunk.blanks.len + chunk.text.len;
        err = append_chunk(folder, &chunk);
    }
    return err;
}

enum qm_err qm_fold_field(struct qm_buf *out, struct qm_span name,
                          struct qm_span value)
{
    struct folder folder = { out, value, name.len + 1, 0, false };
    size_t before = qm_buf_len(out);
    enum qm_err err;

    if (!qm_fold_is_field_name(name)) {
        return QM_E_SYNTAX;
    }
    err = check_value(value);
    if (err == QM_OK) {
        (void)qm_buf_append(out, name);
        (void)qm_buf_append_char(out, ':');
        err = append_value(&folder);
    }
    if (err == QM_OK) {
        err = qm_buf_append_text(out, "\r\n");
    }
    if (err != QM_OK) {
        qm_buf_truncate(out, before);
    }
    return err;
}
