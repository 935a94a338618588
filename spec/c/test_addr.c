#include "codec/qm_addr.h"

#include "base/qm_mem.h"
#include "check.h"
#include "guard_page.h"

enum { BIG = 1 << 20 };

/* Appends "[name]address " for each mailbox; the result of the last call. */
static enum qm_err list_all(struct qm_span text, struct qm_buf *out,
                            struct qm_addr_parser *parser)
{
    struct qm_addr addr;
    enum qm_err err;

    qm_addr_parser_init(parser, text);
    for (;;) {
        err = qm_addr_next(parser, &addr);
        if (err != QM_OK) {
            return err;
        }
        if (addr.name.len > 0) {
            CHECK(qm_buf_append_char(out, '[') == QM_OK);
            CHECK(qm_addr_plain_name(out, &addr) == QM_OK);
            CHECK(qm_buf_append_char(out, ']') == QM_OK);
        }
        CHECK(qm_addr_append_spec(out, &addr) == QM_OK);
        CHECK(qm_buf_append_char(out, ' ') == QM_OK);
    }
}

static void check_list(const char *text, const char *expected)
{
    struct qm_addr_parser parser;
    struct qm_buf out;

    qm_buf_init(&out, BIG, false);
    CHECK(list_all(qm_span_of(text), &out, &parser) == QM_E_EMPTY);
    check_bytes(__FILE__, __LINE__, qm_buf_span(&out).ptr, qm_buf_len(&out),
                expected, strlen(expected));
    if (parser.why != NULL) {
        printf("  in [%s]: %s\n", text, parser.why);
    }
    qm_buf_deinit(&out);
}

static void check_fault(const char *text, enum qm_err err, size_t at,
                        const char *why_part)
{
    struct qm_addr_parser parser;
    struct qm_addr addr;
    struct qm_buf out;
    enum qm_err got;

    qm_buf_init(&out, BIG, false);
    got = list_all(qm_span_of(text), &out, &parser);
    if (got != err || parser.at != at || parser.why == NULL ||
        strstr(parser.why, why_part) == NULL) {
        printf("  [%s]: %s at %zu: %s\n", text, qm_err_name(got), parser.at,
               parser.why != NULL ? parser.why : "");
        check_failures++;
    }
    CHECK(qm_addr_next(&parser, &addr) == err); /* sticky */
    qm_buf_deinit(&out);
}

static void test_mailboxes(void)
{
    check_list("", "");
    check_list(" , ,, ", "");
    check_list("a@b", "a@b ");
    check_list("a@b,c@d", "a@b c@d ");
    check_list("a@b,,c@d,", "a@b c@d ");
    check_list(" a@b.cn\t, <c@d> ", "a@b.cn c@d ");
    check_list("Bob <a@b>", "[Bob]a@b ");
    check_list("Bob<a@b>", "[Bob]a@b ");
    check_list("Bob  J. \t Doe < a@b >", "[Bob J. Doe]a@b ");
    check_list("\"Doe, \\\"Bob\\\" \\\\\" <a@b>", "[Doe, \"Bob\" \\]a@b ");
    check_list("\"Doe, J\"  (x) \"R\" <a@b>", "[Doe, J R]a@b ");
    check_list("\"\" <a@b>", "a@b ");
    check_list("\"two  blanks\" <a@b>", "[two  blanks]a@b ");
    check_list("\xe5\xbc\xa0\xe4\xb8\x89 <u@qq.com>",
               "[\xe5\xbc\xa0\xe4\xb8\x89]u@qq.com ");
    check_list("\xe5\xbc\xa0\xef\xbc\x88\xe4\xb8\x89\xef\xbc\x89 <u@qq.com>",
               "[\xe5\xbc\xa0\xef\xbc\x88\xe4\xb8\x89\xef\xbc\x89]u@qq.com ");
    check_list("=?UTF-8?B?5py65Zmo5Lq6?= <u@qq.com>",
               "[=?UTF-8?B?5py65Zmo5Lq6?=]u@qq.com ");
    check_list("\xe7\x94\xa8\xe6\x88\xb7@\xe4\xbe\x8b\xe5\xad\x90.cn",
               "\xe7\x94\xa8\xe6\x88\xb7@\xe4\xbe\x8b\xe5\xad\x90.cn ");
}

