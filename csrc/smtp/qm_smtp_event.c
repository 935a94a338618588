/*
 * qm_smtp_event.c: replies in, wants and events out.
 *
 * Takes replies off the input, matches each with the oldest command in flight,
 * and turns what follows from it into events, one at a time.
 */
#include "smtp/qm_smtp_impl.h"

#include "codec/qm_charset.h"

static const enum qm_phase state_phases[] = {
#define QM_STATE_PHASE(state, phase) QM_PHASE_##phase,
    QM_STATE_LIST(QM_STATE_PHASE)
#undef QM_STATE_PHASE
};

/* --- replies ------------------------------------------------------------- */

bool qm_smtp_is_unasked(const struct qm_smtp *smtp)
{
    bool half_a_reply =
        !smtp->reply.complete && qm_buf_len(&smtp->reply.lines) > 0;

    return smtp->flight_count == 0 &&
           (qm_buf_len(&smtp->in) > 0 || half_a_reply);
}

static void trace_line(struct qm_smtp *smtp, struct qm_span line)
{
    qm_trace_add(&smtp->trace, 'S', qm_smtp_shown_line(smtp, line));
}

static void trace_reply(struct qm_smtp *smtp)
{
    struct qm_span rest = qm_buf_span(&smtp->reply.lines);

    for (;;) {
        const char *newline =
            rest.len > 0 ? memchr(rest.ptr, '\n', rest.len) : NULL;
        size_t len;

        if (newline == NULL) {
            break;
        }
        len = (size_t)(newline - rest.ptr);
        trace_line(smtp, qm_span_make(rest.ptr, len > 0 && newline[-1] == '\r'
                                                    ? len - 1
                                                    : len));
        rest = qm_span_from(rest, len + 1);
    }
    if (rest.len > 0) {
        trace_line(smtp, rest);
    }
}

enum qm_phase qm_smtp_ask_phase(enum qm_smtp_ask ask)
{
    static const enum qm_phase phases[] = { QM_PHASE_GREETING, QM_PHASE_EHLO,
                                            QM_PHASE_MAIL,     QM_PHASE_MAIL,
                                            QM_PHASE_RCPT,     QM_PHASE_DATA,
                                            QM_PHASE_FINAL };

    return phases[ask];
}

enum qm_phase qm_smtp_phase(const struct qm_smtp *smtp)
{
    if (smtp->state != QM_S_READY) {
        return state_phases[smtp->state];
    }
    if (smtp->flight_count > 0) {
        return qm_smtp_ask_phase(smtp->flight[smtp->flight_first].ask);
    }
    return qm_smtp_body_id(smtp) != 0 ? QM_PHASE_BODY : QM_PHASE_MAIL;
}

/* What could not be read as a reply, for the error text. */
static void describe_garbage(struct qm_smtp *smtp)
{
    struct qm_span all = qm_buf_span(&smtp->reply.lines);
    struct qm_span piece = qm_span_from(all, smtp->reply.line_start);

    if (smtp->failure.text.len == 0) {
        if (piece.len > 200) {
            piece.len = 200;
        }
        qm_buf_reset(&smtp->text);
        (void)qm_charset_reply(&smtp->text, qm_smtp_shown_line(smtp, piece));
        smtp->failure.text = qm_buf_span(&smtp->text);
    }
}

static enum qm_state fail_parse(struct qm_smtp *smtp, enum qm_err err)
{
    enum qm_smtp_fault fault = QM_FAULT_BAD_REPLY;

    if (err == QM_E_LIMIT) {
        fault = QM_FAULT_REPLY_TOO_LONG;
    } else if (err == QM_E_MEMORY) {
        fault = QM_FAULT_MEMORY;
    }
    (void)qm_smtp_fail(smtp, fault, qm_smtp_phase(smtp));
    describe_garbage(smtp);
    return QM_S_FAILED;
}

