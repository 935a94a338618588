/*
 * qm_source.h: where the bytes of a body part come from.
 *
 * Memory the caller keeps, a file, or pieces the caller pushes on demand.
 * Nothing is copied and nothing is allocated: a file is read into a slice the
 * caller lends, the other two are handed on as views. A file is open only
 * between qm_source_open() and qm_source_close(), and must then still be the
 * file it was when it was named.
 */
#ifndef QM_SOURCE_H
#define QM_SOURCE_H

#include "base/qm_err.h"
#include "base/qm_span.h"

enum qm_source_kind { QM_SOURCE_MEMORY, QM_SOURCE_FILE, QM_SOURCE_PULL };

/* What tells one state of a file from another. */
struct qm_source_stamp {
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    int64_t mtime_seconds;
    int64_t mtime_nanoseconds;
};

struct qm_source {
    enum qm_source_kind kind;
    struct qm_span bytes;         /* memory: all; pull: pushed, not yet taken */
    const char *path;             /* file: owned by the caller */
    struct qm_source_stamp stamp; /* file: as it was when named */
    uint64_t first;               /* bytes left out at the front */
    uint64_t size;                /* bytes in all, when size_known */
    uint64_t at;                  /* offset of the next byte */
    bool size_known;              /* false only for a pull without a size */
    bool ended;                   /* pull: no more will be pushed */
    bool touched;                 /* pull: bytes were taken, no way back */
    bool watched;                 /* file: see qm_source_watch() */
    bool summed;                  /* watched, and read to its end once */
    uint64_t sum;                 /* watched: of the bytes of this reading */
    uint64_t first_sum;           /* summed: of those of the first one */
    int fd_plus_one;              /* 0: closed, so that a zeroed struct is */
};

QM_DECLS_BEGIN

/* The bytes must stay in place as long as the source is used. */
void qm_source_memory(struct qm_source *source, struct qm_span bytes);

/*
 * Opens the file once to see that it can be read and to note its state, and
 * closes it. QM_E_SYSTEM with errno when it cannot be opened, QM_E_UNSUPPORTED
 * when it is no regular file.
 */
enum qm_err qm_source_file(struct qm_source *source,
                           const char *path) QM_MUST_USE;

/* Pieces come through qm_source_push(); `size` counts when size_known. */
void qm_source_pull(struct qm_source *source, bool size_known, uint64_t size);

/* Leaves out the first `count` bytes (memory and file). */
void qm_source_skip(struct qm_source *source, uint64_t count);

/* Bytes a whole reading gives; false when that is not known. */
bool qm_source_size(const struct qm_source *source, uint64_t *size_out);

/*
 * What is read of a file must from now on be the same each time: its state does
 * not tell when times were set back, or when it is written to within a tick of
 * the clock or through memory.
 */
void qm_source_watch(struct qm_source *source);

/*
 * Begins a reading at the first byte. QM_E_CHANGED when the file is no longer
 * the one that was named, QM_E_UNSUPPORTED when a pull was read before.
 */
enum qm_err qm_source_open(struct qm_source *source) QM_MUST_USE;

/*
 * The next bytes, empty at the end; `slice` is used by files only and the view
 * is valid until the next call. QM_E_AGAIN: a pull waits for a push.
 * QM_E_CHANGED: the file or the pull gave another number of bytes than it
 * promised, or a watched file other bytes. QM_E_SYSTEM with errno: reading
 * failed.
 */
enum qm_err qm_source_next(struct qm_source *source, char *slice, size_t cap,
                           struct qm_span *bytes_out) QM_MUST_USE;

/*
 * Hands the next piece to a pull that answered QM_E_AGAIN; it must stay in
 * place until the one after it is asked for. An empty piece ends the source.
 * QM_E_MISUSE when no piece is wanted.
 */
enum qm_err qm_source_push(struct qm_source *source,
                           struct qm_span piece) QM_MUST_USE;

/* Idempotent. */
void qm_source_close(struct qm_source *source);

QM_DECLS_END

#endif
