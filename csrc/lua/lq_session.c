/*
 * lq_session.c: class "qqmail.session", the SMTP machine for Lua.
 *
 * The one place where messages and the machine meet: body() moves bytes from
 * the encoder to the machine without making Lua strings of them.
 */
#include "lua/lq_core.h"
#include "lua/lq_envelope.h"
#include "lua/lq_event.h"
#include "lua/lq_message.h"
#include "lua/lq_util.h"
#include "lua/lq_waiting.h"
#include "smtp/qm_smtp.h"

#define CLASS "qqmail.session"

enum { SLICE = 16 * 1024 };

struct session {
    struct qm_smtp smtp;
    bool open;
    char slice[SLICE]; /* body bytes read but not yet taken */
    size_t slice_at;
    size_t slice_len;
    uint32_t slice_id;  /* whose they are */
    struct qm_buf line; /* scratch for a trace line */
};

static struct session *session_at(lua_State *L, int arg)
{
    struct session *session = luaL_checkudata(L, arg, CLASS);

    if (!session->open) {
        luaL_error(L, "the session is closed");
    }
    return session;
}

static struct session *check(lua_State *L)
{
    return session_at(L, 1);
}

static int l_session_close(lua_State *L)
{
    struct session *session = luaL_checkudata(L, 1, CLASS);

    if (session->open) {
        session->open = false;
        qm_smtp_deinit(&session->smtp);
        qm_buf_deinit(&session->line);
    }
    return 0;
}

/* --- settings ------------------------------------------------------------ */

static enum qm_smtp_security read_security(lua_State *L)
{
    static const char *const names[] = { "none", "starttls", "implicit" };
    struct qm_span name = lq_field_span(L, 1, "security", "none");
    unsigned i;

    for (i = 0; i < QM_COUNTOF(names); i++) {
        if (qm_span_equal(name, qm_span_of(names[i]))) {
            return (enum qm_smtp_security)i;
        }
    }
    luaL_error(L, "unknown security");
    return QM_SMTP_CLEAR;
}

/* A list of names; nil stands for all. */
static unsigned read_mechanisms(lua_State *L)
{
    unsigned bits = 0;
    size_t count;
    size_t i;

    lua_getfield(L, 1, "mechanisms");
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return ~0u;
    }
    count = lq_rawlen(L, -1);
    for (i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, (int)i);
        bits |= qm_sasl_bit_of(lq_check_span(L, -1));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return bits;
}

static void read_settings(lua_State *L, struct qm_smtp_settings *set)
{
    memset(set, 0, sizeof(*set));
    set->hostname = lq_field_span(L, 1, "hostname", "[127.0.0.1]");
    set->security = read_security(L);
    set->login.user = lq_field_span(L, 1, "user", NULL);
    set->login.password = lq_field_span(L, 1, "password", NULL);
    set->login.token = lq_field_span(L, 1, "token", NULL);
    set->login.host = lq_field_span(L, 1, "host", NULL);
    set->login.port = (unsigned)lq_field_integer(L, 1, "port", 0);
    set->login.certificate = lq_field_bool(L, 1, "certificate", false);
    set->mechanisms = read_mechanisms(L);
    set->allow_clear_auth = lq_field_bool(L, 1, "allow_plaintext_auth", false);
    set->pipelining = lq_field_bool(L, 1, "pipelining", true);
    set->smtputf8 = lq_field_bool(L, 1, "smtputf8", true);
    set->chunking = lq_field_bool(L, 1, "chunking", true);
    set->doubt_chunking = lq_field_bool(L, 1, "doubt_chunking", false);
    set->window = (unsigned)lq_field_integer(L, 1, "window", 1);
    set->no_reset = lq_field_bool(L, 1, "no_reset", false);
}

static int l_core_session(lua_State *L)
{
    struct qm_smtp_settings set;
    struct session *session;
    enum qm_err err;

    luaL_checktype(L, 1, LUA_TTABLE);
    read_settings(L, &set);
    session = lq_new_object(L, sizeof(*session), CLASS);
    qm_buf_init(&session->line, 1024, false);
    err = qm_smtp_init(&session->smtp, &set);
    session->open = true;
    return err == QM_OK ? 1 : lq_push_error(L, err);
}

