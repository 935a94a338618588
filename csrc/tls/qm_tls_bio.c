#include "tls/qm_tls_bio.h"

#include <openssl/bio.h>

static int read_in(BIO *bio, char *to, int room)
{
    struct qm_tls_pipe *pipe = BIO_get_data(bio);
    struct qm_span waiting = qm_buf_span(&pipe->in);
    size_t len = room > 0 ? (size_t)room : 0;

    BIO_clear_retry_flags(bio);
    if (waiting.len == 0 && !pipe->eof) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (len > waiting.len) {
        len = waiting.len;
    }
    if (len > 0) {
        memcpy(to, waiting.ptr, len);
    }
    qm_buf_consume(&pipe->in, len);
    return (int)len;
}

/* All or nothing; a failure is fatal to the connection and kept in `out`. */
static int write_out(BIO *bio, const char *from, int len)
{
    struct qm_tls_pipe *pipe = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (len < 0 ||
        qm_buf_append(&pipe->out, qm_span_make(from, (size_t)len)) != QM_OK) {
        return -1;
    }
    return len;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    struct qm_tls_pipe *pipe = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return pipe->eof && qm_buf_len(&pipe->in) == 0;
    case BIO_CTRL_PENDING:
        return (long)qm_buf_len(&pipe->in);
    case BIO_CTRL_WPENDING:
        return (long)qm_buf_len(&pipe->out);
    default:
        return 0;
    }
}

BIO_METHOD *qm_tls_bio_method(void)
{
    /* No BIO_get_new_index(): a process has only 127 of them. */
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "qqmail queues");

    if (method == NULL) {
        return NULL;
    }
    if (!BIO_meth_set_read(method, read_in) ||
        !BIO_meth_set_write(method, write_out) ||
        !BIO_meth_set_ctrl(method, control)) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

BIO *qm_tls_bio_new(const BIO_METHOD *method, struct qm_tls_pipe *pipe)
{
    BIO *bio = BIO_new(method);

    if (bio != NULL) {
        BIO_set_data(bio, pipe);
        BIO_set_init(bio, 1);
    }
    return bio;
}
