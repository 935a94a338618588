#include "mime/qm_raw.h"

#include "base/qm_mem.h"
#include "check.h"
#include "guard_page.h"

static enum qm_err take(struct qm_raw *raw, struct qm_span bytes)
{
    enum qm_err err;

    qm_raw_init(raw);
    err = qm_raw_update(raw, bytes);
    return err == QM_OK ? qm_raw_finish(raw) : err;
}

static void check_head(const char *text, const char *head, uint64_t used)
{
    struct qm_raw raw;
    struct qm_span got;

    CHECK(take(&raw, qm_span_of(text)) == QM_OK);
    got = qm_buf_span(&raw.head);
    CHECK(qm_span_equal(got, qm_span_of(head)));
    CHECK(raw.used == used);
    qm_raw_deinit(&raw);
}

static void the_block_ends_at_the_empty_line(void)
{
    check_head("A: b\r\n\r\nbody", "A: b\r\n\r\n", 8);
    check_head("A: b\n\nbody", "A: b\r\n\r\n", 6);
    check_head("A: b\r\rbody", "A: b\r\n\r\n", 6);
    check_head("A: b\r\r\nbody", "A: b\r\n\r\n", 7);
    check_head("A: b\n\r\nbody", "A: b\r\n\r\n", 7);
    check_head("A: b\n\n\nbody", "A: b\r\n\r\n", 6);
    check_head("A: b\r\r", "A: b\r\n\r\n", 6);
    check_head("\r\nbody", "\r\n", 2);
    check_head("A: b", "A: b\r\n", 4);
    check_head("A: b\n", "A: b\r\n", 5);
    check_head("", "", 0);
}

static void cuts_change_nothing(void)
{
    static const char *const texts[] = {
        "A: b\r\n\r\nbody",
        "A: b\n\nbody",
        "A: b\r\r\nbody",
        "A: b\r\rbody",
    };
    struct guard_page guard = guard_page_open(64);
    size_t i;

    for (i = 0; i < QM_COUNTOF(texts); i++) {
        struct qm_span all = qm_span_of(texts[i]);
        struct qm_raw whole;
        size_t cut;

        CHECK(take(&whole, all) == QM_OK);
        for (cut = 0; cut <= all.len; cut++) {
            struct qm_raw raw;

            qm_raw_init(&raw);
            CHECK(qm_raw_update(
                      &raw, guard_page_put(
                                &guard, qm_span_make(all.ptr, cut))) == QM_OK);
            CHECK(qm_raw_update(
                      &raw, guard_page_put(&guard, qm_span_from(all, cut))) ==
                  QM_OK);
            CHECK(raw.used == whole.used);
            CHECK(qm_span_equal(qm_buf_span(&raw.head),
                                qm_buf_span(&whole.head)));
            qm_raw_deinit(&raw);
        }
        qm_raw_deinit(&whole);
    }
    guard_page_close(&guard);
}

static void public_of(const char *text, const char *expected)
{
    struct qm_raw raw;
    struct qm_buf out;
    struct qm_span got;

    qm_buf_init(&out, 1000, false);
    CHECK(take(&raw, qm_span_of(text)) == QM_OK);
    CHECK(qm_raw_append_public(&raw, &out) == QM_OK);
    got = qm_buf_span(&out);
    CHECK(qm_span_equal(got, qm_span_of(expected)));
    qm_raw_deinit(&raw);
    qm_buf_deinit(&out);
}

static void hidden_recipients_are_left_out(void)
{
    public_of("To: a@b\nBcc: c@d\nX: y\n\n", "To: a@b\r\nX: y\r\n\r\n");
    public_of("bCC: c@d,\n e@f,\n\tg@h\nX: y\n\n", "X: y\r\n\r\n");
    public_of("BCC :c@d\nX: y\n\n", "X: y\r\n\r\n");
    public_of("Bcc\t: c@d\nX: y\n", "X: y\r\n");
    public_of("Resent-Bcc: c@d\nX: y\n", "X: y\r\n");
    public_of("Bcc:\n c@d\n \n e@f\nX: y\n\nBcc: body", "X: y\r\n\r\n");
    public_of("X: y\nBcc: c@d", "X: y\r\n");
    public_of("X-Bcc: c@d\nX: Bcc:\n\n", "X-Bcc: c@d\r\nX: Bcc:\r\n\r\n");
    public_of("X:\r\n folded\r\n\r\n", "X:\r\n folded\r\n\r\n");
}

