/*
 * qm_smtp.h: the SMTP session as a machine without input or output.
 *
 * Four verbs drive it:
 *   give input   qm_smtp_feed(), qm_smtp_input_ended()
 *   take output  qm_smtp_output(), qm_smtp_sent()
 *   want         qm_smtp_want(): what it can make use of next
 *   next event   qm_smtp_next_event(): what happened, one thing at a time
 *
 * It has no clock, no socket, no callback and no allocation for a message once
 * its buffers have grown. The caller moves bytes, starts TLS when asked, feeds
 * the body, and calls qm_smtp_next_event() until it says QM_EVENT_NONE after
 * each change.
 *
 * Commands and replies have separate cursors: commands leave in groups where
 * the server pipelines (RFC 2920), each remembered in a flight of expected
 * replies with its position in the output stream. A reply counts only when the
 * bytes of its command were already handed over; anything else the server says
 * ends the session. The envelope of the next message may leave right behind
 * the body of the one before, so a warm connection costs one round trip a mail.
 *
 * Where the server offers CHUNKING (RFC 3030) a message of known size goes as
 * one BDAT chunk. Its bytes need no permission, so an eager one leaves together
 * with its envelope, and a whole window of messages in one flight.
 */
#ifndef QM_SMTP_H
#define QM_SMTP_H

#include "base/qm_buf.h"
#include "codec/qm_dot.h"
#include "smtp/qm_cmd.h"
#include "smtp/qm_ehlo.h"
#include "smtp/qm_mask.h"
#include "smtp/qm_reply.h"
#include "smtp/qm_sasl.h"
#include "smtp/qm_states.h"
#include "smtp/qm_trace.h"
#include "smtp/qm_txn.h"

enum {
    /*
     * Replies that may be outstanding. A hundred replies of ordinary size fit
     * into the smallest socket buffers, so neither side can block the other.
     */
    QM_SMTP_FLIGHT_MAX = 100,
    /* Messages without a verdict while the commands of the next are written. */
    QM_SMTP_WINDOW_MAX = 64,
    /* Messages known at once: these, the next, and one told but not drained. */
    QM_SMTP_TXN_MAX = QM_SMTP_WINDOW_MAX + 2,
    QM_SMTP_TXN_MIN = 4, /* ... whatever the window is */
    /* Challenges in one AUTH exchange; no mechanism needs more than 2. */
    QM_SMTP_CHALLENGES_MAX = 4,
    /* Body bytes that may wait for the transport. */
    QM_SMTP_BODY_AIM = 64 * 1024,
    /*
     * Largest chunk that is sent before its recipients are accepted: what a
     * refusal wastes.
     */
    QM_SMTP_EAGER_MAX = 64 * 1024,
    QM_SMTP_OUT_MAX = 256 * 1024,
    /* One reply at its largest, and the start of another. */
    QM_SMTP_IN_MAX = 2 * QM_REPLY_TOTAL_MAX,
    QM_SMTP_TEXT_MAX = 1024 /* decoded reply text in an event */
};

enum qm_smtp_security {
    QM_SMTP_CLEAR,    /* no TLS on this session */
    QM_SMTP_STARTTLS, /* TLS or nothing, after STARTTLS */
    QM_SMTP_IMPLICIT  /* the transport is TLS from the first byte */
};

/* Why a message or the session failed. X(fault, stable name) */
#define QM_FAULT_LIST(X)                                                       \
    X(NONE, "none")                                                            \
    X(REPLY, "reply")           /* the server said no: see the reply */        \
    X(BAD_REPLY, "bad_reply")   /* what came is no SMTP reply */               \
    X(UNEXPECTED, "unexpected") /* a reply nobody asked for, or of a kind  \
                                       that cannot stand here */   \
    X(REPLY_TOO_LONG, "reply_too_long")                                        \
    X(CLOSED, "closed") /* the connection ended */                             \
    X(RESET, "reset")   /* ... by a reset */                                   \
    X(TIMEOUT, "timeout")                                                      \
    X(TRANSPORT, "transport") /* TLS or the system reported an error */        \
    X(CANCELLED, "cancelled")                                                  \
    X(NO_STARTTLS, "no_starttls")     /* required, not offered */              \
    X(INJECTED, "injected")           /* bytes behind the reply to STARTTLS */ \
    X(NO_AUTH, "no_auth")             /* login asked for, AUTH not offered */  \
    X(NO_MECHANISM, "no_mechanism")   /* none that both sides know */          \
    X(CLEAR_AUTH, "clear_auth")       /* would send a secret without TLS */    \
    X(BAD_CHALLENGE, "bad_challenge") /* not one of the mechanism in use */    \
    X(NOT_PROVEN, "not_proven")   /* the server does not know the password */  \
    X(TOO_BIG, "too_big")         /* larger than the server's SIZE */          \
    X(NO_UTF8, "no_utf8")         /* needs SMTPUTF8, not offered */            \
    X(SOURCE, "source")           /* the body's source failed */               \
    X(NO_CHUNKING, "no_chunking") /* offered, but BDAT is not known */         \
    X(MEMORY, "memory")                                                        \
    X(SETTINGS, "settings") /* a setting cannot go into a command */