static void test_comments_and_groups(void)
{
    check_list("(a (b (c\\)) )) a@b (d) , (e) c@d", "a@b c@d ");
    check_list("(only)", "");
    check_list("Bob (the \"builder) <a@b>", "[Bob]a@b ");
    check_list("g: a@b, C <c@d>;", "a@b [C]c@d ");
    check_list("my group: a@b;, c@d, \"h\":e@f,;", "a@b c@d e@f ");
    check_list("undisclosed-recipients:;", "");
    check_list("undisclosed-recipients: ; (x) , a@b", "a@b ");
}

static void test_local_parts_and_domains(void)
{
    check_list("!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~@x ");
    check_list("\"a.b\"@x", "a.b@x ");
    check_list("\"a..b\"@x", "\"a..b\"@x ");
    check_list("\".\"@x, \" \"@x", "\".\"@x \" \"@x ");
    check_list("\"a\\b\\\"\\\\c\"@x", "\"ab\\\"\\\\c\"@x ");
    check_list("\"foo@psres.net> ORCPT=admin@admin.com\"@test.com",
               "\"foo@psres.net> ORCPT=admin@admin.com\"@test.com ");
    check_list("\"x@attacker.com\"@legit.com", "\"x@attacker.com\"@legit.com ");
    check_list("<\"a b\"@x>", "\"a b\"@x ");
    check_list("a@localhost, a@my_host.lan, a@0", "a@localhost a@my_host.lan "
                                                  "a@0 ");
    check_list("a@[127.0.0.1],a@[IPv6:::1]", "a@[127.0.0.1] a@[IPv6:::1] ");
    check_list("a@xn--fiqs8s", "a@xn--fiqs8s ");
}

static void test_faults_of_structure(void)
{
    check_fault("abc", QM_E_SYNTAX, 0, "no '@'");
    check_fault("a@b, abc", QM_E_SYNTAX, 5, "no '@'");
    check_fault("<abc>", QM_E_SYNTAX, 4, "no '@'");
    check_fault("@b", QM_E_SYNTAX, 0, "before the '@'");
    check_fault("a@", QM_E_SYNTAX, 2, "after the '@'");
    check_fault("a@,b@c", QM_E_SYNTAX, 2, "after the '@'");
    check_fault("<aaa@bbb.com>ccc@ddd.com", QM_E_SYNTAX, 13, "comma");
    check_fault("a@b@c", QM_E_SYNTAX, 3, "more than one '@'");
    check_fault("<a@b@c>", QM_E_SYNTAX, 4, "more than one '@'");
    check_fault("\"a\"@evil.com\"@good.com", QM_E_SYNTAX, 12, "after the '@'");
    check_fault("a@b c@d", QM_E_SYNTAX, 4, "comma");
    check_fault("a@b <c@d>", QM_E_SYNTAX, 4, "quotes");
    check_fault("\xe5\xbc\xa0 a@b", QM_E_SYNTAX, 0, "'<' and '>'");
    check_fault("a@b; c@d", QM_E_SYNTAX, 3, "semicolon");
    check_fault(";a@b", QM_E_SYNTAX, 0, "semicolon");
    check_fault("a;b@c", QM_E_SYNTAX, 1, "semicolon");
    check_fault("g: a@b; c@d", QM_E_SYNTAX, 8, "comma");
    check_fault("g: a@b", QM_E_SYNTAX, 6, "not closed");
    check_fault("g: h: a@b;;", QM_E_SYNTAX, 4, "inside a group");
    check_fault(": a@b;", QM_E_SYNTAX, 0, "group name");
    check_fault("<>", QM_E_SYNTAX, 0, "between '<' and '>'");
    check_fault("< >", QM_E_SYNTAX, 0, "between '<' and '>'");
    check_fault("<@a,@b:c@d>", QM_E_SYNTAX, 1, "source routes");
    check_fault("<a@b", QM_E_SYNTAX, 0, "without a '>'");
    check_fault("<a@b c>", QM_E_SYNTAX, 0, "without a '>'");
    check_fault("<a@b(c)>", QM_E_SYNTAX, 0, "without a '>'");
    check_fault("Acme [x] <a@b>", QM_E_SYNTAX, 5, "quotes");
    check_fault("a@b (x", QM_E_SYNTAX, 4, "'('");
    check_fault("(((((", QM_E_SYNTAX, 0, "'('");
    check_fault("(x\\", QM_E_SYNTAX, 0, "'('");
    check_fault("a@b)", QM_E_SYNTAX, 3, "not allowed");
    check_fault("\"a@b", QM_E_SYNTAX, 0, "quote without an end");
    check_fault("\"a\\", QM_E_SYNTAX, 0, "quote without an end");
    check_fault("<\"a\\", QM_E_SYNTAX, 1, "quote without an end");
}

