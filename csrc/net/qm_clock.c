#include "net/qm_clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

enum { US_PER_MS = 1000, US_PER_S = 1000000, NS_PER_US = 1000 };

static uint64_t read_us(clockid_t clock)
{
    struct timespec now = { 0, 0 };

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / NS_PER_US;
}

uint64_t qm_clock_now_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

uint64_t qm_clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

uint64_t qm_clock_sleep_us(uint64_t us)
{
    struct timespec wanted;
    struct timespec left = { 0, 0 };

    wanted.tv_sec = (time_t)(us / US_PER_S);
    wanted.tv_nsec = (long)(us % US_PER_S) * NS_PER_US;
    if (nanosleep(&wanted, &left) == 0) {
        return 0;
    }
    return (uint64_t)left.tv_sec * US_PER_S +
           (uint64_t)left.tv_nsec / NS_PER_US;
}

/* Rounded up: a wait must not end before the deadline it stands for. */
static int to_poll_ms(uint64_t us)
{
    uint64_t ms = us / US_PER_MS + (us % US_PER_MS > 0 ? 1 : 0);

    return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Number of ready entries, 0 after a timeout, -1 with errno. */
static int poll_for_us(struct pollfd *entries, size_t len, uint64_t us)
{
    return poll(entries, (nfds_t)len, to_poll_ms(us));
}

enum qm_err qm_clock_wait_us(int fd, enum qm_clock_want want, uint64_t us)
{
    struct pollfd entry;
    int ready;

    entry.fd = fd;
    entry.events = want == QM_CLOCK_READ ? POLLIN : POLLOUT;
    entry.revents = 0;
    ready = poll_for_us(&entry, 1, us);
    if (ready < 0) {
        return errno == EINTR ? QM_OK : QM_E_SYSTEM;
    }
    if (ready == 0) {
        return QM_E_AGAIN;
    }
    if ((entry.revents & POLLNVAL) != 0) {
        errno = EBADF;
        return QM_E_SYSTEM;
    }
    return QM_OK;
}

static void fill_entries(const struct qm_clock_item *items,
                         struct pollfd *entries, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        entries[i].fd = items[i].fd;
        entries[i].events = (short)((items[i].want_read ? POLLIN : 0) |
                                    (items[i].want_write ? POLLOUT : 0));
        entries[i].revents = 0;
    }
}

/* An error makes both directions ready: the next call will report it. */
static size_t take_result(struct qm_clock_item *item, int revents)
{
    bool broken = (revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;

    item->readable = item->want_read && (broken || (revents & POLLIN) != 0);
    item->writable = item->want_write && (broken || (revents & POLLOUT) != 0);
    return item->readable || item->writable ? 1 : 0;
}

enum qm_err qm_clock_poll_us(struct qm_clock_item *items, size_t len,
                             uint64_t us, size_t *ready_out)
{
    struct pollfd entries[QM_CLOCK_POLL_MAX];
    size_t i;

    *ready_out = 0;
    if (len > QM_CLOCK_POLL_MAX) {
        return QM_E_LIMIT;
    }
    fill_entries(items, entries, len);
    if (poll_for_us(entries, len, us) < 0 && errno != EINTR) {
        return QM_E_SYSTEM;
    }
    for (i = 0; i < len; i++) {
        *ready_out += take_result(&items[i], entries[i].revents);
    }
    return QM_OK;
}
