#include "mime/qm_part.h"

#include "base/qm_mem.h"
#include "check.h"

static struct qm_part text_part(struct qm_span text)
{
    struct qm_part part;

    memset(&part, 0, sizeof(part));
    qm_source_memory(&part.source, text);
    return part;
}

static struct qm_part data_part(const char *type, const char *name)
{
    struct qm_part part = text_part(qm_span_of("data"));

    part.role = QM_PART_ATTACHMENT;
    part.type = qm_span_of(type);
    part.name = qm_span_of(name);
    return part;
}

/* Real size of the body in a mode. */
static uint64_t encoded_size(const struct qm_part *part, size_t mode)
{
    static char out[1 << 16];
    struct qm_body body;
    struct qm_span input = part->source.bytes;
    size_t len = 0;

    qm_body_begin(&body, part->encoding[mode], qm_part_is_text(part),
                  part->alone);
    while (input.len > 0 || qm_body_pending(&body)) {
        size_t used;
        size_t written;

        qm_body_update(&body, input, out + len, sizeof(out) / 2, &used,
                       &written);
        input = qm_span_from(input, used);
        len += written;
    }
    return len + qm_body_finish(&body, out + len);
}

static void check_choice(struct qm_span text, enum qm_encoding seven,
                         enum qm_encoding eight)
{
    int alone;

    for (alone = 0; alone < 2; alone++) {
        struct qm_part part = text_part(text);
        size_t mode;

        part.alone = alone == 1;
        CHECK(qm_part_measure(&part, NULL, 0) == QM_OK);
        CHECK(part.sized);
        CHECK(part.encoding[QM_PART_SEVEN] == seven);
        CHECK(part.encoding[QM_PART_EIGHT] == eight);
        for (mode = 0; mode < QM_PART_MODES; mode++) {
            CHECK(part.size[mode] == encoded_size(&part, mode));
        }
    }
}

static void check_text(const char *text, enum qm_encoding seven,
                       enum qm_encoding eight)
{
    check_choice(qm_span_of(text), seven, eight);
}

static void encoding_follows_content(void)
{
    check_text("", QM_ENCODING_7BIT, QM_ENCODING_7BIT);
    check_text("hello\n", QM_ENCODING_7BIT, QM_ENCODING_7BIT);
    check_text("hello\r.\rthere", QM_ENCODING_7BIT, QM_ENCODING_7BIT);
    check_text("na\xc3\xafve but mostly plain\n", QM_ENCODING_QP,
               QM_ENCODING_8BIT);
    check_text("\xe4\xbd\xa0\xe5\xa5\xbd", QM_ENCODING_BASE64,
               QM_ENCODING_8BIT);
    check_text("a \x1b[1m coloured line of text\n", QM_ENCODING_QP,
               QM_ENCODING_QP);
    check_text("delete \x7f in a line of text\n", QM_ENCODING_QP,
               QM_ENCODING_QP);
    check_choice(qm_span_make("nul \0 in a line of text", 23), QM_ENCODING_QP,
                 QM_ENCODING_QP);
    check_text("a text\n--=_that looks like a boundary\n", QM_ENCODING_QP,
               QM_ENCODING_QP);
    check_text("\xc3\xa9 and a text\n--=_that looks like a boundary, "
               "and is longer than most of them\n",
               QM_ENCODING_QP, QM_ENCODING_QP);
}

static void long_lines_are_hidden(void)
{
    char text[1001];

    memset(text, 'x', sizeof(text));
    check_choice(qm_span_make(text, 998), QM_ENCODING_7BIT, QM_ENCODING_7BIT);
    check_choice(qm_span_make(text, 999), QM_ENCODING_QP, QM_ENCODING_QP);
    memset(text, '\xc3', sizeof(text));
    memset(text, 'x', 500);
    text[500] = '\xc3';
    text[501] = '\xa9';
    memset(text + 502, 'y', sizeof(text) - 502);
    check_choice(qm_span_make(text, 998), QM_ENCODING_QP, QM_ENCODING_8BIT);
    check_choice(qm_span_make(text, 999), QM_ENCODING_QP, QM_ENCODING_QP);
}

