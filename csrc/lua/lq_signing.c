#include "lua/lq_signing.h"

#include "lua/lq_message.h"
#include "lua/lq_util.h"

int lq_message_rewind_signed(lua_State *L)
{
    return lq_push_done(L, qm_message_rewind_signed(lq_message_check(L, 1)));
}

int lq_message_sign(lua_State *L)
{
    struct qm_message *m = lq_message_check(L, 1);
    struct qm_span signature = lq_check_span(L, 2);

    lq_getanchor(L, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, (int)lq_rawlen(L, -2) + 1);
    return lq_push_done(L, qm_message_sign(m, signature));
}

int lq_message_watch(lua_State *L)
{
    qm_message_watch(lq_message_check(L, 1));
    return 0;
}

int lq_message_seal(lua_State *L)
{
    struct qm_message *m = lq_message_check(L, 1);

    return lq_push_done(L, qm_message_seal(m, lq_check_span(L, 2)));
}
