/*
 * lq_message.h: class "qqmail.message", a built message, for other bindings.
 */
#ifndef LQ_MESSAGE_H
#define LQ_MESSAGE_H

#include "lua/lq_compat.h"
#include "lua/lq_pool.h"

QM_DECLS_BEGIN

/*
 * The message behind the argument; raises when it is none or closed. It stays
 * in place as long as the userdata is on the stack or anchored.
 */
struct qm_message *lq_message_check(lua_State *L, int arg);

/* Where it came from. */
struct lq_pool *lq_message_pool(lua_State *L, int arg);

/* In its anchor table: the piece pushed last; -1, -2, ...: readers of parts. */
enum { LQ_ANCHOR_PUSHED = 0 };

/* Pushes what is at fault, as "attachments[2].name". */
void lq_message_push_field(lua_State *L, const struct qm_message *m);

/* A failure of building or reading: nil, name, text, field, position. */
int lq_message_fail(lua_State *L, const struct qm_message *m, enum qm_err err);

QM_DECLS_END

#endif
