#include "smtp/qm_sasl.h"

#include "base/qm_ascii.h"
#include "base/qm_mem.h"
#include "codec/qm_base64.h"

struct mechanism {
    const char *name;
    enum qm_sasl_need needs;
    enum qm_sasl_maker maker;
};

static const struct mechanism mechanisms[] = {
#define QM_SASL_ENTRY(symbol, name, needs, maker)                              \
    { name, QM_SASL_##needs, QM_SASL_##maker },
    QM_SASL_LIST(QM_SASL_ENTRY)
#undef QM_SASL_ENTRY
};

const char *qm_sasl_name(enum qm_sasl_mechanism mechanism)
{
    return mechanism < QM_SASL_COUNT ? mechanisms[mechanism].name : "none";
}

unsigned qm_sasl_bit_of(struct qm_span name)
{
    unsigned i;

    for (i = 0; i < QM_SASL_COUNT; i++) {
        if (qm_ascii_equal_nocase(name, qm_span_of(mechanisms[i].name))) {
            return 1u << i;
        }
    }
    return 0;
}

enum qm_sasl_maker qm_sasl_maker(enum qm_sasl_mechanism mechanism)
{
    return mechanism < QM_SASL_COUNT ? mechanisms[mechanism].maker
                                     : QM_SASL_HERE;
}

unsigned qm_sasl_made_by(enum qm_sasl_maker maker)
{
    unsigned bits = 0;
    unsigned i;

    for (i = 0; i < QM_SASL_COUNT; i++) {
        bits |= mechanisms[i].maker == maker ? 1u << i : 0;
    }
    return bits;
}

static enum qm_sasl_need needs_of(const struct qm_sasl_login *login)
{
    if (login->certificate) {
        return QM_SASL_CERTIFICATE;
    }
    return login->token.len > 0 ? QM_SASL_TOKEN : QM_SASL_PASSWORD;
}

static enum qm_sasl_mechanism first_of(unsigned bits, enum qm_sasl_need need)
{
    unsigned i;

    for (i = 0; i < QM_SASL_COUNT; i++) {
        if ((bits & (1u << i)) != 0 && mechanisms[i].needs == need) {
            return (enum qm_sasl_mechanism)i;
        }
    }
    return QM_SASL_NONE;
}

enum qm_sasl_mechanism qm_sasl_choose(unsigned offered, unsigned allowed,
                                      const struct qm_sasl_login *login,
                                      bool secure)
{
    enum qm_sasl_need need = needs_of(login);
    unsigned both = offered & allowed;
    enum qm_sasl_mechanism found = QM_SASL_NONE;

    if (!secure) {
        found = first_of(both & ~qm_sasl_made_by(QM_SASL_HERE), need);
    }
    return found != QM_SASL_NONE ? found : first_of(both, need);
}

/* RFC 4616: [authzid] NUL authcid NUL passwd. */
static void write_plain(struct qm_buf *out, const struct qm_sasl_login *login)
{
    (void)qm_buf_append_char(out, '\0');
    (void)qm_buf_append(out, login->user);
    (void)qm_buf_append_char(out, '\0');
    (void)qm_buf_append(out, login->password);
}

static void write_xoauth2(struct qm_buf *out, const struct qm_sasl_login *login)
{
    (void)qm_buf_append_text(out, "user=");
    (void)qm_buf_append(out, login->user);
    (void)qm_buf_append_text(out, "\1auth=Bearer ");
    (void)qm_buf_append(out, login->token);
    (void)qm_buf_append_text(out, "\1\1");
}

/* RFC 7628 section 3.1, with the name as in RFC 5801 section 4. */
static void write_oauthbearer(struct qm_buf *out,
                              const struct qm_sasl_login *login)
{
    size_t i;

    (void)qm_buf_append_text(out, "n,a=");
    for (i = 0; i < login->user.len; i++) {
        if (login->user.ptr[i] == ',') {
            (void)qm_buf_append_text(out, "=2C");
        } else if (login->user.ptr[i] == '=') {
            (void)qm_buf_append_text(out, "=3D");
        } else {
            (void)qm_buf_append_char(out, login->user.ptr[i]);
        }
    }
    (void)qm_buf_append_char(out, ',');
    if (login->host.len > 0) {
        (void)qm_buf_append_text(out, "\1host=");
        (void)qm_buf_append(out, login->host);
    }
    if (login->port > 0) {
        (void)qm_buf_append_text(out, "\1port=");
        (void)qm_buf_append_u64(out, login->port);
    }
    (void)qm_buf_append_text(out, "\1auth=Bearer ");
    (void)qm_buf_append(out, login->token);
    (void)qm_buf_append_text(out, "\1\1");
}

/* Writes message `step` in clear; false when the exchange has no such step. */
static bool write_message(enum qm_sasl_mechanism mechanism, unsigned step,
                          const struct qm_sasl_login *login,
                          struct qm_buf *message)
{
    switch (mechanism) {
    case QM_SASL_PLAIN:
        write_plain(message, login);
        return step == 0;
    case QM_SASL_LOGIN:
        (void)qm_buf_append(message, step == 1 ? login->user : login->password);
        return step <= 2;
    case QM_SASL_XOAUTH2:
        if (step == 0) {
            write_xoauth2(message, login);
        }
        return step <= 1; /* the answer to an error challenge is empty */
    case QM_SASL_OAUTHBEARER:
        if (step == 0) {
            write_oauthbearer(message, login);
        } else {
            (void)qm_buf_append_char(message, '\1'); /* RFC 7628, 3.2.3 */
        }
        return step <= 1;
    case QM_SASL_EXTERNAL:
        (void)qm_buf_append(message, login->user); /* RFC 4422 appendix A */
        return step == 0;
    case QM_SASL_SCRAM_SHA_256_PLUS:
    case QM_SASL_SCRAM_SHA_1_PLUS:
    case QM_SASL_SCRAM_SHA_256:
    case QM_SASL_SCRAM_SHA_1:
    case QM_SASL_CRAM_MD5:
    case QM_SASL_COUNT:
        break;
    }
    return false;
}

enum qm_err qm_sasl_respond(enum qm_sasl_mechanism mechanism, unsigned step,
                            const struct qm_sasl_login *login,
                            struct qm_buf *out, bool *has_response_out)
{
    struct qm_buf message;
    enum qm_err err;

    *has_response_out = !(mechanism == QM_SASL_LOGIN && step == 0);
    if (!*has_response_out) {
        return QM_OK;
    }
    qm_buf_init(&message, QM_SASL_SECRET_MAX, true);
    if (!write_message(mechanism, step, login, &message)) {
        err = QM_E_SYNTAX;
    } else if (message.err != QM_OK) {
        err = message.err;
    } else {
        err = qm_base64_append(out, qm_buf_span(&message));
    }
    qm_buf_deinit(&message);
    return err;
}
