#include "crypto/qm_dkim.h"

#include "base/qm_ascii.h"
#include "codec/qm_base64.h"

enum { PIECE = 4096 };

enum qm_err qm_dkim_init(struct qm_dkim *dkim, bool simple, bool relaxed)
{
    enum qm_err err = QM_OK;
    size_t form;

    memset(dkim, 0, sizeof(*dkim));
    qm_buf_init(&dkim->head, QM_DKIM_HEAD_MAX, false);
    dkim->wanted[false] = simple;
    dkim->wanted[true] = relaxed;
    for (form = 0; form < QM_DKIM_FORMS && err == QM_OK; form++) {
        qm_canon_init(&dkim->canon[form], form == true);
        if (dkim->wanted[form]) {
            err = qm_digest_begin(&dkim->run[form], QM_DIGEST_SHA256);
        }
    }
    return err;
}

void qm_dkim_deinit(struct qm_dkim *dkim)
{
    size_t form;

    for (form = 0; form < QM_DKIM_FORMS; form++) {
        qm_digest_drop(&dkim->run[form]);
    }
    qm_buf_deinit(&dkim->head);
}

/* --- reading --------------------------------------------------------------- */

/* A line without anything in it is "\r\n", or "\n". */
static bool is_empty_line(const struct qm_dkim *dkim, struct qm_span line)
{
    size_t len = dkim->line_len + line.len;

    return len == 1 ||
           (len == 2 &&
            (line.len == 2
                 ? line.ptr[0]
                 : qm_buf_span(&dkim->head).ptr[qm_buf_len(&dkim->head) - 1]) ==
                '\r');
}

/* The empty line is no field: what there is of it is taken back. */
static void leave_head(struct qm_dkim *dkim)
{
    qm_buf_truncate(&dkim->head, qm_buf_len(&dkim->head) - dkim->line_len);
    dkim->in_body = true;
}

/* Takes a line, or what there is of one, off the front of `bytes`. */
static enum qm_err take_head(struct qm_dkim *dkim, struct qm_span *bytes)
{
    const char *end = memchr(bytes->ptr, '\n', bytes->len);
    size_t len = end == NULL ? bytes->len : (size_t)(end - bytes->ptr) + 1;
    struct qm_span line = qm_span_make(bytes->ptr, len);

    *bytes = qm_span_from(*bytes, len);
    if (end != NULL && is_empty_line(dkim, line)) {
        leave_head(dkim);
        return QM_OK;
    }
    dkim->line_len = end == NULL ? dkim->line_len + len : 0;
    return qm_buf_append(&dkim->head, line);
}

static enum qm_err take_body(struct qm_dkim *dkim, size_t form,
                             struct qm_span bytes)
{
    char piece[PIECE];
    enum qm_err err = QM_OK;

    while (bytes.len > 0 && err == QM_OK) {
        size_t used;
        size_t written;

        qm_canon_update(&dkim->canon[form], bytes, piece, sizeof(piece), &used,
                        &written);
        bytes = qm_span_from(bytes, used);
        err = qm_digest_update(&dkim->run[form], qm_span_make(piece, written));
    }
    return err;
}

enum qm_err qm_dkim_update(struct qm_dkim *dkim, struct qm_span bytes)
{
    enum qm_err err = dkim->ended ? QM_E_MISUSE : QM_OK;
    size_t form;

    while (err == QM_OK && !dkim->in_body && bytes.len > 0) {
        err = take_head(dkim, &bytes);
    }
    for (form = 0; form < QM_DKIM_FORMS && err == QM_OK; form++) {
        if (dkim->wanted[form]) {
            err = take_body(dkim, form, bytes);
        }
    }
    return err;
}

static enum qm_err end_body(struct qm_dkim *dkim, size_t form)
{
    char piece[PIECE];
    enum qm_err err = QM_OK;
    size_t len;

    do {
        len = qm_canon_finish(&dkim->canon[form], piece, sizeof(piece));
        err = qm_digest_update(&dkim->run[form], qm_span_make(piece, len));
    } while (err == QM_OK && len > 0);
    return err == QM_OK ? qm_digest_end(&dkim->run[form], dkim->hash[form])
                        : err;
}

enum qm_err qm_dkim_finish(struct qm_dkim *dkim)
{
    enum qm_err err = dkim->ended ? QM_E_MISUSE : QM_OK;
    size_t form;

    for (form = 0; form < QM_DKIM_FORMS && err == QM_OK; form++) {
        if (dkim->wanted[form]) {
            err = end_body(dkim, form);
        }
    }
    dkim->ended = err == QM_OK || dkim->ended;
    return err;
}

/* --- fields ---------------------------------------------------------------- */

static bool is_white(char c)
{
    return c == '\r' || c == '\n' || qm_ascii_is_blank((unsigned char)c);
}

static struct qm_span trim(struct qm_span text)
{
    while (text.len > 0 && is_white(text.ptr[0])) {
        text = qm_span_from(text, 1);
    }
    while (text.len > 0 && is_white(text.ptr[text.len - 1])) {
        text.len--;
    }
    return text;
}

/*
 * The last field that ends before `end`; false when there is none. A line that
 * begins with white space belongs to the one before it, if there is one.
 */
