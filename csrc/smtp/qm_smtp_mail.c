/*
 * qm_smtp_mail.c: mail transactions, their commands and their replies.
 *
 * Messages finish in the order they were submitted, because replies come in
 * the order of the commands; so the ring is only ever shortened at its front.
 */
#include "smtp/qm_smtp_impl.h"

static struct qm_txn *txn_at(struct qm_smtp *smtp, unsigned position,
                             unsigned *slot_out)
{
    unsigned slot = (smtp->txn_first + position) % QM_SMTP_TXN_MAX;

    if (slot_out != NULL) {
        *slot_out = slot;
    }
    return &smtp->txns[slot];
}

static void pop_txn(struct qm_smtp *smtp)
{
    qm_txn_reset(&smtp->txns[smtp->txn_first]);
    smtp->txn_first = (smtp->txn_first + 1) % QM_SMTP_TXN_MAX;
    smtp->txn_count--;
}

static struct qm_txn *newest(struct qm_smtp *smtp)
{
    return smtp->txn_count == 0 ? NULL
                                : txn_at(smtp, smtp->txn_count - 1, NULL);
}

/* --- submission ---------------------------------------------------------- */

static enum qm_err check_message(const struct qm_smtp *smtp,
                                 const struct qm_smtp_message *message)
{
    if (message->utf8 &&
        (!smtp->set.smtputf8 || !qm_ehlo_has(&smtp->ehlo, QM_EHLO_SMTPUTF8))) {
        return QM_E_UNSUPPORTED;
    }
    if (message->has_size && smtp->ehlo.size_limit > 0 &&
        message->size > smtp->ehlo.size_limit) {
        return QM_E_TOO_LONG;
    }
    if (message->eightbit && !qm_ehlo_has(&smtp->ehlo, QM_EHLO_EIGHTBITMIME)) {
        return QM_E_MISUSE;
    }
    return QM_OK;
}

static uint32_t next_id(struct qm_smtp *smtp)
{
    smtp->last_id = smtp->last_id == UINT32_MAX ? 1 : smtp->last_id + 1;
    return smtp->last_id;
}

enum qm_err qm_smtp_begin(struct qm_smtp *smtp,
                          const struct qm_smtp_message *message,
                          uint32_t *id_out)
{
    struct qm_txn *txn = newest(smtp);
    enum qm_err err;

    if (smtp->state != QM_S_READY ||
        (txn != NULL && txn->stage == QM_TXN_BUILDING)) {
        return QM_E_MISUSE;
    }
    if (smtp->txn_count == QM_SMTP_TXN_MAX) {
        return QM_E_AGAIN;
    }
    err = check_message(smtp, message);
    if (err != QM_OK) {
        return err;
    }
    txn = txn_at(smtp, smtp->txn_count, NULL);
    qm_txn_reset(txn);
    txn->has_size = message->has_size && qm_ehlo_has(&smtp->ehlo, QM_EHLO_SIZE);
    txn->size = message->size;
    txn->eightbit = message->eightbit;
    txn->utf8 = message->utf8;
    err = qm_txn_set_from(txn, message->from);
    if (err != QM_OK) {
        return err;
    }
    txn->stage = QM_TXN_BUILDING;
    txn->id = next_id(smtp);
    smtp->txn_count++;
    *id_out = txn->id;
    return QM_OK;
}

enum qm_err qm_smtp_add_rcpt(struct qm_smtp *smtp, struct qm_span path)
{
    struct qm_txn *txn = newest(smtp);

    if (txn == NULL || txn->stage != QM_TXN_BUILDING) {
        return QM_E_MISUSE;
    }
    return qm_txn_add_rcpt(txn, path);
}

enum qm_err qm_smtp_submit(struct qm_smtp *smtp)
{
    struct qm_txn *txn = newest(smtp);

    if (txn == NULL || txn->stage != QM_TXN_BUILDING) {
        return QM_E_MISUSE;
    }
    if (txn->rcpt_count == 0) {
        return QM_E_EMPTY;
    }
    txn->stage = QM_TXN_QUEUED;
    return QM_OK;
}

