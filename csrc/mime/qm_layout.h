/*
 * qm_layout.h: from a list of parts to the stretches of a message.
 *
 * Writes what stands between the bodies into header.text and lists, in order,
 * which stretch of it or which body comes next. A field whose value depends on
 * 8BITMIME is there twice, each for its own mode.
 */
#ifndef QM_LAYOUT_H
#define QM_LAYOUT_H

#include "mime/qm_message.h"

enum {
    QM_LAYOUT_BOUNDARY_MIN = 22, /* 128 bits at 6 bits a character */
    QM_LAYOUT_BOUNDARY_MAX = 64  /* RFC 2046 section 5.1.1 allows 70 in all */
};

QM_DECLS_BEGIN

/*
 * mixed(related(alternative(text, html, calendar), inline...), attachments...)
 * without the levels that are not needed. A part with role QM_PART_RAW stands
 * alone: its header block becomes the header, less Bcc, and nothing is added.
 * One with QM_PART_SMIME stands alone as well. A message that is to be signed
 * gets a part of that role at its end, for the signature, and signed(...,
 * signature) around it all.
 *
 * QM_E_SYNTAX for a boundary of other characters or length; else the errors of
 * qm_part_measure(), qm_part_append_fields() and qm_raw_update(), with
 * fault_part and that part's fault and fault_at set.
 */
enum qm_err qm_layout_make(struct qm_message *m,
                           struct qm_span boundary) QM_MUST_USE;

/* Adds up the sizes anew. QM_E_LIMIT for more than a number holds. */
enum qm_err qm_layout_sum(struct qm_message *m) QM_MUST_USE;

QM_DECLS_END

#endif
