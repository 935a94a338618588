/*
 * lq_reading.h: methods of class "qqmail.message" by which it is read.
 */
#ifndef LQ_READING_H
#define LQ_READING_H

#include "lua/lq_compat.h"

QM_DECLS_BEGIN

int lq_message_size(lua_State *L);
int lq_message_rewind(lua_State *L);
int lq_message_read(lua_State *L);
int lq_message_dump(lua_State *L);
int lq_message_push(lua_State *L);
int lq_message_reader(lua_State *L);

QM_DECLS_END

#endif
