#include "lua/lq_waiting.h"

#include "lua/lq_util.h"

#define OFFER "__waiting"

/* The offer of an object's class, NULL when there is none. */
static const struct lq_waiting *offer_of(lua_State *L, int arg)
{
    const struct lq_waiting *offer = NULL;

    if (lua_isuserdata(L, arg) && luaL_getmetafield(L, arg, OFFER)) {
        offer = lua_touserdata(L, -1);
        lua_pop(L, 1);
    }
    return offer;
}

struct qm_span lq_check_bytes(lua_State *L, int arg)
{
    const struct lq_waiting *offer = offer_of(L, arg);

    return offer != NULL ? offer->look(L, arg) : lq_check_span(L, arg);
}

static int l_waiting(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)lq_check_bytes(L, 1).len);
    return 1;
}

void lq_waiting_offer(lua_State *L, const char *class_name,
                      const struct lq_waiting *offer)
{
    luaL_getmetatable(L, class_name);
    lua_pushlightuserdata(L, (void *)(uintptr_t)offer);
    lua_setfield(L, -2, OFFER);
    lua_getfield(L, -1, "__index");
    lua_pushcfunction(L, l_waiting);
    lua_setfield(L, -2, "waiting");
    lua_pop(L, 2);
}
