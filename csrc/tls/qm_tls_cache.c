#include "tls/qm_tls_cache.h"

#include "base/qm_buf.h"
#include "base/qm_mem.h"
#include "tls/qm_tls_trust.h"

#include <sys/stat.h>

enum { KEY_CAP = 32768 }; /* five paths of PATH_MAX and some numbers */

static void free_place(struct qm_tls_cached *place)
{
    qm_tls_ctx_release(place->ctx);
    qm_mem_free(place->key);
    memset(place, 0, sizeof(*place));
}

void qm_tls_cache_deinit(struct qm_tls_cache *cache)
{
    size_t i;

    for (i = 0; i < QM_TLS_CACHE_MAX; i++) {
        free_place(&cache->places[i]);
    }
}

/* A NUL ends each part; an absent text differs from an empty one. */
static void add_text(struct qm_buf *key, const char *text)
{
    (void)qm_buf_append_char(key, text != NULL ? '+' : '-');
    (void)qm_buf_append_text(key, text != NULL ? text : "");
    (void)qm_buf_append_char(key, '\0');
}

static void add_number(struct qm_buf *key, uint64_t number)
{
    (void)qm_buf_append_u64(key, number);
    (void)qm_buf_append_char(key, '\0');
}

/* A file that cannot be seen is an error for qm_tls_ctx_open(), not here. */
static void add_file(struct qm_buf *key, const char *path)
{
    struct stat status;

    add_text(key, path);
    if (path == NULL || stat(path, &status) != 0) {
        return;
    }
    add_number(key, (uint64_t)status.st_dev);
    add_number(key, (uint64_t)status.st_ino);
    add_number(key, (uint64_t)status.st_size);
    add_number(key, (uint64_t)status.st_mtime);
#if defined(st_mtime) && !defined(__APPLE__)
    add_number(key, (uint64_t)status.st_mtim.tv_nsec);
#endif
}

static enum qm_err make_key(struct qm_buf *key,
                            const struct qm_tls_options *options)
{
    bool system = options->ca_file == NULL && options->ca_path == NULL;

    add_number(key, (uint64_t)options->min_version);
    add_number(key, (uint64_t)options->max_version);
    add_number(key, options->verify);
    add_number(key, options->server);
    add_text(key, options->ciphers);
    add_file(key, system ? qm_tls_trust_default_file() : options->ca_file);
    add_file(key, system ? qm_tls_trust_default_path() : options->ca_path);
    add_number(key, system);
    add_file(key, options->cert);
    add_file(key, options->key);
    return key->err;
}

static struct qm_tls_cached *find(struct qm_tls_cache *cache,
                                  struct qm_span key)
{
    size_t i;

    for (i = 0; i < QM_TLS_CACHE_MAX; i++) {
        struct qm_tls_cached *place = &cache->places[i];

        if (place->key != NULL &&
            qm_span_equal(qm_span_make(place->key, place->key_len), key)) {
            return place;
        }
    }
    return NULL;
}

/* A free place has never been used, so it is the oldest of all. */
static struct qm_tls_cached *oldest(struct qm_tls_cache *cache)
{
    struct qm_tls_cached *found = &cache->places[0];
    size_t i;

    for (i = 1; i < QM_TLS_CACHE_MAX; i++) {
        if (cache->places[i].used < found->used) {
            found = &cache->places[i];
        }
    }
    return found;
}

static enum qm_err fill(struct qm_tls_cache *cache, struct qm_span key,
                        const struct qm_tls_options *options,
                        struct qm_tls_cached **place_out,
                        struct qm_tls_text *why)
{
    struct qm_tls_cached *place;
    struct qm_tls_ctx *ctx;
    char *copy;
    enum qm_err err = qm_tls_ctx_open(options, &ctx, why);

    if (err != QM_OK) {
        return err;
    }
    copy = qm_mem_alloc(key.len);
    if (copy == NULL) {
        qm_tls_ctx_release(ctx);
        return QM_E_MEMORY;
    }
    memcpy(copy, key.ptr, key.len);
    place = oldest(cache);
    free_place(place);
    place->key = copy;
    place->key_len = key.len;
    place->ctx = ctx;
    *place_out = place;
    return QM_OK;
}

enum qm_err qm_tls_cache_get(struct qm_tls_cache *cache,
                             const struct qm_tls_options *options,
                             struct qm_tls_ctx **ctx_out,
                             struct qm_tls_text *why)
{
    struct qm_tls_cached *place = NULL;
    struct qm_buf key;
    enum qm_err err;

    *ctx_out = NULL;
    qm_tls_text_clear(why);
    qm_buf_init(&key, KEY_CAP, false);
    err = make_key(&key, options);
    if (err == QM_OK) {
        place = find(cache, qm_buf_span(&key));
    }
    if (err == QM_OK && place == NULL) {
        err = fill(cache, qm_buf_span(&key), options, &place, why);
    }
    qm_buf_deinit(&key);
    if (err != QM_OK) {
        return err;
    }
    place->used = ++cache->clock;
    *ctx_out = qm_tls_ctx_retain(place->ctx);
    return QM_OK;
}
