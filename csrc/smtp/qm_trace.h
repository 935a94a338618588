/*
 * qm_trace.h: the last lines of the dialogue, for error messages.
 *
 * A ring of fixed size inside the session: no allocation, no clock of its own.
 * Secrets never get here: the command writer hands over the masked form.
 */
#ifndef QM_TRACE_H
#define QM_TRACE_H

#include "base/qm_span.h"

enum {
    QM_TRACE_LINES = 48,      /* an EHLO reply and several messages */
    QM_TRACE_LINE_BYTES = 160 /* longer lines are cut */
};

struct qm_trace_line {
    uint64_t time_ms; /* as told by qm_trace_set_time() */
    char direction;   /* 'C' from us, 'S' from the server, '*' a remark */
    unsigned char len;
    bool cut; /* the line was longer */
    char text[QM_TRACE_LINE_BYTES];
};

struct qm_trace {
    struct qm_trace_line lines[QM_TRACE_LINES];
    uint64_t time_ms;
    unsigned next;  /* slot of the next line */
    unsigned count; /* lines kept, at most QM_TRACE_LINES */
    uint64_t total; /* lines ever added */
};

QM_DECLS_BEGIN

void qm_trace_init(struct qm_trace *trace);
void qm_trace_set_time(struct qm_trace *trace, uint64_t time_ms);
void qm_trace_add(struct qm_trace *trace, char direction, struct qm_span text);

/* Line number `index` from the oldest kept; NULL past the newest. */
const struct qm_trace_line *qm_trace_get(const struct qm_trace *trace,
                                         unsigned index);

/*
 * Index of the oldest line kept that came after the first `mark` ones, for
 * qm_trace_get(). `mark` is an earlier `total`.
 */
unsigned qm_trace_since(const struct qm_trace *trace, uint64_t mark);

QM_DECLS_END

#endif
