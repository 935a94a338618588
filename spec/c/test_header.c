#include "mime/qm_header.h"

#include "base/qm_mem.h"
#include "check.h"

enum { CAP = 64 * 1024 };

static struct qm_span span(const char *text)
{
    return qm_span_of(text);
}

/* The one field made from a text, or "" with *err_out set. */
static struct qm_span text_field(struct qm_header *header, const char *name,
                                 const char *value, bool words,
                                 enum qm_err *err_out)
{
    qm_header_deinit(header);
    qm_header_init(header, CAP);
    *err_out = qm_header_add_text(header, span(name), span(value), words);
    return qm_buf_span(&header->text);
}

#define CHECK_TEXT(value, expected)                                            \
    do {                                                                       \
        enum qm_err err_;                                                      \
        struct qm_span got_ =                                                  \
            text_field(&header, "Subject", (value), false, &err_);             \
        CHECK(err_ == QM_OK);                                                  \
        CHECK_BYTES(got_.ptr, got_.len, expected);                             \
    } while (0)

static void text_fields(void)
{
    struct qm_header header;

    qm_header_init(&header, CAP);
    CHECK_TEXT("hello there", "Subject: hello there\r\n");
    CHECK_TEXT("a=b", "Subject: a=b\r\n");
    CHECK_TEXT("\xe4\xbd\xa0", "Subject: =?UTF-8?B?5L2g?=\r\n");
    CHECK_TEXT(" x", "Subject: =?UTF-8?Q?_x?=\r\n");
    CHECK_TEXT("x ", "Subject: =?UTF-8?Q?x_?=\r\n");
    CHECK_TEXT("\xe4\xbd\xa0 <a.b?c>", "Subject: =?UTF-8?B?5L2g?= <a.b?c>\r\n");
    CHECK_TEXT("\xe4\xbd\xa0<a>", "Subject: =?UTF-8?B?5L2gPGE+?=\r\n");
    CHECK_TEXT(" <a>", "Subject: =?UTF-8?Q?_<a>?=\r\n");
    CHECK_TEXT("=?>", "Subject: =?UTF-8?B?PT8+?=\r\n");
    CHECK_TEXT("<a>", "Subject: <a>\r\n");
    qm_header_deinit(&header);
}

static void fields_keep_their_order(void)
{
    struct qm_header header;
    struct qm_span got;

    qm_header_init(&header, CAP);
    CHECK(qm_header_add_text(&header, span("B"), span("1"), false) == QM_OK);
    CHECK(qm_header_add_raw(&header, span("A"), span("2")) == QM_OK);
    CHECK(qm_header_add_text(&header, span("B"), span("3"), false) == QM_OK);
    got = qm_buf_span(&header.text);
    CHECK_BYTES(got.ptr, got.len, "B: 1\r\nA: 2\r\nB: 3\r\n");
    qm_header_deinit(&header);
}

static void refused(const char *name, const char *value, enum qm_err expected,
                    size_t at)
{
    struct qm_header header;

    qm_header_init(&header, CAP);
    CHECK(qm_header_add_text(&header, span(name), span(value), false) ==
          expected);
    CHECK(header.fault_at == at);
    CHECK(qm_header_add_raw(&header, span(name), span(value)) == expected);
    CHECK(qm_buf_len(&header.text) == 0);
    CHECK(qm_header_add_text(&header, span("X"), span("y"), false) == QM_OK);
    qm_header_deinit(&header);
}

static void refused_fields(void)
{
    refused("X", "a\r\nB: c", QM_E_CONTROL, 1);
    refused("X", "a\nb", QM_E_CONTROL, 1);
    refused("X", "ab\r", QM_E_CONTROL, 2);
    refused("X", "a\x7f", QM_E_CONTROL, 1);
    refused("X", "a\x1b[", QM_E_CONTROL, 1);
    refused("X", "a\r\n b", QM_E_CONTROL, 1);
    refused("X", "ab\xff", QM_E_UTF8, 2);
    refused("X\r\nY", "a", QM_E_SYNTAX, 0);
    refused("X:", "a", QM_E_SYNTAX, 0);
    refused("X Y", "a", QM_E_SYNTAX, 0);
    refused("", "a", QM_E_SYNTAX, 0);
}

