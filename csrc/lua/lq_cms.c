#include "lua/lq_cms.h"

#include <errno.h>

#include "base/qm_mem.h"
#include "crypto/qm_cert.h"
#include "crypto/qm_cms.h"
#include "lua/lq_util.h"
#include "mime/qm_source.h"

#define CERT_CLASS  "qqmail.certificate"
#define KEY_CLASS   "qqmail.private_key"
#define MAKER_CLASS "qqmail.smime"

enum { RECIPIENTS_MAX = 1000, READ_STEP = 4096, ADDRESSES_MAX = 65536 };

/* For Lua, a key whose block goes away with its userdata. */
struct lq_key {
    void *key;
};

/* --- files ---------------------------------------------------------------- */

/* Keys are read here: what Lua reads is a string, which cannot be wiped. */
static enum qm_err read_file(const char *path, struct qm_buf *out)
{
    struct qm_source source;
    struct qm_span bytes = qm_span_make(NULL, 0);
    enum qm_err err = qm_source_file(&source, path);

    if (err == QM_OK) {
        err = qm_source_open(&source);
    }
    while (err == QM_OK) {
        char *room = qm_buf_reserve(out, READ_STEP);

        if (room == NULL) {
            err = out->err;
            break;
        }
        err = qm_source_next(&source, room, READ_STEP, &bytes);
        if (err != QM_OK || bytes.len == 0) {
            break;
        }
        qm_buf_commit(out, bytes.len);
    }
    qm_source_close(&source);
    return err;
}

/* { path = } or { data = }; a file's bytes are in `out`. */
static enum qm_err take_bytes(lua_State *L, int table, struct qm_buf *out,
                              struct qm_span *bytes_out)
{
    const char *path = lq_field_text(L, table, "path");
    enum qm_err err;

    *bytes_out = lq_field_span(L, table, "data", "");
    qm_buf_init(out, QM_CERT_BYTES_MAX + READ_STEP, true);
    if (path == NULL) {
        return QM_OK;
    }
    err = read_file(path, out);
    *bytes_out = qm_buf_span(out);
    return err;
}

static int push_system(lua_State *L, enum qm_err err)
{
    char text[128];

    if (err == QM_E_SYSTEM && strerror_r(errno, text, sizeof(text)) == 0) {
        return lq_push_error_text(L, err, text);
    }
    return lq_push_error(L, err);
}

static int push_cert_fault(lua_State *L, enum qm_cert_fault fault)
{
    lua_pushnil(L);
    lua_pushstring(L, qm_cert_fault_name(fault));
    lua_pushstring(L, qm_cert_fault_text(fault));
    return 3;
}

/* --- certificates --------------------------------------------------------- */

static struct qm_cert *check_cert(lua_State *L, int arg)
{
    struct qm_cert *cert = luaL_checkudata(L, arg, CERT_CLASS);

    luaL_argcheck(L, cert->leaf != NULL, arg, "certificate is closed");
    return cert;
}

static int read_cert(lua_State *L, int table, struct qm_cert *cert,
                     bool chain_only)
{
    struct qm_buf held;
    struct qm_span bytes;
    enum qm_err err = take_bytes(L, table, &held, &bytes);
    int saved = errno;

    if (err == QM_OK) {
        err = qm_cert_read(cert, bytes, chain_only);
    }
    qm_buf_deinit(&held);
    errno = saved;
    if (err == QM_E_SYNTAX) {
        return push_cert_fault(L, QM_CERT_NONE);
    }
    return err == QM_OK ? 0 : push_system(L, err);
}

/* crypto.certificate{ path = | data = } -> it and what stands behind it */
static int l_certificate(lua_State *L)
{
    struct qm_cert *cert;
    int failed;

    luaL_checktype(L, 1, LUA_TTABLE);
    cert = lq_new_object(L, sizeof(*cert), CERT_CLASS);
    failed = read_cert(L, 1, cert, false);
    return failed > 0 ? failed : 1;
}

