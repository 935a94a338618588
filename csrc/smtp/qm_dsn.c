#include "smtp/qm_dsn.h"

#include "base/qm_ascii.h"
#include "base/qm_utf8.h"

static const char hex[] = "0123456789ABCDEF";

/* In the order of the bits, which is that of RFC 3461's grammar. */
static const char *const notify_words[] = { "never", "success", "failure",
                                            "delay" };
static const char *const notify_values[] = { "NEVER", "SUCCESS", "FAILURE",
                                             "DELAY" };

/* --- reading ------------------------------------------------------------- */

static unsigned notify_bit(struct qm_span word)
{
    unsigned i;

    for (i = 0; i < QM_COUNTOF(notify_words); i++) {
        if (qm_span_equal(word, qm_span_of(notify_words[i]))) {
            return 1u << i;
        }
    }
    return 0;
}

/* NEVER excludes the others. */
static bool is_notify(unsigned notify)
{
    return notify == QM_DSN_NEVER || (notify & QM_DSN_NEVER) == 0;
}

enum qm_err qm_dsn_read_notify(struct qm_span text, unsigned *notify_out)
{
    unsigned notify = 0;
    size_t begin = 0;
    size_t i;

    for (i = 0; i <= text.len; i++) {
        unsigned bit;

        if (i < text.len && text.ptr[i] != ',') {
            continue;
        }
        bit = notify_bit(qm_span_make(text.ptr + begin, i - begin));
        if (bit == 0) {
            return QM_E_SYNTAX;
        }
        notify |= bit;
        begin = i + 1;
    }
    *notify_out = notify;
    return is_notify(notify) ? QM_OK : QM_E_SYNTAX;
}

enum qm_err qm_dsn_read_ret(struct qm_span text, enum qm_dsn_ret *ret_out)
{
    if (text.len == 0) {
        *ret_out = QM_DSN_RET_ANY;
    } else if (qm_span_equal(text, qm_span_of("full"))) {
        *ret_out = QM_DSN_RET_FULL;
    } else if (qm_span_equal(text, qm_span_of("headers"))) {
        *ret_out = QM_DSN_RET_HEADERS;
    } else {
        return QM_E_SYNTAX;
    }
    return QM_OK;
}

/* --- encoding ------------------------------------------------------------ */

static enum qm_err check_text(struct qm_span text)
{
    if (qm_ascii_has(text, qm_ascii_is_control)) {
        return QM_E_CONTROL;
    }
    return qm_utf8_valid_prefix(text) == text.len ? QM_OK : QM_E_UTF8;
}

static bool is_xchar(unsigned char c)
{
    return qm_ascii_is_visible(c) && c != '+' && c != '=';
}

/* xtext, RFC 3461 section 4; `text` is ASCII. */
static void append_xtext(struct qm_buf *out, struct qm_span text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (is_xchar(c)) {
            (void)qm_buf_append_char(out, (char)c);
        } else {
            (void)qm_buf_append_char(out, '+');
            (void)qm_buf_append_char(out, hex[c >> 4]);
            (void)qm_buf_append_char(out, hex[c & 15]);
        }
    }
}

/* EmbeddedUnicodeChar of RFC 6533 section 3: as many digits as are needed. */
static void append_point(struct qm_buf *out, uint32_t point)
{
    int shift = 20;

    while (shift > 4 && (point >> shift) == 0) {
        shift -= 4;
    }
    (void)qm_buf_append_text(out, "\\x{");
    for (; shift >= 0; shift -= 4) {
        (void)qm_buf_append_char(out, hex[(point >> shift) & 15]);
    }
    (void)qm_buf_append_char(out, '}');
}

/* The character at the start of valid UTF-8. */
static uint32_t point_of(struct qm_span text, size_t len)
{
    uint32_t point = (unsigned char)text.ptr[0];
    size_t i;

    if (len > 1) {
        point &= 0x7fu >> len;
    }
    for (i = 1; i < len; i++) {
        point = (point << 6) | ((unsigned char)text.ptr[i] & 0x3fu);
    }
    return point;
}