static void test_faults_of_parts(void)
{
    check_fault(".a@b", QM_E_SYNTAX, 0, "dot");
    check_fault("a.@b", QM_E_SYNTAX, 1, "dot");
    check_fault("a..a@b", QM_E_SYNTAX, 2, "dot");
    check_fault("a@.b", QM_E_SYNTAX, 2, "dot");
    check_fault("a@b.", QM_E_SYNTAX, 4, "dot");
    check_fault("a@b..c", QM_E_SYNTAX, 4, "dot");
    check_fault("a@-b", QM_E_SYNTAX, 2, "hyphen");
    check_fault("a@b-.c", QM_E_SYNTAX, 2, "hyphen");
    check_fault("a @b", QM_E_SYNTAX, 1, "blank");
    check_fault("a@ b", QM_E_SYNTAX, 2, "blank");
    check_fault("a@b!", QM_E_SYNTAX, 3, "not allowed");
    check_fault("a\"b\"@c", QM_E_SYNTAX, 1, "enclose");
    check_fault("\"b\"a@c", QM_E_SYNTAX, 3, "enclose");
    check_fault("\"a\".\"b\"@c", QM_E_SYNTAX, 3, "enclose");
    check_fault("\"\"@c", QM_E_SYNTAX, 2, "nothing before");
    check_fault("\"a\\\xc3\xa9\"@c", QM_E_SYNTAX, 3, "not allowed");
    check_fault("\"a\tb\"@c", QM_E_CONTROL, 2, "control");
    check_fault("a@[127.0.0.999]", QM_E_SYNTAX, 2, "IP address");
    check_fault("a@[::1]", QM_E_SYNTAX, 2, "IP address");
    check_fault("a@[127.0.0.1", QM_E_SYNTAX, 2, "IP address");
    check_fault("a@[127.0.0.1]x", QM_E_SYNTAX, 13, "not allowed");
    check_fault("a@b\xef\xbc\x8e"
                "cn",
                QM_E_SYNTAX, 3, "dot");
    check_fault("a\xef\xbc\xa0"
                "b.cn",
                QM_E_SYNTAX, 1, "full-width '@'");
    check_fault("a@b\xef\xbc\x8c"
                "c@d",
                QM_E_SYNTAX, 3, "full-width comma");
    check_fault("a@b\xe3\x80\x81"
                "c@d",
                QM_E_SYNTAX, 3, "full-width comma");
    check_fault("a@b\xef\xbc\x9b"
                "c@d",
                QM_E_SYNTAX, 3, "semicolon");
    check_fault("a@b\xe2\x80\x8b.cn", QM_E_SYNTAX, 3, "invisible");
    check_fault("\xef\xbb\xbf"
                "a@b",
                QM_E_SYNTAX, 0, "invisible");
    check_fault("\xef\xbd\x81@b", QM_E_SYNTAX, 0, "full-width");
    check_fault("a@\xcc\x80", QM_E_SYNTAX, 2, "no place");
}

