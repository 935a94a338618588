#include "codec/qm_html_text.h"

#include "base/qm_mem.h"
#include "base/qm_utf8.h"
#include "check.h"
#include "guard_page.h"

static struct guard_page guard;

static void check_text(const char *html, const char *expected)
{
    struct qm_buf out;
    struct qm_span got;

    qm_buf_init(&out, 65536, false);
    CHECK(qm_html_text(&out, guard_page_put(&guard, qm_span_of(html))) ==
          QM_OK);
    got = qm_buf_span(&out);
    if (!qm_span_equal(got, qm_span_of(expected))) {
        printf("%s\n  [%.*s]\n  expected [%s]\n", html, (int)got.len, got.ptr,
               expected);
    }
    CHECK(qm_span_equal(got, qm_span_of(expected)));
    qm_buf_deinit(&out);
}

static void sets_blocks(void)
{
    check_text("", "");
    check_text("<br><p></p><div>&nbsp;</div>", "");
    check_text("<p>a<p>b</p>c", "a\n\nb\n\nc\n");
    check_text("<h1>T</h1>x<div>y</div>z", "T\n\nx\ny\nz\n");
    check_text("a<br>b<br><br>c<br/><br/><br/>d", "a\nb\n\nc\n\nd\n");
    check_text("<div>a<br></div><div>b</div><div><br></div>c", "a\nb\n\nc\n");
    check_text("<b style='display:block'>a</b>b<a href='http://c' style="
               "'display: block'>c</a>d",
               "a\nb\nc\nd\n");
    check_text("a<img alt=b style='display:block'>c<img alt=d>e",
               "a\nb\ncde\n");
    check_text("a<hr>b", "a\n------------------------\nb\n");
    check_text("<dl><dt>a<dd>b<dt>c<dd>d</dl>e", "a\n  b\nc\n  d\n\ne\n");
}

static void collapses_white_space(void)
{
    check_text(" a \n\t b&nbsp; &#160;c&#8195;d ", "a b c d\n");
    check_text("<i>a</i> b <b> c</b> <u> </u>d", "a b c d\n");
    check_text("a\x01\x1b\xc2\x9b"
               "b",
               "ab\n");
    check_text("<pre>\n a\n\n  b\tc\n\n\n</pre>z", " a\n\n  b\tc\n\nz\n");
    check_text("<pre>a\r\nb<b>\nc</b></pre>", "a\nb\nc\n");
}

/* CSS Text 3, 4.1.3: line ends of the source are no blanks in Chinese. */
static void joins_chinese_lines(void)
{
    check_text("\xe4\xb8\xad\xe6\x96\x87\xef\xbc\x8c\r\n  <b>\xe5\xa5\xbd</b>",
               "\xe4\xb8\xad\xe6\x96\x87\xef\xbc\x8c\xe5\xa5\xbd\n");
    check_text("\xe4\xb8\xad \xe6\x96\x87\nx\n\xe5\xa5\xbd",
               "\xe4\xb8\xad \xe6\x96\x87 x \xe5\xa5\xbd\n");
    check_text("\xed\x95\x9c\n\xea\xb5\xad", "\xed\x95\x9c \xea\xb5\xad\n");
    check_text("\xe8\xaf\xb4\n\xe2\x80\x9c\xe5\xa5\xbd\xe2\x80\x9d\n"
               "\xe2\x80\xa6\n\xe5\xa5\xbd",
               "\xe8\xaf\xb4\xe2\x80\x9c\xe5\xa5\xbd\xe2\x80\x9d "
               "\xe2\x80\xa6\xe5\xa5\xbd\n");
    check_text("he\n\xe2\x80\x9cx\xe2\x80\x9d\ny",
               "he \xe2\x80\x9cx\xe2\x80\x9d y\n");
}

static void numbers_lists(void)
{
    check_text("<ul><li>a<li>b<ul><li>c</ul><li>d</ul>e",
               "- a\n- b\n  - c\n- d\n\ne\n");
    check_text("<ol start=9><li>a</li><li>b<br>c</li></ol>",
               "9. a\n10. b\n    c\n");
    check_text("<ol start=x><li><p>a</p></li><li></li><li>b</li></ol>",
               "1. a\n\n3. b\n");
    check_text("<li>a", "- a\n");
    check_text("<ul><ul><ul><li>a</ul></ul></ul>b", "- a\n\nb\n");
}

