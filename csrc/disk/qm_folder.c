#include "disk/qm_folder.h"

#include "base/qm_mem.h"
#include "disk/qm_fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_CAP = 256 }; /* usual longest name, and its NUL */

/* --- making -------------------------------------------------------------- */

int qm_folder_open_parent(char *path)
{
    char *slash = strrchr(path, '/');
    int fd;

    if (slash == NULL) {
        return qm_fd_open(".", O_RDONLY | O_DIRECTORY);
    }
    if (slash == path) {
        return qm_fd_open("/", O_RDONLY | O_DIRECTORY);
    }
    *slash = '\0';
    fd = qm_fd_open(path, O_RDONLY | O_DIRECTORY);
    *slash = '/';
    return fd;
}

/*
 * A file that is safe on the medium is lost all the same when the name of its
 * folder is not. No more than an attempt: the folder above may be one that we
 * must not read.
 */
static void sync_parent(char *path)
{
    int fd = qm_folder_open_parent(path);

    if (fd >= 0) {
        (void)qm_fd_sync_names(fd);
        qm_fd_close(fd);
    }
}

/* What is already there is looked at later. */
static enum qm_err make_one(char *path)
{
    if (mkdir(path, S_IRWXU) != 0) {
        return errno == EEXIST ? QM_OK : QM_E_SYSTEM;
    }
    sync_parent(path);
    return QM_OK;
}

static enum qm_err make_parents(char *path)
{
    char *at;

    for (at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        enum qm_err err;

        *at = '\0';
        err = make_one(path);
        *at = '/';
        if (err != QM_OK) {
            return err;
        }
    }
    return QM_OK;
}

static enum qm_err make_all(char *path)
{
    enum qm_err err = make_one(path);

    if (err == QM_OK || errno != ENOENT) {
        return err;
    }
    err = make_parents(path);
    return err == QM_OK ? make_one(path) : err;
}

static enum qm_err check_fit(const char *path, enum qm_folder_flaw *flaw_out)
{
    struct stat st;

    if (lstat(path, &st) != 0) {
        return QM_E_SYSTEM;
    }
    if (!S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        return QM_E_SYSTEM;
    }
    if (st.st_uid != geteuid()) {
        *flaw_out = QM_FOLDER_NOT_OWNER;
        return QM_E_UNSUPPORTED;
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        *flaw_out = QM_FOLDER_TOO_OPEN;
        return QM_E_UNSUPPORTED;
    }
    return QM_OK;
}

/*
 * A copy that may be written to, without slashes at its end: behind "link/"
 * lstat() sees the folder, not the link. The caller frees it.
 */
static char *copy_trimmed(const char *path)
{
    size_t len = strlen(path);
    char *copy;

    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    copy = qm_mem_alloc(len + 1);
    if (copy != NULL) {
        memcpy(copy, path, len);
        copy[len] = '\0';
    }
    return copy;
}

enum qm_err qm_folder_make(const char *path, enum qm_folder_flaw *flaw_out)
{
    enum qm_err err;
    char *copy;

    *flaw_out = QM_FOLDER_FIT;
    if (*path == '\0') {
        errno = ENOENT;
        return QM_E_SYSTEM;
    }
    copy = copy_trimmed(path);
    if (copy == NULL) {
        return QM_E_MEMORY;
    }
    err = make_all(copy);
    if (err == QM_OK) {
        err = check_fit(copy, flaw_out);
    }
    qm_mem_free(copy);
    return err;
}

enum qm_err qm_folder_remove(const char *path)
{
    return rmdir(path) == 0 ? QM_OK : QM_E_SYSTEM;
}

/* --- listing ------------------------------------------------------------- */

/* readdir() tells the end from a failure by errno alone. */
static enum qm_err next_name(DIR *dir, const char **name_out)
{
    struct dirent *entry;

    do {
        errno = 0;
        entry = readdir(dir);
    } while (entry != NULL && entry->d_name[0] == '.');
    *name_out = entry != NULL ? entry->d_name : NULL;
    return entry != NULL || errno == 0 ? QM_OK : QM_E_SYSTEM;
}

static enum qm_err read_names(DIR *dir, size_t max, struct qm_folder_list *list)
{
    while (list->len < max) {
        const char *name;
        enum qm_err err = next_name(dir, &name);

        if (err != QM_OK || name == NULL) {
            return err;
        }
        err = qm_buf_append(&list->text, qm_span_make(name, strlen(name) + 1));
        if (err != QM_OK) {
            return err;
        }
        list->len++;
    }
    return QM_OK;
}

static int compare_names(const void *a, const void *b)
{
    const char *const *name_a = a;
    const char *const *name_b = b;

    return strcmp(*name_a, *name_b);
}

static enum qm_err sort_names(struct qm_folder_list *list)
{
    const char *name = qm_buf_span(&list->text).ptr;
    size_t i;

    if (list->len == 0) {
        return QM_OK;
    }
    list->names = qm_mem_alloc(list->len * sizeof(*list->names));
    if (list->names == NULL) {
        return QM_E_MEMORY;
    }
    for (i = 0; i < list->len; i++) {
        list->names[i] = name;
        name += strlen(name) + 1;
    }
    qsort(list->names, list->len, sizeof(*list->names), compare_names);
    return QM_OK;
}

enum qm_err qm_folder_list(const char *path, size_t max,
                           struct qm_folder_list *list_out)
{
    DIR *dir = opendir(path);
    enum qm_err err;
    int saved;

    memset(list_out, 0, sizeof(*list_out));
    if (dir == NULL) {
        return QM_E_SYSTEM;
    }
    qm_buf_init(&list_out->text, max * NAME_CAP, false);
    err = read_names(dir, max, list_out);
    saved = errno;
    (void)closedir(dir);
    errno = saved;
    if (err == QM_OK) {
        err = sort_names(list_out);
    }
    if (err != QM_OK) {
        qm_folder_list_deinit(list_out);
    }
    return err;
}

void qm_folder_list_deinit(struct qm_folder_list *list)
{
    int saved = errno;

    qm_mem_free(list->names);
    qm_buf_deinit(&list->text);
    list->names = NULL;
    list->len = 0;
    errno = saved;
}