/*
 * utf-8-addr-unitext, or utf-8-addr-xtext where only ASCII may be sent (RFC
 * 6533 section 3). The backslash begins an escape here.
 */
static void append_utf8_address(struct qm_buf *out, struct qm_span text,
                                bool raw)
{
    while (text.len > 0) {
        size_t len = qm_utf8_char_len(text);
        unsigned char c = (unsigned char)text.ptr[0];

        if (len > 1 ? raw : is_xchar(c) && c != '\\') {
            (void)qm_buf_append(out, qm_span_make(text.ptr, len));
        } else {
            append_point(out, point_of(text, len));
        }
        text = qm_span_from(text, len);
    }
}

/* Ends what was appended since `start`, or takes it back. */
static enum qm_err finish(struct qm_buf *out, size_t start, enum qm_err err)
{
    if (err == QM_OK) {
        err = out->err;
    }
    if (err != QM_OK) {
        qm_buf_truncate(out, start);
    }
    return err;
}

static enum qm_err append_envid(struct qm_buf *out, struct qm_span envid)
{
    enum qm_err err = check_text(envid);
    size_t start;

    if (err != QM_OK) {
        return err;
    }
    /* RFC 3461 section 4.4: printable ASCII before it is encoded. */
    if (qm_utf8_has_high(envid)) {
        return QM_E_NONASCII;
    }
    (void)qm_buf_append_text(out, " ENVID=");
    start = qm_buf_len(out);
    append_xtext(out, envid);
    return qm_buf_len(out) - start > QM_DSN_ENVID_MAX ? QM_E_TOO_LONG : QM_OK;
}

static enum qm_err append_orcpt(struct qm_buf *out, struct qm_span orcpt,
                                bool utf8)
{
    enum qm_err err = check_text(orcpt);
    size_t start;

    if (err != QM_OK) {
        return err;
    }
    (void)qm_buf_append_text(out, " ORCPT=");
    start = qm_buf_len(out);
    if (qm_utf8_has_high(orcpt)) {
        (void)qm_buf_append_text(out, "utf-8;");
        append_utf8_address(out, orcpt, utf8);
    } else {
        (void)qm_buf_append_text(out, "rfc822;");
        append_xtext(out, orcpt);
    }
    return qm_buf_len(out) - start > QM_DSN_ORCPT_MAX ? QM_E_TOO_LONG : QM_OK;
}

static void append_notify(struct qm_buf *out, unsigned notify)
{
    const char *separator = " NOTIFY=";
    unsigned i;

    for (i = 0; i < QM_COUNTOF(notify_values); i++) {
        if ((notify & (1u << i)) != 0) {
            (void)qm_buf_append_text(out, separator);
            (void)qm_buf_append_text(out, notify_values[i]);
            separator = ",";
        }
    }
}

enum qm_err qm_dsn_append_mail(struct qm_buf *out,
                               const struct qm_dsn_mail *dsn)
{
    size_t start = qm_buf_len(out);
    enum qm_err err = QM_OK;

    if (dsn->ret != QM_DSN_RET_ANY) {
        (void)qm_buf_append_text(
            out, dsn->ret == QM_DSN_RET_FULL ? " RET=FULL" : " RET=HDRS");
    }
    if (dsn->envid.len > 0) {
        err = append_envid(out, dsn->envid);
    }
    return finish(out, start, err);
}

enum qm_err qm_dsn_append_rcpt(struct qm_buf *out,
                               const struct qm_dsn_rcpt *dsn, bool utf8)
{
    size_t start = qm_buf_len(out);
    enum qm_err err = is_notify(dsn->notify) ? QM_OK : QM_E_SYNTAX;

    append_notify(out, dsn->notify);
    if (err == QM_OK && dsn->orcpt.len > 0) {
        err = append_orcpt(out, dsn->orcpt, utf8);
    }
    return finish(out, start, err);
}