static void sets_tables(void)
{
    check_text("<table><tr><td>a</td><td>b</td></tr><tr><td>c<td>d<tr><td>e"
               "</table>f",
               "a | b\nc | d\ne\n\nf\n");
    check_text("<table><tr><td><p>a</p></td><td><p>b</p></td></tr><tr><td><p>c"
               "</p></td><td></td><td><div>d</div></td></tr></table>",
               "a | b\nc | d\n");
    check_text("<table><tr><th></th><th>x</th></tr><tr><td>1</td><td></td><td>"
               "2</td></tr></table>",
               "| x\n1 | | 2\n");
    check_text("<table><tr><td><table><tr><td>a</td></tr></table></td><td>"
               "<table><tr><td>b</td></tr></table></td></tr></table>",
               "a\n\nb\n");
    check_text("<table><tr><td><p>a</p><p>b</p></td><td>c</td></tr></table>",
               "a\n\nb\n\nc\n");
    check_text("<table><tr><td>a</td></tr></table></td></tr>b", "a\n\nb\n");
}

static void marks_quotations(void)
{
    check_text("a<blockquote>b<p>c</p><blockquote>d</blockquote></blockquote>e",
               "a\n\n> b\n>\n> c\n>\n> > d\n\ne\n");
    check_text("<blockquote><ul><li>a<br>b</ul></blockquote>",
               "> - a\n>   b\n");
}

static void says_where_links_lead(void)
{
    check_text("<a href='https://e.com/a'>x </a>y", "x <https://e.com/a> y\n");
    check_text("<a href='https://e.com'><img src=i alt=' Logo &amp; x'></a>",
               "Logo & x <https://e.com>\n");
    check_text("a <a href='https://e.com'><img src=i></a>.",
               "a <https://e.com>.\n");
    check_text("<a href='https://e.com'></a><a name=x>y</a>", "y\n");
    check_text("<a href='https://e.com'><div>a</div></a>b",
               "a <https://e.com>\nb\n");
    check_text("<a href='http://a'>1<a href='http://b'>2", "1 <http://a>2 "
                                                           "<http://b>\n");
}

static void leaves_out_what_is_hidden(void)
{
    check_text("<head>x<title>y</title></head><body>b", "b\n");
    check_text("<head><meta x><div>b", "b\n");
    check_text("<div style='display:none'>a<div>b</div>c</div>d", "d\n");
    check_text("<p style='display:none'>a<p>b", "b\n");
    check_text("<span hidden>a<br></span>b<img alt=x hidden>", "b\n");
    check_text("<i aria-hidden=true>a</i>", "a\n");
    check_text("<noscript>a</noscript><template>b<p>c</template>d", "d\n");
    check_text("<td style='font-size:0px'>a<div style='font-size:13px'>b</div>"
               "c</td>",
               "b\n");
    check_text("<a href='https://e.com' style='mso-hide:all'>a</a>",
               "a <https://e.com>\n");
    check_text("<a href='https://e.com' style='display:none'>a</a>b", "b\n");
    check_text("<i hidden>a<i>b</i>c<b>d</i>e", "e\n");
    check_text("<i style='font-size:0'><b style='font-size:9px'>a</b>b</i>c",
               "ac\n");
}

/* What newsletters push the body out of the preview with. */
static void leaves_out_fillers(void)
{
    check_text("&zwnj;&nbsp;&#847;&shy;\xef\xbb\xbf&#8199;\xe2\x80\x8b<p>a",
               "a\n");
    check_text("\xf0\x9f\x91\xa8&zwj;\xf0\x9f\x91\xa9 a&zwj;b",
               "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9 ab\n");
}

static void survives_nesting(void)
{
    static char page[60000];
    size_t len = 0;
    size_t i;

    for (i = 0; i < 1000; i++) {
        memcpy(page + len, "<blockquote><ul><li><div>", 25);
        len += 25;
    }
    page[len++] = 'x';
    for (i = 0; i < 1000; i++) {
        memcpy(page + len, "</div></li></ul></blockquote>", 29);
        len += 29;
    }
    page[len++] = 'y';
    page[len] = '\0';
    check_text(page, "> > > > > > > >                                       - "
                     "x\n\ny\n");
}

