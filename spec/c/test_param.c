#include "codec/qm_param.h"

#include "base/qm_mem.h"
#include "check.h"
#include "codec/qm_fold.h"
#include "codec/qm_word.h"
#include "guard_page.h"

enum { BIG = 1 << 20 };

static const char chinese[] = "\xe6\x8a\xa5\xe5\x91\x8a.pdf"; /* 报告.pdf */

static void check_param(const char *name, const char *value,
                        enum qm_param_form form, const char *expected)
{
    struct qm_buf out;

    qm_buf_init(&out, BIG, false);
    CHECK(qm_param_append(&out, qm_span_of(name), qm_span_of(value), form) ==
          QM_OK);
    check_bytes(__FILE__, __LINE__, qm_buf_span(&out).ptr, qm_buf_len(&out),
                expected, strlen(expected));
    qm_buf_deinit(&out);
}

static int hex_value(char c)
{
    return c <= '9' ? c - '0' : c - 'A' + 10;
}

/*
 * Reads what QM_PARAM_RFC2231 wrote for the name "filename" back, checking the
 * form of every line.
 */
static size_t decode(struct qm_span lines, char *value)
{
    char prefix[32];
    size_t len = 0;
    unsigned section = 0;
    bool sections = strncmp(lines.ptr, ";\r\n filename*0", 14) == 0;

    while (lines.len > 0) {
        const char *at = lines.ptr + 3;
        const char *end = strstr(at, ";\r\n");
        bool percent;

        end = end != NULL ? end : lines.ptr + lines.len;
        CHECK(strncmp(lines.ptr, ";\r\n", 3) == 0);
        CHECK(end - at + 1 <= QM_FOLD_AIM);
        (void)snprintf(prefix, sizeof(prefix),
                       sections ? " filename*%u" : " filename", section++);
        CHECK(strncmp(at, prefix, strlen(prefix)) == 0);
        at += strlen(prefix);
        percent = *at == '*';
        at += percent ? 1 : 0;
        CHECK(*at == '=');
        at++;
        if (percent && section == 1) {
            CHECK(strncmp(at, "UTF-8''", 7) == 0);
            at += 7;
        }
        CHECK(percent || (*at == '"' && end[-1] == '"'));
        at += percent ? 0 : 1;
        while (at < (percent ? end : end - 1)) {
            if (percent && *at == '%') {
                value[len++] = (char)(hex_value(at[1]) * 16 + hex_value(at[2]));
                at += 3;
            } else {
                at += !percent && *at == '\\' ? 1 : 0;
                value[len++] = *at++;
            }
        }
        lines = qm_span_from(lines, (size_t)(end - lines.ptr));
    }
    return len;
}

static void check_round_trip(struct qm_span value)
{
    static char decoded[BIG];
    struct qm_buf out;
    struct qm_span lines;

    qm_buf_init(&out, BIG, false);
    CHECK(qm_param_append(&out, qm_span_of("filename"), value,
                          QM_PARAM_RFC2231) == QM_OK);
    CHECK(qm_buf_append_char(&out, '\0') == QM_OK);
    lines = qm_buf_span(&out);
    lines.len--;
    CHECK(decode(lines, decoded) == value.len);
    CHECK(value.len == 0 || memcmp(decoded, value.ptr, value.len) == 0);
    qm_buf_deinit(&out);
}

static void test_known_forms(void)
{
    check_param("filename", "a.pdf", QM_PARAM_RFC2231,
                ";\r\n filename=\"a.pdf\"");
    check_param("filename", "", QM_PARAM_RFC2231, ";\r\n filename=\"\"");
    check_param("name", "a \"b\" \\c;.pdf", QM_PARAM_RFC2047,
                ";\r\n name=\"a \\\"b\\\" \\\\c;.pdf\"");
    check_param("filename", chinese, QM_PARAM_RFC2231,
                ";\r\n filename*=UTF-8''%E6%8A%A5%E5%91%8A.pdf");
    check_param("name", chinese, QM_PARAM_RFC2047,
                ";\r\n name=\"=?UTF-8?B?5oql5ZGKLnBkZg==?=\"");
    check_param("filename", "=?UTF-8?B?eA==?=", QM_PARAM_RFC2231,
                ";\r\n filename*=UTF-8''%3D%3FUTF-8%3FB%3FeA%3D%3D%3F%3D");
    check_param("name", "=?x?=", QM_PARAM_RFC2047,
                ";\r\n name=\"=?UTF-8?B?PT94Pz0=?=\"");
    check_param("filename", "50%'s*.txt", QM_PARAM_RFC2231,
                ";\r\n filename=\"50%'s*.txt\"");
}

