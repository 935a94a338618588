/*
 * qm_err.h: the one error type of the C core.
 *
 * A function that can fail returns enum qm_err, 0 meaning success; results go
 * through out-parameters. Text is made at the edge only (qm_err_text): the
 * core never formats a message.
 */
#ifndef QM_ERR_H
#define QM_ERR_H

#include "base/qm_base.h"

/* X(symbol, stable name, English text) */
#define QM_ERR_LIST(X)                                                         \
    X(QM_OK, "ok", "no error")                                                 \
    X(QM_E_MEMORY, "memory", "out of memory")                                  \
    X(QM_E_LIMIT, "limit", "a size limit was reached")                         \
    X(QM_E_MISUSE, "misuse", "called when or how it may not be")               \
    X(QM_E_CONTROL, "control_character", "contains a control character")       \
    X(QM_E_UTF8, "bad_utf8", "is not valid UTF-8")                             \
    X(QM_E_NONASCII, "non_ascii", "contains non-ASCII characters")             \
    X(QM_E_SYNTAX, "syntax", "is not well formed")                             \
    X(QM_E_TOO_LONG, "too_long", "is too long")                                \
    X(QM_E_EMPTY, "empty", "is empty")                                         \
    X(QM_E_SOURCE, "source", "the source of a body part failed")               \
    X(QM_E_CHANGED, "source_changed", "the source changed while it was read")  \
    X(QM_E_SYSTEM, "system", "a system call failed (see errno)")               \
    X(QM_E_TLS, "tls", "the TLS library reported an error")                    \
    X(QM_E_CLOSED, "closed", "the connection was closed")                      \
    X(QM_E_AGAIN, "again", "more input or more room is needed")                \
    X(QM_E_UNSUPPORTED, "unsupported", "is not supported here")

enum qm_err {
#define QM_ERR_ENUM(symbol, name, text) symbol,
    QM_ERR_LIST(QM_ERR_ENUM)
#undef QM_ERR_ENUM
        QM_ERR_COUNT
};

QM_DECLS_BEGIN

/* Stable machine name ("too_long"); "unknown" for a value out of range. */
const char *qm_err_name(enum qm_err err);

/* English text for a person, a sentence part without a subject. */
const char *qm_err_text(enum qm_err err);

QM_DECLS_END

#endif
