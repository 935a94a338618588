#include "codec/qm_charset.h"

#include "base/qm_mem.h"
#include "base/qm_utf8.h"
#include "check.h"
#include "guard_page.h"

/* "Please log in with an authorization code", as QQ Mail once sent it. */
#define GBK_REPLY                                                              \
    "\xc7\xeb\xca\xb9\xd3\xc3\xca\xda\xc8\xa8\xc2\xeb\xb5\xc7\xc2\xbc"         \
    "\xa1\xa3\xcf\xea\xc7\xe9\xc7\xeb\xbf\xb4"
#define UTF8_REPLY                                                             \
    "\xe8\xaf\xb7\xe4\xbd\xbf\xe7\x94\xa8\xe6\x8e\x88\xe6\x9d\x83\xe7\xa0\x81" \
    "\xe7\x99\xbb\xe5\xbd\x95\xe3\x80\x82\xe8\xaf\xa6\xe6\x83\x85\xe8\xaf\xb7" \
    "\xe7\x9c\x8b"

/* "Account or password is wrong, please log in again", as in Taiwan. */
#define BIG5_REPLY                                                             \
    "\xb1\x62\xb8\xb9\xa9\xce\xb1\x4b\xbd\x58\xbf\xf9\xbb\x7e\xa1\x41"         \
    "\xbd\xd0\xad\xab\xb7\x73\xb5\x6e\xa4\x4a"
#define BIG5_AS_UTF8                                                           \
    "\xe5\xb8\xb3\xe8\x99\x9f\xe6\x88\x96\xe5\xaf\x86\xe7\xa2\xbc\xe9"         \
    "\x8c\xaf\xe8\xaa\xa4\xef\xbc\x8c\xe8\xab\x8b\xe9\x87\x8d\xe6\x96"         \
    "\xb0\xe7\x99\xbb\xe5\x85\xa5"

static struct guard_page guard;

/* Input before an unreadable page, output in a buffer that holds `cap`. */
static struct qm_span reply(struct qm_span text, size_t cap)
{
    static char result[4096];
    struct qm_buf out;
    struct qm_span got;

    qm_buf_init(&out, cap, false);
    CHECK(qm_charset_reply(&out, guard_page_put(&guard, text)) == QM_OK);
    got = qm_buf_span(&out);
    CHECK(got.len <= cap && got.len <= sizeof(result));
    CHECK(qm_utf8_is_valid(got));
    if (got.len > 0) {
        memcpy(result, got.ptr, got.len);
    }
    qm_buf_deinit(&out);
    return qm_span_make(result, got.len);
}

static void check_reply(const char *text, const char *expected)
{
    struct qm_span got = reply(qm_span_of(text), 4096);

    if (!qm_span_equal(got, qm_span_of(expected))) {
        printf("got [%.*s], expected [%s]\n", (int)got.len, got.ptr, expected);
    }
    CHECK(qm_span_equal(got, qm_span_of(expected)));
}

static void keeps_utf8(void)
{
    check_reply("", "");
    check_reply("Ok: queued as 1", "Ok: queued as 1");
    check_reply("Error: " UTF8_REPLY, "Error: " UTF8_REPLY);
    check_reply("\xf0\x9f\x98\x80 \\x", "\xf0\x9f\x98\x80 \\x");
}

static void decodes_gbk(void)
{
    check_reply(GBK_REPLY, UTF8_REPLY);
    check_reply("535 Error: " GBK_REPLY ": http://service.mail.qq.com/",
                "535 Error: " UTF8_REPLY ": http://service.mail.qq.com/");
    /* Four bytes, GB18030 only: U+20000. */
    check_reply("\x95\x32\x82\x36", "\xf0\xa0\x80\x80");
}

static void decodes_big5(void)
{
    check_reply(BIG5_REPLY, BIG5_AS_UTF8);
    check_reply("535 5.7.8 " BIG5_REPLY " (u@x)",
                "535 5.7.8 " BIG5_AS_UTF8 " (u@x)");
    /* not a character of Big5, though the rest is: still never an error */
    check_reply(BIG5_REPLY "\xff", BIG5_AS_UTF8 "\\xff");
}

/* A last character that is cut costs itself alone. */
static void cut_chinese(void)
{
    check_reply(GBK_REPLY "\xc7", UTF8_REPLY "\\xc7");
    check_reply(BIG5_REPLY "\xb1", BIG5_AS_UTF8 "\\xb1");
}

static void escapes_other_bytes(void)
{
    check_reply("caf\xe9 au lait", "caf\\xe9 au lait");
    check_reply("a\xff", "a\\xff");
    check_reply("\xe8\xaf\xb7\xff z", "\xe8\xaf\xb7\\xff z");
    check_reply("\xed\xa0\x80 surrogate", "\\xed\\xa0\\x80 surrogate");
}

