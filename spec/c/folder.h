/*
 * folder.h: a folder of its own for each C test of the disk floor.
 *
 * folder_enter() makes one and goes there; folder_leave() removes it with all
 * that is in it. Paths of the tests are relative to it.
 */
#ifndef FOLDER_H
#define FOLDER_H

#include "check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder_path[] = "/tmp/qm-disk-XXXXXX";

static inline void folder_enter(void)
{
    if (mkdtemp(folder_path) == NULL || chdir(folder_path) != 0) {
        perror("folder_enter");
        exit(1);
    }
}

static inline void folder_leave(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -rf %s", folder_path);
    CHECK(chdir("/") == 0 && system(command) == 0);
}

static inline bool folder_has(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

/* Permission bits; 0 when there is no such file. */
static inline unsigned folder_mode(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 ? (unsigned)st.st_mode & 07777U : 0;
}

static inline void folder_put(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");

    CHECK(file != NULL && fputs(text, file) >= 0);
    if (file != NULL) {
        CHECK(fclose(file) == 0);
    }
}

/* Whether the file is there and holds just this. */
static inline bool folder_holds(const char *path, const char *text)
{
    char bytes[256];
    FILE *file = fopen(path, "rb");
    size_t len;

    if (file == NULL) {
        return false;
    }
    len = fread(bytes, 1, sizeof(bytes), file);
    CHECK(fclose(file) == 0);
    return len == strlen(text) && memcmp(bytes, text, len) == 0;
}

static inline int folder_open_descriptors(void)
{
    int count = 0;
    int fd;

    for (fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

#endif
