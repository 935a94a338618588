/* test_signed.c: the layout of signed and sealed messages (RFC 8551). */
#include "mime/qm_message.h"

#include "base/qm_mem.h"
#include "check.h"

enum { LARGEST = 16384 };

static char out[LARGEST];
static char again[LARGEST];

static enum qm_err add(struct qm_message *m, enum qm_part_role role,
                       const char *text)
{
    struct qm_part part;

    memset(&part, 0, sizeof(part));
    part.role = role;
    part.type = qm_span_of("application/pkcs7-mime");
    part.name = qm_span_of("smime.p7m");
    qm_source_memory(&part.source, qm_span_of(text));
    return qm_message_add_part(m, &part);
}

static enum qm_err build(struct qm_message *m)
{
    return qm_message_build(m, qm_span_of("0123456789abcdefghijklmnop"));
}

/* What a reading gives that has begun, in pieces of `cap`. */
static size_t read_rest(struct qm_message *m, char *to, size_t cap)
{
    size_t len = 0;
    size_t written = 0;
    enum qm_err err;

    do {
        size_t room = LARGEST - len;

        err = qm_message_read(m, to + len, cap < room ? cap : room, &written);
        len += written;
    } while (err == QM_OK && written > 0);
    CHECK(err == QM_OK);
    return len;
}

static size_t read_whole(struct qm_message *m, bool eightbit)
{
    uint64_t size = 0;
    size_t len;

    CHECK(qm_message_rewind(m, eightbit) == QM_OK);
    len = read_rest(m, out, LARGEST);
    CHECK(qm_message_size(m, eightbit, &size) == QM_OK && size == len);
    return len;
}

/* The same, however the entity is cut. */
static size_t read_entity(struct qm_message *m)
{
    static const size_t caps[] = { 1, 7, 128, 1000 };
    size_t len;
    size_t i;

    CHECK(qm_message_rewind_signed(m) == QM_OK);
    len = read_rest(m, again, LARGEST);
    for (i = 0; i < QM_COUNTOF(caps); i++) {
        CHECK(qm_message_rewind_signed(m) == QM_OK);
        CHECK(read_rest(m, out, caps[i]) == len);
        CHECK(memcmp(out, again, len) == 0);
    }
    return len;
}

/* Quoted-printable although it is ASCII: no relay has a reason to touch it. */
#define ENTITY                                                                 \
    "Content-Type: text/plain; charset=UTF-8\r\n"                              \
    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"                      \
    "=46rom here =20\r\n=2E\r\nend"

#define SIGNED(entity, signature)                                              \
    "MIME-Version: 1.0\r\n"                                                    \
    "Content-Type: multipart/signed;\r\n"                                      \
    " protocol=\"application/pkcs7-signature\"; micalg=sha-256;\r\n"           \
    " boundary=\"=_0123456789abcdefghijklmnops\"\r\n"                          \
    "\r\n--=_0123456789abcdefghijklmnops\r\n" entity                           \
    "\r\n--=_0123456789abcdefghijklmnops\r\n"                                  \
    "Content-Type: application/pkcs7-signature;\r\n name=\"smime.p7s\"\r\n"    \
    "Content-Disposition: attachment;\r\n filename=\"smime.p7s\"\r\n"          \
    "Content-Transfer-Encoding: base64\r\n\r\n" signature                      \
    "\r\n--=_0123456789abcdefghijklmnops--\r\n"

static void one_text(void)
{
    struct qm_message m;
    size_t len;

    qm_message_init(&m);
    m.is_signed = true;
    CHECK(add(&m, QM_PART_TEXT, "From here  \n.\nend") == QM_OK);
    CHECK(build(&m) == QM_OK);
    len = read_entity(&m);
    CHECK_BYTES(again, len, ENTITY);
    CHECK(qm_message_sign(&m, qm_span_of("signature")) == QM_OK);
    len = read_whole(&m, false);
    CHECK_BYTES(out, len, SIGNED(ENTITY, "c2lnbmF0dXJl\r\n"));
    CHECK(read_whole(&m, true) == len);
    CHECK(!qm_message_is_eightbit(&m));
    qm_message_deinit(&m);
}