static void escapes_controls(void)
{
    check_reply("a\tb", "a b");
    check_reply("a\r\nb", "a\\x0d\\x0ab");
    check_reply("\x1b[31mred\x7f", "\\x1b[31mred\\x7f");
    check_reply(GBK_REPLY "\x1b", UTF8_REPLY "\\x1b");
    check_reply("\xc2\x9b C1 \xc2\xa0", "\\xc2\\x9b C1 \xc2\xa0");
    check_reply("\xe2\x80\xae rlo \xe2\x80\xa8 \xe2\x81\xa6 \xe2\x80\xa7",
                "\\xe2\\x80\\xae rlo \\xe2\\x80\\xa8 \\xe2\\x81\\xa6 "
                "\xe2\x80\xa7");
    CHECK(qm_span_equal(reply(qm_span_make("a\0b", 3), 64),
                        qm_span_of("a\\x00b")));
}

/* A reply cut within its last character is still UTF-8. */
static void cut_utf8_is_no_gbk(void)
{
    check_reply("\xe8\xaf\xb7\xe4\xbd\xbf\xe7",
                "\xe8\xaf\xb7\xe4\xbd\xbf\\xe7");
    check_reply("\xe8\xaf\xb7\xe4\xbd", "\xe8\xaf\xb7\\xe4\\xbd");
    /* One character of GBK that looks like the start of one of UTF-8. */
    check_reply("\xe8\xaf", "\xe7\x92\x87");
}

/* Every cap: the longest prefix of whole characters that fits. */
static void cut_short_at_the_cap(void)
{
    static const char text[] = "a" UTF8_REPLY "\x1bz" UTF8_REPLY;
    static const char full[] = "a" UTF8_REPLY "\\x1bz" UTF8_REPLY;
    size_t cap;

    for (cap = 0; cap <= sizeof(full); cap++) {
        struct qm_span got = reply(qm_span_of(text), cap);

        CHECK(got.len + 4 > cap || got.len == sizeof(full) - 1);
        CHECK(memcmp(got.ptr, full, got.len) == 0);
    }
    CHECK(qm_span_equal(reply(qm_span_of(GBK_REPLY), 8),
                        qm_span_make(UTF8_REPLY, 6)));
}

static void any_two_bytes(void)
{
    unsigned code;

    for (code = 0; code < 0x10000; code++) {
        char text[3] = { (char)(unsigned char)(code >> 8),
                         (char)(unsigned char)(code & 0xff), 'x' };
        struct qm_span got = reply(qm_span_make(text, 3), 64);
        size_t i;

        CHECK(got.len >= 1);
        for (i = 0; i < got.len; i++) {
            CHECK((unsigned char)got.ptr[i] >= 0x20 && got.ptr[i] != 0x7f);
        }
    }
}

static void appends_to_what_is_there(void)
{
    struct qm_buf out;

    qm_buf_init(&out, 64, false);
    CHECK(qm_buf_append_text(&out, "535 ") == QM_OK);
    CHECK(qm_charset_reply(&out, qm_span_of("\xc7\xeb")) == QM_OK);
    CHECK_BYTES(qm_buf_span(&out).ptr, qm_buf_len(&out), "535 \xe8\xaf\xb7");
    qm_buf_deinit(&out);
}

static void reply_survives_lack_of_memory(void)
{
    static const char *const texts[] = { GBK_REPLY, BIG5_REPLY, UTF8_REPLY,
                                         "\xff" };
    size_t i;
    long allowed;

    for (i = 0; i < QM_COUNTOF(texts); i++) {
        enum qm_err err = QM_E_MEMORY;

        for (allowed = 0; err != QM_OK && allowed < 20; allowed++) {
            struct qm_buf out;

            qm_buf_init(&out, 1024, false);
            qm_mem_test_fail_after(allowed);
            err = qm_charset_reply(&out, qm_span_of(texts[i]));
            qm_mem_test_fail_after(-1);
            CHECK(err == QM_OK || err == QM_E_MEMORY);
            qm_buf_deinit(&out);
        }
        CHECK(err == QM_OK && allowed > 1);
    }
    CHECK(qm_mem_test_live() == 0);
}

/* Converts into a buffer that already holds "=". */
static enum qm_err convert(const char *from, struct qm_span text, size_t cap,
                           const char *expected, size_t *fault_at_out)
{
    struct qm_buf out;
    enum qm_err err;

    qm_buf_init(&out, cap, false);
    CHECK(qm_buf_append_text(&out, "=") == QM_OK);
    *fault_at_out = 999;
    err = qm_charset_convert(&out, from, guard_page_put(&guard, text),
                             fault_at_out);
    CHECK(qm_span_equal(qm_span_from(qm_buf_span(&out), 1),
                        qm_span_of(expected)));
    qm_buf_deinit(&out);
    return err;
}

