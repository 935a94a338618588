/*
 * lq_core.h: the parts of the module qqmail.core.
 *
 * Each adds its functions to the module table on top of the stack and leaves
 * the stack as it was.
 */
#ifndef LQ_CORE_H
#define LQ_CORE_H

#include "lua/lq_compat.h"

QM_DECLS_BEGIN

/* core.codec: what the codec floor offers, for the Lua layer and for specs. */
void lq_codec_open(lua_State *L);

/* core.message(): the MIME encoder. */
void lq_message_open(lua_State *L);

/* core.session(): the SMTP machine. */
void lq_session_open(lua_State *L);

QM_DECLS_END

#endif
