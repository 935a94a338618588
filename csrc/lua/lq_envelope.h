/*
 * lq_envelope.h: the envelope of a message, from a Lua table to the session.
 */
#ifndef LQ_ENVELOPE_H
#define LQ_ENVELOPE_H

#include "lua/lq_compat.h"
#include "smtp/qm_smtp.h"

QM_DECLS_BEGIN

/*
 * The table is argument 2: { from=, to={...}, size=, eightbit=, utf8=, eager=,
 * check=, require_tls=, reports={ ret=, envid=, each={ { notify=, orcpt= } or
 * false, ... } } }; what else it holds is not looked at. Pushes the id, or nil,
 * name, text and the number of the recipient at fault (0: the sender or the
 * message).
 */
int lq_envelope_begin(lua_State *L, struct qm_smtp *smtp);

QM_DECLS_END

#endif