/* Every length of the last line, so that the closing soft break is met. */
static void sizes_at_every_length(void)
{
    char text[400];
    size_t len;

    memset(text, 'x', sizeof(text));
    memcpy(text, "\x1b", 1);
    for (len = 12; len < sizeof(text); len++) {
        check_choice(qm_span_make(text, len), QM_ENCODING_QP, QM_ENCODING_QP);
    }
}

static void texts_must_be_utf8(void)
{
    struct qm_part part = text_part(qm_span_of("good \xff bad"));

    CHECK(qm_part_measure(&part, NULL, 0) == QM_E_UTF8);
    CHECK(part.fault == QM_PART_SOURCE && part.fault_at == 5);
    qm_source_pull(&part.source, true, 3);
    CHECK(qm_part_measure(&part, NULL, 0) == QM_E_UNSUPPORTED);
}

static void data_is_base64_whatever_it_is(void)
{
    struct qm_part part = data_part("text/plain", "a.txt");

    CHECK(qm_part_measure(&part, NULL, 0) == QM_OK);
    CHECK(part.encoding[QM_PART_SEVEN] == QM_ENCODING_BASE64);
    CHECK(part.encoding[QM_PART_EIGHT] == QM_ENCODING_BASE64);
    CHECK(part.sized && part.size[QM_PART_SEVEN] == 10);
    qm_source_pull(&part.source, false, 0);
    CHECK(qm_part_measure(&part, NULL, 0) == QM_OK);
    CHECK(!part.sized);
}

#define CHECK_FIELDS(part, expected)                                           \
    do {                                                                       \
        struct qm_buf out_;                                                    \
        struct qm_span got_;                                                   \
        qm_buf_init(&out_, 4096, false);                                       \
        CHECK(qm_part_append_fields(&(part), &out_) == QM_OK);                 \
        got_ = qm_buf_span(&out_);                                             \
        CHECK_BYTES(got_.ptr, got_.len, expected);                             \
        qm_buf_deinit(&out_);                                                  \
    } while (0)

static void fields_of_texts(void)
{
    struct qm_part part = text_part(qm_span_of(""));

    CHECK_FIELDS(part, "Content-Type: text/plain; charset=UTF-8\r\n");
    part.role = QM_PART_HTML;
    CHECK_FIELDS(part, "Content-Type: text/html; charset=UTF-8\r\n");
    part.role = QM_PART_CALENDAR;
    CHECK_FIELDS(part, "Content-Type: text/calendar; charset=UTF-8\r\n");
    part.method = qm_span_of("REQUEST");
    CHECK_FIELDS(part, "Content-Type: text/calendar; method=REQUEST; "
                       "charset=UTF-8\r\n");
}

static void fields_of_data(void)
{
    struct qm_part part = data_part("application/pdf", "a b.pdf");

    CHECK_FIELDS(part, "Content-Type: application/pdf;\r\n name=\"a b.pdf\"\r\n"
                       "Content-Disposition: attachment;\r\n"
                       " filename=\"a b.pdf\"\r\n");
    part.name = qm_span_of("\xe6\x8a\xa5\xe5\x91\x8a.pdf");
    CHECK_FIELDS(part, "Content-Type: application/pdf;\r\n"
                       " name=\"=?UTF-8?B?5oql5ZGKLnBkZg==?=\"\r\n"
                       "Content-Disposition: attachment;\r\n"
                       " filename*=UTF-8''%E6%8A%A5%E5%91%8A.pdf\r\n");
    part = data_part("image/png", "");
    part.role = QM_PART_INLINE;
    part.id = qm_span_of("logo@x");
    CHECK_FIELDS(part, "Content-Type: image/png\r\nContent-ID: <logo@x>\r\n"
                       "Content-Disposition: inline\r\n");
}

