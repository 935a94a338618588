#include "net/qm_resolve.h"

#include "base/qm_mem.h"
#include "net/qm_clock.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MINUTE = 60000000, MS = 1000 };

/* --- a look-up the tests control ----------------------------------------- */

static int gate[2]; /* each byte written lets one held look-up go on */
static sigset_t seen_mask;

static void add_host(struct qm_resolve_list *list, const char *host)
{
    struct qm_address address;

    if (qm_address_parse(host, 0, &address) == QM_OK) {
        qm_resolve_list_add(list, &address);
    }
}

static void add_many(struct qm_resolve_list *list)
{
    char host[32];
    int i;

    for (i = 0; i < 100; i++) {
        snprintf(host, sizeof(host), "192.0.2.%d", i);
        add_host(list, host);
        add_host(list, "192.0.2.0");
    }
}

static int look_up(const char *host, int family, struct qm_resolve_list *list)
{
    char byte;

    (void)family;
    if (strcmp(host, "missing.test") == 0) {
        return EAI_NONAME;
    }
    if (strcmp(host, "many.test") == 0) {
        add_many(list);
        return 0;
    }
    if (strcmp(host, "held.test") == 0 && read(gate[0], &byte, 1) != 1) {
        return EAI_SYSTEM;
    }
    pthread_sigmask(SIG_SETMASK, NULL, &seen_mask);
    add_host(list, "2001:db8::5");
    add_host(list, "192.0.2.5");
    return 0;
}

static const struct qm_resolve_lookup controlled = { look_up };

static void open_gate(size_t count)
{
    while (count > 0) {
        CHECK(write(gate[1], "x", 1) == 1);
        count--;
    }
}

static void wait_for_threads(struct qm_resolve_pool *pool)
{
    while (qm_resolve_pool_running(pool) > 0) {
        qm_clock_sleep_us(MS);
    }
}

static const struct qm_resolve_list *await(struct qm_resolve_job *job,
                                           int *eai_out)
{
    const struct qm_resolve_list *list = NULL;
    enum qm_err err = qm_resolve_result(job, &list, eai_out);

    while (err == QM_E_AGAIN) {
        CHECK(qm_clock_wait_us(qm_resolve_fd(job), QM_CLOCK_READ, MINUTE) ==
              QM_OK);
        err = qm_resolve_result(job, &list, eai_out);
    }
    CHECK(err == QM_OK);
    return list;
}

static void check_item(const struct qm_resolve_list *list, size_t at,
                       const char *expected)
{
    char text[QM_ADDRESS_TEXT_CAP] = "";

    if (at < list->len) {
        qm_address_format(&list->items[at], text, sizeof(text));
    }
    CHECK(strcmp(text, expected) == 0);
}

static int lowest_free_descriptor(void)
{
    int fd = dup(0);

    close(fd);
    return fd;
}

/* --- cases --------------------------------------------------------------- */

static void check_at_once(const char *host, int family, int expected_eai,
                          const char *first, const char *second)
{
    struct qm_resolve_pool *pool = qm_resolve_pool_new(NULL);
    const struct qm_resolve_list *list = NULL;
    struct qm_resolve_job *job = NULL;
    int eai = -1;

    CHECK(qm_resolve_start(pool, host, 25, family, &job) == QM_OK);
    CHECK(qm_resolve_fd(job) == -1);
    CHECK(qm_resolve_pool_running(pool) == 0);
    CHECK(qm_resolve_result(job, &list, &eai) == QM_OK);
    CHECK(eai == expected_eai);
    CHECK(list->len == (first[0] != '\0') + (size_t)(second[0] != '\0'));
    check_item(list, 0, first);
    check_item(list, 1, second);
    qm_resolve_drop(job);
    qm_resolve_pool_drop(pool);
}

