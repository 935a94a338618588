/*
 * lq_dkim.h: DKIM in the module qqmail.crypto.
 */
#ifndef LQ_DKIM_H
#define LQ_DKIM_H

#include "lua/lq_compat.h"

/* Adds its functions to the table on top of the stack, and its classes. */
void lq_dkim_open(lua_State *L);

#endif