static void check_fault(struct qm_part part, enum qm_err expected,
                        enum qm_part_field field, uint64_t at)
{
    struct qm_buf out;

    qm_buf_init(&out, 4096, false);
    CHECK(qm_part_append_fields(&part, &out) == expected);
    CHECK(part.fault == field && part.fault_at == at);
    qm_buf_deinit(&out);
}

static void refused_types(void)
{
    static const struct {
        const char *type;
        enum qm_err err;
        uint64_t at;
    } rows[] = {
        { "", QM_E_SYNTAX, 0 },
        { "text", QM_E_SYNTAX, 0 },
        { "/plain", QM_E_SYNTAX, 0 },
        { "text/", QM_E_SYNTAX, 0 },
        { "text/plain x", QM_E_SYNTAX, 10 },
        { "text/plain; name=x", QM_E_SYNTAX, 10 },
        { "text/plain; Name*=UTF-8''x", QM_E_SYNTAX, 10 },
        { "text/plain; a=b; name*0*=x", QM_E_SYNTAX, 15 },
        { "text/plain; boundary*0=x", QM_E_SYNTAX, 10 },
        { "text/plain; a", QM_E_SYNTAX, 10 },
        { "text/plain; a=", QM_E_SYNTAX, 10 },
        { "text/plain; a=\"b", QM_E_SYNTAX, 10 },
        { "text/plain; a=\"b\\\"", QM_E_SYNTAX, 10 },
        { "text/plain;", QM_E_SYNTAX, 10 },
        { "text/plain\r\nX: y", QM_E_CONTROL, 10 },
        { "text/plain; a=\"\\\r\nX: y\"", QM_E_CONTROL, 16 },
        { "text/\xe4\xbd\xa0", QM_E_NONASCII, 5 },
        { "multipart/mixed", QM_E_UNSUPPORTED, 0 },
        { "Message/rfc822", QM_E_UNSUPPORTED, 0 },
    };
    size_t i;

    for (i = 0; i < QM_COUNTOF(rows); i++) {
        check_fault(data_part(rows[i].type, "n"), rows[i].err, QM_PART_TYPE,
                    rows[i].at);
    }
}

static void allowed_types(void)
{
    struct qm_part part = data_part("text/csv; charset=gbk", "");

    CHECK_FIELDS(part, "Content-Type: text/csv; charset=gbk\r\n"
                       "Content-Disposition: attachment\r\n");
    part = data_part("text/csv; names=x; a*=UTF-8''b", "");
    CHECK_FIELDS(part, "Content-Type: text/csv; names=x; a*=UTF-8''b\r\n"
                       "Content-Disposition: attachment\r\n");
    part = data_part("text/csv; a=\"b; \\\" c\" ;d=e", "");
    CHECK_FIELDS(part, "Content-Type: text/csv; a=\"b; \\\" c\" ;d=e\r\n"
                       "Content-Disposition: attachment\r\n");
}

static void refused_names(void)
{
    char name[2050];
    struct qm_part part;

    check_fault(data_part("a/b", "in\r\nvoice"), QM_E_CONTROL, QM_PART_NAME, 2);
    check_fault(data_part("a/b", "in\tvoice"), QM_E_CONTROL, QM_PART_NAME, 2);
    check_fault(data_part("a/b", "in\x7fvoice"), QM_E_CONTROL, QM_PART_NAME, 2);
    check_fault(data_part("a/b", "in\xffvoice"), QM_E_UTF8, QM_PART_NAME, 2);
    part = data_part("a/b", "");
    memset(name, 'n', sizeof(name));
    part.name = qm_span_make(name, sizeof(name));
    check_fault(part, QM_E_TOO_LONG, QM_PART_NAME, 0);
}

