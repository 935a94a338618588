#include "base/qm_utf8.h"

struct lead {
    unsigned char len;    /* bytes in the character, 0: not a lead byte */
    unsigned char lowest; /* least allowed second byte */
    unsigned char highest;
};

/* RFC 3629 section 4: the second byte carries all the special cases. */
static struct lead classify(unsigned char c)
{
    struct lead lead = { 0, 0x80, 0xbf };

    if (c < 0x80) {
        lead.len = 1;
    } else if (c >= 0xc2 && c <= 0xdf) {
        lead.len = 2;
    } else if (c >= 0xe0 && c <= 0xef) {
        lead.len = 3;
        lead.lowest = c == 0xe0 ? 0xa0 : 0x80;
        lead.highest = c == 0xed ? 0x9f : 0xbf;
    } else if (c >= 0xf0 && c <= 0xf4) {
        lead.len = 4;
        lead.lowest = c == 0xf0 ? 0x90 : 0x80;
        lead.highest = c == 0xf4 ? 0x8f : 0xbf;
    }
    return lead;
}

size_t qm_utf8_char_len(struct qm_span text)
{
    const unsigned char *byte = (const unsigned char *)text.ptr;
    struct lead lead;
    size_t i;

    if (text.len == 0) {
        return 0;
    }
    lead = classify(byte[0]);
    if (lead.len == 0 || lead.len > text.len) {
        return 0;
    }
    if (lead.len > 1 && (byte[1] < lead.lowest || byte[1] > lead.highest)) {
        return 0;
    }
    for (i = 2; i < lead.len; i++) {
        if ((byte[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return lead.len;
}

/*
 * Three bytes whose lead has no rule of its own for the second one: nearly all
 * of Chinese.
 */
static bool is_common(const char *text)
{
    unsigned char lead = (unsigned char)text[0];

    return lead > 0xe0 && lead < 0xf0 && lead != 0xed &&
           ((unsigned char)text[1] & 0xc0) == 0x80 &&
           ((unsigned char)text[2] & 0xc0) == 0x80;
}

size_t qm_utf8_run_of_high(struct qm_span text)
{
    size_t at = 0;

    while (at < text.len && (unsigned char)text.ptr[at] >= 0x80) {
        size_t len = 3;

        if (text.len - at < 3 || !is_common(text.ptr + at)) {
            len = qm_utf8_char_len(qm_span_from(text, at));
        }
        if (len == 0) {
            break;
        }
        at += len;
    }
    return at;
}

/* Bytes of ASCII at the start, eight at a time. */
static size_t run_of_ascii(struct qm_span text)
{
    size_t at = 0;
    uint64_t word;

    for (; text.len - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, text.ptr + at, sizeof(word));
        if ((word & UINT64_C(0x8080808080808080)) != 0) {
            break;
        }
    }
    while (at < text.len && (unsigned char)text.ptr[at] < 0x80) {
        at++;
    }
    return at;
}

size_t qm_utf8_valid_prefix(struct qm_span text)
{
    size_t at = run_of_ascii(text);

    while (at < text.len) {
        size_t len = qm_utf8_run_of_high(qm_span_from(text, at));

        if (len == 0) {
            break;
        }
        at += len;
        at += run_of_ascii(qm_span_from(text, at));
    }
    return at;
}

bool qm_utf8_has_high(struct qm_span text)
{
    return run_of_ascii(text) < text.len;
}