static void the_envelope_of_the_outbox_is_left_out(void)
{
    public_of("X-Qqmail-Outbox: 1\r\nX-QQMAIL-outbox-To: <a@b>\r\nX: y\r\n\r\n",
              "X: y\r\n\r\n");
    public_of("X-Qqmail: 1\r\nX-Qqmail-Outbo: 2\r\n\r\n",
              "X-Qqmail: 1\r\nX-Qqmail-Outbo: 2\r\n\r\n");
}

static void the_separator_of_mailbox_files_is_left_out(void)
{
    public_of("From a@b Mon Jan  1 00:00:00 2024\nA: b\n\nx", "A: b\r\n\r\n");
    public_of("From : a@b\nA: b\n\n", "From : a@b\r\nA: b\r\n\r\n");
    public_of("From a\n\nx", "\r\n");
    public_of("From a", "");
}

static void fields_one_by_one(void)
{
    struct qm_raw raw;
    struct qm_raw_field field;

    CHECK(take(&raw, qm_span_of("A: b\n c\nD :\n\nbody")) == QM_OK);
    qm_raw_walk(&raw, &field);
    CHECK(qm_raw_next(&field) == QM_OK);
    CHECK_BYTES(field.name.ptr, field.name.len, "A");
    CHECK_BYTES(field.value.ptr, field.value.len, " b\r\n c");
    CHECK(qm_raw_next(&field) == QM_OK);
    CHECK_BYTES(field.name.ptr, field.name.len, "D");
    CHECK(field.value.len == 0);
    CHECK(qm_raw_next(&field) == QM_E_EMPTY);
    qm_raw_deinit(&raw);
}

/* What a careless reader would skip must not hide a Bcc behind it. */
static void lines_that_are_no_fields(const char *text, uint64_t at)
{
    struct qm_raw raw;
    struct qm_buf out;

    qm_buf_init(&out, 1000, false);
    CHECK(take(&raw, qm_span_of(text)) == QM_OK);
    CHECK(qm_raw_append_public(&raw, &out) == QM_E_SYNTAX);
    CHECK(raw.fault_at == at);
    qm_raw_deinit(&raw);
    qm_buf_deinit(&out);
}

static void faults(void)
{
    char line[1200];
    struct qm_raw raw;

    lines_that_are_no_fields("From x Mon\n A: b\n\n", 12);
    lines_that_are_no_fields("From x Mon\nFrom y Mon\n\n", 12);
    lines_that_are_no_fields("A: b\nno colon\nBcc: c@d\n\n", 6);
    lines_that_are_no_fields(" A: b\n\n", 0);
    lines_that_are_no_fields(": b\n\n", 0);
    CHECK(take(&raw, qm_span_make("A: \0\n\n", 6)) == QM_E_CONTROL);
    CHECK(raw.fault_at == 3);
    qm_raw_deinit(&raw);
    memset(line, 'x', sizeof(line));
    memcpy(line, "A: b\nB: ", 8);
    CHECK(take(&raw, qm_span_make(line, sizeof(line))) == QM_E_TOO_LONG);
    CHECK(raw.fault_at == 5);
    qm_raw_deinit(&raw);
    CHECK(take(&raw, qm_span_make(line, 5 + 998)) == QM_OK);
    qm_raw_deinit(&raw);
}

static void the_block_is_bounded(void)
{
    struct qm_raw raw;
    enum qm_err err = QM_OK;
    long n;

    qm_raw_init(&raw);
    for (n = 0; n < QM_RAW_HEAD_MAX && err == QM_OK; n++) {
        err = qm_raw_update(&raw, qm_span_of("A: b\n"));
    }
    CHECK(err == QM_E_LIMIT);
    qm_raw_deinit(&raw);
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    TEST(the_block_ends_at_the_empty_line);
    TEST(cuts_change_nothing);
    TEST(hidden_recipients_are_left_out);
    TEST(the_envelope_of_the_outbox_is_left_out);
    TEST(the_separator_of_mailbox_files_is_left_out);
    TEST(fields_one_by_one);
    TEST(faults);
    TEST(the_block_is_bounded);
    return check_done();
}
