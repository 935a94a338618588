/*
 * lq_disk.c: module qqmail.disk, private files in a folder of their own.
 *
 * Everything but a wrong type of an argument is an answer, never raised: nil,
 * a stable name (that of the system's code, such as "ENOSPC", or one of those
 * below) and an English text. A path with a NUL byte is "control_character".
 */
#include "lua/lq_util.h"

#include "disk/qm_file.h"
#include "disk/qm_folder.h"
#include "disk/qm_lock.h"
#include "disk/qm_path.h"
#include "net/qm_errno.h"
#include "net/qm_os.h"

#include <errno.h>
#include <unistd.h>

#define WRITER_CLASS "qqmail.file_writer"
#define LOCK_CLASS   "qqmail.file_lock"
#define LIST_CLASS   "qqmail.folder_list"
#define READ_CLASS   "qqmail.file_content"

enum {
    LIST_MAX = 100000,   /* most names of one disk.list() */
    READ_MAX = 134217728 /* most bytes of one disk.read() */
};

QM_EXPORT int luaopen_qqmail_disk(lua_State *L);

/* --- results and arguments ----------------------------------------------- */

static int push_failure(lua_State *L, const char *name, const char *text)
{
    lua_pushnil(L);
    lua_pushstring(L, name);
    lua_pushstring(L, text);
    return 3;
}

static int push_disk_error(lua_State *L, enum qm_err err)
{
    int code = errno;

    if (err == QM_E_SYSTEM) {
        return push_failure(L, qm_errno_name(code), qm_errno_text(code));
    }
    if (err == QM_E_UNSUPPORTED) {
        return lq_push_error_text(L, err, "not a regular file");
    }
    if (err == QM_E_CLOSED) {
        return lq_push_error_text(L, err, "the file is closed");
    }
    return lq_push_error(L, err);
}

