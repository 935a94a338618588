/*
 * lq_dkim.c: keys and readings of messages for DKIM signatures.
 *
 * Neither can be printed; a key gives away no more than its kind.
 */
#include "lua/lq_dkim.h"

#include "crypto/qm_dkim.h"
#include "lua/lq_util.h"

#define KEY_CLASS "qqmail.dkim_key"
#define DKIM_CLASS "qqmail.dkim"

enum { VALUE_MAX = 2 * QM_KEY_SIGNATURE_MAX };

static int push_made(lua_State *L, struct qm_buf *made, enum qm_err err)
{
    struct qm_span text = qm_buf_span(made);

    if (err == QM_OK) {
        lua_pushlstring(L, text.len > 0 ? text.ptr : "", text.len);
    }
    qm_buf_deinit(made);
    return err == QM_OK ? 1 : lq_push_error(L, err);
}

/* --- keys ------------------------------------------------------------------ */

static struct qm_key *check_key(lua_State *L, int arg)
{
    return luaL_checkudata(L, arg, KEY_CLASS);
}

/* crypto.dkim_key(pem, passphrase) -> key; nil, name of qm_key_fault */
static int l_dkim_key(lua_State *L)
{
    struct qm_span pem = lq_check_span(L, 1);
    struct qm_span passphrase = lq_opt_span(L, 2, "");
    struct qm_key *key = lq_new_object(L, sizeof(*key), KEY_CLASS);
    enum qm_key_fault fault = qm_key_read(key, pem, passphrase);

    if (fault == QM_KEY_OK) {
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, qm_key_fault_name(fault));
    return 2;
}

/* key:algorithm() -> "rsa-sha256" or "ed25519-sha256" */
static int l_key_algorithm(lua_State *L)
{
    bool is_rsa = check_key(L, 1)->kind == QM_KEY_RSA;

    lua_pushstring(L, is_rsa ? "rsa-sha256" : "ed25519-sha256");
    return 1;
}

static int l_key_close(lua_State *L)
{
    qm_key_deinit(check_key(L, 1));
    return 0;
}

/* --- readings -------------------------------------------------------------- */

static struct qm_dkim *check_dkim(lua_State *L)
{
    return luaL_checkudata(L, 1, DKIM_CLASS);
}

static int push_done(lua_State *L, enum qm_err err)
{
    if (err != QM_OK) {
        return lq_push_error(L, err);
    }
    lua_pushboolean(L, true);
    return 1;
}

/* crypto.dkim(simple, relaxed) -> a reading that wants these body forms */
static int l_dkim(lua_State *L)
{
    bool simple = lua_toboolean(L, 1) != 0;
    bool relaxed = lua_toboolean(L, 2) != 0;
    struct qm_dkim *dkim = lq_new_object(L, sizeof(*dkim), DKIM_CLASS);
    enum qm_err err = qm_dkim_init(dkim, simple, relaxed);

    return err == QM_OK ? 1 : lq_push_error(L, err);
}

/* reading:update(bytes) -> true */
static int l_dkim_update(lua_State *L)
{
    struct qm_dkim *dkim = check_dkim(L);

    return push_done(L, qm_dkim_update(dkim, lq_check_span(L, 2)));
}

/* reading:finish() -> true: the message ends here */
static int l_dkim_finish(lua_State *L)
{
    return push_done(L, qm_dkim_finish(check_dkim(L)));
}

/* reading:count(name) -> number of fields */
static int l_dkim_count(lua_State *L)
{
    struct qm_dkim *dkim = check_dkim(L);

    lua_pushinteger(L,
                    (lua_Integer)qm_dkim_count(dkim, lq_check_span(L, 2)));
    return 1;
}

/* reading:body_hash(relaxed) -> base64 */
static int l_dkim_body_hash(lua_State *L)
{
    struct qm_dkim *dkim = check_dkim(L);
    struct qm_buf made;

    qm_buf_init(&made, VALUE_MAX, false);
    return push_made(L, &made,
                     qm_dkim_body_hash(dkim, lua_toboolean(L, 2) != 0, &made));
}

/* reading:sign(key, names, relaxed, field) -> base64, see qm_dkim_sign() */
static int l_dkim_sign(lua_State *L)
{
    struct qm_dkim *dkim = check_dkim(L);
    struct qm_key *key = check_key(L, 2);
    struct qm_dkim_plan plan;
    struct qm_buf made;

    plan.names = lq_check_span(L, 3);
    plan.relaxed = lua_toboolean(L, 4) != 0;
    plan.field = lq_check_span(L, 5);
    qm_buf_init(&made, VALUE_MAX, false);
    return push_made(L, &made, qm_dkim_sign(dkim, &plan, key, &made));
}

/* --- forms ----------------------------------------------------------------- */

/* crypto.dkim_field(field, relaxed) -> its canonical form, without CRLF */
static int l_dkim_field(lua_State *L)
{
    struct qm_span field = lq_check_span(L, 1);
    struct qm_buf made;

    qm_buf_init(&made, QM_DKIM_HEAD_MAX, false);
    return push_made(
        L, &made, qm_canon_header(field, lua_toboolean(L, 2) != 0, &made));
}

/* crypto.dkim_body(body, relaxed) -> its canonical form */
static int l_dkim_body(lua_State *L)
{
    struct qm_span body = lq_check_span(L, 1);
    struct qm_canon state;
    struct qm_buf made;
    size_t room = 2 * body.len + QM_CANON_ROOM;
    size_t used;
    size_t len = 0;
    char *out;

    qm_buf_init(&made, room, false);
    out = qm_buf_reserve(&made, room);
    if (out != NULL) {
        qm_canon_init(&state, lua_toboolean(L, 2) != 0);
        qm_canon_update(&state, body, out, room, &used, &len);
        len += qm_canon_finish(&state, out + len, room - len);
        qm_buf_commit(&made, len);
    }
    return push_made(L, &made, made.err);
}

static int l_dkim_close(lua_State *L)
{
    qm_dkim_deinit(check_dkim(L));
    return 0;
}

/* --- names ----------------------------------------------------------------- */

static const luaL_Reg key_methods[] = {
    { "algorithm", l_key_algorithm },
    { "close", l_key_close },
    { NULL, NULL },
};

static const luaL_Reg dkim_methods[] = {
    { "update", l_dkim_update },
    { "finish", l_dkim_finish },
    { "count", l_dkim_count },
    { "body_hash", l_dkim_body_hash },
    { "sign", l_dkim_sign },
    { "close", l_dkim_close },
    { NULL, NULL },
};

static const luaL_Reg functions[] = {
    { "dkim_key", l_dkim_key },
    { "dkim", l_dkim },
    { "dkim_field", l_dkim_field },
    { "dkim_body", l_dkim_body },
    { NULL, NULL },
};

void lq_dkim_open(lua_State *L)
{
    lq_class(L, KEY_CLASS, key_methods, NULL, l_key_close);
    lq_class(L, DKIM_CLASS, dkim_methods, NULL, l_dkim_close);
    lq_setfuncs(L, functions);
}