static void refused_ids(void)
{
    struct qm_part part = data_part("a/b", "n");

    part.role = QM_PART_INLINE;
    check_fault(part, QM_E_EMPTY, QM_PART_ID, 0);
    part.id = qm_span_of("a b");
    check_fault(part, QM_E_SYNTAX, QM_PART_ID, 1);
    part.id = qm_span_of("a>b");
    check_fault(part, QM_E_SYNTAX, QM_PART_ID, 1);
    part.id = qm_span_of("a\nb");
    check_fault(part, QM_E_CONTROL, QM_PART_ID, 1);
    part = text_part(qm_span_of(""));
    part.role = QM_PART_CALENDAR;
    part.method = qm_span_of("A; b=c");
    check_fault(part, QM_E_SYNTAX, QM_PART_METHOD, 1);
}

static void raw_bodies(void)
{
    char line[999];
    struct qm_part part = text_part(qm_span_of("a\nb\xff"));

    part.role = QM_PART_RAW;
    part.alone = true;
    CHECK(qm_part_measure(&part, NULL, 0) == QM_OK);
    CHECK(part.encoding[QM_PART_SEVEN] == QM_ENCODING_8BIT);
    CHECK(part.size[QM_PART_SEVEN] == 7);
    CHECK(part.size[QM_PART_SEVEN] == encoded_size(&part, QM_PART_SEVEN));
    qm_source_memory(&part.source, qm_span_make("ab\0c", 4));
    CHECK(qm_part_measure(&part, NULL, 0) == QM_E_CONTROL);
    CHECK(part.fault_at == 2);
    memset(line, 'x', sizeof(line));
    qm_source_memory(&part.source, qm_span_make(line, sizeof(line)));
    CHECK(qm_part_measure(&part, NULL, 0) == QM_E_TOO_LONG);
    CHECK(part.fault_at == 0);
}

static void messages_as_attachments(void)
{
    struct qm_part part = data_part("message/rfc822", "m.eml");

    part.role = QM_PART_MESSAGE;
    qm_source_memory(&part.source, qm_span_of("A: b\n\n--=_x\n\xc3\xa9"));
    CHECK(qm_part_measure(&part, NULL, 0) == QM_OK);
    CHECK(part.encoding[QM_PART_SEVEN] == QM_ENCODING_8BIT);
    CHECK(part.encoding[QM_PART_EIGHT] == QM_ENCODING_8BIT);
    CHECK(part.size[QM_PART_SEVEN] == 17);
    CHECK(part.size[QM_PART_SEVEN] == encoded_size(&part, QM_PART_SEVEN));
    CHECK_FIELDS(part, "Content-Type: message/rfc822;\r\n name=\"m.eml\"\r\n"
                       "Content-Disposition: attachment;\r\n "
                       "filename=\"m.eml\"\r\n");
    qm_source_memory(&part.source, qm_span_of("A: b\n\nc\n"));
    CHECK(qm_part_measure(&part, NULL, 0) == QM_OK);
    CHECK(part.encoding[QM_PART_SEVEN] == QM_ENCODING_7BIT);
    part.type = qm_span_of("text/plain");
    check_fault(part, QM_E_UNSUPPORTED, QM_PART_TYPE, 0);
    part.type = qm_span_of("message/partial");
    check_fault(part, QM_E_UNSUPPORTED, QM_PART_TYPE, 0);
    qm_source_pull(&part.source, false, 0);
    CHECK(qm_part_measure(&part, NULL, 0) == QM_E_UNSUPPORTED);
}

int main(void)
{
    TEST(encoding_follows_content);
    TEST(long_lines_are_hidden);
    TEST(sizes_at_every_length);
    TEST(texts_must_be_utf8);
    TEST(data_is_base64_whatever_it_is);
    TEST(fields_of_texts);
    TEST(fields_of_data);
    TEST(refused_types);
    TEST(allowed_types);
    TEST(refused_names);
    TEST(refused_ids);
    TEST(raw_bodies);
    TEST(messages_as_attachments);
    CHECK(qm_mem_test_live() == 0);
    return check_done();
}
