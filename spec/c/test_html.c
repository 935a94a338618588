#include "codec/qm_html.h"

#include "check.h"
#include "guard_page.h"

static struct guard_page guard;

/* Tokens in one line: texts as they are, tags as [name's kind]. */
static void check_tokens(const char *input, const char *expected)
{
    struct qm_html html;
    struct qm_html_token token;
    char got[256] = "";
    size_t len = 0;

    qm_html_init(&html, guard_page_put(&guard, qm_span_of(input)));
    qm_html_next(&html, &token);
    while (token.type != QM_HTML_END_OF_INPUT && len < 200) {
        if (token.type == QM_HTML_TEXT) {
            memcpy(got + len, token.text.ptr, token.text.len);
            len += token.text.len;
        } else {
            got[len++] = token.type == QM_HTML_START ? '[' : ']';
        }
        qm_html_next(&html, &token);
    }
    CHECK(html.at == html.input.len);
    if (strcmp(got, expected) != 0) {
        printf("[%s]: [%s], expected [%s]\n", input, got, expected);
    }
    CHECK(strcmp(got, expected) == 0);
}

static void tells_tags_from_text(void)
{
    check_tokens("", "");
    check_tokens("a", "a");
    check_tokens("a<b>c</b >d", "a[c]d");
    check_tokens("a < b <3 <", "a < b <3 <");
    check_tokens("<<b>", "<[");
    check_tokens("a<", "a<");
    check_tokens("a</", "a");
    check_tokens("a<b", "a");
    check_tokens("a<b c='>", "a");
    check_tokens("<br/><a href=x/>y", "[[y");
}

static void passes_over_comments(void)
{
    check_tokens("a<!-- <b> -- > -->c", "ac");
    check_tokens("a<!-->b<!--->c<!---->d", "abcd");
    check_tokens("a<!-- --!>b<!----!>c<!--!>d-->e<!---!>f-->g", "abceg");
    check_tokens("a<!-- >--!>b", "ab");
    check_tokens("a<!-- b", "a");
    check_tokens("a<!--", "a");
    check_tokens("<!DOCTYPE html>a<?xml?>b</ x>c", "abc");
    check_tokens("<!--[if mso]><b>x</b><![endif]-->a", "a");
    check_tokens("<![if !mso]>a<![endif]>b", "ab");
    check_tokens("<!--[if !mso]><!-->a<!--<![endif]-->b", "ab");
}

static void passes_over_raw_content(void)
{
    check_tokens("<script>a<b></p>'</scripty></SCRIPT>c", "[]c");
    check_tokens("<style>a</style", "[");
    check_tokens("<title>a", "[");
    check_tokens("<style><", "[");
    check_tokens("<style></style>", "[]");
}

static struct qm_html_token first(const char *input)
{
    struct qm_html html;
    struct qm_html_token token;

    qm_html_init(&html, guard_page_put(&guard, qm_span_of(input)));
    qm_html_next(&html, &token);
    return token;
}

static void reads_attributes(void)
{
    struct qm_html_token token =
        first("<A x HREF = 'a>b' alt=\"\" style=c/d hidden href=z start=5/>");

    CHECK(token.type == QM_HTML_START && token.kind == QM_HTML_LINK);
    CHECK_BYTES(token.href.ptr, token.href.len, "a>b");
    CHECK_BYTES(token.style.ptr, token.style.len, "c/d");
    CHECK(token.alt.len == 0 && token.is_hidden);
    token = first("<img alt=it's = =hidden>");
    CHECK_BYTES(token.alt.ptr, token.alt.len, "it's");
    CHECK(token.kind == QM_HTML_IMAGE && !token.is_closed);
    CHECK(first("<o:p/>").is_closed);
}

static void knows_its_elements(void)
{
    CHECK(first("<TD>").kind == QM_HTML_CELL);
    CHECK(first("<a>").kind == QM_HTML_LINK);
    CHECK(first("<xmp>").kind == QM_HTML_RAW);
    CHECK(first("<h2>").breaks == 2);
    CHECK(first("<abbr>").kind == QM_HTML_OTHER);
    CHECK(first("<zz>").kind == QM_HTML_OTHER);
    CHECK(first("<Div>").name == first("</dIV>").name);
    CHECK(first("<b>").name != first("<i>").name);
}

static void reads_each_part_of_a_page(void)
{
    static const char page[] = "<!-- c --><p class=\"a\" hidden>x &amp; <a "
                               "href='u'>y</a></p><script>z</script><br/>";
    size_t len;

    for (len = 0; len < sizeof(page); len++) {
        struct qm_html html;
        struct qm_html_token token;
        size_t count = 0;

        qm_html_init(&html, guard_page_put(&guard, qm_span_make(page, len)));
        do {
            qm_html_next(&html, &token);
            count++;
        } while (token.type != QM_HTML_END_OF_INPUT && count < 20);
        CHECK(token.type == QM_HTML_END_OF_INPUT);
    }
}

int main(void)
{
    guard = guard_page_open(4096);
    TEST(tells_tags_from_text);
    TEST(passes_over_comments);
    TEST(passes_over_raw_content);
    TEST(reads_attributes);
    TEST(knows_its_elements);
    TEST(reads_each_part_of_a_page);
    guard_page_close(&guard);
    return check_done();
}
