/*
 * qm_smtp_auth.c: AUTH, and what hides its secrets.
 *
 * Messages of mechanisms that need cryptography come from the caller: in state
 * CHALLENGE the session waits for the next one.
 */
#include "smtp/qm_smtp_impl.h"

#include "base/qm_utf8.h"
#include "codec/qm_base64.h"
#include "codec/qm_charset.h"

/*
 * RFC 4954 section 4: an initial response that would make the command longer
 * than any may be waits for the empty challenge that the server sends in its
 * place. Postfix reads no more than 2048 bytes of the command, but 12288 of the
 * response; tokens that tell of many roles are in between.
 */
static bool fits_command(const struct qm_smtp *smtp)
{
    size_t name_len = strlen(qm_sasl_name(smtp->mechanism));

    return sizeof("AUTH ") + name_len + qm_buf_len(&smtp->response) + 2 <=
           QM_CMD_SURE_MAX;
}

static enum qm_err send_auth(struct qm_smtp *smtp, bool has_response)
{
    struct qm_cmd cmd = qm_smtp_writer(smtp);

    smtp->response_waits = has_response && !fits_command(smtp);
    return qm_cmd_auth(&cmd, qm_sasl_name(smtp->mechanism),
                       has_response && !smtp->response_waits,
                       qm_buf_span(&smtp->response));
}

/* Sends what is in `response`; at step 0 as part of the AUTH command. */
static enum qm_err send_response(struct qm_smtp *smtp, bool has_response)
{
    struct qm_cmd cmd = qm_smtp_writer(smtp);
    enum qm_err err = qm_mask_add(&smtp->mask, qm_buf_span(&smtp->response));

    if (err == QM_OK && smtp->challenges == 0) {
        err = send_auth(smtp, has_response);
    } else if (err == QM_OK) {
        err = qm_cmd_auth_response(&cmd, qm_buf_span(&smtp->response));
    }
    if (err == QM_OK) {
        qm_smtp_expect(smtp, QM_ASK_LOGIN, 0, 0);
    }
    return err;
}

/* The response of this step, of a mechanism whose messages are made here. */
static enum qm_err write_response(struct qm_smtp *smtp)
{
    bool has_response = false;
    enum qm_err err;

    qm_buf_reset(&smtp->response);
    err = qm_sasl_respond(smtp->mechanism, smtp->challenges, &smtp->set.login,
                          &smtp->response, &has_response);
    return err == QM_OK ? send_response(smtp, has_response) : err;
}

static enum qm_err mask_both(struct qm_smtp *smtp, struct qm_span secret)
{
    struct qm_buf encoded;
    enum qm_err err = qm_mask_add(&smtp->mask, secret);

    qm_buf_init(&encoded, QM_CMD_AUTH_LINE_MAX, true);
    if (err == QM_OK) {
        err = qm_base64_append(&encoded, secret);
    }
    if (err == QM_OK) {
        err = qm_mask_add(&smtp->mask, qm_buf_span(&encoded));
    }
    qm_buf_deinit(&encoded);
    return err;
}

enum qm_err qm_smtp_mask_login(struct qm_smtp *smtp)
{
    enum qm_err err = mask_both(smtp, smtp->set.login.password);

    return err != QM_OK ? err : mask_both(smtp, smtp->set.login.token);
}

/* Before the login the server cannot know them. */
void qm_smtp_mask_reply(struct qm_smtp *smtp)
{
    struct qm_span text = qm_buf_span(&smtp->reply.lines);

    if (smtp->state == QM_S_AUTH || smtp->state == QM_S_AUTH_CANCEL ||
        smtp->state == QM_S_READY) {
        qm_mask_apply(&smtp->mask, (char *)(uintptr_t)text.ptr, text.len);
    }
}

/*
 * A transcript is shown to others. With the messages of SCRAM they could try
 * passwords until one fits, and in what is said of a token that may stand
 * itself, cut where nobody recognises it. The prompts of LOGIN are harmless.
 */
struct qm_span qm_smtp_shown_line(const struct qm_smtp *smtp,
                                  struct qm_span line)
{
    bool is_secret = smtp->state == QM_S_AUTH && line.len > 4 &&
                     smtp->mechanism != QM_SASL_LOGIN &&
                     memcmp(line.ptr, "334", 3) == 0;

    return is_secret ? qm_span_of("334 ******") : line;
}

/* --- mechanism ------------------------------------------------------------ */

/*
 * Beyond ASCII it depends on the server which bytes SCRAM hashes (RFC 4013):
 * inside TLS the password itself is the safer way where the server takes it.
 */
