/*
 * check.h: the few macros of the C unit tests.
 *
 * A test program calls TEST(function) for each case and ends with
 * `return check_done();`. A failed CHECK prints where and goes on. The last
 * line of the output is "N passed, N failed, N skipped", counting cases.
 */
#ifndef CHECK_H
#define CHECK_H

#include "base/qm_base.h" /* first: feature macros */

#include <stdio.h>
#include <string.h>

static int check_cases_passed;
static int check_cases_failed;
static int check_failures; /* inside the current case */

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);     \
            check_failures++;                                                  \
        }                                                                      \
    } while (0)

/* Compares bytes with a C string, printing both when they differ. */
#define CHECK_BYTES(ptr, len, expected)                                        \
    check_bytes(__FILE__, __LINE__, (ptr), (len), (expected),                  \
                sizeof(expected) - 1)

static inline void check_bytes(const char *file, int line, const char *got,
                               size_t got_len, const char *expected,
                               size_t expected_len)
{
    if (got_len == expected_len &&
        (got_len == 0 || memcmp(got, expected, got_len) == 0)) {
        return;
    }
    printf("%s:%d: failed:\n  got      [%.*s]\n  expected [%.*s]\n", file, line,
           (int)got_len, got_len > 0 ? got : "", (int)expected_len, expected);
    check_failures++;
}

static inline void check_case(const char *name, void (*run)(void))
{
    check_failures = 0;
    run();
    if (check_failures > 0) {
        printf("case failed: %s\n", name);
        check_cases_failed++;
    } else {
        check_cases_passed++;
    }
}

#define TEST(function) check_case(#function, function)

static inline int check_done(void)
{
    printf("%d passed, %d failed, 0 skipped\n", check_cases_passed,
           check_cases_failed);
    return check_cases_failed > 0 ? 1 : 0;
}

#endif
