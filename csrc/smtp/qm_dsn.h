/*
 * qm_dsn.h: what MAIL and RCPT say about delivery reports (RFC 3461).
 *
 * Values come as the user gave them. They are encoded here, so that none can
 * hold the blank that would begin another parameter, nor the end of the line.
 */
#ifndef QM_DSN_H
#define QM_DSN_H

#include "base/qm_buf.h"

enum {
    QM_DSN_ENVID_MAX = 100, /* RFC 3461 section 4.4, encoded */
    QM_DSN_ORCPT_MAX = 500  /* RFC 3461 section 4.2, encoded, with its type */
};

/* When the sender wants to hear of a recipient; 0: as the server does it. */
enum qm_dsn_notify {
    QM_DSN_NEVER = 1, /* alone (RFC 3461 section 4.1) */
    QM_DSN_SUCCESS = 2,
    QM_DSN_FAILURE = 4,
    QM_DSN_DELAY = 8
};

/* How much of the message a report of a failure holds. */
enum qm_dsn_ret { QM_DSN_RET_ANY, QM_DSN_RET_FULL, QM_DSN_RET_HEADERS };

/* Of the whole message; all zero: MAIL says nothing of it. */
struct qm_dsn_mail {
    enum qm_dsn_ret ret;
    struct qm_span envid; /* empty: none */
};

/* Of one recipient; all zero: RCPT says nothing of it. */
struct qm_dsn_rcpt {
    unsigned notify;      /* QM_DSN_* */
    struct qm_span orcpt; /* the address it was first sent to; empty: none */
};

QM_DECLS_BEGIN

/* "never", or a comma list of "success", "failure", "delay"; QM_E_SYNTAX. */
enum qm_err qm_dsn_read_notify(struct qm_span text,
                               unsigned *notify_out) QM_MUST_USE;

/* "full", "headers" or empty; QM_E_SYNTAX. */
enum qm_err qm_dsn_read_ret(struct qm_span text,
                            enum qm_dsn_ret *ret_out) QM_MUST_USE;

/*
 * Append the parameters, each behind a blank, or nothing on error:
 * QM_E_CONTROL, QM_E_NONASCII (ENVID), QM_E_UTF8 (ORCPT), QM_E_TOO_LONG,
 * QM_E_SYNTAX (NEVER beside others), QM_E_LIMIT. `utf8`: the transaction is one
 * of SMTPUTF8, an address may stand as it is (RFC 6533 section 3).
 */
enum qm_err qm_dsn_append_mail(struct qm_buf *out,
                               const struct qm_dsn_mail *dsn) QM_MUST_USE;
enum qm_err qm_dsn_append_rcpt(struct qm_buf *out,
                               const struct qm_dsn_rcpt *dsn,
                               bool utf8) QM_MUST_USE;

static inline bool qm_dsn_is_asked(const struct qm_dsn_mail *dsn)
{
    return dsn->ret != QM_DSN_RET_ANY || dsn->envid.len > 0;
}

static inline bool qm_dsn_is_asked_of(const struct qm_dsn_rcpt *dsn)
{
    return dsn->notify != 0 || dsn->orcpt.len > 0;
}

QM_DECLS_END

#endif
