/*
 * qm_tls_store.h: the last session of each server, for resumption.
 *
 * A small table that forgets the entry used longest ago. It owns copies of
 * the keys and one reference to each session.
 */
#ifndef QM_TLS_STORE_H
#define QM_TLS_STORE_H

#include "base/qm_err.h"
#include "base/qm_span.h"

struct ssl_session_st;

enum { QM_TLS_STORE_MAX = 16 };

struct qm_tls_stored {
    char *key;                      /* heap, NULL when the place is free */
    size_t key_len;                 /* bytes; the key may hold NUL */
    struct ssl_session_st *session; /* one reference */
    uint64_t used;                  /* the store's clock at the last use */
};

/* Zeroed is empty. */
struct qm_tls_store {
    struct qm_tls_stored places[QM_TLS_STORE_MAX];
    uint64_t clock; /* counts uses */
};

QM_DECLS_BEGIN

void qm_tls_store_deinit(struct qm_tls_store *store);

/*
 * Takes over the reference to `session`, also on failure, and replaces an
 * older session of the same key. QM_E_MEMORY leaves the store as it was.
 */
enum qm_err qm_tls_store_put(struct qm_tls_store *store, struct qm_span key,
                             struct ssl_session_st *session);

/* The session, still owned by the store, or NULL. */
struct ssl_session_st *qm_tls_store_find(struct qm_tls_store *store,
                                         struct qm_span key);

void qm_tls_store_remove(struct qm_tls_store *store, struct qm_span key);

size_t qm_tls_store_count(const struct qm_tls_store *store);

QM_DECLS_END

#endif
