#include "tls/qm_tls_marks.h"

bool qm_tls_marks_full(const struct qm_tls_marks *marks)
{
    return marks->count == QM_TLS_MARKS_MAX;
}

void qm_tls_marks_add(struct qm_tls_marks *marks, uint64_t cipher_end,
                      size_t plain_len)
{
    size_t index = (marks->first + marks->count) % QM_TLS_MARKS_MAX;

    marks->plain_made += plain_len;
    marks->ring[index].cipher_end = cipher_end;
    marks->ring[index].plain_end = marks->plain_made;
    marks->count++;
}

uint64_t qm_tls_marks_pass(struct qm_tls_marks *marks, uint64_t cipher_sent)
{
    uint64_t before = marks->plain_sent;

    while (marks->count > 0 &&
           marks->ring[marks->first].cipher_end <= cipher_sent) {
        marks->plain_sent = marks->ring[marks->first].plain_end;
        marks->first = (marks->first + 1) % QM_TLS_MARKS_MAX;
        marks->count--;
    }
    return marks->plain_sent - before;
}
