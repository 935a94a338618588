/* lq_event.c: events, capabilities and trace lines as Lua tables. */
#include "lua/lq_event.h"

#include "codec/qm_charset.h"

static void set_text(lua_State *L, const char *key, struct qm_span text)
{
    lua_pushlstring(L, text.len > 0 ? text.ptr : "", text.len);
    lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, lua_Number value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, key);
}

static void set_enhanced(lua_State *L, const struct qm_enhanced *enhanced)
{
    if (enhanced->status != 0) {
        lua_pushfstring(L, "%d.%d.%d", (int)enhanced->status,
                        (int)enhanced->subject, (int)enhanced->detail);
        lua_setfield(L, -2, "enhanced");
    }
}

static const char *const event_names[] = { "none",      "ready",   "recipient",
                                           "delivered", "refused", "checked",
                                           "lost",      "failed",  "closed" };

static void set_name(lua_State *L, const char *key, const char *name)
{
    lua_pushstring(L, name);
    lua_setfield(L, -2, key);
}

static void set_bool(lua_State *L, const char *key, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, key);
}

/* What tells how something went wrong. */
static void set_fault(lua_State *L, const struct qm_smtp_event *event)
{
    set_number(L, "index", event->index + 1);
    set_name(L, "fault", qm_smtp_fault_name(event->fault));
    set_bool(L, "handed_over", event->handed_over);
    set_number(L, "in_flight", event->in_flight);
    set_bool(L, "behind", event->behind);
    if (event->detail.len > 0) {
        set_text(L, "detail", event->detail);
    }
}

/* Room for what the owner of the session notes in it as well. */
enum { FIELDS_OF_SUCCESS = 8, FIELDS_OF_FAULT = 16 };

void lq_push_event(lua_State *L, const struct qm_smtp_event *event)
{
    bool is_success = event->type == QM_EVENT_DELIVERED;

    lua_createtable(L, 0, is_success ? FIELDS_OF_SUCCESS : FIELDS_OF_FAULT);
    set_name(L, "type", event_names[event->type]);
    set_number(L, "id", event->id);
    set_name(L, "phase", qm_phase_name(event->phase));
    if (event->code != 0) {
        set_number(L, "code", event->code);
    }
    set_enhanced(L, &event->enhanced);
    set_text(L, "text", event->text);
    if (!is_success) {
        set_fault(L, event);
    }
}

static void push_mechanisms(lua_State *L, unsigned bits)
{
    unsigned mechanism;
    int count = 0;

    lua_newtable(L);
    for (mechanism = 0; mechanism < QM_SASL_COUNT; mechanism++) {
        if ((bits & QM_SASL_BIT(mechanism)) != 0) {
            lua_pushstring(L, qm_sasl_name((enum qm_sasl_mechanism)mechanism));
            lua_rawseti(L, -2, ++count);
        }
    }
}

void lq_push_capabilities(lua_State *L, const struct qm_ehlo *ehlo)
{
    const char *keyword;
    unsigned number;

    lua_newtable(L);
    for (number = 0; (keyword = qm_ehlo_keyword(number)) != NULL; number++) {
        if ((ehlo->flags & (1u << number)) != 0) {
            lua_pushboolean(L, 1);
            lua_setfield(L, -2, keyword);
        }
    }
    if (ehlo->size_limit > 0) {
        lua_pushnumber(L, (lua_Number)ehlo->size_limit);
        lua_setfield(L, -2, "size_limit");
    }
    push_mechanisms(L, ehlo->mechanisms);
    lua_setfield(L, -2, "auth");
}

void lq_push_trace_line(lua_State *L, const struct qm_trace_line *line,
                        struct qm_buf *scratch)
{
    lua_createtable(L, 0, 3);
    lua_pushnumber(L, (lua_Number)line->time_ms / 1000);
    lua_setfield(L, -2, "t");
    lua_pushlstring(L, &line->direction, 1);
    lua_setfield(L, -2, "dir");
    qm_buf_reset(scratch);
    (void)qm_charset_reply(scratch, qm_span_make(line->text, line->len));
    set_text(L, "line", qm_buf_span(scratch));
}
