#include "net/qm_signal.h"

#include "net/qm_os.h"

#include <unistd.h>

enum qm_err qm_signal_open(struct qm_signal *signal)
{
    enum qm_err err = qm_os_pipe(signal->ends);

    signal->is_open = err == QM_OK;
    return err;
}

void qm_signal_set(struct qm_signal *signal)
{
    if (signal->is_open) {
        /* A pipe that is full is readable all the same. */
        ssize_t written = write(signal->ends[1], "", 1);

        (void)written;
    }
}

void qm_signal_close(struct qm_signal *signal)
{
    if (signal->is_open) {
        signal->is_open = false;
        (void)close(signal->ends[0]);
        (void)close(signal->ends[1]);
    }
}
