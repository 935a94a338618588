/*
 * qm_entity.h: character references of HTML.
 *
 * The names of HTML 4, some forty of the two thousand that HTML has since, for
 * signs that writers of mail use, and numbers. What is no reference, or
 * stands for nothing that can be written, stays as it is.
 */
#ifndef QM_ENTITY_H
#define QM_ENTITY_H

#include "base/qm_span.h"

QM_DECLS_BEGIN

/*
 * Reads the reference at the start of `text`, which begins with '&'. Answers
 * how many bytes it takes, 0 when there is none, and what it stands for.
 *
 * Names end with ';', but for those six that everybody writes without; numbers
 * of the C1 range are those of windows-1252, as in browsers. Surrogates, what
 * is beyond U+10FFFF and control characters but white space are none.
 */
size_t qm_entity_read(struct qm_span text, uint32_t *point_out);

/* Writes a character of at most 4 bytes; answers how many they are. */
size_t qm_entity_put(uint32_t point, char out[4]);

QM_DECLS_END

#endif
