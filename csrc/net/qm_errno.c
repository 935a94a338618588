#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* EAI_NODATA, EAI_ADDRFAMILY */
#endif
#include "net/qm_errno.h"

#include <errno.h>
#include <netdb.h>

struct named_code {
    int code;
    const char *name;
    const char *text;
};

static const struct named_code system_codes[] = {
    { EACCES, "EACCES", "permission denied" },
    { EADDRINUSE, "EADDRINUSE", "address already in use" },
    { EADDRNOTAVAIL, "EADDRNOTAVAIL", "address not available" },
    { EAFNOSUPPORT, "EAFNOSUPPORT", "address family not supported" },
    { EAGAIN, "EAGAIN", "resource temporarily unavailable" },
    { EBADF, "EBADF", "descriptor is not open" },
    { EBUSY, "EBUSY", "in use by the system" },
    { ECONNABORTED, "ECONNABORTED", "connection aborted" },
    { ECONNREFUSED, "ECONNREFUSED", "connection refused" },
    { ECONNRESET, "ECONNRESET", "connection reset by peer" },
    { EDQUOT, "EDQUOT", "disk quota exceeded" },
    { EEXIST, "EEXIST", "the file exists" },
    { EFBIG, "EFBIG", "file too large" },
    { EHOSTUNREACH, "EHOSTUNREACH", "no route to host" },
    { EINTR, "EINTR", "interrupted by a signal" },
    { EINVAL, "EINVAL", "invalid argument" },
    { EIO, "EIO", "input or output error" },
    { EISDIR, "EISDIR", "is a folder" },
    { ELOOP, "ELOOP", "too many symbolic links, or one where none may be" },
    { EMFILE, "EMFILE", "too many open files in this process" },
    { EMLINK, "EMLINK", "too many links" },
    { ENAMETOOLONG, "ENAMETOOLONG", "name too long" },
    { ENETDOWN, "ENETDOWN", "network is down" },
    { ENETUNREACH, "ENETUNREACH", "network is unreachable" },
    { ENFILE, "ENFILE", "too many open files in the system" },
    { ENOBUFS, "ENOBUFS", "no buffer space left" },
    { ENOENT, "ENOENT", "no such file" },
    { ENOLCK, "ENOLCK", "no locks available" },
    { ENOMEM, "ENOMEM", "out of memory" },
    { ENOSPC, "ENOSPC", "no space left on the device" },
    { ENOTCONN, "ENOTCONN", "not connected" },
    { ENOTDIR, "ENOTDIR", "not a directory" },
    { ENOTEMPTY, "ENOTEMPTY", "folder not empty" },
    { ENOTSOCK, "ENOTSOCK", "not a socket" },
    { EPERM, "EPERM", "operation not permitted" },
    { EPIPE, "EPIPE", "the peer closed the connection" },
    { EPROTONOSUPPORT, "EPROTONOSUPPORT", "protocol not supported" },
    { EPROTOTYPE, "EPROTOTYPE", "wrong protocol type for the socket" },
    { EROFS, "EROFS", "read-only file system" },
    { ESTALE, "ESTALE", "stale file handle" },
    { ETIMEDOUT, "ETIMEDOUT", "connection timed out" },
    { EXDEV, "EXDEV", "on another file system" },
};

static const struct named_code resolve_codes[] = {
#ifdef EAI_ADDRFAMILY
    { EAI_ADDRFAMILY, "addrfamily", "the host has no address of this family" },
#endif
    { EAI_AGAIN, "again", "the name server did not answer" },
    { EAI_BADFLAGS, "badflags", "wrong flags for the resolver" },
    { EAI_FAIL, "fail", "the name server reported a failure" },
    { EAI_FAMILY, "family", "address family not supported" },
    { EAI_MEMORY, "memory", "out of memory" },
#ifdef EAI_NODATA
    { EAI_NODATA, "nodata", "the name has no address" },
#endif
    { EAI_NONAME, "noname", "no such host name" },
    { EAI_OVERFLOW, "overflow", "the name is too long" },
    { EAI_SERVICE, "service", "service not known" },
    { EAI_SOCKTYPE, "socktype", "socket type not supported" },
    { EAI_SYSTEM, "system", "a system call of the resolver failed" },
};

static const struct named_code *find_code(const struct named_code *list,
                                          size_t len, int code)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (list[i].code == code) {
            return &list[i];
        }
    }
    return NULL;
}

static const struct named_code *find_system(int code)
{
    return find_code(system_codes, QM_COUNTOF(system_codes), code);
}

static const struct named_code *find_resolve(int eai)
{
    return find_code(resolve_codes, QM_COUNTOF(resolve_codes), eai);
}

bool qm_errno_is_again(int code)
{
#if EAGAIN != EWOULDBLOCK
    if (code == EWOULDBLOCK) {
        return true;
    }
#endif
    return code == EAGAIN;
}

const char *qm_errno_name(int code)
{
    const struct named_code *found = find_system(code);

    return found != NULL ? found->name : "EOTHER";
}

const char *qm_errno_text(int code)
{
    const struct named_code *found = find_system(code);

    return found != NULL ? found->text : "system error";
}

const char *qm_errno_resolve_name(int eai)
{
    const struct named_code *found = find_resolve(eai);

    return found != NULL ? found->name : "other";
}

const char *qm_errno_resolve_text(int eai)
{
    const struct named_code *found = find_resolve(eai);

    return found != NULL ? found->text : "the resolver failed";
}
