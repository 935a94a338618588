/*
 * lq_tls.c: the module qqmail.tls: contexts and filters (tls/) for Lua.
 */
#include "base/qm_version.h"
#include "lua/lq_util.h"
#include "lua/lq_waiting.h"
#include "tls/qm_tls.h"
#include "tls/qm_tls_bind.h"
#include "tls/qm_tls_cache.h"
#include "tls/qm_tls_info.h"

#define CONTEXT_CLASS "qqmail.tls_context"
#define FILTER_CLASS  "qqmail.tls_filter"
#define CACHE_CLASS   "qqmail.tls_cache"

enum { READ_MAX = QM_TLS_RECORD_MAX };

struct lq_tls_context {
    struct qm_tls_ctx *ctx; /* one reference; NULL when closed */
};

QM_EXPORT int luaopen_qqmail_tls(lua_State *L);

/* --- context -------------------------------------------------------------- */

static const char *const option_names[] = {
    "ca_file", "ca_path", "verify", "min_version", "max_version",
    "cert",    "key",     "server", "ciphers",
};

/* A misspelt option must not silently mean the default. */
static void check_option_names(lua_State *L, int table)
{
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        const char *name = NULL;
        size_t i;

        if (lua_type(L, -2) == LUA_TSTRING) {
            name = lua_tostring(L, -2);
        }
        for (i = 0; name != NULL && i < QM_COUNTOF(option_names); i++) {
            if (strcmp(name, option_names[i]) == 0) {
                break;
            }
        }
        if (name == NULL || i == QM_COUNTOF(option_names)) {
            luaL_error(L, "unknown option '%s'", name != NULL ? name : "?");
        }
        lua_pop(L, 1);
    }
}

/* False for a text that names no version. */
static bool field_version(lua_State *L, int table, const char *key,
                          enum qm_tls_version *version_out)
{
    static const char *const names[] = { "1.0", "1.1", "1.2", "1.3" };
    const char *text = lq_field_text(L, table, key);
    size_t i;

    *version_out = QM_TLS_VERSION_DEFAULT;
    if (text == NULL) {
        return true;
    }
    for (i = 0; i < QM_COUNTOF(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *version_out = (enum qm_tls_version)(QM_TLS_VERSION_1_0 + i);
            return true;
        }
    }
    return false;
}

/* The texts belong to the table. False when a version is unknown. */
static bool read_options(lua_State *L, int table,
                         struct qm_tls_options *options)
{
    check_option_names(L, table);
    memset(options, 0, sizeof(*options));
    options->ca_file = lq_field_text(L, table, "ca_file");
    options->ca_path = lq_field_text(L, table, "ca_path");
    options->cert = lq_field_text(L, table, "cert");
    options->key = lq_field_text(L, table, "key");
    options->ciphers = lq_field_text(L, table, "ciphers");
    options->server = lq_field_bool(L, table, "server", false);
    options->verify = lq_field_bool(L, table, "verify", !options->server);
    return field_version(L, table, "min_version", &options->min_version) &&
           field_version(L, table, "max_version", &options->max_version);
}

/* tls.context([options]); upvalue 1 is the cache. */
static int l_tls_context(lua_State *L)
{
    struct qm_tls_cache *cache = lua_touserdata(L, lua_upvalueindex(1));
    struct lq_tls_context *context;
    struct qm_tls_options options;
    struct qm_tls_text why;
    enum qm_err err;

    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (!read_options(L, 1, &options)) {
        return lq_push_error_text(
            L, QM_E_UNSUPPORTED,
            "a TLS version is \"1.0\", \"1.1\", \"1.2\" or \"1.3\"");
    }
    context = lq_new_object(L, sizeof(*context), CONTEXT_CLASS);
    if (options.server) {
        err = qm_tls_ctx_open(&options, &context->ctx, &why);
    } else {
        err = qm_tls_cache_get(cache, &options, &context->ctx, &why);
    }
    if (err != QM_OK) {
        return lq_push_error_text(L, err, why.len > 0 ? why.bytes : NULL);
    }
    return 1;
}