/* true, or the failure. */
static int push_outcome(lua_State *L, enum qm_err err)
{
    if (err != QM_OK) {
        return push_disk_error(L, err);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* NULL for a text that C would read as a shorter path. */
static const char *check_path(lua_State *L, int arg)
{
    struct qm_span span = lq_check_span(L, arg);

    return strlen(span.ptr) == span.len ? span.ptr : NULL;
}

static int push_path_error(lua_State *L)
{
    return lq_push_error_text(L, QM_E_CONTROL,
                              "the path contains a control character");
}

/* No other type: a piece in its place would be lost, and mean true. */
static bool check_sync(lua_State *L, int arg)
{
    if (lua_isnoneornil(L, arg)) {
        return false;
    }
    luaL_checktype(L, arg, LUA_TBOOLEAN);
    return lua_toboolean(L, arg);
}

/* --- folders ------------------------------------------------------------- */

static int push_flaw(lua_State *L, enum qm_folder_flaw flaw)
{
    if (flaw == QM_FOLDER_NOT_OWNER) {
        return push_failure(L, "not_owner",
                            "the folder belongs to another user");
    }
    return push_failure(L, "too_open",
                        "the folder can be written by its group or others");
}

/*
 * folder(path): true. Made with mode 0700 where missing; else it must be one of
 * this user, closed to others and no link: "ENOTDIR", "not_owner", "too_open".
 */
static int l_disk_folder(lua_State *L)
{
    const char *path = check_path(L, 1);
    enum qm_folder_flaw flaw;
    enum qm_err err;

    if (path == NULL) {
        return push_path_error(L);
    }
    err = qm_folder_make(path, &flaw);
    return flaw != QM_FOLDER_FIT ? push_flaw(L, flaw) : push_outcome(L, err);
}

static int l_list_close(lua_State *L)
{
    struct qm_folder_list *list = luaL_checkudata(L, 1, LIST_CLASS);

    qm_folder_list_deinit(list);
    return 0;
}

/*
 * list(path): the names in the folder, sorted by bytes, without those that
 * begin with a dot. Of more than 100000 any others are left out. The list of C
 * is userdata, so that an error raised halfway loses nothing.
 */
static int l_disk_list(lua_State *L)
{
    const char *path = check_path(L, 1);
    struct qm_folder_list *list;
    enum qm_err err;
    size_t i;

    if (path == NULL) {
        return push_path_error(L);
    }
    list = lq_new_object(L, sizeof(*list), LIST_CLASS);
    err = qm_folder_list(path, LIST_MAX, list);
    if (err != QM_OK) {
        return push_disk_error(L, err);
    }
    lua_createtable(L, (int)list->len, 0);
    for (i = 0; i < list->len; i++) {
        lua_pushstring(L, list->names[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    qm_folder_list_deinit(list);
    return 1;
}

/* remove_folder(path): true; only an empty one. */
static int l_disk_remove_folder(lua_State *L)
{
    const char *path = check_path(L, 1);

    return path != NULL ? push_outcome(L, qm_folder_remove(path))
                        : push_path_error(L);
}

/* --- files --------------------------------------------------------------- */

static enum qm_err write_pieces(lua_State *L, const char *path, bool sync,
                                int first, int last)
{
    struct qm_file file;
    enum qm_err err = qm_file_create(&file, path);
    int arg;

    for (arg = first; arg <= last && err == QM_OK; arg++) {
        struct qm_span piece;

        piece.ptr = lua_tolstring(L, arg, &piece.len);
        err = qm_file_append(&file, piece);
    }
    return err == QM_OK ? qm_file_commit(&file, sync) : err;
}

/*
 * write(path, sync, piece, ...): true. It must work in a finalizer while the
 * state is closed: no userdata, no registry. Nothing may raise once the file
 * is open; so all arguments are looked at (numbers become strings) before.
 */
static int l_disk_write(lua_State *L)
{
    const char *path = check_path(L, 1);
    bool sync = check_sync(L, 2);
    int last = lua_gettop(L);
    int arg;

    for (arg = 3; arg <= last; arg++) {
        (void)lq_check_span(L, arg);
    }
    if (path == NULL) {
        return push_path_error(L);
    }
    return push_outcome(L, write_pieces(L, path, sync, 3, last));
}

/* rename(from, to): true; over a file that is at `to`. */
static int l_disk_rename(lua_State *L)
{
    const char *from = check_path(L, 1);
    const char *to = check_path(L, 2);

    return from != NULL && to != NULL
               ? push_outcome(L, qm_file_rename(from, to))
               : push_path_error(L);
}

/* remove(path): true; "ENOENT" when there is no such file. */
static int l_disk_remove(lua_State *L)
{
    const char *path = check_path(L, 1);

    return path != NULL ? push_outcome(L, qm_file_remove(path))
                        : push_path_error(L);
}

/* size(path): bytes and the time of the last change, in seconds since 1970. */
static int l_disk_size(lua_State *L)
{
    const char *path = check_path(L, 1);
    struct qm_file_info info;
    enum qm_err err;

    if (path == NULL) {
        return push_path_error(L);
    }
    err = qm_file_stat(path, &info);
    if (err != QM_OK) {
        return push_disk_error(L, err);
    }
    lua_pushinteger(L, (lua_Integer)info.size);
    lua_pushnumber(L, (lua_Number)info.mtime_seconds +
                          (lua_Number)info.mtime_nanoseconds / 1e9);
    return 2;
}

/* --- readers ------------------------------------------------------------- */

static int l_read_close(lua_State *L)
{
    qm_buf_deinit(luaL_checkudata(L, 1, READ_CLASS));
    return 0;
}

/*
 * read(path, most[, folder]): at most the first `most` bytes of a regular file,
 * which must be in the folder: "outside". Nothing makes this wait. The buffer
 * is userdata, so that an error raised for lack of memory loses nothing.
 */
static int l_disk_read(lua_State *L)
{
    const char *path = check_path(L, 1);
    lua_Integer most = luaL_checkinteger(L, 2);
    bool has_folder = !lua_isnoneornil(L, 3);
    const char *folder = has_folder ? check_path(L, 3) : NULL;
    struct qm_buf *buf;
    struct qm_span text;
    bool inside = true;
    enum qm_err err;

    luaL_argcheck(L, most >= 0 && most <= READ_MAX, 2, "out of range");
    if (path == NULL || (has_folder && folder == NULL)) {
        return push_path_error(L);
    }
    buf = lq_new_object(L, sizeof(*buf), READ_CLASS);
    qm_buf_init(buf, READ_MAX, false);
    err = has_folder ? qm_path_read(folder, path, (size_t)most, buf, &inside)
                     : qm_file_read(path, (size_t)most, buf);
    if (err != QM_OK) {
        return push_disk_error(L, err);
    } else if (!inside) {
        return push_failure(L, "outside", "it is not in the folder");
    }
    text = qm_buf_span(buf);
    lua_pushlstring(L, text.len > 0 ? text.ptr : "", text.len);
    qm_buf_deinit(buf);
    return 1;
}

/* --- writers ------------------------------------------------------------- */

static struct qm_file *check_writer(lua_State *L)
{
    return luaL_checkudata(L, 1, WRITER_CLASS);
}

/* create(path): a writer; what write() does, in pieces. */
static int l_disk_create(lua_State *L)
{
    const char *path = check_path(L, 1);
    struct qm_file *file;
    enum qm_err err;

    if (path == NULL) {
        return push_path_error(L);
    }
    file = lq_new_object(L, sizeof(*file), WRITER_CLASS);
    err = qm_file_create(file, path);
    return err == QM_OK ? 1 : push_disk_error(L, err);
}

/* writer:write(bytes): true. */
static int l_writer_write(lua_State *L)
{
    struct qm_file *file = check_writer(L);

    return push_outcome(L, qm_file_append(file, lq_check_span(L, 2)));
}

/* writer:commit([sync]): true. */
static int l_writer_commit(lua_State *L)
{
    struct qm_file *file = check_writer(L);

    return push_outcome(L, qm_file_commit(file, check_sync(L, 2)));
}

/* writer:close(): nothing remains of a file that was not committed. */
static int l_writer_close(lua_State *L)
{
    qm_file_abort(check_writer(L));
    return 0;
}

/* --- locks --------------------------------------------------------------- */

static int l_lock_close(lua_State *L)
{
    struct qm_lock *lock = luaL_checkudata(L, 1, LOCK_CLASS);

    qm_lock_drop(lock);
    return 0;
}

/* lock(path): a lock, held until it is closed or the process ends; "busy". */
static int l_disk_lock(lua_State *L)
{
    const char *path = check_path(L, 1);
    struct qm_lock *lock;
    enum qm_err err;

    if (path == NULL) {
        return push_path_error(L);
    }
    lock = lq_new_object(L, sizeof(*lock), LOCK_CLASS);
    err = qm_lock_take(lock, path);
    if (err == QM_E_AGAIN) {
        return push_failure(L, "busy", "the lock is held by somebody else");
    }
    return err == QM_OK ? 1 : push_disk_error(L, err);
}

/* --- who we are ---------------------------------------------------------- */

/* uid(): the effective user. */
static int l_disk_uid(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)geteuid());
    return 1;
}

static int l_disk_pid(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)getpid());
    return 1;
}

/* --- module -------------------------------------------------------------- */

static const luaL_Reg writer_methods[] = {
    { "write", l_writer_write },
    { "commit", l_writer_commit },
    { "close", l_writer_close },
    { NULL, NULL },
};

static const luaL_Reg lock_methods[] = {
    { "close", l_lock_close },
    { NULL, NULL },
};

static const luaL_Reg no_methods[] = {
    { NULL, NULL },
};

static const luaL_Reg module_functions[] = {
    { "folder", l_disk_folder },
    { "list", l_disk_list },
    { "remove_folder", l_disk_remove_folder },
    { "write", l_disk_write },
    { "create", l_disk_create },
    { "rename", l_disk_rename },
    { "remove", l_disk_remove },
    { "size", l_disk_size },
    { "read", l_disk_read },
    { "lock", l_disk_lock },
    { "uid", l_disk_uid },
    { "pid", l_disk_pid },
    { NULL, NULL },
};

/*
 * The module stays mapped: Lua 5.1 and LuaJIT unload it before they finalize
 * objects that are older than it, and one of these may call write().
 */
int luaopen_qqmail_disk(lua_State *L)
{
    qm_os_pin_module();
    lq_class(L, WRITER_CLASS, writer_methods, NULL, l_writer_close);
    lq_class(L, LOCK_CLASS, lock_methods, NULL, l_lock_close);
    lq_class(L, LIST_CLASS, no_methods, NULL, l_list_close);
    lq_class(L, READ_CLASS, no_methods, NULL, l_read_close);
    lua_newtable(L);
    lq_setfuncs(L, module_functions);
    return 1;
}
