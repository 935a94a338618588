/* Messages of others: within one of ours, and with headers beyond ASCII. */
#include "mime/qm_message.h"

#include "base/qm_mem.h"
#include "check.h"

static enum qm_err add(struct qm_message *m, enum qm_part_role role,
                       const char *type, const char *text)
{
    struct qm_part part;

    memset(&part, 0, sizeof(part));
    part.role = role;
    part.type = qm_span_of(type);
    qm_source_memory(&part.source, qm_span_of(text));
    return qm_message_add_part(m, &part);
}

static enum qm_err build(struct qm_message *m)
{
    return qm_message_build(m, qm_span_of("0123456789abcdefghijklmnop"));
}

/* The same bytes in both modes, as many as were promised. */
static void check_whole(struct qm_message *m, const char *expected)
{
    static char out[4096];
    size_t len;
    uint64_t size;
    int mode;

    for (mode = 0; mode < 2; mode++) {
        CHECK(qm_message_rewind(m, mode == 1) == QM_OK);
        CHECK(qm_message_read(m, out, sizeof(out), &len) == QM_OK);
        CHECK(qm_message_size(m, mode == 1, &size) == QM_OK && size == len);
        CHECK(qm_span_equal(qm_span_make(out, len), qm_span_of(expected)));
    }
}

#define B             "--=_0123456789abcdefghijklmnopm"
#define ENCODED(name) "Content-Transfer-Encoding: " name "\r\n\r\n"
#define DATA(body)                                                             \
    B "\r\nContent-Type: a/b\r\nContent-Disposition: attachment\r\n" ENCODED(  \
        "base64") body "\r\n"
#define INNER(encoding, body)                                                  \
    B "\r\nContent-Type: message/rfc822\r\n"                                   \
      "Content-Disposition: attachment\r\n" ENCODED(encoding) body "\r\n"
#define OUTER(fields, parts)                                                   \
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n"                  \
    " boundary=\"=_0123456789abcdefghijklmnopm\"\r\n" fields "\r\n" parts B    \
    "--\r\n"

static void keep_their_place(void)
{
    struct qm_message m;

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_ATTACHMENT, "a/b", "x") == QM_OK);
    CHECK(add(&m, QM_PART_MESSAGE, "message/rfc822", "A: b\n\n.c\n--=_x\n") ==
          QM_OK);
    CHECK(add(&m, QM_PART_ATTACHMENT, "a/b", "y") == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK(!qm_message_needs_eightbit(&m) && !qm_message_is_eightbit(&m));
    check_whole(&m, OUTER("", DATA("eA==\r\n")
                                  INNER("7bit", "A: b\r\n\r\n.c\r\n--=_x\r\n")
                                      DATA("eQ==\r\n")));
    qm_message_deinit(&m);
}

static void go_in_eight_bits_where_they_must(void)
{
    struct qm_message m;

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_MESSAGE, "message/rfc822", "A: b\r\n\r\n\xff\r\n") ==
          QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK(qm_message_needs_eightbit(&m) && qm_message_is_eightbit(&m));
    check_whole(&m, OUTER("Content-Transfer-Encoding: 8bit\r\n",
                          INNER("8bit", "A: b\r\n\r\n\xff\r\n")));
    qm_message_deinit(&m);
}

static void headers_beyond_ascii(void)
{
    struct qm_message m;

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_RAW, "", "From: \xe4\xbd\xa0 <a@b>\n\nx") == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK(qm_message_needs_utf8(&m) && !qm_message_is_eightbit(&m));
    qm_message_deinit(&m);

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_RAW, "", "A: b\nBcc: \xe4\xbd\xa0@b\n\nx") == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK(!qm_message_needs_utf8(&m));
    check_whole(&m, "A: b\r\n\r\nx\r\n");
    qm_message_deinit(&m);

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_RAW, "", "From: \xc4\xe3 <a@b>\n\nx") == QM_OK);
    CHECK(build(&m) == QM_E_UTF8);
    CHECK(m.fault_part == 0 && m.parts[0].fault_at == 6);
    qm_message_deinit(&m);
}

int main(void)
{
    TEST(keep_their_place);
    TEST(go_in_eight_bits_where_they_must);
    TEST(headers_beyond_ascii);
    CHECK(qm_mem_test_live() == 0);
    return check_done();
}
