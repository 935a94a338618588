/*
 * qm_smtp_impl.h: what the files of the machine share.
 *
 *   qm_smtp.c          buffers, flight of expected replies, state, failures
 *   qm_smtp_event.c    reading replies, wants, events
 *   qm_smtp_login.c    greeting, EHLO, STARTTLS
 *   qm_smtp_auth.c     AUTH
 *   qm_smtp_mail.c     messages and the commands of their envelopes
 *   qm_smtp_verdict.c  the replies to these
 *   qm_smtp_body.c     the body
 *
 * A handler of a reply returns the next state; qm_smtp_set_state() is the only
 * place that changes it.
 */
#ifndef QM_SMTP_IMPL_H
#define QM_SMTP_IMPL_H

#include "smtp/qm_smtp.h"

QM_DECLS_BEGIN

/* --- for the handlers (qm_smtp.c) ---------------------------------------- */

/* The only place where the state changes. */
void qm_smtp_set_state(struct qm_smtp *smtp, enum qm_state to);

/* Failed or closed: nothing is read or written any more. */
bool qm_smtp_is_over(const struct qm_smtp *smtp);

struct qm_cmd qm_smtp_writer(struct qm_smtp *smtp);

/* Stream offset just past everything written so far. */
uint64_t qm_smtp_written(const struct qm_smtp *smtp);

/*
 * Remembers that the command just written is to be answered. The flight must
 * not be full.
 */
void qm_smtp_expect(struct qm_smtp *smtp, enum qm_smtp_ask ask, unsigned slot,
                    unsigned index);

/* Records the first failure of the session and returns QM_S_FAILED. */
enum qm_state qm_smtp_fail(struct qm_smtp *smtp, enum qm_smtp_fault fault,
                           enum qm_phase phase);

/* As above, with the reply just read as the reason. */
enum qm_state qm_smtp_fail_with(struct qm_smtp *smtp, enum qm_smtp_fault fault,
                                enum qm_phase phase);

/* As above; the fault is UNEXPECTED unless the reply is a refusal. */
enum qm_state qm_smtp_fail_reply(struct qm_smtp *smtp, enum qm_phase phase);

/* Fills code, enhanced code and text of an event from the reply just read. */
void qm_smtp_describe_reply(struct qm_smtp *smtp, struct qm_smtp_event *event);

/* --- replies (qm_smtp_event.c) ------------------------------------------- */

/*
 * True when the server has said something, if only half a line, that no
 * command asked for. It is looked at before we speak.
 */
bool qm_smtp_is_unasked(const struct qm_smtp *smtp);

/* The phase in which a reply of this kind is read. */
enum qm_phase qm_smtp_ask_phase(enum qm_smtp_ask ask);

/* --- login (qm_smtp_login.c) --------------------------------------------- */

enum qm_state qm_smtp_on_greeting(struct qm_smtp *smtp);
enum qm_state qm_smtp_on_login_reply(struct qm_smtp *smtp);

/* Sends EHLO and returns the state that waits for its reply. */
enum qm_state qm_smtp_start_ehlo(struct qm_smtp *smtp);

/* --- AUTH (qm_smtp_auth.c) ------------------------------------------------ */

/* Chooses a mechanism and begins with it; returns the next state. */
enum qm_state qm_smtp_start_auth(struct qm_smtp *smtp);

/* Judges the reply to AUTH or to a response. */
enum qm_state qm_smtp_on_auth(struct qm_smtp *smtp);

/* Takes note of what no reply may show; the response of AUTH comes later. */
enum qm_err qm_smtp_mask_login(struct qm_smtp *smtp) QM_MUST_USE;

/*
 * Overwrites the secrets of the login where the server repeats them in the
 * reply just read, to AUTH or anything after it, before anything is made of
 * its text.
 */
void qm_smtp_mask_reply(struct qm_smtp *smtp);

/* What a transcript shows of a line of the reply just read. */
struct qm_span qm_smtp_shown_line(const struct qm_smtp *smtp,
                                  struct qm_span line);

/* --- transactions (qm_smtp_mail.c) --------------------------------------- */

/* The message at a position in the ring, 0 the oldest. */
struct qm_txn *qm_smtp_txn_at(struct qm_smtp *smtp, unsigned position,
                              unsigned *slot_out);

/* Takes the oldest message off the ring. */
void qm_smtp_pop_txn(struct qm_smtp *smtp);

/* Writes whatever commands may leave now. */
void qm_smtp_write_commands(struct qm_smtp *smtp);

/* --- verdicts (qm_smtp_verdict.c) ---------------------------------------- */

/*
 * The reply just read, to a BDAT, says that the server does not know BDAT: it
 * took the chunk for commands. Not so when it has taken one before.
 */
bool qm_smtp_lacks_chunking(const struct qm_smtp *smtp);

/*
 * Judges the reply just read. May fill *event_out (its type stays
 * QM_EVENT_NONE otherwise); returns the next state.
 */
enum qm_state qm_smtp_on_mail_reply(struct qm_smtp *smtp,
                                    const struct qm_smtp_expected *asked,
                                    struct qm_smtp_event *event_out);

/*
 * Takes the oldest message off a failed session as a LOST event; false when
 * there is none left.
 */
bool qm_smtp_take_lost(struct qm_smtp *smtp, struct qm_smtp_event *event_out);

/* --- body (qm_smtp_body.c) ----------------------------------------------- */

/*
 * Output bytes a body may fill now. 0 unless qm_dot_update() would make
 * progress with them, so that wanting a body and taking one agree.
 */
size_t qm_smtp_body_room(const struct qm_smtp *smtp);

/* Ends a session whose body broke off, as soon as nobody is owed a verdict. */
void qm_smtp_end_aborted(struct qm_smtp *smtp);

/* True when a message that was handed over has no verdict yet. */
bool qm_smtp_owes_verdict(const struct qm_smtp *smtp);

/* The message whose body is being sent, NULL when none. */
const struct qm_txn *qm_smtp_body_txn(const struct qm_smtp *smtp);

/* The body of the message may be given from now on. */
void qm_smtp_open_body(struct qm_smtp *smtp, struct qm_txn *txn);

QM_DECLS_END

#endif
