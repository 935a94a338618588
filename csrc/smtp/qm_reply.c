#include "smtp/qm_reply.h"

#include "base/qm_ascii.h"
#include "codec/qm_charset.h"

enum { CODE_LEN = 3 };

void qm_reply_init(struct qm_reply *reply)
{
    memset(reply, 0, sizeof(*reply));
    qm_buf_init(&reply->lines, QM_REPLY_TOTAL_MAX, false);
}

void qm_reply_deinit(struct qm_reply *reply)
{
    qm_buf_deinit(&reply->lines);
}

void qm_reply_reset(struct qm_reply *reply)
{
    qm_buf_reset(&reply->lines);
    reply->line_start = 0;
    reply->code = 0;
    reply->line_count = 0;
    reply->complete = false;
    memset(&reply->enhanced, 0, sizeof(reply->enhanced));
}

static struct qm_span strip_cr(struct qm_span line)
{
    while (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    return line;
}

/* Three digits, 200 to 599; 0 for anything else. */
static int parse_code(struct qm_span line)
{
    uint64_t code;

    if (line.len < CODE_LEN ||
        !qm_ascii_to_u64(qm_span_make(line.ptr, CODE_LEN), &code)) {
        return 0;
    }
    return code >= 200 && code <= 599 ? (int)code : 0;
}

/* Takes "ddd" (one to three digits) off the front of *text. */
static bool take_number(struct qm_span *text, unsigned short *value_out)
{
    size_t len = 0;
    uint64_t value;

    while (len < text->len && len < 4 &&
           qm_ascii_is_digit((unsigned char)text->ptr[len])) {
        len++;
    }
    if (len > 3 || !qm_ascii_to_u64(qm_span_make(text->ptr, len), &value)) {
        return false;
    }
    *value_out = (unsigned short)value;
    *text = qm_span_from(*text, len);
    return true;
}

static bool take_char(struct qm_span *text, char wanted)
{
    if (text->len == 0 || text->ptr[0] != wanted) {
        return false;
    }
    *text = qm_span_from(*text, 1);
    return true;
}

/*
 * RFC 2034 section 4: the class must agree with the first digit of the reply
 * code. On success *text begins after the code and its blanks.
 */
static bool take_enhanced(struct qm_span *text, int reply_class,
                          struct qm_enhanced *enhanced_out)
{
    struct qm_span rest = *text;
    struct qm_enhanced found;

    if (!take_number(&rest, &found.status) || !take_char(&rest, '.') ||
        !take_number(&rest, &found.subject) || !take_char(&rest, '.') ||
        !take_number(&rest, &found.detail)) {
        return false;
    }
    if ((int)found.status != reply_class ||
        (rest.len > 0 && !qm_ascii_is_blank((unsigned char)rest.ptr[0]))) {
        return false;
    }
    while (rest.len > 0 && qm_ascii_is_blank((unsigned char)rest.ptr[0])) {
        rest = qm_span_from(rest, 1);
    }
    *enhanced_out = found;
    *text = rest;
    return true;
}

/* Judges the finished line that ends at the last byte of the buffer. */
static enum qm_err take_line(struct qm_reply *reply)
{
    struct qm_span all = qm_buf_span(&reply->lines);
    struct qm_span line = qm_span_from(all, reply->line_start);
    struct qm_span text;
    int code;

    line = strip_cr(qm_span_make(line.ptr, line.len - 1));
    code = parse_code(line);
    if (code == 0 || (reply->code != 0 && code != reply->code)) {
        return QM_E_SYNTAX;
    }
    if (line.len > CODE_LEN && line.ptr[CODE_LEN] != ' ' &&
        line.ptr[CODE_LEN] != '-') {
        return QM_E_SYNTAX;
    }
    if (++reply->line_count > QM_REPLY_LINES_MAX) {
        return QM_E_LIMIT;
    }
    reply->code = code;
    reply->complete = line.len == CODE_LEN || line.ptr[CODE_LEN] == ' ';
    text = qm_span_from(line, CODE_LEN + 1);
    if (reply->enhanced.status == 0) {
        (void)take_enhanced(&text, code / 100, &reply->enhanced);
    }
    reply->line_start = all.len;
    return reply->complete ? QM_OK : QM_E_AGAIN;
}

/* The line so far may hold neither a NUL nor more than the maximum. */
static enum qm_err check_piece(const struct qm_reply *reply,
                               struct qm_span piece)
{
    size_t before = qm_buf_len(&reply->lines) - reply->line_start;

    if (memchr(piece.ptr, '\0', piece.len) != NULL) {
        return QM_E_SYNTAX;
    }
    return before + piece.len > QM_REPLY_LINE_MAX ? QM_E_LIMIT : QM_OK;
}

/* Takes bytes up to and including the next LF, or all of them. */
static enum qm_err take_piece(struct qm_reply *reply, struct qm_span input,
                              size_t *used_out)
{
    const char *newline = memchr(input.ptr, '\n', input.len);
    size_t len =
        newline == NULL ? input.len : (size_t)(newline - input.ptr) + 1;
    struct qm_span piece = qm_span_make(input.ptr, len);
    enum qm_err err = check_piece(reply, piece);
    enum qm_err kept;

    if (err == QM_E_LIMIT) {
        piece.len =
            QM_REPLY_LINE_MAX - (qm_buf_len(&reply->lines) - reply->line_start);
    }
    kept = qm_buf_append(&reply->lines, piece);
    if (err == QM_OK) {
        err = kept;
    }
    *used_out = len;
    if (err != QM_OK) {
        return err;
    }
    return newline != NULL ? take_line(reply) : QM_E_AGAIN;
}

enum qm_err qm_reply_feed(struct qm_reply *reply, struct qm_span input,
                          size_t *used_out)
{
    size_t used = 0;
    enum qm_err err = QM_E_AGAIN;

    while (err == QM_E_AGAIN && used < input.len) {
        size_t taken = 0;

        err = take_piece(reply, qm_span_from(input, used), &taken);
        used += taken;
    }
    *used_out = used;
    return err;
}

bool qm_reply_next_line(struct qm_span *rest, struct qm_span *line_out)
{
    const char *newline;
    size_t len;

    if (rest->len == 0) {
        return false;
    }
    newline = memchr(rest->ptr, '\n', rest->len);
    len = newline == NULL ? rest->len : (size_t)(newline - rest->ptr);
    *line_out =
        qm_span_from(strip_cr(qm_span_make(rest->ptr, len)), CODE_LEN + 1);
    *rest = qm_span_from(*rest, len + 1);
    return true;
}

static enum qm_err join_lines(const struct qm_reply *reply, struct qm_buf *out)
{
    struct qm_span rest = qm_buf_span(&reply->lines);
    struct qm_enhanced ignored;
    struct qm_span line;

    while (qm_reply_next_line(&rest, &line)) {
        (void)take_enhanced(&line, qm_reply_class(reply), &ignored);
        if (line.len > 0 && qm_buf_len(out) > 0) {
            (void)qm_buf_append_char(out, ' ');
        }
        (void)qm_buf_append(out, line);
    }
    return out->err;
}

enum qm_err qm_reply_text(const struct qm_reply *reply, struct qm_buf *out)
{
    struct qm_buf joined;
    enum qm_err err;

    qm_buf_init(&joined, QM_REPLY_TOTAL_MAX, false);
    err = join_lines(reply, &joined);
    if (err == QM_OK) {
        err = qm_charset_reply(out, qm_buf_span(&joined));
    }
    qm_buf_deinit(&joined);
    return err;
}