/* --- input and output ---------------------------------------------------- */

static int l_session_set_time(lua_State *L)
{
    lua_Number seconds = luaL_checknumber(L, 2);

    qm_smtp_set_time(&check(L)->smtp, (uint64_t)(seconds * 1000));
    return 0;
}

static int push_result(lua_State *L, enum qm_err err)
{
    if (err != QM_OK) {
        return lq_push_error(L, err);
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int l_session_feed(lua_State *L)
{
    return push_result(L, qm_smtp_feed(&check(L)->smtp, lq_check_span(L, 2)));
}

static int l_session_ended(lua_State *L)
{
    static const char *const names[] = { "closed",    "reset",     "timeout",
                                         "transport", "cancelled", NULL };
    static const enum qm_smtp_fault faults[] = {
        QM_FAULT_CLOSED, QM_FAULT_RESET, QM_FAULT_TIMEOUT, QM_FAULT_TRANSPORT,
        QM_FAULT_CANCELLED
    };
    int which = luaL_checkoption(L, 2, "closed", names);

    qm_smtp_input_ended(&check(L)->smtp, faults[which]);
    return 0;
}

static int l_session_tls_ready(lua_State *L)
{
    qm_smtp_tls_ready(&check(L)->smtp);
    return 0;
}

static int l_session_output(lua_State *L)
{
    struct qm_span waiting = qm_smtp_output(&check(L)->smtp);

    if (waiting.len == 0) {
        return 0;
    }
    lua_pushlstring(L, waiting.ptr, waiting.len);
    return 1;
}

static struct qm_span waiting_output(lua_State *L, int arg)
{
    return qm_smtp_output(&session_at(L, arg)->smtp);
}

static const struct lq_waiting offer = { waiting_output };

static int l_session_sent(lua_State *L)
{
    qm_smtp_sent(&check(L)->smtp, (size_t)lq_check_integer(L, 2, 0, INT32_MAX));
    return 0;
}

/* Six booleans: send, recv, tls, body, work, response. */
static int l_session_want(lua_State *L)
{
    unsigned want = qm_smtp_want(&check(L)->smtp);
    unsigned bit;

    for (bit = QM_WANT_SEND; bit <= QM_WANT_RESPONSE; bit <<= 1) {
        lua_pushboolean(L, (want & bit) != 0);
    }
    return 6;
}

/* --- login by messages of the caller -------------------------------------- */

static int l_session_can_bind(lua_State *L)
{
    qm_smtp_can_bind(&check(L)->smtp);
    return 0;
}

/*
 * challenge() -> name of the mechanism, step, decoded bytes, and whether the
 * server offers channel binding; nothing unless a response is wanted.
 */
static int l_session_challenge(lua_State *L)
{
    struct qm_smtp_challenge challenge;

    if (!qm_smtp_challenge(&check(L)->smtp, &challenge)) {
        return 0;
    }
    lua_pushstring(L, qm_sasl_name(challenge.mechanism));
    lua_pushinteger(L, (lua_Integer)challenge.step);
    lua_pushlstring(L, challenge.bytes.len > 0 ? challenge.bytes.ptr : "",
                    challenge.bytes.len);
    lua_pushboolean(L, challenge.offers_binding);
    return 4;
}

/* respond(message or nil, proven) */
static int l_session_respond(lua_State *L)
{
    struct session *session = check(L);
    struct qm_span message = lq_opt_span(L, 2, "");
    bool has_message = !lua_isnoneornil(L, 2);

    return push_result(L, qm_smtp_respond(&session->smtp,
                                          has_message ? &message : NULL,
                                          lua_toboolean(L, 3)));
}

static int l_session_decline(lua_State *L)
{
    qm_smtp_decline(&check(L)->smtp);
    return 0;
}

/* give_up("bad_challenge" | "not_proven" | "memory", reason) */
static int l_session_give_up(lua_State *L)
{
    static const char *const names[] = { "bad_challenge", "not_proven",
                                         "memory", NULL };
    static const enum qm_smtp_fault faults[] = { QM_FAULT_BAD_CHALLENGE,
                                                 QM_FAULT_NOT_PROVEN,
                                                 QM_FAULT_MEMORY };
    int which = luaL_checkoption(L, 2, "bad_challenge", names);

    qm_smtp_give_up(&check(L)->smtp, faults[which], lq_check_span(L, 3));
    return 0;
}

/* How many more messages may be submitted now. */
static int l_session_room(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)qm_smtp_room(&check(L)->smtp));
    return 1;
}

