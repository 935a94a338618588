/*
 * qm_charset.h: text of a server as UTF-8, whatever it was sent in.
 *
 * Servers of Chinese providers answer in UTF-8 or GBK. UTF-8 is kept, else
 * GB18030 (a superset of GBK) is decoded, else bytes are escaped; the result is
 * always valid UTF-8 and printable: control characters come out as \xHH.
 */
#ifndef QM_CHARSET_H
#define QM_CHARSET_H

#include "base/qm_buf.h"

QM_DECLS_BEGIN

/* Appends `text` to `out` as printable UTF-8. Never fails on content. */
enum qm_err qm_charset_reply(struct qm_buf *out, struct qm_span text);

/*
 * Converts `text` from a named charset (as iconv knows it) to UTF-8. QM_E_SYNTAX
 * with *fault_at_out set when a byte sequence is invalid in that charset,
 * QM_E_UNSUPPORTED when the system does not know the name.
 */
enum qm_err qm_charset_convert(struct qm_buf *out, const char *from,
                               struct qm_span text,
                               size_t *fault_at_out) QM_MUST_USE;

QM_DECLS_END

#endif
