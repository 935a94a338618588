#include "codec/qm_charset.h"

#include "base/qm_ascii.h"
#include "base/qm_utf8.h"
#include "codec/qm_chinese.h"

#include <errno.h>
#include <iconv.h>

enum {
    CHUNK = 1024, /* bytes converted at a time, on the stack */
    NAME_MAX_LEN = 64,
    ESCAPE_LEN = 4, /* \xHH */
    CHAR_MAX_LEN = 4,
    GROWTH = 3 /* bytes of UTF-8 for one of GB18030, at most */
};

/* What iconv_open() returns when it cannot. */
static const iconv_t no_decoder = (iconv_t)-1;

static iconv_t open_gb18030(void)
{
    iconv_t decoder = iconv_open("UTF-8", "GB18030");

    if (decoder == no_decoder) {
        decoder = iconv_open("UTF-8", "GBK");
    }
    return decoder;
}

static iconv_t open_big5(void)
{
    iconv_t decoder = iconv_open("UTF-8", "BIG5");

    if (decoder == no_decoder) {
        decoder = iconv_open("UTF-8", "CP950");
    }
    return decoder;
}

static bool is_part_of_gb18030(struct qm_span name)
{
    return qm_ascii_equal_nocase(name, qm_span_of("GB2312")) ||
           qm_ascii_equal_nocase(name, qm_span_of("GBK")) ||
           qm_ascii_equal_nocase(name, qm_span_of("GB18030"));
}

/*
 * Names of charsets only: for iconv_open() an empty name means the locale's
 * charset, and a slash begins options.
 */
static bool is_charset_name(struct qm_span name)
{
    size_t i;

    for (i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!qm_ascii_is_alnum((unsigned char)c) &&
            (c == '\0' || strchr("-_.:+()", c) == NULL)) {
            return false;
        }
    }
    return name.len > 0 && name.len <= NAME_MAX_LEN;
}

static iconv_t open_decoder(const char *from)
{
    struct qm_span name = qm_span_of(from);

    if (!is_charset_name(name)) {
        return no_decoder;
    }
    if (is_part_of_gb18030(name)) {
        return open_gb18030();
    }
    return iconv_open("UTF-8", from);
}

/* Offset of what could not be decoded, or text.len. Errors of `out` stick. */
static size_t decode(iconv_t decoder, struct qm_buf *out, struct qm_span text)
{
    /* iconv() does not write to its input; its prototype predates const. */
    char *in = (char *)(uintptr_t)text.ptr;
    size_t in_left = text.len;
    char chunk[CHUNK];
    bool flushed = false;

    while (!flushed && out->err == QM_OK) {
        char *to = chunk;
        size_t to_left = sizeof(chunk);
        bool at_end = in_left == 0;
        bool done =
            iconv(decoder, at_end ? NULL : &in, at_end ? NULL : &in_left, &to,
                  &to_left) != (size_t)-1;

        if (!done && errno != E2BIG) {
            break;
        }
        flushed = done && at_end;
        (void)qm_buf_append(out, qm_span_make(chunk, sizeof(chunk) - to_left));
    }
    return text.len - in_left;
}

static enum qm_err convert(struct qm_buf *out, iconv_t decoder,
                           struct qm_span text, size_t *fault_at_out)
{
    size_t before = qm_buf_len(out);
    size_t at;

    if (decoder == no_decoder) {
        return QM_E_UNSUPPORTED;
    }
    at = decode(decoder, out, text);
    (void)iconv_close(decoder);
    if (out->err == QM_OK && at == text.len) {
        return QM_OK;
    }
    qm_buf_truncate(out, before);
    if (out->err != QM_OK) {
        return out->err;
    }
    *fault_at_out = at;
    return QM_E_SYNTAX;
}

enum qm_err qm_charset_convert(struct qm_buf *out, const char *from,
                               struct qm_span text, size_t *fault_at_out)
{
    size_t ignored;

    return convert(out, open_decoder(from), text,
                   fault_at_out != NULL ? fault_at_out : &ignored);
}

/*
 * Characters a terminal or a log viewer would act upon: C0, DEL and C1
 * controls, the line and paragraph separators, and bidirectional controls,
 * which can show a text in another order than it was written.
 */
