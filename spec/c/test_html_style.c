#include "codec/qm_html_style.h"

#include "check.h"
#include "guard_page.h"

static struct guard_page guard;

static unsigned style_of(const char *text)
{
    return qm_html_style_of(guard_page_put(&guard, qm_span_of(text)));
}

static void knows_what_hides(void)
{
    CHECK(style_of("display:none") == QM_HTML_STYLE_HIDDEN);
    CHECK(style_of("color:red; DISPLAY : None !important;") ==
          QM_HTML_STYLE_HIDDEN);
    CHECK(style_of("display:none!important") == QM_HTML_STYLE_HIDDEN);
    CHECK(style_of("visibility:hidden") == QM_HTML_STYLE_HIDDEN);
    CHECK(style_of("max-height:0px;overflow:hidden") == QM_HTML_STYLE_HIDDEN);
    CHECK(style_of("opacity:0.0") == QM_HTML_STYLE_HIDDEN);
    CHECK(style_of("font-size:12px;max-height:0") ==
          (QM_HTML_STYLE_SIZED | QM_HTML_STYLE_HIDDEN));
    CHECK(style_of("height:0;width:0;overflow:hidden") == QM_HTML_STYLE_HIDDEN);
}

/* Buttons for all but Outlook have the last of these. */
static void knows_what_does_not(void)
{
    CHECK(style_of("") == QM_HTML_STYLE_NONE);
    CHECK(style_of(";;:;:none;display") == QM_HTML_STYLE_NONE);
    CHECK(style_of("display:inline;max-height:10px") == QM_HTML_STYLE_NONE);
    CHECK(style_of("height:0") == QM_HTML_STYLE_NONE);
    CHECK(style_of("overflow:hidden;line-height:0") == QM_HTML_STYLE_NONE);
    CHECK(style_of("max-height:none;opacity:.5") == QM_HTML_STYLE_NONE);
    CHECK(style_of("x-display:none") == QM_HTML_STYLE_NONE);
    CHECK(style_of("mso-hide:all") == QM_HTML_STYLE_NONE);
}

/* Whole layouts are set in font-size: 0, and each text in a size of its own. */
static void knows_font_sizes(void)
{
    CHECK(style_of("font-size:0") == QM_HTML_STYLE_TINY);
    CHECK(style_of("font-size:0.0px;padding:1px") == QM_HTML_STYLE_TINY);
    CHECK(style_of("font-size:13px") == QM_HTML_STYLE_SIZED);
    CHECK(style_of("font-size:0;font-size:large") == QM_HTML_STYLE_SIZED);
    CHECK(style_of("font-size:2em") == QM_HTML_STYLE_NONE);
    CHECK(style_of("font-size:90%") == QM_HTML_STYLE_NONE);
    CHECK(style_of("font-size:") == QM_HTML_STYLE_NONE);
}

static void knows_blocks(void)
{
    CHECK(style_of("display: Block") == QM_HTML_STYLE_BLOCK);
    CHECK(style_of("font-size:0;display:table") ==
          (QM_HTML_STYLE_TINY | QM_HTML_STYLE_BLOCK));
    CHECK(style_of("display:inline-block") == QM_HTML_STYLE_NONE);
    CHECK(style_of("display:table-cell") == QM_HTML_STYLE_NONE);
}

int main(void)
{
    guard = guard_page_open(4096);
    TEST(knows_what_hides);
    TEST(knows_what_does_not);
    TEST(knows_font_sizes);
    TEST(knows_blocks);
    guard_page_close(&guard);
    return check_done();
}
