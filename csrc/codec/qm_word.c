#include "codec/qm_word.h"

#include "base/qm_ascii.h"
#include "base/qm_utf8.h"
#include "codec/qm_base64.h"

/* "=?UTF-8?B?" and "?=" around the encoded text. */
enum { PREFIX_LEN = 10, SUFFIX_LEN = 2, FRAME_LEN = PREFIX_LEN + SUFFIX_LEN };

/* What may follow the last word on its line: the quote and a semicolon. */
enum { QUOTED_RESERVE = 2 };

struct encoder {
    enum qm_word_place place;
    bool base64;
    size_t line_max; /* columns a line may have when a word ends it */
};

bool qm_word_needed(struct qm_span text)
{
    size_t run = 0;
    size_t i;

    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c >= 0x80 || (c == '?' && i > 0 && text.ptr[i - 1] == '=')) {
            return true;
        }
        run = qm_ascii_is_blank(c) ? 0 : run + 1;
        if (run > QM_WORD_PLAIN_RUN) {
            return true;
        }
    }
    return false;
}

/* RFC 2047 sections 4.2 and 5 (3). */
static bool is_plain_in_q(enum qm_word_place place, unsigned char c)
{
    if (qm_ascii_is_alnum(c)) {
        return true;
    }
    if (place == QM_WORD_TEXT) {
        return qm_ascii_is_visible(c) && c != '=' && c != '?' && c != '_';
    }
    return c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

static size_t q_len(enum qm_word_place place, struct qm_span bytes)
{
    size_t len = 0;
    size_t i;

    for (i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];

        len += c == ' ' || is_plain_in_q(place, c) ? 1 : 3;
    }
    return len;
}

static size_t b_len(size_t bytes)
{
    return (bytes + 2) / 3 * 4;
}

/*
 * Bytes of `text` (whole characters) that one word of at most `room` columns
 * can hold; 0 when not even the first fits.
 */
static size_t fitting(const struct encoder *encoder, struct qm_span text,
                      size_t room)
{
    size_t taken = 0;
    size_t cost = 0;

    while (taken < text.len) {
        size_t len = qm_utf8_char_len(qm_span_from(text, taken));

        if (encoder->base64) {
            cost = b_len(taken + len);
        } else {
            cost += q_len(encoder->place, qm_span_make(text.ptr + taken, len));
        }
        if (cost + FRAME_LEN > room) {
            break;
        }
        taken += len;
    }
    return taken;
}

static size_t put_b(char *at, struct qm_span bytes)
{
    struct qm_base64 state;
    size_t used;
    size_t written;

    qm_base64_init(&state, false);
    qm_base64_update(&state, bytes, at, QM_WORD_MAX, &used, &written);
    return written + qm_base64_finish(&state, at + written);
}

static size_t put_q(char *at, enum qm_word_place place, struct qm_span bytes)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t len = 0;
    size_t i;

    for (i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];

        if (c == ' ') {
            at[len++] = '_';
        } else if (is_plain_in_q(place, c)) {
            at[len++] = (char)c;
        } else {
            at[len++] = '=';
            at[len++] = hex[c >> 4];
            at[len++] = hex[c & 15];
        }
    }
    return len;
}

static enum qm_err append_word(const struct encoder *encoder,
                               struct qm_buf *out, struct qm_span bytes)
{
    char word[QM_WORD_MAX + 16]; /* base64 may want some room to spare */
    size_t len = PREFIX_LEN;

    memcpy(word, encoder->base64 ? "=?UTF-8?B?" : "=?UTF-8?Q?", PREFIX_LEN);
    if (encoder->base64) {
        len += put_b(word + len, bytes);
    } else {
        len += put_q(word + len, encoder->place, bytes);
    }
    memcpy(word + len, "?=", SUFFIX_LEN);
    return qm_buf_append(out, qm_span_make(word, len + SUFFIX_LEN));
}

static size_t room_for_word(const struct encoder *encoder, size_t column)
{
    size_t room = column < encoder->line_max ? encoder->line_max - column : 0;

    return room > QM_WORD_MAX ? QM_WORD_MAX : room;
}

static enum qm_err check_text(struct qm_span text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (qm_ascii_is_control(c) && c != '\t') {
            return QM_E_CONTROL;
        }
    }
    return qm_utf8_is_valid(text) ? QM_OK : QM_E_UTF8;
}

static struct encoder make_encoder(struct qm_span text,
                                   enum qm_word_place place)
{
    struct encoder encoder = { place, true, QM_WORD_LINE };

    if (place == QM_WORD_QUOTED) {
        encoder.line_max -= QUOTED_RESERVE;
    } else {
        encoder.base64 = b_len(text.len) <= q_len(place, text);
    }
    return encoder;
}

enum qm_err qm_word_encode(struct qm_buf *out, struct qm_span text,
                           enum qm_word_place place, size_t column)
{
    struct encoder encoder = make_encoder(text, place);
    size_t before = qm_buf_len(out);
    enum qm_err err = check_text(text);

    while (err == QM_OK && text.len > 0) {
        size_t len = fitting(&encoder, text, room_for_word(&encoder, column));

        if (len > 0) {
            err = append_word(&encoder, out, qm_span_make(text.ptr, len));
            text = qm_span_from(text, len);
        }
        if (err == QM_OK && text.len > 0) {
            err = qm_buf_append_text(out, "\r\n ");
            column = 1;
        }
    }
    if (err != QM_OK) {
        qm_buf_truncate(out, before);
    }
    return err;
}
