/*
 * qm_folder.h: a folder for private files, and the names in it.
 *
 * Failures of the system are QM_E_SYSTEM and leave their code in errno.
 */
#ifndef QM_FOLDER_H
#define QM_FOLDER_H

#include "base/qm_buf.h"

/* Why a folder is not fit to hold what only its owner may touch. */
enum qm_folder_flaw {
    QM_FOLDER_FIT,
    QM_FOLDER_NOT_OWNER, /* it belongs to another user */
    QM_FOLDER_TOO_OPEN   /* its group or others may write to it */
};

/* Zeroed it is empty. */
struct qm_folder_list {
    struct qm_buf text; /* the names as they were read, each with its NUL */
    const char **names; /* into `text`, in the order of their bytes */
    size_t len;         /* names */
};

QM_DECLS_BEGIN

/*
 * Makes the folder and the missing ones above it, all with mode 0700, and
 * looks whether it is fit: a folder and no link to one (ENOTDIR), our own and
 * closed to others (QM_E_UNSUPPORTED, and why in `flaw_out`). What was there
 * before is left as it is.
 */
enum qm_err qm_folder_make(const char *path,
                           enum qm_folder_flaw *flaw_out) QM_MUST_USE;

/* Removes an empty folder. */
enum qm_err qm_folder_remove(const char *path) QM_MUST_USE;

/*
 * A descriptor of the folder that holds `path`, for qm_fd_sync_names(); -1
 * with errno when there is none. `path` is cut while it is used, and whole
 * again afterwards.
 */
int qm_folder_open_parent(char *path);

/*
 * The names of all that is in the folder, files and folders alike, but for
 * those that begin with a dot; no more than `max` of them, the others are left
 * out. When it fails the list is empty.
 */
enum qm_err qm_folder_list(const char *path, size_t max,
                           struct qm_folder_list *list_out) QM_MUST_USE;

/* Frees the names and empties the list. */
void qm_folder_list_deinit(struct qm_folder_list *list);

QM_DECLS_END

#endif
