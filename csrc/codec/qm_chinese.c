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
    BIG5_COMMON_MAX = 0xc6
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

bool qm_chinese_is_big5(struct qm_span text)
{
    const unsigned char *bytes = (const unsigned char *)text.ptr;
    size_t gb = 0;
    size_t big5 = 0;
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
        at += 2;
    }
    return big5 > gb;
}
