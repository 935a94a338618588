/* test_salted.c: salted passwords, made and remembered. */
#include "check.h"
#include "crypto/qm_salted.h"

#include "base/qm_mem.h"

static struct qm_salted_need need_of(const char *password, const char *salt,
                                     uint32_t rounds)
{
    struct qm_salted_need need;

    need.digest = QM_DIGEST_SHA1;
    need.password = qm_span_of(password);
    need.salt = qm_span_of(salt);
    need.rounds = rounds;
    return need;
}

/* RFC 6070 section 2: "password", "salt", one round */
static const unsigned char once[20] = { 0x0c, 0x60, 0xc8, 0x0f, 0x96,
                                        0x1f, 0x0e, 0x71, 0xf3, 0xa9,
                                        0xb5, 0x24, 0xaf, 0x60, 0x12,
                                        0x06, 0x2f, 0xe0, 0x37, 0xa6 };

/* What was remembered is shown by a value that nothing could make. */
static bool is_remembered(struct qm_salted *salted, struct qm_salted_need need)
{
    unsigned char out[QM_DIGEST_SIZE_MAX];
    struct qm_salted copy = *salted;

    copy.value[0] = (unsigned char)~salted->value[0];
    *salted = copy;
    CHECK(qm_salted_get(salted, &need, out) == QM_OK);
    return out[0] == copy.value[0] && salted->value[0] == copy.value[0];
}

static void test_value(void)
{
    struct qm_salted_need need = need_of("password", "salt", 1);
    struct qm_salted salted;
    unsigned char out[QM_DIGEST_SIZE_MAX];

    memset(&salted, 0, sizeof(salted));
    CHECK(qm_salted_get(NULL, &need, out) == QM_OK);
    CHECK(memcmp(out, once, sizeof(once)) == 0);
    memset(out, 0, sizeof(out));
    CHECK(qm_salted_get(&salted, &need, out) == QM_OK);
    CHECK(memcmp(out, once, sizeof(once)) == 0);
    memset(out, 0, sizeof(out));
    CHECK(qm_salted_get(&salted, &need, out) == QM_OK);
    CHECK(memcmp(out, once, sizeof(once)) == 0);
    qm_salted_forget(&salted);
    CHECK(qm_mem_test_live() == 0);
}

static void check_other(struct qm_salted_need other)
{
    struct qm_salted_need need = need_of("password", "salt", 1);
    struct qm_salted salted;
    unsigned char out[QM_DIGEST_SIZE_MAX];
    unsigned char expected[QM_DIGEST_SIZE_MAX];

    memset(&salted, 0, sizeof(salted));
    CHECK(qm_salted_get(&salted, &need, out) == QM_OK);
    CHECK(is_remembered(&salted, need));
    CHECK(qm_salted_get(&salted, &other, out) == QM_OK);
    CHECK(qm_salted_get(NULL, &other, expected) == QM_OK);
    CHECK(memcmp(out, expected, qm_digest_size(other.digest)) == 0);
    CHECK(is_remembered(&salted, other));
    qm_salted_forget(&salted);
}

static void test_others(void)
{
    struct qm_salted_need need = need_of("password", "salt", 1);

    need.digest = QM_DIGEST_SHA256;
    check_other(need);
    check_other(need_of("password", "salt", 2));
    check_other(need_of("password", "salty", 1));
    check_other(need_of("password", "sal", 1));
    check_other(need_of("passwor", "dsalt", 1));
    check_other(need_of("passwords", "alt", 1));
    check_other(need_of("", "passwordsalt", 1));
    check_other(need_of("Password", "salt", 1));
    CHECK(qm_mem_test_live() == 0);
}

static void test_forget(void)
{
    static const struct qm_salted nothing;
    struct qm_salted_need need = need_of("password", "salt", 1);
    struct qm_salted salted;
    unsigned char out[QM_DIGEST_SIZE_MAX];

    memset(&salted, 0, sizeof(salted));
    qm_salted_forget(&salted);
    CHECK(qm_salted_get(&salted, &need, out) == QM_OK);
    qm_salted_forget(&salted);
    CHECK(memcmp(&salted, &nothing, sizeof(salted)) == 0);
    CHECK(qm_mem_test_live() == 0);
    CHECK(qm_salted_get(&salted, &need, out) == QM_OK);
    CHECK(is_remembered(&salted, need));
    qm_salted_forget(&salted);
}

/* Without memory the value is there, and not remembered. */
static void test_memory(void)
{
    struct qm_salted_need need = need_of("password", "salt", 1);
    struct qm_salted salted;
    unsigned char out[QM_DIGEST_SIZE_MAX];

    memset(&salted, 0, sizeof(salted));
    qm_mem_test_fail_after(0);
    CHECK(qm_salted_get(&salted, &need, out) == QM_OK);
    qm_mem_test_fail_after(-1);
    CHECK(memcmp(out, once, sizeof(once)) == 0);
    CHECK(qm_buf_len(&salted.made_of) == 0);
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    TEST(test_value);
    TEST(test_others);
    TEST(test_forget);
    TEST(test_memory);
    return check_done();
}
