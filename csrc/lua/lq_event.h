/*
 * lq_event.h: what a session tells, as Lua tables. Each leaves one on the
 * stack.
 */
#ifndef LQ_EVENT_H
#define LQ_EVENT_H

#include "lua/lq_compat.h"
#include "smtp/qm_smtp.h"

QM_DECLS_BEGIN

void lq_push_event(lua_State *L, const struct qm_smtp_event *event);

/* { PIPELINING = true, ..., size_limit = bytes, auth = { names } } */
void lq_push_capabilities(lua_State *L, const struct qm_ehlo *ehlo);

/* { t = seconds, dir = "C", line = text }; `scratch` holds a line. */
void lq_push_trace_line(lua_State *L, const struct qm_trace_line *line,
                        struct qm_buf *scratch);

QM_DECLS_END

#endif