/* tls.context when the module is not usable; upvalue 1 says why. */
static int l_tls_no_context(lua_State *L)
{
    return lq_push_error_text(L, QM_E_UNSUPPORTED,
                              lua_tostring(L, lua_upvalueindex(1)));
}

static struct lq_tls_context *check_context(lua_State *L)
{
    return luaL_checkudata(L, 1, CONTEXT_CLASS);
}

static int closed_context(lua_State *L)
{
    return lq_push_error_text(L, QM_E_MISUSE, "the context is closed");
}

static int l_context_client(lua_State *L)
{
    struct lq_tls_context *context = check_context(L);
    struct qm_span server_name = lq_opt_span(L, 2, "");
    struct qm_span session_key = lq_opt_span(L, 3, "");
    struct qm_tls *tls;
    enum qm_err err;

    if (context->ctx == NULL) {
        return closed_context(L);
    }
    tls = lq_new_object(L, sizeof(*tls), FILTER_CLASS);
    err = qm_tls_open_client(tls, context->ctx, server_name, session_key);
    if (err == QM_E_MISUSE || err == QM_E_MEMORY) {
        return lq_push_error(L, err);
    }
    if (err != QM_OK) {
        lua_pushfstring(L, "server name or session key %s", qm_err_text(err));
        return lq_push_error_text(L, err, lua_tostring(L, -1));
    }
    return 1;
}

static int l_context_server(lua_State *L)
{
    struct lq_tls_context *context = check_context(L);
    struct qm_tls *tls;
    enum qm_err err;

    if (context->ctx == NULL) {
        return closed_context(L);
    }
    tls = lq_new_object(L, sizeof(*tls), FILTER_CLASS);
    err = qm_tls_open_server(tls, context->ctx);
    return err == QM_OK ? 1 : lq_push_error(L, err);
}

/* Contexts made from the same cached one have the same text. */
static int l_context_tostring(lua_State *L)
{
    struct lq_tls_context *context = check_context(L);

    if (context->ctx == NULL) {
        lua_pushliteral(L, CONTEXT_CLASS " (closed)");
    } else {
        lua_pushfstring(L, CONTEXT_CLASS ": %p", (void *)context->ctx);
    }
    return 1;
}

static int l_context_close(lua_State *L)
{
    struct lq_tls_context *context = check_context(L);

    qm_tls_ctx_release(context->ctx);
    context->ctx = NULL;
    return 0;
}

static int l_cache_close(lua_State *L)
{
    qm_tls_cache_deinit(luaL_checkudata(L, 1, CACHE_CLASS));
    return 0;
}

/* --- filter --------------------------------------------------------------- */

static struct qm_tls *check_filter(lua_State *L)
{
    return luaL_checkudata(L, 1, FILTER_CLASS);
}

static int push_failure(lua_State *L, const struct qm_tls *tls, enum qm_err err)
{
    if (err == QM_E_MISUSE && tls->ctx == NULL) {
        return lq_push_error_text(L, err, "the filter is closed");
    }
    if (err != QM_E_AGAIN && err != QM_E_CLOSED && err != QM_E_TLS) {
        return lq_push_error(L, err);
    }
    lua_pushnil(L);
    if (err == QM_E_TLS) {
        lua_pushstring(L, qm_tls_code_name(tls->code));
        lua_pushlstring(L, tls->text.bytes, tls->text.len);
        return 3;
    }
    lua_pushstring(L, qm_err_name(err));
    return 2;
}

static int push_done(lua_State *L, const struct qm_tls *tls, enum qm_err err)
{
    if (err != QM_OK) {
        return push_failure(L, tls, err);
    }
    lua_pushboolean(L, true);
    return 1;
}

static int l_filter_handshake(lua_State *L)
{
    struct qm_tls *tls = check_filter(L);

    return push_done(L, tls, qm_tls_handshake(tls));
}

static int l_filter_feed(lua_State *L)
{
    struct qm_tls *tls = check_filter(L);

    return push_done(L, tls, qm_tls_feed(tls, lq_check_span(L, 2)));
}

