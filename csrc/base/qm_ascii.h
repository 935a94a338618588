/*
 * qm_ascii.h: character classes and comparison that no locale can change.
 *
 * Arguments are `unsigned char`, so a byte above 127 is simply in no class.
 */
#ifndef QM_ASCII_H
#define QM_ASCII_H

#include "base/qm_span.h"

static inline bool qm_ascii_is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static inline bool qm_ascii_is_alpha(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool qm_ascii_is_alnum(unsigned char c)
{
    return qm_ascii_is_alpha(c) || qm_ascii_is_digit(c);
}

/* Space or horizontal tab: WSP of RFC 5234. */
static inline bool qm_ascii_is_blank(unsigned char c)
{
    return c == ' ' || c == '\t';
}

/* What a folded field has as white space: blanks, CR, LF. */
static inline bool qm_ascii_is_white(unsigned char c)
{
    return qm_ascii_is_blank(c) || c == '\r' || c == '\n';
}

/* C0 control characters and DEL. */
static inline bool qm_ascii_is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* VCHAR of RFC 5234: visible, no space. */
static inline bool qm_ascii_is_visible(unsigned char c)
{
    return c > 0x20 && c < 0x7f;
}

static inline unsigned char qm_ascii_lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

static inline bool qm_ascii_equal_nocase(struct qm_span a, struct qm_span b)
{
    size_t i;

    if (a.len != b.len) {
        return false;
    }
    for (i = 0; i < a.len; i++) {
        if (qm_ascii_lower((unsigned char)a.ptr[i]) !=
            qm_ascii_lower((unsigned char)b.ptr[i])) {
            return false;
        }
    }
    return true;
}

/* True when the span holds at least one byte of the given class. */
static inline bool qm_ascii_has(struct qm_span text,
                                bool (*in_class)(unsigned char))
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if (in_class((unsigned char)text.ptr[i])) {
            return true;
        }
    }
    return false;
}

/*
 * Reads a whole span as an unsigned decimal number. False when it is empty,
 * holds anything but digits, or does not fit; `value_out` is then untouched.
 */
static inline bool qm_ascii_to_u64(struct qm_span text, uint64_t *value_out)
{
    uint64_t value = 0;
    size_t i;

    if (text.len == 0) {
        return false;
    }
    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        uint64_t digit = (uint64_t)(c - '0');

        if (!qm_ascii_is_digit(c) || value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *value_out = value;
    return true;
}

#endif
