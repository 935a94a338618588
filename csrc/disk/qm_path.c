#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_PATH; realpath, which glibc hides of POSIX alone */
#endif

#include "disk/qm_path.h"

#include "disk/qm_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A folder need not be readable for what is in it to be. */
#ifdef O_PATH
#define FOLDER_FLAGS (O_PATH | O_DIRECTORY)
#else
#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY)
#endif

/* Where a path leads, and the part of it behind the folder. */
struct place {
    char top[PATH_MAX];
    char real[PATH_MAX];
    char *rest; /* in `real`; NULL: not in the folder */
};

static enum qm_err find_place(const char *folder, const char *path,
                              struct place *place)
{
    size_t len;

    place->rest = NULL;
    if (realpath(folder, place->top) == NULL ||
        realpath(path, place->real) == NULL) {
        return QM_E_SYSTEM;
    }
    len = strcmp(place->top, "/") == 0 ? 0 : strlen(place->top);
    if (strncmp(place->top, place->real, len) == 0 && place->real[len] == '/' &&
        place->real[len + 1] != 0) {
        place->rest = place->real + len + 1;
    }
    return QM_OK;
}

static int open_in(int folder, const char *name, int flags)
{
    int fd;

    do {
        fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* Step by step down from the folder. Cuts `rest` into its parts. */
static int open_place(struct place *place)
{
    char *name = place->rest;
    int fd = qm_fd_open(place->top, FOLDER_FLAGS);

    while (fd >= 0 && name != NULL) {
        char *slash = strchr(name, '/');
        int flags = slash != NULL ? FOLDER_FLAGS : O_RDONLY | O_NONBLOCK;
        int next;

        if (slash != NULL) {
            *slash++ = '\0';
        }
        next = open_in(fd, name, flags);
        qm_fd_close(fd);
        fd = next;
        name = slash;
    }
    return fd;
}

enum qm_err qm_path_read(const char *folder, const char *path, size_t most,
                         struct qm_buf *out, bool *inside_out)
{
    struct place place;
    enum qm_err err = find_place(folder, path, &place);
    int fd;

    *inside_out = place.rest != NULL;
    if (place.rest == NULL) {
        return err;
    }
    fd = open_place(&place);
    if (fd < 0) {
        return QM_E_SYSTEM;
    }
    err = qm_fd_read(fd, most, out);
    qm_fd_close(fd);
    return err;
}