static void numeric_hosts_need_no_thread(void)
{
    check_at_once("192.0.2.1", AF_UNSPEC, 0, "192.0.2.1:25", "");
    check_at_once("2001:db8::1", AF_UNSPEC, 0, "[2001:db8::1]:25", "");
    check_at_once("2001:db8::1", AF_INET6, 0, "[2001:db8::1]:25", "");
    check_at_once("2001:db8::1", AF_INET, EAI_FAMILY, "", "");
}

static void localhost_is_both_loopback_addresses(void)
{
    check_at_once("localhost", AF_UNSPEC, 0, "[::1]:25", "127.0.0.1:25");
    check_at_once("localhost.", AF_UNSPEC, 0, "[::1]:25", "127.0.0.1:25");
    check_at_once("localhost", AF_INET, 0, "127.0.0.1:25", "");
    check_at_once("localhost", AF_INET6, 0, "[::1]:25", "");
}

static void names_are_checked(void)
{
    struct qm_resolve_pool *pool = qm_resolve_pool_new(&controlled);
    struct qm_resolve_job *job = NULL;
    char host[QM_RESOLVE_HOST_CAP + 1];
    int eai = -1;

    memset(host, 'h', sizeof(host));
    host[QM_RESOLVE_HOST_CAP] = '\0';
    CHECK(qm_resolve_start(pool, host, 25, AF_UNSPEC, &job) == QM_E_TOO_LONG);
    CHECK(qm_resolve_start(pool, "", 25, AF_UNSPEC, &job) == QM_E_EMPTY);
    CHECK(job == NULL);
    host[QM_RESOLVE_HOST_CAP - 1] = '\0';
    CHECK(qm_resolve_start(pool, host, 25, AF_UNSPEC, &job) == QM_OK);
    CHECK(await(job, &eai)->len == 2 && eai == 0);
    qm_resolve_drop(job);
    qm_resolve_pool_drop(pool);
}

/* Without a name server "again" is as good an answer. */
static void system_reports_unknown_names(void)
{
    struct qm_resolve_pool *pool = qm_resolve_pool_new(NULL);
    struct qm_resolve_job *job = NULL;
    int eai = 0;

    CHECK(qm_resolve_start(pool, "no..such.host", 25, AF_UNSPEC, &job) ==
          QM_OK);
    CHECK(await(job, &eai)->len == 0);
    CHECK(eai != 0);
    qm_resolve_drop(job);
    qm_resolve_pool_drop(pool);
}

static void answers_keep_their_order(void)
{
    struct qm_resolve_pool *pool = qm_resolve_pool_new(&controlled);
    const struct qm_resolve_list *list;
    struct qm_resolve_job *job = NULL;
    int eai = -1;

    CHECK(qm_resolve_start(pool, "fast.test", 465, AF_UNSPEC, &job) == QM_OK);
    list = await(job, &eai);
    CHECK(eai == 0 && list->len == 2);
    check_item(list, 0, "[2001:db8::5]:465");
    check_item(list, 1, "192.0.2.5:465");
    CHECK(await(job, &eai) == list); /* it may be asked again */
    qm_resolve_drop(job);
    CHECK(qm_resolve_start(pool, "missing.test", 465, AF_INET, &job) == QM_OK);
    CHECK(await(job, &eai)->len == 0 && eai == EAI_NONAME);
    qm_resolve_drop(job);
    qm_resolve_pool_drop(pool);
}

static void each_address_once_and_not_too_many(void)
{
    struct qm_resolve_pool *pool = qm_resolve_pool_new(&controlled);
    const struct qm_resolve_list *list;
    struct qm_resolve_job *job = NULL;
    int eai = -1;

    CHECK(qm_resolve_start(pool, "many.test", 25, AF_UNSPEC, &job) == QM_OK);
    list = await(job, &eai);
    CHECK(list->len == QM_RESOLVE_MAX);
    check_item(list, 0, "192.0.2.0:25");
    check_item(list, 1, "192.0.2.1:25");
    check_item(list, QM_RESOLVE_MAX - 1, "192.0.2.63:25");
    qm_resolve_drop(job);
    qm_resolve_pool_drop(pool);
}

