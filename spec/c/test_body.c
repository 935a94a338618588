#include "mime/qm_body.h"

#include "check.h"
#include "guard_page.h"

enum { LARGEST = 8192 };

/* Encodes `input` cut in two, with output rooms of `room`. */
static size_t encode(struct qm_span input, size_t cut, size_t room,
                     enum qm_encoding encoding, bool text, bool alone,
                     char *out)
{
    struct qm_body body;
    struct qm_span halves[2];
    size_t len = 0;
    size_t i;

    halves[0] = qm_span_make(input.ptr, cut);
    halves[1] = qm_span_from(input, cut);
    qm_body_begin(&body, encoding, text, alone);
    for (i = 0; i < 2; i++) {
        while (halves[i].len > 0 || qm_body_pending(&body)) {
            size_t used;
            size_t written;

            qm_body_update(&body, halves[i], out + len, room, &used, &written);
            CHECK(used > 0 || written > 0);
            halves[i] = qm_span_from(halves[i], used);
            len += written;
        }
    }
    return len + qm_body_finish(&body, out + len);
}

#define CHECK_BODY(input, encoding, text, alone, expected)                     \
    do {                                                                       \
        char out_[LARGEST];                                                    \
        size_t len_ = encode(qm_span_of(input), 0, LARGEST / 2, (encoding),    \
                             (text), (alone), out_);                           \
        CHECK_BYTES(out_, len_, expected);                                     \
    } while (0)

static void line_ends_become_crlf(void)
{
    CHECK_BODY("a\nb\rc\r\nd", QM_ENCODING_7BIT, true, false,
               "a\r\nb\r\nc\r\nd");
    CHECK_BODY("\xe4\n\xbd", QM_ENCODING_8BIT, true, false, "\xe4\r\n\xbd");
    CHECK_BODY("a\nb", QM_ENCODING_BASE64, true, false, "YQ0KYg==\r\n");
    CHECK_BODY("a\nb", QM_ENCODING_BASE64, false, false, "YQpi\r\n");
    CHECK_BODY("a\nb", QM_ENCODING_QP, true, false, "a\r\nb");
    CHECK_BODY(".\n", QM_ENCODING_7BIT, true, false, ".\r\n");
}

static void alone_ends_with_crlf(void)
{
    CHECK_BODY("a", QM_ENCODING_7BIT, true, true, "a\r\n");
    CHECK_BODY("a\n", QM_ENCODING_7BIT, true, true, "a\r\n");
    CHECK_BODY("a\r", QM_ENCODING_7BIT, true, true, "a\r\n");
    CHECK_BODY("", QM_ENCODING_7BIT, true, true, "");
    CHECK_BODY("a", QM_ENCODING_QP, true, true, "a=\r\n");
    CHECK_BODY("a\n", QM_ENCODING_QP, true, true, "a\r\n");
    CHECK_BODY("a ", QM_ENCODING_QP, true, true, "a=20=\r\n");
    CHECK_BODY("", QM_ENCODING_QP, true, true, "");
    CHECK_BODY("a", QM_ENCODING_BASE64, true, true, "YQ==\r\n");
    CHECK_BODY("", QM_ENCODING_BASE64, true, true, "");
}

static void cuts_change_nothing(void)
{
    static const char text[] = "one\r\ntwo \rthree\n.\n\xe4\xbd\xa0\xe5\xa5\xbd"
                               "=\t\nFrom here to a line that is longer than "
                               "any line of an encoded body may ever be, so "
                               "that it must be broken";
    struct qm_span all = qm_span_make(text, sizeof(text) - 1);
    struct guard_page guard = guard_page_open(all.len);
    struct qm_span input = guard_page_put(&guard, all);
    int mode;

    for (mode = 0; mode < 16; mode++) {
        enum qm_encoding encoding = (enum qm_encoding)(mode & 3);
        bool is_text = (mode & 4) != 0;
        bool alone = (mode & 8) != 0;
        char whole[LARGEST];
        char out[LARGEST];
        size_t len =
            encode(input, 0, LARGEST / 2, encoding, is_text, alone, whole);
        size_t cut;

        for (cut = 0; cut <= input.len; cut++) {
            size_t room = QM_BODY_ROOM + cut % 40;

            CHECK(encode(input, cut, room, encoding, is_text, alone, out) ==
                  len);
            CHECK(memcmp(out, whole, len) == 0);
        }
    }
    guard_page_close(&guard);
}

static void names(void)
{
    CHECK(strcmp(qm_encoding_name(QM_ENCODING_7BIT), "7bit") == 0);
    CHECK(strcmp(qm_encoding_name(QM_ENCODING_8BIT), "8bit") == 0);
    CHECK(strcmp(qm_encoding_name(QM_ENCODING_QP), "quoted-printable") == 0);
    CHECK(strcmp(qm_encoding_name(QM_ENCODING_BASE64), "base64") == 0);
}

int main(void)
{
    TEST(line_ends_become_crlf);
    TEST(alone_ends_with_crlf);
    TEST(cuts_change_nothing);
    TEST(names);
    return check_done();
}
