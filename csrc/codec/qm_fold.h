/*
 * qm_fold.h: lays a header field out in lines (RFC 5322 section 2.2.3).
 *
 * Breaks only where white space already is, aims at 78 columns (76 for a line
 * that holds an encoded-word, RFC 2047 section 2) and never passes 998
 * (RFC 5322 section 2.1.1). Unfolding gives back the value exactly, and no line
 * consists of white space alone (RFC 5322 section 3.2.2).
 */
#ifndef QM_FOLD_H
#define QM_FOLD_H

#include "base/qm_buf.h"

enum { QM_FOLD_AIM = 78, QM_FOLD_MAX = 998, QM_FOLD_NAME_MAX = 76 };

QM_DECLS_BEGIN

/* True when `name` is a field name: visible ASCII without colon, 1 to 76. */
bool qm_fold_is_field_name(struct qm_span name);

/*
 * Appends "name: value CRLF". `value` may hold fold points already made by the
 * encoders (CRLF followed by a blank), which stay where they are unless a line
 * of white space would come of it; any other control character is refused, so
 * that a value can never begin a field of its own.
 *
 * A quoted parameter value (`="..."`) is never broken, since some readers keep
 * the break; another quoted-string only when no line could hold it.
 *
 * QM_E_SYNTAX for a bad name, QM_E_CONTROL for control characters (TAB is
 * allowed), QM_E_TOO_LONG when a line without a place to break passes 998,
 * QM_E_LIMIT or QM_E_MEMORY from `out`. Bytes above 127 pass: the caller
 * decides whether SMTPUTF8 is in use. The content of `out` is unchanged on
 * error.
 */
enum qm_err qm_fold_field(struct qm_buf *out, struct qm_span name,
                          struct qm_span value) QM_MUST_USE;

QM_DECLS_END

#endif
