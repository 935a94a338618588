#include "tls/qm_tls_store.h"

#include "base/qm_mem.h"

#include <openssl/ssl.h>

static void free_place(struct qm_tls_stored *place)
{
    SSL_SESSION_free(place->session);
    qm_mem_free(place->key);
    memset(place, 0, sizeof(*place));
}

void qm_tls_store_deinit(struct qm_tls_store *store)
{
    size_t i;

    for (i = 0; i < QM_TLS_STORE_MAX; i++) {
        free_place(&store->places[i]);
    }
}

static struct qm_tls_stored *find(struct qm_tls_store *store,
                                  struct qm_span key)
{
    size_t i;

    for (i = 0; i < QM_TLS_STORE_MAX; i++) {
        struct qm_tls_stored *place = &store->places[i];

        if (place->key != NULL &&
            qm_span_equal(qm_span_make(place->key, place->key_len), key)) {
            return place;
        }
    }
    return NULL;
}

/* A free place has never been used, so it is the oldest of all. */
static struct qm_tls_stored *oldest(struct qm_tls_store *store)
{
    struct qm_tls_stored *found = &store->places[0];
    size_t i;

    for (i = 1; i < QM_TLS_STORE_MAX; i++) {
        if (store->places[i].used < found->used) {
            found = &store->places[i];
        }
    }
    return found;
}

enum qm_err qm_tls_store_put(struct qm_tls_store *store, struct qm_span key,
                             SSL_SESSION *session)
{
    struct qm_tls_stored *place = find(store, key);
    char *copy = qm_mem_alloc(key.len);

    if (copy == NULL) {
        SSL_SESSION_free(session);
        return QM_E_MEMORY;
    }
    memcpy(copy, key.ptr, key.len);
    if (place == NULL) {
        place = oldest(store);
    }
    free_place(place);
    place->key = copy;
    place->key_len = key.len;
    place->session = session;
    place->used = ++store->clock;
    return QM_OK;
}

SSL_SESSION *qm_tls_store_find(struct qm_tls_store *store, struct qm_span key)
{
    struct qm_tls_stored *place = find(store, key);

    if (place == NULL) {
        return NULL;
    }
    place->used = ++store->clock;
    return place->session;
}

void qm_tls_store_remove(struct qm_tls_store *store, struct qm_span key)
{
    struct qm_tls_stored *place = find(store, key);

    if (place != NULL) {
        free_place(place);
    }
}

size_t qm_tls_store_count(const struct qm_tls_store *store)
{
    size_t count = 0;
    size_t i;

    for (i = 0; i < QM_TLS_STORE_MAX; i++) {
        count += store->places[i].key != NULL;
    }
    return count;
}