/* What is read to be signed stands in the message as it is. */
static void everything(void)
{
    static const char *const texts[] = { "\xe4\xbd\xa0", "<b>\xe5\xa5\xbd",
                                         "BEGIN:VCALENDAR" };
    struct qm_message m;
    size_t entity;
    size_t len;
    size_t i;
    bool found = false;

    qm_message_init(&m);
    m.is_signed = true;
    CHECK(add(&m, QM_PART_TEXT, texts[0]) == QM_OK);
    CHECK(add(&m, QM_PART_HTML, texts[1]) == QM_OK);
    CHECK(add(&m, QM_PART_CALENDAR, texts[2]) == QM_OK);
    CHECK(add(&m, QM_PART_ATTACHMENT, "x") == QM_OK);
    CHECK(build(&m) == QM_OK);
    entity = read_entity(&m);
    CHECK(qm_message_sign(&m, qm_span_of("s")) == QM_OK);
    len = read_whole(&m, true);
    for (i = 0; i + entity <= len && !found; i++) {
        found = memcmp(out + i, again, entity) == 0;
    }
    CHECK(found);
    for (i = 0; i < len; i++) {
        CHECK(((unsigned char)out[i] & 0x80U) == 0);
    }
    qm_message_deinit(&m);
}

static void no_parts(void)
{
    struct qm_message m;

    qm_message_init(&m);
    m.is_signed = true;
    CHECK(build(&m) == QM_OK);
    CHECK(read_entity(&m) > 0);
    CHECK(qm_message_sign(&m, qm_span_of("s")) == QM_OK);
    CHECK(read_whole(&m, false) > 0);
    qm_message_deinit(&m);
}

static void order_of_steps(void)
{
    struct qm_message m;

    qm_message_init(&m);
    CHECK(qm_message_rewind_signed(&m) == QM_E_MISUSE);
    CHECK(qm_message_sign(&m, qm_span_of("s")) == QM_E_MISUSE);
    m.is_signed = true;
    CHECK(add(&m, QM_PART_TEXT, "x") == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK(qm_message_rewind(&m, false) == QM_E_MISUSE);
    CHECK(qm_message_rewind_signed(&m) == QM_OK);
    CHECK(qm_message_sign(&m, qm_span_of("s")) == QM_E_MISUSE); /* reading */
    (void)read_rest(&m, out, LARGEST);
    CHECK(qm_message_sign(&m, qm_span_of("s")) == QM_OK);
    CHECK(qm_message_rewind(&m, false) == QM_OK);
    qm_message_deinit(&m);

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_TEXT, "x") == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK(qm_message_rewind_signed(&m) == QM_E_MISUSE);
    CHECK(qm_message_sign(&m, qm_span_of("s")) == QM_E_MISUSE);
    qm_message_deinit(&m);
}

static void sealed(void)
{
    struct qm_message m;
    size_t len;

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_SMIME, "envelope") == QM_OK);
    CHECK(build(&m) == QM_OK);
    len = read_whole(&m, true);
    CHECK_BYTES(out, len,
                "MIME-Version: 1.0\r\n"
                "Content-Type: application/pkcs7-mime;\r\n"
                " name=\"smime.p7m\"\r\n"
                "Content-Disposition: attachment;\r\n"
                " filename=\"smime.p7m\"\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\n"
                "ZW52ZWxvcGU=\r\n");
    qm_message_deinit(&m);
}

static void entities(void)
{
    struct qm_message m;
    size_t len;

    qm_message_init(&m);
    m.is_entity = true;
    CHECK(add(&m, QM_PART_TEXT, "\xe4\xbd\xa0") == QM_OK);
    CHECK(build(&m) == QM_OK);
    len = read_whole(&m, true);
    CHECK_BYTES(out, len,
                "Content-Type: text/plain; charset=UTF-8\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\n5L2g\r\n");
    qm_message_deinit(&m);
}

static enum qm_err make(struct qm_message *m, struct qm_message *copy)
{
    enum qm_err err = add(m, QM_PART_TEXT, "x");

    m->is_signed = true;
    if (err == QM_OK) {
        err = build(m);
    }
    if (err == QM_OK) {
        err = qm_message_sign(m, qm_span_of("s"));
    }
    return err == QM_OK ? qm_message_copy(copy, m) : err;
}

static void copies_and_memory(void)
{
    enum qm_err err = QM_E_MEMORY;
    long n;

    for (n = 0; err == QM_E_MEMORY; n++) {
        struct qm_message m;
        struct qm_message copy;

        qm_message_init(&m);
        qm_message_init(&copy);
        qm_mem_test_fail_after(n);
        err = make(&m, &copy);
        qm_mem_test_fail_after(-1);
        CHECK(err == QM_OK || err == QM_E_MEMORY);
        if (err == QM_OK) {
            size_t len = read_whole(&m, false);

            memcpy(again, out, len);
            CHECK(read_whole(&copy, false) == len);
            CHECK(memcmp(out, again, len) == 0);
        }
        qm_message_deinit(&copy);
        qm_message_deinit(&m);
        CHECK(qm_mem_test_live() == 0);
    }
    CHECK(n > 4);
}

int main(void)
{
    TEST(one_text);
    TEST(everything);
    TEST(no_parts);
    TEST(order_of_steps);
    TEST(sealed);
    TEST(entities);
    TEST(copies_and_memory);
    return check_done();
}
