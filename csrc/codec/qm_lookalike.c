#include "codec/qm_lookalike.h"

struct range {
    uint32_t first;
    uint32_t last;
    const char *why;
};

static const char why_at[] =
    "contains a full-width '@'; type the ASCII character";
static const char why_comma[] =
    "contains a full-width comma; separate addresses with an ASCII comma";
static const char why_semicolon[] =
    "contains a full-width semicolon; separate addresses with an ASCII comma";
static const char why_dot[] =
    "contains a full-width or ideographic dot; type the ASCII character";
static const char why_wide[] =
    "contains a full-width character; type its ASCII form";
static const char why_blank[] =
    "contains a non-ASCII blank or an invisible character";
static const char why_invalid[] =
    "contains a character that has no place in an address";

/* The first range that holds a character decides. */
static const struct range forbidden[] = {
    { 0xff20, 0xff20, why_at },
    { 0xfe6b, 0xfe6b, why_at },
    { 0xff0c, 0xff0c, why_comma },
    { 0x3001, 0x3001, why_comma },
    { 0xfe50, 0xfe51, why_comma },
    { 0xff64, 0xff64, why_comma },
    { 0xff1b, 0xff1b, why_semicolon },
    { 0xfe54, 0xfe54, why_semicolon },
    { 0x037e, 0x037e, why_semicolon },
    { 0xff0e, 0xff0e, why_dot },
    { 0xff61, 0xff61, why_dot },
    { 0x3002, 0x3002, why_dot },
    { 0xfe52, 0xfe52, why_dot },
    { 0x2024, 0x2026, why_dot },
    { 0x0080, 0x009f, why_invalid }, /* C1 control characters */
    { 0x00a0, 0x00a0, why_blank },
    { 0x00ad, 0x00ad, why_blank },
    { 0x034f, 0x034f, why_blank },
    { 0x061c, 0x061c, why_blank },
    { 0x115f, 0x1160, why_blank },
    { 0x1680, 0x1680, why_blank },
    { 0x17b4, 0x17b5, why_blank },
    { 0x180b, 0x180f, why_blank },
    { 0x1fef, 0x1fef, why_invalid }, /* canonically a grave accent */
    { 0x2000, 0x200f, why_blank },
    { 0x2028, 0x202f, why_blank },
    { 0x205f, 0x206f, why_blank },
    { 0x2474, 0x249b, why_invalid }, /* decompose into '(' and '.' */
    { 0x3000, 0x3000, why_blank },
    { 0x3164, 0x3164, why_blank },
    { 0xe000, 0xf8ff, why_invalid }, /* private use */
    { 0xfdd0, 0xfdef, why_invalid }, /* noncharacters */
    { 0xfe00, 0xfe0f, why_blank },
    { 0xfe10, 0xfe11, why_comma }, /* of vertical text */
    { 0xfe12, 0xfe12, why_dot },
    { 0xfe14, 0xfe14, why_semicolon },
    { 0xfe10, 0xfe19, why_wide },
    { 0xfe50, 0xfe6f, why_wide },
    { 0xfeff, 0xfeff, why_blank },
    { 0xff01, 0xff5e, why_wide },
    { 0xffa0, 0xffa0, why_blank },
    { 0xffe0, 0xffff, why_invalid },
    { 0xe0000, 0x10ffff, why_invalid }, /* tags, private use */
};

/* The blocks of combining marks. */
static const struct range combining[] = {
    { 0x0300, 0x036f, why_invalid }, { 0x1ab0, 0x1aff, why_invalid },
    { 0x1dc0, 0x1dff, why_invalid }, { 0x20d0, 0x20ff, why_invalid },
    { 0x302a, 0x302f, why_invalid }, { 0x3099, 0x309a, why_invalid },
    { 0xfe20, 0xfe2f, why_invalid },
};

static uint32_t decode(struct qm_span character)
{
    static const unsigned char lead_mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t code =
        (unsigned char)character.ptr[0] & (uint32_t)lead_mask[character.len];
    size_t i;

    for (i = 1; i < character.len; i++) {
        code = code << 6 | ((unsigned char)character.ptr[i] & 0x3fU);
    }
    return code;
}

static const char *find(const struct range *ranges, size_t count, uint32_t code)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (code >= ranges[i].first && code <= ranges[i].last) {
            return ranges[i].why;
        }
    }
    return NULL;
}

const char *qm_lookalike_why(struct qm_span character, bool first)
{
    uint32_t code = decode(character);
    const char *why = find(forbidden, QM_COUNTOF(forbidden), code);

    if (why == NULL && first) {
        why = find(combining, QM_COUNTOF(combining), code);
    }
    if (why == NULL && (code & 0xfffe) == 0xfffe) {
        why = why_invalid; /* the last two of every plane */
    }
    return why;
}

bool qm_lookalike_is_at(struct qm_span character)
{
    uint32_t code = decode(character);

    return code == 0xff20 || code == 0xfe6b;
}