void qm_smtp_drop(struct qm_smtp *smtp)
{
    struct qm_txn *txn = newest(smtp);

    if (txn != NULL && txn->stage == QM_TXN_BUILDING) {
        qm_txn_reset(txn);
        smtp->txn_count--;
    }
}

/* --- the command cursor -------------------------------------------------- */

static bool can_pipeline(const struct qm_smtp *smtp)
{
    return smtp->set.pipelining && qm_ehlo_has(&smtp->ehlo, QM_EHLO_PIPELINING);
}

/*
 * The message whose envelope is to be written, NULL when none may be now: a
 * body is on its way, or verdicts are due and the window is used up.
 */
static struct qm_txn *envelope_txn(struct qm_smtp *smtp, unsigned *slot_out)
{
    unsigned unconfirmed = 0;
    unsigned i;

    for (i = 0; i < smtp->txn_count; i++) {
        struct qm_txn *txn = txn_at(smtp, i, slot_out);

        if (txn->stage == QM_TXN_QUEUED || txn->stage == QM_TXN_ENVELOPE) {
            bool window_open =
                unconfirmed == 0 ||
                (can_pipeline(smtp) && unconfirmed <= smtp->set.window);

            return window_open && !txn->told ? txn : NULL;
        }
        if (txn->stage != QM_TXN_HANDED) {
            return NULL;
        }
        unconfirmed++;
    }
    return NULL;
}

static bool may_write(const struct qm_smtp *smtp)
{
    if (smtp->flight_count > 0 && !can_pipeline(smtp)) {
        return false;
    }
    return smtp->flight_count < QM_SMTP_FLIGHT_MAX &&
           qm_buf_len(&smtp->out) < QM_SMTP_BODY_AIM;
}

static enum qm_err write_mail(const struct qm_cmd *cmd, struct qm_txn *txn)
{
    struct qm_cmd_mail mail;

    mail.path = qm_txn_from(txn);
    mail.has_size = txn->has_size;
    mail.size = txn->size;
    mail.eightbit = txn->eightbit;
    mail.utf8 = txn->utf8;
    txn->mail_written = true;
    return qm_cmd_mail(cmd, &mail);
}

/*
 * Writes the next command of the envelope. False when nothing is to be written
 * before more replies are read.
 */
static bool write_next(struct qm_smtp *smtp, struct qm_txn *txn, unsigned slot)
{
    struct qm_cmd cmd = qm_smtp_writer(smtp);
    enum qm_smtp_ask ask = QM_ASK_MAIL;
    unsigned index = 0;
    enum qm_err err;

    if (smtp->must_reset) {
        smtp->must_reset = false;
        ask = QM_ASK_RESET;
        err = qm_cmd_plain(&cmd, "RSET");
    } else if (!txn->mail_written) {
        err = write_mail(&cmd, txn);
    } else if (txn->rcpt_written < txn->rcpt_count) {
        ask = QM_ASK_RCPT;
        index = txn->rcpt_written++;
        err = qm_cmd_rcpt(&cmd, qm_txn_next_rcpt(txn), txn->utf8);
    } else if (!txn->data_written && (txn->rcpt_accepted > 0 ||
                                      txn->rcpt_answered < txn->rcpt_count)) {
        ask = QM_ASK_DATA;
        txn->data_written = true;
        err = qm_cmd_plain(&cmd, "DATA");
    } else {
        return false;
    }
    txn->stage = QM_TXN_ENVELOPE;
    if (err != QM_OK) {
        qm_smtp_input_ended(smtp, QM_FAULT_SETTINGS);
        return false;
    }
    if (ask != QM_ASK_RESET) {
        txn->outstanding++;
    }
    qm_smtp_expect(smtp, ask, slot, index);
    return true;
}

void qm_smtp_write_commands(struct qm_smtp *smtp)
{
    unsigned slot = 0;
    struct qm_txn *txn;

    /* The server spoke out of turn: judge that before saying more. */
    if (smtp->state != QM_S_READY || qm_smtp_is_unasked(smtp)) {
        return;
    }
    txn = envelope_txn(smtp, &slot);
    if (txn == NULL) {
        return;
    }
    while (may_write(smtp)) {
        if (!write_next(smtp, txn, slot)) {
            return;
        }
    }
}

