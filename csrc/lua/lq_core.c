#include "lua/lq_core.h"

#include "base/qm_hash.h"
#include "base/qm_version.h"
#include "lua/lq_entropy.h"
#include "lua/lq_util.h"

#include <sys/stat.h>

enum { RANDOM_MAX = 65536 };

/* random(n) -> n bytes | nil, name, text */
static int l_core_random(lua_State *L)
{
    size_t len = (size_t)lq_check_integer(L, 1, 1, RANDOM_MAX);
    void *bytes = lua_newuserdata(L, len); /* the collector frees it */
    enum qm_err err = lq_entropy(bytes, len);

    if (err != QM_OK) {
        return lq_push_error(L, err);
    }
    lua_pushlstring(L, bytes, len);
    return 1;
}

/* file_mode(path) -> permission bits | nil: who else may read a secret */
static int l_core_file_mode(lua_State *L)
{
    struct stat info;

    if (stat(luaL_checkstring(L, 1), &info) != 0) {
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)(info.st_mode & 07777));
    return 1;
}

/* core.hash(text) -> 26 characters, the same in every version */
static int l_core_hash(lua_State *L)
{
    unsigned char hash[QM_HASH_SIZE];
    char text[QM_HASH_TEXT_SIZE];

    qm_hash(lq_check_span(L, 1), hash);
    qm_hash_to_text(hash, text);
    lua_pushstring(L, text);
    return 1;
}

static const luaL_Reg functions[] = {
    { "hash", l_core_hash },
    { "random", l_core_random },
    { "file_mode", l_core_file_mode },
    { "hash", l_core_hash },
    { NULL, NULL },
};

QM_EXPORT int luaopen_qqmail_core(lua_State *L);

QM_EXPORT int luaopen_qqmail_core(lua_State *L)
{
    lua_newtable(L);
    lq_setfuncs(L, functions);
    lua_pushliteral(L, QM_VERSION);
    lua_setfield(L, -2, "_VERSION");
    lq_codec_open(L);
    lq_message_open(L);
    lq_session_open(L);
    return 1;
}
