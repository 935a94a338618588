#include "codec/qm_html_image.h"

#include "check.h"
#include "guard_page.h"

static struct guard_page guard;

/* All addresses, "|" behind each, "*" before those of CSS. */
static void collect(struct qm_span input, struct qm_buf *out)
{
    struct qm_html_images images;
    struct qm_html_value address;
    const char *last = input.ptr;

    qm_html_images_init(&images, input);
    while (qm_html_images_next(&images, &address)) {
        CHECK(address.text.len > 0 && address.text.ptr >= last);
        last = address.text.ptr + address.text.len;
        CHECK(last <= input.ptr + input.len);
        (void)qm_buf_append_text(out, address.form == QM_HTML_CSS ? "*" : "");
        CHECK(qm_html_image_append(out, &address) == QM_OK);
        (void)qm_buf_append_text(out, "|");
    }
    CHECK(!qm_html_images_next(&images, &address));
}

static void check_found(const char *input, const char *expected)
{
    struct qm_buf got;
    struct qm_span bytes;

    qm_buf_init(&got, 65536, false);
    collect(guard_page_put(&guard, qm_span_of(input)), &got);
    bytes = qm_buf_span(&got);
    if (!qm_span_equal(bytes, qm_span_of(expected))) {
        printf("[%s]: [%.*s], expected [%s]\n", input, (int)bytes.len,
               bytes.ptr, expected);
    }
    CHECK(qm_span_equal(bytes, qm_span_of(expected)));
    qm_buf_deinit(&got);
}

static void finds_attributes(void)
{
    check_found("", "");
    check_found("<img src=a.png><IMG SRC='b.png'/><img\nsrc = \" c.png \">",
                "a.png|b.png|c.png|");
    check_found("<input type=image src=a><body background=b><td BACKGROUND=c>",
                "a|b|c|");
    check_found(
        "<img src=a src=b><img alt=x><img src=''><img src=' '><img src>", "a|");
    check_found("<img src=\"a?x=1&amp;y=2&#x2e;png&unknown;\">",
                "a?x=1&y=2.png&unknown;|");
    check_found("<script src=a></script><iframe src=b></iframe><video src=c>"
                "<a href=d><source src=e></img src=f>",
                "");
}

static void finds_sets(void)
{
    check_found("<img src=a srcset='b 1x,\nc&amp;d 2x , e'>", "a|b|c&d|e|");
    check_found("<source srcset='a.png,b.png 2x'><SOURCE SRCSET=' c, , d,, '>",
                "a.png,b.png|c|d|");
    check_found("<img srcset='data:x/y;base64,AA 2x, b' src=d>",
                "data:x/y;base64,AA|b|d|");
    check_found("<img srcset><img srcset=''><img srcset=' ,, '><p srcset=a>"
                "<img srcset=','><img srcset='a,b",
                "");
}

static void keeps_out_of_the_rest(void)
{
    check_found("<!-- <img src=a> --><!--[if mso]><img src=b><![endif]-->", "");
    check_found("<script>'<img src=a>'</script><title><img src=b></title>"
                "<textarea><img src=c></textarea>",
                "");
    check_found("&lt;img src=a&gt; src=\"b\" url(c) <img src=d", "");
    check_found("<p title='<img src=a>' data-src=b>", "");
}

static void finds_urls_of_css(void)
{
    check_found("<p style='background:url(a.png)'>", "*a.png|");
    check_found("<p style='background: URL( a.png ) , url( \"b)c.png\" )'>",
                "*a.png|*b)c.png|");
    check_found("<p style=\"background:url(&quot;a.png&quot;),url('b'),"
                "url(&#39;c&#x27;) url(d&amp;e)\">",
                "*a.png|*b|*c|*d&e|");
    check_found("<style>a{b:url(c)}/* url(d) */e{content:'url(f)'}"
                "g{h:url('i')}</style><img src=j>",
                "*c|*i|j|");
    check_found("<style>a{b:url(c&amp;d)}</style>", "*c&amp;d|");
    check_found("<style>curl(a) url (b) -url(c) url() url('') urls(d)</style>",
                "");
    check_found(
        "<style>url(a</style><style>url('b)</style><style>/* url(c)"
        "</style><style>'url(d)</style><style>/*</style><style>/</style>",
        "");
    check_found("<style>url('a\\'b') /***/ url(c) /*/ url(d) */</style>",
                "*a\\'b|*c|");
}

static void keeps_the_order_of_the_input(void)
{
    check_found("<td style=url(a) background=b><img background=c src=d "
                "style=\"url(e) url(f)\">",
                "*a|b|c|d|*e|*f|");
}

static void reads_each_part_of_a_page(void)
{
    static const char page[] =
        "<style>/* x */ a { b: url( 'c' ) }</style><img src=\"a&amp;b\" style="
        "'x:url(&quot;y&quot;)' srcset='a 2x, b'><td background=z></td>"
        "<!-- c -->";
    size_t len;

    for (len = 0; len < sizeof(page); len++) {
        struct qm_buf got;

        qm_buf_init(&got, 65536, false);
        collect(guard_page_put(&guard, qm_span_make(page, len)), &got);
        qm_buf_deinit(&got);
    }
}

int main(void)
{
    guard = guard_page_open(4096);
    TEST(finds_attributes);
    TEST(finds_sets);
    TEST(keeps_out_of_the_rest);
    TEST(finds_urls_of_css);
    TEST(keeps_the_order_of_the_input);
    TEST(reads_each_part_of_a_page);
    guard_page_close(&guard);
    return check_done();
}
