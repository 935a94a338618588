/*
 * qm_message.h: a message as a stream that is pulled, of a size known before.
 *
 * Made in three steps: fields are added to `header`, parts with
 * qm_message_add_part(), then qm_message_build() lays everything out. From
 * then on it can be read any number of times, in pieces of any size, without
 * allocating for each part: headers lie ready, bodies are encoded straight
 * from their sources into the reader's buffer.
 *
 * Only CRLF line ends come out, the last line is complete, dots are not
 * doubled. What parts point at must outlive the message.
 */
#ifndef QM_MESSAGE_H
#define QM_MESSAGE_H

#include "mime/qm_body.h"
#include "mime/qm_header.h"
#include "mime/qm_part.h"
#include "mime/qm_raw.h"

enum {
    QM_MESSAGE_TEXT_MAX = 4 * 1024 * 1024, /* all headers together */
    QM_MESSAGE_PARTS_MAX = 10000,          /* far beyond what readers show */
    QM_MESSAGE_KEPT_MAX = 16 * 1024, /* each room qm_message_reset keeps */
    QM_MESSAGE_SLICE = 64 * 1024     /* files are read in such pieces */
};

/* A stretch of the message: ready text, or the body of a part. */
struct qm_segment {
    size_t start; /* text: offset into header.text; body: part index */
    size_t len;   /* text: bytes */
    bool is_body; /* which of the two */
    bool in_mode[QM_PART_MODES]; /* is it there without, with 8BITMIME? */
};

struct qm_message {
    struct qm_header header;
    struct qm_part *parts;
    size_t part_count;
    size_t part_room;
    struct qm_raw raw; /* the header block of a raw message */
    bool is_raw;
    bool is_signed; /* set before the build: multipart/signed around it all */
    bool is_entity; /* set before the build: no MIME-Version, 7 bits alone */
    bool has_signature;
    size_t signed_start; /* signed: the segments a signature is over */
    size_t signed_end;

    struct qm_segment *segments;
    size_t segment_count;
    size_t segment_room;
    size_t marked; /* header.text up to here is in segments */
    uint64_t size[QM_PART_MODES];
    bool sized;
    bool built;
    size_t fault_part; /* after an error: index; too large for none */

    char *slice;          /* room for reading files, only while in use */
    struct qm_body body;  /* encoder of the current part */
    struct qm_span input; /* its bytes not yet encoded */
    size_t mode;          /* QM_PART_SEVEN or QM_PART_EIGHT */
    size_t current;       /* segment being read */
    size_t stop;          /* segment before which the reading ends */
    size_t offset;        /* in a text segment */
    bool in_body;         /* the current part's source is open */
    bool reading;         /* between rewind and end */
    enum qm_err err;      /* first failure of this reading */
    size_t staged_at;
    size_t staged_end;
    char staged[QM_BODY_ROOM]; /* for readers with less room than a step */
};

QM_DECLS_BEGIN

/* No allocation. */
void qm_message_init(struct qm_message *m);
void qm_message_deinit(struct qm_message *m);

/* Empties it for another message; room of a usual size is kept. */
void qm_message_reset(struct qm_message *m);

/* Takes a copy of *part; its role, source, type, name, id, method count. */
enum qm_err qm_message_add_part(struct qm_message *m,
                                const struct qm_part *part) QM_MUST_USE;

/*
 * Measures the parts and lays the message out (see qm_layout.h for the errors);
 * no part can be added after it. `boundary` is letters and digits made from 128
 * random bits. qm_message_rewind() comes next.
 */
enum qm_err qm_message_build(struct qm_message *m,
                             struct qm_span boundary) QM_MUST_USE;

/*
 * Begins a reading of the entity that a signed message (RFC 1847) has to be
 * signed over: exactly as it will be sent, its own fields included.
 */
enum qm_err qm_message_rewind_signed(struct qm_message *m) QM_MUST_USE;

/*
 * Puts the signature over that entity into its place: CMS as it is, in memory
 * that outlives the message. A signed message can be read as a whole only now.
 */
enum qm_err qm_message_sign(struct qm_message *m,
                            struct qm_span signature) QM_MUST_USE;

/*
 * A second reader of the same message: `to` (empty) gets its own cursor and
 * shares what parts point at. QM_E_UNSUPPORTED when a part is pulled.
 */
enum qm_err qm_message_copy(struct qm_message *to,
                            const struct qm_message *from) QM_MUST_USE;

/* Whole readings give the same bytes from now on, or fail with QM_E_CHANGED. */
void qm_message_watch(struct qm_message *m);

/*
 * Puts finished fields in front of a message that nobody reads, and settles
 * its form: from now on it is the same with and without 8BITMIME, as a
 * signature over it must stay true (RFC 6376 section 5.3). `fields` end with
 * CRLF and are copied.
 */
enum qm_err qm_message_seal(struct qm_message *m,
                            struct qm_span fields) QM_MUST_USE;

/*
 * Begins a reading from the start; `eightbit`: the server offers 8BITMIME
 * (RFC 6152). QM_E_UNSUPPORTED when pulled bytes are gone already.
 */
enum qm_err qm_message_rewind(struct qm_message *m, bool eightbit) QM_MUST_USE;

/*
 * Next bytes, any cap >= 1. QM_OK with nothing written is the end. QM_E_AGAIN:
 * a part waits for qm_message_push(). Other errors are final for this reading
 * and tell of a source: QM_E_CHANGED, QM_E_SYSTEM; fault_part tells which.
 */
enum qm_err qm_message_read(struct qm_message *m, char *out, size_t cap,
                            size_t *written_out) QM_MUST_USE;

/* As qm_source_push() for the part that answered QM_E_AGAIN. */
enum qm_err qm_message_push(struct qm_message *m,
                            struct qm_span piece) QM_MUST_USE;

/* Index of the part being read; part_count when none is. */
size_t qm_message_reading_part(const struct qm_message *m);

/*
 * Exact number of bytes a reading gives (the SIZE of RFC 1870).
 * QM_E_UNSUPPORTED when it is not known because a pull has no size.
 */
enum qm_err qm_message_size(const struct qm_message *m, bool eightbit,
                            uint64_t *size_out) QM_MUST_USE;

/* Bytes above 127 are sent in bodies when `eightbit` is allowed. */
bool qm_message_is_eightbit(const struct qm_message *m);

/* They are sent in any mode: the server must offer 8BITMIME. */
bool qm_message_needs_eightbit(const struct qm_message *m);

/* Raw UTF-8 in the header: SMTPUTF8 (RFC 6531) is required. */
bool qm_message_needs_utf8(const struct qm_message *m);

QM_DECLS_END

#endif
