#include "mime/qm_message.h"

#include "base/qm_mem.h"
#include "check.h"

#include <stdio.h>
#include <unistd.h>

enum { LARGEST = 1 << 20 };

static const char boundary[] = "0123456789abcdefghijklmnop";
static char out[LARGEST];
static char again[LARGEST];
static char path[64];

static enum qm_err add(struct qm_message *m, enum qm_part_role role,
                       const char *text)
{
    struct qm_part part;

    memset(&part, 0, sizeof(part));
    part.role = role;
    part.type = qm_span_of("image/png");
    part.name = qm_span_of("a.png");
    part.id = qm_span_of("cid1");
    qm_source_memory(&part.source, qm_span_of(text));
    return qm_message_add_part(m, &part);
}

static enum qm_err add_subject(struct qm_message *m)
{
    return qm_header_add_text(&m->header, qm_span_of("Subject"),
                              qm_span_of("s"), true);
}

static enum qm_err build(struct qm_message *m)
{
    return qm_message_build(m, qm_span_of(boundary));
}

/* Reads the whole message in pieces of `cap`. */
static enum qm_err read_all(struct qm_message *m, bool eightbit, size_t cap,
                            char *to, size_t *len_out)
{
    enum qm_err err = qm_message_rewind(m, eightbit);
    size_t written = 0;

    *len_out = 0;
    while (err == QM_OK) {
        size_t room = LARGEST - *len_out;

        err = qm_message_read(m, to + *len_out, cap < room ? cap : room,
                              &written);
        *len_out += written;
        if (written == 0) {
            break;
        }
    }
    return err;
}

/* Only CRLF, and the last line complete. */
static bool is_clean(const char *bytes, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        bool cr = bytes[i] == '\r';
        bool lf = bytes[i] == '\n';

        if (bytes[i] == '\0' ||
            (cr && (i + 1 == len || bytes[i + 1] != '\n')) ||
            (lf && (i == 0 || bytes[i - 1] != '\r'))) {
            return false;
        }
    }
    return len > 0 && bytes[len - 1] == '\n';
}

/* Every piece size gives the same bytes, as many as were promised. */
static size_t check_reading(struct qm_message *m, bool eightbit)
{
    static const size_t caps[] = { 1, 2, 3, 7, 127, 128, 129, 1000, 65536 };
    uint64_t size = 0;
    size_t len = 0;
    size_t i;

    CHECK(read_all(m, eightbit, LARGEST, out, &len) == QM_OK);
    CHECK(qm_message_size(m, eightbit, &size) == QM_OK);
    CHECK(size == len);
    CHECK(is_clean(out, len));
    for (i = 0; i < QM_COUNTOF(caps); i++) {
        size_t len_again;

        CHECK(read_all(m, eightbit, caps[i], again, &len_again) == QM_OK);
        CHECK(len_again == len && memcmp(out, again, len) == 0);
    }
    return len;
}

#define CHECK_MESSAGE(m, eightbit, expected)                                   \
    do {                                                                       \
        size_t len_ = check_reading((m), (eightbit));                          \
        CHECK_BYTES(out, len_, expected);                                      \
    } while (0)

