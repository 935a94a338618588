#include "smtp/qm_smtp_impl.h"

#include "codec/qm_charset.h"

enum { NAMES_MAX = 1024, SECRETS_MAX = 2 * QM_SASL_SECRET_MAX };

static const char *const state_names[] = {
#define QM_STATE_NAME(state, phase) #state,
    QM_STATE_LIST(QM_STATE_NAME)
#undef QM_STATE_NAME
};

static const enum qm_phase state_phases[] = {
#define QM_STATE_PHASE(state, phase) QM_PHASE_##phase,
    QM_STATE_LIST(QM_STATE_PHASE)
#undef QM_STATE_PHASE
};

static const char *const phase_names[] = {
#define QM_PHASE_NAME(phase, name) name,
    QM_PHASE_LIST(QM_PHASE_NAME)
#undef QM_PHASE_NAME
};

static const char *const fault_names[] = {
#define QM_FAULT_NAME(fault, name) name,
    QM_FAULT_LIST(QM_FAULT_NAME)
#undef QM_FAULT_NAME
};

const char *qm_smtp_state_name(enum qm_state state)
{
    return state_names[state];
}

const char *qm_phase_name(enum qm_phase phase)
{
    return phase_names[phase];
}

const char *qm_smtp_fault_name(enum qm_smtp_fault fault)
{
    return fault_names[fault];
}

/* --- life ---------------------------------------------------------------- */

/* Moves a span over to its copy in `store`; returns where the next begins. */
static size_t move_span(struct qm_span *span, const struct qm_buf *store,
                        size_t at)
{
    bool kept = span->len > 0 && store->err == QM_OK;

    span->ptr = kept ? qm_buf_span(store).ptr + at : NULL;
    return at + span->len;
}

/*
 * Copies all text of the settings; the caller's may go away. The spans are
 * moved last, when the stores can no longer grow.
 */
static enum qm_err keep_settings(struct qm_smtp *smtp)
{
    struct qm_sasl_login *login = &smtp->set.login;
    size_t at;

    (void)qm_buf_append(&smtp->names, smtp->set.hostname);
    (void)qm_buf_append(&smtp->secrets, login->user);
    (void)qm_buf_append(&smtp->secrets, login->password);
    (void)qm_buf_append(&smtp->secrets, login->token);
    (void)move_span(&smtp->set.hostname, &smtp->names, 0);
    at = move_span(&login->user, &smtp->secrets, 0);
    at = move_span(&login->password, &smtp->secrets, at);
    (void)move_span(&login->token, &smtp->secrets, at);
    return smtp->names.err != QM_OK ? smtp->names.err : smtp->secrets.err;
}

enum qm_err qm_smtp_init(struct qm_smtp *smtp,
                         const struct qm_smtp_settings *settings)
{
    unsigned i;

    memset(smtp, 0, sizeof(*smtp));
    smtp->set = *settings;
    smtp->mechanism = QM_SASL_NONE;
    qm_buf_init(&smtp->names, NAMES_MAX, false);
    qm_buf_init(&smtp->secrets, SECRETS_MAX, true);
    qm_buf_init(&smtp->response, QM_CMD_AUTH_LINE_MAX, true);
    qm_buf_init(&smtp->in, QM_SMTP_IN_MAX, false);
    qm_buf_init(&smtp->out, QM_SMTP_OUT_MAX, true);
    qm_buf_init(&smtp->text, QM_SMTP_TEXT_MAX, false);
    qm_reply_init(&smtp->reply);
    qm_trace_init(&smtp->trace);
    for (i = 0; i < QM_SMTP_TXN_MAX; i++) {
        qm_txn_init(&smtp->txns[i]);
    }
    smtp->state = QM_S_GREETING;
    qm_smtp_expect(smtp, QM_ASK_GREETING, 0, 0);
    return keep_settings(smtp);
}

void qm_smtp_deinit(struct qm_smtp *smtp)
{
    unsigned i;

    qm_buf_deinit(&smtp->names);
    qm_buf_deinit(&smtp->secrets);
    qm_buf_deinit(&smtp->response);
    qm_buf_deinit(&smtp->in);
    qm_buf_deinit(&smtp->out);
    qm_buf_deinit(&smtp->text);
    qm_reply_deinit(&smtp->reply);
    for (i = 0; i < QM_SMTP_TXN_MAX; i++) {
        qm_txn_deinit(&smtp->txns[i]);
    }
    smtp->state = QM_S_CLOSED;
    smtp->over_told = true;
}

void qm_smtp_set_time(struct qm_smtp *smtp, uint64_t now_ms)
{
    qm_trace_set_time(&smtp->trace, now_ms);
}

/* --- state and failure --------------------------------------------------- */