/* --- events -------------------------------------------------------------- */

/* The next event as a table, nil when nothing happened. */
static int l_session_event(lua_State *L)
{
    struct qm_smtp_event event;

    if (!qm_smtp_next_event(&check(L)->smtp, &event)) {
        return 0;
    }
    lq_push_event(L, &event);
    return 1;
}

static int l_session_phase(lua_State *L)
{
    lua_pushstring(L, qm_phase_name(qm_smtp_phase(&check(L)->smtp)));
    return 1;
}

static int l_session_state(lua_State *L)
{
    lua_pushstring(L, qm_smtp_state_name(check(L)->smtp.state));
    return 1;
}

static int l_session_progress(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check(L)->smtp.progress);
    return 1;
}

/* --- capabilities and trace ---------------------------------------------- */

static int l_session_capabilities(lua_State *L)
{
    lq_push_capabilities(L, &check(L)->smtp.ehlo);
    return 1;
}

/* The lines kept, from number `index` on, as a list. */
static void push_trace(lua_State *L, struct session *session, unsigned index)
{
    const struct qm_trace_line *line;
    int count = 0;

    lua_newtable(L);
    while ((line = qm_trace_get(&session->smtp.trace, index++)) != NULL) {
        lq_push_trace_line(L, line, &session->line);
        lua_rawseti(L, -2, ++count);
    }
}

/* The last lines of the dialogue, oldest first; secrets are masked. */
static int l_session_trace(lua_State *L)
{
    push_trace(L, check(L), 0);
    return 1;
}

/*
 * trace_since(mark) -> those of them that came after the mark (0: all), and the
 * mark to give next time.
 */
static int l_session_trace_since(lua_State *L)
{
    struct session *session = check(L);
    const struct qm_trace *trace = &session->smtp.trace;
    int64_t mark = lq_check_integer(L, 2, 0, INT64_C(1) << 53);

    push_trace(L, session, qm_trace_since(trace, (uint64_t)mark));
    lua_pushnumber(L, (lua_Number)trace->total);
    return 2;
}

/* note(line): a remark of the caller's among the lines of the dialogue. */
static int l_session_note(lua_State *L)
{
    struct session *session = check(L);
    size_t len = 0;
    const char *line = luaL_checklstring(L, 2, &len);

    qm_trace_add(&session->smtp.trace, '*', qm_span_make(line, len));
    return 0;
}

/* --- messages ------------------------------------------------------------ */

/* begin{ ... } -> id, or nil, name, text and recipient: see lq_envelope.h */
static int l_session_begin(lua_State *L)
{
    return lq_envelope_begin(L, &check(L)->smtp);
}

/*
 * The bytes at hand belong to one message. An eager one may be given up before
 * any of them was taken; the next must not begin with them.
 */
static void own_slice(struct session *session, uint32_t id)
{
    if (session->slice_id != id) {
        session->slice_id = id;
        session->slice_at = 0;
        session->slice_len = 0;
    }
}

/* Fills the slice when it is used up; *end_out at the end of the message. */
static enum qm_err fill_slice(struct session *session,
                              struct qm_message *message, bool *end_out)
{
    enum qm_err err;

    *end_out = false;
    if (session->slice_at < session->slice_len) {
        return QM_OK;
    }
    session->slice_at = 0;
    session->slice_len = 0;
    err = qm_message_read(message, session->slice, SLICE, &session->slice_len);
    *end_out = err == QM_OK && session->slice_len == 0;
    return err;
}