static void every_control_character(void)
{
    struct qm_header header;
    char value[3] = { 'a', 0, 'b' };
    int c;

    qm_header_init(&header, CAP);
    for (c = 0; c < 128; c++) {
        enum qm_err err;

        value[1] = (char)c;
        err = qm_header_add_text(&header, span("X"), qm_span_make(value, 3),
                                 false);
        CHECK((err == QM_OK) == (c == '\t' || (c >= 0x20 && c < 0x7f)));
        err = qm_header_add_text(&header, qm_span_make(value, 3), span("x"),
                                 false);
        CHECK((err == QM_OK) == (c > 0x20 && c < 0x7f && c != ':'));
    }
    qm_header_deinit(&header);
}

static void lines_too_long(void)
{
    struct qm_header header;
    char value[1200];
    struct qm_span got;
    size_t i;
    size_t column = 0;

    memset(value, 'x', sizeof(value));
    qm_header_init(&header, CAP);
    CHECK(qm_header_add_text(&header, span("Subject"),
                             qm_span_make(value, sizeof(value)),
                             false) == QM_E_TOO_LONG);
    CHECK(qm_header_add_raw(&header, span("Subject"),
                            qm_span_make(value, sizeof(value))) ==
          QM_E_TOO_LONG);
    CHECK(qm_buf_len(&header.text) == 0);
    CHECK(qm_header_add_text(&header, span("Subject"),
                             qm_span_make(value, sizeof(value)),
                             true) == QM_OK);
    got = qm_buf_span(&header.text);
    for (i = 0; i < got.len; i++) {
        column = got.ptr[i] == '\n' ? 0 : column + 1;
        CHECK(column <= 78);
    }
    qm_header_deinit(&header);
}

static void raw_is_ascii(void)
{
    struct qm_header header;

    qm_header_init(&header, CAP);
    CHECK(qm_header_add_raw(&header, span("X"), span("\xe4\xbd\xa0")) ==
          QM_E_NONASCII);
    CHECK(qm_header_add_raw(&header, span("X"), span("=?UTF-8?B?5L2g?=")) ==
          QM_OK);
    qm_header_deinit(&header);
}

static enum qm_err add(struct qm_header *header, const char *display,
                       const char *address)
{
    bool in_display;

    return qm_header_add_mailbox(header, span(display), span(address),
                                 &in_display);
}

static void mailbox_lists(void)
{
    struct qm_header header;
    struct qm_span got;

    qm_header_init(&header, CAP);
    qm_header_begin_list(&header, span("To"));
    CHECK(add(&header, "", "a@example.com") == QM_OK);
    CHECK(add(&header, "", "b@example.com") == QM_OK);
    CHECK(add(&header, "\xe4\xbd\xa0", "c@example.com") == QM_OK);
    CHECK(add(&header, "Doe, J.", "d@example.com") == QM_OK);
    CHECK(add(&header, "Plain Name", "e@example.com") == QM_OK);
    CHECK(qm_header_end_list(&header, span("To")) == QM_OK);
    got = qm_buf_span(&header.text);
    CHECK_BYTES(got.ptr, got.len,
                "To: a@example.com, b@example.com,\r\n"
                " =?UTF-8?B?5L2g?= <c@example.com>,\r\n"
                " \"Doe, J.\" <d@example.com>,\r\n"
                " Plain Name <e@example.com>\r\n");
    CHECK(!header.utf8);
    qm_header_deinit(&header);
}

