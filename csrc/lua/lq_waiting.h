/*
 * lq_waiting.h: bytes that wait in one object and are taken by another, in C.
 *
 * What a session or a TLS filter has to send is large and lives for a moment:
 * as Lua strings it would cost the collector more than all the rest of a mail.
 * So a class may offer what waits in its objects, in its metatable, and the
 * methods that take bytes take such an object in place of a string.
 */
#ifndef LQ_WAITING_H
#define LQ_WAITING_H

#include "base/qm_span.h"
#include "lua/lq_compat.h"

QM_DECLS_BEGIN

/* What a class offers; has to stay in place as long as the module. */
struct lq_waiting {
    /* The bytes that wait; raises when the object is closed. */
    struct qm_span (*look)(lua_State *L, int arg);
};

/* The objects of the class offer theirs; their method waiting() counts them. */
void lq_waiting_offer(lua_State *L, const char *class_name,
                      const struct lq_waiting *offer);

/* A string, or what waits in an object; raises for anything else. */
struct qm_span lq_check_bytes(lua_State *L, int arg);

QM_DECLS_END

#endif
