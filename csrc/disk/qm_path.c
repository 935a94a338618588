#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* realpath: glibc does not show it for POSIX alone */
#endif

#include "disk/qm_path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum qm_err qm_path_is_inside(const char *folder, const char *path,
                              bool *inside_out)
{
    char top[PATH_MAX];
    char real[PATH_MAX];
    size_t len;

    *inside_out = false;
    if (realpath(folder, top) == NULL || realpath(path, real) == NULL) {
        return QM_E_SYSTEM;
    }
    len = strcmp(top, "/") == 0 ? 0 : strlen(top);
    *inside_out =
        strncmp(top, real, len) == 0 && real[len] == '/' && real[len + 1] != 0;
    return QM_OK;
}