static void long_mailbox_list_is_folded(void)
{
    struct qm_header header;
    struct qm_span got;
    size_t column = 0;
    size_t i;

    qm_header_init(&header, CAP);
    qm_header_begin_list(&header, span("To"));
    for (i = 0; i < 200; i++) {
        CHECK(add(&header, "", "someone@example.com") == QM_OK);
    }
    CHECK(qm_header_end_list(&header, span("To")) == QM_OK);
    got = qm_buf_span(&header.text);
    for (i = 0; i < got.len; i++) {
        column = got.ptr[i] == '\n' ? 0 : column + 1;
        CHECK(column <= 79);
    }
    qm_header_deinit(&header);
}

static void refused_mailboxes(void)
{
    struct qm_header header;
    bool in_display;

    qm_header_init(&header, CAP);
    qm_header_begin_list(&header, span("To"));
    CHECK(qm_header_add_mailbox(&header, span("a\nb"), span("a@example.com"),
                                &in_display) == QM_E_CONTROL);
    CHECK(in_display && header.fault_at == 1);
    CHECK(qm_header_add_mailbox(&header, span("a"), span("a@@example.com"),
                                &in_display) == QM_E_SYNTAX);
    CHECK(!in_display && header.fault_at == 2);
    CHECK(add(&header, "a", "a@b>\r\nX: y") == QM_E_CONTROL);
    CHECK(add(&header, "", "ok@example.com") == QM_OK);
    CHECK(qm_header_end_list(&header, span("To")) == QM_OK);
    CHECK_BYTES(header.text.data, header.text.end, "To: ok@example.com\r\n");
    qm_header_deinit(&header);
}

static void utf8_addresses_are_noted(void)
{
    struct qm_header header;

    qm_header_init(&header, CAP);
    qm_header_begin_list(&header, span("To"));
    CHECK(add(&header, "\xe4\xbd\xa0", "a@example.com") == QM_OK);
    CHECK(!header.utf8);
    CHECK(add(&header, "", "\xe4\xbd\xa0@example.com") == QM_OK);
    CHECK(header.utf8);
    qm_header_deinit(&header);
}

static enum qm_err make_all(struct qm_header *header)
{
    enum qm_err err;

    err = qm_header_add_text(header, span("Subject"),
                             span("\xe4\xbd\xa0\xe4\xbd\xa0"), true);
    if (err != QM_OK) {
        return err;
    }
    qm_header_begin_list(header, span("To"));
    err = add(header, "\xe4\xbd\xa0", "a@example.com");
    if (err != QM_OK) {
        return err;
    }
    return qm_header_end_list(header, span("To"));
}

static void short_of_memory(void)
{
    long live = qm_mem_test_live();
    long n;

    for (n = 0;; n++) {
        struct qm_header header;
        enum qm_err err;

        qm_header_init(&header, CAP);
        qm_mem_test_fail_after(n);
        err = make_all(&header);
        qm_mem_test_fail_after(-1);
        qm_header_deinit(&header);
        CHECK(qm_mem_test_live() == live);
        if (err == QM_OK) {
            break;
        }
        CHECK(err == QM_E_MEMORY);
    }
    CHECK(n > 0);
}

static void the_cap_holds(void)
{
    struct qm_header header;
    enum qm_err err = QM_OK;
    int i;

    qm_header_init(&header, 1000);
    for (i = 0; i < 100 && err == QM_OK; i++) {
        err = qm_header_add_text(&header, span("X"), span("0123456789"), true);
    }
    CHECK(err == QM_E_LIMIT);
    CHECK(qm_buf_len(&header.text) <= 1000);
    qm_header_deinit(&header);
}

int main(void)
{
    TEST(text_fields);
    TEST(fields_keep_their_order);
    TEST(refused_fields);
    TEST(every_control_character);
    TEST(lines_too_long);
    TEST(raw_is_ascii);
    TEST(mailbox_lists);
    TEST(long_mailbox_list_is_folded);
    TEST(refused_mailboxes);
    TEST(utf8_addresses_are_noted);
    TEST(short_of_memory);
    TEST(the_cap_holds);
    return check_done();
}
