#include "mime/qm_body.h"

static const char *const encoding_names[] = {
    "7bit",
    "8bit",
    "quoted-printable",
    "base64",
};

const char *qm_encoding_name(enum qm_encoding encoding)
{
    return encoding_names[encoding];
}

void qm_body_begin(struct qm_body *body, enum qm_encoding encoding, bool text,
                   bool alone)
{
    memset(body, 0, offsetof(struct qm_body, middle));
    body->encoding = encoding;
    body->text = text;
    body->alone = alone;
    qm_dot_init(&body->lines, false);
    qm_qp_init(&body->qp);
    qm_base64_init(&body->b64, true);
}

bool qm_body_pending(const struct qm_body *body)
{
    return body->middle_at < body->middle_end;
}

/* Base64 never needs more than this for a step. */
enum { BASE64_STEP = 8 };

static void fill_middle(struct qm_body *body, struct qm_span input,
                        size_t *used_out)
{
    size_t used;

    body->middle_at = 0;
    qm_dot_update(&body->lines, input, body->middle, QM_BODY_MIDDLE, &used,
                  &body->middle_end);
    *used_out += used;
}

static void update_base64_text(struct qm_body *body, struct qm_span input,
                               char *out, size_t cap, size_t *used_out,
                               size_t *written_out)
{
    *used_out = 0;
    *written_out = 0;
    while (cap - *written_out >= BASE64_STEP) {
        size_t used;
        size_t written;

        if (!qm_body_pending(body)) {
            fill_middle(body, qm_span_from(input, *used_out), used_out);
        }
        if (!qm_body_pending(body)) {
            break;
        }
        qm_base64_update(&body->b64,
                         qm_span_make(body->middle + body->middle_at,
                                      body->middle_end - body->middle_at),
                         out + *written_out, cap - *written_out, &used,
                         &written);
        body->middle_at += used;
        *written_out += written;
    }
}

void qm_body_update(struct qm_body *body, struct qm_span input, char *out,
                    size_t cap, size_t *used_out, size_t *written_out)
{
    if (body->encoding == QM_ENCODING_QP) {
        qm_qp_update(&body->qp, input, out, cap, used_out, written_out);
    } else if (body->encoding != QM_ENCODING_BASE64) {
        qm_dot_update(&body->lines, input, out, cap, used_out, written_out);
    } else if (body->text) {
        update_base64_text(body, input, out, cap, used_out, written_out);
    } else {
        qm_base64_update(&body->b64, input, out, cap, used_out, written_out);
    }
    if (*written_out > 0) {
        body->last = out[*written_out - 1];
    }
}

/*
 * A message ends with CRLF in any case: the end of the mail data needs it. In
 * quoted-printable a soft line break adds it without adding to the text.
 */
static size_t finish_alone(struct qm_body *body, char *out, size_t len)
{
    char last = len > 0 ? out[len - 1] : body->last;

    if (last == '\0' || last == '\n') {
        return len;
    }
    if (body->encoding == QM_ENCODING_QP) {
        out[len++] = '=';
    }
    out[len++] = '\r';
    out[len++] = '\n';
    return len;
}

size_t qm_body_finish(struct qm_body *body, char *out)
{
    size_t len = 0;

    if (body->encoding == QM_ENCODING_BASE64) {
        len = qm_base64_finish(&body->b64, out);
    } else if (body->encoding == QM_ENCODING_QP) {
        len = qm_qp_finish(&body->qp, out);
    }
    return body->alone ? finish_alone(body, out, len) : len;
}
