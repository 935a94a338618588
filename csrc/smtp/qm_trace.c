#include "smtp/qm_trace.h"

void qm_trace_init(struct qm_trace *trace)
{
    memset(trace, 0, sizeof(*trace));
}

void qm_trace_set_time(struct qm_trace *trace, uint64_t time_ms)
{
    trace->time_ms = time_ms;
}

void qm_trace_add(struct qm_trace *trace, char direction, struct qm_span text)
{
    struct qm_trace_line *line = &trace->lines[trace->next];

    line->time_ms = trace->time_ms;
    line->direction = direction;
    line->cut = text.len > QM_TRACE_LINE_BYTES;
    line->len = (unsigned char)(line->cut ? QM_TRACE_LINE_BYTES : text.len);
    if (line->len > 0) {
        memcpy(line->text, text.ptr, line->len);
    }
    trace->total++;
    trace->next = (trace->next + 1) % QM_TRACE_LINES;
    if (trace->count < QM_TRACE_LINES) {
        trace->count++;
    }
}

const struct qm_trace_line *qm_trace_get(const struct qm_trace *trace,
                                         unsigned index)
{
    if (index >= trace->count) {
        return NULL;
    }
    return &trace->lines[(trace->next + QM_TRACE_LINES - trace->count + index) %
                         QM_TRACE_LINES];
}

unsigned qm_trace_since(const struct qm_trace *trace, uint64_t mark)
{
    uint64_t dropped = trace->total - trace->count;

    if (mark <= dropped) {
        return 0;
    }
    return mark < trace->total ? (unsigned)(mark - dropped) : trace->count;
}