/* certificate:add_chain{ path = | data = } -> true */
static int l_cert_add_chain(lua_State *L)
{
    struct qm_cert *cert = check_cert(L, 1);
    int failed;

    luaL_checktype(L, 2, LUA_TTABLE);
    failed = read_cert(L, 2, cert, true);
    if (failed > 0) {
        return failed;
    }
    lua_pushboolean(L, true);
    return 1;
}

/* certificate:check("sign" | "encrypt", now) -> true */
static int l_cert_check(lua_State *L)
{
    static const char *const uses[] = { "sign", "encrypt", NULL };
    struct qm_cert *cert = check_cert(L, 1);
    int use = luaL_checkoption(L, 2, NULL, uses);
    int64_t now = lq_check_integer(L, 3, 0, INT64_C(1) << 52);
    enum qm_cert_fault fault =
        qm_cert_check(cert, use == 0 ? QM_CERT_SIGN : QM_CERT_ENCRYPT, now);

    if (fault != QM_CERT_FINE) {
        return push_cert_fault(L, fault);
    }
    lua_pushboolean(L, true);
    return 1;
}

/* certificate:addresses() -> each with a line feed */
static int l_cert_addresses(lua_State *L)
{
    struct qm_cert *cert = check_cert(L, 1);
    struct qm_buf made;
    enum qm_err err;

    qm_buf_init(&made, ADDRESSES_MAX, false);
    err = qm_cert_addresses(cert, &made);
    if (err == QM_OK) {
        struct qm_span text = qm_buf_span(&made);

        lua_pushlstring(L, text.len > 0 ? text.ptr : "", text.len);
    }
    qm_buf_deinit(&made);
    return err == QM_OK ? 1 : lq_push_error(L, err);
}

/* certificate:has_others() -> whether those of other people stand behind it */
static int l_cert_has_others(lua_State *L)
{
    lua_pushboolean(L, qm_cert_has_others(check_cert(L, 1)));
    return 1;
}

/* certificate:ends() -> seconds since 1970 */
static int l_cert_ends(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)qm_cert_end(check_cert(L, 1)));
    return 1;
}

static int l_cert_close(lua_State *L)
{
    qm_cert_deinit(luaL_checkudata(L, 1, CERT_CLASS));
    return 0;
}

/* --- keys ----------------------------------------------------------------- */

/* crypto.private_key{ path = | data =, passphrase = } -> key */
static int l_private_key(lua_State *L)
{
    struct qm_span passphrase;
    enum qm_cert_fault fault = QM_CERT_FINE;
    struct lq_key *key;
    struct qm_buf held;
    struct qm_span bytes;
    enum qm_err err;
    int saved;

    luaL_checktype(L, 1, LUA_TTABLE);
    passphrase = lq_field_span(L, 1, "passphrase", NULL);
    key = lq_new_object(L, sizeof(*key), KEY_CLASS);
    err = take_bytes(L, 1, &held, &bytes);
    saved = errno;
    if (err == QM_OK) {
        fault = qm_cert_key_read(bytes, passphrase, &key->key);
    }
    qm_buf_deinit(&held);
    errno = saved;
    if (err != QM_OK) {
        return push_system(L, err);
    }
    return fault == QM_CERT_FINE ? 1 : push_cert_fault(L, fault);
}

static int l_key_close(lua_State *L)
{
    struct lq_key *key = luaL_checkudata(L, 1, KEY_CLASS);

    qm_cert_key_free(key->key);
    key->key = NULL;
    return 0;
}

/* --- makers --------------------------------------------------------------- */

static struct qm_cms *new_maker(lua_State *L)
{
    return lq_new_object(L, sizeof(struct qm_cms), MAKER_CLASS);
}

