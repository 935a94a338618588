#include "codec/qm_literal.h"

#include "base/qm_ascii.h"

enum { IPV6_GROUPS = 8 };

static bool is_octet(struct qm_span text)
{
    uint64_t value = 0;

    if (text.len > 3 || (text.len > 1 && text.ptr[0] == '0')) {
        return false; /* some readers take "010" for octal */
    }
    return qm_ascii_to_u64(text, &value) && value <= 255;
}

/*
 * Takes the text before the next separator, and the separator, off `rest`.
 * False when there is none: the field is then all of `rest`, which stays.
 */
static bool cut_field(struct qm_span *rest, char separator,
                      struct qm_span *field_out)
{
    const char *end =
        rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
    size_t len;

    if (end == NULL) {
        *field_out = *rest;
        return false;
    }
    len = (size_t)(end - rest->ptr);
    *field_out = qm_span_make(rest->ptr, len);
    *rest = qm_span_make(end + 1, rest->len - len - 1);
    return true;
}

bool qm_literal_is_ipv4(struct qm_span text)
{
    struct qm_span field;
    int dots;

    for (dots = 0; dots < 3; dots++) {
        if (!cut_field(&text, '.', &field) || !is_octet(field)) {
            return false;
        }
    }
    return is_octet(text);
}

static bool is_hex_group(struct qm_span text)
{
    size_t i;

    if (text.len == 0 || text.len > 4) {
        return false;
    }
    for (i = 0; i < text.len; i++) {
        unsigned char c = qm_ascii_lower((unsigned char)text.ptr[i]);

        if (!qm_ascii_is_digit(c) && !(c >= 'a' && c <= 'f')) {
            return false;
        }
    }
    return true;
}

/*
 * Counts the groups of one side of "::" (or of an address without it), none
 * for an empty side; -1 when it is malformed. An IPv4 tail counts two.
 */
static int count_groups(struct qm_span text, bool ipv4_allowed)
{
    int groups = 0;

    if (text.len == 0) {
        return 0;
    }
    while (groups <= IPV6_GROUPS) {
        struct qm_span group;
        bool more = cut_field(&text, ':', &group);

        if (!more && ipv4_allowed && qm_literal_is_ipv4(group)) {
            return groups + 2;
        }
        if (!is_hex_group(group)) {
            return -1;
        }
        groups++;
        if (!more) {
            return groups;
        }
    }
    return -1;
}

static size_t find_double_colon(struct qm_span text)
{
    size_t i;

    for (i = 1; i < text.len; i++) {
        if (text.ptr[i] == ':' && text.ptr[i - 1] == ':') {
            return i - 1;
        }
    }
    return text.len;
}

bool qm_literal_is_ipv6(struct qm_span text)
{
    size_t gap = find_double_colon(text);
    int left;
    int right;

    if (gap == text.len) {
        return count_groups(text, true) == IPV6_GROUPS;
    }
    left = count_groups(qm_span_make(text.ptr, gap), false);
    right = count_groups(qm_span_from(text, gap + 2), true);
    return left >= 0 && right >= 0 && left + right < IPV6_GROUPS;
}

bool qm_literal_is_valid(struct qm_span inside)
{
    static const char tag[] = "IPv6:";
    size_t tag_len = sizeof(tag) - 1;

    if (inside.len > tag_len &&
        qm_ascii_equal_nocase(qm_span_make(inside.ptr, tag_len),
                              qm_span_make(tag, tag_len))) {
        return qm_literal_is_ipv6(qm_span_from(inside, tag_len));
    }
    return qm_literal_is_ipv4(inside);
}
