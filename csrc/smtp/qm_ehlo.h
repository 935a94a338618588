/*
 * qm_ehlo.h: what the server says it can do (RFC 5321 section 4.1.1.1).
 *
 * Keywords are compared whole and without case. Unknown ones are ignored.
 */
#ifndef QM_EHLO_H
#define QM_EHLO_H

#include "smtp/qm_reply.h"
#include "smtp/qm_sasl.h"

/* X(flag, keyword) */
#define QM_EHLO_LIST(X)                                                        \
    X(PIPELINING, "PIPELINING")                   /* RFC 2920 */               \
    X(EIGHTBITMIME, "8BITMIME")                   /* RFC 6152 */               \
    X(SMTPUTF8, "SMTPUTF8")                       /* RFC 6531 */               \
    X(STARTTLS, "STARTTLS")                       /* RFC 3207 */               \
    X(SIZE, "SIZE")                               /* RFC 1870 */               \
    X(AUTH, "AUTH")                               /* RFC 4954 */               \
    X(CHUNKING, "CHUNKING")                       /* RFC 3030 */               \
    X(BINARYMIME, "BINARYMIME")                   /* RFC 3030 */               \
    X(DSN, "DSN")                                 /* RFC 3461 */               \
    X(REQUIRETLS, "REQUIRETLS")                   /* RFC 8689 */               \
    X(ENHANCEDSTATUSCODES, "ENHANCEDSTATUSCODES") /* RFC 2034 */

enum qm_ehlo_bit {
#define QM_EHLO_BIT(flag, keyword) QM_EHLO_BIT_##flag,
    QM_EHLO_LIST(QM_EHLO_BIT)
#undef QM_EHLO_BIT
};

enum qm_ehlo_flag {
#define QM_EHLO_FLAG(flag, keyword) QM_EHLO_##flag = 1 << QM_EHLO_BIT_##flag,
    QM_EHLO_LIST(QM_EHLO_FLAG)
#undef QM_EHLO_FLAG
};

struct qm_ehlo {
    unsigned flags;      /* QM_EHLO_* */
    unsigned mechanisms; /* QM_SASL_BIT() of each known mechanism offered */
    uint64_t size_limit; /* bytes; 0: none stated (RFC 1870 section 4) */
};

QM_DECLS_BEGIN

/* Reads a complete EHLO reply; what an earlier one said is forgotten. */
void qm_ehlo_read(struct qm_ehlo *ehlo, const struct qm_reply *reply);

/* Keyword of a flag number (0, 1, ...), NULL past the last. */
const char *qm_ehlo_keyword(unsigned number);

static inline bool qm_ehlo_has(const struct qm_ehlo *ehlo,
                               enum qm_ehlo_flag flag)
{
    return (ehlo->flags & (unsigned)flag) != 0;
}

QM_DECLS_END

#endif
