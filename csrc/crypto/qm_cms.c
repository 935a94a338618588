#include "crypto/qm_cms.h"

#include <limits.h>
#include <openssl/cms.h>
#include <openssl/err.h>

void qm_cms_init(struct qm_cms *cms)
{
    memset(cms, 0, sizeof(*cms));
}

void qm_cms_deinit(struct qm_cms *cms)
{
    BIO_free_all(cms->bio);
    CMS_ContentInfo_free(cms->info);
    qm_cms_init(cms);
}

/* The library's queue of errors belongs to the whole process. */
static enum qm_err ending(struct qm_cms *cms, bool worked)
{
    ERR_clear_error();
    if (worked) {
        return QM_OK;
    }
    qm_cms_deinit(cms);
    return QM_E_UNSUPPORTED;
}

static bool open_content(struct qm_cms *cms)
{
    cms->bio = CMS_dataInit(cms->info, NULL);
    return cms->bio != NULL;
}

/* --- signatures ----------------------------------------------------------- */

/*
 * What its signer can read (RFC 8551 section 2.5.2), the best first. The
 * library's own list names ciphers that nobody should use.
 */
static bool add_capabilities(CMS_SignerInfo *signer)
{
    STACK_OF(X509_ALGOR) *list = NULL;
    bool worked;

    worked = CMS_add_simple_smimecap(&list, NID_aes_256_cbc, -1) == 1 &&
             CMS_add_simple_smimecap(&list, NID_aes_128_cbc, -1) == 1 &&
             CMS_add_smimecap(signer, list) == 1;
    sk_X509_ALGOR_pop_free(list, X509_ALGOR_free);
    return worked;
}

/* A root may stand in the chain as well: twice the same is an error there. */
static bool add_chain(CMS_ContentInfo *info, const struct qm_cert *cert)
{
    size_t i;
    size_t k;

    for (i = 0; i < cert->chain_len; i++) {
        bool known = X509_cmp(cert->chain[i], cert->leaf) == 0;

        for (k = 0; k < i && !known; k++) {
            known = X509_cmp(cert->chain[i], cert->chain[k]) == 0;
        }
        if (!known && CMS_add1_cert(info, cert->chain[i]) != 1) {
            return false;
        }
    }
    return true;
}

enum qm_err qm_cms_sign(struct qm_cms *cms, const struct qm_cert *cert,
                        void *key, bool detached)
{
    unsigned int flags = CMS_PARTIAL | CMS_BINARY | CMS_NOSMIMECAP |
                         (detached ? CMS_DETACHED : 0);
    CMS_SignerInfo *signer = NULL;
    bool worked;

    qm_cms_deinit(cms);
    ERR_clear_error();
    cms->holds = !detached;
    cms->info = CMS_sign(NULL, NULL, NULL, NULL, flags);
    if (cms->info != NULL) {
        signer =
            CMS_add1_signer(cms->info, cert->leaf, key, EVP_sha256(), flags);
    }
    worked = signer != NULL && add_capabilities(signer) &&
             add_chain(cms->info, cert) && open_content(cms);
    return ending(cms, worked);
}

/* --- envelopes ------------------------------------------------------------ */

/*
 * For keys of elliptic curves the library would take SHA-1 where RFC 8551
 * section 2.3 wants SHA-256 (dhSinglePass-stdDH-sha256kdf-scheme).
 */
static bool add_recipient(CMS_ContentInfo *info, const struct qm_cert *cert)
{
    bool is_ec = qm_cert_is_ec(cert);
    CMS_RecipientInfo *recipient =
        CMS_add1_recipient_cert(info, cert->leaf, is_ec ? CMS_KEY_PARAM : 0);

    if (recipient == NULL || !is_ec) {
        return recipient != NULL;
    }
    return EVP_PKEY_CTX_ctrl_str(CMS_RecipientInfo_get0_pkey_ctx(recipient),
                                 "ecdh_kdf_md", "sha256") > 0;
}

enum qm_err qm_cms_encrypt(struct qm_cms *cms, const struct qm_cert *certs,
                           size_t count)
{
    bool worked;
    size_t i;

    qm_cms_deinit(cms);
    ERR_clear_error();
    cms->holds = true;
    cms->info =
        CMS_encrypt(NULL, NULL, EVP_aes_256_cbc(), CMS_PARTIAL | CMS_BINARY);
    worked = cms->info != NULL && count > 0;
    for (i = 0; i < count && worked; i++) {
        worked = add_recipient(cms->info, &certs[i]);
    }
    return ending(cms, worked && open_content(cms));
}

/* --- content -------------------------------------------------------------- */

enum qm_err qm_cms_update(struct qm_cms *cms, struct qm_span bytes)
{
    bool worked = true;

    if (cms->bio == NULL) {
        return QM_E_MISUSE;
    }
    if (cms->holds && bytes.len > QM_CMS_HELD_MAX - cms->taken) {
        qm_cms_deinit(cms);
        return QM_E_LIMIT;
    }
    cms->taken += cms->holds ? bytes.len : 0;
    ERR_clear_error();
    while (bytes.len > 0 && worked) {
        size_t len = bytes.len < INT_MAX ? bytes.len : INT_MAX;

        worked = BIO_write(cms->bio, bytes.ptr, (int)len) == (int)len;
        bytes = qm_span_from(bytes, len);
    }
    return ending(cms, worked);
}

static enum qm_err append_der(CMS_ContentInfo *info, struct qm_buf *out)
{
    int len = i2d_CMS_ContentInfo(info, NULL);
    unsigned char *at;

    if (len <= 0) {
        return QM_E_UNSUPPORTED;
    }
    at = (unsigned char *)qm_buf_reserve(out, (size_t)len);
    if (at == NULL) {
        return out->err;
    }
    if (i2d_CMS_ContentInfo(info, &at) != len) {
        return QM_E_UNSUPPORTED;
    }
    qm_buf_commit(out, (size_t)len);
    return QM_OK;
}

enum qm_err qm_cms_finish(struct qm_cms *cms, struct qm_buf *out)
{
    enum qm_err err = QM_E_UNSUPPORTED;

    if (cms->bio == NULL) {
        return QM_E_MISUSE;
    }
    ERR_clear_error();
    if (BIO_flush(cms->bio) > 0 && CMS_dataFinal(cms->info, cms->bio) == 1) {
        err = append_der(cms->info, out);
    }
    ERR_clear_error();
    qm_cms_deinit(cms);
    return err;
}
