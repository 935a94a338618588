#include "lua/lq_envelope.h"

#include "lua/lq_util.h"

/* The table { notify=, orcpt= } at `place` is about the newest recipient. */
static enum qm_err ask_of_one(lua_State *L, struct qm_smtp *smtp, int place)
{
    struct qm_dsn_rcpt dsn = { 0, { NULL, 0 } };
    struct qm_span notify = lq_field_span(L, place, "notify", "");
    enum qm_err err = QM_OK;

    dsn.orcpt = lq_field_span(L, place, "orcpt", "");
    if (notify.len > 0) {
        err = qm_dsn_read_notify(notify, &dsn.notify);
    }
    return err == QM_OK ? qm_smtp_ask_reports(smtp, &dsn) : err;
}

/* Element `index` of the list at `each` may be such a table; 0: no list. */
static enum qm_err ask_reports(lua_State *L, struct qm_smtp *smtp, int each,
                               int index)
{
    enum qm_err err = QM_OK;
    int top = lua_gettop(L);

    if (each == 0) {
        return QM_OK;
    }
    lua_rawgeti(L, each, index);
    if (lua_istable(L, -1)) {
        err = ask_of_one(L, smtp, top + 1);
    }
    lua_settop(L, top);
    return err;
}

/* The list of recipients is on top; `each`: see ask_reports(). */
static enum qm_err add_recipients(lua_State *L, struct qm_smtp *smtp, int each,
                                  int *fault_index_out)
{
    size_t count = lq_rawlen(L, -1);
    enum qm_err err = QM_OK;
    size_t i;

    for (i = 1; err == QM_OK && i <= count; i++) {
        struct qm_span path = qm_span_make(NULL, 0);

        lua_rawgeti(L, -1, (int)i);
        path.ptr = lua_tolstring(L, -1, &path.len);
        err = path.ptr == NULL ? QM_E_MISUSE : qm_smtp_add_rcpt(smtp, path);
        lua_pop(L, 1);
        if (err == QM_OK) {
            err = ask_reports(L, smtp, each, (int)i);
        }
        *fault_index_out = (int)i;
    }
    return err;
}

/*
 * What is asked for the whole message; leaves the list of what is asked for
 * each recipient on the stack, where there is one: its place or 0.
 */
static enum qm_err read_reports(lua_State *L, struct qm_smtp_message *message,
                                int *each_out)
{
    int reports = lua_gettop(L) + 1;

    *each_out = 0;
    lua_getfield(L, 2, "reports");
    if (!lua_istable(L, reports)) {
        lua_pop(L, 1);
        return QM_OK;
    }
    message->dsn.envid = lq_field_span(L, reports, "envid", "");
    lua_getfield(L, reports, "each");
    if (lua_istable(L, -1)) {
        *each_out = reports + 1;
    }
    return qm_dsn_read_ret(lq_field_span(L, reports, "ret", ""),
                           &message->dsn.ret);
}

static void read_mail(lua_State *L, struct qm_smtp_message *message)
{
    int64_t size = lq_field_integer(L, 2, "size", -1);

    memset(message, 0, sizeof(*message));

    message->from = lq_field_span(L, 2, "from", "");
    message->has_size = size >= 0;
    message->size = size >= 0 ? (uint64_t)size : 0;
    message->eightbit = lq_field_bool(L, 2, "eightbit", false);
    message->utf8 = lq_field_bool(L, 2, "utf8", false);
    message->eager = lq_field_bool(L, 2, "eager", false);
    message->check = lq_field_bool(L, 2, "check", false);
    message->require_tls = lq_field_bool(L, 2, "require_tls", false);
}

int lq_envelope_begin(lua_State *L, struct qm_smtp *smtp)
{
    struct qm_smtp_message message;
    uint32_t id = 0;
    int fault_index = 0;
    int each = 0;
    enum qm_err err;

    luaL_checktype(L, 2, LUA_TTABLE);
    read_mail(L, &message);
    err = read_reports(L, &message, &each);
    lua_getfield(L, 2, "to");
    luaL_checktype(L, -1, LUA_TTABLE);
    if (err == QM_OK) {
        err = qm_smtp_begin(smtp, &message, &id);
    }
    if (err == QM_OK) {
        err = add_recipients(L, smtp, each, &fault_index);
        if (err == QM_OK) {
            err = qm_smtp_submit(smtp);
        }
        if (err != QM_OK) {
            qm_smtp_drop(smtp);
        }
    }
    if (err != QM_OK) {
        (void)lq_push_error(L, err);
        lua_pushinteger(L, fault_index);
        return 4;
    }
    lua_pushnumber(L, (lua_Number)id);
    return 1;
}
