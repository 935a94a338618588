/*
 * qm_states.h: the states of a session, listed once.
 *
 * X(state, phase of an error that happens in it)
 */
#ifndef QM_STATES_H
#define QM_STATES_H

/* The phases an error can name; the words of the public API. */
#define QM_PHASE_LIST(X)                                                       \
    X(GREETING, "greeting")                                                    \
    X(EHLO, "ehlo")                                                            \
    X(STARTTLS, "starttls")                                                    \
    X(TLS, "tls")                                                              \
    X(AUTH, "auth")                                                            \
    X(MAIL, "mail")                                                            \
    X(RCPT, "rcpt")                                                            \
    X(DATA, "data")                                                            \
    X(BODY, "body")                                                            \
    X(FINAL, "final")                                                          \
    X(QUIT, "quit")

#define QM_STATE_LIST(X)                                                       \
    X(GREETING, GREETING) /* waiting for the server's 220 */                   \
    X(EHLO, EHLO)         /* EHLO is out */                                    \
    X(HELO, EHLO)         /* EHLO was not known, HELO is out */                \
    X(STARTTLS, STARTTLS) /* STARTTLS is out */                                \
    X(TLS, TLS)           /* the caller is to start TLS now */                 \
    X(AUTH, AUTH)         /* AUTH or one of its responses is out */            \
    X(CHALLENGE, AUTH)    /* the caller is to make the next response */        \
    X(AUTH_CANCEL, AUTH)  /* "*" is out; its reply ends the session */         \
    X(READY, MAIL)        /* messages may be submitted */                      \
    X(QUIT, QUIT)         /* QUIT is to be sent; nothing is read any more */   \
    X(CLOSED, QUIT)       /* done */                                           \
    X(FAILED, QUIT)       /* see the failure */

enum qm_phase {
#define QM_PHASE_ENUM(phase, name) QM_PHASE_##phase,
    QM_PHASE_LIST(QM_PHASE_ENUM)
#undef QM_PHASE_ENUM
};

enum qm_state {
#define QM_STATE_ENUM(state, phase) QM_S_##state,
    QM_STATE_LIST(QM_STATE_ENUM)
#undef QM_STATE_ENUM
};

#endif
