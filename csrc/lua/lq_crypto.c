/*
 * lq_crypto.c: the module qqmail.crypto: what logins and signatures need of
 * OpenSSL, for Lua.
 *
 * Loaded by the first of them that needs it, never by anything else. What
 * cannot be done is nil, a stable name and an English text.
 */
#include "base/qm_mem.h"
#include "base/qm_version.h"
#include "crypto/qm_cram.h"
#include "crypto/qm_scram.h"
#include "lua/lq_cms.h"
#include "lua/lq_dkim.h"
#include "lua/lq_util.h"

#define SCRAM_CLASS  "qqmail.scram"
#define SALTED_CLASS "qqmail.salted"

QM_EXPORT int luaopen_qqmail_crypto(lua_State *L);

static enum qm_digest read_digest(lua_State *L, struct qm_span name)
{
    static const struct {
        const char *name;
        enum qm_digest digest;
    } digests[] = { { "MD5", QM_DIGEST_MD5 },
                    { "SHA-1", QM_DIGEST_SHA1 },
                    { "SHA-256", QM_DIGEST_SHA256 },
                    { "SHA-512", QM_DIGEST_SHA512 } };
    size_t i;

    for (i = 0; i < QM_COUNTOF(digests); i++) {
        if (qm_span_equal(name, qm_span_of(digests[i].name))) {
            return digests[i].digest;
        }
    }
    luaL_error(L, "unknown digest");
    return QM_DIGEST_SHA1;
}

static int push_value(lua_State *L, enum qm_digest digest,
                      unsigned char value[QM_DIGEST_SIZE_MAX], enum qm_err err)
{
    if (err == QM_OK) {
        lua_pushlstring(L, (const char *)value, qm_digest_size(digest));
    }
    qm_mem_wipe(value, QM_DIGEST_SIZE_MAX);
    return err == QM_OK ? 1 : lq_push_error(L, err);
}

/* crypto.digest(name, bytes) -> value, not in hexadecimal; as those below */
static int l_crypto_digest(lua_State *L)
{
    unsigned char value[QM_DIGEST_SIZE_MAX];
    enum qm_digest digest = read_digest(L, lq_check_span(L, 1));
    struct qm_span bytes = lq_check_span(L, 2);

    return push_value(L, digest, value, qm_digest_of(digest, bytes, value));
}

/* crypto.hmac(name, key, bytes) */
static int l_crypto_hmac(lua_State *L)
{
    unsigned char value[QM_DIGEST_SIZE_MAX];
    enum qm_digest digest = read_digest(L, lq_check_span(L, 1));
    struct qm_span key = lq_check_span(L, 2);
    struct qm_span bytes = lq_check_span(L, 3);

    return push_value(L, digest, value,
                      qm_digest_hmac(digest, key, bytes, value));
}

/* crypto.pbkdf2(name, password, salt, rounds) */
static int l_crypto_pbkdf2(lua_State *L)
{
    unsigned char value[QM_DIGEST_SIZE_MAX];
    enum qm_digest digest = read_digest(L, lq_check_span(L, 1));
    struct qm_span password = lq_check_span(L, 2);
    struct qm_span salt = lq_check_span(L, 3);
    int64_t rounds = lq_check_integer(L, 4, 1, QM_SCRAM_ROUNDS_MAX);

    return push_value(
        L, digest, value,
        qm_digest_pbkdf2(digest, password, salt, (uint32_t)rounds, value));
}

/* crypto.cram_md5(user, password, challenge) -> answer */
static int l_crypto_cram_md5(lua_State *L)
{
    struct qm_span user = lq_check_span(L, 1);
    struct qm_span password = lq_check_span(L, 2);
    struct qm_span challenge = lq_check_span(L, 3);
    struct qm_buf made;
    enum qm_err err;

    qm_buf_init(&made, QM_SCRAM_MESSAGE_MAX, true);
    err = qm_cram_answer(user, password, challenge, &made);
    return lq_push_made(L, &made, err);
}

/* --- SCRAM ---------------------------------------------------------------- */

static struct qm_scram *check_scram(lua_State *L)
{
    return luaL_checkudata(L, 1, SCRAM_CLASS);
}

/*
 * crypto.scram{ digest=, user=, password=, nonce=, binding_name=, binding=,
 * may_bind= } -> exchange; see qm_scram.h.
 */