static int l_filter_eof(lua_State *L)
{
    qm_tls_eof(check_filter(L));
    return 0;
}

static int l_filter_read(lua_State *L)
{
    struct qm_tls *tls = check_filter(L);
    int64_t max = READ_MAX;
    char plain[READ_MAX];
    size_t len;
    enum qm_err err;

    if (!lua_isnoneornil(L, 2)) {
        max = lq_check_integer(L, 2, 1, INT32_MAX);
    }
    if (max > READ_MAX) {
        max = READ_MAX;
    }
    err = qm_tls_read(tls, plain, (size_t)max, &len);
    if (err != QM_OK) {
        return push_failure(L, tls, err);
    }
    lua_pushlstring(L, plain, len);
    return 1;
}

/* filter:write(plain[, first]): from byte `first` on, counted from 1. */
static int l_filter_write(lua_State *L)
{
    struct qm_tls *tls = check_filter(L);
    struct qm_span plain = lq_check_bytes(L, 2);
    size_t accepted;
    enum qm_err err;

    if (!lua_isnoneornil(L, 3)) {
        int64_t first = lq_check_integer(L, 3, 1, (int64_t)plain.len + 1);

        plain = qm_span_from(plain, (size_t)first - 1);
    }
    err = qm_tls_write(tls, plain, &accepted);
    if (err != QM_OK) {
        return push_failure(L, tls, err);
    }
    lua_pushinteger(L, (lua_Integer)accepted);
    return 1;
}

static int l_filter_output(lua_State *L)
{
    struct qm_span waiting = qm_tls_output(check_filter(L));
    int64_t max = INT32_MAX;

    if (!lua_isnoneornil(L, 2)) {
        max = lq_check_integer(L, 2, 1, INT32_MAX);
    }
    if (waiting.len == 0) {
        return 0;
    }
    if (waiting.len > (size_t)max) {
        waiting.len = (size_t)max;
    }
    lua_pushlstring(L, waiting.ptr, waiting.len);
    return 1;
}

static int l_filter_sent(lua_State *L)
{
    struct qm_tls *tls = check_filter(L);
    int64_t len = lq_check_integer(L, 2, 0, INT32_MAX);
    uint64_t plain;
    enum qm_err err = qm_tls_sent(tls, (size_t)len, &plain);

    if (err != QM_OK) {
        return push_failure(L, tls, err);
    }
    lua_pushinteger(L, (lua_Integer)plain);
    return 1;
}

static int l_filter_shutdown(lua_State *L)
{
    qm_tls_shutdown(check_filter(L));
    return 0;
}

/* Seconds since 1970 need more than the 32 bits of some lua_Integer. */
static void set_seconds(lua_State *L, const char *key, int64_t seconds)
{
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, (lua_Integer)seconds);
#else
    lua_pushnumber(L, (lua_Number)seconds);
#endif
    lua_setfield(L, -2, key);
}

static void set_text(lua_State *L, const char *key, const char *text)
{
    if (text != NULL) {
        lua_pushstring(L, text);
        lua_setfield(L, -2, key);
    }
}

static void set_flag(lua_State *L, const char *key, bool flag)
{
    lua_pushboolean(L, flag);
    lua_setfield(L, -2, key);
}

static void set_names(lua_State *L, struct qm_span names)
{
    size_t at = 0;
    int count = 0;

    lua_newtable(L);
    while (at < names.len) {
        lua_pushstring(L, names.ptr + at);
        at += strlen(names.ptr + at) + 1;
        lua_rawseti(L, -2, ++count);
    }
    lua_setfield(L, -2, "names");
}

static void set_cert(lua_State *L, const struct qm_tls_info_cert *cert)
{
    set_text(L, "subject", cert->subject.bytes);
    set_text(L, "issuer", cert->issuer.bytes);
    set_seconds(L, "not_before", cert->not_before);
    set_seconds(L, "not_after", cert->not_after);
}