static void threads_take_no_signals(void)
{
    struct qm_resolve_pool *pool = qm_resolve_pool_new(&controlled);
    struct qm_resolve_job *job = NULL;
    sigset_t own_mask;
    int eai = -1;

    CHECK(qm_resolve_start(pool, "fast.test", 25, AF_UNSPEC, &job) == QM_OK);
    await(job, &eai);
    CHECK(sigismember(&seen_mask, SIGINT) == 1);
    CHECK(sigismember(&seen_mask, SIGCHLD) == 1);
    CHECK(sigismember(&seen_mask, SIGPIPE) == 1);
    pthread_sigmask(SIG_SETMASK, NULL, &own_mask);
    CHECK(sigismember(&own_mask, SIGINT) == 0);
    qm_resolve_drop(job);
    qm_resolve_pool_drop(pool);
}

static void a_job_under_way_can_be_dropped(void)
{
    long live = qm_mem_test_live();
    int free_before = lowest_free_descriptor();
    struct qm_resolve_pool *pool = qm_resolve_pool_new(&controlled);
    const struct qm_resolve_list *list = NULL;
    struct qm_resolve_job *job = NULL;
    int eai = -1;
    int fd;

    CHECK(qm_resolve_start(pool, "held.test", 25, AF_UNSPEC, &job) == QM_OK);
    fd = qm_resolve_fd(job);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK(qm_clock_wait_us(fd, QM_CLOCK_READ, 0) == QM_E_AGAIN);
    CHECK(qm_resolve_result(job, &list, &eai) == QM_E_AGAIN);
    qm_resolve_drop(job);
    CHECK(fcntl(fd, F_GETFD) == -1);
    CHECK(qm_resolve_pool_running(pool) == 1);
    open_gate(1);
    wait_for_threads(pool);
    qm_resolve_pool_drop(pool);
    CHECK(qm_mem_test_live() == live);
    CHECK(lowest_free_descriptor() == free_before);
}

static void a_finished_job_may_wait_unread(void)
{
    long live = qm_mem_test_live();
    int free_before = lowest_free_descriptor();
    struct qm_resolve_pool *pool = qm_resolve_pool_new(&controlled);
    struct qm_resolve_job *job = NULL;
    int eai = -1;

    CHECK(qm_resolve_start(pool, "fast.test", 25, AF_UNSPEC, &job) == QM_OK);
    wait_for_threads(pool);
    qm_resolve_pool_drop(pool);
    CHECK(await(job, &eai)->len == 2);
    qm_resolve_drop(job);
    CHECK(qm_mem_test_live() == live);
    CHECK(lowest_free_descriptor() == free_before);
}

/* The thread is the last one that knows the pool, and frees it. */
static void everything_may_go_before_the_thread(void)
{
    long live = qm_mem_test_live();
    int free_before = lowest_free_descriptor();
    struct qm_resolve_pool *pool = qm_resolve_pool_new(&controlled);
    struct qm_resolve_job *job = NULL;

    CHECK(qm_resolve_start(pool, "held.test", 25, AF_UNSPEC, &job) == QM_OK);
    qm_resolve_pool_drop(pool);
    qm_resolve_drop(job);
    CHECK(qm_mem_test_live() == live + 2);
    open_gate(1);
    while (qm_mem_test_live() != live) {
        qm_clock_sleep_us(MS);
    }
    CHECK(lowest_free_descriptor() == free_before);
}

