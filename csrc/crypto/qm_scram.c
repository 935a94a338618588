#include "crypto/qm_scram.h"

#include "base/qm_mem.h"
#include "base/qm_utf8.h"
#include "codec/qm_base64.h"

static const char *const fault_texts[] = {
#define QM_SCRAM_TEXT(fault, text) text,
    QM_SCRAM_FAULT_LIST(QM_SCRAM_TEXT)
#undef QM_SCRAM_TEXT
};

const char *qm_scram_fault_text(enum qm_scram_fault fault)
{
    return fault_texts[fault];
}

static enum qm_err blame(struct qm_scram *scram, enum qm_scram_fault fault)
{
    scram->fault = fault;
    return QM_E_SYNTAX;
}

/* --- settings ------------------------------------------------------------- */

/* What SASLprep refuses of ASCII, and what is no UTF-8. */
static enum qm_err check_text(struct qm_span text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c < 0x20 || c == 0x7f) {
            return QM_E_CONTROL;
        }
    }
    return qm_utf8_is_valid(text) ? QM_OK : QM_E_UTF8;
}

/* RFC 5802 section 7: printable = %x21-2B / %x2D-7E */
static bool is_nonce(struct qm_span text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x21 || text.ptr[i] > 0x7e || text.ptr[i] == ',') {
            return false;
        }
    }
    return text.len > 0;
}

static enum qm_err check_settings(const struct qm_scram_settings *settings)
{
    enum qm_err err = check_text(settings->user);

    if (err == QM_OK) {
        err = check_text(settings->password);
    }
    if (err == QM_OK && !is_nonce(settings->nonce)) {
        err = settings->nonce.len == 0 ? QM_E_EMPTY : QM_E_SYNTAX;
    }
    return err;
}

/* RFC 5802 section 5.1: "," and "=" of a name travel as =2C and =3D. */
static void append_name(struct qm_buf *out, struct qm_span name)
{
    size_t i;

    for (i = 0; i < name.len; i++) {
        if (name.ptr[i] == ',') {
            (void)qm_buf_append_text(out, "=2C");
        } else if (name.ptr[i] == '=') {
            (void)qm_buf_append_text(out, "=3D");
        } else {
            (void)qm_buf_append_char(out, name.ptr[i]);
        }
    }
}

static void write_header(struct qm_scram *scram,
                         const struct qm_scram_settings *settings)
{
    struct qm_buf *out = &scram->bound;

    if (settings->binding_name.len > 0) {
        (void)qm_buf_append_text(out, "p=");
        (void)qm_buf_append(out, settings->binding_name);
        (void)qm_buf_append_text(out, ",,");
    } else {
        (void)qm_buf_append_text(out, settings->may_bind ? "y,," : "n,,");
    }
    scram->header_len = qm_buf_len(out);
    if (settings->binding_name.len > 0) {
        (void)qm_buf_append(out, settings->binding);
    }
}

enum qm_err qm_scram_init(struct qm_scram *scram,
                          const struct qm_scram_settings *settings)
{
    struct qm_buf *auth = &scram->auth;
    enum qm_err err = check_settings(settings);

    memset(scram, 0, sizeof(*scram));
    scram->digest = settings->digest;
    qm_buf_init(&scram->password, QM_SCRAM_SECRET_MAX, true);
    qm_buf_init(&scram->bound, QM_SCRAM_MESSAGE_MAX, false);
    qm_buf_init(auth, (size_t)3 * QM_SCRAM_MESSAGE_MAX, false);
    if (err != QM_OK) {
        return err;
    }
    (void)qm_buf_append(&scram->password, settings->password);
    write_header(scram, settings);
    (void)qm_buf_append_text(auth, "n=");
    append_name(auth, settings->user);
    (void)qm_buf_append_text(auth, ",r=");
    scram->nonce_at = qm_buf_len(auth);
    scram->nonce_len = settings->nonce.len;
    (void)qm_buf_append(auth, settings->nonce);
    err = scram->password.err != QM_OK ? scram->password.err : auth->err;
    return err != QM_OK ? err : scram->bound.err;
}

void qm_scram_deinit(struct qm_scram *scram)
{
    qm_buf_deinit(&scram->password);
    qm_buf_deinit(&scram->bound);
    qm_buf_deinit(&scram->auth);
    qm_mem_wipe(scram, sizeof(*scram));
}

/* --- messages ------------------------------------------------------------- */

enum qm_err qm_scram_first(struct qm_scram *scram, struct qm_buf *out)
{
    struct qm_span header = qm_buf_span(&scram->bound);

