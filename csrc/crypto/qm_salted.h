/*
 * qm_salted.h: the salted password of SCRAM, remembered.
 *
 * A server wants the same password hashed with the same salt as many times at
 * each login, thousands of times. RFC 5802 section 5.1 lets a client keep the
 * result. It is worth as much as the password: wiped when it is forgotten.
 */
#ifndef QM_SALTED_H
#define QM_SALTED_H

#include "base/qm_buf.h"
#include "crypto/qm_digest.h"

/* Embedded by its user; zeroed it knows nothing. */
struct qm_salted {
    struct qm_buf made_of; /* password, then salt; empty: nothing is known */
    size_t password_len;
    enum qm_digest digest;
    uint32_t rounds;
    unsigned char value[QM_DIGEST_SIZE_MAX];
};

struct qm_salted_need {
    enum qm_digest digest;
    struct qm_span password;
    struct qm_span salt; /* never empty */
    uint32_t rounds;
};

QM_DECLS_BEGIN

/*
 * Puts SaltedPassword (RFC 5802 section 3) into `out`, which has room for
 * qm_digest_size() bytes: from `salted` (may be NULL) when it was the last that
 * was asked for, else made, and remembered there if memory allows.
 */
enum qm_err qm_salted_get(struct qm_salted *salted,
                          const struct qm_salted_need *need,
                          unsigned char *out) QM_MUST_USE;

void qm_salted_forget(struct qm_salted *salted);

QM_DECLS_END

#endif
