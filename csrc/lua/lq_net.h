/*
 * lq_net.h: what the parts of the module qqmail.net share.
 */
#ifndef LQ_NET_H
#define LQ_NET_H

#include "base/qm_err.h"
#include "lua/lq_compat.h"
#include "net/qm_address.h"

QM_DECLS_BEGIN

/* nil, name, text; for QM_E_SYSTEM those of errno. */
int lq_net_push_error(lua_State *L, enum qm_err err);

/* What an argument is that was refused: "the host name" + "is too long". */
int lq_net_push_argument_error(lua_State *L, const char *subject,
                               enum qm_err err);

/* A string argument without NUL; raises otherwise. */
const char *lq_net_check_text(lua_State *L, int arg);

/* { family=, address=, port= } */
void lq_net_push_address(lua_State *L, const struct qm_address *address);

/* Adds resolve() to the module table on top of the stack. */
void lq_resolve_open(lua_State *L);

QM_DECLS_END

#endif
