#include "codec/qm_lookalike.h"

#include "check.h"

static const char *why(const char *character)
{
    return qm_lookalike_why(qm_span_of(character), false);
}

static void test_forbidden(void)
{
    static const struct {
        const char *character;
        const char *part;
    } cases[] = {
        { "\xef\xbc\xa0", "'@'" },          /* U+FF20 */
        { "\xef\xb9\xab", "'@'" },          /* U+FE6B */
        { "\xef\xbc\x8c", "comma" },        /* U+FF0C */
        { "\xe3\x80\x81", "comma" },        /* U+3001 */
        { "\xef\xbc\x9b", "semicolon" },    /* U+FF1B */
        { "\xcd\xbe", "semicolon" },        /* U+037E */
        { "\xe3\x80\x82", "dot" },          /* U+3002 */
        { "\xef\xbc\x8e", "dot" },          /* U+FF0E */
        { "\xef\xb8\x90", "comma" },        /* U+FE10 */
        { "\xef\xb8\x92", "dot" },          /* U+FE12 */
        { "\xef\xb8\x94", "semicolon" },    /* U+FE14 */
        { "\xef\xb8\x93", "full-width" },   /* U+FE13 */
        { "\xef\xbc\x81", "full-width" },   /* U+FF01 */
        { "\xef\xb9\xa0", "full-width" },   /* U+FE60 */
        { "\xe3\x80\x80", "blank" },        /* U+3000 */
        { "\xe2\x80\x8b", "invisible" },    /* U+200B */
        { "\xe2\x80\xa8", "invisible" },    /* U+2028 */
        { "\xe2\x80\xae", "invisible" },    /* U+202E */
        { "\xef\xbb\xbf", "invisible" },    /* U+FEFF */
        { "\xc2\x85", "no place" },         /* U+0085 */
        { "\xee\x80\x80", "no place" },     /* U+E000 */
        { "\xef\xb7\xaf", "no place" },     /* U+FDEF */
        { "\xf0\x9f\xbf\xbf", "no place" }, /* U+1FFFF */
        { "\xf4\x8f\xb7\xaf", "no place" }  /* U+10FDEF */
    };
    size_t i;

    for (i = 0; i < QM_COUNTOF(cases); i++) {
        const char *text = why(cases[i].character);

        CHECK(text != NULL && strstr(text, cases[i].part) != NULL);
    }
}

static void test_allowed(void)
{
    CHECK(why("\xc3\xa9") == NULL);         /* U+00E9 */
    CHECK(why("\xe4\xb8\xad") == NULL);     /* U+4E2D */
    CHECK(why("\xe7\x98\x8a") == NULL);     /* U+760A */
    CHECK(why("\xf0\x9f\x93\x8a") == NULL); /* U+1F4CA */
    CHECK(why("\xcc\x80") == NULL);         /* U+0300 */
    CHECK(qm_lookalike_why(qm_span_of("\xcc\x80"), true) != NULL);
    CHECK(qm_lookalike_why(qm_span_of("\xe4\xb8\xad"), true) == NULL);
}

static void test_is_at(void)
{
    CHECK(qm_lookalike_is_at(qm_span_of("\xef\xbc\xa0")));
    CHECK(qm_lookalike_is_at(qm_span_of("\xef\xb9\xab")));
    CHECK(!qm_lookalike_is_at(qm_span_of("\xef\xbc\xa1")));
}

int main(void)
{
    TEST(test_forbidden);
    TEST(test_allowed);
    TEST(test_is_at);
    return check_done();
}
