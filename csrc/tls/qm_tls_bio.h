/*
 * qm_tls_bio.h: the two byte queues of a filter as an OpenSSL BIO.
 *
 * OpenSSL's own memory BIO has no upper limit and cannot give up bytes from
 * its front without copying them; ours is a pair of qm_buf, each with its cap.
 */
#ifndef QM_TLS_BIO_H
#define QM_TLS_BIO_H

#include "base/qm_buf.h"

struct bio_st;
struct bio_method_st;

struct qm_tls_pipe {
    struct qm_buf in;  /* arrived from the network, not yet decrypted */
    struct qm_buf out; /* encrypted, not yet sent */
    bool eof;          /* nothing more will arrive */
};

QM_DECLS_BEGIN

/* NULL when memory is short; freed with BIO_meth_free() after every BIO. */
struct bio_method_st *qm_tls_bio_method(void);

/* A BIO that reads `in` and writes `out`; `pipe` must outlive it. */
struct bio_st *qm_tls_bio_new(const struct bio_method_st *method,
                              struct qm_tls_pipe *pipe);

QM_DECLS_END

#endif
