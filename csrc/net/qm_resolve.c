#include "net/qm_resolve.h"

#include "base/qm_mem.h"
#include "net/qm_os.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

struct qm_resolve_pool {
    pthread_mutex_t mutex; /* guards all below and the flags of the jobs */
    struct qm_resolve_lookup lookup; /* never changes */
    size_t refs;                     /* the owner and each job */
    size_t running;                  /* threads under way */
    pid_t pid;                       /* process the threads live in */
    bool pinned;                     /* our code cannot be unmapped any more */
};

struct qm_resolve_job {
    struct qm_resolve_pool *pool;
    bool owned;   /* not dropped yet */
    bool running; /* its thread has not finished */
    pid_t pid;    /* process of that thread */
    int fds[2];   /* pipe, -1 when closed or never made */
    int family;
    uint16_t port;
    char host[QM_RESOLVE_HOST_CAP];
    int eai;                     /* written by the thread while it runs */
    struct qm_resolve_list list; /* same */
};

/* --- the list ------------------------------------------------------------ */

void qm_resolve_list_add(struct qm_resolve_list *list,
                         const struct qm_address *address)
{
    size_t i;

    if (list->len == QM_RESOLVE_MAX) {
        return;
    }
    for (i = 0; i < list->len; i++) {
        if (qm_address_equal(&list->items[i], address)) {
            return;
        }
    }
    list->items[list->len++] = *address;
}

static void add_found(struct qm_resolve_list *list,
                      const struct addrinfo *found)
{
    struct qm_address address;

    for (; found != NULL; found = found->ai_next) {
        if (qm_address_copy(found->ai_addr, found->ai_addrlen, &address) ==
            QM_OK) {
            qm_resolve_list_add(list, &address);
        }
    }
}

static int look_up_once(const char *host, int family, int flags,
                        struct qm_resolve_list *list)
{
    struct addrinfo hints;
    struct addrinfo *found = NULL;
    int eai;

    memset(&hints, 0, sizeof(hints));
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags;
    eai = getaddrinfo(host, NULL, &hints, &found);
    if (eai != 0) {
        return eai;
    }
    add_found(list, found);
    freeaddrinfo(found);
    return list->len > 0 ? 0 : EAI_NONAME;
}

/*
 * AI_ADDRCONFIG saves a query and a futile connect() on hosts with one
 * family, but it also hides everything on a host that only has loopback
 * addresses (a container): then ask again without it.
 */
static int look_up_system(const char *host, int family,
                          struct qm_resolve_list *list)
{
    int eai = look_up_once(host, family, AI_ADDRCONFIG, list);

    if (eai == 0 || eai == EAI_AGAIN || eai == EAI_MEMORY ||
        eai == EAI_SYSTEM) {
        return eai;
    }
    return look_up_once(host, family, 0, list);
}

/* --- pool and references ------------------------------------------------- */

/*
 * fork() copies the mutex in whatever state a thread of the parent left it,
 * but not the thread.
 */
static void lock(struct qm_resolve_pool *pool)
{
    pid_t pid = getpid();

    if (pool->pid != pid) {
        pthread_mutex_init(&pool->mutex, NULL);
        pool->pid = pid;
        pool->running = 0;
    }
    pthread_mutex_lock(&pool->mutex);
}

static void unlock(struct qm_resolve_pool *pool)
{
    bool is_last = pool->refs == 0;

    pthread_mutex_unlock(&pool->mutex);
    if (is_last) {
        pthread_mutex_destroy(&pool->mutex);
        qm_mem_free(pool);
    }
}

struct qm_resolve_pool *
qm_resolve_pool_new(const struct qm_resolve_lookup *lookup)
{
    static const struct qm_resolve_lookup system_lookup = { look_up_system };
    struct qm_resolve_pool *pool = qm_mem_alloc(sizeof(*pool));

    if (pool == NULL) {
        return NULL;
    }
    memset(pool, 0, sizeof(*pool));
    if (pthread_mutex_init(&pool->mutex, NULL) != 0) {
        qm_mem_free(pool);
        return NULL;
    }
    pool->lookup = lookup != NULL ? *lookup : system_lookup;
    pool->refs = 1;
    pool->pid = getpid();
    return pool;
}

void qm_resolve_pool_drop(struct qm_resolve_pool *pool)
{
    if (pool != NULL) {
        lock(pool);
        pool->refs--;
        unlock(pool);
    }
}

size_t qm_resolve_pool_running(struct qm_resolve_pool *pool)
{
    size_t running;

    lock(pool);
    running = pool->running;
    unlock(pool);
    return running;
}