static void threads_are_counted(void)
{
    struct qm_resolve_pool *pool = qm_resolve_pool_new(&controlled);
    struct qm_resolve_job *jobs[QM_RESOLVE_THREADS];
    struct qm_resolve_job *extra = NULL;
    int eai = -1;
    size_t i;

    for (i = 0; i < QM_RESOLVE_THREADS; i++) {
        CHECK(qm_resolve_start(pool, "held.test", 25, AF_UNSPEC, &jobs[i]) ==
              QM_OK);
    }
    CHECK(qm_resolve_start(pool, "fast.test", 25, AF_UNSPEC, &extra) ==
          QM_E_LIMIT);
    CHECK(qm_resolve_start(pool, "localhost", 25, AF_UNSPEC, &extra) == QM_OK);
    qm_resolve_drop(extra);
    qm_resolve_drop(jobs[0]); /* a dropped one counts until it ends */
    CHECK(qm_resolve_start(pool, "fast.test", 25, AF_UNSPEC, &extra) ==
          QM_E_LIMIT);
    open_gate(QM_RESOLVE_THREADS);
    for (i = 1; i < QM_RESOLVE_THREADS; i++) {
        CHECK(await(jobs[i], &eai)->len == 2);
        qm_resolve_drop(jobs[i]);
    }
    wait_for_threads(pool);
    CHECK(qm_resolve_start(pool, "fast.test", 25, AF_UNSPEC, &extra) == QM_OK);
    CHECK(await(extra, &eai)->len == 2);
    qm_resolve_drop(extra);
    qm_resolve_pool_drop(pool);
}

static int run_child(struct qm_resolve_pool *pool, struct qm_resolve_job *held)
{
    struct qm_resolve_job *job = NULL;
    int eai = 0;

    CHECK(await(held, &eai)->len == 0 && eai == EAI_AGAIN);
    qm_resolve_drop(held);
    CHECK(qm_resolve_start(pool, "fast.test", 25, AF_UNSPEC, &job) == QM_OK);
    CHECK(await(job, &eai)->len == 2 && eai == 0);
    qm_resolve_drop(job);
    wait_for_threads(pool);
    qm_resolve_pool_drop(pool);
    return check_failures;
}

static void a_child_process_starts_anew(void)
{
    struct qm_resolve_pool *pool = qm_resolve_pool_new(&controlled);
    struct qm_resolve_job *held = NULL;
    int status = -1;
    int eai = -1;
    pid_t child;

    CHECK(qm_resolve_start(pool, "held.test", 25, AF_UNSPEC, &held) == QM_OK);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        _exit(run_child(pool, held));
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    open_gate(1);
    CHECK(await(held, &eai)->len == 2 && eai == 0);
    qm_resolve_drop(held);
    wait_for_threads(pool);
    qm_resolve_pool_drop(pool);
}

static void shortage_of_memory_is_reported(void)
{
    long live = qm_mem_test_live();
    struct qm_resolve_pool *pool;
    struct qm_resolve_job *job = NULL;

    qm_mem_test_fail_after(0);
    CHECK(qm_resolve_pool_new(&controlled) == NULL);
    qm_mem_test_fail_after(-1);
    pool = qm_resolve_pool_new(&controlled);
    qm_mem_test_fail_after(0);
    CHECK(qm_resolve_start(pool, "fast.test", 25, AF_UNSPEC, &job) ==
          QM_E_MEMORY);
    qm_mem_test_fail_after(-1);
    CHECK(job == NULL);
    qm_resolve_drop(NULL);
    qm_resolve_pool_drop(pool);
    qm_resolve_pool_drop(NULL);
    CHECK(qm_mem_test_live() == live);
}

int main(void)
{
    if (pipe(gate) != 0) {
        return 1;
    }
    TEST(numeric_hosts_need_no_thread);
    TEST(localhost_is_both_loopback_addresses);
    TEST(names_are_checked);
    TEST(system_reports_unknown_names);
    TEST(answers_keep_their_order);
    TEST(each_address_once_and_not_too_many);
    TEST(threads_take_no_signals);
    TEST(a_job_under_way_can_be_dropped);
    TEST(a_finished_job_may_wait_unread);
    TEST(everything_may_go_before_the_thread);
    TEST(threads_are_counted);
    TEST(a_child_process_starts_anew);
    TEST(shortage_of_memory_is_reported);
    return check_done();
}
