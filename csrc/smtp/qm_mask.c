#include "smtp/qm_mask.h"

enum { BORDER_SIZE = 2 /* bytes that hold a border */ };

void qm_mask_init(struct qm_mask *mask)
{
    size_t most = (size_t)QM_MASK_MAX * QM_MASK_LEN_MAX;

    memset(mask, 0, sizeof(*mask));
    qm_buf_init(&mask->secrets, most, true);
    qm_buf_init(&mask->borders, most * BORDER_SIZE, true);
}

void qm_mask_deinit(struct qm_mask *mask)
{
    qm_buf_deinit(&mask->secrets);
    qm_buf_deinit(&mask->borders);
    mask->count = 0;
}

static struct qm_span secret_at(const struct qm_mask *mask, unsigned index)
{
    size_t begin = index > 0 ? mask->ends[index - 1] : 0;
    struct qm_span all = qm_buf_span(&mask->secrets);

    return qm_span_make(all.ptr + begin, mask->ends[index] - begin);
}

/* Where the borders of a secret begin. */
static const unsigned char *borders_at(const struct qm_mask *mask,
                                       unsigned index)
{
    size_t begin = index > 0 ? mask->ends[index - 1] : 0;
    struct qm_span all = qm_buf_span(&mask->borders);

    return (const unsigned char *)all.ptr + begin * BORDER_SIZE;
}

/*
 * The longest proper prefix of the first `len` (> 0) bytes of a secret that
 * they also end with: how much of it still matches after a mismatch.
 */
static size_t border_of(const unsigned char *borders, size_t len)
{
    const unsigned char *border = borders + (len - 1) * BORDER_SIZE;

    return (size_t)border[0] << 8 | border[1];
}

/* How many bytes of the secret match when `c` follows `matched` of them. */
static size_t step(struct qm_span secret, const unsigned char *borders,
                   size_t matched, char c)
{
    while (matched > 0 && (matched == secret.len || secret.ptr[matched] != c)) {
        matched = border_of(borders, matched);
    }
    return secret.ptr[matched] == c ? matched + 1 : 0;
}

static enum qm_err append_borders(struct qm_buf *borders, struct qm_span secret)
{
    char *room = qm_buf_reserve(borders, secret.len * BORDER_SIZE);
    unsigned char *made = (unsigned char *)room;
    size_t border = 0;
    size_t i;

    if (room == NULL) {
        return borders->err;
    }
    made[0] = 0;
    made[1] = 0;
    for (i = 1; i < secret.len; i++) {
        border = step(secret, made, border, secret.ptr[i]);
        made[i * BORDER_SIZE] = (unsigned char)(border >> 8);
        made[i * BORDER_SIZE + 1] = (unsigned char)(border & 0xff);
    }
    qm_buf_commit(borders, secret.len * BORDER_SIZE);
    return QM_OK;
}

enum qm_err qm_mask_add(struct qm_mask *mask, struct qm_span secret)
{
    size_t begin = qm_buf_len(&mask->secrets);
    enum qm_err err;

    while (secret.len > 0 && secret.ptr[secret.len - 1] == '=') {
        secret.len--;
    }
    if (secret.len < QM_MASK_LEN_MIN) {
        return QM_OK;
    }
    if (mask->count == QM_MASK_MAX || secret.len > QM_MASK_LEN_MAX) {
        return QM_E_LIMIT;
    }
    err = qm_buf_append(&mask->secrets, secret);
    if (err == QM_OK) {
        err = append_borders(&mask->borders, secret);
    }
    if (err != QM_OK) {
        qm_buf_truncate(&mask->secrets, begin);
        return err;
    }
    mask->ends[mask->count++] = begin + secret.len;
    return QM_OK;
}

static void hide(char *text, size_t len, size_t begin, size_t end)
{
    while (end < len && text[end] == '=') {
        end++;
    }
    memset(text + begin, '*', end - begin);
}

static void apply_one(const struct qm_mask *mask, unsigned index, char *text,
                      size_t len)
{
    struct qm_span secret = secret_at(mask, index);
    const unsigned char *borders = borders_at(mask, index);
    size_t matched = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        matched = step(secret, borders, matched, text[i]);
        if (matched == secret.len) {
            hide(text, len, i + 1 - secret.len, i + 1);
        }
    }
}

void qm_mask_apply(const struct qm_mask *mask, char *text, size_t len)
{
    unsigned index;

    for (index = mask->count; index > 0; index--) {
        apply_one(mask, index - 1, text, len);
    }
}