static void set_chain(lua_State *L, struct qm_tls *tls)
{
    struct qm_tls_info_cert cert;
    int index;

    lua_newtable(L);
    for (index = 0; qm_tls_info_chain(tls, index, &cert); index++) {
        lua_createtable(L, 0, 4);
        set_cert(L, &cert);
        lua_rawseti(L, -2, index + 1);
    }
    lua_setfield(L, -2, "chain");
}

/* What there is; the certificates are there after a refusal too. */
static int l_filter_info(lua_State *L)
{
    struct qm_tls *tls = check_filter(L);
    struct qm_tls_info info;

    qm_tls_info(tls, &info);
    lua_newtable(L);
    set_text(L, "version", info.version);
    set_text(L, "cipher", info.cipher);
    set_flag(L, "resumed", info.resumed);
    set_flag(L, "verified", info.verified);
    set_flag(L, "plain_smtp", info.plain_smtp);
    if (info.has_cert) {
        set_cert(L, &info.cert);
        set_names(L, info.names);
        set_chain(L, tls);
    }
    if (info.problem != QM_TLS_OK) {
        set_text(L, "problem", qm_tls_code_name(info.problem));
        set_text(L, "problem_text", info.problem_text);
    }
    return 1;
}

/*
 * filter:binding([name]) -> name, data: see qm_tls_bind.h; nil, name and text
 * of an error when there is none.
 */
static int l_filter_binding(lua_State *L)
{
    struct qm_tls_bind bind;
    enum qm_err err;

    err = qm_tls_bind(check_filter(L), luaL_optstring(L, 2, NULL), &bind);
    if (err != QM_OK) {
        return lq_push_error(L, err);
    }
    lua_pushstring(L, bind.name);
    lua_pushlstring(L, (const char *)bind.data, bind.len);
    return 2;
}

static int l_filter_close(lua_State *L)
{
    qm_tls_close(check_filter(L));
    return 0;
}

/* --- module --------------------------------------------------------------- */

static const luaL_Reg no_methods[] = { { NULL, NULL } };

static const luaL_Reg context_methods[] = {
    { "client", l_context_client },
    { "server", l_context_server },
    { "close", l_context_close },
    { NULL, NULL },
};

static const luaL_Reg context_metamethods[] = {
    { "__tostring", l_context_tostring },
    { NULL, NULL },
};

static const luaL_Reg filter_methods[] = {
    { "handshake", l_filter_handshake },
    { "feed", l_filter_feed },
    { "eof", l_filter_eof },
    { "read", l_filter_read },
    { "write", l_filter_write },
    { "output", l_filter_output },
    { "sent", l_filter_sent },
    { "shutdown", l_filter_shutdown },
    { "info", l_filter_info },
    { "binding", l_filter_binding },
    { "close", l_filter_close },
    { NULL, NULL },
};

static struct qm_span waiting_output(lua_State *L, int arg)
{
    return qm_tls_output(luaL_checkudata(L, arg, FILTER_CLASS));
}

static const struct lq_waiting filter_offer = { waiting_output };

static void register_classes(lua_State *L)
{
    lq_class(L, CACHE_CLASS, no_methods, NULL, l_cache_close);
    lq_class(L, CONTEXT_CLASS, context_methods, context_metamethods,
             l_context_close);
    lq_class(L, FILTER_CLASS, filter_methods, NULL, l_filter_close);
    lq_waiting_offer(L, FILTER_CLASS, &filter_offer);
}

int luaopen_qqmail_tls(lua_State *L)
{
    struct qm_tls_text why;
    bool usable = qm_tls_library_fits(&why);

    register_classes(L);
    lua_newtable(L);
    set_text(L, "_VERSION", QM_VERSION);
    set_text(L, "openssl", qm_tls_library_text());
    set_flag(L, "usable", usable);
    if (usable) {
        (void)lq_new_object(L, sizeof(struct qm_tls_cache), CACHE_CLASS);
        lua_pushcclosure(L, l_tls_context, 1);
    } else {
        set_text(L, "why", why.bytes);
        lua_pushstring(L, why.bytes);
        lua_pushcclosure(L, l_tls_no_context, 1);
    }
    lua_setfield(L, -2, "context");
    return 1;
}