static bool may_be_normalised(const struct qm_sasl_login *login)
{
    return qm_utf8_has_high(login->user) || qm_utf8_has_high(login->password);
}

static enum qm_sasl_mechanism choose(const struct qm_smtp *smtp)
{
    const struct qm_sasl_login *login = &smtp->set.login;
    unsigned offered = smtp->ehlo.mechanisms;
    enum qm_sasl_mechanism found = QM_SASL_NONE;

    if (!smtp->can_bind) {
        offered &= ~qm_sasl_made_by(QM_SASL_BOUND);
    }
    if (smtp->secure && may_be_normalised(login)) {
        found = qm_sasl_choose(offered & qm_sasl_made_by(QM_SASL_HERE),
                               smtp->set.mechanisms, login, true);
    }
    return found != QM_SASL_NONE ? found
                                 : qm_sasl_choose(offered, smtp->set.mechanisms,
                                                  login, smtp->secure);
}

static enum qm_state begin(struct qm_smtp *smtp)
{
    smtp->mechanism = choose(smtp);
    smtp->challenges = 0;
    smtp->proven = false;
    if (smtp->mechanism == QM_SASL_NONE) {
        return qm_smtp_fail(smtp, QM_FAULT_NO_MECHANISM, QM_PHASE_AUTH);
    }
    if (qm_sasl_maker(smtp->mechanism) != QM_SASL_HERE) {
        return QM_S_CHALLENGE;
    }
    smtp->proven = true; /* these prove nothing of the server */
    if (write_response(smtp) != QM_OK) {
        return qm_smtp_fail(smtp, QM_FAULT_SETTINGS, QM_PHASE_AUTH);
    }
    return QM_S_AUTH;
}

enum qm_state qm_smtp_start_auth(struct qm_smtp *smtp)
{
    if (!smtp->secure && !smtp->set.allow_clear_auth) {
        return qm_smtp_fail(smtp, QM_FAULT_CLEAR_AUTH, QM_PHASE_AUTH);
    }
    if (!qm_ehlo_has(&smtp->ehlo, QM_EHLO_AUTH)) {
        return qm_smtp_fail(smtp, QM_FAULT_NO_AUTH, QM_PHASE_AUTH);
    }
    return begin(smtp);
}

void qm_smtp_can_bind(struct qm_smtp *smtp)
{
    smtp->can_bind = true;
}

/* --- messages of the caller ----------------------------------------------- */

bool qm_smtp_challenge(const struct qm_smtp *smtp,
                       struct qm_smtp_challenge *challenge_out)
{
    if (smtp->state != QM_S_CHALLENGE) {
        return false;
    }
    challenge_out->mechanism = smtp->mechanism;
    challenge_out->step = smtp->challenges;
    challenge_out->bytes = qm_buf_span(&smtp->challenge);
    challenge_out->offers_binding =
        (smtp->ehlo.mechanisms & qm_sasl_made_by(QM_SASL_BOUND)) != 0;
    return true;
}

enum qm_err qm_smtp_respond(struct qm_smtp *smtp, const struct qm_span *message,
                            bool proven)
{
    enum qm_err err = QM_OK;

    if (smtp->state != QM_S_CHALLENGE ||
        (message == NULL && smtp->challenges > 0)) {
        return QM_E_MISUSE;
    }
    qm_buf_reset(&smtp->response);
    if (message != NULL) {
        err = qm_base64_append(&smtp->response, *message);
    }
    if (err == QM_OK) {
        err = send_response(smtp, message != NULL);
    }
    if (err == QM_OK) {
        smtp->proven = proven;
        qm_smtp_set_state(smtp, QM_S_AUTH);
    }
    return err;
}

void qm_smtp_decline(struct qm_smtp *smtp)
{
    if (smtp->state == QM_S_CHALLENGE && smtp->challenges == 0) {
        smtp->set.mechanisms &= qm_sasl_made_by(QM_SASL_HERE);
        qm_smtp_set_state(smtp, begin(smtp));
    }
}

void qm_smtp_give_up(struct qm_smtp *smtp, enum qm_smtp_fault why,
                     struct qm_span reason)
{
    if (smtp->state != QM_S_CHALLENGE) {
        return;
    }
    (void)qm_smtp_fail(smtp, why, QM_PHASE_AUTH);
    qm_buf_reset(&smtp->text);
    (void)qm_charset_reply(&smtp->text, reason);
    smtp->failure.text = qm_buf_span(&smtp->text);
    qm_smtp_set_state(smtp, QM_S_FAILED);
}

/* --- replies -------------------------------------------------------------- */