static void converts(void)
{
    size_t at;

    CHECK(convert("GB18030", qm_span_of(GBK_REPLY), 99, UTF8_REPLY, &at) ==
          QM_OK);
    CHECK(convert("gbk", qm_span_of(GBK_REPLY), 99, UTF8_REPLY, &at) == QM_OK);
    /* U+956E: in GBK, not in GB2312. */
    CHECK(convert("gb2312", qm_span_of("\xe9\x49"), 99, "\xe9\x95\xae", &at) ==
          QM_OK);
    CHECK(convert("BIG5", qm_span_of("\xa4\xa4"), 99, "\xe4\xb8\xad", &at) ==
          QM_OK);
    CHECK(convert("ISO-8859-1", qm_span_of("\xe9"), 99, "\xc3\xa9", &at) ==
          QM_OK);
    CHECK(convert("UTF-16BE", qm_span_make("\x4e\x2d\0a", 4), 99,
                  "\xe4\xb8\xad"
                  "a",
                  &at) == QM_OK);
    CHECK(convert("UTF-8", qm_span_of(""), 99, "", &at) == QM_OK);
    /* A decoder that keeps a character back until it is told the end. */
    CHECK(convert("WINDOWS-1258", qm_span_of("A"), 99, "A", &at) == QM_OK);
}

static void tells_where_the_fault_is(void)
{
    size_t at;

    CHECK(convert("UTF-8",
                  qm_span_of("ab\xff"
                             "c"),
                  99, "", &at) == QM_E_SYNTAX);
    CHECK(at == 2);
    CHECK(convert("GBK", qm_span_of("abc\xc7"), 99, "", &at) == QM_E_SYNTAX);
    CHECK(at == 3);
    CHECK(convert("US-ASCII", qm_span_of("\x80"), 99, "", &at) == QM_E_SYNTAX);
    CHECK(at == 0);
    CHECK(convert("UTF-16BE", qm_span_make("\0a\0", 3), 99, "", &at) ==
          QM_E_SYNTAX);
    CHECK(at == 2);
}

static void fault_place_is_optional(void)
{
    struct qm_buf out;

    qm_buf_init(&out, 64, false);
    CHECK(qm_charset_convert(&out, "UTF-8", qm_span_of("\xff"), NULL) ==
          QM_E_SYNTAX);
    CHECK(qm_buf_len(&out) == 0);
    qm_buf_deinit(&out);
}

static void refuses_names(void)
{
    static const char *const names[] = {
        "",
        "no-such-charset",
        "UTF-8//IGNORE",
        "/etc/passwd",
        "UTF 8",
        "\xe8\xaf\xb7",
        "UTF-8\n",
        "a-very-long-name-a-very-long-name-a-very-long-name-a-very-long-name",
    };
    size_t at;
    size_t i;

    for (i = 0; i < QM_COUNTOF(names); i++) {
        CHECK(convert(names[i], qm_span_of("a"), 99, "", &at) ==
              QM_E_UNSUPPORTED);
    }
}

static void convert_keeps_to_the_cap(void)
{
    size_t at;

    CHECK(convert("ISO-8859-1", qm_span_of("\xe9\xe9"), 4, "", &at) ==
          QM_E_LIMIT);
    CHECK(convert("ISO-8859-1", qm_span_of("\xe9\xe9"), 5, "\xc3\xa9\xc3\xa9",
                  &at) == QM_OK);
}

/* More than is converted at a time, with characters across the seams. */
static void converts_long_texts(void)
{
    static char text[4001];
    struct qm_buf out;
    size_t at;
    size_t i;

    text[0] = 'a';
    for (i = 1; i < sizeof(text); i += 2) {
        memcpy(text + i, "\xc7\xeb", 2);
    }
    qm_buf_init(&out, 20000, false);
    CHECK(qm_charset_convert(&out, "GBK", qm_span_make(text, sizeof(text)),
                             &at) == QM_OK);
    CHECK(qm_buf_len(&out) == 6001);
    for (i = 1; i < qm_buf_len(&out); i += 3) {
        CHECK(memcmp(qm_buf_span(&out).ptr + i, "\xe8\xaf\xb7", 3) == 0);
    }
    text[sizeof(text) - 1] = '\xff';
    CHECK(qm_charset_convert(&out, "GBK", qm_span_make(text, sizeof(text)),
                             &at) == QM_E_SYNTAX);
    CHECK(at == sizeof(text) - 2 && qm_buf_len(&out) == 6001);
    qm_buf_deinit(&out);
}

static void convert_survives_lack_of_memory(void)
{
    struct qm_buf out;

    qm_buf_init(&out, 64, false);
    qm_mem_test_fail_after(0);
    CHECK(qm_charset_convert(&out, "GBK", qm_span_of("a"), NULL) ==
          QM_E_MEMORY);
    qm_mem_test_fail_after(-1);
    qm_buf_deinit(&out);
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    guard = guard_page_open(8192);
    TEST(keeps_utf8);
    TEST(decodes_gbk);
    TEST(decodes_big5);
    TEST(cut_chinese);
    TEST(escapes_other_bytes);
    TEST(escapes_controls);
    TEST(cut_utf8_is_no_gbk);
    TEST(cut_short_at_the_cap);
    TEST(any_two_bytes);
    TEST(appends_to_what_is_there);
    TEST(reply_survives_lack_of_memory);
    TEST(converts);
    TEST(tells_where_the_fault_is);
    TEST(fault_place_is_optional);
    TEST(refuses_names);
    TEST(convert_keeps_to_the_cap);
    TEST(converts_long_texts);
    TEST(convert_survives_lack_of_memory);
    guard_page_close(&guard);
    return check_done();
}
