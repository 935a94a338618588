/* qm_smtp_login.c: greeting, EHLO, STARTTLS. */
#include "smtp/qm_smtp_impl.h"

static void expect_login(struct qm_smtp *smtp)
{
    qm_smtp_expect(smtp, QM_ASK_LOGIN, 0, 0);
}

static bool wants_login(const struct qm_smtp *smtp)
{
    return smtp->set.login.user.len > 0 || smtp->set.login.token.len > 0 ||
           smtp->set.login.certificate;
}

static bool wants_starttls(const struct qm_smtp *smtp)
{
    return smtp->set.security == QM_SMTP_STARTTLS && !smtp->secure;
}

static enum qm_state send_hello(struct qm_smtp *smtp, const char *verb,
                                enum qm_state next)
{
    struct qm_cmd cmd = qm_smtp_writer(smtp);

    if (qm_cmd_hello(&cmd, verb, smtp->set.hostname) != QM_OK) {
        return qm_smtp_fail(smtp, QM_FAULT_SETTINGS, QM_PHASE_EHLO);
    }
    expect_login(smtp);
    return next;
}

enum qm_state qm_smtp_start_ehlo(struct qm_smtp *smtp)
{
    return send_hello(smtp, "EHLO", QM_S_EHLO);
}

enum qm_state qm_smtp_on_greeting(struct qm_smtp *smtp)
{
    if (smtp->reply.code != 220) {
        return qm_smtp_fail_reply(smtp, QM_PHASE_GREETING);
    }
    return qm_smtp_start_ehlo(smtp);
}

/* --- EHLO and STARTTLS --------------------------------------------------- */

static enum qm_state start_starttls(struct qm_smtp *smtp)
{
    struct qm_cmd cmd = qm_smtp_writer(smtp);

    if (!qm_ehlo_has(&smtp->ehlo, QM_EHLO_STARTTLS)) {
        return qm_smtp_fail(smtp, QM_FAULT_NO_STARTTLS, QM_PHASE_STARTTLS);
    }
    if (qm_cmd_plain(&cmd, "STARTTLS") != QM_OK) {
        return qm_smtp_fail(smtp, QM_FAULT_MEMORY, QM_PHASE_STARTTLS);
    }
    expect_login(smtp);
    return QM_S_STARTTLS;
}

static enum qm_state after_hello(struct qm_smtp *smtp)
{
    if (wants_starttls(smtp)) {
        return start_starttls(smtp);
    }
    return wants_login(smtp) ? qm_smtp_start_auth(smtp) : QM_S_READY;
}

/* RFC 5321 section 3.2: codes of a server that does not know EHLO. */
static bool is_unknown_command(int code)
{
    return code == 500 || code == 501 || code == 502 || code == 504;
}

static enum qm_state on_ehlo(struct qm_smtp *smtp)
{
    if (qm_reply_is_done(&smtp->reply)) {
        qm_ehlo_read(&smtp->ehlo, &smtp->reply);
        return after_hello(smtp);
    }
    /* HELO offers neither TLS nor AUTH: only for those who need none. */
    if (is_unknown_command(smtp->reply.code) && !wants_starttls(smtp) &&
        !wants_login(smtp)) {
        return send_hello(smtp, "HELO", QM_S_HELO);
    }
    return qm_smtp_fail_reply(smtp, QM_PHASE_EHLO);
}

static enum qm_state on_helo(struct qm_smtp *smtp)
{
    return qm_reply_is_done(&smtp->reply)
               ? after_hello(smtp)
               : qm_smtp_fail_reply(smtp, QM_PHASE_EHLO);
}

/*
 * Bytes that came with the 220 were sent in clear and would be taken for the
 * server's word inside TLS (CVE-2021-22947 and its kind).
 */
static enum qm_state on_starttls(struct qm_smtp *smtp)
{
    if (smtp->reply.code != 220) {
        return qm_smtp_fail_reply(smtp, QM_PHASE_STARTTLS);
    }
    if (qm_buf_len(&smtp->in) > 0) {
        return qm_smtp_fail(smtp, QM_FAULT_INJECTED, QM_PHASE_STARTTLS);
    }
    return QM_S_TLS;
}

enum qm_state qm_smtp_on_login_reply(struct qm_smtp *smtp)
{
    switch (smtp->state) {
    case QM_S_EHLO:
        return on_ehlo(smtp);
    case QM_S_HELO:
        return on_helo(smtp);
    case QM_S_STARTTLS:
        return on_starttls(smtp);
    case QM_S_AUTH:
        return qm_smtp_on_auth(smtp);
    case QM_S_AUTH_CANCEL:
        return qm_smtp_fail_reply(smtp, QM_PHASE_AUTH);
    case QM_S_GREETING:
    case QM_S_TLS:
    case QM_S_CHALLENGE:
    case QM_S_READY:
    case QM_S_QUIT:
    case QM_S_CLOSED:
    case QM_S_FAILED:
        break;
    }
    return qm_smtp_fail(smtp, QM_FAULT_UNEXPECTED, qm_smtp_phase(smtp));
}