/* --- the reply cursor ---------------------------------------------------- */

static void fill_event(struct qm_smtp *smtp, struct qm_smtp_event *event,
                       enum qm_smtp_event_type type, const struct qm_txn *txn,
                       enum qm_phase phase)
{
    event->type = type;
    event->id = txn->id;
    event->phase = phase;
    event->fault = type == QM_EVENT_REFUSED ? QM_FAULT_REPLY : QM_FAULT_NONE;
    qm_smtp_describe_reply(smtp, event);
}

/* Tells the caller that the message was refused; replies due are drained. */
static void refuse(struct qm_smtp *smtp, struct qm_smtp_event *event,
                   struct qm_txn *txn, enum qm_phase phase)
{
    fill_event(smtp, event, QM_EVENT_REFUSED, txn, phase);
    txn->told = true;
}

static bool is_refusal(const struct qm_smtp *smtp)
{
    int reply_class = qm_reply_class(&smtp->reply);

    return reply_class == 4 || reply_class == 5;
}

static enum qm_state on_reset(struct qm_smtp *smtp)
{
    return qm_reply_is_done(&smtp->reply)
               ? smtp->state
               : qm_smtp_fail_reply(smtp, QM_PHASE_MAIL);
}

static enum qm_state on_mail(struct qm_smtp *smtp, struct qm_txn *txn,
                             struct qm_smtp_event *event)
{
    if (qm_reply_is_done(&smtp->reply)) {
        txn->mail_accepted = true;
        return smtp->state;
    }
    if (!is_refusal(smtp)) {
        return qm_smtp_fail_reply(smtp, QM_PHASE_MAIL);
    }
    refuse(smtp, event, txn, QM_PHASE_MAIL);
    return smtp->state;
}

static enum qm_state on_rcpt(struct qm_smtp *smtp, struct qm_txn *txn,
                             unsigned index, struct qm_smtp_event *event)
{
    bool accepted = qm_reply_is_done(&smtp->reply);

    if (!accepted && !is_refusal(smtp)) {
        return qm_smtp_fail_reply(smtp, QM_PHASE_RCPT);
    }
    txn->rcpt_answered++;
    txn->rcpt_accepted += accepted ? 1 : 0;
    if (txn->told) {
        return smtp->state;
    }
    fill_event(smtp, event, QM_EVENT_RECIPIENT, txn, QM_PHASE_RCPT);
    event->index = index;
    event->fault = accepted ? QM_FAULT_NONE : QM_FAULT_REPLY;
    if (txn->rcpt_answered == txn->rcpt_count && txn->rcpt_accepted == 0) {
        refuse(smtp, &smtp->deferred, txn, QM_PHASE_RCPT);
    }
    return smtp->state;
}

/*
 * RFC 2920 section 3.1: a server may answer 354 although no recipient is left;
 * an empty body ends that, and its reply means nothing.
 */
static enum qm_state end_empty_data(struct qm_smtp *smtp, struct qm_txn *txn,
                                    unsigned slot)
{
    if (qm_buf_append_text(&smtp->out, ".\r\n") != QM_OK) {
        return qm_smtp_fail(smtp, QM_FAULT_MEMORY, QM_PHASE_DATA);
    }
    txn->mail_accepted = false;
    txn->outstanding++;
    qm_smtp_expect(smtp, QM_ASK_FINAL, slot, 0);
    return smtp->state;
}

static enum qm_state on_data(struct qm_smtp *smtp, struct qm_txn *txn,
                             unsigned slot, struct qm_smtp_event *event)
{
    if (smtp->reply.code == 354) {
        if (txn->told) {
            return end_empty_data(smtp, txn, slot);
        }
        txn->stage = QM_TXN_BODY;
        qm_dot_init(&smtp->dot, true);
        return smtp->state;
    }
    if (!is_refusal(smtp)) {
        return qm_smtp_fail_reply(smtp, QM_PHASE_DATA);
    }
    if (!txn->told) {
        refuse(smtp, event, txn, QM_PHASE_DATA);
    }
    return smtp->state;
}