static void trace_change(struct qm_smtp *smtp, enum qm_state to)
{
    const char *names[3] = { state_names[smtp->state], " -> ",
                             state_names[to] };
    char line[48];
    size_t len = 0;
    unsigned i;

    for (i = 0; i < QM_COUNTOF(names); i++) {
        size_t part = strlen(names[i]);

        memcpy(line + len, names[i], part);
        len += part;
    }
    qm_trace_add(&smtp->trace, '*', qm_span_make(line, len));
}

/*
 * The login is over, one way or the other. Output holds no secret from here
 * on, so its bytes need not be wiped any more.
 */
static void forget_secrets(struct qm_smtp *smtp)
{
    qm_buf_deinit(&smtp->secrets);
    qm_buf_deinit(&smtp->response);
    memset(&smtp->set.login, 0, sizeof(smtp->set.login));
    if (qm_buf_len(&smtp->out) == 0) {
        qm_buf_deinit(&smtp->out);
        smtp->out.wipe = false;
    }
}

/* The only place where the state changes. */
static void set_state(struct qm_smtp *smtp, enum qm_state to)
{
    if (to == smtp->state) {
        return;
    }
    trace_change(smtp, to);
    smtp->state = to;
    if (to == QM_S_READY || to == QM_S_FAILED || to == QM_S_CLOSED) {
        forget_secrets(smtp);
    }
}

static bool is_over(const struct qm_smtp *smtp)
{
    return smtp->state == QM_S_FAILED || smtp->state == QM_S_CLOSED;
}

enum qm_state qm_smtp_fail(struct qm_smtp *smtp, enum qm_smtp_fault fault,
                           enum qm_phase phase)
{
    if (smtp->failure.fault == QM_FAULT_NONE) {
        smtp->failure.type = QM_EVENT_FAILED;
        smtp->failure.fault = fault;
        smtp->failure.phase = phase;
    }
    return QM_S_FAILED;
}

void qm_smtp_describe_reply(struct qm_smtp *smtp, struct qm_smtp_event *event)
{
    qm_buf_reset(&smtp->text);
    (void)qm_reply_text(&smtp->reply, &smtp->text);
    event->code = smtp->reply.code;
    event->enhanced = smtp->reply.enhanced;
    event->text = qm_buf_span(&smtp->text);
}

enum qm_state qm_smtp_fail_reply(struct qm_smtp *smtp, enum qm_phase phase)
{
    bool first = smtp->failure.fault == QM_FAULT_NONE;
    int reply_class = qm_reply_class(&smtp->reply);

    (void)qm_smtp_fail(smtp,
                       reply_class == 4 || reply_class == 5
                           ? QM_FAULT_REPLY
                           : QM_FAULT_UNEXPECTED,
                       phase);
    if (first) {
        qm_smtp_describe_reply(smtp, &smtp->failure);
    }
    return QM_S_FAILED;
}

/* --- output and the flight of expected replies --------------------------- */

struct qm_cmd qm_smtp_writer(struct qm_smtp *smtp)
{
    struct qm_cmd cmd = { &smtp->out, &smtp->trace };

    return cmd;
}

uint64_t qm_smtp_written(const struct qm_smtp *smtp)
{
    return smtp->sent + qm_buf_len(&smtp->out);
}

void qm_smtp_expect(struct qm_smtp *smtp, enum qm_smtp_ask ask, unsigned slot,
                    unsigned index)
{
    unsigned at =
        (smtp->flight_first + smtp->flight_count) % QM_SMTP_FLIGHT_MAX;
    struct qm_smtp_expected *expected = &smtp->flight[at];

    expected->ask = ask;
    expected->slot = slot;
    expected->index = index;
    expected->after = qm_smtp_written(smtp);
    smtp->flight_count++;
}

struct qm_span qm_smtp_output(const struct qm_smtp *smtp)
{
    return is_over(smtp) ? qm_span_make(NULL, 0) : qm_buf_span(&smtp->out);
}

void qm_smtp_sent(struct qm_smtp *smtp, size_t len)
{
    size_t most = qm_buf_len(&smtp->out);

    len = len < most ? len : most;
    qm_buf_consume(&smtp->out, len);
    smtp->sent += len;
}

/* --- input --------------------------------------------------------------- */

enum qm_err qm_smtp_feed(struct qm_smtp *smtp, struct qm_span bytes)
{
    if (smtp->state == QM_S_TLS) {
        return QM_E_MISUSE;
    }
    if (is_over(smtp) || smtp->state == QM_S_QUIT) {
        return QM_OK; /* whatever it says now changes nothing */
    }
    return qm_buf_append(&smtp->in, bytes);
}

void qm_smtp_input_ended(struct qm_smtp *smtp, enum qm_smtp_fault why)
{
    if (smtp->ended == QM_FAULT_NONE) {
        smtp->ended = why;
    }
}

void qm_smtp_tls_ready(struct qm_smtp *smtp)
{
    smtp->secure = true;
    if (smtp->state == QM_S_TLS) {
        /* RFC 3207 section 4.2: nothing learned before TLS counts. */
        memset(&smtp->ehlo, 0, sizeof(smtp->ehlo));
        set_state(smtp, qm_smtp_start_ehlo(smtp));
    }
}

