#include "lua/lq_reading.h"

#include "lua/lq_message.h"
#include "lua/lq_util.h"

#include <errno.h>
#include <lualib.h>
#include <stdio.h>

static void push_size(lua_State *L, uint64_t size)
{
    lua_Integer whole = (lua_Integer)size;

    if (whole >= 0 && (uint64_t)whole == size) {
        lua_pushinteger(L, whole);
    } else {
        lua_pushnumber(L, (lua_Number)size);
    }
}

/* size([eightbit]) -> exact bytes; nil, "unsupported" when not known */
int lq_message_size(lua_State *L)
{
    struct qm_message *m = lq_message_check(L, 1);
    uint64_t size = 0;
    enum qm_err err = qm_message_size(m, lua_toboolean(L, 2) != 0, &size);

    if (err != QM_OK) {
        return lq_push_error(L, err);
    }
    push_size(L, size);
    return 1;
}

int lq_message_rewind(lua_State *L)
{
    struct qm_message *m = lq_message_check(L, 1);

    return lq_push_done(L, qm_message_rewind(m, lua_toboolean(L, 2) != 0));
}

/* Fills `out` up to `cap` bytes, less at the end or where a push is due. */
static enum qm_err fill(struct qm_message *m, char *out, size_t cap,
                        size_t *len_out)
{
    enum qm_err err = QM_OK;
    size_t written = 1;

    *len_out = 0;
    while (err == QM_OK && written > 0 && *len_out < cap) {
        err = qm_message_read(m, out + *len_out, cap - *len_out, &written);
        *len_out += written;
    }
    return err;
}

/* Nothing was read: the end, a push that is due, or a failure. */
static int push_no_bytes(lua_State *L, const struct qm_message *m,
                         enum qm_err err)
{
    if (err == QM_OK) {
        lua_pushnil(L);
        return 1;
    }
    return err == QM_E_AGAIN ? lq_push_error(L, err)
                             : lq_message_fail(L, m, err);
}

/* read([len]) -> up to LQ_POOL_SCRATCH bytes; nil at the end; nil, "again" when
 * a push is due */
int lq_message_read(lua_State *L)
{
    struct qm_message *m = lq_message_check(L, 1);
    char *scratch = lq_pool_scratch(lq_message_pool(L, 1));
    size_t cap = LQ_POOL_SCRATCH;
    size_t len = 0;
    enum qm_err err = QM_E_MEMORY;

    if (!lua_isnoneornil(L, 2)) {
        size_t most = (size_t)lq_check_integer(L, 2, 1, INT32_MAX);

        cap = most < cap ? most : cap;
    }
    if (scratch != NULL) {
        err = fill(m, scratch, cap, &len);
    }
    if (len == 0) {
        return push_no_bytes(L, m, err);
    }
    lua_pushlstring(L, scratch, len);
    return 1;
}

/* The stream of an open file of Lua's; raises for anything else. */
static FILE *check_file(lua_State *L, int arg)
{
#if LUA_VERSION_NUM >= 502
    luaL_Stream *file = luaL_checkudata(L, arg, LUA_FILEHANDLE);

    luaL_argcheck(L, file->closef != NULL, arg, "file is closed");
    return file->f;
#else
    FILE **file = luaL_checkudata(L, arg, LUA_FILEHANDLE);

    luaL_argcheck(L, *file != NULL, arg, "file is closed");
    return *file;
#endif
}

static int push_not_written(lua_State *L)
{
    char text[128];
    bool known = strerror_r(errno, text, sizeof(text)) == 0;

    lua_pushnil(L);
    lua_pushliteral(L, "not_written");
    lua_pushstring(L, known ? text : "it cannot be written");
    return 3;
}

/*
 * dump(file) -> true when all that is left went into the file; nil, "again"
 * when a push is due; nil, "not_written", text when the file took it not.
 */
int lq_message_dump(lua_State *L)
{
    struct qm_message *m = lq_message_check(L, 1);
    FILE *file = check_file(L, 2);
    char *scratch = lq_pool_scratch(lq_message_pool(L, 1));
    enum qm_err err = scratch != NULL ? QM_OK : QM_E_MEMORY;
    size_t len = 1;

    while (err == QM_OK && len > 0) {
        err = fill(m, scratch, LQ_POOL_SCRATCH, &len);
        if (fwrite(scratch, 1, len, file) < len) {
            return push_not_written(L);
        }
    }
    return err == QM_OK ? lq_push_done(L, err) : push_no_bytes(L, m, err);
}

/* push(bytes | nil): the next piece for the part that waits, nil ends it */
int lq_message_push(lua_State *L)
{
    struct qm_message *m = lq_message_check(L, 1);
    struct qm_span piece = lq_opt_span(L, 2, NULL);
    enum qm_err err;

    lua_settop(L, 2);
    lq_getanchor(L, 1);
    err = qm_message_push(m, piece);
    if (err != QM_OK) {
        return lq_push_error(L, err);
    }
    lua_pushvalue(L, 2);
    lua_rawseti(L, 3, LQ_ANCHOR_PUSHED);
    lua_pushboolean(L, 1);
    return 1;
}

/* reader() -> the function of the part that is being read, and its field */
int lq_message_reader(lua_State *L)
{
    struct qm_message *m = lq_message_check(L, 1);
    size_t part = qm_message_reading_part(m);

    if (part >= m->part_count) {
        lua_pushnil(L);
        return 1;
    }
    lq_getanchor(L, 1);
    lua_rawgeti(L, -1, -(int)part - 1);
    m->fault_part = part;
    m->parts[part].fault = QM_PART_SOURCE;
    lq_message_push_field(L, m);
    return 2;
}
