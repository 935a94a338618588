/*
 * qm_sasl.h: SASL mechanisms that need no cryptography (RFC 4954).
 *
 * PLAIN (RFC 4616) always with its initial response: some servers, QQ among
 * them, refuse the two-step form. LOGIN answers the first challenge with the
 * user and the second with the password whatever they say. XOAUTH2 carries a
 * bearer token and answers an error challenge with an empty line.
 */
#ifndef QM_SASL_H
#define QM_SASL_H

#include "base/qm_buf.h"

/* In order of preference. X(symbol, name on the wire, needs a token) */
#define QM_SASL_LIST(X)                                                        \
    X(XOAUTH2, "XOAUTH2", true)                                                \
    X(PLAIN, "PLAIN", false)                                                   \
    X(LOGIN, "LOGIN", false)

enum qm_sasl_mechanism {
#define QM_SASL_ENUM(symbol, name, token) QM_SASL_##symbol,
    QM_SASL_LIST(QM_SASL_ENUM)
#undef QM_SASL_ENUM
        QM_SASL_COUNT,
    QM_SASL_NONE = QM_SASL_COUNT
};

#define QM_SASL_BIT(mechanism) (1u << (unsigned)(mechanism))

/*
 * RFC 4954 section 4: a line of the exchange holds at most 12288 octets.
 * Base64 turns 9200 bytes into just under that, mechanism name included.
 */
enum { QM_SASL_SECRET_MAX = 9000 };

struct qm_sasl_login {
    struct qm_span user;
    struct qm_span password; /* empty when there is a token */
    struct qm_span token;    /* OAuth bearer token, empty when none */
};

QM_DECLS_BEGIN

const char *qm_sasl_name(enum qm_sasl_mechanism mechanism);

/* Bit of the mechanism with that name (no case), 0 when unknown. */
unsigned qm_sasl_bit_of(struct qm_span name);

/*
 * Best mechanism that is in both sets and that the login has a secret for;
 * QM_SASL_NONE when there is none.
 */
enum qm_sasl_mechanism qm_sasl_choose(unsigned offered, unsigned allowed,
                                      const struct qm_sasl_login *login);

/* Appends `bytes` in base64 on one line to `out`, a wiping buffer. */
enum qm_err qm_sasl_encode(struct qm_buf *out,
                           struct qm_span bytes) QM_MUST_USE;

/*
 * Appends the base64 of the client's message number `step` (0: initial
 * response) to `out`, a wiping buffer. *has_response_out is false when the
 * mechanism sends nothing at this point (LOGIN at step 0). QM_E_SYNTAX when
 * the exchange has no such step: the server asks too often.
 */
enum qm_err qm_sasl_respond(enum qm_sasl_mechanism mechanism, unsigned step,
                            const struct qm_sasl_login *login,
                            struct qm_buf *out,
                            bool *has_response_out) QM_MUST_USE;

QM_DECLS_END

#endif