static void close_end(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

/* With the lock held: frees the job once neither side needs it. */
static void release(struct qm_resolve_job *job)
{
    if (job->owned || job->running) {
        return;
    }
    close_end(&job->fds[0]);
    close_end(&job->fds[1]);
    job->pool->refs--;
    qm_mem_free(job);
}

static struct qm_resolve_job *new_job(struct qm_resolve_pool *pool,
                                      struct qm_span host, uint16_t port,
                                      int family)
{
    struct qm_resolve_job *job = qm_mem_alloc(sizeof(*job));

    if (job == NULL) {
        return NULL;
    }
    memset(job, 0, sizeof(*job));
    memcpy(job->host, host.ptr, host.len);
    job->pool = pool;
    job->owned = true;
    job->fds[0] = -1;
    job->fds[1] = -1;
    job->port = port;
    job->family = family;
    lock(pool);
    job->pid = pool->pid;
    pool->refs++;
    unlock(pool);
    return job;
}

/* --- the thread ---------------------------------------------------------- */

static void set_ports(struct qm_resolve_list *list, uint16_t port)
{
    size_t i;

    for (i = 0; i < list->len; i++) {
        qm_address_set_port(&list->items[i], port);
    }
}

/*
 * The owner closes its end under the lock, so the byte never meets a closed
 * pipe; and the pipe is empty, so it never fails to fit.
 */
static void *run_thread(void *argument)
{
    struct qm_resolve_job *job = argument;
    struct qm_resolve_pool *pool = job->pool;

    job->eai = pool->lookup.run(job->host, job->family, &job->list);
    set_ports(&job->list, job->port);
    lock(pool);
    job->running = false;
    if (job->owned && write(job->fds[1], "", 1) < 0) {
        close_end(&job->fds[1]); /* the hangup wakes the owner as well */
    }
    release(job);
    pool->running--;
    unlock(pool);
    return NULL;
}

/* Signals are for the threads of the host program, never for ours. */
static int start_detached(struct qm_resolve_job *job)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    int code;

    code = pthread_attr_init(&attributes);
    if (code != 0) {
        return code;
    }
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    code = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (code == 0) {
        code = pthread_create(&thread, &attributes, run_thread, job);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_attr_destroy(&attributes);
    return code;
}

/* Counts the thread before it exists, so that it may end at any moment. */
static enum qm_err reserve_thread(struct qm_resolve_job *job)
{
    struct qm_resolve_pool *pool = job->pool;
    bool has_room;

    lock(pool);
    has_room = pool->running < QM_RESOLVE_THREADS;
    if (has_room) {
        pool->running++;
        job->running = true;
    }
    if (!pool->pinned) {
        qm_os_pin_module();
        pool->pinned = true;
    }
    unlock(pool);
    return has_room ? QM_OK : QM_E_LIMIT;
}

static enum qm_err start_thread(struct qm_resolve_job *job)
{
    enum qm_err err = qm_os_pipe(job->fds);
    int code;

    if (err == QM_OK) {
        err = reserve_thread(job);
    }
    if (err != QM_OK) {
        return err;
    }
    code = start_detached(job);
    if (code == 0) {
        return QM_OK;
    }
    lock(job->pool);
    job->pool->running--;
    job->running = false;
    unlock(job->pool);
    errno = code;
    return QM_E_SYSTEM;
}

/* --- answers that need no thread ----------------------------------------- */

static void add_numeric(struct qm_resolve_job *job, const char *host)
{
    struct qm_address address;

    if (qm_address_parse(host, job->port, &address) == QM_OK &&
        (job->family == AF_UNSPEC ||
         job->family == qm_address_family(&address))) {
        qm_resolve_list_add(&job->list, &address);
    }
}

static bool is_localhost(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "localhost.") == 0;
}

/* Both loopback addresses, whatever /etc/hosts says: servers bind either. */
static bool answer_at_once(struct qm_resolve_job *job)
{
    struct qm_address address;

    if (is_localhost(job->host)) {
        add_numeric(job, "::1");
        add_numeric(job, "127.0.0.1");
        return true;
    }
    if (qm_address_parse(job->host, job->port, &address) != QM_OK) {
        return false;
    }
    add_numeric(job, job->host);
    job->eai = job->list.len > 0 ? 0 : EAI_FAMILY;
    return true;
}

/* --- the owner's side ---------------------------------------------------- */

enum qm_err qm_resolve_start(struct qm_resolve_pool *pool, const char *host,
                             uint16_t port, int family,
                             struct qm_resolve_job **job_out)
{
    struct qm_span name = qm_span_of(host);
    struct qm_resolve_job *job;
    enum qm_err err;

    if (name.len == 0) {
        return QM_E_EMPTY;
    }
    if (name.len >= QM_RESOLVE_HOST_CAP) {
        return QM_E_TOO_LONG;
    }
    job = new_job(pool, name, port, family);
    if (job == NULL) {
        return QM_E_MEMORY;
    }
    err = answer_at_once(job) ? QM_OK : start_thread(job);
    if (err != QM_OK) {
        int saved = errno;

        qm_resolve_drop(job);
        errno = saved;
        return err;
    }
    *job_out = job;
    return QM_OK;
}

int qm_resolve_fd(const struct qm_resolve_job *job)
{
    return job->fds[0];
}

/* With the lock held: a thread that fork() left behind will not report. */
static void notice_fork(struct qm_resolve_job *job)
{
    if (job->running && job->pid != job->pool->pid) {
        job->running = false;
        job->list.len = 0;
        job->eai = EAI_AGAIN;
    }
}

enum qm_err qm_resolve_result(struct qm_resolve_job *job,
                              const struct qm_resolve_list **list_out,
                              int *eai_out)
{
    bool running;

    lock(job->pool);
    notice_fork(job);
    running = job->running;
    unlock(job->pool);
    if (running) {
        return QM_E_AGAIN;
    }
    *list_out = &job->list;
    *eai_out = job->eai;
    return QM_OK;
}

void qm_resolve_drop(struct qm_resolve_job *job)
{
    struct qm_resolve_pool *pool;

    if (job == NULL) {
        return;
    }
    pool = job->pool;
    lock(pool);
    notice_fork(job);
    job->owned = false;
    close_end(&job->fds[0]);
    release(job);
    unlock(pool);
}
