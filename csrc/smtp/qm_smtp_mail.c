/*
 * qm_smtp_mail.c: messages come in, the commands of their envelopes go out.
 *
 * Messages finish in the order they were submitted, because replies come in
 * the order of the commands; so the ring is only ever shortened at its front.
 */
#include "smtp/qm_smtp_impl.h"

struct qm_txn *qm_smtp_txn_at(struct qm_smtp *smtp, unsigned position,
                              unsigned *slot_out)
{
    unsigned slot = (smtp->txn_first + position) % smtp->txn_max;

    if (slot_out != NULL) {
        *slot_out = slot;
    }
    return &smtp->txns[slot];
}

void qm_smtp_pop_txn(struct qm_smtp *smtp)
{
    qm_txn_reset(&smtp->txns[smtp->txn_first]);
    smtp->txn_first = (smtp->txn_first + 1) % smtp->txn_max;
    smtp->txn_count--;
}

static struct qm_txn *newest(struct qm_smtp *smtp)
{
    return smtp->txn_count == 0
               ? NULL
               : qm_smtp_txn_at(smtp, smtp->txn_count - 1, NULL);
}

/* --- submission ---------------------------------------------------------- */

static bool offers_dsn(const struct qm_smtp *smtp)
{
    return qm_ehlo_has(&smtp->ehlo, QM_EHLO_DSN);
}

/* Only what the server offers may be asked of it. */
static bool has_extensions(const struct qm_smtp *smtp,
                           const struct qm_smtp_message *message)
{
    if (qm_dsn_is_asked(&message->dsn) && !offers_dsn(smtp)) {
        return false;
    }
    /* RFC 8689 section 4.2: within TLS; who is there is the caller's to know */
    return !message->require_tls ||
           (smtp->secure && qm_ehlo_has(&smtp->ehlo, QM_EHLO_REQUIRETLS));
}

