#include "codec/qm_entity.h"

#include "check.h"
#include "guard_page.h"

static struct guard_page guard;

static void check_read(const char *text, size_t len, uint32_t expected)
{
    uint32_t point = 0;
    struct qm_span input = guard_page_put(&guard, qm_span_of(text));
    size_t got = qm_entity_read(input, &point);

    if (got != len || (len > 0 && point != expected)) {
        printf("[%s]: %zu bytes, %x\n", text, got, (unsigned)point);
    }
    CHECK(got == len);
    CHECK(len == 0 || point == expected);
}

static void reads_names(void)
{
    check_read("&amp;", 5, '&');
    check_read("&AElig;x", 7, 0xc6);
    check_read("&zwnj;&nbsp;", 6, 0x200c);
    check_read("&thetasym;", 10, 0x3d1);
    check_read("&apos;", 6, '\'');
    check_read("&mdash;", 7, 0x2014);
    check_read("&Prime;", 7, 0x2033);
    check_read("&check;", 7, 0x2713);
    check_read("&commat;", 8, '@');
    check_read("&NewLine;", 9, '\n');
    check_read("&AMP;", 5, '&');
    check_read("&verbar;", 8, '|');
    check_read("&lang;", 6, 0x27e8);
    check_read("&prime;", 7, 0x2032);
}

/* In links, above all: ?a=1&copy=2&lang=zh. */
static void leaves_what_is_none(void)
{
    check_read("&", 0, 0);
    check_read("& x", 0, 0);
    check_read("&;", 0, 0);
    check_read("&bogus;", 0, 0);
    check_read("&am;", 0, 0);
    check_read("&ampx;", 0, 0);
    check_read("&thetasymx;", 0, 0);
    check_read("&lang=zh", 0, 0);
    check_read("&copy=2", 0, 0);
    check_read("&copy2", 0, 0);
    check_read("&mdash ", 0, 0);
}

static void reads_what_is_often_open(void)
{
    check_read("&amp", 4, '&');
    check_read("&nbsp&nbsp", 5, 0xa0);
    check_read("&lt x", 3, '<');
}

static void reads_numbers(void)
{
    check_read("&#65;", 5, 'A');
    check_read("&#x1F600;", 9, 0x1f600);
    check_read("&#X41", 5, 'A');
    check_read("&#20013 ", 7, 0x4e2d);
    check_read("&#151;", 6, 0x2014);
    check_read("&#10;", 5, '\n');
    check_read("&#x10ffff;", 10, 0x10ffff);
}

static void leaves_numbers_of_nothing(void)
{
    check_read("&#", 0, 0);
    check_read("&#;", 0, 0);
    check_read("&#x;", 0, 0);
    check_read("&#xg", 0, 0);
    check_read("&#0;", 0, 0);
    check_read("&#27;", 0, 0);
    check_read("&#129;", 0, 0);
    check_read("&#xd800;", 0, 0);
    check_read("&#x110000;", 0, 0);
    check_read("&#99999999999999999999999;", 0, 0);
    check_read("&#x100000041;", 0, 0);
}

static void writes_utf8(void)
{
    char out[4];

    CHECK_BYTES(out, qm_entity_put('A', out), "A");
    CHECK_BYTES(out, qm_entity_put(0x7ff, out), "\xdf\xbf");
    CHECK_BYTES(out, qm_entity_put(0x4e2d, out), "\xe4\xb8\xad");
    CHECK_BYTES(out, qm_entity_put(0x1f600, out), "\xf0\x9f\x98\x80");
}

int main(void)
{
    guard = guard_page_open(4096);
    TEST(reads_names);
    TEST(leaves_what_is_none);
    TEST(reads_what_is_often_open);
    TEST(reads_numbers);
    TEST(leaves_numbers_of_nothing);
    TEST(writes_utf8);
    guard_page_close(&guard);
    return check_done();
}
