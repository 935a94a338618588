/*
 * qm_scram.h: the client's side of SCRAM (RFC 5802, RFC 7677).
 *
 * Three steps: first message, answer to the server's first, proof of the
 * server. No clock, no randomness: the nonce is given. Messages are in clear,
 * the base64 of SASL is the session's.
 *
 * Names and passwords: SASLprep (RFC 4013) changes nothing about printable
 * ASCII and refuses control characters; so do we. Beyond ASCII it wants the
 * normal form KC: text is taken as given, which is right for nearly all text
 * as input methods make it.
 */
#ifndef QM_SCRAM_H
#define QM_SCRAM_H

#include "base/qm_buf.h"
#include "crypto/qm_digest.h"
#include "crypto/qm_salted.h"

enum {
    /*
     * A server chooses how often we hash, before it has proved who it is. A
     * million rounds are more than password stores are advised to ask for
     * (600000 for SHA-256) and take less than a second, in which the process
     * does nothing else.
     */
    QM_SCRAM_ROUNDS_MAX = 1000000,
    QM_SCRAM_MESSAGE_MAX = 12288, /* RFC 4954 section 4 */
    QM_SCRAM_SECRET_MAX = 9000
};

/* What was wrong with a message of the server. X(fault, English text) */
#define QM_SCRAM_FAULT_LIST(X)                                                 \
    X(NONE, "nothing")                                                         \
    X(FORM, "it is not a message of SCRAM")                                    \
    X(EXTENSION, "it asks for an extension nobody here knows")                 \
    X(NONCE, "its nonce does not go on from ours")                             \
    X(SALT, "its salt is missing or no base64")                                \
    X(ROUNDS, "its iteration count is not within 1 and 1000000")               \
    X(REFUSED, "the server reports an error")                                  \
    X(PROOF, "its signature is wrong")

enum qm_scram_fault {
#define QM_SCRAM_ENUM(fault, text) QM_SCRAM_##fault,
    QM_SCRAM_FAULT_LIST(QM_SCRAM_ENUM)
#undef QM_SCRAM_ENUM
};

struct qm_scram_settings {
    enum qm_digest digest;
    struct qm_span user;
    struct qm_span password;
    struct qm_span nonce; /* printable, no comma */
    /*
     * What binds the login to the TLS channel (RFC 5802 section 6): the name
     * of the kind of binding with its data; or without a name `may_bind`: we
     * could, but the server does not offer it ("y").
     */
    struct qm_span binding_name;
    struct qm_span binding;
    bool may_bind;
};

/* Embedded by its user; zeroed is closed. */
struct qm_scram {
    enum qm_digest digest;
    struct qm_buf password; /* wiped when the proof is made */
    struct qm_buf bound;    /* gs2 header, binding data */
    size_t header_len;      /* of the gs2 header */
    struct qm_buf auth;     /* AuthMessage; client-first-bare at first */
    size_t nonce_at;        /* our nonce in it */
    size_t nonce_len;
    unsigned char server_signature[QM_DIGEST_SIZE_MAX];
    unsigned step; /* messages made or judged */
    enum qm_scram_fault fault;
};

QM_DECLS_BEGIN

const char *qm_scram_fault_text(enum qm_scram_fault fault);

/*
 * Copies what it needs. QM_E_CONTROL or QM_E_UTF8 for a name or password,
 * QM_E_EMPTY or QM_E_SYNTAX for a nonce, QM_E_MEMORY, QM_E_LIMIT.
 * qm_scram_deinit() is due in any case.
 */
enum qm_err qm_scram_init(struct qm_scram *scram,
                          const struct qm_scram_settings *settings) QM_MUST_USE;
void qm_scram_deinit(struct qm_scram *scram);

/* Appends the client's first message to `out`. */
enum qm_err qm_scram_first(struct qm_scram *scram,
                           struct qm_buf *out) QM_MUST_USE;

/*
 * Appends the answer to the server's first message. QM_E_SYNTAX: see `fault`,
 * nothing was made of the password then. Takes as long as the server's
 * iteration count asks for, unless `salted` (may be NULL) remembers.
 */
enum qm_err qm_scram_final(struct qm_scram *scram, struct qm_span challenge,
                           struct qm_salted *salted,
                           struct qm_buf *out) QM_MUST_USE;

/*
 * Does the server's last message prove that it knows the password? QM_OK: it
 * does; QM_E_SYNTAX: see `fault`.
 */
enum qm_err qm_scram_verify(struct qm_scram *scram,
                            struct qm_span challenge) QM_MUST_USE;

QM_DECLS_END

#endif
