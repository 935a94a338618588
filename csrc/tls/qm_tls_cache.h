/*
 * qm_tls_cache.h: the contexts of one Lua state, found by their options.
 *
 * The key holds every option, and size and time of every file named, so that
 * a renewed certificate is picked up by the next request. What is dropped
 * from the cache lives on as long as somebody uses it.
 */
#ifndef QM_TLS_CACHE_H
#define QM_TLS_CACHE_H

#include "tls/qm_tls_ctx.h"

enum { QM_TLS_CACHE_MAX = 16 };

struct qm_tls_cached {
    char *key;              /* heap, NULL when the place is free */
    size_t key_len;         /* bytes */
    struct qm_tls_ctx *ctx; /* one reference */
    uint64_t used;          /* the cache's clock at the last use */
};

/* Zeroed is empty. */
struct qm_tls_cache {
    struct qm_tls_cached places[QM_TLS_CACHE_MAX];
    uint64_t clock; /* counts uses */
};

QM_DECLS_BEGIN

void qm_tls_cache_deinit(struct qm_tls_cache *cache);

/*
 * The context for these options, made when it is not there yet. The caller
 * gets a reference of his own. Errors as qm_tls_ctx_open().
 */
enum qm_err qm_tls_cache_get(struct qm_tls_cache *cache,
                             const struct qm_tls_options *options,
                             struct qm_tls_ctx **ctx_out,
                             struct qm_tls_text *why) QM_MUST_USE;

QM_DECLS_END

#endif