bool qm_smtp_is_unasked(const struct qm_smtp *smtp)
{
    bool half_a_reply =
        !smtp->reply.complete && qm_buf_len(&smtp->reply.lines) > 0;

    return smtp->flight_count == 0 &&
           (qm_buf_len(&smtp->in) > 0 || half_a_reply);
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
        qm_trace_add(&smtp->trace, 'S',
                     qm_span_make(rest.ptr, len > 0 && newline[-1] == '\r'
                                                ? len - 1
                                                : len));
        rest = qm_span_from(rest, len + 1);
    }
    if (rest.len > 0) {
        qm_trace_add(&smtp->trace, 'S', rest);
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
        (void)qm_charset_reply(&smtp->text, piece);
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
        set_state(smtp, fail_parse(smtp, err));
        return false;
    }
    smtp->progress++;
    return true;
}

/* From the 354 on until the end mark has left, written or not. */
static bool is_sending_body(const struct qm_smtp *smtp)
{
    const struct qm_smtp_expected *due = &smtp->flight[smtp->flight_first];

    return qm_smtp_body_id(smtp) != 0 ||
           (smtp->flight_count > 0 && due->ask == QM_ASK_FINAL &&
            due->after > smtp->sent);
}

/*
 * A reply that answers nothing we handed over. 421 may come at any time
 * (RFC 5321 section 3.8), and a refusal while the body is on its way is the
 * server's verdict; anything else means that the two sides disagree about
 * where they are.
 */
static enum qm_state on_unasked(struct qm_smtp *smtp)
{
    bool in_body = is_sending_body(smtp);
    int reply_class = qm_reply_class(&smtp->reply);

    if (smtp->reply.code == 421 ||
        (in_body && (reply_class == 4 || reply_class == 5))) {
        return qm_smtp_fail_reply(smtp, qm_smtp_phase(smtp));
    }
    (void)qm_smtp_fail(smtp, QM_FAULT_UNEXPECTED, qm_smtp_phase(smtp));
    qm_smtp_describe_reply(smtp, &smtp->failure);
    return QM_S_FAILED;
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
        set_state(smtp, on_unasked(smtp));
        return;
    }
    smtp->flight_first = (smtp->flight_first + 1) % QM_SMTP_FLIGHT_MAX;
    smtp->flight_count--;
    set_state(smtp, answer(smtp, &asked, event));
}

/* --- wants and events ---------------------------------------------------- */

unsigned qm_smtp_want(const struct qm_smtp *smtp)
{
    unsigned want = 0;

    if (is_over(smtp)) {
        return 0;
    }
    if (smtp->state == QM_S_TLS) {
        return QM_WANT_TLS;
    }
    if (qm_buf_len(&smtp->out) > 0) {
        want |= QM_WANT_SEND;
    }
    if (smtp->flight_count > 0 || qm_smtp_is_unasked(smtp)) {
        want |= QM_WANT_RECV;
    }
    if (smtp->state != QM_S_READY) {
        return want;
    }
    /* no body while the server is in the middle of saying something */
    if (qm_smtp_body_id(smtp) != 0 && qm_smtp_body_room(smtp) > 0 &&
        !qm_smtp_is_unasked(smtp)) {
        want |= QM_WANT_BODY;
    }
    if (smtp->txn_count < QM_SMTP_TXN_MAX) {
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
    set_state(smtp, QM_S_CLOSED);
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
    set_state(smtp, qm_smtp_fail(smtp, smtp->ended, qm_smtp_phase(smtp)));
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
    while (!is_over(smtp) && smtp->state != QM_S_TLS) {
        if (take_ready(smtp, event_out)) {
            return true;
        }
        qm_smtp_write_commands(smtp);
        if (is_over(smtp) || !take_reply(smtp)) {
            break;
        }
        judge(smtp, event_out);
        if (event_out->type != QM_EVENT_NONE) {
            return true;
        }
    }
    if (is_over(smtp)) {
        return next_last_event(smtp, event_out);
    }
    return next_ended_event(smtp, event_out);
}

void qm_smtp_quit(struct qm_smtp *smtp)
{
    struct qm_cmd cmd = qm_smtp_writer(smtp);

    if (smtp->state != QM_S_READY || smtp->txn_count > 0) {
        return;
    }
    if (qm_cmd_plain(&cmd, "QUIT") != QM_OK) {
        qm_buf_reset(&smtp->out); /* best effort: then without it */
    }
    set_state(smtp, QM_S_QUIT);
}

/* Defined here for set_state(): see the note at the top of the impl header. */
void qm_smtp_body_abort(struct qm_smtp *smtp)
{
    if (!is_over(smtp)) {
        set_state(smtp, qm_smtp_fail(smtp, QM_FAULT_SOURCE, QM_PHASE_BODY));
    }
}
