/*
 * qm_errno.h: error codes of the system as stable names and English texts.
 *
 * strerror() speaks the language of the locale and is not safe in threads;
 * these are constants.
 */
#ifndef QM_ERRNO_H
#define QM_ERRNO_H

#include "base/qm_base.h"

QM_DECLS_BEGIN

/* Whether a call on a non-blocking descriptor would have had to wait. */
bool qm_errno_is_again(int code);

/* "ECONNREFUSED" and so on; "EOTHER" for a code not listed. */
const char *qm_errno_name(int code);

/* "connection refused": a sentence part, lower case. */
const char *qm_errno_text(int code);

/*
 * The same for getaddrinfo(): "noname", "again", "fail", "memory" ... ;
 * "other" for a code not listed.
 */
const char *qm_errno_resolve_name(int eai);
const char *qm_errno_resolve_text(int eai);

QM_DECLS_END

#endif