/* Hands the slice over; QM_E_AGAIN when the output is full. */
static enum qm_err move_slice(struct session *session)
{
    size_t left = session->slice_len - session->slice_at;
    size_t used = 0;
    enum qm_err err;

    err = qm_smtp_body(&session->smtp,
                       qm_span_make(session->slice + session->slice_at, left),
                       &used);
    session->slice_at += used;
    return err == QM_OK && used < left ? QM_E_AGAIN : err;
}

/*
 * body(message) -> "end" (all of it written), "more" (output full: send, then
 * call again), "source" (the message needs data from its reader), or nil,
 * name, text when the source failed; body_abort() is then due.
 */
static int l_session_body(lua_State *L)
{
    struct session *session = check(L);
    struct qm_message *message = lq_message_check(L, 2);
    uint32_t id = qm_smtp_body_id(&session->smtp);
    bool end = false;
    enum qm_err err;

    if (id == 0) {
        return lq_push_error(L, QM_E_MISUSE);
    }
    own_slice(session, id);
    for (;;) {
        err = fill_slice(session, message, &end);
        if (err == QM_E_AGAIN) {
            lua_pushliteral(L, "source");
            return 1;
        }
        if (err != QM_OK || end) {
            break;
        }
        err = move_slice(session);
        if (err == QM_E_AGAIN) {
            lua_pushliteral(L, "more");
            return 1;
        }
        if (err != QM_OK) {
            break;
        }
    }
    if (err == QM_OK) {
        err = qm_smtp_body_end(&session->smtp);
    }
    if (err == QM_E_AGAIN) { /* the server spoke: its word comes first */
        lua_pushliteral(L, "more");
        return 1;
    }
    if (err != QM_OK) {
        return lq_push_error(L, err);
    }
    lua_pushliteral(L, "end");
    return 1;
}

static int l_session_body_id(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)qm_smtp_body_id(&check(L)->smtp));
    return 1;
}

static int l_session_body_abort(lua_State *L)
{
    qm_smtp_body_abort(&check(L)->smtp);
    return 0;
}

static int l_session_quit(lua_State *L)
{
    qm_smtp_quit(&check(L)->smtp);
    return 0;
}

static int l_session_tostring(lua_State *L)
{
    struct session *session = luaL_checkudata(L, 1, CLASS);

    lua_pushfstring(L, CLASS " (%s)",
                    session->open ? qm_smtp_state_name(session->smtp.state)
                                  : "closed");
    return 1;
}

static const luaL_Reg methods[] = { { "set_time", l_session_set_time },
                                    { "feed", l_session_feed },
                                    { "ended", l_session_ended },
                                    { "tls_ready", l_session_tls_ready },
                                    { "output", l_session_output },
                                    { "sent", l_session_sent },
                                    { "want", l_session_want },
                                    { "room", l_session_room },
                                    { "can_bind", l_session_can_bind },
                                    { "challenge", l_session_challenge },
                                    { "respond", l_session_respond },
                                    { "decline", l_session_decline },
                                    { "give_up", l_session_give_up },
                                    { "event", l_session_event },
                                    { "phase", l_session_phase },
                                    { "state", l_session_state },
                                    { "progress", l_session_progress },
                                    { "capabilities", l_session_capabilities },
                                    { "trace", l_session_trace },
                                    { "trace_since", l_session_trace_since },
                                    { "note", l_session_note },
                                    { "begin", l_session_begin },
                                    { "body", l_session_body },
                                    { "body_id", l_session_body_id },
                                    { "body_abort", l_session_body_abort },
                                    { "quit", l_session_quit },
                                    { "close", l_session_close },
                                    { NULL, NULL } };

static const luaL_Reg metamethods[] = { { "__tostring", l_session_tostring },
                                        { NULL, NULL } };

static const luaL_Reg functions[] = { { "session", l_core_session },
                                      { NULL, NULL } };

void lq_session_open(lua_State *L)
{
    lq_class(L, CLASS, methods, metamethods, l_session_close);
    lq_waiting_offer(L, CLASS, &offer);
    lq_setfuncs(L, functions);
}
