#include "net/qm_clock.h"

#include "check.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { MS = 1000, MINUTE = 60000000 };

static void clock_never_goes_back(void)
{
    uint64_t before = qm_clock_now_us();
    int i;

    for (i = 0; i < 1000; i++) {
        uint64_t now = qm_clock_now_us();

        CHECK(now >= before);
        before = now;
    }
}

/* Of this century, and it goes on: time() is another way to ask. */
static void wall_clock_tells_the_date(void)
{
    uint64_t before = (uint64_t)time(NULL);
    uint64_t now = qm_clock_wall_us() / 1000000;

    CHECK(now >= before && now - before < MINUTE / 1000000);
}

static void sleep_lasts_long_enough(void)
{
    uint64_t start = qm_clock_now_us();

    CHECK(qm_clock_sleep_us(2 * MS) == 0);
    CHECK(qm_clock_now_us() - start >= 2 * MS);
    CHECK(qm_clock_sleep_us(0) == 0);
}

static void wait_sees_both_directions(void)
{
    int fds[2];

    CHECK(pipe(fds) == 0);
    CHECK(qm_clock_wait_us(fds[0], QM_CLOCK_READ, 0) == QM_E_AGAIN);
    CHECK(qm_clock_wait_us(fds[1], QM_CLOCK_WRITE, 0) == QM_OK);
    CHECK(write(fds[1], "x", 1) == 1);
    CHECK(qm_clock_wait_us(fds[0], QM_CLOCK_READ, MINUTE) == QM_OK);
    close(fds[0]);
    close(fds[1]);
}

static void wait_lasts_until_the_deadline(void)
{
    uint64_t start = qm_clock_now_us();
    int fds[2];

    CHECK(pipe(fds) == 0);
    CHECK(qm_clock_wait_us(fds[0], QM_CLOCK_READ, 1) == QM_E_AGAIN);
    CHECK(qm_clock_wait_us(fds[0], QM_CLOCK_READ, 1500) == QM_E_AGAIN);
    CHECK(qm_clock_now_us() - start >= 1501);
    close(fds[0]);
    close(fds[1]);
}

static void wait_reports_end_and_bad_descriptors(void)
{
    int fds[2];

    CHECK(pipe(fds) == 0);
    close(fds[1]);
    CHECK(qm_clock_wait_us(fds[0], QM_CLOCK_READ, MINUTE) == QM_OK);
    close(fds[0]);
    errno = 0;
    CHECK(qm_clock_wait_us(fds[0], QM_CLOCK_READ, MINUTE) == QM_E_SYSTEM);
    CHECK(errno == EBADF);
}

static void ignore_signal(int number)
{
    (void)number;
}

static void arm_alarm(long us)
{
    struct sigaction action;
    struct itimerval timer = { { 0, 1000 }, { 0, us } };

    memset(&action, 0, sizeof(action));
    action.sa_handler = ignore_signal;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL,
              us > 0 ? &timer : &(struct itimerval){ { 0, 0 }, { 0, 0 } },
              NULL);
}

/* Were the wait taken up again after the signal, this would last a minute. */
static void a_signal_ends_every_wait(void)
{
    struct qm_clock_item item = { -1, true, false, false, false };
    size_t ready = 7;
    int fds[2];

    CHECK(pipe(fds) == 0);
    item.fd = fds[0];
    arm_alarm(1000);
    CHECK(qm_clock_wait_us(fds[0], QM_CLOCK_READ, MINUTE) == QM_OK);
    CHECK(qm_clock_sleep_us(MINUTE) > 0);
    CHECK(qm_clock_poll_us(&item, 1, MINUTE, &ready) == QM_OK);
    CHECK(ready == 0 && !item.readable);
    arm_alarm(0);
    close(fds[0]);
    close(fds[1]);
}

static void poll_is_bounded(void)
{
    static struct qm_clock_item items[QM_CLOCK_POLL_MAX + 1];
    size_t ready = 7;
    size_t i;

    for (i = 0; i < QM_COUNTOF(items); i++) {
        items[i].fd = -1;
    }
    CHECK(qm_clock_poll_us(items, QM_CLOCK_POLL_MAX + 1, 0, &ready) ==
          QM_E_LIMIT);
    CHECK(ready == 0);
}

static void poll_tells_which_are_ready(void)
{
    struct qm_clock_item items[3];
    size_t ready = 0;
    int fds[2];

    CHECK(pipe(fds) == 0);
    memset(items, 0, sizeof(items));
    items[0].fd = fds[0];
    items[0].want_read = true;
    items[1].fd = fds[1];
    items[1].want_write = true;
    items[2].fd = fds[1];
    CHECK(qm_clock_poll_us(items, 3, 0, &ready) == QM_OK);
    CHECK(ready == 1 && !items[0].readable && items[1].writable);
    CHECK(!items[1].readable && !items[2].writable);
    close(fds[1]);
    CHECK(qm_clock_poll_us(items, 1, MINUTE, &ready) == QM_OK);
    CHECK(ready == 1 && items[0].readable && !items[0].writable);
    close(fds[0]);
    CHECK(qm_clock_poll_us(items, 0, 0, &ready) == QM_OK && ready == 0);
}

int main(void)
{
    TEST(clock_never_goes_back);
    TEST(wall_clock_tells_the_date);
    TEST(sleep_lasts_long_enough);
    TEST(wait_sees_both_directions);
    TEST(wait_lasts_until_the_deadline);
    TEST(wait_reports_end_and_bad_descriptors);
    TEST(a_signal_ends_every_wait);
    TEST(poll_tells_which_are_ready);
    TEST(poll_is_bounded);
    return check_done();
}