    if (scram->step != 0) {
        return QM_E_MISUSE;
    }
    scram->step = 1;
    header.len = scram->header_len;
    (void)qm_buf_append(out, header);
    (void)qm_buf_append(out, qm_buf_span(&scram->auth));
    return out->err;
}

/* Takes "<letter>=value" off the front of `rest`, with the comma behind it. */
static bool take_field(struct qm_span *rest, char letter,
                       struct qm_span *value_out)
{
    const char *comma;
    size_t len;

    if (rest->len < 2 || rest->ptr[0] != letter || rest->ptr[1] != '=') {
        return false;
    }
    comma = memchr(rest->ptr, ',', rest->len);
    len = comma != NULL ? (size_t)(comma - rest->ptr) : rest->len;
    *value_out = qm_span_make(rest->ptr + 2, len - 2);
    *rest = qm_span_from(*rest, len + 1);
    return true;
}

struct offer {
    struct qm_span nonce;
    char salt[QM_SCRAM_MESSAGE_MAX];
    size_t salt_len;
    uint32_t rounds;
};

static bool read_rounds(struct qm_span digits, uint32_t *rounds_out)
{
    uint32_t rounds = 0;
    size_t i;

    for (i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9') {
            return false;
        }
        rounds = rounds * 10 + (uint32_t)(digits.ptr[i] - '0');
        if (rounds > QM_SCRAM_ROUNDS_MAX) {
            return false;
        }
    }
    *rounds_out = rounds;
    return rounds > 0;
}

static bool continues(const struct qm_scram *scram, struct qm_span nonce)
{
    const char *ours = qm_buf_span(&scram->auth).ptr + scram->nonce_at;

    return nonce.len > scram->nonce_len &&
           memcmp(nonce.ptr, ours, scram->nonce_len) == 0 && is_nonce(nonce);
}

/* RFC 5802 section 7: server-first-message; extensions behind are ignored. */
static enum qm_err read_offer(struct qm_scram *scram, struct qm_span challenge,
                              struct offer *offer)
{
    struct qm_span rest = challenge;
    struct qm_span value;

    if (challenge.len > QM_SCRAM_MESSAGE_MAX) {
        return blame(scram, QM_SCRAM_FORM);
    }
    if (take_field(&rest, 'm', &value)) {
        return blame(scram, QM_SCRAM_EXTENSION);
    }
    if (take_field(&rest, 'e', &value)) {
        return blame(scram, QM_SCRAM_REFUSED);
    }
    if (!take_field(&rest, 'r', &offer->nonce)) {
        return blame(scram, QM_SCRAM_FORM);
    }
    if (!continues(scram, offer->nonce)) {
        return blame(scram, QM_SCRAM_NONCE);
    }
    if (!take_field(&rest, 's', &value) || value.len == 0 ||
        qm_base64_decode(value, offer->salt, &offer->salt_len) != QM_OK) {
        return blame(scram, QM_SCRAM_SALT);
    }
    if (!take_field(&rest, 'i', &value) ||
        !read_rounds(value, &offer->rounds)) {
        return blame(scram, QM_SCRAM_ROUNDS);
    }
    return QM_OK;
}

static void append_base64(struct qm_buf *out, struct qm_span bytes)
{
    struct qm_base64 state;
    size_t size = (size_t)qm_base64_size(bytes.len, false) + 8;
    char *room = qm_buf_reserve(out, size);
    size_t used;
    size_t written;

    if (room == NULL) {
        return;
    }
    qm_base64_init(&state, false);
    qm_base64_update(&state, bytes, room, size, &used, &written);
    written += qm_base64_finish(&state, room + written);
    qm_buf_commit(out, written);
    qm_mem_wipe(&state, sizeof(state));
}

/* Completes the AuthMessage; client-final-without-proof goes to `out` too. */
static enum qm_err write_final(struct qm_scram *scram, struct qm_span challenge,
                               struct qm_span nonce, struct qm_buf *out)
{
    size_t start = qm_buf_len(out);

    (void)qm_buf_append_text(out, "c=");
    append_base64(out, qm_buf_span(&scram->bound));
    (void)qm_buf_append_text(out, ",r=");
    (void)qm_buf_append(out, nonce);
    (void)qm_buf_append_char(&scram->auth, ',');
    (void)qm_buf_append(&scram->auth, challenge);
    (void)qm_buf_append_char(&scram->auth, ',');
    (void)qm_buf_append(&scram->auth, qm_span_from(qm_buf_span(out), start));
    return out->err != QM_OK ? out->err : scram->auth.err;
}

