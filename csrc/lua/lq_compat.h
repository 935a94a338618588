/*
 * lq_compat.h: one source for Lua 5.1, LuaJIT, 5.3 and 5.4.
 *
 * Keyed on LUA_VERSION_NUM, not on who made the headers: a 5.1-ABI build must
 * use nothing that LuaJIT added, so that it also loads in PUC 5.1. All names
 * are our own and static.
 */
#ifndef LQ_COMPAT_H
#define LQ_COMPAT_H

#include "base/qm_base.h"

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#if LUA_VERSION_NUM < 502

static inline void lq_setfuncs(lua_State *L, const luaL_Reg *functions)
{
    for (; functions->name != NULL; functions++) {
        lua_pushcfunction(L, functions->func);
        lua_setfield(L, -2, functions->name);
    }
}

static inline size_t lq_rawlen(lua_State *L, int index)
{
    return lua_objlen(L, index);
}

static inline int lq_absindex(lua_State *L, int index)
{
    return index > 0 || index <= LUA_REGISTRYINDEX ? index
                                                   : lua_gettop(L) + index + 1;
}

static inline void *lq_testudata(lua_State *L, int index,
                                 const char *class_name)
{
    void *udata = lua_touserdata(L, index);
    int same;

    if (udata == NULL || !lua_getmetatable(L, index)) {
        return NULL;
    }
    lua_getfield(L, LUA_REGISTRYINDEX, class_name);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same ? udata : NULL;
}

#else

static inline void lq_setfuncs(lua_State *L, const luaL_Reg *functions)
{
    luaL_setfuncs(L, functions, 0);
}

static inline size_t lq_rawlen(lua_State *L, int index)
{
    return lua_rawlen(L, index);
}

static inline int lq_absindex(lua_State *L, int index)
{
    return lua_absindex(L, index);
}

static inline void *lq_testudata(lua_State *L, int index,
                                 const char *class_name)
{
    return luaL_testudata(L, index, class_name);
}

#endif

/*
 * A userdata with one associated Lua table (environment in 5.1, user value
 * later), where the object keeps what it must keep alive.
 */
static inline void *lq_newudata(lua_State *L, size_t size)
{
#if LUA_VERSION_NUM >= 504
    return lua_newuserdatauv(L, size, 1);
#else
    return lua_newuserdata(L, size);
#endif
}

/* Pops a table and ties it to the userdata at `index`. */
static inline void lq_setanchor(lua_State *L, int index)
{
#if LUA_VERSION_NUM >= 504
    lua_setiuservalue(L, index, 1);
#elif LUA_VERSION_NUM >= 502
    lua_setuservalue(L, index);
#else
    lua_setfenv(L, index);
#endif
}

/* Pushes the table tied by lq_setanchor(). */
static inline void lq_getanchor(lua_State *L, int index)
{
#if LUA_VERSION_NUM >= 504
    lua_getiuservalue(L, index, 1);
#elif LUA_VERSION_NUM >= 502
    lua_getuservalue(L, index);
#else
    lua_getfenv(L, index);
#endif
}

#endif
