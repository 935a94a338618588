/* test_cram.c: CRAM-MD5. */
#include "check.h"
#include "crypto/qm_cram.h"

#include "base/qm_mem.h"

static void check_answer(const char *user, const char *password,
                         const char *challenge, const char *expected)
{
    struct qm_buf out;

    qm_buf_init(&out, 1024, true);
    CHECK(qm_cram_answer(qm_span_of(user), qm_span_of(password),
                         qm_span_of(challenge), &out) == QM_OK);
    CHECK(qm_span_equal(qm_buf_span(&out), qm_span_of(expected)));
    qm_buf_deinit(&out);
}

static void test_answer(void)
{
    /* RFC 2195 section 2 */
    check_answer("tim", "tanstaaftanstaaf",
                 "<1896.697170952@postoffice.reston.mci.net>",
                 "tim b913a602c7eda7a495b4e6e7334d3890");
    check_answer("user", "pass", "<123456.1322876914@testserver>",
                 "user 287eb355114cf5c471c26a875f1ca4ae");
}

static void test_refusals(void)
{
    struct qm_span some = qm_span_of("x");
    struct qm_buf out;

    qm_buf_init(&out, 8, true);
    CHECK(qm_cram_answer(some, some, qm_span_make(NULL, 0), &out) ==
          QM_E_EMPTY);
    CHECK(qm_cram_answer(some, some, some, &out) == QM_E_LIMIT);
    qm_buf_deinit(&out);
    qm_buf_init(&out, 1024, true);
    qm_mem_test_fail_after(0);
    CHECK(qm_cram_answer(some, some, some, &out) == QM_E_MEMORY);
    qm_mem_test_fail_after(-1);
    qm_buf_deinit(&out);
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    TEST(test_answer);
    TEST(test_refusals);
    return check_done();
}
