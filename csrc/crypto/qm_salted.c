#include "crypto/qm_salted.h"

#include "base/qm_mem.h"

static bool knows(const struct qm_salted *salted,
                  const struct qm_salted_need *need)
{
    struct qm_span known = qm_buf_span(&salted->made_of);

    if (known.len != need->password.len + need->salt.len ||
        salted->password_len != need->password.len ||
        salted->digest != need->digest || salted->rounds != need->rounds) {
        return false;
    }
    return qm_span_equal(qm_span_make(known.ptr, need->password.len),
                         need->password) &&
           qm_span_equal(qm_span_from(known, need->password.len), need->salt);
}

static void remember(struct qm_salted *salted,
                     const struct qm_salted_need *need,
                     const unsigned char *value)
{
    struct qm_buf *made_of = &salted->made_of;

    qm_salted_forget(salted);
    qm_buf_init(made_of, need->password.len + need->salt.len, true);
    (void)qm_buf_append(made_of, need->password);
    (void)qm_buf_append(made_of, need->salt);
    if (made_of->err != QM_OK) {
        qm_salted_forget(salted);
        return;
    }
    salted->password_len = need->password.len;
    salted->digest = need->digest;
    salted->rounds = need->rounds;
    memcpy(salted->value, value, qm_digest_size(need->digest));
}

enum qm_err qm_salted_get(struct qm_salted *salted,
                          const struct qm_salted_need *need, unsigned char *out)
{
    enum qm_err err;

    if (salted != NULL && knows(salted, need)) {
        memcpy(out, salted->value, qm_digest_size(need->digest));
        return QM_OK;
    }
    err = qm_digest_pbkdf2(need->digest, need->password, need->salt,
                           need->rounds, out);
    if (err == QM_OK && salted != NULL) {
        remember(salted, need, out);
    }
    return err;
}

void qm_salted_forget(struct qm_salted *salted)
{
    qm_buf_deinit(&salted->made_of);
    qm_mem_wipe(salted, sizeof(*salted));
}