static void test_long_words(void)
{
    char value[300];
    struct qm_buf out;
    struct qm_span lines;
    size_t start = 3;

    for (start = 0; start < sizeof(value); start += 3) {
        memcpy(value + start, "\xe6\x8a\xa5", 3);
    }
    qm_buf_init(&out, BIG, false);
    CHECK(qm_param_append(&out, qm_span_of("name"),
                          qm_span_make(value, sizeof(value)),
                          QM_PARAM_RFC2047) == QM_OK);
    CHECK(qm_buf_append_text(&out, ";\r\n") == QM_OK);
    lines = qm_buf_span(&out);
    for (start = 3; start < lines.len;) {
        const char *line = lines.ptr + start;
        const char *end = memchr(line, '\r', lines.len - start);

        CHECK(end - line <= QM_WORD_LINE);
        CHECK(line[0] == ' ');
        start = (size_t)(end - lines.ptr) + 2;
    }
    qm_buf_deinit(&out);
}

/* Long ASCII: sections, or one line for readers that know none. */
static void test_long_ascii(void)
{
    char value[500];
    struct qm_buf out;
    struct qm_span text = { value, sizeof(value) };

    memset(value, 'a', sizeof(value));
    check_round_trip(text);
    memset(value, '"', sizeof(value));
    check_round_trip(text);
    memset(value, ' ', sizeof(value));
    check_round_trip(text);
    qm_buf_init(&out, BIG, false);
    text.len = 450;
    memset(value, '"', sizeof(value));
    CHECK(qm_param_append(&out, qm_span_of("name"), text, QM_PARAM_RFC2047) ==
          QM_OK);
    CHECK(qm_buf_len(&out) == 3 + 8 + 900);
    qm_buf_reset(&out);
    text.len = 451;
    CHECK(qm_param_append(&out, qm_span_of("name"), text, QM_PARAM_RFC2047) ==
          QM_OK);
    CHECK(strncmp(qm_buf_span(&out).ptr, ";\r\n name=\"=?UTF-8?B?", 19) == 0);
    qm_buf_deinit(&out);
}

static void test_every_length(void)
{
    static const char unit[] =
        "\xe6\x8a\xa5 a\"\\\xf0\x9f\x93\x8a;%'*=(\xc3\xa9)";
    char value[320];
    size_t len;

    for (len = 0; len < sizeof(value); len++) {
        value[len] = unit[len % (sizeof(unit) - 1)];
    }
    for (len = 0; len < sizeof(value); len++) {
        if (((unsigned char)value[len] & 0xc0) != 0x80) {
            check_round_trip(qm_span_make(value, len));
        }
    }
}

static void test_refusals_leave_out_unchanged(void)
{
    char longest[QM_PARAM_NAME_MAX + 1];
    struct qm_span good = qm_span_of("name");
    struct qm_buf out;
    unsigned c;

    qm_buf_init(&out, BIG, false);
    memset(longest, 'n', sizeof(longest));
    for (c = 0; c < 0x80; c++) {
        char text[3] = { 'a', (char)c, 'b' };
        bool control = c < 0x20 || c == 0x7f;
        bool token =
            !control && strchr(" ()<>@,;:\\\"/[]?=*'%", (int)c) == NULL;

        qm_buf_reset(&out);
        CHECK(qm_param_append(&out, good, qm_span_make(text, 3),
                              QM_PARAM_RFC2231) ==
              (control ? QM_E_CONTROL : QM_OK));
        CHECK((qm_buf_len(&out) == 0) == control);
        qm_buf_reset(&out);
        CHECK(qm_param_append(&out, qm_span_make(text, 3), good,
                              QM_PARAM_RFC2047) ==
              (token ? QM_OK : QM_E_SYNTAX));
        CHECK((qm_buf_len(&out) == 0) == !token);
    }
    qm_buf_reset(&out);
    CHECK(qm_param_append(&out, qm_span_of(""), good, QM_PARAM_RFC2231) ==
          QM_E_SYNTAX);
    CHECK(qm_param_append(&out, qm_span_of("n\xc3\xa9"), good,
                          QM_PARAM_RFC2231) == QM_E_SYNTAX);
    CHECK(qm_param_append(&out, good, qm_span_of("\xe6\x8a"),
                          QM_PARAM_RFC2231) == QM_E_UTF8);
    CHECK(qm_param_append(&out, good, qm_span_of("\xe6\x8a"),
                          QM_PARAM_RFC2047) == QM_E_UTF8);
    CHECK(qm_param_append(&out, qm_span_make(longest, sizeof(longest)), good,
                          QM_PARAM_RFC2231) == QM_E_TOO_LONG);
    CHECK(qm_buf_len(&out) == 0);
    qm_buf_deinit(&out);
}