/* Reads one reply from the input; false when there is none yet, or garbage. */
static bool take_reply(struct qm_smtp *smtp)
{
    struct qm_span input = qm_buf_span(&smtp->in);
    size_t used = 0;
    enum qm_err err;

    if (input.len == 0) {
        return false;
    }
    if (smtp->reply.complete) {
        qm_reply_reset(&smtp->reply);
    }
    err = qm_reply_feed(&smtp->reply, input, &used);
    qm_buf_consume(&smtp->in, used);
    if (err == QM_E_AGAIN) {
        return false;
    }
    qm_smtp_mask_reply(smtp);
    trace_reply(smtp);
    if (err != QM_OK) {
        qm_smtp_set_state(smtp, fail_parse(smtp, err));
        return false;
    }
    smtp->progress++;
    return true;
}

/*
 * The message whose body is on its way: from the 354, or from when the line of
 * BDAT has left, until its last byte has left, written or not. NULL when none.
 */
static const struct qm_txn *sending_txn(const struct qm_smtp *smtp)
{
    const struct qm_smtp_expected *due = &smtp->flight[smtp->flight_first];
    const struct qm_txn *txn = NULL;

    if (smtp->flight_count == 0) {
        txn = qm_smtp_body_txn(smtp);
    } else if (due->ask == QM_ASK_FINAL && due->after > smtp->sent) {
        txn = &smtp->txns[due->slot];
    }
    return txn != NULL && txn->begin_offset <= smtp->sent ? txn : NULL;
}

/*
 * A reply that answers nothing we handed over. 421 may come at any time
 * (RFC 5321 section 3.8), and a refusal while the body is on its way is the
 * server's verdict; anything else means that the two sides disagree about
 * where they are.
 */
static enum qm_state on_unasked(struct qm_smtp *smtp)
{
    const struct qm_txn *sending = sending_txn(smtp);
    enum qm_phase phase = qm_smtp_phase(smtp);
    int reply_class = qm_reply_class(&smtp->reply);

    if (sending != NULL && sending->bdat && qm_smtp_lacks_chunking(smtp)) {
        return qm_smtp_fail_with(smtp, QM_FAULT_NO_CHUNKING, phase);
    }
    if (smtp->reply.code == 421 ||
        (sending != NULL && (reply_class == 4 || reply_class == 5))) {
        return qm_smtp_fail_reply(smtp, phase);
    }
    return qm_smtp_fail_with(smtp, QM_FAULT_UNEXPECTED, phase);
}

/*
 * Until the login is over each side speaks in turn: bytes behind the reply
 * were sent before their command and cannot be an answer to it.
 */
static enum qm_state in_lockstep(struct qm_smtp *smtp, enum qm_state next)
{
    if (next != QM_S_FAILED && qm_buf_len(&smtp->in) > 0) {
        return qm_smtp_fail(smtp, QM_FAULT_UNEXPECTED, state_phases[next]);
    }
    return next;
}

static enum qm_state answer(struct qm_smtp *smtp,
                            const struct qm_smtp_expected *asked,
                            struct qm_smtp_event *event)
{
    switch (asked->ask) {
    case QM_ASK_GREETING:
        return in_lockstep(smtp, qm_smtp_on_greeting(smtp));
    case QM_ASK_LOGIN:
        return in_lockstep(smtp, qm_smtp_on_login_reply(smtp));
    case QM_ASK_RESET:
    case QM_ASK_MAIL:
    case QM_ASK_RCPT:
    case QM_ASK_DATA:
    case QM_ASK_FINAL:
        break;
    }
    return qm_smtp_on_mail_reply(smtp, asked, event);
}

/* Matches the reply just read with the oldest command in flight. */
static void judge(struct qm_smtp *smtp, struct qm_smtp_event *event)
{
    struct qm_smtp_expected asked = smtp->flight[smtp->flight_first];

    if (smtp->flight_count == 0 || asked.after > smtp->sent) {
        qm_smtp_set_state(smtp, on_unasked(smtp));
        return;
    }
    smtp->flight_first = (smtp->flight_first + 1) % QM_SMTP_FLIGHT_MAX;
    smtp->flight_count--;
    qm_smtp_set_state(smtp, answer(smtp, &asked, event));
}

/*
 * Messages that were handed over before the one that broke off are owed their
 * verdicts; then the session ends.
 */
