#include "lua/lq_entropy.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#if defined(__linux__)
#include <features.h>
#if !defined(__GLIBC__)
#define HAVE_GETRANDOM 1
#elif __GLIBC_PREREQ(2, 25)
#define HAVE_GETRANDOM 1
#endif
#endif

#ifdef HAVE_GETRANDOM
#include <sys/random.h>
#endif

static bool fill_from_device(unsigned char *out, size_t len)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    size_t done = 0;

    while (fd >= 0 && done < len) {
        ssize_t got = read(fd, out + done, len - done);

        if (got > 0) {
            done += (size_t)got;
        } else if (got == 0 || errno != EINTR) {
            break;
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return done == len;
}

/*
 * The system call needs no descriptor and works in a chroot; the device is for
 * kernels that do not know it (or sandboxes that refuse it).
 */
enum qm_err lq_entropy(void *out, size_t len)
{
    size_t done = 0;

#ifdef HAVE_GETRANDOM
    while (done < len) {
        ssize_t got = getrandom((unsigned char *)out + done, len - done, 0);

        if (got > 0) {
            done += (size_t)got;
        } else if (got == 0 || errno != EINTR) {
            break;
        }
    }
#endif
    if (done == len ||
        fill_from_device((unsigned char *)out + done, len - done)) {
        return QM_OK;
    }
    return QM_E_SYSTEM;
}
