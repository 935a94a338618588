#include "net/qm_signal.h"

#include "check.h"
#include "net/qm_clock.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

static bool is_set(const struct qm_signal *signal)
{
    return qm_clock_wait_us(signal->ends[0], QM_CLOCK_READ, 0) == QM_OK;
}

static void is_readable_once_it_is_set(void)
{
    struct qm_signal signal;

    CHECK(qm_signal_open(&signal) == QM_OK);
    CHECK(!is_set(&signal));
    qm_signal_set(&signal);
    CHECK(is_set(&signal));
    CHECK(is_set(&signal));
    qm_signal_close(&signal);
}

/* More often than a pipe has room for: it does not wait. */
static void may_be_set_any_number_of_times(void)
{
    struct qm_signal signal;
    int i;

    CHECK(qm_signal_open(&signal) == QM_OK);
    for (i = 0; i < 200000; i++) {
        qm_signal_set(&signal);
    }
    CHECK(is_set(&signal));
    qm_signal_close(&signal);
}

static void may_be_closed_twice_and_set_when_closed(void)
{
    struct qm_signal signal;
    int ends[2];

    CHECK(qm_signal_open(&signal) == QM_OK);
    ends[0] = signal.ends[0];
    ends[1] = signal.ends[1];
    qm_signal_close(&signal);
    qm_signal_close(&signal);
    qm_signal_set(&signal);
    CHECK(close(ends[0]) < 0 && errno == EBADF);
    CHECK(close(ends[1]) < 0 && errno == EBADF);
}

static void tells_when_there_are_no_descriptors(void)
{
    struct rlimit old;
    struct rlimit none;
    struct qm_signal signal;

    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    none = old;
    none.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK(qm_signal_open(&signal) == QM_E_SYSTEM);
    CHECK(errno == EMFILE);
    CHECK(!signal.is_open);
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
}

int main(void)
{
    TEST(is_readable_once_it_is_set);
    TEST(may_be_set_any_number_of_times);
    TEST(may_be_closed_twice_and_set_when_closed);
    TEST(tells_when_there_are_no_descriptors);
    return check_done();
}
