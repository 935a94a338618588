/*
 * lq_cms.h: S/MIME in the module qqmail.crypto.
 */
#ifndef LQ_CMS_H
#define LQ_CMS_H

#include "lua/lq_compat.h"

QM_DECLS_BEGIN

/* Adds certificate, private_key, smime_sign and smime_encrypt to the table on
   top of the stack. */
void lq_cms_open(lua_State *L);

QM_DECLS_END

#endif
