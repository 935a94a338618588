/*
 * qm_tls.h: TLS as a filter between two byte queues. No sockets, no clock.
 *
 * The owner feeds what arrives, sends what is in the output, and moves
 * plaintext through read and write. "More input is needed" is the ordinary
 * answer QM_E_AGAIN. A failure is sticky: QM_E_TLS means that `code` and
 * `text` say why, and that the output may hold an alert worth sending.
 *
 * The struct is embedded by its user and must not move once opened, because
 * OpenSSL points to it. Zeroed is closed.
 */
#ifndef QM_TLS_H
#define QM_TLS_H

#include "base/qm_buf.h"
#include "tls/qm_tls_bio.h"
#include "tls/qm_tls_ctx.h"
#include "tls/qm_tls_err.h"
#include "tls/qm_tls_host.h"
#include "tls/qm_tls_marks.h"
#include "tls/qm_tls_text.h"

struct ssl_st;
struct stack_st_X509;

enum {
    QM_TLS_IN_CAP = 65536,     /* bytes fed and not yet decrypted */
    QM_TLS_OUT_CAP = 131072,   /* bytes made and not yet sent: hard limit */
    QM_TLS_OUT_BUSY = 65536,   /* no new record is begun above this */
    QM_TLS_RECORD_MAX = 16384, /* plaintext in a record, RFC 8446, 5.1 */
    QM_TLS_HEAD_SIZE = 64,     /* first bytes of the peer, kept for texts */
    QM_TLS_NAMES_CAP = 4096,   /* bytes of host names in the report */
    QM_TLS_SESSION_KEY_MAX = 1024
};

struct qm_tls {
    struct qm_tls_ctx *ctx;       /* one reference; NULL when closed */
    struct ssl_st *ssl;           /* owned */
    struct qm_tls_pipe pipe;      /* network side */
    struct qm_tls_marks marks;    /* records that wait in the output */
    uint64_t cipher_sent;         /* bytes of output handed over */
    struct qm_tls_host host;      /* who the peer must be */
    struct qm_buf store_key;      /* for the session store; may be empty */
    struct qm_buf names;          /* see qm_tls_info() */
    struct stack_st_X509 *chain;  /* shown in a full handshake; owned */
    enum qm_err err;              /* QM_OK or the failure that stays */
    enum qm_tls_code code;        /* why, when err is QM_E_TLS */
    struct qm_tls_text text;      /* the same as a sentence */
    enum qm_tls_code cert_code;   /* first fault of a certificate, even */
    struct qm_tls_text cert_text; /* when it was not to be verified */
    char head[QM_TLS_HEAD_SIZE];  /* first bytes fed */
    size_t head_len;              /* bytes of head in use */
    bool established;             /* the handshake is over */
    bool verified;                /* and the peer proved who it is */
    bool peer_closed;             /* close_notify arrived */
    bool shut;                    /* close_notify was made */
};

QM_DECLS_BEGIN

/*
 * A client towards `server_name`. An empty name is allowed only in a context
 * that does not verify. With a session key the session is remembered in the
 * context under key and name, and resumed by the next filter of the same two.
 * QM_E_MISUSE (a server's context), the errors of qm_tls_host_set(),
 * QM_E_TOO_LONG (the session key), QM_E_MEMORY. On failure it is closed.
 */
enum qm_err qm_tls_open_client(struct qm_tls *tls, struct qm_tls_ctx *ctx,
                               struct qm_span server_name,
                               struct qm_span session_key) QM_MUST_USE;

/* The other side, for tests. */
enum qm_err qm_tls_open_server(struct qm_tls *tls,
                               struct qm_tls_ctx *ctx) QM_MUST_USE;

/* Frees everything; sends nothing. May be called again. */
void qm_tls_close(struct qm_tls *tls);

/* QM_OK when the handshake is over, QM_E_AGAIN when more must be fed. */
enum qm_err qm_tls_handshake(struct qm_tls *tls) QM_MUST_USE;

/*
 * Bytes from the network: all of them or, with QM_E_LIMIT, none. After a
 * failure or close_notify they are ignored (RFC 8446, section 6.1).
 */
enum qm_err qm_tls_feed(struct qm_tls *tls, struct qm_span cipher) QM_MUST_USE;

/* The network will deliver nothing more. */
void qm_tls_eof(struct qm_tls *tls);

/*
 * At least one byte of plaintext into `out` (`cap` > 0), or QM_E_AGAIN, or
 * QM_E_CLOSED after the peer's close_notify. The end of the network without
 * it is QM_E_TLS with QM_TLS_TRUNCATED.
 */
enum qm_err qm_tls_read(struct qm_tls *tls, char *out, size_t cap,
                        size_t *len_out) QM_MUST_USE;

/*
 * Puts plaintext into records, as much as the output has room for; 0 bytes
 * accepted means that output must be sent first.
 */
enum qm_err qm_tls_write(struct qm_tls *tls, struct qm_span plain,
                         size_t *accepted_out) QM_MUST_USE;

/* What waits to be sent; valid until the next call. Nothing is consumed. */
struct qm_span qm_tls_output(const struct qm_tls *tls);

/*
 * The first `cipher_len` bytes of the output were handed over. Reports how
 * many bytes of plaintext that completes: those whose record has left whole.
 * QM_E_MISUSE when so much never waited.
 */
enum qm_err qm_tls_sent(struct qm_tls *tls, size_t cipher_len,
                        uint64_t *plain_out) QM_MUST_USE;

/* Puts close_notify into the output, once and after the handshake only. */
void qm_tls_shutdown(struct qm_tls *tls);

QM_DECLS_END

#endif