static void one_text(void)
{
    struct qm_message m;

    qm_message_init(&m);
    CHECK(add_subject(&m) == QM_OK);
    CHECK(add(&m, QM_PART_TEXT, "a\n.\nb") == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK(!qm_message_is_eightbit(&m) && !qm_message_needs_utf8(&m));
    CHECK_MESSAGE(&m, false,
                  "Subject: s\r\nMIME-Version: 1.0\r\n"
                  "Content-Type: text/plain; charset=UTF-8\r\n"
                  "Content-Transfer-Encoding: 7bit\r\n\r\na\r\n.\r\nb\r\n");
    qm_message_deinit(&m);
}

static void fields_alone(void)
{
    struct qm_message m;

    qm_message_init(&m);
    CHECK(add_subject(&m) == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK_MESSAGE(&m, false,
                  "Subject: s\r\nMIME-Version: 1.0\r\n"
                  "Content-Type: text/plain; charset=UTF-8\r\n"
                  "Content-Transfer-Encoding: 7bit\r\n\r\n");
    qm_message_deinit(&m);
}

static void encoding_for_the_server(void)
{
    struct qm_message m;

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_TEXT, "\xe4\xbd\xa0") == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK(qm_message_is_eightbit(&m));
    CHECK_MESSAGE(&m, false,
                  "MIME-Version: 1.0\r\n"
                  "Content-Type: text/plain; charset=UTF-8\r\n"
                  "Content-Transfer-Encoding: base64\r\n\r\n5L2g\r\n");
    CHECK_MESSAGE(&m, true,
                  "MIME-Version: 1.0\r\n"
                  "Content-Type: text/plain; charset=UTF-8\r\n"
                  "Content-Transfer-Encoding: 8bit\r\n\r\n\xe4\xbd\xa0\r\n");
    qm_message_deinit(&m);
}

#define B "--=_0123456789abcdefghijklmnop"
#define TYPE(sub, level)                                                       \
    "Content-Type: multipart/" sub ";\r\n"                                     \
    " boundary=\"=_0123456789abcdefghijklmnop" level "\""
#define TEXT(sub, body)                                                        \
    "Content-Type: text/" sub "; charset=UTF-8\r\n"                            \
    "Content-Transfer-Encoding: 7bit\r\n\r\n" body
#define PNG(id, disposition, body)                                             \
    "Content-Type: image/png;\r\n name=\"a.png\"\r\n" id                       \
    "Content-Disposition: " disposition ";\r\n filename=\"a.png\"\r\n"         \
    "Content-Transfer-Encoding: base64\r\n\r\n" body

static void two_texts(void)
{
    struct qm_message m;

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_HTML, "<b>") == QM_OK);
    CHECK(add(&m, QM_PART_TEXT, "a") == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK_MESSAGE(&m, false,
                  "MIME-Version: 1.0\r\n" TYPE(
                      "alternative",
                      "a") "\r\n\r\n" B
                           "a\r\n" TEXT("plain", "a") "\r\n" B "a\r\n" TEXT(
                               "html", "<b>") "\r\n" B "a--\r\n");
    qm_message_deinit(&m);
}

static void everything(void)
{
    struct qm_message m;

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_ATTACHMENT, "x") == QM_OK);
    CHECK(add(&m, QM_PART_INLINE, "y") == QM_OK);
    CHECK(add(&m, QM_PART_HTML, "<b>") == QM_OK);
    CHECK(add(&m, QM_PART_TEXT, "a\n") == QM_OK);
    CHECK(add(&m, QM_PART_CALENDAR, "C") == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK_MESSAGE(
        &m, false,
        "MIME-Version: 1.0\r\n" TYPE("mixed", "m") "\r\n\r\n" B "m\r\n" TYPE(
            "related",
            "r") ";\r\n type=\"multipart/alternative\"\r\n\r\n" B
                 "r\r\n" TYPE("alternative", "a") "\r\n\r\n" B "a\r\n" TEXT(
                     "plain",
                     "a\r\n") "\r\n" B
                              "a\r\n" TEXT("html", "<b>") "\r\n" B "a\r\n" TEXT(
                                  "calendar",
                                  "C") "\r\n" B "a--\r\n" B
                                       "r\r\n" PNG(
                                           "Content-ID: <cid1>\r\n", "inline",
                                           "eQ==\r\n") "\r\n" B "r--\r\n" B
                                                       "m\r\n" PNG(
                                                           "", "attachment",
                                                           "eA==\r\n") "\r\n" B
                                                                       "m--"
                                                                       "\r\n");
    qm_message_deinit(&m);
}

static void levels_that_are_not_needed(void)
{
    struct qm_message m;

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_HTML, "<b>") == QM_OK);
    CHECK(add(&m, QM_PART_INLINE, "y") == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK_MESSAGE(
        &m, false,
        "MIME-Version: 1.0\r\n" TYPE(
            "related", "r") ";\r\n type=\"text/html\"\r\n\r\n" B
                            "r\r\n" TEXT("html", "<b>") "\r\n" B "r\r\n" PNG(
                                "Content-ID: <cid1>\r\n", "inline",
                                "eQ==\r\n") "\r\n" B "r--\r\n");
    qm_message_deinit(&m);

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_ATTACHMENT, "") == QM_OK);
    CHECK(add(&m, QM_PART_INLINE, "y") == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK_MESSAGE(
        &m, false,
        "MIME-Version: 1.0\r\n" TYPE("mixed", "m") "\r\n\r\n" B "m\r\n" PNG(
            "Content-ID: <cid1>\r\n", "inline",
            "eQ==\r\n") "\r\n" B "m\r\n" PNG("", "attachment", "") "\r\n" B
                                                                   "m--\r\n");
    qm_message_deinit(&m);
}

