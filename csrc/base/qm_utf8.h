/*
 * qm_utf8.h: is this UTF-8, and where may it be cut?
 *
 * Strict (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef QM_UTF8_H
#define QM_UTF8_H

#include "base/qm_span.h"

QM_DECLS_BEGIN

/*
 * Length in bytes (1 to 4) of the character that starts at `text`, or 0 when
 * the bytes there are no complete, valid character.
 */
size_t qm_utf8_char_len(struct qm_span text);

/*
 * Offset of the first byte that is not part of a valid character;
 * text.len when all of it is valid.
 */
size_t qm_utf8_valid_prefix(struct qm_span text);

static inline bool qm_utf8_is_valid(struct qm_span text)
{
    return qm_utf8_valid_prefix(text) == text.len;
}

/* Bytes at the start of `text` that are valid characters above ASCII. */
size_t qm_utf8_run_of_high(struct qm_span text);

/* True when a byte above 127 occurs. */
bool qm_utf8_has_high(struct qm_span text);

QM_DECLS_END

#endif
