#include "codec/qm_idna.h"

#include "base/qm_mem.h"
#include "check.h"
#include "guard_page.h"

static struct guard_page guard;

static enum qm_err convert(struct qm_buf *out, const char *domain)
{
    qm_buf_init(out, 1024, false);
    return qm_idna_to_ascii(out, QM_IDNA_LIBRARY,
                            guard_page_put(&guard, qm_span_of(domain)));
}

static void check_domain(const char *domain, const char *expected)
{
    struct qm_buf out;

    CHECK(convert(&out, domain) == QM_OK);
    CHECK(qm_span_equal(qm_buf_span(&out), qm_span_of(expected)));
    qm_buf_deinit(&out);
}

static void check_refused(const char *domain, enum qm_err expected)
{
    struct qm_buf out;

    CHECK(convert(&out, domain) == expected);
    CHECK(qm_buf_len(&out) == 0);
    qm_buf_deinit(&out);
}

static void names_in_other_scripts(void)
{
    check_domain("\xe4\xbe\x8b\xe5\xad\x90.\xe6\xb5\x8b\xe8\xaf\x95",
                 "xn--fsqu00a.xn--0zwm56d");
    check_domain("Fa\xc3\x9f.de", "xn--fa-hia.de"); /* not transitional */
    /* full width, and the full stop of Chinese */
    check_domain("\xef\xbd\x91\xef\xbd\x91\xe3\x80\x82"
                 "com",
                 "qq.com");
    check_domain("Example.COM", "example.com");
}

static void refuses_what_is_no_domain(void)
{
    char big[1002];
    struct qm_buf out;

    memset(big, 'a', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    check_refused("", QM_E_SYNTAX);
    check_refused("\xe2\x98\x83.com", QM_E_SYNTAX);
    check_refused("\xff.com", QM_E_SYNTAX);
    check_refused(big, QM_E_TOO_LONG);
    qm_buf_init(&out, 1024, false);
    CHECK(qm_idna_to_ascii(&out, QM_IDNA_LIBRARY, qm_span_make("a\0b", 3)) ==
          QM_E_SYNTAX);
    CHECK(qm_idna_to_ascii(&out, "libidn2.so.none", qm_span_of("a.com")) ==
          QM_E_UNSUPPORTED);
    CHECK(qm_idna_to_ascii(&out, "libc.so.6", qm_span_of("a.com")) ==
          QM_E_UNSUPPORTED);
    qm_buf_deinit(&out);
}

static void survives_without_memory(void)
{
    struct qm_buf out;

    qm_mem_test_fail_after(0);
    check_refused("a.com", QM_E_MEMORY);
    qm_mem_test_fail_after(-1);
    qm_buf_init(&out, 3, false);
    CHECK(qm_idna_to_ascii(&out, QM_IDNA_LIBRARY, qm_span_of("a.com")) ==
          QM_E_LIMIT);
    qm_buf_deinit(&out);
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    guard = guard_page_open(4096);
    TEST(names_in_other_scripts);
    TEST(refuses_what_is_no_domain);
    TEST(survives_without_memory);
    guard_page_close(&guard);
    return check_done();
}
