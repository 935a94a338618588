/*
 * qm_fold.h: lays a header field out in lines (RFC 5322 section 2.2.3).
 *
 * Breaks only where white space already is, aims at 78 columns and never
 * passes 998 (RFC 5322 section 2.1.1).
 */
#ifndef QM_FOLD_H
#define QM_FOLD_H

#include "base/qm_buf.h"

enum { QM_FOLD_AIM = 78, QM_FOLD_MAX = 998 };

QM_DECLS_BEGIN

/* True when `name` is a field name: visible ASCII without colon, 1 to 76. */
bool qm_fold_is_field_name(struct qm_span name);

/*
 * Appends "name: value CRLF". `value` may hold fold points already made by the
 * encoders (CRLF followed by a blank); any other control character is refused,
 * so that a value can never begin a field of its own.
 *
 * QM_E_SYNTAX for a bad name, QM_E_CONTROL for control characters (TAB is
 * allowed), QM_E_TOO_LONG when a line without white space passes 998. Bytes
 * above 127 pass: the caller decides whether SMTPUTF8 is in use. `out` is
 * unchanged on error.
 */
enum qm_err qm_fold_field(struct qm_buf *out, struct qm_span name,
                          struct qm_span value) QM_MUST_USE;

QM_DECLS_END

#endif
