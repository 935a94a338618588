#include "codec/qm_html_link.h"

#include "base/qm_mem.h"
#include "check.h"
#include "guard_page.h"

static struct guard_page guard;

static void check_link(const char *text, const char *href, const char *expected)
{
    struct qm_buf out;
    struct qm_span got;

    qm_buf_init(&out, 4096, false);
    (void)qm_buf_append_text(&out, "before ");
    (void)qm_buf_append_text(&out, text);
    qm_html_link_append(&out, guard_page_put(&guard, qm_span_of(href)), 7);
    got = qm_buf_span(&out);
    CHECK(out.err == QM_OK);
    if (!qm_span_equal(qm_span_from(got, 7), qm_span_of(expected))) {
        printf("[%.*s], expected [%s]\n", (int)got.len, got.ptr, expected);
    }
    CHECK(qm_span_equal(qm_span_from(got, 7), qm_span_of(expected)));
    qm_buf_deinit(&out);
}

static void says_where_it_leads(void)
{
    check_link("text", "https://e.com/?a=1&amp;b=2",
               "text <https://e.com/?a=1&b=2>");
    check_link("text", " \nhttps://e.com/a b<c>\t",
               "text <https://e.com/a%20b%3Cc%3E>");
    check_link("", "https://e.com", "<https://e.com>");
    check_link("write", "mailto:a@e.com?subject=x", "write <a@e.com>");
    check_link("call", "tel:+8612345", "call <+8612345>");
    check_link("app", "weixin://x", "app <weixin://x>");
    check_link("bad", "http://\xff/\x01", "bad <http://\xef\xbf\xbd/>");
    check_link("host", "http://notexample.com", "host <http://notexample.com>");
    check_link("example.com", "http://notexample.com",
               "example.com <http://notexample.com>");
}

static void says_nothing_twice(void)
{
    check_link("e.com", "https://www.e.com/", "e.com");
    check_link("see https://E.com", "https://e.com/", "see https://E.com");
    check_link("https://e.com/ ", "https://e.com", "https://e.com/ ");
    check_link("a@e.com", "mailto:a@e.com", "a@e.com");
    check_link("010-12345", "tel:+861012345", "010-12345");
}

static void leads_nowhere(void)
{
    check_link("text", "#top", "text");
    check_link("text", "/path", "text");
    check_link("text", "javascript://x%0aalert(1)", "text");
    check_link("text", "data:text/html,x", "text");
    check_link("text", "mailto:", "text");
    check_link("text", "mailto:?subject=x", "text");
    check_link("text", "://x", "text");
    check_link("text", "{{url}}", "text");
}

static void keeps_the_errors_of_its_buffer(void)
{
    struct qm_buf out;

    qm_buf_init(&out, 10, false);
    (void)qm_buf_append_text(&out, "text");
    qm_html_link_append(&out, qm_span_of("https://example.com"), 0);
    CHECK(out.err == QM_E_LIMIT);
    qm_buf_deinit(&out);
}

int main(void)
{
    guard = guard_page_open(4096);
    TEST(says_where_it_leads);
    TEST(says_nothing_twice);
    TEST(leads_nowhere);
    TEST(keeps_the_errors_of_its_buffer);
    guard_page_close(&guard);
    return check_done();
}