static void check_repeated(size_t count, const char *piece, const char *rest,
                           const char *expected)
{
    static char page[60000];
    size_t len = strlen(piece);
    size_t i;

    for (i = 0; i < count; i++) {
        memcpy(page + i * len, piece, len);
    }
    memcpy(page + i * len, rest, strlen(rest) + 1);
    check_text(page, expected);
}

/* Neither loses text that follows, nor tables their shape. */
static void survives_what_is_never_ended(void)
{
    check_repeated(1000, "<font color=red>",
                   "<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>",
                   "a | b\nc\n");
    check_repeated(200, "<b>", "<div hidden><i><u></div>x", "x\n");
    check_repeated(1, "<div hidden>", "<div><b><b></div></div>x", "x\n");
    /* one more than the stack has places */
    check_repeated(129, "<div>", "a</i></div>b</div>c", "ab\nc\n");
}

static const char sample[] =
    "<!DOCTYPE html><html><head><style>a{}</style></head><body><p hidden>x</p>"
    "<h1>\xe6\xa0\x87\xe9\xa2\x98 &amp; &#x1F600;</h1><ol><li>a<ul><li>b</ul>"
    "</ol><table><tr><th>c<td>d</table><blockquote>e<pre>\n f\n</pre>"
    "</blockquote><a href=\"https://e.com/?a&amp;b\">g</a><img alt='h'>"
    "<!--[if mso]>i<![endif]--></body></html>";

/* Cut anywhere, with any byte in any place: an answer, in UTF-8. */
static void never_fails(void)
{
    size_t i;

    for (i = 0; i < sizeof(sample); i++) {
        char damaged[sizeof(sample)];
        struct qm_buf out;

        memcpy(damaged, sample, sizeof(sample));
        qm_buf_init(&out, 4096, false);
        CHECK(qm_html_text(&out,
                           guard_page_put(&guard, qm_span_make(damaged, i))) ==
              QM_OK);
        CHECK(qm_utf8_is_valid(qm_buf_span(&out)));
        qm_buf_reset(&out);
        damaged[i] = (char)(i * 7 % 256);
        CHECK(qm_html_text(
                  &out, guard_page_put(
                            &guard, qm_span_make(damaged, sizeof(damaged)))) ==
              QM_OK);
        CHECK(qm_utf8_is_valid(qm_buf_span(&out)));
        qm_buf_deinit(&out);
    }
}

static void keeps_to_its_limits(void)
{
    struct qm_buf out;
    size_t cap;

    for (cap = 0; cap < 40; cap++) {
        qm_buf_init(&out, cap, false);
        CHECK(qm_html_text(&out, qm_span_of(sample)) == QM_E_LIMIT);
        CHECK(qm_buf_len(&out) <= cap);
        qm_buf_deinit(&out);
    }
}

static void survives_without_memory(void)
{
    struct qm_buf out;
    enum qm_err err = QM_E_MEMORY;
    long allowed;

    for (allowed = 0; err == QM_E_MEMORY && allowed < 100; allowed++) {
        qm_buf_init(&out, 65536, false);
        qm_mem_test_fail_after(allowed);
        err = qm_html_text(&out, qm_span_of(sample));
        qm_mem_test_fail_after(-1);
        qm_buf_deinit(&out);
        CHECK(qm_mem_test_live() == 0);
    }
    CHECK(err == QM_OK && allowed > 1);
}

int main(void)
{
    guard = guard_page_open(65536);
    TEST(sets_blocks);
    TEST(collapses_white_space);
    TEST(joins_chinese_lines);
    TEST(numbers_lists);
    TEST(sets_tables);
    TEST(marks_quotations);
    TEST(says_where_links_lead);
    TEST(leaves_out_what_is_hidden);
    TEST(leaves_out_fillers);
    TEST(survives_nesting);
    TEST(survives_what_is_never_ended);
    TEST(never_fails);
    TEST(keeps_to_its_limits);
    TEST(survives_without_memory);
    guard_page_close(&guard);
    return check_done();
}
