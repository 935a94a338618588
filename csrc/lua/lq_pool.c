#include "lua/lq_pool.h"

#include "base/qm_mem.h"
#include "lua/lq_util.h"

#define CLASS "qqmail.pool"

/* As many as are dead between two rounds of a collector, or nearly. */
enum { KEPT_MOST = 64 };

struct lq_pool {
    struct qm_message *kept[KEPT_MOST];
    size_t count;
    char *scratch;
    bool is_closed; /* the state ends: messages may be collected after us */
};

static void destroy(struct qm_message *message)
{
    qm_message_deinit(message);
    qm_mem_free(message);
}

static int l_pool_close(lua_State *L)
{
    struct lq_pool *pool = luaL_checkudata(L, 1, CLASS);

    pool->is_closed = true;
    while (pool->count > 0) {
        destroy(pool->kept[--pool->count]);
    }
    qm_mem_free(pool->scratch);
    pool->scratch = NULL;
    return 0;
}

void lq_pool_push(lua_State *L)
{
    static const luaL_Reg methods[] = { { NULL, NULL } };

    lua_getfield(L, LUA_REGISTRYINDEX, CLASS ".one");
    if (!lua_isnil(L, -1)) {
        return;
    }
    lua_pop(L, 1);
    lq_class(L, CLASS, methods, NULL, l_pool_close);
    (void)lq_new_object(L, sizeof(struct lq_pool), CLASS);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, CLASS ".one");
}

struct qm_message *lq_pool_take(struct lq_pool *pool)
{
    struct qm_message *message;

    if (pool->count > 0) {
        return pool->kept[--pool->count];
    }
    message = qm_mem_alloc(sizeof(*message));
    if (message != NULL) {
        qm_message_init(message);
    }
    return message;
}

char *lq_pool_scratch(struct lq_pool *pool)
{
    if (pool->scratch == NULL) {
        pool->scratch = qm_mem_alloc(LQ_POOL_SCRATCH);
    }
    return pool->scratch;
}

void lq_pool_give(struct lq_pool *pool, struct qm_message *message)
{
    if (pool->is_closed || pool->count == KEPT_MOST) {
        destroy(message);
        return;
    }
    qm_message_reset(message);
    pool->kept[pool->count++] = message;
}
