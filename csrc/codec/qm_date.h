/*
 * qm_date.h: the Date field (RFC 5322 section 3.3) from seconds and an offset.
 *
 * No time zone database, no locale, no libc calendar: proleptic Gregorian
 * arithmetic on integers.
 */
#ifndef QM_DATE_H
#define QM_DATE_H

#include "base/qm_err.h"

/* "Tue, 24 Nov 2026 10:09:27 +0800" and the terminating NUL. */
enum { QM_DATE_SIZE = 32 };

QM_DECLS_BEGIN

/*
 * Writes a NUL-terminated date into `out`. `seconds` since 1970-01-01 UTC;
 * `offset_minutes` east of UTC, -720 to 840. QM_E_SYNTAX when the offset or
 * the year (1900 to 9999) is out of range.
 */
enum qm_err qm_date_format(int64_t seconds, int offset_minutes,
                           char out[QM_DATE_SIZE]) QM_MUST_USE;

QM_DECLS_END

#endif