enum qm_smtp_fault {
#define QM_FAULT_ENUM(fault, name) QM_FAULT_##fault,
    QM_FAULT_LIST(QM_FAULT_ENUM)
#undef QM_FAULT_ENUM
};

struct qm_smtp_settings {
    struct qm_span hostname; /* EHLO name: domain or address literal */
    enum qm_smtp_security security;
    struct qm_sasl_login login; /* no AUTH when user and token are empty
                                   and there is no certificate */
    unsigned mechanisms;        /* QM_SASL_BIT() of each allowed mechanism */
    bool allow_clear_auth;      /* AUTH on a session without TLS */
    bool pipelining;            /* use it where offered */
    bool smtputf8;              /* use it where offered */
    bool chunking;              /* use it where offered */
    bool doubt_chunking;        /* no second chunk before one was taken */
    unsigned window;            /* 0: wait for each verdict; n: with n of them
                                   due the next message may follow; more than
                                   QM_SMTP_WINDOW_MAX counts as that */
    bool no_reset;              /* server quirk: never RSET */
};

enum qm_smtp_want {
    QM_WANT_SEND = 1,  /* qm_smtp_output() is not empty */
    QM_WANT_RECV = 2,  /* a reply is due */
    QM_WANT_TLS = 4,   /* do the handshake, then qm_smtp_tls_ready() */
    QM_WANT_BODY = 8,  /* body bytes of qm_smtp_body_id() */
    QM_WANT_WORK = 16, /* qm_smtp_room() is not 0: submit, or quit when idle */
    QM_WANT_RESPONSE = 32 /* qm_smtp_challenge(): the next message of AUTH */
};

enum qm_smtp_event_type {
    QM_EVENT_NONE,
    QM_EVENT_READY,     /* logged in; once a session */
    QM_EVENT_RECIPIENT, /* recipient `index` of message `id` was refused; of a
                           check: what was said of it */
    QM_EVENT_DELIVERED, /* message `id` is the server's now */
    QM_EVENT_REFUSED,   /* message `id` is not; the session goes on */
    QM_EVENT_CHECKED,   /* all recipients of check `id` have their verdicts */
    QM_EVENT_LOST,      /* message `id` had no verdict when the session failed;
                           `handed_over` says whether it may be delivered */
    QM_EVENT_FAILED,    /* the session is over; comes last, once */
    QM_EVENT_CLOSED     /* QUIT was handed over; close the transport */
};

/* `text` is valid until the next call of qm_smtp_next_event(). */
struct qm_smtp_event {
    enum qm_smtp_event_type type;
    uint32_t id;    /* message */
    unsigned index; /* recipient, from 0 */
    enum qm_smtp_fault fault;
    enum qm_phase phase;
    int code; /* reply code, 0 when there was no reply */
    struct qm_enhanced enhanced;
    struct qm_span text; /* reply text as printable UTF-8 */
    /* FAILED in AUTH: what the server said before it refused, likewise */
    struct qm_span detail;
    bool handed_over; /* LOST: the last byte had left, delivery unknown */
    /* LOST, FAILED: what was handed over and unanswered at that moment */
    unsigned in_flight; /* commands */
    bool behind;        /* ... of more than one message */
};

/* What a reply in flight answers. */
enum qm_smtp_ask {
    QM_ASK_GREETING,
    QM_ASK_LOGIN, /* EHLO, HELO, STARTTLS, AUTH: see the state */
    QM_ASK_RESET,
    QM_ASK_MAIL,
    QM_ASK_RCPT,
    QM_ASK_DATA,
    QM_ASK_FINAL
};

struct qm_smtp_expected {
    enum qm_smtp_ask ask;
    unsigned slot;  /* transaction in the ring */
    unsigned index; /* recipient */
    uint64_t after; /* stream offset just past the command */
};

struct qm_smtp {
    struct qm_smtp_settings set; /* spans point into `secrets` and `names` */
    struct qm_buf names;
    struct qm_buf secrets;  /* wiped as soon as AUTH is over */
    struct qm_buf response; /* last one sent in AUTH; wiped likewise */
    struct qm_mask mask;    /* all of them; wiped with the session's end */
    enum qm_state state;
    bool secure; /* bytes travel inside TLS */
    struct qm_ehlo ehlo;
    enum qm_sasl_mechanism mechanism;
    unsigned challenges;
    struct qm_buf challenge; /* the last one, decoded */
    struct qm_buf detail;    /* what the server said of a refusal */
    bool response_waits;     /* the first, until the server asks for it */
    bool can_bind;           /* the TLS channel can be named */
    bool proven; /* all that the mechanism asks of the server came */

