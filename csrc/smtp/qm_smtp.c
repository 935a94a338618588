#include "smtp/qm_smtp_impl.h"

enum { NAMES_MAX = 2048, SECRETS_MAX = 2 * QM_SASL_SECRET_MAX };

static const char *const state_names[] = {
#define QM_STATE_NAME(state, phase) #state,
    QM_STATE_LIST(QM_STATE_NAME)
#undef QM_STATE_NAME
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
    (void)qm_buf_append(&smtp->names, login->host);
    at = move_span(&smtp->set.hostname, &smtp->names, 0);
    (void)move_span(&login->host, &smtp->names, at);
    at = move_span(&login->user, &smtp->secrets, 0);
    at = move_span(&login->password, &smtp->secrets, at);
    (void)move_span(&login->token, &smtp->secrets, at);
    if (smtp->names.err != QM_OK || smtp->secrets.err != QM_OK) {
        return smtp->names.err != QM_OK ? smtp->names.err : smtp->secrets.err;
    }
    return qm_smtp_mask_login(smtp);
}

enum qm_err qm_smtp_init(struct qm_smtp *smtp,
                         const struct qm_smtp_settings *settings)
{
    unsigned i;

    memset(smtp, 0, sizeof(*smtp));
    smtp->set = *settings;
    if (smtp->set.window > QM_SMTP_WINDOW_MAX) {
        smtp->set.window = QM_SMTP_WINDOW_MAX;
    }
    smtp->txn_max = smtp->set.window + 2;
    if (smtp->txn_max < QM_SMTP_TXN_MIN) {
        smtp->txn_max = QM_SMTP_TXN_MIN;
    }
    smtp->mechanism = QM_SASL_NONE;
    qm_buf_init(&smtp->names, NAMES_MAX, false);
    qm_buf_init(&smtp->secrets, SECRETS_MAX, true);
    qm_buf_init(&smtp->response, QM_CMD_AUTH_LINE_MAX, true);
    qm_buf_init(&smtp->challenge, QM_CMD_AUTH_LINE_MAX, false);
    qm_buf_init(&smtp->detail, QM_SMTP_TEXT_MAX, false);
    qm_mask_init(&smtp->mask);
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
    qm_buf_deinit(&smtp->challenge);
    qm_buf_deinit(&smtp->detail);
    qm_mask_deinit(&smtp->mask);
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
    qm_buf_deinit(&smtp->challenge);
    memset(&smtp->set.login, 0, sizeof(smtp->set.login));
    if (qm_buf_len(&smtp->out) == 0) {
        qm_buf_deinit(&smtp->out);
        smtp->out.wipe = false;
    }
}

void qm_smtp_set_state(struct qm_smtp *smtp, enum qm_state to)
{
    if (to == smtp->state) {
        return;
    }
    trace_change(smtp, to);
    smtp->state = to;
    if (to == QM_S_READY || to == QM_S_FAILED || to == QM_S_CLOSED) {
        forget_secrets(smtp);
    }
    if (qm_smtp_is_over(smtp) || to == QM_S_QUIT) {
        qm_mask_deinit(&smtp->mask); /* nothing is read any more */
    }
}

bool qm_smtp_is_over(const struct qm_smtp *smtp)
{
    return smtp->state == QM_S_FAILED || smtp->state == QM_S_CLOSED;
}

/* What the server has not answered; its own greeting answers nothing. */
static void count_flight(const struct qm_smtp *smtp,
                         struct qm_smtp_event *failure)
{
    unsigned slot = 0;
    unsigned i;

    for (i = 0; i < smtp->flight_count; i++) {
        const struct qm_smtp_expected *due =
            &smtp->flight[(smtp->flight_first + i) % QM_SMTP_FLIGHT_MAX];

        if (due->ask == QM_ASK_GREETING || due->after > smtp->sent) {
            continue;
        }
        slot = failure->in_flight == 0 ? due->slot : slot;
        failure->in_flight++;
        failure->behind |= due->slot != slot;
    }
}

enum qm_state qm_smtp_fail(struct qm_smtp *smtp, enum qm_smtp_fault fault,
                           enum qm_phase phase)
{
    if (smtp->failure.fault == QM_FAULT_NONE) {
        smtp->failure.type = QM_EVENT_FAILED;
        smtp->failure.fault = fault;
        smtp->failure.phase = phase;
        count_flight(smtp, &smtp->failure);
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

enum qm_state qm_smtp_fail_with(struct qm_smtp *smtp, enum qm_smtp_fault fault,
                                enum qm_phase phase)
{
    bool first = smtp->failure.fault == QM_FAULT_NONE;

    (void)qm_smtp_fail(smtp, fault, phase);
    if (first) {
        qm_smtp_describe_reply(smtp, &smtp->failure);
    }
    return QM_S_FAILED;
}

enum qm_state qm_smtp_fail_reply(struct qm_smtp *smtp, enum qm_phase phase)
{
    int reply_class = qm_reply_class(&smtp->reply);
    bool refusal = reply_class == 4 || reply_class == 5;

    return qm_smtp_fail_with(
        smtp, refusal ? QM_FAULT_REPLY : QM_FAULT_UNEXPECTED, phase);
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
    return qm_smtp_is_over(smtp) ? qm_span_make(NULL, 0)
                                 : qm_buf_span(&smtp->out);
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
    if (qm_smtp_is_over(smtp) || smtp->state == QM_S_QUIT) {
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
        qm_smtp_set_state(smtp, qm_smtp_start_ehlo(smtp));
    }
}

/* --- end ----------------------------------------------------------------- */

void qm_smtp_quit(struct qm_smtp *smtp)
{
    struct qm_cmd cmd = qm_smtp_writer(smtp);

    if (smtp->state != QM_S_READY || smtp->txn_count > 0) {
        return;
    }
    if (qm_cmd_plain(&cmd, "QUIT") != QM_OK) {
        qm_buf_reset(&smtp->out); /* best effort: then without it */
    }
    qm_smtp_set_state(smtp, QM_S_QUIT);
}

void qm_smtp_body_abort(struct qm_smtp *smtp)
{
    if (!qm_smtp_is_over(smtp)) {
        smtp->aborted = true;
        qm_smtp_end_aborted(smtp);
    }
}