/* The keys of RFC 5802 section 3. */
struct keys {
    unsigned char salted[QM_DIGEST_SIZE_MAX];
    unsigned char client[QM_DIGEST_SIZE_MAX];
    unsigned char stored[QM_DIGEST_SIZE_MAX];
    unsigned char server[QM_DIGEST_SIZE_MAX];
    unsigned char proof[QM_DIGEST_SIZE_MAX];
};

static struct qm_span key_span(const struct qm_scram *scram,
                               const unsigned char *key)
{
    return qm_span_make((const char *)key, qm_digest_size(scram->digest));
}

static enum qm_err derive(const struct qm_scram *scram,
                          const struct offer *offer, struct qm_salted *known,
                          struct keys *keys)
{
    struct qm_span salted = key_span(scram, keys->salted);
    struct qm_salted_need need;
    enum qm_err err;

    need.digest = scram->digest;
    need.password = qm_buf_span(&scram->password);
    need.salt = qm_span_make(offer->salt, offer->salt_len);
    need.rounds = offer->rounds;
    err = qm_salted_get(known, &need, keys->salted);
    if (err == QM_OK) {
        err = qm_digest_hmac(scram->digest, salted, qm_span_of("Client Key"),
                             keys->client);
    }
    if (err == QM_OK) {
        err = qm_digest_hmac(scram->digest, salted, qm_span_of("Server Key"),
                             keys->server);
    }
    if (err == QM_OK) {
        err = qm_digest_of(scram->digest, key_span(scram, keys->client),
                           keys->stored);
    }
    return err;
}

static enum qm_err sign(struct qm_scram *scram, struct keys *keys)
{
    struct qm_span auth = qm_buf_span(&scram->auth);
    enum qm_err err = qm_digest_hmac(
        scram->digest, key_span(scram, keys->stored), auth, keys->proof);
    size_t i;

    for (i = 0; i < qm_digest_size(scram->digest); i++) {
        keys->proof[i] ^= keys->client[i];
    }
    if (err == QM_OK) {
        err = qm_digest_hmac(scram->digest, key_span(scram, keys->server), auth,
                             scram->server_signature);
    }
    return err;
}

static enum qm_err prove(struct qm_scram *scram, const struct offer *offer,
                         struct qm_salted *known, struct qm_buf *out)
{
    struct keys keys;
    enum qm_err err = derive(scram, offer, known, &keys);

    if (err == QM_OK) {
        err = sign(scram, &keys);
    }
    if (err == QM_OK) {
        (void)qm_buf_append_text(out, ",p=");
        append_base64(out, key_span(scram, keys.proof));
        err = out->err;
    }
    qm_mem_wipe(&keys, sizeof(keys));
    return err;
}

enum qm_err qm_scram_final(struct qm_scram *scram, struct qm_span challenge,
                           struct qm_salted *salted, struct qm_buf *out)
{
    struct offer offer;
    enum qm_err err;

    if (scram->step != 1) {
        return QM_E_MISUSE;
    }
    scram->step = 2;
    err = read_offer(scram, challenge, &offer);
    if (err == QM_OK) {
        err = write_final(scram, challenge, offer.nonce, out);
    }
    if (err == QM_OK) {
        err = prove(scram, &offer, salted, out);
    }
    qm_buf_deinit(&scram->password);
    if (err != QM_OK) {
        scram->step = 4; /* nothing more comes of it */
    }
    return err;
}

enum qm_err qm_scram_verify(struct qm_scram *scram, struct qm_span challenge)
{
    size_t size = qm_digest_size(scram->digest);
    unsigned char given[QM_DIGEST_SIZE_MAX + 4];
    struct qm_span rest = challenge;
    struct qm_span value;
    size_t len = 0;

    if (scram->step != 2) {
        return QM_E_MISUSE;
    }
    scram->step = 3;
    if (take_field(&rest, 'e', &value)) {
        return blame(scram, QM_SCRAM_REFUSED);
    }
    if (!take_field(&rest, 'v', &value)) {
        return blame(scram, QM_SCRAM_FORM);
    }
    if (value.len != qm_base64_size(size, false) ||
        qm_base64_decode(value, (char *)given, &len) != QM_OK || len != size ||
        !qm_digest_equal(given, scram->server_signature, size)) {
        return blame(scram, QM_SCRAM_PROOF);
    }
    return QM_OK;
}
