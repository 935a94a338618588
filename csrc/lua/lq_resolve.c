/*
 * lq_resolve.c: class "qqmail.resolver", look-ups for the module qqmail.net.
 */
#include "lua/lq_net.h"
#include "lua/lq_util.h"

#include "net/qm_errno.h"
#include "net/qm_resolve.h"

#define RESOLVER_CLASS "qqmail.resolver"
#define POOL_CLASS     "qqmail.resolve_pool"

struct lq_pool {
    struct qm_resolve_pool *pool;
};

struct lq_resolver {
    struct qm_resolve_job *job; /* NULL when closed */
};

static int l_pool_close(lua_State *L)
{
    struct lq_pool *holder = luaL_checkudata(L, 1, POOL_CLASS);

    qm_resolve_pool_drop(holder->pool);
    holder->pool = NULL;
    return 0;
}

/* The Lua state's pool, made when it is first needed. NULL without memory. */
static struct qm_resolve_pool *get_pool(lua_State *L)
{
    struct lq_pool *holder;

    lua_getfield(L, LUA_REGISTRYINDEX, POOL_CLASS ".instance");
    holder = lua_touserdata(L, -1);
    if (holder == NULL) {
        holder = lq_new_object(L, sizeof(*holder), POOL_CLASS);
        lua_setfield(L, LUA_REGISTRYINDEX, POOL_CLASS ".instance");
    }
    lua_pop(L, 1);
    if (holder->pool == NULL) {
        holder->pool = qm_resolve_pool_new(NULL);
    }
    return holder->pool;
}

static struct lq_resolver *check_resolver(lua_State *L, int arg)
{
    return luaL_checkudata(L, arg, RESOLVER_CLASS);
}

static int check_family(lua_State *L, int arg)
{
    static const char *const names[] = { "any", "inet", "inet6", NULL };
    static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };

    return families[luaL_checkoption(L, arg, "any", names)];
}

static int l_net_resolve(lua_State *L)
{
    const char *host = lq_net_check_text(L, 1);
    uint16_t port = (uint16_t)lq_check_integer(L, 2, 0, UINT16_MAX);
    int family = check_family(L, 3);
    struct qm_resolve_pool *pool = get_pool(L);
    struct lq_resolver *resolver;
    enum qm_err err;

    if (pool == NULL) {
        return lq_push_error(L, QM_E_MEMORY);
    }
    resolver = lq_new_object(L, sizeof(*resolver), RESOLVER_CLASS);
    err = qm_resolve_start(pool, host, port, family, &resolver->job);
    if (err == QM_OK) {
        return 1;
    }
    if (err == QM_E_LIMIT) {
        return lq_push_error_text(L, err, "too many look-ups are under way");
    }
    if (err == QM_E_EMPTY || err == QM_E_TOO_LONG) {
        return lq_net_push_argument_error(L, "the host name", err);
    }
    return lq_net_push_error(L, err);
}

/* nil when there is nothing to wait for. */
static int l_resolver_fd(lua_State *L)
{
    struct lq_resolver *resolver = check_resolver(L, 1);

    if (resolver->job == NULL || qm_resolve_fd(resolver->job) < 0) {
        lua_pushnil(L);
    } else {
        lua_pushinteger(L, qm_resolve_fd(resolver->job));
    }
    return 1;
}

static int push_resolve_error(lua_State *L, int eai)
{
    lua_pushnil(L);
    lua_pushfstring(L, "resolve.%s", qm_errno_resolve_name(eai));
    lua_pushstring(L, qm_errno_resolve_text(eai));
    return 3;
}

static int l_resolver_result(lua_State *L)
{
    struct lq_resolver *resolver = check_resolver(L, 1);
    const struct qm_resolve_list *list;
    enum qm_err err;
    size_t i;
    int eai;

    if (resolver->job == NULL) {
        return lq_push_error(L, QM_E_CLOSED);
    }
    err = qm_resolve_result(resolver->job, &list, &eai);
    if (err != QM_OK) {
        return lq_net_push_error(L, err);
    }
    if (eai != 0) {
        return push_resolve_error(L, eai);
    }
    lua_createtable(L, (int)list->len, 0);
    for (i = 0; i < list->len; i++) {
        lq_net_push_address(L, &list->items[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

static int l_resolver_close(lua_State *L)
{
    struct lq_resolver *resolver = check_resolver(L, 1);

    qm_resolve_drop(resolver->job);
    resolver->job = NULL;
    return 0;
}

static const luaL_Reg resolver_methods[] = {
    { "fd", l_resolver_fd },
    { "result", l_resolver_result },
    { "close", l_resolver_close },
    { NULL, NULL },
};

static const luaL_Reg no_methods[] = { { NULL, NULL } };

static const luaL_Reg functions[] = {
    { "resolve", l_net_resolve },
    { NULL, NULL },
};

void lq_resolve_open(lua_State *L)
{
    lq_class(L, RESOLVER_CLASS, resolver_methods, NULL, l_resolver_close);
    lq_class(L, POOL_CLASS, no_methods, NULL, l_pool_close);
    lq_setfuncs(L, functions);
}
