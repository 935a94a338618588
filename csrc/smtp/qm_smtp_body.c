/*
 * qm_smtp_body.c: the body of a message on its way into the output.
 */
#include "smtp/qm_smtp_impl.h"

/* The line of BDAT with the largest size. */
enum { BDAT_LINE_MAX = sizeof("BDAT 18446744073709551615 LAST\r\n") };

/* Slot of the message whose body is being sent; txn_max when none. */
static unsigned body_slot(const struct qm_smtp *smtp)
{
    unsigned i;

    for (i = 0; i < smtp->txn_count; i++) {
        unsigned slot = (smtp->txn_first + i) % smtp->txn_max;

        if (smtp->txns[slot].stage == QM_TXN_BODY) {
            return slot;
        }
    }
    return smtp->txn_max;
}

const struct qm_txn *qm_smtp_body_txn(const struct qm_smtp *smtp)
{
    unsigned slot = body_slot(smtp);

    return slot < smtp->txn_max ? &smtp->txns[slot] : NULL;
}

bool qm_smtp_owes_verdict(const struct qm_smtp *smtp)
{
    unsigned i;

    for (i = 0; i < smtp->txn_count; i++) {
        unsigned slot = (smtp->txn_first + i) % smtp->txn_max;

        if (smtp->txns[slot].stage == QM_TXN_HANDED && !smtp->txns[slot].told) {
            return true;
        }
    }
    return false;
}

uint32_t qm_smtp_body_id(const struct qm_smtp *smtp)
{
    const struct qm_txn *txn = qm_smtp_body_txn(smtp);

    return txn != NULL ? txn->id : 0;
}

void qm_smtp_open_body(struct qm_smtp *smtp, struct qm_txn *txn)
{
    txn->stage = QM_TXN_BODY;
    txn->begin_offset = txn->bdat ? UINT64_MAX : 0;
    smtp->chunk_left = txn->size;
    smtp->has_held = false;
    qm_dot_init(&smtp->dot, !txn->bdat);
}

size_t qm_smtp_body_room(const struct qm_smtp *smtp)
{
    size_t waiting = qm_buf_len(&smtp->out) + BDAT_LINE_MAX;

    return waiting + 2 <= QM_SMTP_BODY_AIM ? QM_SMTP_BODY_AIM - waiting : 0;
}

static enum qm_err check_body(const struct qm_smtp *smtp)
{
    if (smtp->aborted || smtp->state != QM_S_READY ||
        body_slot(smtp) == smtp->txn_max) {
        return QM_E_MISUSE;
    }
    return qm_smtp_is_unasked(smtp) ? QM_E_AGAIN : QM_OK;
}

/* --- the chunk ----------------------------------------------------------- */

/*
 * From the line of BDAT on the server counts bytes and takes whatever comes
 * for the message: so it is not written before there is a body.
 */
static enum qm_err promise_chunk(struct qm_smtp *smtp, struct qm_txn *txn)
{
    struct qm_cmd cmd = qm_smtp_writer(smtp);
    enum qm_err err;

    if (!txn->bdat || txn->data_written) {
        return QM_OK;
    }
    err = qm_cmd_bdat(&cmd, txn->size);
    if (err == QM_OK) {
        txn->data_written = true;
        txn->begin_offset = qm_smtp_written(smtp);
        txn->outstanding++;
    }
    return err;
}

/* Puts the byte that was held back to the front; returns how many that is. */
static size_t put_held(const struct qm_smtp *smtp, char *room)
{
    if (!smtp->has_held) {
        return 0;
    }
    room[0] = smtp->held;
    return 1;
}

/*
 * Counts bytes made in `room` against the chunk. The server calls a message
 * complete by its count alone, so the last byte stays here until it is known
 * that the body ends with it; a source that gives fewer or more ends the
 * session, and what has left is never delivered.
 */
static enum qm_err commit_chunk(struct qm_smtp *smtp, const char *room,
                                size_t len, bool ended)
{
    if (len > smtp->chunk_left || (ended && len < smtp->chunk_left)) {
        qm_smtp_body_abort(smtp);
        return QM_E_CHANGED;
    }
    smtp->has_held = !ended && len > 0 && len == smtp->chunk_left;
    if (smtp->has_held) {
        len--;
        smtp->held = room[len];
    }
    smtp->chunk_left -= len;
    qm_buf_commit(&smtp->out, len);
    return QM_OK;
}

static enum qm_err commit(struct qm_smtp *smtp, const struct qm_txn *txn,
                          const char *room, size_t len, bool ended)
{
    if (txn->bdat) {
        return commit_chunk(smtp, room, len, ended);
    }
    qm_buf_commit(&smtp->out, len);
    return QM_OK;
}

/* --- body bytes ---------------------------------------------------------- */

enum qm_err qm_smtp_body(struct qm_smtp *smtp, struct qm_span bytes,
                         size_t *used_out)
{
    size_t most = 2 * bytes.len + 2; /* every byte a CR, LF or leading dot */
    size_t cap = qm_smtp_body_room(smtp);
    enum qm_err err = check_body(smtp);
    struct qm_txn *txn;
    size_t written;
    size_t held;
    char *room;

    *used_out = 0;
    if (err != QM_OK || cap == 0 || bytes.len == 0) {
        return err;
    }
    txn = &smtp->txns[body_slot(smtp)];
    err = promise_chunk(smtp, txn);
    if (err != QM_OK) {
        return err;
    }
    cap = cap < most ? cap : most;
    room = qm_buf_reserve(&smtp->out, cap + 1);
    if (room == NULL) {
        return smtp->out.err;
    }
    held = put_held(smtp, room);
    qm_dot_update(&smtp->dot, bytes, room + held, cap, used_out, &written);
    return commit(smtp, txn, room, held + written, false);
}

/* All of it is written: its reply decides. */
static void hand_over(struct qm_smtp *smtp, unsigned slot)
{
    struct qm_txn *txn = &smtp->txns[slot];

    txn->stage = QM_TXN_HANDED;
    txn->end_offset = qm_smtp_written(smtp);
    if (!txn->bdat) {
        txn->outstanding++; /* a chunk counted when it was promised */
    }
    qm_smtp_expect(smtp, QM_ASK_FINAL, slot, 0);
}

enum qm_err qm_smtp_body_end(struct qm_smtp *smtp)
{
    enum qm_err err = check_body(smtp);
    unsigned slot = body_slot(smtp);
    size_t len;
    char *room;

    if (err == QM_OK) {
        err = promise_chunk(smtp, &smtp->txns[slot]);
    }
    if (err != QM_OK) {
        return err;
    }
    room = qm_buf_reserve(&smtp->out, 8);
    if (room == NULL) {
        return smtp->out.err;
    }
    len = put_held(smtp, room);
    len += qm_dot_finish(&smtp->dot, room + len);
    err = commit(smtp, &smtp->txns[slot], room, len, true);
    if (err == QM_OK) {
        hand_over(smtp, slot);
    }
    return err;
}
