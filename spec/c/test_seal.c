/* test_seal.c: messages that get fields in front, or are used again. */
#include "base/qm_mem.h"
#include "check.h"
#include "mime/qm_message.h"

enum { LARGEST = 4096 };

static char out[LARGEST];
static char again[LARGEST];

static enum qm_err add(struct qm_message *m, enum qm_part_role role,
                       const char *text)
{
    struct qm_part part;

    memset(&part, 0, sizeof(part));
    part.role = role;
    part.type = qm_span_of("application/octet-stream");
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
    return qm_message_build(m, qm_span_of("0123456789abcdefghijklmnop"));
}

/* As many bytes as were promised, in pieces of `cap`. */
static enum qm_err read_all(struct qm_message *m, bool eightbit, size_t cap,
                            char *to, size_t *len_out)
{
    enum qm_err err = qm_message_rewind(m, eightbit);
    uint64_t size = 0;
    size_t written = 1;

    *len_out = 0;
    while (err == QM_OK && written > 0) {
        size_t room = LARGEST - *len_out;

        err = qm_message_read(m, to + *len_out, cap < room ? cap : room,
                              &written);
        *len_out += written;
    }
    CHECK(qm_message_size(m, eightbit, &size) == QM_OK && size == *len_out);
    return err;
}

/* The same with and without 8BITMIME, and a field in front. */
static void sealed_messages(void)
{
    static const char front[] = "X-Seal: 1\r\nX-Seal: 2\r\n";
    struct qm_message m;
    struct qm_message copy;
    size_t before;
    size_t len;

    qm_message_init(&m);
    CHECK(add_subject(&m) == QM_OK);
    CHECK(add(&m, QM_PART_TEXT, "\xe4\xbd\xa0 and more\r\n") == QM_OK);
    CHECK(qm_message_seal(&m, qm_span_of(front)) == QM_E_MISUSE);
    CHECK(build(&m) == QM_OK);
    CHECK(qm_message_is_eightbit(&m));
    CHECK(read_all(&m, false, 1000, again, &before) == QM_OK);
    CHECK(qm_message_seal(&m, qm_span_of(front)) == QM_OK);
    CHECK(!qm_message_is_eightbit(&m));
    CHECK(read_all(&m, true, 1000, out, &len) == QM_OK);
    CHECK(len == before + strlen(front));
    CHECK(memcmp(out, front, strlen(front)) == 0);
    CHECK(read_all(&m, false, 1000, again, &before) == QM_OK);
    CHECK(before == len && memcmp(out, again, len) == 0);

    qm_message_init(&copy);
    CHECK(qm_message_copy(&copy, &m) == QM_OK);
    CHECK(read_all(&copy, true, 7, again, &before) == QM_OK);
    CHECK(before == len && memcmp(out, again, len) == 0);
    qm_message_deinit(&copy);
    CHECK(qm_message_rewind(&m, false) == QM_OK);
    CHECK(qm_message_seal(&m, qm_span_of(front)) == QM_E_MISUSE);
    qm_message_deinit(&m);
}

/* Bytes of a raw message are what they are. */
static void sealed_raw_message(void)
{
    struct qm_message m;
    size_t len;

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_RAW, "A: b\n\n\xe4\xbd\xa0\n") == QM_OK);
    CHECK(build(&m) == QM_OK);
    CHECK(qm_message_seal(&m, qm_span_of("X: 1\r\n")) == QM_OK);
    CHECK(qm_message_is_eightbit(&m));
    CHECK(read_all(&m, false, 1000, out, &len) == QM_OK);
    CHECK_BYTES(out, len, "X: 1\r\nA: b\r\n\r\n\xe4\xbd\xa0\r\n");
    qm_message_deinit(&m);
}

/* With the n-th allocation failing; the message is readable all the same. */
static enum qm_err seal_short(struct qm_span fields, long n)
{
    struct qm_message m;
    enum qm_err err;
    size_t before;
    size_t len;

    qm_message_init(&m);
    CHECK(add(&m, QM_PART_TEXT, "text") == QM_OK && build(&m) == QM_OK);
    CHECK(read_all(&m, false, 1000, out, &before) == QM_OK);
    qm_mem_test_fail_after(n);
    err = qm_message_seal(&m, fields);
    qm_mem_test_fail_after(-1);
    CHECK(read_all(&m, false, 1000, again, &len) == QM_OK);
    CHECK(len == before + (err == QM_OK ? fields.len : 0));
    CHECK(memcmp(again + (len - before), out, before) == 0);
    qm_message_deinit(&m);
    return err;
}

static void short_of_memory(void)
{
    static char large[LARGEST / 2];
    long live = qm_mem_test_live();
    enum qm_err err = QM_E_MEMORY;
    long n;

    memset(large, 'a', sizeof(large));
    memcpy(large, "X: ", 3);
    memcpy(large + sizeof(large) - 2, "\r\n", 2);
    for (n = 0; n < 10 && err == QM_E_MEMORY; n++) {
        err = seal_short(qm_span_make(large, sizeof(large)), n);
        CHECK(qm_mem_test_live() == live);
    }
    CHECK(n > 1 && err == QM_OK);
}

static void make_two_parts(struct qm_message *m, const char *text)
{
    CHECK(add_subject(m) == QM_OK);
    CHECK(add(m, QM_PART_TEXT, text) == QM_OK);
    CHECK(add(m, QM_PART_ATTACHMENT, text) == QM_OK);
    CHECK(build(m) == QM_OK);
}

/* The same as from a message that was never used, without an allocation. */
static void used_again(void)
{
    struct qm_message fresh;
    struct qm_message m;
    size_t before;
    size_t len;

    qm_message_init(&fresh);
    make_two_parts(&fresh, "second\n");
    CHECK(read_all(&fresh, false, 1000, again, &len) == QM_OK);
    qm_message_deinit(&fresh);

    qm_message_init(&m);
    make_two_parts(&m, "\xe4\xbd\xa0 first, and longer than the second\n");
    CHECK(qm_message_rewind(&m, true) == QM_OK);
    qm_message_reset(&m);
    CHECK(qm_message_rewind(&m, true) == QM_E_MISUSE);
    qm_mem_test_fail_after(0);
    make_two_parts(&m, "second\n");
    qm_mem_test_fail_after(-1);
    CHECK(read_all(&m, false, 1000, out, &before) == QM_OK);
    CHECK(before == len && memcmp(out, again, len) == 0);
    qm_message_deinit(&m);
}

/* A large one gives back what it needed. */
static void large_is_not_kept(void)
{
    long live = qm_mem_test_live();
    struct qm_message m;
    int i;

    qm_message_init(&m);
    for (i = 0; i < 200; i++) {
        CHECK(add(&m, QM_PART_ATTACHMENT, "x") == QM_OK);
    }
    CHECK(build(&m) == QM_OK);
    qm_message_reset(&m);
    CHECK(qm_mem_test_live() == live);
    qm_message_deinit(&m);
}

int main(void)
{
    TEST(sealed_messages);
    TEST(sealed_raw_message);
    TEST(short_of_memory);
    TEST(used_again);
    TEST(large_is_not_kept);
    return check_done();
}