static void test_base_name(void)
{
    static const struct {
        const char *path;
        const char *name;
    } cases[] = { { "a.pdf", "a.pdf" },
                  { "/etc/passwd", "passwd" },
                  { "C:\\x\\a.doc", "a.doc" },
                  { "../../x", "x" },
                  { "..", "" },
                  { "a/.", "" },
                  { "a/..", "" },
                  { "a/", "" },
                  { "", "" },
                  { "...", "..." },
                  { ".profile", ".profile" },
                  { "a\\b/c\\\xe6\x8a\xa5", "\xe6\x8a\xa5" } };
    size_t i;

    for (i = 0; i < QM_COUNTOF(cases); i++) {
        CHECK(qm_span_equal(qm_param_base_name(qm_span_of(cases[i].path)),
                            qm_span_of(cases[i].name)));
    }
}

static void test_guard_page(void)
{
    static const char text[] = "a\\\xe6\x8a\xa5\"\xf0\x9f\x93\x8a/z";
    struct guard_page guard = guard_page_open(4096);
    size_t len;

    for (len = 0; len < sizeof(text); len++) {
        struct qm_span value = guard_page_put(&guard, qm_span_make(text, len));
        struct qm_buf out;

        qm_buf_init(&out, BIG, false);
        (void)qm_param_base_name(value);
        CHECK(qm_param_append(&out, qm_span_of("n"), value, QM_PARAM_RFC2231) !=
              QM_E_MEMORY);
        CHECK(qm_param_append(&out, qm_span_of("n"), value, QM_PARAM_RFC2047) !=
              QM_E_MEMORY);
        CHECK(qm_param_append(&out, value, qm_span_of("v"), QM_PARAM_RFC2047) !=
              QM_E_MEMORY);
        qm_buf_deinit(&out);
    }
    guard_page_close(&guard);
}

/* Memory and the cap: the error comes back and nothing is left behind. */
static void test_short_of_room(void)
{
    char value[600];
    size_t cap;
    long n;

    for (cap = 0; cap < sizeof(value); cap += 3) {
        memcpy(value + cap, "\xe6\x8a\xa5", 3);
    }
    for (cap = 0; cap < 3000; cap += 7) {
        struct qm_buf out;
        enum qm_err err;

        qm_buf_init(&out, cap, false);
        err = qm_param_append(
            &out, qm_span_of("filename"), qm_span_make(value, sizeof(value)),
            cap % 2 == 0 ? QM_PARAM_RFC2231 : QM_PARAM_RFC2047);
        CHECK(err == QM_OK || (err == QM_E_LIMIT && qm_buf_len(&out) == 0));
        qm_buf_deinit(&out);
    }
    for (n = 0; n < 10; n++) {
        struct qm_buf out;
        enum qm_err err;

        qm_buf_init(&out, BIG, false);
        qm_mem_test_fail_after(n);
        err = qm_param_append(&out, qm_span_of("filename"),
                              qm_span_make(value, sizeof(value)),
                              QM_PARAM_RFC2231);
        qm_mem_test_fail_after(-1);
        CHECK(err == QM_OK || (err == QM_E_MEMORY && qm_buf_len(&out) == 0));
        qm_buf_deinit(&out);
    }
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    TEST(test_known_forms);
    TEST(test_long_words);
    TEST(test_long_ascii);
    TEST(test_every_length);
    TEST(test_refusals_leave_out_unchanged);
    TEST(test_base_name);
    TEST(test_guard_page);
    TEST(test_short_of_room);
    return check_done();
}