static bool is_unprintable(struct qm_span character)
{
    const unsigned char *byte = (const unsigned char *)character.ptr;

    switch (character.len) {
    case 1:
        return qm_ascii_is_control(byte[0]);
    case 2: /* U+0080 to U+009F */
        return byte[0] == 0xc2 && byte[1] < 0xa0;
    case 3: /* U+2028 to U+202E, U+2066 to U+2069 */
        return byte[0] == 0xe2 &&
               ((byte[1] == 0x80 && byte[2] >= 0xa8 && byte[2] <= 0xae) ||
                (byte[1] == 0x81 && byte[2] >= 0xa6 && byte[2] <= 0xa9));
    default:
        return false;
    }
}

/* Writes each byte as \xHH; returns the number of bytes written. */
static size_t escape(struct qm_span bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];

        *out++ = '\\';
        *out++ = 'x';
        *out++ = digits[c >> 4];
        *out++ = digits[c & 0x0f];
    }
    return bytes.len * ESCAPE_LEN;
}

/* Appends what stands for one character, or nothing when it does not fit. */
static bool append_char(struct qm_buf *out, struct qm_span character,
                        bool must_escape)
{
    char piece[ESCAPE_LEN * CHAR_MAX_LEN];
    struct qm_span made = character;

    if (character.ptr[0] == '\t') {
        made = qm_span_of(" ");
    } else if (must_escape || is_unprintable(character)) {
        made = qm_span_make(piece, escape(character, piece));
    }
    return made.len <= qm_buf_free_space(out) &&
           qm_buf_append(out, made) == QM_OK;
}

static void append_printable(struct qm_buf *out, struct qm_span text)
{
    bool appended = true;

    while (text.len > 0 && appended) {
        size_t len = qm_utf8_char_len(text);
        size_t taken = len > 0 ? len : 1;

        appended = append_char(out, qm_span_make(text.ptr, taken), len == 0);
        text = qm_span_from(text, taken);
    }
}

/* The start of a character whose end is missing. */
static bool is_cut_char(struct qm_span text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        unsigned char mark = i == 0 ? 0xc0 : 0x80;

        if (((unsigned char)text.ptr[i] & 0xc0) != mark) {
            return false;
        }
    }
    return text.len < CHAR_MAX_LEN;
}

/*
 * UTF-8 that was cut within its last character counts: read as GBK it would be
 * valid often enough, and all of it wrong. Characters before the cut must show
 * that it is no single character of GBK.
 */
static bool is_utf8_reply(struct qm_span text)
{
    size_t valid = qm_utf8_valid_prefix(text);

    if (valid == text.len) {
        return true;
    }
    return is_cut_char(qm_span_from(text, valid)) &&
           qm_utf8_has_high(qm_span_make(text.ptr, valid));
}

/*
 * Decodes into the empty `decoded` *used_out bytes of `text`: all of them, but
 * for a last one that begins a character whose other bytes are missing.
 */
static enum qm_err decode_reply(struct qm_buf *decoded, iconv_t (*open)(void),
                                struct qm_span text, size_t *used_out)
{
    size_t at = text.len;
    enum qm_err err = convert(decoded, open(), text, &at);

    if (err == QM_E_SYNTAX && at + 1 == text.len) {
        text.len = at;
        err = convert(decoded, open(), text, &at);
    }
    *used_out = err == QM_OK ? text.len : 0;
    return err;
}

static enum qm_err decode_chinese(struct qm_buf *decoded, struct qm_span text,
                                  size_t *used_out)
{
    if (qm_chinese_is_big5(text)) {
        enum qm_err err = decode_reply(decoded, open_big5, text, used_out);
        if (err == QM_OK || err == QM_E_MEMORY) {
            return err;
        }
    }
    return decode_reply(decoded, open_gb18030, text, used_out);
}

enum qm_err qm_charset_reply(struct qm_buf *out, struct qm_span text)
{
    struct qm_buf decoded;
    enum qm_err err = QM_OK;
    size_t used = 0;

    qm_buf_init(&decoded, text.len * GROWTH, false);
    if (!is_utf8_reply(text)) {
        err = decode_chinese(&decoded, text, &used);
    }
    if (err != QM_E_MEMORY) {
        append_printable(out, qm_buf_span(&decoded));
        append_printable(out, qm_span_from(text, used));
    }
    qm_buf_deinit(&decoded);
    return err == QM_E_MEMORY ? err : out->err;
}
