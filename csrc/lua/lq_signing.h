/*
 * lq_signing.h: methods of a message (lq_message.c) for those that sign it.
 */
#ifndef LQ_SIGNING_H
#define LQ_SIGNING_H

#include "lua/lq_compat.h"

QM_DECLS_BEGIN

/* rewind_signed(): read() gives what the signature has to be over */
int lq_message_rewind_signed(lua_State *L);

/* sign(signature): from now on the message can be read as a whole */
int lq_message_sign(lua_State *L);

/* watch(): see qm_message_watch() */
int lq_message_watch(lua_State *L);

/* seal(fields): see qm_message_seal() */
int lq_message_seal(lua_State *L);

QM_DECLS_END

#endif
