/*
 * qm_txn.h: one mail transaction (RFC 5321 section 3.3) and its progress.
 *
 * Owned by the session's ring; storage is kept from message to message. The
 * envelope is validated when it is built, so nothing that reaches the command
 * writer later can fail.
 */
#ifndef QM_TXN_H
#define QM_TXN_H

#include "base/qm_buf.h"
#include "smtp/qm_dsn.h"

/* RFC 5321 section 4.5.3.1.8 asks servers for 100; the list itself is free. */
enum { QM_TXN_RCPT_MAX = 50000, QM_TXN_PATHS_MAX = 8 * 1024 * 1024 };

enum qm_txn_stage {
    QM_TXN_FREE,     /* slot is unused */
    QM_TXN_BUILDING, /* recipients are being added */
    QM_TXN_QUEUED,   /* complete, no command written yet */
    QM_TXN_ENVELOPE, /* commands are being written or answered */
    QM_TXN_BODY,     /* the body goes out: after the 354, or by BDAT */
    QM_TXN_HANDED    /* all of it is written; the reply to that decides */
};

struct qm_txn {
    uint32_t id;
    enum qm_txn_stage stage;
    struct qm_buf paths;   /* from, envelope id, then for each recipient the
                              path and what was asked of reports; each part
                              ends with a NUL */
    size_t next_path;      /* offset of the recipient to write next */
    unsigned rcpt_count;   /* recipients in all */
    unsigned rcpt_written; /* RCPT commands written */
    unsigned rcpt_answered;
    unsigned rcpt_accepted;
    unsigned outstanding; /* replies that are still due */
    bool reset_written;   /* RSET in front of its MAIL */
    bool mail_written;
    bool open;         /* the server may hold a transaction of it */
    bool nested;       /* MAIL went out behind a body that was refused */
    bool data_written; /* DATA, or the line of BDAT */
    bool told;         /* its outcome was reported; replies still due are
                          read and ignored */
    bool has_size;
    bool announce_size; /* on the line of MAIL */
    bool check;         /* ends behind the recipients, without a body */
    bool eager;         /* its chunk does not wait for the recipients */
    bool bdat;          /* goes by BDAT; settled when MAIL is written */
    uint64_t size;
    bool eightbit;
    bool utf8;
    bool require_tls;
    bool has_envid;
    enum qm_dsn_ret ret;
    uint64_t begin_offset; /* stream offset just past the line of BDAT */
    uint64_t end_offset;   /* stream offset just past the body and its mark */
};

QM_DECLS_BEGIN

void qm_txn_init(struct qm_txn *txn);
void qm_txn_deinit(struct qm_txn *txn);

/* Empties it for another message; the storage is kept. */
void qm_txn_reset(struct qm_txn *txn);

/*
 * Sets the reverse-path or adds a recipient: an addr-spec, or for `from` empty
 * (the null reverse-path). Stored in canonical quoting. QM_E_NONASCII when it
 * has bytes above 127 and the transaction is not marked utf8; the errors of
 * qm_addr_spec(); QM_E_LIMIT.
 */
enum qm_err qm_txn_set_from(struct qm_txn *txn,
                            struct qm_span path) QM_MUST_USE;
enum qm_err qm_txn_add_rcpt(struct qm_txn *txn,
                            struct qm_span path) QM_MUST_USE;

/*
 * What is asked of delivery reports: of the message, between sender and first
 * recipient; of the recipient just added. Errors as of qm_dsn_append_mail(),
 * QM_E_MISUSE, QM_E_LIMIT.
 */
enum qm_err qm_txn_set_dsn(struct qm_txn *txn,
                           const struct qm_dsn_mail *dsn) QM_MUST_USE;
enum qm_err qm_txn_set_rcpt_dsn(struct qm_txn *txn,
                                const struct qm_dsn_rcpt *dsn) QM_MUST_USE;

/* The reverse-path, and what MAIL asks of delivery reports. */
struct qm_span qm_txn_from(const struct qm_txn *txn);
struct qm_dsn_mail qm_txn_dsn(const struct qm_txn *txn);

/*
 * The recipient to be written next; moves on to the one after it. `dsn_out`
 * gets what is asked of its reports; may be NULL.
 */
struct qm_span qm_txn_next_rcpt(struct qm_txn *txn,
                                struct qm_dsn_rcpt *dsn_out);

QM_DECLS_END

#endif
