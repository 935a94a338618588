#include "base/qm_err.h"

#include "check.h"

static void names_are_distinct(void)
{
    int a;
    int b;

    for (a = 0; a < QM_ERR_COUNT; a++) {
        const char *name = qm_err_name((enum qm_err)a);

        CHECK(name[0] != '\0' && qm_err_text((enum qm_err)a)[0] != '\0');
        CHECK(strcmp(name, "unknown") != 0);
        for (b = 0; b < a; b++) {
            CHECK(strcmp(name, qm_err_name((enum qm_err)b)) != 0);
        }
    }
}

static void known_names(void)
{
    CHECK(QM_OK == 0);
    CHECK(strcmp(qm_err_name(QM_OK), "ok") == 0);
    CHECK(strcmp(qm_err_name(QM_E_TOO_LONG), "too_long") == 0);
    CHECK(strcmp(qm_err_text(QM_E_TOO_LONG), "is too long") == 0);
}

static void out_of_range_is_unknown(void)
{
    CHECK(strcmp(qm_err_name(QM_ERR_COUNT), "unknown") == 0);
    CHECK(strcmp(qm_err_text(QM_ERR_COUNT), "unknown error") == 0);
}

int main(void)
{
    TEST(names_are_distinct);
    TEST(known_names);
    TEST(out_of_range_is_unknown);
    return check_done();
}