static void many_bodies_in_both_modes(void)
{
    static char big[30000];
    struct qm_message m;
    size_t i;

    memset(big, 'x', sizeof(big) - 1);
    for (i = 0; i < sizeof(big) - 1; i += 70) {
        memcpy(big + i, "\xe4\xbd\xa0\n", 4);
    }
    qm_message_init(&m);
    CHECK(add_subject(&m) == QM_OK);
    CHECK(add(&m, QM_PART_TEXT, big) == QM_OK);
    CHECK(add(&m, QM_PART_HTML, "\xe4\xbd\xa0\xe4\xbd\xa0") == QM_OK);
    for (i = 0; i < 20; i++) {
        CHECK(add(&m, i % 2 ? QM_PART_INLINE : QM_PART_ATTACHMENT,
                  big + i * 1000) == QM_OK);
    }
    CHECK(build(&m) == QM_OK);
    (void)check_reading(&m, false);
    (void)check_reading(&m, true);
    qm_message_deinit(&m);
}

static void raw_messages(void)
{
    struct qm_message m;

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_RAW,
              "From: a@b\nBcc: c@d,\n e@f\nX: y\r\n\n.\rbody\xff") == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK(qm_message_is_eightbit(&m));
    CHECK_MESSAGE(&m, false, "From: a@b\r\nX: y\r\n\r\n.\r\nbody\xff\r\n");
    qm_message_deinit(&m);

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_RAW, "From: a@b") == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK_MESSAGE(&m, true, "From: a@b\r\n");
    qm_message_deinit(&m);

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_RAW, "From: a@b\nno field\n\n") == QM_OK);
    CHECK(build(&m) == QM_E_SYNTAX);
    CHECK(m.fault_part == 0);
    qm_message_deinit(&m);

    qm_message_init(&m);
    CHECK(add_subject(&m) == QM_OK);
    CHECK(add(&m, QM_PART_RAW, "From: a@b\n\n") == QM_OK);
    CHECK(build(&m) == QM_E_MISUSE);
    qm_message_deinit(&m);
}

static void faults_name_their_part(void)
{
    struct qm_message m;

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_TEXT, "good") == QM_OK);
    CHECK(add(&m, QM_PART_HTML, "ba\xff") == QM_OK);
    CHECK(build(&m) == QM_E_UTF8);
    CHECK(m.fault_part == 1 && m.parts[1].fault_at == 2);
    CHECK(qm_message_rewind(&m, false) == QM_E_MISUSE);
    qm_message_deinit(&m);

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_TEXT, "good") == QM_OK);
    CHECK(qm_message_build(&m, qm_span_of("short")) == QM_E_SYNTAX);
    CHECK(qm_message_build(&m, qm_span_of("0123456789abcdef\"0123456789")) ==
          QM_E_SYNTAX);
    CHECK(m.fault_part == m.part_count);
    CHECK(build(&m) == QM_OK);
    CHECK(build(&m) == QM_E_MISUSE);
    CHECK(add(&m, QM_PART_TEXT, "late") == QM_E_MISUSE);
    qm_message_deinit(&m);
}

