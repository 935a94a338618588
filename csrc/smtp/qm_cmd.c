#include "smtp/qm_cmd.h"

#include "base/qm_ascii.h"

static enum qm_err check_bytes(struct qm_span line, bool utf8)
{
    size_t i;

    for (i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];

        if (qm_ascii_is_control(c)) {
            return QM_E_CONTROL;
        }
        if (c >= 0x80 && !utf8) {
            return QM_E_NONASCII;
        }
    }
    return QM_OK;
}

/* A parameter cannot be written: takes the line back. */
static enum qm_err take_back(const struct qm_cmd *cmd, size_t start,
                             enum qm_err err)
{
    qm_buf_truncate(cmd->out, start);
    return err;
}

/*
 * Judges the line that began at `start` and ends it, or takes it back.
 * `shown` is what the trace gets; NULL: the line itself.
 */
static enum qm_err finish(const struct qm_cmd *cmd, size_t start, size_t max,
                          bool utf8, const struct qm_span *shown)
{
    struct qm_span line = qm_span_from(qm_buf_span(cmd->out), start);
    enum qm_err err = cmd->out->err;

    if (err == QM_OK) {
        err = check_bytes(line, utf8);
    }
    if (err == QM_OK && line.len + 2 > max) {
        err = QM_E_TOO_LONG;
    }
    if (err == QM_OK) {
        qm_trace_add(cmd->trace, 'C', shown != NULL ? *shown : line);
        err = qm_buf_append_text(cmd->out, "\r\n");
    }
    if (err != QM_OK) {
        qm_buf_truncate(cmd->out, start);
    }
    return err;
}

enum qm_err qm_cmd_plain(const struct qm_cmd *cmd, const char *verb)
{
    size_t start = qm_buf_len(cmd->out);

    (void)qm_buf_append_text(cmd->out, verb);
    return finish(cmd, start, QM_CMD_LINE_MAX, false, NULL);
}

enum qm_err qm_cmd_hello(const struct qm_cmd *cmd, const char *verb,
                         struct qm_span name)
{
    size_t start = qm_buf_len(cmd->out);

    if (name.len == 0 || qm_ascii_has(name, qm_ascii_is_blank)) {
        return QM_E_SYNTAX;
    }
    (void)qm_buf_append_text(cmd->out, verb);
    (void)qm_buf_append_char(cmd->out, ' ');
    (void)qm_buf_append(cmd->out, name);
    return finish(cmd, start, QM_CMD_LINE_MAX, false, NULL);
}

enum qm_err qm_cmd_mail(const struct qm_cmd *cmd,
                        const struct qm_cmd_mail *mail)
{
    size_t start = qm_buf_len(cmd->out);
    enum qm_err err;

    (void)qm_buf_append_text(cmd->out, "MAIL FROM:<");
    (void)qm_buf_append(cmd->out, mail->path);
    (void)qm_buf_append_char(cmd->out, '>');
    if (mail->has_size) {
        (void)qm_buf_append_text(cmd->out, " SIZE=");
        (void)qm_buf_append_u64(cmd->out, mail->size);
    }
    if (mail->eightbit) {
        (void)qm_buf_append_text(cmd->out, " BODY=8BITMIME");
    }
    if (mail->utf8) {
        (void)qm_buf_append_text(cmd->out, " SMTPUTF8");
    }
    if (mail->require_tls) {
        (void)qm_buf_append_text(cmd->out, " REQUIRETLS");
    }
    err = qm_dsn_append_mail(cmd->out, &mail->dsn);
    if (err != QM_OK) {
        return take_back(cmd, start, err);
    }
    return finish(cmd, start, QM_CMD_LINE_MAX, mail->utf8, NULL);
}

enum qm_err qm_cmd_rcpt(const struct qm_cmd *cmd,
                        const struct qm_cmd_rcpt *rcpt)
{
    size_t start = qm_buf_len(cmd->out);
    enum qm_err err;

    (void)qm_buf_append_text(cmd->out, "RCPT TO:<");
    (void)qm_buf_append(cmd->out, rcpt->path);
    (void)qm_buf_append_char(cmd->out, '>');
    err = qm_dsn_append_rcpt(cmd->out, &rcpt->dsn, rcpt->utf8);
    if (err != QM_OK) {
        return take_back(cmd, start, err);
    }
    return finish(cmd, start, QM_CMD_LINE_MAX, rcpt->utf8, NULL);
}

enum qm_err qm_cmd_bdat(const struct qm_cmd *cmd, uint64_t size)
{
    size_t start = qm_buf_len(cmd->out);

    (void)qm_buf_append_text(cmd->out, "BDAT ");
    (void)qm_buf_append_u64(cmd->out, size);
    (void)qm_buf_append_text(cmd->out, " LAST");
    return finish(cmd, start, QM_CMD_LINE_MAX, false, NULL);
}

enum qm_err qm_cmd_auth(const struct qm_cmd *cmd, const char *mechanism,
                        bool has_response, struct qm_span response)
{
    char masked[64] = "AUTH ";
    size_t start = qm_buf_len(cmd->out);
    size_t name_len = strlen(mechanism);
    struct qm_span shown;

    (void)qm_buf_append_text(cmd->out, "AUTH ");
    (void)qm_buf_append_text(cmd->out, mechanism);
    if (has_response) {
        /* RFC 4954 section 4: "=" stands for an empty initial response. */
        (void)qm_buf_append_char(cmd->out, ' ');
        (void)qm_buf_append(cmd->out,
                            response.len > 0 ? response : qm_span_of("="));
    }
    if (name_len > sizeof(masked) - sizeof("AUTH  ******")) {
        name_len = sizeof(masked) - sizeof("AUTH  ******");
    }
    memcpy(masked + 5, mechanism, name_len);
    memcpy(masked + 5 + name_len, " ******", 7);
    shown = qm_span_make(masked, 5 + name_len + (has_response ? 7 : 0));
    return finish(cmd, start, QM_CMD_AUTH_LINE_MAX, false, &shown);
}

enum qm_err qm_cmd_auth_response(const struct qm_cmd *cmd,
                                 struct qm_span response)
{
    size_t start = qm_buf_len(cmd->out);
    struct qm_span shown = qm_span_of("******");

    (void)qm_buf_append(cmd->out, response);
    return finish(cmd, start, QM_CMD_AUTH_LINE_MAX, false, &shown);
}
