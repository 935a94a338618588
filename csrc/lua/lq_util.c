#include "lua/lq_util.h"

void lq_class(lua_State *L, const char *class_name, const luaL_Reg *methods,
              const luaL_Reg *metamethods, lua_CFunction close)
{
    if (!luaL_newmetatable(L, class_name)) {
        lua_pop(L, 1);
        return;
    }
    lua_newtable(L);
    lq_setfuncs(L, methods);
    lua_setfield(L, -2, "__index");
    if (metamethods != NULL) {
        lq_setfuncs(L, metamethods);
    }
    lua_pushstring(L, class_name);
    lua_setfield(L, -2, "__name");
    lua_pushcfunction(L, close);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, close);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);
}

void *lq_new_udata(lua_State *L, size_t size, const char *class_name)
{
    void *object = lq_newudata(L, size);

    memset(object, 0, size);
    luaL_getmetatable(L, class_name);
    lua_setmetatable(L, -2);
    return object;
}

void *lq_new_object(lua_State *L, size_t size, const char *class_name)
{
    void *object = lq_new_udata(L, size, class_name);

    lua_newtable(L);
    lq_setanchor(L, -2);
    return object;
}

struct qm_span lq_check_span(lua_State *L, int arg)
{
    size_t len;
    const char *ptr = luaL_checklstring(L, arg, &len);

    return qm_span_make(ptr, len);
}

struct qm_span lq_opt_span(lua_State *L, int arg, const char *fallback)
{
    if (lua_isnoneornil(L, arg)) {
        return fallback != NULL ? qm_span_of(fallback) : qm_span_make(NULL, 0);
    }
    return lq_check_span(L, arg);
}

/* 5.1 and LuaJIT cut fractions off silently, so look at the number itself. */
static bool whole_number(lua_State *L, int index, int64_t *value_out)
{
    lua_Number number = lua_tonumber(L, index);

    if (!(number >= -9007199254740992.0 && number <= 9007199254740992.0)) {
        return false;
    }
    *value_out = (int64_t)number;
    return (lua_Number)*value_out == number;
}

int64_t lq_check_integer(lua_State *L, int arg, int64_t low, int64_t high)
{
    int64_t value = 0;

    (void)luaL_checknumber(L, arg);
    luaL_argcheck(L, whole_number(L, arg, &value), arg,
                  "whole number expected");
    luaL_argcheck(L, value >= low && value <= high, arg, "out of range");
    return value;
}

int lq_push_error_text(lua_State *L, enum qm_err err, const char *text)
{
    lua_pushnil(L);
    lua_pushstring(L, qm_err_name(err));
    lua_pushstring(L, text != NULL ? text : qm_err_text(err));
    return 3;
}

int lq_push_made(lua_State *L, struct qm_buf *made, enum qm_err err)
{
    struct qm_span text = qm_buf_span(made);

    if (err == QM_OK) {
        lua_pushlstring(L, text.len > 0 ? text.ptr : "", text.len);
    }
    qm_buf_deinit(made);
    return err == QM_OK ? 1 : lq_push_error(L, err);
}

int lq_push_error(lua_State *L, enum qm_err err)
{
    return lq_push_error_text(L, err, NULL);
}

int lq_push_done(lua_State *L, enum qm_err err)
{
    if (err != QM_OK) {
        return lq_push_error(L, err);
    }
    lua_pushboolean(L, true);
    return 1;
}

static int wrong_type(lua_State *L, const char *key, const char *expected)
{
    return luaL_error(L, "option '%s' must be a %s, not a %s", key, expected,
                      luaL_typename(L, -1));
}

struct qm_span lq_field_span(lua_State *L, int table, const char *key,
                             const char *fallback)
{
    struct qm_span span = qm_span_make(NULL, 0);

    lua_getfield(L, table, key);
    if (lua_type(L, -1) == LUA_TSTRING) {
        span.ptr = lua_tolstring(L, -1, &span.len);
    } else if (!lua_isnil(L, -1)) {
        wrong_type(L, key, "string");
    } else if (fallback != NULL) {
        span = qm_span_of(fallback);
    }
    lua_pop(L, 1);
    return span;
}

const char *lq_field_text(lua_State *L, int table, const char *key)
{
    struct qm_span span = lq_field_span(L, table, key, NULL);

    if (span.ptr != NULL && strlen(span.ptr) != span.len) {
        luaL_error(L, "option '%s' must not contain NUL", key);
    }
    return span.ptr;
}

bool lq_field_bool(lua_State *L, int table, const char *key, bool fallback)
{
    bool value = fallback;

    lua_getfield(L, table, key);
    if (lua_isboolean(L, -1)) {
        value = lua_toboolean(L, -1);
    } else if (!lua_isnil(L, -1)) {
        wrong_type(L, key, "boolean");
    }
    lua_pop(L, 1);
    return value;
}

int64_t lq_field_integer(lua_State *L, int table, const char *key,
                         int64_t fallback)
{
    int64_t value = fallback;

    lua_getfield(L, table, key);
    if (lua_type(L, -1) == LUA_TNUMBER) {
        if (!whole_number(L, -1, &value)) {
            wrong_type(L, key, "whole number");
        }
    } else if (!lua_isnil(L, -1)) {
        wrong_type(L, key, "number");
    }
    lua_pop(L, 1);
    return value;
}
