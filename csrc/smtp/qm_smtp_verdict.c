/*
 * qm_smtp_verdict.c: the replies to a message's commands and what they decide.
 */
#include "smtp/qm_smtp_impl.h"

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

/*
 * Tells the caller that the message was refused; replies due are drained. A
 * body that nobody promised to the server is not wanted any more.
 */
static void refuse(struct qm_smtp *smtp, struct qm_smtp_event *event,
                   struct qm_txn *txn, enum qm_phase phase)
{
    fill_event(smtp, event, QM_EVENT_REFUSED, txn, phase);
    txn->told = true;
    if (txn->stage == QM_TXN_BODY && !txn->data_written) {
        txn->stage = QM_TXN_ENVELOPE;
    }
}

/* The last recipient of a check has its verdict: that was all. */
static void conclude_check(struct qm_smtp *smtp, struct qm_smtp_event *event,
                           struct qm_txn *txn)
{
    fill_event(smtp, event, QM_EVENT_CHECKED, txn, QM_PHASE_RCPT);
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

/*
 * The server still has the transaction in front, so that its recipients and
 * ours are one list under its sender: only a new connection ends that safely.
 */
static bool is_inside_another(const struct qm_smtp *smtp,
                              const struct qm_txn *txn)
{
    return txn->nested && smtp->reply.code == 503;
}

static enum qm_state on_mail(struct qm_smtp *smtp, struct qm_txn *txn,
                             struct qm_smtp_event *event)
{
    if (qm_reply_is_done(&smtp->reply)) {
        txn->open = true;
        return smtp->state;
    }
    if (is_inside_another(smtp, txn)) {
        return qm_smtp_fail_with(smtp, QM_FAULT_UNEXPECTED, QM_PHASE_MAIL);
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
    if (!accepted || txn->check) {
        fill_event(smtp, event, QM_EVENT_RECIPIENT, txn, QM_PHASE_RCPT);
        event->index = index;
        event->fault = accepted ? QM_FAULT_NONE : QM_FAULT_REPLY;
    }
    if (txn->rcpt_answered < txn->rcpt_count) {
        return smtp->state;
    }
    if (txn->check) {
        conclude_check(smtp, &smtp->deferred, txn);
    } else if (txn->rcpt_accepted == 0) {
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
    txn->open = false;
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
        qm_smtp_open_body(smtp, txn);
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

bool qm_smtp_lacks_chunking(const struct qm_smtp *smtp)
{
    return !smtp->chunking_proven &&
           (smtp->reply.code == 500 || smtp->reply.code == 502);
}

/*
 * The reply to a body that had nobody to go to. An empty one after DATA may
 * end in any way; a chunk that was taken all the same would be a message that
 * we called refused.
 */
static enum qm_state on_final_of_told(struct qm_smtp *smtp, struct qm_txn *txn,
                                      bool done)
{
    if (txn->bdat && done) {
        return qm_smtp_fail_reply(smtp, QM_PHASE_FINAL);
    }
    txn->open |= txn->bdat;
    return smtp->state;
}

/*
 * By RFC 5321 section 4.1.1.4 the end mark clears the buffers in any case; RFC
 * 3030 section 2 leaves open what a refused chunk does. Postfix keeps the
 * transaction when smtpd_end_of_data_restrictions refuse, after DATA too. Where
 * RSET does harm nobody has seen that.
 */
static void note_refused_body(struct qm_smtp *smtp, struct qm_txn *txn)
{
    struct qm_txn *next =
        smtp->txn_count < 2 ? NULL : qm_smtp_txn_at(smtp, 1, NULL);

    if (!txn->bdat && next != NULL && next->mail_written) {
        next->nested = !next->reset_written;
        return;
    }
    txn->open = txn->bdat || !smtp->set.no_reset;
}

/* The final reply decides: nothing later may change this message's result. */
static enum qm_state on_final(struct qm_smtp *smtp, struct qm_txn *txn,
                              struct qm_smtp_event *event)
{
    bool done = qm_reply_is_done(&smtp->reply);

    if (txn->bdat && qm_smtp_lacks_chunking(smtp)) {
        return qm_smtp_fail_with(smtp, QM_FAULT_NO_CHUNKING, QM_PHASE_FINAL);
    }
    if (!done && !is_refusal(smtp)) {
        return qm_smtp_fail_reply(smtp, QM_PHASE_FINAL);
    }
    if (txn->told) {
        return on_final_of_told(smtp, txn, done);
    }
    txn->open = false;
    if (!done) {
        note_refused_body(smtp, txn);
    }
    smtp->chunking_proven |= txn->bdat && done;
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
 * still holds its transaction open, RSET comes before the next MAIL, unless it
 * went there already; where RSET does harm the session ends instead: after a
 * check in good order, when nobody waits for it.
 */
static enum qm_state retire(struct qm_smtp *smtp, const struct qm_txn *txn,
                            enum qm_state next)
{
    bool open = txn->open;
    bool check = txn->check;

    if (next != QM_S_READY || !txn->told || txn->outstanding > 0) {
        return next;
    }
    qm_smtp_pop_txn(smtp);
    open &=
        smtp->txn_count == 0 || !qm_smtp_txn_at(smtp, 0, NULL)->reset_written;
    if (!open) {
        return next;
    }
    if (smtp->set.no_reset && check && smtp->txn_count == 0) {
        qm_smtp_quit(smtp);
        return smtp->state;
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
    next = close_after_421(smtp, asked->ask, next);
    return retire(smtp, txn, next);
}

/* All of it had left. What knows no BDAT cannot have taken a chunk. */
static bool may_be_delivered(const struct qm_smtp *smtp,
                             const struct qm_txn *txn)
{
    bool ignored = txn->bdat && smtp->failure.fault == QM_FAULT_NO_CHUNKING;

    return !ignored && txn->stage == QM_TXN_HANDED &&
           smtp->sent >= txn->end_offset;
}

bool qm_smtp_take_lost(struct qm_smtp *smtp, struct qm_smtp_event *event_out)
{
    while (smtp->txn_count > 0) {
        struct qm_txn *txn = qm_smtp_txn_at(smtp, 0, NULL);
        bool untold = !txn->told && txn->stage != QM_TXN_BUILDING;

        if (untold) {
            *event_out = smtp->failure;
            event_out->type = QM_EVENT_LOST;
            event_out->id = txn->id;
            event_out->handed_over = may_be_delivered(smtp, txn);
        }
        qm_smtp_pop_txn(smtp);
        if (untold) {
            return true;
        }
    }
    return false;
}