static void not_before_rewind(void)
{
    struct qm_message m;
    size_t written;

    qm_message_init(&m);
    CHECK(qm_message_read(&m, out, 10, &written) == QM_E_MISUSE);
    CHECK(add(&m, QM_PART_TEXT, "good") == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK(qm_message_read(&m, out, 10, &written) == QM_E_MISUSE);
    CHECK(qm_message_rewind(&m, false) == QM_OK);
    CHECK(qm_message_read(&m, out, LARGEST, &written) == QM_OK && written > 0);
    CHECK(qm_message_read(&m, out, 10, &written) == QM_OK && written == 0);
    CHECK(qm_message_read(&m, out, 10, &written) == QM_OK && written == 0);
    qm_message_deinit(&m);
}

static void add_pull(struct qm_message *m, bool known, uint64_t size)
{
    struct qm_part part;

    memset(&part, 0, sizeof(part));
    part.role = QM_PART_ATTACHMENT;
    part.type = qm_span_of("a/b");
    qm_source_pull(&part.source, known, size);
    CHECK(qm_message_add_part(m, &part) == QM_OK);
}

static void pulled_attachments(void)
{
    struct qm_message m;
    size_t written;
    size_t len = 0;
    uint64_t size = 0;
    int pieces = 0;
    enum qm_err err;

    qm_message_init(&m);
    add_pull(&m, true, 9);
    CHECK(build(&m) == QM_OK);
    CHECK(qm_message_push(&m, qm_span_of("x")) == QM_E_MISUSE);
    CHECK(qm_message_rewind(&m, false) == QM_OK);
    CHECK(qm_message_rewind(&m, false) == QM_OK);
    for (;;) {
        err = qm_message_read(&m, out + len, 50, &written);
        len += written;
        if (err == QM_E_AGAIN) {
            struct qm_span piece = qm_span_of(pieces < 3 ? "abc" : "");

            pieces++;
            CHECK(qm_message_push(&m, piece) == QM_OK);
        } else if (err != QM_OK || written == 0) {
            break;
        }
    }
    CHECK(err == QM_OK && pieces == 4);
    CHECK(qm_message_size(&m, false, &size) == QM_OK && size == len);
    out[len] = '\0';
    CHECK(strstr(out, "YWJjYWJjYWJj\r\n") != NULL);
    CHECK(qm_message_rewind(&m, false) == QM_E_UNSUPPORTED);
    CHECK(qm_message_read(&m, out, 10, &written) == QM_E_UNSUPPORTED);
    qm_message_deinit(&m);

    qm_message_init(&m);
    add_pull(&m, false, 0);
    CHECK(build(&m) == QM_OK);
    CHECK(qm_message_size(&m, false, &size) == QM_E_UNSUPPORTED);
    qm_message_deinit(&m);
}

static void pull_that_breaks_its_promise(void)
{
    struct qm_message m;
    size_t written;

    qm_message_init(&m);
    add_pull(&m, true, 2);
    CHECK(build(&m) == QM_OK);
    CHECK(qm_message_rewind(&m, false) == QM_OK);
    CHECK(qm_message_read(&m, out, LARGEST, &written) == QM_OK);
    CHECK(qm_message_read(&m, out, LARGEST, &written) == QM_E_AGAIN);
    CHECK(qm_message_push(&m, qm_span_of("abc")) == QM_OK);
    CHECK(qm_message_read(&m, out, LARGEST, &written) == QM_E_CHANGED);
    CHECK(written == 0 && m.fault_part == 0);
    CHECK(qm_message_read(&m, out, LARGEST, &written) == QM_E_CHANGED);
    qm_message_deinit(&m);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "wb");

    CHECK(file != NULL && fputs(text, file) >= 0);
    if (file != NULL) {
        CHECK(fclose(file) == 0);
    }
}

static enum qm_err add_file(struct qm_message *m, enum qm_part_role role)
{
    struct qm_part part;
    enum qm_err err;

    memset(&part, 0, sizeof(part));
    part.role = role;
    part.type = qm_span_of("a/b");
    err = qm_source_file(&part.source, path);
    return err == QM_OK ? qm_message_add_part(m, &part) : err;
}

