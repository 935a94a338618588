/*
 * qm_sasl.h: SASL mechanisms (RFC 4954): which there are, the choice among
 * them, and the messages of those that need no cryptography.
 *
 * PLAIN (RFC 4616) with its initial response, if the command can hold it: some
 * servers, QQ among them, refuse the two-step form. LOGIN answers the first
 * challenge with the user and the second with the password whatever they say.
 * XOAUTH2 carries a bearer token and answers an error challenge with an empty
 * line, OAUTHBEARER (RFC 7628) with a ^A. EXTERNAL names the user, or nobody.
 */
#ifndef QM_SASL_H
#define QM_SASL_H

#include "base/qm_buf.h"

/*
 * In order of strength, which is that of preference inside TLS. There the
 * server is known, so that a password in clear is safer than CRAM-MD5, for
 * which the server has to keep it in clear. X(symbol, name on the wire, what
 * it needs, who makes its messages)
 */
#define QM_SASL_LIST(X)                                                        \
    X(SCRAM_SHA_256_PLUS, "SCRAM-SHA-256-PLUS", PASSWORD, BOUND)               \
    X(SCRAM_SHA_1_PLUS, "SCRAM-SHA-1-PLUS", PASSWORD, BOUND)                   \
    X(SCRAM_SHA_256, "SCRAM-SHA-256", PASSWORD, OUTSIDE)                       \
    X(SCRAM_SHA_1, "SCRAM-SHA-1", PASSWORD, OUTSIDE)                           \
    X(XOAUTH2, "XOAUTH2", TOKEN, HERE)                                         \
    X(OAUTHBEARER, "OAUTHBEARER", TOKEN, HERE)                                 \
    X(EXTERNAL, "EXTERNAL", CERTIFICATE, HERE)                                 \
    X(PLAIN, "PLAIN", PASSWORD, HERE)                                          \
    X(LOGIN, "LOGIN", PASSWORD, HERE)                                          \
    X(CRAM_MD5, "CRAM-MD5", PASSWORD, OUTSIDE)

enum qm_sasl_mechanism {
#define QM_SASL_ENUM(symbol, name, needs, maker) QM_SASL_##symbol,
    QM_SASL_LIST(QM_SASL_ENUM)
#undef QM_SASL_ENUM
        QM_SASL_COUNT,
    QM_SASL_NONE = QM_SASL_COUNT
};

/* What a mechanism logs in with. */
enum qm_sasl_need {
    QM_SASL_PASSWORD,
    QM_SASL_TOKEN,
    QM_SASL_CERTIFICATE /* that of the TLS client */
};

/* Who makes its messages. */
enum qm_sasl_maker {
    QM_SASL_HERE,
    QM_SASL_OUTSIDE, /* the session's owner: they need cryptography */
    QM_SASL_BOUND    /* likewise, and data that names the TLS channel */
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
    struct qm_span host;     /* for OAUTHBEARER; empty: left out */
    unsigned port;           /* likewise; 0: left out */
    bool certificate;        /* the TLS client's: EXTERNAL and nothing else */
};

QM_DECLS_BEGIN

const char *qm_sasl_name(enum qm_sasl_mechanism mechanism);

/* Bit of the mechanism with that name (no case), 0 when unknown. */
unsigned qm_sasl_bit_of(struct qm_span name);

enum qm_sasl_maker qm_sasl_maker(enum qm_sasl_mechanism mechanism);

/* Bits of all mechanisms with this maker. */
unsigned qm_sasl_made_by(enum qm_sasl_maker maker);

/*
 * Best mechanism that is in both sets and that the login has a secret for;
 * QM_SASL_NONE when there is none. Outside TLS (not `secure`) those that show
 * the password come last.
 */
enum qm_sasl_mechanism qm_sasl_choose(unsigned offered, unsigned allowed,
                                      const struct qm_sasl_login *login,
                                      bool secure);

/*
 * Appends the base64 of the client's message number `step` (0: initial
 * response) to `out`, a wiping buffer. *has_response_out is false when the
 * mechanism sends nothing at this point (LOGIN at step 0). QM_E_SYNTAX when
 * the exchange has no such step: the server asks too often, or its messages are
 * not made here.
 */
enum qm_err qm_sasl_respond(enum qm_sasl_mechanism mechanism, unsigned step,
                            const struct qm_sasl_login *login,
                            struct qm_buf *out,
                            bool *has_response_out) QM_MUST_USE;

QM_DECLS_END

#endif
