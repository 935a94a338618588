/*
 * qm_tls_marks.h: which plaintext has left once so many cipher bytes have?
 *
 * A record can be decrypted only whole. So a byte of plaintext counts as sent
 * when the last byte of its record is handed over, not earlier.
 */
#ifndef QM_TLS_MARKS_H
#define QM_TLS_MARKS_H

#include "base/qm_base.h"

/* Records that may wait; small ones (commands) are the reason for a limit. */
enum { QM_TLS_MARKS_MAX = 64 };

/* Both positions count from the start of the connection, in bytes. */
struct qm_tls_mark {
    uint64_t cipher_end; /* position after the record */
    uint64_t plain_end;  /* position after its plaintext */
};

/* Zeroed is empty. */
struct qm_tls_marks {
    struct qm_tls_mark ring[QM_TLS_MARKS_MAX];
    size_t first;        /* index of the oldest mark */
    size_t count;        /* marks in use */
    uint64_t plain_made; /* plaintext put into records */
    uint64_t plain_sent; /* plaintext of records handed over */
};

QM_DECLS_BEGIN

bool qm_tls_marks_full(const struct qm_tls_marks *marks);

/* A record of `plain_len` bytes ends at `cipher_end`. There must be room. */
void qm_tls_marks_add(struct qm_tls_marks *marks, uint64_t cipher_end,
                      size_t plain_len);

/*
 * All cipher bytes before `cipher_sent` are handed over. Returns how many
 * bytes of plaintext that completes, beyond what was reported before.
 */
uint64_t qm_tls_marks_pass(struct qm_tls_marks *marks, uint64_t cipher_sent);

QM_DECLS_END

#endif
