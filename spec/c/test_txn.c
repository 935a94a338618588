/* test_txn.c: envelopes: what is stored, what is refused. */
#include "check.h"
#include "smtp/qm_txn.h"

#include "base/qm_mem.h"

static struct qm_txn txn;

static void test_paths_come_back(void)
{
    qm_txn_init(&txn);
    CHECK(qm_txn_set_from(&txn, qm_span_of("a@b")) == QM_OK);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("c@d")) == QM_OK);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("\"e f\"@g")) == QM_OK);
    CHECK(txn.rcpt_count == 2);
    CHECK(qm_span_equal(qm_txn_from(&txn), qm_span_of("a@b")));
    CHECK(qm_span_equal(qm_txn_next_rcpt(&txn, NULL), qm_span_of("c@d")));
    CHECK(qm_span_equal(qm_txn_next_rcpt(&txn, NULL), qm_span_of("\"e f\"@g")));
    CHECK(qm_txn_next_rcpt(&txn, NULL).len == 0);
    qm_txn_deinit(&txn);
}

static void test_null_reverse_path(void)
{
    qm_txn_init(&txn);
    CHECK(qm_txn_set_from(&txn, qm_span_of("")) == QM_OK);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("c@d")) == QM_OK);
    CHECK(qm_txn_from(&txn).len == 0);
    CHECK(qm_span_equal(qm_txn_next_rcpt(&txn, NULL), qm_span_of("c@d")));
    qm_txn_deinit(&txn);
}

static void test_refusals_leave_no_trace(void)
{
    qm_txn_init(&txn);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("c@d")) == QM_E_MISUSE);
    CHECK(qm_txn_set_from(&txn, qm_span_of("a@b")) == QM_OK);
    CHECK(qm_txn_set_from(&txn, qm_span_of("a@b")) == QM_E_MISUSE);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("no-at")) == QM_E_SYNTAX);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("")) != QM_OK);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("N <c@d>")) != QM_OK);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("a@b\r\nRCPT")) == QM_E_CONTROL);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("用户@b")) == QM_E_NONASCII);
    CHECK(txn.rcpt_count == 0);
    CHECK(qm_txn_next_rcpt(&txn, NULL).len == 0);
    qm_txn_deinit(&txn);
}

static enum qm_err ask_of(unsigned notify, const char *orcpt)
{
    struct qm_dsn_rcpt dsn;

    dsn.notify = notify;
    dsn.orcpt = qm_span_of(orcpt);
    return qm_txn_set_rcpt_dsn(&txn, &dsn);
}

static void check_next(const char *path, unsigned notify, const char *orcpt)
{
    struct qm_dsn_rcpt dsn;

    CHECK(qm_span_equal(qm_txn_next_rcpt(&txn, &dsn), qm_span_of(path)));
    CHECK(dsn.notify == notify);
    CHECK(qm_span_equal(dsn.orcpt, qm_span_of(orcpt)));
}

static void test_reports(void)
{
    struct qm_dsn_mail dsn = { QM_DSN_RET_FULL, { "id 1", 4 } };
    struct qm_dsn_mail bad = { QM_DSN_RET_ANY, { "a\nb", 3 } };

    qm_txn_init(&txn);
    CHECK(qm_txn_set_dsn(&txn, &dsn) == QM_E_MISUSE);
    CHECK(qm_txn_set_from(&txn, qm_span_of("")) == QM_OK);
    CHECK(ask_of(QM_DSN_NEVER, "") == QM_E_MISUSE);
    CHECK(qm_txn_set_dsn(&txn, &bad) == QM_E_CONTROL);
    CHECK(qm_txn_dsn(&txn).envid.len == 0);
    CHECK(qm_txn_set_dsn(&txn, &dsn) == QM_OK);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("a@b")) == QM_OK);
    CHECK(qm_txn_set_dsn(&txn, &dsn) == QM_E_MISUSE);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("c@d")) == QM_OK);
    CHECK(ask_of(QM_DSN_DELAY, "a\rb") == QM_E_CONTROL);
    CHECK(ask_of(QM_DSN_NEVER | QM_DSN_DELAY, "") == QM_E_SYNTAX);
    CHECK(ask_of(QM_DSN_FAILURE | QM_DSN_DELAY | QM_DSN_SUCCESS, "用@d") ==
          QM_OK);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("e@f")) == QM_OK);
    CHECK(qm_txn_from(&txn).len == 0);
    CHECK(qm_txn_dsn(&txn).ret == QM_DSN_RET_FULL);
    CHECK(qm_span_equal(qm_txn_dsn(&txn).envid, qm_span_of("id 1")));
    check_next("a@b", 0, "");
    check_next("c@d", QM_DSN_FAILURE | QM_DSN_DELAY | QM_DSN_SUCCESS, "用@d");
    check_next("e@f", 0, "");
    CHECK(qm_txn_next_rcpt(&txn, NULL).len == 0);
    qm_txn_deinit(&txn);
}

static void test_utf8(void)
{
    qm_txn_init(&txn);
    txn.utf8 = true;
    CHECK(qm_txn_set_from(&txn, qm_span_of("a@b")) == QM_OK);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("用户@例子.测试")) == QM_OK);
    CHECK(qm_span_equal(qm_txn_next_rcpt(&txn, NULL),
                        qm_span_of("用户@例子.测试")));
    qm_txn_deinit(&txn);
}

static void test_reset_keeps_storage(void)
{
    char *before;

    qm_txn_init(&txn);
    CHECK(qm_txn_set_from(&txn, qm_span_of("a@b")) == QM_OK);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("c@d")) == QM_OK);
    before = txn.paths.data;
    qm_txn_reset(&txn);
    CHECK(txn.rcpt_count == 0 && txn.stage == QM_TXN_FREE);
    CHECK(qm_txn_set_from(&txn, qm_span_of("a@b")) == QM_OK);
    CHECK(txn.paths.data == before);
    qm_txn_deinit(&txn);
}

static void test_memory(void)
{
    long n;

    for (n = 0; n < 6; n++) {
        enum qm_err err;

        qm_txn_init(&txn);
        qm_mem_test_fail_after(n);
        err = qm_txn_set_from(&txn, qm_span_of("a@b"));
        if (err == QM_OK) {
            err = qm_txn_add_rcpt(&txn, qm_span_of("c@d"));
        }
        if (err == QM_OK) {
            err = ask_of(QM_DSN_NEVER, "c@d");
        }
        qm_mem_test_fail_after(-1);
        CHECK(err == QM_OK || err == QM_E_MEMORY);
        qm_txn_deinit(&txn);
    }
    CHECK(qm_mem_test_live() == 0);
}

int main(void)
{
    TEST(test_paths_come_back);
    TEST(test_null_reverse_path);
    TEST(test_refusals_leave_no_trace);
    TEST(test_reports);
    TEST(test_utf8);
    TEST(test_reset_keeps_storage);
    TEST(test_memory);
    return check_done();
}
