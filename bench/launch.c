/*
 * launch: runs a command so many times and says what each run has taken.
 *
 *   launch COUNT COMMAND [WORD...]
 *
 * One line a run, behind what the command itself prints:
 *
 *   process_ms  from before fork() until it is gone
 *   cpu_ms      of its threads, in the kernel as well
 *   rss_kib     the most memory that was its own and present
 *
 * A small parent: until a child has replaced it, its memory counts as that of
 * the child. Ends with the status of the first run that failed.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT_MAX = 1000000 };

static void become(char **command)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)execvp(command[0], command);
    bench_die_errno(command[0]);
}

static double milliseconds(struct timeval value)
{
    return (double)value.tv_sec * 1000 + (double)value.tv_usec / 1000;
}

static void run(char **command)
{
    struct rusage usage;
    int status = 0;
    int64_t began_us = bench_now_us();
    pid_t child = fork();
    if (child == 0) {
        become(command);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) != child) {
        bench_die_errno("launch");
    }
    double process_ms = (double)(bench_now_us() - began_us) / 1000;
    if (status != 0) {
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    printf("process_ms=%.3f cpu_ms=%.3f rss_kib=%ld\n", process_ms,
           milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime),
           usage.ru_maxrss);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        bench_die("usage", "launch COUNT COMMAND [WORD...]");
    }
    for (long left = bench_parse_number(argv[1], 1, COUNT_MAX); left > 0;
         left--) {
        run(argv + 2);
    }
    return 0;
}
