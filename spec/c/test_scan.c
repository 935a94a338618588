#include "mime/qm_scan.h"

#include "base/qm_utf8.h"
#include "check.h"
#include "guard_page.h"

static struct qm_scan scan_text(struct qm_span text)
{
    struct qm_scan scan;

    qm_scan_init(&scan);
    qm_scan_update(&scan, text);
    qm_scan_finish(&scan);
    return scan;
}

static struct qm_scan scan_of(const char *text)
{
    return scan_text(qm_span_of(text));
}

static void line_ends(void)
{
    CHECK(scan_of("").crlf_len == 0);
    CHECK(scan_of("a\nb").crlf_len == 4);
    CHECK(scan_of("a\r\nb").crlf_len == 4);
    CHECK(scan_of("a\rb").crlf_len == 4);
    CHECK(scan_of("\r\r\n\n").crlf_len == 6);
    CHECK(scan_of("a\n").line_at == 2);
    CHECK(scan_of("a\r\nbc").line_at == 3);
}

static void character_classes(void)
{
    struct qm_scan scan = scan_of("plain\ttext\r\n");

    CHECK(!scan.high && !scan.control && scan.escapes == 0);
    scan = scan_of("a=b");
    CHECK(!scan.control && scan.escapes == 1);
    CHECK(scan_of("a\x1b[0m").control);
    CHECK(scan_of("a\x7f").control);
    CHECK(scan_of("\xe4\xbd\xa0").high && scan_of("\xe4\xbd\xa0").escapes == 3);
    scan = scan_text(qm_span_make("ab\0c\0", 5));
    CHECK(scan.nul && scan.nul_at == 2 && scan.control);
}

static void bad_utf8_and_where(void)
{
    static const struct {
        const char *text;
        uint64_t at;
    } rows[] = {
        { "a\x80z", 1 },           { "ab\xc3z", 2 },
        { "\xc0\xaf", 0 },         { "\xe4\xbd", 0 },
        { "ok\xed\xa0\x80", 2 },   { "\xf5\x80\x80\x80", 0 },
        { "a\xe4\xe4\xbd", 1 },    { "\xe4\xbd\xa0\xe4\xbd\n", 3 },
        { "\xf0\x80\x80\x80", 0 },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct qm_scan scan = scan_of(rows[i].text);

        CHECK(scan.bad_utf8 && scan.bad_at == rows[i].at);
    }
    CHECK(!scan_of("\xe4\xbd\xa0 \xf0\x9f\x98\x80 \xc3\xa9").bad_utf8);
}

static void long_lines(void)
{
    char text[2100];
    struct qm_scan scan;
    size_t i;

    memset(text, 'x', sizeof(text));
    CHECK(!scan_text(qm_span_make(text, 998)).too_long);
    CHECK(scan_text(qm_span_make(text, 999)).too_long);
    text[0] = '\n';
    text[999] = '\n';
    scan = scan_text(qm_span_make(text, 1998));
    CHECK(!scan.too_long);
    scan = scan_text(qm_span_make(text, 1999));
    CHECK(scan.too_long && scan.too_long_at == 1000);
    for (i = 0; i < sizeof(text); i++) {
        text[i] = "\xe4\xbd\xa0"[i % 3];
    }
    scan = scan_text(qm_span_make(text, 996));
    CHECK(!scan.too_long && !scan.bad_utf8 && scan.escapes == 996);
    scan = scan_text(qm_span_make(text, 999));
    CHECK(scan.too_long && scan.too_long_at == 0 && !scan.bad_utf8);
}

static void lines_like_boundaries(void)
{
    CHECK(scan_of("--=_x").boundary);
    CHECK(scan_of("a\r--=_").boundary);
    CHECK(scan_of("a\n--=_b").boundary);
    CHECK(!scan_of("a --=_b\n--\n--=\n-=_\n--==_\n").boundary);
}

static bool same(const struct qm_scan *a, const struct qm_scan *b)
{
    return a->len == b->len && a->crlf_len == b->crlf_len &&
           a->escapes == b->escapes && a->bad_utf8 == b->bad_utf8 &&
           a->bad_at == b->bad_at && a->nul == b->nul &&
           a->nul_at == b->nul_at && a->too_long == b->too_long &&
           a->high == b->high && a->control == b->control &&
           a->boundary == b->boundary && a->line_at == b->line_at;
}

static void cuts_change_nothing(void)
{
    static const char text[] = "a\r\n--=_\xe4\xbd\xa0\r\r\n\xf0\x9f\x98\x80=\0"
                               "\x1b\n--=_\xe4\xbd";
    struct qm_span all = qm_span_make(text, sizeof(text) - 1);
    struct guard_page guard = guard_page_open(all.len);
    struct qm_scan whole = scan_text(all);
    struct qm_scan bytewise;
    size_t cut;

    qm_scan_init(&bytewise);
    for (cut = 0; cut <= all.len; cut++) {
        struct qm_scan scan;

        qm_scan_init(&scan);
        qm_scan_update(&scan, guard_page_put(&guard, qm_span_make(text, cut)));
        qm_scan_update(&scan, guard_page_put(&guard, qm_span_from(all, cut)));
        qm_scan_finish(&scan);
        CHECK(same(&scan, &whole));
        if (cut < all.len) {
            qm_scan_update(&bytewise, qm_span_make(text + cut, 1));
        }
    }
    qm_scan_finish(&bytewise);
    CHECK(same(&bytewise, &whole));
    guard_page_close(&guard);
}

/* Long enough for several blocks, with faults far from each other. */
static size_t random_text(char *text, size_t max, unsigned *state)
{
    static const char *const pieces[] = {
        "words of plain text",
        "\xe4\xbd\xa0\xe5\xa5\xbd\xef\xbc\x8c",
        "\xf0\x9f\x98\x80",
        "\r\n",
        "<a href=\"x\">",
        "\n--=_",
        "\xc3\xa9",
        "\t",
        "\r",
        "\x1b",
        "\xe4\xbd",
        "\x80"
    };
    unsigned kinds = 8 + *state % 5; /* the harmless ones come first */
    size_t len = 0;

    for (;;) {
        const char *piece;

        *state = *state * 1664525U + 1013904223U;
        piece = pieces[(*state >> 8) % kinds];
        if (len + strlen(piece) > max) {
            return len;
        }
        memcpy(text + len, piece, strlen(piece));
        len += strlen(piece);
    }
}

static void blocks_change_nothing(void)
{
    struct guard_page guard = guard_page_open(300);
    unsigned random = 3;
    char text[300];
    int round;

    for (round = 0; round < 4000; round++) {
        struct qm_span all =
            qm_span_make(text, random_text(text, sizeof(text), &random));
        struct qm_scan whole = scan_text(guard_page_put(&guard, all));
        struct qm_scan bytewise;
        size_t at;

        qm_scan_init(&bytewise);
        for (at = 0; at < all.len; at++) {
            qm_scan_update(&bytewise, qm_span_make(text + at, 1));
        }
        qm_scan_finish(&bytewise);
        CHECK(same(&bytewise, &whole));
        CHECK(whole.bad_utf8 == (qm_utf8_valid_prefix(all) < all.len));
    }
    guard_page_close(&guard);
}

int main(void)
{
    TEST(line_ends);
    TEST(character_classes);
    TEST(bad_utf8_and_where);
    TEST(long_lines);
    TEST(lines_like_boundaries);
    TEST(cuts_change_nothing);
    TEST(blocks_change_nothing);
    return check_done();
}
