/*
 * qm_scan.h: what must be known of a text before its encoding is chosen.
 *
 * One pass over the bytes, cut anywhere; the answer depends on the bytes only.
 * CR, LF and CRLF each count as one line end.
 */
#ifndef QM_SCAN_H
#define QM_SCAN_H

#include "base/qm_span.h"

/* RFC 5322 section 2.1.1: characters in a line, its CRLF not counted. */
enum { QM_SCAN_LINE_MAX = 998 };

struct qm_scan {
    uint64_t len;         /* bytes seen */
    uint64_t crlf_len;    /* bytes when each line end is CRLF */
    uint64_t escapes;     /* bytes quoted-printable must write as =XX */
    uint64_t bad_at;      /* offset of the first bad UTF-8, if bad_utf8 */
    uint64_t nul_at;      /* offset of the first NUL, if nul */
    uint64_t too_long_at; /* offset where the first line over 998 begins */
    bool bad_utf8;
    bool nul;
    bool too_long;
    bool high;     /* bytes above 127 */
    bool control;  /* C0 other than TAB, CR, LF; or DEL */
    bool boundary; /* a line begins with "--=_", as our boundaries do */

    uint64_t line_at;  /* offset where the current line begins */
    bool after_cr;     /* a LF now belongs to the line end before it */
    bool marking;      /* the line so far is a part of "--=_" */
    char held[4];      /* a character not yet complete */
    unsigned held_len; /* bytes in held */
};

QM_DECLS_BEGIN

void qm_scan_init(struct qm_scan *scan);
void qm_scan_update(struct qm_scan *scan, struct qm_span bytes);
void qm_scan_finish(struct qm_scan *scan);

QM_DECLS_END

#endif
