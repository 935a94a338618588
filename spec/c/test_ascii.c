#include "base/qm_ascii.h"

#include "check.h"

static bool is_in(int c, const char *set)
{
    return c > 0 && c < 128 && strchr(set, c) != NULL;
}

static void classes(void)
{
    static const char digits[] = "0123456789";
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    int i;

    for (i = 0; i < 256; i++) {
        unsigned char c = (unsigned char)i;
        bool alnum = is_in(i, digits) || is_in(i, letters);

        CHECK(qm_ascii_is_digit(c) == is_in(i, digits));
        CHECK(qm_ascii_is_alpha(c) == is_in(i, letters));
        CHECK(qm_ascii_is_alnum(c) == alnum);
        CHECK(qm_ascii_is_blank(c) == is_in(i, " \t"));
        CHECK(qm_ascii_is_control(c) == (i < 32 || i == 127));
        CHECK(qm_ascii_is_visible(c) == (i >= '!' && i <= '~'));
        CHECK(qm_ascii_lower(c) == (i >= 'A' && i <= 'Z' ? i + 32 : i));
    }
}

static bool same(const char *a, const char *b)
{
    return qm_ascii_equal_nocase(qm_span_of(a), qm_span_of(b));
}

static void comparison_ignores_case(void)
{
    CHECK(same("", "") && same("StartTLS", "STARTTLS") && same("a1-", "A1-"));
    CHECK(!same("a", "ab") && !same("a", "b") && !same("[", "{"));
    CHECK(!same("@", "`") && !same("\xc4", "\xe4"));
    CHECK(qm_ascii_equal_nocase(qm_span_make(NULL, 0), qm_span_of("")));
}

static void has_looks_at_every_byte(void)
{
    CHECK(!qm_ascii_has(qm_span_of(""), qm_ascii_is_digit));
    CHECK(!qm_ascii_has(qm_span_of("abc"), qm_ascii_is_digit));
    CHECK(qm_ascii_has(qm_span_of("abc1"), qm_ascii_is_digit));
    CHECK(qm_ascii_has(qm_span_make("a\0b", 3), qm_ascii_is_control));
}

static bool reads(const char *text, uint64_t expected)
{
    uint64_t value = 77;

    return qm_ascii_to_u64(qm_span_of(text), &value) && value == expected;
}

static bool refuses(const char *text)
{
    uint64_t value = 77;

    return !qm_ascii_to_u64(qm_span_of(text), &value) && value == 77;
}

static void numbers(void)
{
    CHECK(reads("0", 0) && reads("0010", 10) && reads("250", 250));
    CHECK(reads("18446744073709551615", UINT64_MAX));
    CHECK(reads("18446744073709551609", UINT64_MAX - 6));
    CHECK(refuses("18446744073709551616"));
    CHECK(refuses("18446744073709551620"));
    CHECK(refuses("99999999999999999999"));
    CHECK(refuses("184467440737095516150"));
    CHECK(refuses("") && refuses(" 1") && refuses("1 ") && refuses("+1"));
    CHECK(refuses("-1") && refuses("1a") && refuses("/") && refuses(":"));
    CHECK(refuses("\xb1"));
}

int main(void)
{
    TEST(classes);
    TEST(comparison_ignores_case);
    TEST(has_looks_at_every_byte);
    TEST(numbers);
    return check_done();
}