/* RFC 4954 section 4: "*" cancels the exchange; the server answers 501. */
static enum qm_state cancel_auth(struct qm_smtp *smtp)
{
    struct qm_cmd cmd = qm_smtp_writer(smtp);

    if (qm_cmd_plain(&cmd, "*") != QM_OK) {
        return qm_smtp_fail(smtp, QM_FAULT_UNEXPECTED, QM_PHASE_AUTH);
    }
    qm_smtp_expect(smtp, QM_ASK_LOGIN, 0, 0);
    return QM_S_AUTH_CANCEL;
}

/* The challenge in the reply just read; false when it is no base64. */
static bool read_challenge(struct qm_smtp *smtp)
{
    struct qm_span rest = qm_buf_span(&smtp->reply.lines);
    struct qm_span line;
    size_t written = 0;
    char *room;

    qm_buf_reset(&smtp->challenge);
    if (!qm_reply_next_line(&rest, &line) || rest.len > 0) {
        return false;
    }
    room = qm_buf_reserve(&smtp->challenge, line.len + 1);
    if (room == NULL || qm_base64_decode(line, room, &written) != QM_OK) {
        return false;
    }
    qm_buf_commit(&smtp->challenge, written);
    return true;
}

/* What the server says of its refusal, which follows. */
static void keep_detail(struct qm_smtp *smtp)
{
    struct qm_span said = qm_buf_span(&smtp->challenge);

    qm_mask_apply(&smtp->mask, (char *)(uintptr_t)said.ptr, said.len);
    qm_buf_reset(&smtp->detail);
    (void)qm_charset_reply(&smtp->detail, said);
}

/* RFC 5802 section 7: server-error; of CRAM-MD5 it is a challenge. */
static bool is_scram_error(const struct qm_smtp *smtp)
{
    struct qm_span said = qm_buf_span(&smtp->challenge);

    return smtp->mechanism != QM_SASL_CRAM_MD5 && said.len > 2 &&
           memcmp(said.ptr, "e=", 2) == 0;
}

static enum qm_state ask_caller(struct qm_smtp *smtp)
{
    if (!read_challenge(smtp)) {
        return qm_smtp_fail_with(smtp, QM_FAULT_BAD_CHALLENGE, QM_PHASE_AUTH);
    }
    if (is_scram_error(smtp)) {
        keep_detail(smtp);
    }
    return QM_S_CHALLENGE;
}

static enum qm_state send_waiting(struct qm_smtp *smtp)
{
    struct qm_cmd cmd = qm_smtp_writer(smtp);

    smtp->response_waits = false;
    if (qm_cmd_auth_response(&cmd, qm_buf_span(&smtp->response)) != QM_OK) {
        return cancel_auth(smtp);
    }
    qm_smtp_expect(smtp, QM_ASK_LOGIN, 0, 0);
    return QM_S_AUTH;
}

static enum qm_state on_challenge(struct qm_smtp *smtp)
{
    if (smtp->response_waits) {
        return send_waiting(smtp);
    }
    smtp->challenges++;
    if (smtp->challenges > QM_SMTP_CHALLENGES_MAX) {
        return cancel_auth(smtp);
    }
    if (qm_sasl_maker(smtp->mechanism) != QM_SASL_HERE) {
        return ask_caller(smtp);
    }
    /*
     * Behind a token it is no question: it says in JSON what is wrong with it
     * (RFC 7628 section 3.2.2).
     */
    if (smtp->set.login.token.len > 0 && read_challenge(smtp)) {
        keep_detail(smtp);
    }
    return write_response(smtp) == QM_OK ? QM_S_AUTH : cancel_auth(smtp);
}

static enum qm_state on_refusal(struct qm_smtp *smtp)
{
    (void)qm_smtp_fail_reply(smtp, QM_PHASE_AUTH);
    smtp->failure.detail = qm_buf_span(&smtp->detail);
    return QM_S_FAILED;
}

/*
 * Whatever a refusal says, no second mechanism is tried: QQ closes after a
 * 535, others count it as one more failed login. Success is believed when the
 * server has given all that the mechanism asks of it (RFC 5802 section 5: the
 * client must check the server's signature).
 */
enum qm_state qm_smtp_on_auth(struct qm_smtp *smtp)
{
    if (smtp->reply.code == 235 && !smtp->proven) {
        return qm_smtp_fail(smtp, QM_FAULT_NOT_PROVEN, QM_PHASE_AUTH);
    }
    if (smtp->reply.code == 235) {
        return QM_S_READY;
    }
    if (smtp->reply.code == 334) {
        return on_challenge(smtp);
    }
    return on_refusal(smtp);
}
