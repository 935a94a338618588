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
    CHECK(qm_span_equal(qm_txn_next_rcpt(&txn), qm_span_of("c@d")));
    CHECK(qm_span_equal(qm_txn_next_rcpt(&txn), qm_span_of("\"e f\"@g")));
    CHECK(qm_txn_next_rcpt(&txn).len == 0);
    qm_txn_deinit(&txn);
}

static void test_null_reverse_path(void)
{
    qm_txn_init(&txn);
    CHECK(qm_txn_set_from(&txn, qm_span_of("")) == QM_OK);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("c@d")) == QM_OK);
    CHECK(qm_txn_from(&txn).len == 0);
    CHECK(qm_span_equal(qm_txn_next_rcpt(&txn), qm_span_of("c@d")));
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
    CHECK(qm_txn_next_rcpt(&txn).len == 0);
    qm_txn_deinit(&txn);
}

static void test_utf8(void)
{
    qm_txn_init(&txn);
    txn.utf8 = true;
    CHECK(qm_txn_set_from(&txn, qm_span_of("a@b")) == QM_OK);
    CHECK(qm_txn_add_rcpt(&txn, qm_span_of("用户@例子.测试")) == QM_OK);
    CHECK(qm_span_equal(qm_txn_next_rcpt(&txn), qm_span_of("用户@例子.测试")));
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
    TEST(test_utf8);
    TEST(test_reset_keeps_storage);
    TEST(test_memory);
    return check_done();
}
