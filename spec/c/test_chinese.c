#include "codec/qm_chinese.h"

#include "check.h"
#include "guard_page.h"

/* "Please log in with an authorization code" as a mainland server says it. */
#define GB_REPLY                                                               \
    "\xc7\xeb\xca\xb9\xd3\xc3\xca\xda\xc8\xa8\xc2\xeb\xb5\xc7\xc2\xbc"
/* "Account or password is wrong, please log in again" as one of Taiwan does. */
#define BIG5_REPLY                                                             \
    "\xb1\x62\xb8\xb9\xa9\xce\xb1\x4b\xbd\x58\xbf\xf9\xbb\x7e\xa1\x41"         \
    "\xbd\xd0\xad\xab\xb7\x73\xb5\x6e\xa4\x4a"

static struct guard_page guard;

static bool is_big5(const char *text, size_t len)
{
    return qm_chinese_is_big5(guard_page_put(&guard, qm_span_make(text, len)));
}

static void tells_them_apart(void)
{
    CHECK(is_big5(BIG5_REPLY, strlen(BIG5_REPLY)));
    CHECK(is_big5("535 " BIG5_REPLY " (u@x)", strlen(BIG5_REPLY) + 10));
    CHECK(!is_big5(GB_REPLY, strlen(GB_REPLY)));
    CHECK(!is_big5("535 " GB_REPLY " (u@x)", strlen(GB_REPLY) + 10));
}

/* What it could be as well as the other is the mainland's. */
static void prefers_gb_at_a_draw(void)
{
    CHECK(!is_big5("", 0));
    CHECK(!is_big5("plain", 5));
    CHECK(!is_big5("\xb0\xa1\xa1\xa2", 4));
    CHECK(!is_big5("\xe9\x49", 2));
    CHECK(is_big5("\xb0\x41", 2));
}

/* Common characters of both: those are meant that people use. */
static void knows_the_words_of_both(void)
{
    /* "option" */
    CHECK(is_big5("\xbf\xef\xb6\xb5", 4));
    /* "password", "user name", "network" of the mainland */
    CHECK(!is_big5("\xc3\xdc\xc2\xeb", 4));
    CHECK(!is_big5("\xd3\xc3\xbb\xa7\xc3\xfb", 6));
    CHECK(!is_big5("\xcd\xf8\xc2\xe7", 4));
}

/* A digit as second byte: four bytes of GB18030, nothing of Big5. */
static void knows_what_big5_has_not(void)
{
    CHECK(!is_big5(BIG5_REPLY "\x95\x32\x82\x36", strlen(BIG5_REPLY) + 4));
    CHECK(!is_big5(BIG5_REPLY "\x80\x41", strlen(BIG5_REPLY) + 2));
    CHECK(!is_big5(BIG5_REPLY "\xff\x41", strlen(BIG5_REPLY) + 2));
    CHECK(!is_big5(BIG5_REPLY "\xa4\x7f", strlen(BIG5_REPLY) + 2));
    CHECK(!is_big5(BIG5_REPLY "\xa4\xa0", strlen(BIG5_REPLY) + 2));
}

static bool is_gb(const char *text)
{
    return qm_chinese_is_gb_in_utf8(guard_page_put(&guard, qm_span_of(text)));
}

/* "State", "folder", "at the same time" look like letters of two alphabets. */
static void knows_gb_that_is_utf8(void)
{
    CHECK(is_gb("\xd7\xb4\xcc\xac"));
    CHECK(is_gb("a \xc4\xbf\xc2\xbc: /tmp"));
    CHECK(is_gb("\xcd\xac\xca\xb1"));
    CHECK(!is_gb(""));
    CHECK(!is_gb("a"));
    CHECK(!is_gb("\xd7"));
    CHECK(!is_gb(GB_REPLY));
    CHECK(!is_gb("\xe7\x8a\xb6\xe6\x80\x81"));
}

/* French, Polish, Russian in quotes, Greek with a sign, one letter alone. */
static void keeps_utf8_of_others(void)
{
    CHECK(!is_gb("caf\xc3\xa9 d\xc3\xa9j\xc3\xa0"));
    CHECK(!is_gb("\xc5\xbc\xc3\xb3\xc5\x82ty"));
    CHECK(!is_gb("\xc2\xab\xd0\xb2\xd0\xb8\xd0\xb4\xc2\xbb"));
    CHECK(!is_gb("5 \xc2\xb5\xce\xa9"));
    CHECK(!is_gb("\xc3\xa9 \xce\xb1"));
}

static void does_not_mind_a_cut(void)
{
    size_t len;

    for (len = 2; len <= strlen(BIG5_REPLY); len++) {
        CHECK(is_big5(BIG5_REPLY, len));
    }
    for (len = 0; len <= strlen(GB_REPLY); len++) {
        CHECK(!is_big5(GB_REPLY, len));
    }
}

int main(void)
{
    guard = guard_page_open(4096);
    TEST(tells_them_apart);
    TEST(prefers_gb_at_a_draw);
    TEST(knows_the_words_of_both);
    TEST(knows_what_big5_has_not);
    TEST(knows_gb_that_is_utf8);
    TEST(keeps_utf8_of_others);
    TEST(does_not_mind_a_cut);
    guard_page_close(&guard);
    return check_done();
}