    struct qm_buf in;
    struct qm_buf out;
    struct qm_buf text; /* of the last event */
    uint64_t sent;      /* stream offset handed to the transport */
    uint32_t progress;  /* changes with each complete reply */
    struct qm_reply reply;
    struct qm_trace trace;

    struct qm_smtp_expected flight[QM_SMTP_FLIGHT_MAX]; /* ring */
    unsigned flight_first;
    unsigned flight_count;

    struct qm_txn txns[QM_SMTP_TXN_MAX]; /* ring, oldest first */
    unsigned txn_max; /* slots of it in use: as many as the window needs */
    unsigned txn_first;
    unsigned txn_count;
    uint32_t last_id;
    struct qm_dot dot;
    uint64_t chunk_left; /* bytes of the chunk not yet in `out`; ... */
    bool has_held;       /* ... its last one is held back: `held` */
    char held;
    bool chunking_proven; /* a BDAT was answered with success */
    bool must_reset;      /* RSET before the next MAIL */
    bool aborted;         /* the source of the body failed */

    enum qm_smtp_fault ended;      /* why no more input comes; NONE: it may */
    struct qm_smtp_event deferred; /* second event of the same reply */
    struct qm_smtp_event failure;  /* first failure of the session */
    bool ready_told;
    bool over_told; /* FAILED or CLOSED was reported */
};

QM_DECLS_BEGIN

const char *qm_smtp_state_name(enum qm_state state);
const char *qm_phase_name(enum qm_phase phase);
const char *qm_smtp_fault_name(enum qm_smtp_fault fault);

/*
 * Copies the settings and waits for the greeting. QM_E_MEMORY or QM_E_LIMIT;
 * qm_smtp_deinit() is due in either case. Secrets are wiped when AUTH is over,
 * but for what hides them in later replies: that is wiped when the session is
 * over, at the latest by qm_smtp_deinit().
 */
enum qm_err qm_smtp_init(struct qm_smtp *smtp,
                         const struct qm_smtp_settings *settings) QM_MUST_USE;
void qm_smtp_deinit(struct qm_smtp *smtp);

/* Milliseconds on the caller's clock, for the trace. */
void qm_smtp_set_time(struct qm_smtp *smtp, uint64_t now_ms);

/* --- input --------------------------------------------------------------- */

/* Bytes from the server. Faults come as events; QM_E_MISUSE during TLS. */
enum qm_err qm_smtp_feed(struct qm_smtp *smtp, struct qm_span bytes);

/*
 * No more input will come: QM_FAULT_CLOSED, RESET, TIMEOUT, TRANSPORT or
 * CANCELLED. Replies already fed are still judged first.
 */
void qm_smtp_input_ended(struct qm_smtp *smtp, enum qm_smtp_fault why);

/* The handshake that QM_WANT_TLS asked for (or implicit TLS) is done. */
void qm_smtp_tls_ready(struct qm_smtp *smtp);

/*
 * Before qm_smtp_tls_ready(): the caller has data that names the TLS channel,
 * so that mechanisms which are bound to it may be chosen.
 */
void qm_smtp_can_bind(struct qm_smtp *smtp);

/* --- login by a mechanism whose messages the caller makes ----------------- */

struct qm_smtp_challenge {
    enum qm_sasl_mechanism mechanism;
    unsigned step;        /* 0: the AUTH command itself, nothing was said yet */
    struct qm_span bytes; /* decoded; valid until the response is given */
    /*
     * The server offers to bind the login to the channel, whatever mechanism
     * was chosen: what RFC 5802 section 6 has to know.
     */
    bool offers_binding;
};

/* False unless QM_WANT_RESPONSE. */
bool qm_smtp_challenge(const struct qm_smtp *smtp,
                       struct qm_smtp_challenge *challenge_out);

/*
 * The message, not in base64; NULL at step 0 when the mechanism begins with a
 * challenge. `proven`: the mechanism asks nothing more of the server, so that
 * success may be believed. QM_E_MISUSE, QM_E_LIMIT, QM_E_MEMORY.
 */
enum qm_err qm_smtp_respond(struct qm_smtp *smtp, const struct qm_span *message,
                            bool proven) QM_MUST_USE;

/*
 * No such message can be made here. Nothing was said yet (step 0): the best of
 * the mechanisms that the session knows by itself is taken instead.
 */
void qm_smtp_decline(struct qm_smtp *smtp);

/*
 * What the server said must not be answered: BAD_CHALLENGE or NOT_PROVEN with
 * the reason, or MEMORY. The session fails, nothing more is sent.
 */
