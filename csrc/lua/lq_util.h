/*
 * lq_util.h: what all bindings share: classes, checked arguments, errors.
 */
#ifndef LQ_UTIL_H
#define LQ_UTIL_H

#include "base/qm_buf.h"
#include "lua/lq_compat.h"

QM_DECLS_BEGIN

/*
 * Registers metatable `class_name` with `methods` behind __index, and `close`
 * as __gc and __close. Nothing is left on the stack.
 */
void lq_class(lua_State *L, const char *class_name, const luaL_Reg *methods,
              const luaL_Reg *metamethods, lua_CFunction close);

/* New zeroed userdata of the class, on the stack. */
void *lq_new_udata(lua_State *L, size_t size, const char *class_name);

/* The same with an anchor table. */
void *lq_new_object(lua_State *L, size_t size, const char *class_name);

/* The string argument as a span; raises for another type. */
struct qm_span lq_check_span(lua_State *L, int arg);
struct qm_span lq_opt_span(lua_State *L, int arg, const char *fallback);

/* An integer in [low, high] (whole on every Lua); raises otherwise. */
int64_t lq_check_integer(lua_State *L, int arg, int64_t low, int64_t high);

/* nil, stable error name, English text: the failure of every binding. */
int lq_push_error(lua_State *L, enum qm_err err);

/* As above with a text made by the caller (copied; may be NULL). */
int lq_push_error_text(lua_State *L, enum qm_err err, const char *text);

/* Pushes what was written, or the error; the buffer is done with. */
int lq_push_made(lua_State *L, struct qm_buf *made, enum qm_err err);

/* true, or the failure. */
int lq_push_done(lua_State *L, enum qm_err err);

/*
 * Readers for a field of the option table at `table` (absent or nil gives the
 * fallback). Strings stay valid while the table holds them. They raise naming
 * the field when the type is wrong.
 */
struct qm_span lq_field_span(lua_State *L, int table, const char *key,
                             const char *fallback);
const char *lq_field_text(lua_State *L, int table, const char *key);
bool lq_field_bool(lua_State *L, int table, const char *key, bool fallback);
int64_t lq_field_integer(lua_State *L, int table, const char *key,
                         int64_t fallback);

QM_DECLS_END

#endif