static int l_crypto_scram(lua_State *L)
{
    struct qm_scram_settings settings;
    struct qm_scram *scram;
    enum qm_err err;

    luaL_checktype(L, 1, LUA_TTABLE);
    memset(&settings, 0, sizeof(settings));
    settings.digest = read_digest(L, lq_field_span(L, 1, "digest", ""));
    settings.user = lq_field_span(L, 1, "user", "");
    settings.password = lq_field_span(L, 1, "password", "");
    settings.nonce = lq_field_span(L, 1, "nonce", "");
    settings.binding_name = lq_field_span(L, 1, "binding_name", "");
    settings.binding = lq_field_span(L, 1, "binding", "");
    settings.may_bind = lq_field_bool(L, 1, "may_bind", false);
    scram = lq_new_object(L, sizeof(*scram), SCRAM_CLASS);
    err = qm_scram_init(scram, &settings);
    return err == QM_OK ? 1 : lq_push_error(L, err);
}

static int push_fault(lua_State *L, const struct qm_scram *scram,
                      enum qm_err err)
{
    if (scram->fault == QM_SCRAM_NONE) {
        return lq_push_error(L, err);
    }
    return lq_push_error_text(L, err, qm_scram_fault_text(scram->fault));
}

/* exchange:first() -> the client's first message */
static int l_scram_first(lua_State *L)
{
    struct qm_scram *scram = check_scram(L);
    struct qm_buf made;
    enum qm_err err;

    qm_buf_init(&made, QM_SCRAM_MESSAGE_MAX, true);
    err = qm_scram_first(scram, &made);
    return lq_push_made(L, &made, err);
}

/*
 * exchange:final(challenge [, salted]) -> the answer to the server's first
 * message
 */
static int l_scram_final(lua_State *L)
{
    struct qm_scram *scram = check_scram(L);
    struct qm_span challenge = lq_check_span(L, 2);
    struct qm_salted *salted =
        lua_isnoneornil(L, 3) ? NULL : luaL_checkudata(L, 3, SALTED_CLASS);
    struct qm_buf made;
    enum qm_err err;

    qm_buf_init(&made, (size_t)3 * QM_SCRAM_MESSAGE_MAX, true);
    err = qm_scram_final(scram, challenge, salted, &made);
    if (err != QM_OK) {
        qm_buf_deinit(&made);
        return push_fault(L, scram, err);
    }
    return lq_push_made(L, &made, err);
}

/* exchange:verify(challenge) -> true: the server knows the password too */
static int l_scram_verify(lua_State *L)
{
    struct qm_scram *scram = check_scram(L);
    enum qm_err err = qm_scram_verify(scram, lq_check_span(L, 2));

    if (err != QM_OK) {
        return push_fault(L, scram, err);
    }
    lua_pushboolean(L, true);
    return 1;
}

static int l_scram_close(lua_State *L)
{
    qm_scram_deinit(check_scram(L));
    return 0;
}

/* crypto.salted() -> a memory for exchange:final(); see qm_salted.h */
static int l_crypto_salted(lua_State *L)
{
    (void)lq_new_object(L, sizeof(struct qm_salted), SALTED_CLASS);
    return 1;
}

static int l_salted_forget(lua_State *L)
{
    qm_salted_forget(luaL_checkudata(L, 1, SALTED_CLASS));
    return 0;
}

/* --- module --------------------------------------------------------------- */

static const luaL_Reg scram_methods[] = {
    { "first", l_scram_first },
    { "final", l_scram_final },
    { "verify", l_scram_verify },
    { "close", l_scram_close },
    { NULL, NULL },
};

static const luaL_Reg salted_methods[] = {
    { "forget", l_salted_forget },
    { NULL, NULL },
};

static const luaL_Reg module_functions[] = {
    { "digest", l_crypto_digest },
    { "hmac", l_crypto_hmac },
    { "pbkdf2", l_crypto_pbkdf2 },
    { "cram_md5", l_crypto_cram_md5 },
    { "scram", l_crypto_scram },
    { "salted", l_crypto_salted },
    { NULL, NULL },
};

int luaopen_qqmail_crypto(lua_State *L)
{
    lq_class(L, SCRAM_CLASS, scram_methods, NULL, l_scram_close);
    lq_class(L, SALTED_CLASS, salted_methods, NULL, l_salted_forget);
    lua_newtable(L);
    lua_pushliteral(L, QM_VERSION);
    lua_setfield(L, -2, "_VERSION");
    lq_setfuncs(L, module_functions);
    lq_cms_open(L);
    lq_dkim_open(L);
    return 1;
}
