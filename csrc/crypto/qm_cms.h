/*
 * qm_cms.h: signatures and envelopes of S/MIME (RFC 8551, RFC 5652), by the
 * CMS of OpenSSL.
 *
 * A maker is begun for one of three kinds, takes the entity in pieces of any
 * size, and gives the CMS in DER at the end. For a detached signature only its
 * digest is held; the other kinds hold the entity, and it may not be larger
 * than QM_CMS_HELD_MAX. What is given is CMS, not base64.
 *
 * SHA-256 for signatures (RFC 8551 section 2.1). AES-256 in CBC mode for
 * envelopes (section 2.7): GCM, which the same RFC prefers, makes data of
 * another type (RFC 5083), which readers from before that RFC do not know.
 */
#ifndef QM_CMS_H
#define QM_CMS_H

#include "base/qm_buf.h"
#include "crypto/qm_cert.h"

enum {
    QM_CMS_HELD_MAX = 64 * 1024 * 1024, /* more than any server takes */
    QM_CMS_ROOM_MAX = QM_CMS_HELD_MAX + 4 * 1024 * 1024 /* with the rest */
};

struct qm_cms {
    void *info; /* CMS_ContentInfo */
    void *bio;  /* takes the content while it is open */
    bool holds; /* the content is part of the result */
    size_t taken;
};

QM_DECLS_BEGIN

/* No allocation. */
void qm_cms_init(struct qm_cms *cms);
void qm_cms_deinit(struct qm_cms *cms);

/*
 * Begins a signature with the key of `cert`, beside the content or around it;
 * the certificate and its chain are put in. All that was given may go away
 * after the call. QM_E_UNSUPPORTED when the library does not do it.
 */
enum qm_err qm_cms_sign(struct qm_cms *cms, const struct qm_cert *cert,
                        void *key, bool detached) QM_MUST_USE;

/* Begins an envelope that each of these can open, count > 0. */
enum qm_err qm_cms_encrypt(struct qm_cms *cms, const struct qm_cert *certs,
                           size_t count) QM_MUST_USE;

/* QM_E_LIMIT when it is too much to hold; QM_E_MISUSE when none was begun. */
enum qm_err qm_cms_update(struct qm_cms *cms, struct qm_span bytes) QM_MUST_USE;

/* Appends the CMS; the maker is done with. */
enum qm_err qm_cms_finish(struct qm_cms *cms, struct qm_buf *out) QM_MUST_USE;

QM_DECLS_END

#endif
