#include "codec/qm_literal.h"

#include "check.h"
#include "guard_page.h"

static void test_known_literals(void)
{
    static const char *const good[] = { "127.0.0.1",
                                        "255.255.255.255",
                                        "IPv6:::",
                                        "IPv6:::1",
                                        "ipv6:1::",
                                        "IPv6:1:2:3:4:5:6:7:8",
                                        "IPv6:1:2:3:4:5:6:1.2.3.4",
                                        "IPv6:::1.2.3.4",
                                        "IPv6:1:2:3::8",
                                        "IPv6:1:2:3:4:5:6::8" };
    static const char *const bad[] = { "",
                                       "1",
                                       "1.2.3",
                                       "1.2.3.4.5",
                                       "256.1.1.1",
                                       "01.2.3.4",
                                       "1.2.3.",
                                       ".1.2.3",
                                       "1.2.3.4 ",
                                       "::1",
                                       "IPv6:",
                                       "IPv6::1",
                                       "IPv6:1:",
                                       "IPv6:1:2:3:4:5:6:7",
                                       "IPv6:1:2:3:4:5:6:7:8:9",
                                       "IPv6:1::2::3",
                                       "IPv6:::g",
                                       "IPv6:12345::",
                                       "IPv6:1.2.3.4::",
                                       "IPv6:1:2:3:4:5:6:7::8",
                                       "IPv6::::",
                                       "IPv6:::1%eth0",
                                       "tag:text",
                                       "IPv6:1:2:3:4:5:6:7:1.2.3.4" };
    size_t i;

    for (i = 0; i < QM_COUNTOF(good); i++) {
        CHECK(qm_literal_is_valid(qm_span_of(good[i])));
    }
    for (i = 0; i < QM_COUNTOF(bad); i++) {
        CHECK(!qm_literal_is_valid(qm_span_of(bad[i])));
    }
}

static void test_every_prefix_at_the_guard_page(void)
{
    static const char text[] = "IPv6:2001:db8::ffff:192.0.2.1";
    struct guard_page guard = guard_page_open(4096);
    size_t start;
    size_t len;

    for (start = 0; start < sizeof(text); start++) {
        for (len = 0; start + len < sizeof(text); len++) {
            (void)qm_literal_is_valid(
                guard_page_put(&guard, qm_span_make(text + start, len)));
        }
    }
    guard_page_close(&guard);
}

int main(void)
{
    TEST(test_known_literals);
    TEST(test_every_prefix_at_the_guard_page);
    return check_done();
}
