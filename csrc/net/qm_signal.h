/*
 * qm_signal.h: one part of a program tells another to go on, through any event
 * loop: what is waited for is a descriptor that becomes readable, and stays so.
 */
#ifndef QM_SIGNAL_H
#define QM_SIGNAL_H

#include "base/qm_err.h"

struct qm_signal {
    bool is_open;
    int ends[2]; /* of a pipe; [0] becomes readable; meaningful while open */
};

QM_DECLS_BEGIN

/* QM_E_SYSTEM with errno when there are no descriptors left. */
enum qm_err qm_signal_open(struct qm_signal *signal) QM_MUST_USE;

/* Sets it. Setting it again, or one that is closed, does nothing. */
void qm_signal_set(struct qm_signal *signal);

/* Idempotent. */
void qm_signal_close(struct qm_signal *signal);

QM_DECLS_END

#endif
