/*
 * qm_resolve.h: host names to addresses, without waiting.
 *
 * getaddrinfo() blocks for as long as the system's resolver likes, so it runs
 * in a detached thread which reports through a pipe; the caller waits for the
 * pipe as long as its deadline allows and may drop the job at any time. The
 * thread then finishes alone and frees what is left.
 *
 * A pool counts the threads and is shared by its owner and the jobs: the last
 * of them frees it, in whatever order they go. Apart from the threads in here
 * a pool belongs to one thread. After a fork() the child may go on using it:
 * jobs of the parent answer "try again" there.
 */
#ifndef QM_RESOLVE_H
#define QM_RESOLVE_H

#include "net/qm_address.h"

enum {
    QM_RESOLVE_MAX = 64,      /* most addresses of one host */
    QM_RESOLVE_THREADS = 16,  /* most look-ups under way in one pool */
    QM_RESOLVE_HOST_CAP = 256 /* longest name and its NUL (RFC 1035, 2.3.4) */
};

struct qm_resolve_list {
    struct qm_address items[QM_RESOLVE_MAX];
    size_t len;
};

/*
 * What a thread calls: fills the list and returns 0, or an EAI_ code. Must be
 * callable in several threads at once.
 */
struct qm_resolve_lookup {
    int (*run)(const char *host, int family, struct qm_resolve_list *list);
};

struct qm_resolve_pool;
struct qm_resolve_job;

QM_DECLS_BEGIN

/*
 * NULL when memory is short. `lookup` is for tests; NULL means the system's
 * resolver.
 */
struct qm_resolve_pool *
qm_resolve_pool_new(const struct qm_resolve_lookup *lookup) QM_MUST_USE;

/* The owner's farewell; jobs stay valid. NULL is allowed. */
void qm_resolve_pool_drop(struct qm_resolve_pool *pool);

/* Threads under way. */
size_t qm_resolve_pool_running(struct qm_resolve_pool *pool);

/*
 * Begins to look up. `family`: AF_INET, AF_INET6 or AF_UNSPEC. Numeric hosts
 * and "localhost" (RFC 6761, section 6.3) are answered at once, without a
 * thread. QM_E_EMPTY, QM_E_TOO_LONG, QM_E_MEMORY; QM_E_LIMIT when too many
 * look-ups are under way; QM_E_SYSTEM with errno.
 */
enum qm_err qm_resolve_start(struct qm_resolve_pool *pool, const char *host,
                             uint16_t port, int family,
                             struct qm_resolve_job **job_out);

/*
 * Becomes readable when the result is there; -1 when there was nothing to
 * wait for. It belongs to the job: wait only.
 */
int qm_resolve_fd(const struct qm_resolve_job *job);

/*
 * QM_E_AGAIN while it is under way. QM_OK: `eai_out` is 0 and `list_out` the
 * addresses (at least one, each once, in the system's order), or it is an
 * EAI_ code. The list is valid until the job is dropped.
 */
enum qm_err qm_resolve_result(struct qm_resolve_job *job,
                              const struct qm_resolve_list **list_out,
                              int *eai_out);

/* Gives the job up, finished or not; never waits. NULL is allowed. */
void qm_resolve_drop(struct qm_resolve_job *job);

/* Adds an address unless it is there already or the list is full. */
void qm_resolve_list_add(struct qm_resolve_list *list,
                         const struct qm_address *address);

QM_DECLS_END

#endif