static void files(void)
{
    struct qm_message m;
    size_t written;
    enum qm_err err;

    write_file("na\xc3\xafve text in a file, read twice to choose\n");
    qm_message_init(&m);
    CHECK(add_file(&m, QM_PART_TEXT) == QM_OK);
    CHECK(add_file(&m, QM_PART_ATTACHMENT) == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK(m.parts[0].encoding[QM_PART_SEVEN] == QM_ENCODING_QP);
    (void)check_reading(&m, false);
    (void)check_reading(&m, true);
    CHECK(m.slice == NULL);

    CHECK(qm_message_rewind(&m, false) == QM_OK);
    CHECK(qm_message_read(&m, out, 300, &written) == QM_OK);
    write_file("other\n");
    do {
        err = qm_message_read(&m, out, 10, &written);
    } while (err == QM_OK && written > 0);
    CHECK(err == QM_E_CHANGED);
    CHECK(m.slice == NULL);
    qm_message_deinit(&m);
}

static void raw_file(void)
{
    struct qm_message m;

    write_file("From: a@b\nBcc: c@d\n\nbody\n");
    qm_message_init(&m);
    CHECK(add_file(&m, QM_PART_RAW) == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK_MESSAGE(&m, false, "From: a@b\r\n\r\nbody\r\n");
    qm_message_deinit(&m);
}

static void copies_read_on_their_own(void)
{
    struct qm_message m;
    struct qm_message copy;
    size_t written;
    size_t len;

    write_file("file\n");
    qm_message_init(&m);
    qm_message_init(&copy);
    CHECK(qm_message_copy(&copy, &m) == QM_E_MISUSE);
    CHECK(add_subject(&m) == QM_OK);
    CHECK(add(&m, QM_PART_TEXT, "\xe4\xbd\xa0") == QM_OK);
    CHECK(add_file(&m, QM_PART_ATTACHMENT) == QM_OK);
    CHECK(build(&m) == QM_OK);
    len = check_reading(&m, false);
    CHECK(qm_message_rewind(&m, false) == QM_OK);
    CHECK(qm_message_read(&m, again, len - 60, &written) == QM_OK);
    CHECK(qm_message_copy(&copy, &m) == QM_OK);
    CHECK(check_reading(&copy, false) == len);
    qm_message_deinit(&copy);
    CHECK(qm_message_read(&m, again + written, LARGEST - len, &written) ==
          QM_OK);
    CHECK(written == 60 && memcmp(out, again, len) == 0);
    qm_message_deinit(&m);

    qm_message_init(&m);
    add_pull(&m, false, 0);
    CHECK(build(&m) == QM_OK);
    CHECK(qm_message_copy(&copy, &m) == QM_E_UNSUPPORTED);
    qm_message_deinit(&m);
}

static enum qm_err make_and_read(struct qm_message *m, struct qm_message *copy)
{
    size_t len;
    enum qm_err err = add_subject(m);
    int i;

    for (i = 0; err == QM_OK && i < 6; i++) {
        err = i % 2 ? add_file(m, QM_PART_ATTACHMENT)
                    : add(m, QM_PART_TEXT, "\xe4\xbd\xa0");
    }
    if (err == QM_OK) {
        err = build(m);
    }
    if (err == QM_OK) {
        err = read_all(m, false, 1000, out, &len);
    }
    if (err == QM_OK) {
        err = qm_message_copy(copy, m);
    }
    return err;
}

static void short_of_memory(void)
{
    long live = qm_mem_test_live();
    enum qm_err err;
    long n;

    for (n = 0; n < 1000; n++) {
        struct qm_message m;
        struct qm_message copy;

        qm_message_init(&m);
        qm_message_init(&copy);
        qm_mem_test_fail_after(n);
        err = make_and_read(&m, &copy);
        qm_mem_test_fail_after(-1);
        qm_message_deinit(&m);
        qm_message_deinit(&copy);
        CHECK(qm_mem_test_live() == live);
        if (err == QM_OK) {
            break;
        }
        CHECK(err == QM_E_MEMORY);
    }
    CHECK(n > 5 && err == QM_OK);
}

static void too_many_parts(void)
{
    struct qm_message m;
    enum qm_err err = QM_OK;
    size_t n;

    qm_message_init(&m);
    for (n = 0; err == QM_OK; n++) {
        err = add(&m, QM_PART_ATTACHMENT, "x");
    }
    CHECK(err == QM_E_LIMIT && n == QM_MESSAGE_PARTS_MAX + 1);
    qm_message_deinit(&m);
}

int main(void)
{
    (void)snprintf(path, sizeof(path), "/tmp/qm_test_message.%ld",
                   (long)getpid());
    TEST(one_text);
    TEST(fields_alone);
    TEST(encoding_for_the_server);
    TEST(two_texts);
    TEST(everything);
    TEST(levels_that_are_not_needed);
    TEST(many_bodies_in_both_modes);
    TEST(raw_messages);
    TEST(faults_name_their_part);
    TEST(not_before_rewind);
    TEST(pulled_attachments);
    TEST(pull_that_breaks_its_promise);
    TEST(files);
    TEST(raw_file);
    TEST(copies_read_on_their_own);
    TEST(short_of_memory);
    TEST(too_many_parts);
    (void)remove(path);
    return check_done();
}
