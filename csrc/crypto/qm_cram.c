#include "crypto/qm_cram.h"

#include "base/qm_mem.h"
#include "crypto/qm_digest.h"

static void append_hex(struct qm_buf *out, const unsigned char *bytes,
                       size_t len)
{
    static const char digits[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < len; i++) {
        (void)qm_buf_append_char(out, digits[bytes[i] >> 4]);
        (void)qm_buf_append_char(out, digits[bytes[i] & 15]);
    }
}

enum qm_err qm_cram_answer(struct qm_span user, struct qm_span password,
                           struct qm_span challenge, struct qm_buf *out)
{
    unsigned char mac[QM_DIGEST_SIZE_MAX];
    enum qm_err err;

    if (challenge.len == 0) {
        return QM_E_EMPTY;
    }
    err = qm_digest_hmac(QM_DIGEST_MD5, password, challenge, mac);
    if (err == QM_OK) {
        (void)qm_buf_append(out, user);
        (void)qm_buf_append_char(out, ' ');
        append_hex(out, mac, qm_digest_size(QM_DIGEST_MD5));
        err = out->err;
    }
    qm_mem_wipe(mac, sizeof(mac));
    return err;
}
