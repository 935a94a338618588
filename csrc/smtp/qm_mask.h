/*
 * qm_mask.h: hides secrets in what a server says.
 *
 * Some servers repeat the login in a reply, also in one to a later command. The
 * secrets are kept for that, in buffers that are wiped, as long as the session
 * may show what it hears. Finding them is linear in the text whatever text and
 * secrets are (Knuth, Morris, Pratt).
 */
#ifndef QM_MASK_H
#define QM_MASK_H

#include "base/qm_buf.h"

enum {
    /* password and token, plain and in base64, and the responses of a login */
    QM_MASK_MAX = 10,
    /* Shorter ones are words of any text; masking them would hide nothing. */
    QM_MASK_LEN_MIN = 4,
    QM_MASK_LEN_MAX = 16 * 1024
};

struct qm_mask {
    struct qm_buf secrets;    /* one behind the other */
    struct qm_buf borders;    /* two bytes for each byte of them */
    size_t ends[QM_MASK_MAX]; /* offset just past each */
    unsigned count;
};

QM_DECLS_BEGIN

/* No allocation. */
void qm_mask_init(struct qm_mask *mask);

/* Wipes and frees; nothing is masked any more. May be called again. */
void qm_mask_deinit(struct qm_mask *mask);

/*
 * Copies a secret, or base64 made of one, with or without its padding. Too
 * short ones are ignored. QM_E_MEMORY or QM_E_LIMIT.
 */
enum qm_err qm_mask_add(struct qm_mask *mask,
                        struct qm_span secret) QM_MUST_USE;

/*
 * Overwrites with asterisks wherever `text` holds a secret, and the padding of
 * base64 behind it. The last ones added go first.
 */
void qm_mask_apply(const struct qm_mask *mask, char *text, size_t len);

QM_DECLS_END

#endif
