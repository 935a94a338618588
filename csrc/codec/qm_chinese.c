#include "codec/qm_chinese.h"

enum {
    LEAD_MIN = 0x81, /* of both charsets; ASCII stands for itself below */
    LEAD_MAX = 0xfe,
    TRAIL_GAP = 0x7f, /* Big5: 40 to 7E, A1 to FE */
    TRAIL_MIN = 0x40,
    TRAIL_HIGH = 0xa1, /* GB2312: from here on */
    TRAIL_MAX = 0xfe,
    PUNCTUATION_MIN = 0xa1, /* symbols and full-width forms, both charsets */
    PUNCTUATION_MAX = 0xa3,
    GB_COMMON_MIN = 0xb0, /* 3755 characters by sound */
    GB_COMMON_MAX = 0xd7,
    BIG5_COMMON_MIN = 0xa4, /* 5401 characters by strokes */
    BIG5_COMMON_MAX = 0xc6,
    UTF8_LEAD_MIN = 0xc2, /* of two bytes: signs, then alphabets */
    UTF8_TRAIL_MAX = 0xbf,
    UTF8_GREEK = 0xce /* with Cyrillic and Hebrew above */
};

/*
 * Where common characters of both charsets meet (lead B0 to C6, trail from A1)
 * a bit for each pair that is more than twice as often a character of Big5,
 * counted in translations of programs (tools/charset_strings.py). Trails are
 * counted from A1, from the lowest bit on.
 */
static const unsigned char big5_bits[BIG5_COMMON_MAX - GB_COMMON_MIN +
                                     1][12] = {
    { 0x84, 0x82, 0x11, 0x2c, 0xf0, 0x42, 0x07, 0x50, 0x00, 0x9b, 0x52, 0x00 },
    { 0x01, 0x00, 0x12, 0x18, 0x2a, 0x80, 0x4b, 0x06, 0x80, 0x04, 0x84, 0x30 },
    { 0x6c, 0x80, 0x04, 0x20, 0x18, 0x80, 0x54, 0x00, 0x20, 0x40, 0x20, 0x08 },
    { 0x01, 0xa0, 0x0c, 0x05, 0x01, 0x30, 0x13, 0x00, 0x20, 0x08, 0x82, 0x01 },
    { 0x05, 0x15, 0x32, 0x8a, 0x01, 0x00, 0x01, 0x4a, 0x18, 0x22, 0x00, 0x00 },
    { 0x61, 0x00, 0x8a, 0x01, 0x00, 0x00, 0x00, 0x0c, 0x11, 0x02, 0x84, 0x15 },
    { 0x53, 0xa0, 0x70, 0x00, 0x46, 0x00, 0x50, 0x08, 0x00, 0x87, 0x09, 0x00 },
    { 0x49, 0x00, 0x80, 0x20, 0x00, 0x00, 0x04, 0x80, 0x20, 0x10, 0x00, 0x00 },
    { 0x20, 0x10, 0x00, 0x01, 0x00, 0x0c, 0x1d, 0x80, 0x00, 0x06, 0x16, 0x04 },
    { 0x03, 0x02, 0x04, 0x00, 0x01, 0x40, 0x02, 0x80, 0x00, 0x66, 0x18, 0x00 },
    { 0x01, 0x01, 0x80, 0x60, 0x00, 0x82, 0xa2, 0x31, 0x02, 0x04, 0x09, 0x0c },
    { 0x01, 0x04, 0x0a, 0x08, 0x00, 0x00, 0x08, 0x32, 0x02, 0x10, 0x00, 0x00 },
    { 0x00, 0x00, 0x00, 0x14, 0xa0, 0x85, 0x02, 0x02, 0x00, 0x40, 0x00, 0x00 },
    { 0x00, 0x00, 0x00, 0x00, 0x28, 0x90, 0x11, 0x00, 0xa8, 0x00, 0x00, 0x00 },
    { 0x18, 0x00, 0x00, 0x01, 0x40, 0x88, 0x40, 0x22, 0x05, 0xa0, 0x44, 0x02 },
    { 0x00, 0x04, 0x00, 0x00, 0x14, 0x00, 0x00, 0x80, 0x80, 0xc5, 0x00, 0x13 },
    { 0x04, 0x00, 0x06, 0x46, 0x00, 0x05, 0x00, 0x01, 0x00, 0x00, 0x0a, 0x00 },
    { 0x01, 0x00, 0x20, 0x00, 0x00, 0x00, 0x40, 0x00, 0x08, 0x00, 0x30, 0x00 },
    { 0x20, 0x00, 0x0a, 0x10, 0x1e, 0xa0, 0x00, 0x88, 0x00, 0x02, 0xc0, 0x01 },
    { 0x00, 0x02, 0x81, 0x21, 0x08, 0x80, 0x03, 0x01, 0x08, 0x08, 0xa0, 0x20 },
    { 0x00, 0x00, 0x33, 0x80, 0x01, 0x00, 0x00, 0x10, 0x20, 0x00, 0x12, 0x10 },
    { 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x28, 0x44, 0x01, 0x00, 0x10 },
    { 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 },
};

