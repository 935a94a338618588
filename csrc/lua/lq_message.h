/*
 * lq_message.h: class "qqmail.message", a built message, for other bindings.
 */
#ifndef LQ_MESSAGE_H
#define LQ_MESSAGE_H

#include "lua/lq_compat.h"
#include "mime/qm_message.h"

QM_DECLS_BEGIN

/*
 * The message behind the argument; raises when it is none or closed. It stays
 * in place as long as the userdata is on the stack or anchored.
 */
struct qm_message *lq_message_check(lua_State *L, int arg);

QM_DECLS_END

#endif
