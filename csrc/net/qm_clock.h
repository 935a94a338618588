/*
 * qm_clock.h: monotonic time, and waiting that ends.
 *
 * Every wait has a length, and none goes on after a signal: the caller is
 * told to look again, so that a host program can react (Lua runs its signal
 * hook between two of its instructions, not inside poll()).
 */
#ifndef QM_CLOCK_H
#define QM_CLOCK_H

#include "base/qm_err.h"

enum qm_clock_want {
    QM_CLOCK_READ,  /* bytes, end of stream, or a connection to accept */
    QM_CLOCK_WRITE, /* room to write, or the end of connect() */
};

enum { QM_CLOCK_POLL_MAX = 1024 }; /* most items of qm_clock_poll_us() */

/* One descriptor of qm_clock_poll_us(). */
struct qm_clock_item {
    int fd;
    bool want_read;  /* in */
    bool want_write; /* in */
    bool readable;   /* out; errors and hangups count as both */
    bool writable;   /* out */
};

QM_DECLS_BEGIN

/* Microseconds since some fixed moment; never goes back. */
uint64_t qm_clock_now_us(void);

/* Microseconds since 1970 by the clock on the wall, which may be set. */
uint64_t qm_clock_wall_us(void);

/*
 * Sleeps; returns the microseconds that are left when a signal ended the
 * sleep early, else 0.
 */
uint64_t qm_clock_sleep_us(uint64_t us);

/*
 * Waits at most `us` microseconds (rounded up to milliseconds). QM_OK: try
 * the operation now (it may answer "again": a signal also ends the wait).
 * QM_E_AGAIN: the time passed. QM_E_SYSTEM: see errno.
 */
enum qm_err qm_clock_wait_us(int fd, enum qm_clock_want want, uint64_t us);

/*
 * The same for several. `ready_out` is how many items are ready, 0 after a
 * timeout or a signal. QM_E_LIMIT: there are more than QM_CLOCK_POLL_MAX.
 */
enum qm_err qm_clock_poll_us(struct qm_clock_item *items, size_t len,
                             uint64_t us, size_t *ready_out);

QM_DECLS_END

#endif
