/*
 * qm_smtp_body.c: the body of a message on its way into the output.
 */
#include "smtp/qm_smtp_impl.h"

struct qm_txn *qm_smtp_body_txn(struct qm_smtp *smtp)
{
    unsigned i;

    for (i = 0; i < smtp->txn_count; i++) {
        struct qm_txn *txn = qm_smtp_txn_at(smtp, i, NULL);

        if (txn->stage == QM_TXN_BODY) {
            return txn;
        }
    }
    return NULL;
}

uint32_t qm_smtp_body_id(const struct qm_smtp *smtp)
{
    unsigned i;

    for (i = 0; i < smtp->txn_count; i++) {
        unsigned slot = (smtp->txn_first + i) % QM_SMTP_TXN_MAX;

        if (smtp->txns[slot].stage == QM_TXN_BODY) {
            return smtp->txns[slot].id;
        }
    }
    return 0;
}

size_t qm_smtp_body_room(const struct qm_smtp *smtp)
{
    size_t waiting = qm_buf_len(&smtp->out);

    return waiting + 2 <= QM_SMTP_BODY_AIM ? QM_SMTP_BODY_AIM - waiting : 0;
}

static enum qm_err check_body(struct qm_smtp *smtp)
{
    if (smtp->state != QM_S_READY || qm_smtp_body_txn(smtp) == NULL) {
        return QM_E_MISUSE;
    }
    return qm_smtp_is_unasked(smtp) ? QM_E_AGAIN : QM_OK;
}

enum qm_err qm_smtp_body(struct qm_smtp *smtp, struct qm_span bytes,
                         size_t *used_out)
{
    size_t most = 2 * bytes.len + 2; /* every byte a CR, LF or leading dot */
    size_t cap = qm_smtp_body_room(smtp);
    enum qm_err err = check_body(smtp);
    size_t written;
    char *room;

    *used_out = 0;
    if (err != QM_OK || cap == 0) {
        return err;
    }
    cap = cap < most ? cap : most;
    room = qm_buf_reserve(&smtp->out, cap);
    if (room == NULL) {
        return smtp->out.err;
    }
    qm_dot_update(&smtp->dot, bytes, room, cap, used_out, &written);
    qm_buf_commit(&smtp->out, written);
    return QM_OK;
}

enum qm_err qm_smtp_body_end(struct qm_smtp *smtp)
{
    struct qm_txn *txn = qm_smtp_body_txn(smtp);
    enum qm_err err = check_body(smtp);
    unsigned slot;
    char *room;

    if (err != QM_OK) {
        return err;
    }
    room = qm_buf_reserve(&smtp->out, 8);
    if (room == NULL) {
        return smtp->out.err;
    }
    qm_buf_commit(&smtp->out, qm_dot_finish(&smtp->dot, room));
    txn->stage = QM_TXN_HANDED;
    txn->end_offset = qm_smtp_written(smtp);
    txn->outstanding++;
    slot = (unsigned)(txn - smtp->txns);
    qm_smtp_expect(smtp, QM_ASK_FINAL, slot, 0);
    return QM_OK;
}