static void test_limits(void)
{
    char text[400];
    struct qm_addr addr;
    size_t at;

    memset(text, 'a', sizeof(text));
    memcpy(text + 64, "@b", 2);
    CHECK(qm_addr_spec(qm_span_make(text, 66), &addr, NULL, NULL) == QM_OK);
    memcpy(text + 64, "a@b", 3);
    CHECK(qm_addr_spec(qm_span_make(text, 67), &addr, &at, NULL) ==
          QM_E_TOO_LONG);
    CHECK(at == 0);
    memset(text, 'a', sizeof(text));
    text[1] = '@';
    CHECK(qm_addr_spec(qm_span_make(text, 2 + 63), &addr, NULL, NULL) == QM_OK);
    CHECK(qm_addr_spec(qm_span_make(text, 2 + 64), &addr, &at, NULL) ==
          QM_E_TOO_LONG);
    CHECK(at == 2);
    for (at = 2; at < sizeof(text); at += 50) {
        text[at + 40] = '.';
    }
    CHECK(qm_addr_spec(qm_span_make(text, 254), &addr, NULL, NULL) == QM_OK);
    CHECK(qm_addr_spec(qm_span_make(text, 255), &addr, NULL, NULL) ==
          QM_E_TOO_LONG);
    CHECK(qm_addr_spec(qm_span_make(text, 300), &addr, NULL, NULL) ==
          QM_E_TOO_LONG);
}

static void test_spec(void)
{
    static const char *const bad[] = { " a@b",    "a@b ",  "<a@b>",  "N <a@b>",
                                       "a@b,",    "a@b;",  "(c)a@b", "a@b(c)",
                                       "a@b,c@d", "g:a@b;" };
    struct qm_addr addr;
    const char *why;
    size_t at;
    size_t i;

    CHECK(qm_addr_spec(qm_span_of("a@b.cn"), &addr, &at, &why) == QM_OK);
    CHECK(why == NULL && !addr.utf8 && !addr.local_quoted);
    CHECK(qm_span_equal(addr.local, qm_span_of("a")));
    CHECK(qm_span_equal(addr.domain, qm_span_of("b.cn")));
    CHECK(qm_addr_spec(qm_span_of("\xc3\xa9@b"), &addr, NULL, NULL) == QM_OK);
    CHECK(addr.utf8);
    CHECK(qm_addr_spec(qm_span_of("a@\xe4\xb8\xad"), &addr, NULL, NULL) ==
          QM_OK);
    CHECK(addr.utf8);
    CHECK(qm_addr_spec(qm_span_of(""), &addr, &at, &why) == QM_E_EMPTY);
    for (i = 0; i < QM_COUNTOF(bad); i++) {
        CHECK(qm_addr_spec(qm_span_of(bad[i]), &addr, &at, &why) ==
              QM_E_SYNTAX);
        CHECK(why != NULL);
    }
}

/* No control character, wherever it stands, and no broken UTF-8. */
static void test_controls_everywhere(void)
{
    static const char shape[] = "\"N\\ a\" (c\\ c) <\"l\\ l\"@d.d>, g: a@b; ";
    size_t place;
    unsigned c;

    for (place = 0; place < sizeof(shape) - 1; place++) {
        for (c = 0; c <= 0xff; c++) {
            char text[sizeof(shape)];
            struct qm_addr_parser parser;
            struct qm_buf out;
            enum qm_err err;
            bool control = (c < 0x20 && c != '\t') || c == 0x7f;

            memcpy(text, shape, sizeof(shape));
            text[place] = (char)c;
            qm_buf_init(&out, BIG, false);
            err =
                list_all(qm_span_make(text, sizeof(shape) - 1), &out, &parser);
            CHECK(!control || err == QM_E_CONTROL);
            CHECK(!control || parser.at == place);
            CHECK(c < 0x80 || err == QM_E_UTF8);
            CHECK(!control || qm_buf_len(&out) == 0);
            qm_buf_deinit(&out);
        }
    }
}