static bool is_between(unsigned char c, unsigned char min, unsigned char max)
{
    return c >= min && c <= max;
}

static bool is_common_gb(unsigned char lead, unsigned char trail)
{
    return is_between(trail, TRAIL_HIGH, TRAIL_MAX) &&
           (is_between(lead, GB_COMMON_MIN, GB_COMMON_MAX) ||
            is_between(lead, PUNCTUATION_MIN, PUNCTUATION_MAX));
}

static bool is_big5(unsigned char trail)
{
    return is_between(trail, TRAIL_MIN, TRAIL_GAP - 1) ||
           is_between(trail, TRAIL_HIGH, TRAIL_MAX);
}

static bool is_common_big5(unsigned char lead)
{
    return is_between(lead, PUNCTUATION_MIN, PUNCTUATION_MAX) ||
           is_between(lead, BIG5_COMMON_MIN, BIG5_COMMON_MAX);
}

/* For a text that could be either: +1 when the pair speaks for Big5, or -1. */
static int vote(unsigned char lead, unsigned char trail)
{
    unsigned bit = (unsigned)(trail - TRAIL_HIGH);

    if (!is_between(lead, GB_COMMON_MIN, BIG5_COMMON_MAX) ||
        !is_between(trail, TRAIL_HIGH, TRAIL_MAX)) {
        return 0;
    }
    return (big5_bits[lead - GB_COMMON_MIN][bit / 8] >> bit % 8 & 1) != 0 ? 1
                                                                          : -1;
}

bool qm_chinese_is_big5(struct qm_span text)
{
    const unsigned char *bytes = (const unsigned char *)text.ptr;
    size_t gb = 0;
    size_t big5 = 0;
    int64_t votes = 0;
    size_t at = 0;

    while (at < text.len) {
        if (bytes[at] < 0x80) {
            at++;
            continue;
        }
        if (at + 1 == text.len) {
            break;
        }
        if (!is_between(bytes[at], LEAD_MIN, LEAD_MAX) ||
            !is_big5(bytes[at + 1])) {
            return false;
        }
        gb += is_common_gb(bytes[at], bytes[at + 1]) ? 1 : 0;
        big5 += is_common_big5(bytes[at]) ? 1 : 0;
        votes += vote(bytes[at], bytes[at + 1]);
        at += 2;
    }
    return big5 > gb || (big5 == gb && votes > 0);
}

/* Alphabets of UTF-8: two leads each, nearly. */
static bool is_other_alphabet(unsigned char a, unsigned char b)
{
    bool is_quoted = (a == UTF8_LEAD_MIN && b >= UTF8_GREEK) ||
                     (b == UTF8_LEAD_MIN && a >= UTF8_GREEK);

    return a / 2 != b / 2 && !is_quoted;
}

bool qm_chinese_is_gb_in_utf8(struct qm_span text)
{
    const unsigned char *bytes = (const unsigned char *)text.ptr;
    unsigned char before = 0; /* lead of the pair that touches this one */
    bool is_mixed = false;
    size_t at = 0;

    while (at < text.len) {
        if (bytes[at] < 0x80) {
            before = 0;
            at++;
            continue;
        }
        if (at + 1 == text.len ||
            !is_between(bytes[at], UTF8_LEAD_MIN, GB_COMMON_MAX) ||
            !is_between(bytes[at + 1], TRAIL_HIGH, UTF8_TRAIL_MAX)) {
            return false;
        }
        is_mixed =
            is_mixed || (before != 0 && is_other_alphabet(before, bytes[at]));
        before = bytes[at];
        at += 2;
    }
    return is_mixed;
}
