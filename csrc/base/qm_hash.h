/*
 * qm_hash.h: a short, stable name for a piece of text.
 *
 * SipHash-2-4 with 128 bits of output (Aumasson and Bernstein) under one fixed,
 * public key: for names that must come out alike in every process and every
 * version. It hides nothing and resists nobody who picks both texts.
 */
#ifndef QM_HASH_H
#define QM_HASH_H

#include "base/qm_span.h"

enum {
    QM_HASH_SIZE = 16,
    QM_HASH_TEXT_SIZE = 27 /* 26 base32 characters and the final NUL */
};

QM_DECLS_BEGIN

void qm_hash(struct qm_span text, unsigned char out[QM_HASH_SIZE]);

/*
 * Writes 16 bytes as 26 lower-case characters of the base32 alphabet (RFC 4648
 * section 6, no padding): safe in Message-IDs, boundaries and file names.
 */
void qm_hash_to_text(const unsigned char hash[QM_HASH_SIZE],
                     char out[QM_HASH_TEXT_SIZE]);

QM_DECLS_END

#endif
