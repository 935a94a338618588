/*
 * qm_dkim.h: what DKIM signs of one message (RFC 6376 section 3.7).
 *
 * A message is read once, in pieces: its header is kept, of its body there is
 * a hash alone. Then any number of signatures can be made of it. Who signs,
 * which fields, and what the DKIM-Signature field looks like is the caller's.
 */
#ifndef QM_DKIM_H
#define QM_DKIM_H

#include "codec/qm_canon.h"
#include "crypto/qm_digest.h"
#include "crypto/qm_key.h"

enum {
    QM_DKIM_HEAD_MAX = 8 * 1024 * 1024, /* more than a message of ours has */
    QM_DKIM_NAMES_MAX = 500,            /* fields that one signature covers */
    QM_DKIM_HASH_SIZE = 32,
    QM_DKIM_FORMS = 2 /* simple, relaxed */
};

struct qm_dkim {
    struct qm_buf head;                    /* the fields, CRLF at each end */
    size_t line_len;                       /* of the line that has no end yet */
    bool in_body;                          /* the empty line was seen */
    bool ended;                            /* the hashes are made */
    bool wanted[QM_DKIM_FORMS];            /* by qm_dkim_form() */
    struct qm_canon canon[QM_DKIM_FORMS];  /* of the body */
    struct qm_digest_run run[QM_DKIM_FORMS];
    unsigned char hash[QM_DKIM_FORMS][QM_DKIM_HASH_SIZE];
};

/* A signature to be made. */
struct qm_dkim_plan {
    struct qm_span names; /* "From:To:From"; white space around is allowed */
    bool relaxed;         /* how fields are seen */
    struct qm_span field; /* "DKIM-Signature: ...; b=", without CRLF */
};

QM_DECLS_BEGIN

/* The forms of the body that are wanted; freed by deinit, also on error. */
enum qm_err qm_dkim_init(struct qm_dkim *dkim, bool simple,
                         bool relaxed) QM_MUST_USE;
void qm_dkim_deinit(struct qm_dkim *dkim);

/* The message, with CRLF line ends, in pieces; then its end. */
enum qm_err qm_dkim_update(struct qm_dkim *dkim,
                           struct qm_span bytes) QM_MUST_USE;
enum qm_err qm_dkim_finish(struct qm_dkim *dkim) QM_MUST_USE;

/* How many fields have this name, of a message that was read to the end. */
size_t qm_dkim_count(const struct qm_dkim *dkim, struct qm_span name);

/* The value of `bh=`, base64; QM_E_MISUSE for a form that was not wanted. */
enum qm_err qm_dkim_body_hash(const struct qm_dkim *dkim, bool relaxed,
                              struct qm_buf *out) QM_MUST_USE;

/*
 * The value of `b=`, base64 without breaks. A name takes the last field of
 * this name that none before it took, or nothing (RFC 6376 section 5.4.2).
 * QM_E_LIMIT for more than QM_DKIM_NAMES_MAX names.
 */
enum qm_err qm_dkim_sign(const struct qm_dkim *dkim,
                         const struct qm_dkim_plan *plan,
                         const struct qm_key *key,
                         struct qm_buf *out) QM_MUST_USE;

QM_DECLS_END

#endif