void qm_smtp_end_aborted(struct qm_smtp *smtp)
{
    if (smtp->aborted && !qm_smtp_is_over(smtp) &&
        !qm_smtp_owes_verdict(smtp)) {
        qm_smtp_set_state(smtp,
                          qm_smtp_fail(smtp, QM_FAULT_SOURCE, QM_PHASE_BODY));
    }
}

/* --- wants and events ---------------------------------------------------- */

unsigned qm_smtp_want(const struct qm_smtp *smtp)
{
    unsigned want = 0;

    if (qm_smtp_is_over(smtp)) {
        return 0;
    }
    if (smtp->state == QM_S_TLS) {
        return QM_WANT_TLS;
    }
    if (smtp->state == QM_S_CHALLENGE) {
        return QM_WANT_RESPONSE;
    }
    if (qm_buf_len(&smtp->out) > 0) {
        want |= QM_WANT_SEND;
    }
    if (smtp->flight_count > 0 || qm_smtp_is_unasked(smtp)) {
        want |= QM_WANT_RECV;
    }
    if (smtp->state != QM_S_READY || smtp->aborted) {
        return want;
    }
    /* no body while the server is in the middle of saying something */
    if (qm_smtp_body_id(smtp) != 0 && qm_smtp_body_room(smtp) > 0 &&
        !qm_smtp_is_unasked(smtp)) {
        want |= QM_WANT_BODY;
    }
    if (qm_smtp_room(smtp) > 0) {
        want |= QM_WANT_WORK;
    }
    return want;
}

/* The last words of a session: each unfinished message, then the end. */
static bool next_last_event(struct qm_smtp *smtp, struct qm_smtp_event *event)
{
    if (smtp->state == QM_S_FAILED && qm_smtp_take_lost(smtp, event)) {
        return true;
    }
    if (smtp->over_told) {
        return false;
    }
    smtp->over_told = true;
    *event = smtp->failure;
    if (smtp->state == QM_S_CLOSED) {
        event->type = QM_EVENT_CLOSED;
    }
    return true;
}

static bool next_quit_event(struct qm_smtp *smtp, struct qm_smtp_event *event)
{
    if (qm_buf_len(&smtp->out) > 0 && smtp->ended == QM_FAULT_NONE) {
        return false;
    }
    qm_smtp_set_state(smtp, QM_S_CLOSED);
    return next_last_event(smtp, event);
}

static bool take_ready(struct qm_smtp *smtp, struct qm_smtp_event *event)
{
    if (smtp->state != QM_S_READY || smtp->ready_told) {
        return false;
    }
    smtp->ready_told = true;
    event->type = QM_EVENT_READY;
    return true;
}

/* All replies at hand are judged: did the input end here? */
static bool next_ended_event(struct qm_smtp *smtp, struct qm_smtp_event *event)
{
    if (smtp->ended == QM_FAULT_NONE || smtp->state == QM_S_QUIT) {
        return false;
    }
    qm_smtp_set_state(smtp,
                      qm_smtp_fail(smtp, smtp->ended, qm_smtp_phase(smtp)));
    return next_last_event(smtp, event);
}

bool qm_smtp_next_event(struct qm_smtp *smtp, struct qm_smtp_event *event_out)
{
    memset(event_out, 0, sizeof(*event_out));
    if (smtp->deferred.type != QM_EVENT_NONE) {
        *event_out = smtp->deferred;
        smtp->deferred.type = QM_EVENT_NONE;
        return true;
    }
    if (smtp->state == QM_S_QUIT) {
        return next_quit_event(smtp, event_out);
    }
    while (!qm_smtp_is_over(smtp) && smtp->state != QM_S_TLS &&
           smtp->state != QM_S_CHALLENGE) {
        if (take_ready(smtp, event_out)) {
            return true;
        }
        qm_smtp_write_commands(smtp);
        qm_smtp_end_aborted(smtp);
        if (qm_smtp_is_over(smtp) || !take_reply(smtp)) {
            break;
        }
        judge(smtp, event_out);
        if (event_out->type != QM_EVENT_NONE) {
            return true;
        }
    }
    if (qm_smtp_is_over(smtp)) {
        return next_last_event(smtp, event_out);
    }
    return next_ended_event(smtp, event_out);
}