static enum qm_err check_message(const struct qm_smtp *smtp,
                                 const struct qm_smtp_message *message)
{
    if (!has_extensions(smtp, message)) {
        return QM_E_UNSUPPORTED;
    }
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

unsigned qm_smtp_room(const struct qm_smtp *smtp)
{
    unsigned room = smtp->set.window + 1;
    unsigned slots = smtp->txn_max - smtp->txn_count;
    unsigned i;

    if (smtp->state != QM_S_READY || smtp->aborted) {
        return 0;
    }
    for (i = 0; i < smtp->txn_count && room > 0; i++) {
        unsigned slot = (smtp->txn_first + i) % smtp->txn_max;

        room -= smtp->txns[slot].told ? 0 : 1;
    }
    return room < slots ? room : slots;
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
    if (smtp->txn_count == smtp->txn_max) {
        return QM_E_AGAIN;
    }
    err = check_message(smtp, message);
    if (err != QM_OK) {
        return err;
    }
    txn = qm_smtp_txn_at(smtp, smtp->txn_count, NULL);
    qm_txn_reset(txn);
    txn->has_size = message->has_size;
    txn->announce_size =
        message->has_size && qm_ehlo_has(&smtp->ehlo, QM_EHLO_SIZE);
    txn->eager = message->eager;
    txn->check = message->check;
    txn->size = message->size;
    txn->eightbit = message->eightbit;
    txn->utf8 = message->utf8;
    txn->require_tls = message->require_tls;
    err = qm_txn_set_from(txn, message->from);
    if (err == QM_OK) {
        err = qm_txn_set_dsn(txn, &message->dsn);
    }
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

enum qm_err qm_smtp_ask_reports(struct qm_smtp *smtp,
                                const struct qm_dsn_rcpt *dsn)
{
    struct qm_txn *txn = newest(smtp);

    if (txn == NULL || txn->stage != QM_TXN_BUILDING) {
        return QM_E_MISUSE;
    }
    if (qm_dsn_is_asked_of(dsn) && !offers_dsn(smtp)) {
        return QM_E_UNSUPPORTED;
    }
    return qm_txn_set_rcpt_dsn(txn, dsn);
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

/* The messages in front of one that have no verdict yet. */
struct ahead {
    unsigned count;
    bool chunks; /* one of them went by BDAT */
};

static bool may_follow(const struct qm_smtp *smtp, const struct ahead *ahead)
{
    if (ahead->count == 0) {
        return true;
    }
    /* see wants_reset(): without RSET the chunk has to be confirmed first */
    if (ahead->chunks && smtp->set.no_reset) {
        return false;
    }
    return can_pipeline(smtp) && ahead->count <= smtp->set.window;
}

/*
 * The message whose envelope is to be written, NULL when none may be now: a
 * body is on its way, or verdicts are due and the window is used up.
 */
static struct qm_txn *envelope_txn(struct qm_smtp *smtp, unsigned *slot_out,
                                   struct ahead *ahead)
{
    unsigned i;

    for (i = 0; i < smtp->txn_count; i++) {
        struct qm_txn *txn = qm_smtp_txn_at(smtp, i, slot_out);

        if (txn->stage == QM_TXN_QUEUED || txn->stage == QM_TXN_ENVELOPE) {
            return !txn->told && may_follow(smtp, ahead) ? txn : NULL;
        }
        if (txn->stage != QM_TXN_HANDED) {
            return NULL;
        }
        ahead->count++;
        ahead->chunks |= txn->bdat;
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

/*
 * A chunk may turn out to be refused, and the server's transaction then stays
 * open: its recipients would be added to, with its sender. So MAIL behind a
 * chunk without verdict follows a RSET, in the same flight (RFC 2920 section
 * 3.1), and so does MAIL after a refusal.
 */
static bool wants_reset(const struct qm_smtp *smtp, const struct qm_txn *txn,
                        const struct ahead *ahead)
{
    if (txn->mail_written || txn->reset_written) {
        return false;
    }
    return smtp->must_reset || ahead->chunks;
}

static enum qm_err write_reset(struct qm_smtp *smtp, struct qm_txn *txn)
{
    struct qm_cmd cmd = qm_smtp_writer(smtp);

    smtp->must_reset = false;
    txn->reset_written = true;
    return qm_cmd_plain(&cmd, "RSET");
}

/*
 * Where RSET does harm a chunk would keep the messages behind it waiting, so
 * that in a row of messages DATA is faster.
 */
static bool goes_by_bdat(const struct qm_smtp *smtp, const struct qm_txn *txn,
                         const struct ahead *ahead)
{
    return smtp->set.chunking && qm_ehlo_has(&smtp->ehlo, QM_EHLO_CHUNKING) &&
           txn->has_size && !txn->check &&
           !(smtp->set.no_reset && ahead->count > 0);
}

static enum qm_err write_mail(struct qm_smtp *smtp, struct qm_txn *txn,
                              const struct ahead *ahead)
{
    struct qm_cmd cmd = qm_smtp_writer(smtp);
    struct qm_cmd_mail mail;

    mail.path = qm_txn_from(txn);
    mail.has_size = txn->announce_size;
    mail.size = txn->size;
    mail.eightbit = txn->eightbit;
    mail.utf8 = txn->utf8;
    mail.require_tls = txn->require_tls;
    mail.dsn = qm_txn_dsn(txn);
    txn->mail_written = true;
    txn->bdat = goes_by_bdat(smtp, txn, ahead);
    return qm_cmd_mail(&cmd, &mail);
}

static enum qm_err write_rcpt(struct qm_smtp *smtp, struct qm_txn *txn)
{
    struct qm_cmd cmd = qm_smtp_writer(smtp);
    struct qm_cmd_rcpt rcpt;

    txn->rcpt_written++;
    rcpt.path = qm_txn_next_rcpt(txn, &rcpt.dsn);
    rcpt.utf8 = txn->utf8;
    return qm_cmd_rcpt(&cmd, &rcpt);
}

static enum qm_err write_data(struct qm_smtp *smtp, struct qm_txn *txn)
{
    struct qm_cmd cmd = qm_smtp_writer(smtp);

    txn->data_written = true;
    return qm_cmd_plain(&cmd, "DATA");
}

/*
 * The chunk needs no reply of its own; the recipients' may be waited for. So
 * may the verdict on the first chunk: a 500 could mean that the server knows no
 * BDAT, or that message alone; what became of those behind it would be open.
 */
static void open_chunk(struct qm_smtp *smtp, struct qm_txn *txn,
                       const struct ahead *ahead)
{
    bool trusted =
        smtp->chunking_proven || !smtp->set.doubt_chunking || !ahead->chunks;
    bool eager = txn->eager && trusted && can_pipeline(smtp) &&
                 txn->size <= (uint64_t)QM_SMTP_EAGER_MAX;

    if (eager || txn->rcpt_answered == txn->rcpt_count) {
        qm_smtp_open_body(smtp, txn);
    }
}

/*
 * Writes the next command of the envelope. False when nothing is to be written
 * before more replies are read.
 */
static bool write_next(struct qm_smtp *smtp, struct qm_txn *txn, unsigned slot,
                       const struct ahead *ahead)
{
    enum qm_smtp_ask ask = QM_ASK_MAIL;
    unsigned index = txn->rcpt_written;
    enum qm_err err;

    if (wants_reset(smtp, txn, ahead)) {
        ask = QM_ASK_RESET;
        err = write_reset(smtp, txn);
    } else if (!txn->mail_written) {
        err = write_mail(smtp, txn, ahead);
    } else if (txn->rcpt_written < txn->rcpt_count) {
        ask = QM_ASK_RCPT;
        err = write_rcpt(smtp, txn);
    } else if (txn->bdat) {
        open_chunk(smtp, txn, ahead);
        return false;
    } else if (!txn->check && !txn->data_written &&
               (txn->rcpt_accepted > 0 ||
                txn->rcpt_answered < txn->rcpt_count)) {
        ask = QM_ASK_DATA;
        err = write_data(smtp, txn);
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
    struct ahead ahead = { 0, false };
    unsigned slot = 0;
    struct qm_txn *txn;

    /* The server spoke out of turn: judge that before saying more. */
    if (smtp->state != QM_S_READY || qm_smtp_is_unasked(smtp)) {
        return;
    }
    txn = envelope_txn(smtp, &slot, &ahead);
    if (txn == NULL) {
        return;
    }
    while (may_write(smtp)) {
        if (!write_next(smtp, txn, slot, &ahead)) {
            return;
        }
    }
}
