/*
 * qm_lookalike.h: characters an address must not hold.
 *
 * Full-width and small forms of ASCII punctuation (an input method types
 * U+FF20 for '@'), blanks, invisible and direction marks, and code points that
 * are no characters. Two readers may see two different addresses in them
 * (RFC 8264 section 9, Unicode TR36), or a person one that is not there.
 */
#ifndef QM_LOOKALIKE_H
#define QM_LOOKALIKE_H

#include "base/qm_span.h"

QM_DECLS_BEGIN

/*
 * What is wrong with one UTF-8 character (valid, above 127) in a local part or
 * domain: static English text, or NULL when nothing is. `first`: it begins the
 * local part or a label, where a combining mark would change the '@' or '.'
 * before it.
 */
const char *qm_lookalike_why(struct qm_span character, bool first);

/* True for the characters people type instead of '@'. */
bool qm_lookalike_is_at(struct qm_span character);

QM_DECLS_END

#endif
