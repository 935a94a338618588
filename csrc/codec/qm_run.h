/*
 * qm_run.h: how far bytes can be taken as they are, many at a time.
 *
 * What encoders look for is rare in most texts. These tell how many bytes come
 * before it, 64 at a time where the processor has vectors. Each answers exactly
 * what a look at one byte after the other would; nothing outside of the text is
 * read.
 */
#ifndef QM_RUN_H
#define QM_RUN_H

#include "base/qm_span.h"

QM_DECLS_BEGIN

/*
 * Bytes at the start of `text` that the end of mail data cannot hide in (RFC
 * 5321 section 2.3.8): each CR is followed by LF, each LF preceded by CR. With
 * `dots` also no line begins with a dot; `at_line_start` tells of the first
 * byte. A CR whose LF would lie behind `len` does not count.
 */
size_t qm_run_of_lines(const char *text, size_t len, bool at_line_start,
                       bool dots) QM_PURE;

/*
 * Bytes at the start of `text` that quoted-printable has no need to encode
 * wherever they stand (RFC 2045 section 6.7), and blanks: space to "~" without
 * "=", and tab.
 */
size_t qm_run_of_plain(const char *text, size_t len) QM_PURE;

enum { QM_RUN_BLOCK = 64 };

/* Sets of places in a block, see qm_bits.h. */
struct qm_run_kinds {
    uint64_t plain; /* as of qm_run_of_plain() */
    uint64_t high;  /* bytes above 127 */
};

/* What is what among the first bytes of `text`, QM_RUN_BLOCK at most. */
struct qm_run_kinds qm_run_kinds(const char *text, size_t len) QM_PURE;

QM_DECLS_END

#endif