static void check_name(const char *name, size_t column, const char *expected)
{
    struct qm_buf out;

    qm_buf_init(&out, BIG, false);
    CHECK(qm_addr_append_name(&out, qm_span_of(name), column) == QM_OK);
    check_bytes(__FILE__, __LINE__, qm_buf_span(&out).ptr, qm_buf_len(&out),
                expected, strlen(expected));
    qm_buf_deinit(&out);
}

static void test_append_name(void)
{
    struct qm_buf out;

    check_name("", 6, "");
    check_name("Bob", 6, "Bob");
    check_name("Bob Doe", 6, "Bob Doe");
    check_name("Bob  Doe", 6, "\"Bob  Doe\"");
    check_name(" Bob", 6, "\" Bob\"");
    check_name("Bob ", 6, "\"Bob \"");
    check_name("Doe, J.", 6, "\"Doe, J.\"");
    check_name("a\"b\\c", 6, "\"a\\\"b\\\\c\"");
    check_name("a\tb", 6, "\"a\tb\"");
    check_name("\xe6\x9c\xba\xe5\x99\xa8\xe4\xba\xba", 6,
               "=?UTF-8?B?5py65Zmo5Lq6?=");
    check_name("=?x?=", 6, "=?UTF-8?B?PT94Pz0=?=");
    qm_buf_init(&out, BIG, false);
    CHECK(qm_addr_append_name(&out, qm_span_of("a\r\nb"), 6) == QM_E_CONTROL);
    CHECK(qm_addr_append_name(&out, qm_span_of("\xe6\r\n"), 6) != QM_OK);
    CHECK(qm_addr_append_name(&out, qm_span_of("\xe6"), 6) == QM_E_UTF8);
    CHECK(qm_buf_len(&out) == 0);
    qm_buf_deinit(&out);
}

static void test_plain_local(void)
{
    struct qm_addr addr;
    struct qm_buf out;

    qm_buf_init(&out, BIG, false);
    CHECK(qm_addr_spec(qm_span_of("\"a\\\"\\ b\"@x"), &addr, NULL, NULL) ==
          QM_OK);
    CHECK(qm_addr_plain_local(&out, &addr) == QM_OK);
    CHECK_BYTES(qm_buf_span(&out).ptr, qm_buf_len(&out), "a\" b");
    qm_buf_deinit(&out);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 16;
}

/*
 * What was accepted means the same when it is read again in the form we write
 * it, and the guard page stands behind every input.
 */
static void test_random_texts(void)
{
    static const char alphabet[] = "aab.@@<>,;:\"\\()[] -\xc3\xa9\xef\xbc\xa0";
    struct guard_page guard = guard_page_open(4096);
    uint32_t seed = 11;
    int round;

    for (round = 0; round < 300000; round++) {
        char text[24];
        size_t len = next_random(&seed) % sizeof(text);
        struct qm_addr_parser parser;
        struct qm_addr addr;
        struct qm_addr again;
        struct qm_buf out;
        size_t i;

        for (i = 0; i < len; i++) {
            text[i] = alphabet[next_random(&seed) % (sizeof(alphabet) - 1)];
        }
        qm_addr_parser_init(&parser,
                            guard_page_put(&guard, qm_span_make(text, len)));
        qm_buf_init(&out, BIG, false);
        while (qm_addr_next(&parser, &addr) == QM_OK) {
            qm_buf_reset(&out);
            CHECK(qm_addr_plain_name(&out, &addr) == QM_OK);
            qm_buf_reset(&out);
            CHECK(qm_addr_append_spec(&out, &addr) == QM_OK);
            CHECK(qm_addr_spec(qm_buf_span(&out), &again, NULL, NULL) == QM_OK);
            CHECK(qm_span_equal(addr.domain, again.domain));
        }
        CHECK(parser.at <= len);
        qm_buf_deinit(&out);
    }
    guard_page_close(&guard);
}