/* crypto.smime_sign(certificate, key, detached) -> maker */
static int l_smime_sign(lua_State *L)
{
    struct qm_cert *cert = check_cert(L, 1);
    struct lq_key *key = luaL_checkudata(L, 2, KEY_CLASS);
    bool detached = lua_toboolean(L, 3) != 0;
    struct qm_cms *maker;
    enum qm_err err;

    luaL_argcheck(L, key->key != NULL, 2, "key is closed");
    if (!qm_cert_has_key(cert, key->key)) {
        return push_cert_fault(L, QM_CERT_MISMATCH);
    }
    maker = new_maker(L);
    err = qm_cms_sign(maker, cert, key->key, detached);
    return err == QM_OK ? 1 : lq_push_error(L, err);
}

/* Certificates are shared with their userdata for the call. */
static struct qm_cert *take_certs(lua_State *L, int table, size_t count)
{
    struct qm_cert *certs = lq_newudata(L, count * sizeof(*certs));
    size_t i;

    for (i = 0; i < count; i++) {
        lua_rawgeti(L, table, (int)i + 1);
        certs[i] = *check_cert(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    return certs;
}

/* crypto.smime_encrypt{ certificate, ... } -> maker */
static int l_smime_encrypt(lua_State *L)
{
    struct qm_cert *certs;
    struct qm_cms *maker;
    enum qm_err err;
    size_t count;

    luaL_checktype(L, 1, LUA_TTABLE);
    count = lq_rawlen(L, 1);
    if (count == 0 || count > RECIPIENTS_MAX) {
        return lq_push_error(L, count == 0 ? QM_E_EMPTY : QM_E_LIMIT);
    }
    certs = take_certs(L, 1, count);
    maker = new_maker(L);
    err = qm_cms_encrypt(maker, certs, count);
    return err == QM_OK ? 1 : lq_push_error(L, err);
}

static struct qm_cms *check_maker(lua_State *L)
{
    return luaL_checkudata(L, 1, MAKER_CLASS);
}

/* maker:update(bytes) -> true */
static int l_maker_update(lua_State *L)
{
    struct qm_cms *maker = check_maker(L);

    return lq_push_done(L, qm_cms_update(maker, lq_check_span(L, 2)));
}

/* maker:finish() -> CMS in DER */
static int l_maker_finish(lua_State *L)
{
    struct qm_cms *maker = check_maker(L);
    struct qm_buf made;
    enum qm_err err;

    qm_buf_init(&made, QM_CMS_ROOM_MAX, false);
    err = qm_cms_finish(maker, &made);
    if (err == QM_OK) {
        struct qm_span der = qm_buf_span(&made);

        lua_pushlstring(L, der.ptr, der.len);
    }
    qm_buf_deinit(&made);
    return err == QM_OK ? 1 : lq_push_error(L, err);
}

static int l_maker_close(lua_State *L)
{
    qm_cms_deinit(check_maker(L));
    return 0;
}

/* --- module --------------------------------------------------------------- */

static const luaL_Reg cert_methods[] = {
    { "add_chain", l_cert_add_chain },
    { "check", l_cert_check },
    { "addresses", l_cert_addresses },
    { "ends", l_cert_ends },
    { "has_others", l_cert_has_others },
    { "close", l_cert_close },
    { NULL, NULL },
};

static const luaL_Reg key_methods[] = {
    { "close", l_key_close },
    { NULL, NULL },
};

static const luaL_Reg maker_methods[] = {
    { "update", l_maker_update },
    { "finish", l_maker_finish },
    { "close", l_maker_close },
    { NULL, NULL },
};

static const luaL_Reg functions[] = {
    { "certificate", l_certificate },
    { "private_key", l_private_key },
    { "smime_sign", l_smime_sign },
    { "smime_encrypt", l_smime_encrypt },
    { NULL, NULL },
};

void lq_cms_open(lua_State *L)
{
    lq_class(L, CERT_CLASS, cert_methods, NULL, l_cert_close);
    lq_class(L, KEY_CLASS, key_methods, NULL, l_key_close);
    lq_class(L, MAKER_CLASS, maker_methods, NULL, l_maker_close);
    lq_setfuncs(L, functions);
}
