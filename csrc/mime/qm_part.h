/*
 * qm_part.h: one leaf of a message: its header, its source, its encoding.
 *
 * The maker fills the first group of fields; everything they point at stays
 * the maker's and must outlive the part. Measuring reads a text once to choose
 * its encoding and to know its exact size; attachments are not read for that.
 */
#ifndef QM_PART_H
#define QM_PART_H

#include "base/qm_buf.h"
#include "mime/qm_body.h"
#include "mime/qm_source.h"

enum qm_part_role {
    QM_PART_TEXT,       /* text/plain; charset=UTF-8 */
    QM_PART_HTML,       /* text/html; charset=UTF-8 */
    QM_PART_CALENDAR,   /* text/calendar; method=...; charset=UTF-8 */
    QM_PART_INLINE,     /* data the HTML refers to by its content id */
    QM_PART_ATTACHMENT, /* data */
    QM_PART_MESSAGE,    /* another message, complete, with CRLF line ends */
    QM_PART_RAW,        /* the body of a message somebody else made */
    QM_PART_SMIME       /* a signature over the rest, or all of it sealed */
};

/* Which of a part's inputs an error is about. */
enum qm_part_field {
    QM_PART_SOURCE,
    QM_PART_TYPE,
    QM_PART_NAME,
    QM_PART_ID,
    QM_PART_METHOD
};

/* Is it one of what stands behind the text for a reader to save? */
static inline bool qm_part_role_is_attached(enum qm_part_role role)
{
    return role == QM_PART_ATTACHMENT || role == QM_PART_MESSAGE;
}

/* How a part is sent to a server without and with 8BITMIME (RFC 6152). */
enum { QM_PART_SEVEN, QM_PART_EIGHT, QM_PART_MODES };

struct qm_part {
    enum qm_part_role role;
    struct qm_source source;
    struct qm_span type;   /* media type of data, parameters allowed */
    struct qm_span name;   /* file name for the reader, UTF-8, may be empty */
    struct qm_span id;     /* inline: content id without angle brackets */
    struct qm_span method; /* calendar: iTIP method (RFC 5546) */

    bool alone;  /* the only body of the message */
    bool strict; /* text must reach its reader bit by bit */
    enum qm_encoding encoding[QM_PART_MODES];
    uint64_t size[QM_PART_MODES]; /* encoded bytes, when sized */
    bool sized;
    enum qm_part_field fault;
    uint64_t fault_at; /* offset in the source or the value */
};

QM_DECLS_BEGIN

static inline bool qm_part_is_text(const struct qm_part *part)
{
    return part->role != QM_PART_INLINE && part->role != QM_PART_ATTACHMENT &&
           part->role != QM_PART_SMIME;
}

/*
 * Chooses the encodings and computes the sizes. `slice` is room for reading
 * files. On error `fault` and `fault_at` tell where: QM_E_UTF8 for a text that
 * is none, QM_E_CONTROL for NUL and QM_E_TOO_LONG for a line over 998 in a raw
 * body or a message, QM_E_UNSUPPORTED for a text that is pulled.
 */
enum qm_err qm_part_measure(struct qm_part *part, char *slice,
                            size_t cap) QM_MUST_USE;

/*
 * Appends the part's own fields except Content-Transfer-Encoding. QM_E_SYNTAX,
 * QM_E_CONTROL, QM_E_UTF8, QM_E_TOO_LONG with `fault` and `fault_at`.
 */
enum qm_err qm_part_append_fields(struct qm_part *part,
                                  struct qm_buf *out) QM_MUST_USE;

QM_DECLS_END

#endif