static void test_every_prefix_at_the_guard_page(void)
{
    static const char text[] =
        "\"N\\\"\" (c(\\)d)) <\"l\\ l\"@d.\xe4\xb8\xad>, g: a@[IPv6:::1], "
        "=?UTF-8?B?eA==?= <b.c@d-e.f>;, \xc3\xa9@\xef\xbc\xa0";
    struct guard_page guard = guard_page_open(4096);
    size_t len;

    for (len = 0; len < sizeof(text); len++) {
        struct qm_span cut = guard_page_put(&guard, qm_span_make(text, len));
        struct qm_addr_parser parser;
        struct qm_addr addr;
        struct qm_buf out;

        qm_buf_init(&out, BIG, false);
        (void)list_all(cut, &out, &parser);
        CHECK(qm_addr_spec(cut, &addr, NULL, NULL) != QM_E_MEMORY);
        CHECK(qm_addr_append_name(&out, cut, 0) != QM_E_MEMORY);
        qm_buf_deinit(&out);
    }
    guard_page_close(&guard);
}

/* Depth and length cost time in proportion, and no stack. */
static void test_deep_and_long(void)
{
    static char text[BIG];
    struct qm_addr_parser parser;
    struct qm_addr addr;
    size_t i;

    memset(text, '(', sizeof(text));
    memset(text + sizeof(text) / 2, ')', sizeof(text) / 2);
    qm_addr_parser_init(&parser, qm_span_make(text, sizeof(text)));
    CHECK(qm_addr_next(&parser, &addr) == QM_E_EMPTY);
    for (i = 0; i < sizeof(text); i++) {
        text[i] = "a@b,"[i % 4];
    }
    qm_addr_parser_init(&parser, qm_span_make(text, sizeof(text)));
    for (i = 0; qm_addr_next(&parser, &addr) == QM_OK; i++) {
    }
    CHECK(i == sizeof(text) / 4 && parser.err == QM_OK);
}

static void test_allocation_failures(void)
{
    static const char long_name[] =
        "\xc3\xa9 a name long enough to need more "
        "room than the first block has, \xe4\xb8\xad";
    long n;

    for (n = 0; n < 6; n++) {
        struct qm_addr addr;
        struct qm_buf out;
        size_t i;

        CHECK(qm_addr_spec(qm_span_of("\"a b\"@x"), &addr, NULL, NULL) ==
              QM_OK);
        qm_buf_init(&out, BIG, false);
        qm_mem_test_fail_after(n);
        for (i = 0; i < 20; i++) {
            size_t before = qm_buf_len(&out);

            if (qm_addr_append_name(&out, qm_span_of(long_name), 6) != QM_OK ||
                qm_addr_append_spec(&out, &addr) != QM_OK) {
                CHECK(out.err == QM_E_MEMORY && qm_buf_len(&out) >= before);
            }
        }
        qm_mem_test_fail_after(-1);
        qm_buf_deinit(&out);
    }
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    TEST(test_mailboxes);
    TEST(test_comments_and_groups);
    TEST(test_local_parts_and_domains);
    TEST(test_faults_of_structure);
    TEST(test_faults_of_parts);
    TEST(test_limits);
    TEST(test_spec);
    TEST(test_controls_everywhere);
    TEST(test_append_name);
    TEST(test_plain_local);
    TEST(test_random_texts);
    TEST(test_every_prefix_at_the_guard_page);
    TEST(test_deep_and_long);
    TEST(test_allocation_failures);
    return check_done();
}
