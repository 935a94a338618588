/*
 * lq_pool.h: messages that were used and wait to be used again.
 *
 * Each Lua state has one pool. A message that comes out of it brings along the
 * room an earlier one needed, so that sending many does not allocate for each.
 */
#ifndef LQ_POOL_H
#define LQ_POOL_H

#include "lua/lq_compat.h"
#include "mime/qm_message.h"

QM_DECLS_BEGIN

struct lq_pool;

enum { LQ_POOL_SCRATCH = 64 * 1024 };

/* Pushes the pool of the state, which lives as long as the state does. */
void lq_pool_push(lua_State *L);

/* An empty message; NULL when memory is short. */
struct qm_message *lq_pool_take(struct lq_pool *pool) QM_MUST_USE;

/*
 * LQ_POOL_SCRATCH bytes for the time of one call; NULL when memory is short.
 * What runs Lua, as a collector does, may use them as well.
 */
char *lq_pool_scratch(struct lq_pool *pool) QM_MUST_USE;

/* Nobody uses the message any more. */
void lq_pool_give(struct lq_pool *pool, struct qm_message *message);

QM_DECLS_END

#endif