/* The final reply decides: nothing later may change this message's result. */
static enum qm_state on_final(struct qm_smtp *smtp, struct qm_txn *txn,
                              struct qm_smtp_event *event)
{
    bool done = qm_reply_is_done(&smtp->reply);

    if (!done && !is_refusal(smtp)) {
        return qm_smtp_fail_reply(smtp, QM_PHASE_FINAL);
    }
    if (txn->told) {
        return smtp->state; /* the empty body of end_empty_data() */
    }
    txn->mail_accepted = false; /* RFC 5321 section 4.1.1.4: buffers cleared */
    txn->told = true;
    fill_event(smtp, event, done ? QM_EVENT_DELIVERED : QM_EVENT_REFUSED, txn,
               QM_PHASE_FINAL);
    return smtp->state;
}

static enum qm_state judge_mail(struct qm_smtp *smtp, struct qm_txn *txn,
                                const struct qm_smtp_expected *asked,
                                struct qm_smtp_event *event)
{
    switch (asked->ask) {
    case QM_ASK_MAIL:
        return on_mail(smtp, txn, event);
    case QM_ASK_RCPT:
        return on_rcpt(smtp, txn, asked->index, event);
    case QM_ASK_DATA:
        return on_data(smtp, txn, asked->slot, event);
    case QM_ASK_FINAL:
        return on_final(smtp, txn, event);
    case QM_ASK_GREETING:
    case QM_ASK_LOGIN:
    case QM_ASK_RESET:
        break;
    }
    return on_reset(smtp);
}

/*
 * A message that is told and has no reply due leaves the ring. If the server
 * still holds its transaction open, RSET comes before the next MAIL; where RSET
 * does harm the session ends instead.
 */
static enum qm_state retire(struct qm_smtp *smtp, const struct qm_txn *txn,
                            enum qm_state next)
{
    bool open = txn->mail_accepted;

    if (next != QM_S_READY || !txn->told || txn->outstanding > 0) {
        return next;
    }
    pop_txn(smtp);
    if (!open) {
        return next;
    }
    if (smtp->set.no_reset) {
        return qm_smtp_fail(smtp, QM_FAULT_CANCELLED, QM_PHASE_RCPT);
    }
    smtp->must_reset = true;
    return next;
}

/* RFC 5321 section 3.8: after a 421 the server closes. */
static enum qm_state close_after_421(struct qm_smtp *smtp, enum qm_smtp_ask ask,
                                     enum qm_state next)
{
    if (smtp->reply.code != 421 || next == QM_S_FAILED) {
        return next;
    }
    return qm_smtp_fail_reply(smtp, qm_smtp_ask_phase(ask));
}

enum qm_state qm_smtp_on_mail_reply(struct qm_smtp *smtp,
                                    const struct qm_smtp_expected *asked,
                                    struct qm_smtp_event *event_out)
{
    struct qm_txn *txn = &smtp->txns[asked->slot];
    enum qm_state next;

    if (asked->ask == QM_ASK_RESET) {
        return on_reset(smtp);
    }
    txn->outstanding--;
    next = judge_mail(smtp, txn, asked, event_out);
    next = retire(smtp, txn, next);
    return close_after_421(smtp, asked->ask, next);
}

bool qm_smtp_take_lost(struct qm_smtp *smtp, struct qm_smtp_event *event_out)
{
    while (smtp->txn_count > 0) {
        struct qm_txn *txn = txn_at(smtp, 0, NULL);
        bool untold = !txn->told && txn->stage != QM_TXN_BUILDING;

        if (untold) {
            *event_out = smtp->failure;
            event_out->type = QM_EVENT_LOST;
            event_out->id = txn->id;
            event_out->handed_over =
                txn->stage == QM_TXN_HANDED && smtp->sent >= txn->end_offset;
        }
        pop_txn(smtp);
        if (untold) {
            return true;
        }
    }
    return false;
}

/* --- the body ------------------------------------------------------------ */

struct qm_txn *qm_smtp_body_txn(struct qm_smtp *smtp)
{
    unsigned i;

    for (i = 0; i < smtp->txn_count; i++) {
        struct qm_txn *txn = txn_at(smtp, i, NULL);

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
