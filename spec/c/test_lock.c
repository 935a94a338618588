#include "disk/qm_lock.h"

#include "folder.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

enum { ROUNDS = 2000, CHILDREN = 3 };

static void has_one_holder(void)
{
    struct qm_lock lock;
    struct qm_lock other;

    CHECK(qm_lock_take(&lock, "lock") == QM_OK);
    CHECK(folder_mode("lock") == 0600);
    CHECK((fcntl(lock.fd_plus_one - 1, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(qm_lock_take(&other, "lock") == QM_E_AGAIN);
    qm_lock_drop(&other);
    qm_lock_drop(&lock);
    qm_lock_drop(&lock);
    CHECK(qm_lock_take(&other, "lock") == QM_OK);
    qm_lock_drop(&other);
    CHECK(folder_has("lock"));
}

/* The new file is another one, and so is its lock. */
static void a_removed_file_is_made_anew(void)
{
    struct qm_lock lock;
    struct qm_lock other;

    CHECK(qm_lock_take(&lock, "lock") == QM_OK);
    CHECK(unlink("lock") == 0);
    CHECK(qm_lock_take(&other, "lock") == QM_OK);
    CHECK(folder_has("lock"));
    qm_lock_drop(&lock);
    qm_lock_drop(&other);
}

static bool fails_to_take(const char *path, int code)
{
    int before = folder_open_descriptors();
    struct qm_lock lock;

    errno = 0;
    return qm_lock_take(&lock, path) == QM_E_SYSTEM && errno == code &&
           lock.fd_plus_one == 0 && folder_open_descriptors() == before;
}

static void refuses_what_is_no_file(void)
{
    int before = folder_open_descriptors();
    struct qm_lock lock;

    folder_put("victim", "");
    CHECK(symlink("victim", "link") == 0);
    CHECK(symlink("nowhere", "dangling") == 0);
    CHECK(mkfifo("fifo", 0600) == 0);
    CHECK(fails_to_take("link", ELOOP));
    CHECK(fails_to_take("dangling", ELOOP));
    CHECK(!folder_has("nowhere"));
    CHECK(fails_to_take(".", EISDIR));
    CHECK(fails_to_take("missing/lock", ENOENT));
    CHECK(fails_to_take("victim/lock", ENOTDIR));
    CHECK(qm_lock_take(&lock, "fifo") == QM_E_UNSUPPORTED);
    CHECK(folder_open_descriptors() == before);
}

static void hold_until_killed(int tell)
{
    struct qm_lock lock;

    if (qm_lock_take(&lock, "lock") == QM_OK && write(tell, "x", 1) == 1) {
        for (;;) {
            pause();
        }
    }
    _exit(1);
}

static void the_dead_hold_nothing(void)
{
    struct qm_lock lock;
    char byte;
    int fds[2];
    int status;
    pid_t child;

    CHECK(pipe(fds) == 0);
    child = fork();
    if (child == 0) {
        hold_until_killed(fds[1]);
    }
    close(fds[1]);
    CHECK(read(fds[0], &byte, 1) == 1);
    close(fds[0]);
    CHECK(qm_lock_take(&lock, "lock") == QM_E_AGAIN);
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    CHECK(qm_lock_take(&lock, "lock") == QM_OK);
    qm_lock_drop(&lock);
}

/* Makes a file that nobody else may have made, then removes file and lock. */
static bool is_alone(struct qm_lock *lock)
{
    int fd = open("inside", O_WRONLY | O_CREAT | O_EXCL, 0600);
    bool fine = fd >= 0 && unlink("inside") == 0 && unlink("lock") == 0;

    if (fd >= 0) {
        close(fd);
    }
    qm_lock_drop(lock);
    return fine;
}

static void contend(void)
{
    struct qm_lock lock;
    int taken = 0;

    while (taken < ROUNDS) {
        enum qm_err err = qm_lock_take(&lock, "lock");

        if (err == QM_OK) {
            taken++;
        }
        if ((err != QM_OK && err != QM_E_AGAIN) ||
            (err == QM_OK && !is_alone(&lock))) {
            _exit(1);
        }
    }
    _exit(0);
}

/* A holder removes the file while others are between open() and flock(). */
static void removing_the_file_makes_no_second_holder(void)
{
    pid_t children[CHILDREN];
    int status;
    int i;

    for (i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            contend();
        }
    }
    for (i = 0; i < CHILDREN; i++) {
        CHECK(waitpid(children[i], &status, 0) == children[i]);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

int main(void)
{
    folder_enter();
    TEST(has_one_holder);
    TEST(a_removed_file_is_made_anew);
    TEST(refuses_what_is_no_file);
    TEST(the_dead_hold_nothing);
    TEST(removing_the_file_makes_no_second_holder);
    folder_leave();
    return check_done();
}
