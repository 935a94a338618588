/*
 * qm_charset.h: text of a server as UTF-8, whatever it was sent in.
 *
 * Servers answer Chinese users in UTF-8, GBK or Big5. UTF-8 is kept, else Big5
 * (see qm_chinese.h) or GB18030, a superset of GBK, is decoded, else bytes are
 * escaped, as is the piece of a last character; the result is always valid
 * UTF-8 and printable: control characters, and those that reorder or break
 * lines, come out as \xHH for each byte; TAB becomes a space.
 */
#ifndef QM_CHARSET_H
#define QM_CHARSET_H

#include "base/qm_buf.h"

QM_DECLS_BEGIN

/*
 * Appends `text` to `out` as printable UTF-8. Never fails on content, nor when
 * it is more than `out` may hold: people read it, so it is then cut short
 * between two characters. Only QM_E_MEMORY, or the error `out` already has.
 */
enum qm_err qm_charset_reply(struct qm_buf *out, struct qm_span text);

/*
 * Converts `text` from a named charset (as iconv knows it) to UTF-8, appended
 * to `out`. Nothing is escaped. GB2312 and GBK are read as GB18030, of which
 * they are parts: much that is labelled GB2312 is not.
 *
 * QM_E_SYNTAX with *fault_at_out (may be NULL) set to the offset of a byte
 * sequence that is invalid or incomplete in that charset, QM_E_UNSUPPORTED when
 * the system does not know the name, QM_E_LIMIT or QM_E_MEMORY from `out`. The
 * content of `out` is unchanged on error.
 */
enum qm_err qm_charset_convert(struct qm_buf *out, const char *from,
                               struct qm_span text,
                               size_t *fault_at_out) QM_MUST_USE;

QM_DECLS_END

#endif
