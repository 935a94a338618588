#include "smtp/qm_mask.h"

#include "base/qm_mem.h"
#include "check.h"

/* Masks `text` with up to three secrets, in the order given. */
static void check_mask(const char *const secrets[3], const char *text,
                       const char *expected)
{
    struct qm_mask mask;
    char copy[256];
    size_t len = strlen(text);
    size_t i;

    qm_mask_init(&mask);
    for (i = 0; i < 3 && secrets[i] != NULL; i++) {
        CHECK(qm_mask_add(&mask, qm_span_of(secrets[i])) == QM_OK);
    }
    memcpy(copy, text, len + 1);
    qm_mask_apply(&mask, copy, len);
    CHECK(strlen(expected) == len && memcmp(copy, expected, len) == 0);
    qm_mask_deinit(&mask);
}

static void check_one(const char *secret, const char *text,
                      const char *expected)
{
    const char *secrets[3] = { secret, NULL, NULL };

    check_mask(secrets, text, expected);
}

static void hides_a_secret(void)
{
    check_one("code", "", "");
    check_one("code", "cod", "cod");
    check_one("code", "code", "****");
    check_one("code", "a code, cocode, codcode", "a ****, co****, cod****");
    check_one("code", "codecode", "********");
    check_one("abcabd", "abcabcabd", "abc******");
    check_one("aaaa", "aaaaaa a aaa", "****** a aaa");
    check_one("abab", "ababab", "******");
}

static void leaves_short_ones(void)
{
    check_one("", "abc", "abc");
    check_one("abc", "abc", "abc");
    check_one("YQ==", "YQ==", "YQ==");
}

static void knows_base64_without_padding(void)
{
    check_one("c2VjcmV0YQ==", "x c2VjcmV0YQ== y", "x ************ y");
    check_one("c2VjcmV0YQ==", "x c2VjcmV0YQ y", "x ********** y");
}

/* The password in base64 is a piece of the response that holds it. */
static void hides_the_last_added_first(void)
{
    const char *secrets[3] = { "bbbb", "aabbbbcc", NULL };

    check_mask(secrets, "aabbbbcc bbbb", "******** ****");
}

static void masks_nothing_when_it_ended(void)
{
    struct qm_mask mask;
    char text[] = "code";

    qm_mask_init(&mask);
    qm_mask_apply(&mask, text, 4);
    CHECK(qm_mask_add(&mask, qm_span_of("code")) == QM_OK);
    qm_mask_deinit(&mask);
    qm_mask_deinit(&mask);
    qm_mask_apply(&mask, text, 4);
    CHECK_BYTES(text, 4, "code");
}

static void has_limits(void)
{
    static char longest[QM_MASK_LEN_MAX + 1];
    struct qm_mask mask;
    unsigned i;

    memset(longest, 'a', sizeof(longest));
    qm_mask_init(&mask);
    CHECK(qm_mask_add(&mask, qm_span_make(longest, sizeof(longest))) ==
          QM_E_LIMIT);
    for (i = 0; i < QM_MASK_MAX; i++) {
        CHECK(qm_mask_add(&mask, qm_span_make(longest, QM_MASK_LEN_MAX)) ==
              QM_OK);
    }
    CHECK(qm_mask_add(&mask, qm_span_of("code")) == QM_E_LIMIT);
    CHECK(mask.count == QM_MASK_MAX);
    qm_mask_deinit(&mask);
}

/* Every text and secret of few letters, beside the plain way to search. */
static void agrees_with_the_plain_way(void)
{
    unsigned secret_bits;
    unsigned text_bits;

    for (secret_bits = 0; secret_bits < 32; secret_bits++) {
        for (text_bits = 0; text_bits < 1024; text_bits++) {
            char secret[6];
            char text[11];
            char expected[11];
            unsigned i;

            for (i = 0; i < 5; i++) {
                secret[i] = (secret_bits >> i & 1) != 0 ? 'a' : 'b';
            }
            for (i = 0; i < 10; i++) {
                text[i] = (text_bits >> i & 1) != 0 ? 'a' : 'b';
            }
            secret[5] = text[10] = expected[10] = '\0';
            memcpy(expected, text, sizeof(text));
            for (i = 0; i + 5 <= 10; i++) {
                if (memcmp(text + i, secret, 5) == 0) {
                    memset(expected + i, '*', 5);
                }
            }
            check_one(secret, text, expected);
        }
    }
}

static void survives_lack_of_memory(void)
{
    enum qm_err err = QM_E_MEMORY;
    long allowed;

    for (allowed = 0; err != QM_OK && allowed < 10; allowed++) {
        struct qm_mask mask;
        char text[] = "code";

        qm_mask_init(&mask);
        qm_mem_test_fail_after(allowed);
        err = qm_mask_add(&mask, qm_span_of("code"));
        qm_mem_test_fail_after(-1);
        CHECK(err == QM_OK || err == QM_E_MEMORY);
        qm_mask_apply(&mask, text, 4);
        CHECK(memcmp(text, err == QM_OK ? "****" : "code", 4) == 0);
        qm_mask_deinit(&mask);
    }
    CHECK(err == QM_OK && allowed > 2);
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    TEST(hides_a_secret);
    TEST(leaves_short_ones);
    TEST(knows_base64_without_padding);
    TEST(hides_the_last_added_first);
    TEST(masks_nothing_when_it_ended);
    TEST(has_limits);
    TEST(agrees_with_the_plain_way);
    TEST(survives_lack_of_memory);
    return check_done();
}