void qm_smtp_give_up(struct qm_smtp *smtp, enum qm_smtp_fault why,
                     struct qm_span reason);

/* --- output -------------------------------------------------------------- */

/* Bytes to hand to the transport; valid until the next call that writes. */
struct qm_span qm_smtp_output(const struct qm_smtp *smtp);

/* The transport took the first `len` of them. */
void qm_smtp_sent(struct qm_smtp *smtp, size_t len);

/* --- wants and events ---------------------------------------------------- */

unsigned qm_smtp_want(const struct qm_smtp *smtp);

/* False and QM_EVENT_NONE when nothing (more) happened. */
bool qm_smtp_next_event(struct qm_smtp *smtp, struct qm_smtp_event *event_out);

/* The phase whose reply is due: which deadline applies. */
enum qm_phase qm_smtp_phase(const struct qm_smtp *smtp);

/* --- messages ------------------------------------------------------------ */

struct qm_smtp_message {
    struct qm_span from; /* empty: the null reverse-path */
    bool has_size;
    uint64_t size; /* bytes with CRLF line ends, before dot-stuffing */
    bool eightbit; /* body holds bytes above 127 */
    bool utf8;     /* addresses or header need SMTPUTF8 */
    /*
     * RFC 8689. That the server's certificate was verified is not known here:
     * the caller sees to it.
     */
    bool require_tls;
    struct qm_dsn_mail dsn; /* RFC 3461; all zero: none */
    /*
     * By BDAT the body goes out without waiting for the replies to MAIL and
     * RCPT, where the server pipelines and the size is at most
     * QM_SMTP_EAGER_MAX.
     */
    bool eager;
    /*
     * The envelope alone: MAIL and RCPT are sent and answered, and nothing is
     * delivered. Ends with QM_EVENT_CHECKED whatever became of the recipients,
     * or QM_EVENT_REFUSED when MAIL was refused. The server's transaction is
     * still open then: RSET goes before the next MAIL, QUIT needs none. With
     * `no_reset` the session says QUIT by itself.
     */
    bool check;
};

/*
 * How many more messages may usefully be submitted now; 0 unless logged in.
 * Each that was submitted and has no outcome yet takes one place of window + 1.
 */
unsigned qm_smtp_room(const struct qm_smtp *smtp);

/*
 * Starts a message; recipients are added one by one, then it is submitted or
 * dropped. QM_E_AGAIN when the ring is full, QM_E_MISUSE when not logged in,
 * QM_E_TOO_LONG when the server's SIZE is passed, QM_E_UNSUPPORTED when
 * SMTPUTF8, DSN or REQUIRETLS is needed and not offered, or the latter without
 * TLS; address errors as qm_txn_set_from(), others as qm_txn_set_dsn().
 * Nothing of it is written before qm_smtp_submit().
 */
enum qm_err qm_smtp_begin(struct qm_smtp *smtp,
                          const struct qm_smtp_message *message,
                          uint32_t *id_out) QM_MUST_USE;
enum qm_err qm_smtp_add_rcpt(struct qm_smtp *smtp,
                             struct qm_span path) QM_MUST_USE;

/* What is asked of reports on the recipient just added (RFC 3461). */
enum qm_err qm_smtp_ask_reports(struct qm_smtp *smtp,
                                const struct qm_dsn_rcpt *dsn) QM_MUST_USE;
enum qm_err qm_smtp_submit(struct qm_smtp *smtp) QM_MUST_USE;
void qm_smtp_drop(struct qm_smtp *smtp);

/*
 * The message QM_WANT_BODY is about; 0 when none. An eager one may have been
 * refused already: once its first bytes were taken the rest has to follow, for
 * the server counts them.
 */
uint32_t qm_smtp_body_id(const struct qm_smtp *smtp);

/*
 * Body bytes, line ends and dots made safe on the way. *used_out may be less
 * than given when the output is full: take output, then go on. QM_E_CHANGED:
 * by BDAT, and they are more than the size; the session has failed then, as
 * after qm_smtp_body_abort().
 */
enum qm_err qm_smtp_body(struct qm_smtp *smtp, struct qm_span bytes,
                         size_t *used_out) QM_MUST_USE;

/*
 * The body is complete: writes the end mark, or by BDAT the last byte, which
 * was held back. QM_E_CHANGED as above, when they were fewer.
 */
enum qm_err qm_smtp_body_end(struct qm_smtp *smtp) QM_MUST_USE;

/*
 * The source failed. The session ends without an end mark, so that half a
 * message is never delivered; but messages handed over before get their
 * verdicts first.
 */
void qm_smtp_body_abort(struct qm_smtp *smtp);

/* --- end ----------------------------------------------------------------- */

/* Sends QUIT when idle; its reply is never read. */
void qm_smtp_quit(struct qm_smtp *smtp);

QM_DECLS_END

#endif
