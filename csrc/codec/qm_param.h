/*
 * qm_param.h: parameters of Content-Type and Content-Disposition.
 *
 * Writes `; name=value` with the line breaks a header needs. ASCII values are
 * quoted; others take the form the field and its readers require.
 */
#ifndef QM_PARAM_H
#define QM_PARAM_H

#include "base/qm_buf.h"

enum {
    QM_PARAM_NAME_MAX = 40, /* longest name: a section still has room beside */
    QM_PARAM_VALUE_MAX = 65536 /* bytes; far beyond any file name */
};

enum qm_param_form {
    QM_PARAM_RFC2231, /* name*=UTF-8''..., in sections name*0*= when long */
    QM_PARAM_RFC2047  /* name="=?UTF-8?B?...?=": what QQ web mail and older
                         Outlook read; used for `name` beside `filename*` */
};

QM_DECLS_BEGIN

/*
 * Appends `;` CRLF SP `name=value` to `out` (several such lines for a value in
 * sections). Sections are cut between characters, never inside %XX or \x.
 * Lines stay within 78 columns, except that the RFC 2047 form keeps an ASCII
 * value on one line of up to 998, for its readers know no sections.
 *
 * QM_E_SYNTAX when `name` is no token (RFC 2045 section 5.1) or holds one of
 * `*'%`, QM_E_CONTROL for control characters in the value, QM_E_UTF8 for
 * invalid UTF-8, QM_E_TOO_LONG for a name or value beyond the limits above,
 * QM_E_LIMIT or QM_E_MEMORY from `out`; the content of `out` is then
 * unchanged.
 */
enum qm_err qm_param_append(struct qm_buf *out, struct qm_span name,
                            struct qm_span value,
                            enum qm_param_form form) QM_MUST_USE;

/*
 * Reduces a path or a name from a user to a safe base name: what follows the
 * last '/' or '\', without leading dots-only names ("." and ".." give an empty
 * span). The result is a view into `path`.
 */
struct qm_span qm_param_base_name(struct qm_span path);

QM_DECLS_END

#endif
