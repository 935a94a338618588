#include "disk/qm_fd.h"

#include "folder.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void opens_private_and_close_on_exec(void)
{
    int fd = qm_fd_open("file", O_WRONLY | O_CREAT | O_EXCL);

    CHECK(fd >= 0);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(folder_mode("file") == 0600);
    CHECK(qm_fd_open("file", O_WRONLY | O_CREAT | O_EXCL) == -1);
    CHECK(errno == EEXIST);
    CHECK(qm_fd_finish(fd) == QM_OK);
    CHECK(qm_fd_finish(fd) == QM_E_SYSTEM && errno == EBADF);
    CHECK(unlink("file") == 0);
}

static void closing_keeps_errno(void)
{
    errno = ENOSPC;
    qm_fd_close(-1);
    CHECK(errno == ENOSPC);
}

static void syncs_files_and_folders(void)
{
    int file = qm_fd_open("file", O_WRONLY | O_CREAT);
    int folder = qm_fd_open(".", O_RDONLY | O_DIRECTORY);
    int fds[2];

    CHECK(qm_fd_write(file, qm_span_of("text")) == QM_OK);
    CHECK(qm_fd_sync_data(file) == QM_OK);
    CHECK(qm_fd_sync_names(folder) == QM_OK);
    CHECK(pipe(fds) == 0);
    CHECK(qm_fd_sync_data(fds[0]) == QM_E_SYSTEM && errno == EINVAL);
    CHECK(qm_fd_sync_names(fds[0]) == QM_OK);
    CHECK(qm_fd_sync_names(-1) == QM_E_SYSTEM && errno == EBADF);
    qm_fd_close(fds[0]);
    qm_fd_close(fds[1]);
    qm_fd_close(file);
    qm_fd_close(folder);
    CHECK(unlink("file") == 0);
}

static void limit_files(rlim_t bytes, struct rlimit *before)
{
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_FSIZE, before) == 0);
    limit = *before;
    limit.rlim_cur = bytes;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

/* The first write() takes ten bytes, the second fails. */
static void goes_on_after_a_short_write(void)
{
    int fd = qm_fd_open("file", O_WRONLY | O_CREAT);
    struct rlimit before;
    enum qm_err err;
    int code;

    signal(SIGXFSZ, SIG_IGN);
    limit_files(10, &before);
    err = qm_fd_write(fd, qm_span_of("0123456789abc"));
    code = errno;
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(err == QM_E_SYSTEM && code == EFBIG);
    CHECK(folder_holds("file", "0123456789"));
    qm_fd_close(fd);
    CHECK(unlink("file") == 0);
}

static int seen_fd; /* where the handler tells that it ran */

static void tell_signal(int number)
{
    (void)number;
    CHECK(write(seen_fd, "x", 1) == 1);
}

/* No SA_RESTART: the handler ends the call that waits. */
static void handle_signal(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = tell_signal;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

/*
 * The first signals cut the write() short that fills the pipe; the others meet
 * one that finds it full, and end it with EINTR. Then the pipe is emptied.
 */
static void disturb_and_read(int seen, int fd, pid_t writer)
{
    char bytes[4096];
    int i;

    for (i = 0; i < 100; i++) {
        if (kill(writer, SIGUSR1) != 0 || read(seen, bytes, 1) != 1) {
            _exit(1);
        }
    }
    while (read(fd, bytes, sizeof(bytes)) > 0) {
    }
    _exit(0);
}

static void signals_do_not_end_a_write(void)
{
    static char bytes[1 << 18]; /* more than a pipe holds */
    int seen[2];
    int fds[2];
    int status;
    pid_t child;

    CHECK(pipe(fds) == 0 && pipe(seen) == 0);
    seen_fd = seen[1];
    handle_signal();
    child = fork();
    if (child == 0) {
        close(fds[1]);
        close(seen[1]); /* so that it does not wait for a dead writer */
        disturb_and_read(seen[0], fds[0], getppid());
    }
    close(fds[0]);
    CHECK(qm_fd_write(fds[1], qm_span_make(bytes, sizeof(bytes))) == QM_OK);
    CHECK(qm_fd_finish(fds[1]) == QM_OK);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(seen[0]);
    close(seen[1]);
}

int main(void)
{
    folder_enter();
    TEST(opens_private_and_close_on_exec);
    TEST(closing_keeps_errno);
    TEST(syncs_files_and_folders);
    TEST(goes_on_after_a_short_write);
    TEST(signals_do_not_end_a_write);
    folder_leave();
    return check_done();
}
