/*
 * qm_cmd.h: the only writer of SMTP command lines.
 *
 * Whatever the parts of a command came from, the finished line is checked byte
 * by byte before it counts: no control character can leave, non-ASCII only
 * with SMTPUTF8, no line over its limit. What goes into the trace is decided
 * here too, so a secret is masked where the line is made.
 */
#ifndef QM_CMD_H
#define QM_CMD_H

#include "base/qm_buf.h"
#include "smtp/qm_dsn.h"
#include "smtp/qm_trace.h"

enum {
    QM_CMD_SURE_MAX = 512, /* RFC 5321 section 4.5.3.1.4: any server reads it */
    QM_CMD_LINE_MAX = 2048,      /* Postfix' line_length_limit */
    QM_CMD_AUTH_LINE_MAX = 12288 /* RFC 4954 section 4 */
};

/* Parameters of MAIL; a zero or false field is left out. */
struct qm_cmd_mail {
    struct qm_span path; /* without <>; empty: the null reverse-path */
    bool has_size;
    uint64_t size;          /* RFC 1870, bytes before dot-stuffing */
    bool eightbit;          /* BODY=8BITMIME, RFC 6152 */
    bool utf8;              /* SMTPUTF8, RFC 6531 */
    bool require_tls;       /* REQUIRETLS, RFC 8689 */
    struct qm_dsn_mail dsn; /* RET and ENVID, RFC 3461 */
};

/* A recipient; a field that asks for nothing is left out. */
struct qm_cmd_rcpt {
    struct qm_span path;
    struct qm_dsn_rcpt dsn; /* NOTIFY and ORCPT, RFC 3461 */
    bool utf8;              /* MAIL said SMTPUTF8 */
};

struct qm_cmd {
    struct qm_buf *out; /* the line goes to its end */
    struct qm_trace *trace;
};

QM_DECLS_BEGIN

/*
 * Each appends one line with its CRLF, or nothing. QM_E_CONTROL, QM_E_NONASCII,
 * QM_E_SYNTAX (blank or empty name), QM_E_TOO_LONG, QM_E_LIMIT (no room), and
 * the errors of qm_dsn_append_mail().
 */
enum qm_err qm_cmd_plain(const struct qm_cmd *cmd,
                         const char *verb) QM_MUST_USE;
enum qm_err qm_cmd_hello(const struct qm_cmd *cmd, const char *verb,
                         struct qm_span name) QM_MUST_USE;
enum qm_err qm_cmd_mail(const struct qm_cmd *cmd,
                        const struct qm_cmd_mail *mail) QM_MUST_USE;
enum qm_err qm_cmd_rcpt(const struct qm_cmd *cmd,
                        const struct qm_cmd_rcpt *rcpt) QM_MUST_USE;

/* One chunk that is the whole message (RFC 3030 section 2). */
enum qm_err qm_cmd_bdat(const struct qm_cmd *cmd, uint64_t size) QM_MUST_USE;

/* AUTH with or without its initial response; the response is masked. */
enum qm_err qm_cmd_auth(const struct qm_cmd *cmd, const char *mechanism,
                        bool has_response, struct qm_span response) QM_MUST_USE;

/* A further response of the exchange, wholly masked. */
enum qm_err qm_cmd_auth_response(const struct qm_cmd *cmd,
                                 struct qm_span response) QM_MUST_USE;

QM_DECLS_END

#endif