static bool field_before(struct qm_span head, size_t end,
                         struct qm_span *field_out)
{
    size_t start = end;

    if (end == 0) {
        return false;
    }
    do {
        start--;
    } while (start > 0 &&
             (head.ptr[start - 1] != '\n' ||
              qm_ascii_is_blank((unsigned char)head.ptr[start])));
    *field_out = qm_span_make(head.ptr + start, end - start);
    return true;
}

static bool has_name(struct qm_span field, struct qm_span name)
{
    const char *colon = memchr(field.ptr, ':', field.len);

    return colon != NULL &&
           qm_ascii_equal_nocase(
               trim(qm_span_make(field.ptr, (size_t)(colon - field.ptr))),
               name);
}

/*
 * The last field of a name among those before `*end`, which then stands where
 * that field begins.
 */
static bool find_field(struct qm_span head, struct qm_span name, size_t *end,
                       struct qm_span *field_out)
{
    while (field_before(head, *end, field_out)) {
        *end -= field_out->len;
        if (has_name(*field_out, name)) {
            return true;
        }
    }
    return false;
}

size_t qm_dkim_count(const struct qm_dkim *dkim, struct qm_span name)
{
    struct qm_span head = qm_buf_span(&dkim->head);
    struct qm_span field;
    size_t end = head.len;
    size_t count = 0;

    while (find_field(head, name, &end, &field)) {
        count++;
    }
    return count;
}

/* Where the search for a name goes on that stood in the list before. */
struct looked {
    struct qm_span name[QM_DKIM_NAMES_MAX];
    size_t end[QM_DKIM_NAMES_MAX];
    size_t count;
};

static size_t *end_for(struct looked *looked, struct qm_span name,
                       size_t head_len)
{
    size_t i;

    for (i = 0; i < looked->count; i++) {
        if (qm_ascii_equal_nocase(looked->name[i], name)) {
            return &looked->end[i];
        }
    }
    if (looked->count == QM_DKIM_NAMES_MAX) {
        return NULL;
    }
    looked->name[looked->count] = name;
    looked->end[looked->count] = head_len;
    return &looked->end[looked->count++];
}

static struct qm_span next_name(struct qm_span *names)
{
    const char *colon = memchr(names->ptr, ':', names->len);
    size_t len = colon == NULL ? names->len : (size_t)(colon - names->ptr);
    struct qm_span name = qm_span_make(names->ptr, len);

    *names = qm_span_from(*names, len + 1);
    return trim(name);
}

static enum qm_err put_fields(struct qm_span head,
                              const struct qm_dkim_plan *plan,
                              struct qm_buf *out)
{
    struct looked looked;
    struct qm_span names = plan->names;
    enum qm_err err = QM_OK;
    size_t count;

    looked.count = 0;
    for (count = 0; names.len > 0 && err == QM_OK; count++) {
        struct qm_span name = next_name(&names);
        size_t *end = end_for(&looked, name, head.len);
        struct qm_span field;

        if (end == NULL || count == QM_DKIM_NAMES_MAX) {
            return QM_E_LIMIT;
        }
        if (find_field(head, name, end, &field)) {
            (void)qm_canon_header(field, plan->relaxed, out);
            err = qm_buf_append_text(out, "\r\n");
        }
    }
    return err;
}

/* --- values ---------------------------------------------------------------- */

static enum qm_err put_base64(struct qm_buf *out, const unsigned char *bytes,
                              size_t len)
{
    struct qm_base64 state;
    size_t room = (size_t)qm_base64_size(len, false);
    char *at = qm_buf_reserve(out, room + 8);
    size_t used;
    size_t written;

    if (at == NULL) {
        return out->err;
    }
    qm_base64_init(&state, false);
    qm_base64_update(&state, qm_span_make((const char *)bytes, len), at,
                     room + 8, &used, &written);
    qm_buf_commit(out, written + qm_base64_finish(&state, at + written));
    return QM_OK;
}

enum qm_err qm_dkim_body_hash(const struct qm_dkim *dkim, bool relaxed,
                              struct qm_buf *out)
{
    if (!dkim->ended || !dkim->wanted[relaxed]) {
        return QM_E_MISUSE;
    }
    return put_base64(out, dkim->hash[relaxed], QM_DKIM_HASH_SIZE);
}

/* RFC 6376 section 3.7: the chosen fields, and our own without a line end. */
enum qm_err qm_dkim_sign(const struct qm_dkim *dkim,
                         const struct qm_dkim_plan *plan,
                         const struct qm_key *key, struct qm_buf *out)
{
    unsigned char signature[QM_KEY_SIGNATURE_MAX];
    struct qm_buf text;
    enum qm_err err;
    size_t len;

    if (!dkim->ended) {
        return QM_E_MISUSE;
    }
    qm_buf_init(&text, 2 * (size_t)QM_DKIM_HEAD_MAX, false);
    err = put_fields(qm_buf_span(&dkim->head), plan, &text);
    if (err == QM_OK) {
        err = qm_canon_header(plan->field, plan->relaxed, &text);
    }
    if (err == QM_OK) {
        err = qm_key_sign(key, qm_buf_span(&text), signature, &len);
    }
    qm_buf_deinit(&text);
    return err == QM_OK ? put_base64(out, signature, len) : err;
}
