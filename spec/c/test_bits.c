#include "base/qm_bits.h"

#include "check.h"

static void first_and_run(void)
{
    unsigned place;

    for (place = 0; place < 64; place++) {
        uint64_t one = UINT64_C(1) << place;

        CHECK(qm_bits_first(one) == place);
        CHECK(qm_bits_first(one | UINT64_C(1) << 63) == place);
        CHECK(qm_bits_run(one - 1) == place);
        CHECK(qm_bits_run(~one) == place);
    }
    CHECK(qm_bits_run(0) == 0);
    CHECK(qm_bits_run(UINT64_MAX) == 64);
}

static void below_and_count(void)
{
    size_t count;

    for (count = 0; count <= 64; count++) {
        CHECK(qm_bits_count(qm_bits_below(count)) == count);
        CHECK(qm_bits_run(qm_bits_below(count)) == count);
    }
    CHECK(qm_bits_below(200) == UINT64_MAX);
    CHECK(qm_bits_count(UINT64_C(0x8000000000000401)) == 3);
}

static void shift(void)
{
    CHECK(qm_bits_shift(UINT64_C(0xf0), 4) == 0xf);
    CHECK(qm_bits_shift(UINT64_MAX, 63) == 1);
    CHECK(qm_bits_shift(UINT64_MAX, 64) == 0);
    CHECK(qm_bits_shift(UINT64_MAX, 65) == 0);
    CHECK(qm_bits_shift(UINT64_MAX, 0) == UINT64_MAX);
}

int main(void)
{
    TEST(first_and_run);
    TEST(below_and_count);
    TEST(shift);
    return check_done();
}
