/*
 * core.message(spec): from plain tables to a message that can be read.
 *
 * Failures are nil, name, text, field, position: `field` in the terms of the
 * spec ("attachments[2].name"), `position` (1-based) of the byte, if the kind
 * of the failure has one.
 *
 * The anchor table of a message holds, at 1: the spec, whose strings the parts
 * point at, so that it must not be changed; at 2: a signature; at 0: the piece
 * pushed last; at -1, -2, ...: the reader of part 1, 2, ...
 */
#include "lua/lq_message.h"

#include "lua/lq_core.h"
#include "lua/lq_pool.h"
#include "lua/lq_reading.h"
#include "lua/lq_signing.h"
#include "lua/lq_util.h"

#include <errno.h>

static const char class_name[] = "qqmail.message";

struct lq_message {
    struct qm_message *message; /* NULL: closed */
    struct lq_pool *pool;       /* where it came from */
};

enum { ANCHOR_PUSHED = LQ_ANCHOR_PUSHED, ANCHOR_SPEC = 1 };

struct qm_message *lq_message_check(lua_State *L, int arg)
{
    struct lq_message *object = luaL_checkudata(L, arg, class_name);

    luaL_argcheck(L, object->message != NULL, arg, "message is closed");
    return object->message;
}

struct lq_pool *lq_message_pool(lua_State *L, int arg)
{
    struct lq_message *object = luaL_checkudata(L, arg, class_name);

    return object->pool;
}

/* Pushes a new one, NULL when memory is short; the caller gives the anchor. */
static struct qm_message *new_message(lua_State *L, struct lq_pool *pool)
{
    struct lq_message *object = lq_new_udata(L, sizeof(*object), class_name);

    object->pool = pool;
    object->message = lq_pool_take(pool);
    return object->message;
}

static int l_message_close(lua_State *L)
{
    struct lq_message *object = luaL_checkudata(L, 1, class_name);

    if (object->message != NULL) {
        lq_pool_give(object->pool, object->message);
        object->message = NULL;
    }
    return 0;
}

/* --- failures ------------------------------------------------------------ */

/* The field is on top of the stack. */
static int fail_at(lua_State *L, enum qm_err err, const char *why,
                   uint64_t fault_at)
{
    char text[128];
    int field = lua_gettop(L);

    if (err == QM_E_SYSTEM && strerror_r(errno, text, sizeof(text)) == 0) {
        why = text;
    }
    (void)lq_push_error_text(L, err, why);
    lua_pushvalue(L, field);
    lua_pushinteger(L, (lua_Integer)fault_at + 1);
    return 5;
}

static const char *const role_fields[] = {
    "text",        "html",        "calendar", "inline",
    "attachments", "attachments", "raw",      "smime",
};

static const char *const fault_fields[] = {
    "", ".type", ".name", ".cid", ".method",
};

void lq_message_push_field(lua_State *L, const struct qm_message *m)
{
    const struct qm_part *part = &m->parts[m->fault_part];
    int index = 1;
    size_t i;

    for (i = 0; i < m->fault_part; i++) {
        index +=
            strcmp(role_fields[m->parts[i].role], role_fields[part->role]) == 0;
    }
    if (part->role == QM_PART_INLINE || qm_part_role_is_attached(part->role)) {
        lua_pushfstring(L, "%s[%d]%s", role_fields[part->role], index,
                        fault_fields[part->fault]);
    } else {
        lua_pushfstring(L, "%s%s", role_fields[part->role],
                        fault_fields[part->fault]);
    }
}

/* A failure of building or reading. */
int lq_message_fail(lua_State *L, const struct qm_message *m, enum qm_err err)
{
    int saved = errno;

    if (m->fault_part >= m->part_count) {
        return lq_push_error(L, err);
    }
    lq_message_push_field(L, m);
    errno = saved;
    return fail_at(L, err, NULL, m->parts[m->fault_part].fault_at);
}

/* --- fields -------------------------------------------------------------- */

/* Each adder leaves the place ("headers[3][1].name") on the stack on error. */

static enum qm_err add_text(lua_State *L, struct qm_message *m, int entry,
                            struct qm_span name)
{
    struct qm_span text = lq_field_span(L, entry, "text", NULL);
    struct qm_span raw = lq_field_span(L, entry, "raw", NULL);
    bool words = lq_field_bool(L, entry, "words", false);

    if (text.ptr != NULL) {
        return qm_header_add_text(&m->header, name, text, words);
    }
    return raw.ptr != NULL ? qm_header_add_raw(&m->header, name, raw)
                           : QM_E_MISUSE;
}

/* The mailbox is on top of the stack and is taken off when it was added. */
static enum qm_err add_mailbox(lua_State *L, struct qm_message *m, int field,
                               int index)
{
    int box = lua_gettop(L);
    struct qm_span display;
    struct qm_span address;
    bool in_display = false;
    enum qm_err err;

    luaL_checktype(L, box, LUA_TTABLE);
    display = lq_field_span(L, box, "name", "");
    address = lq_field_span(L, box, "address", "");
    err = qm_header_add_mailbox(&m->header, display, address, &in_display);
    if (err == QM_OK) {
        lua_pop(L, 1);
    } else {
        lua_pushfstring(L, "headers[%d][%d].%s", field, index,
                        in_display ? "name" : "address");
    }
    return err;
}

/* The field is on top of the stack and is taken off when it was added. */
static enum qm_err add_field(lua_State *L, struct qm_message *m, int index)
{
    int entry = lua_gettop(L);
    struct qm_span name;
    enum qm_err err = QM_OK;

    luaL_checktype(L, entry, LUA_TTABLE);
    name = lq_field_span(L, entry, "name", "");
    m->header.fault_at = 0;
    m->header.why = NULL;
    lua_getfield(L, entry, "addresses");
    if (lua_istable(L, entry + 1)) {
        int count = (int)lq_rawlen(L, entry + 1);
        int i;

        qm_header_begin_list(&m->header, name);
        for (i = 1; i <= count; i++) {
            lua_rawgeti(L, entry + 1, i);
            err = add_mailbox(L, m, index, i);
            if (err != QM_OK) {
                return err;
            }
        }
        err = qm_header_end_list(&m->header, name);
    } else {
        err = add_text(L, m, entry, name);
    }
    lua_settop(L, entry - 1);
    if (err != QM_OK) {
        lua_pushfstring(L, "headers[%d]", index);
    }
    return err;
}

static enum qm_err add_fields(lua_State *L, struct qm_message *m, int spec)
{
    enum qm_err err = QM_OK;
    int count;
    int list;
    int i;

    lua_getfield(L, spec, "headers");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return QM_OK;
    }
    luaL_checktype(L, -1, LUA_TTABLE);
    list = lua_gettop(L);
    count = (int)lq_rawlen(L, list);
    for (i = 1; i <= count && err == QM_OK; i++) {
        lua_rawgeti(L, list, i);
        err = add_field(L, m, i);
    }
    if (err == QM_OK) {
        lua_pop(L, 1);
    }
    return err;
}

/* --- parts --------------------------------------------------------------- */

static enum qm_err take_reader(lua_State *L, int table, size_t part_index,
                               int anchor, struct qm_source *source)
{
    int64_t size = lq_field_integer(L, table, "size", -1);

    lua_getfield(L, table, "read");
    luaL_checktype(L, -1, LUA_TFUNCTION);
    lua_rawseti(L, anchor, -(int)part_index - 1);
    lua_pushboolean(L, 0); /* room for what will be pushed */
    lua_rawseti(L, anchor, ANCHOR_PUSHED);
    qm_source_pull(source, size >= 0, size >= 0 ? (uint64_t)size : 0);
    return QM_OK;
}

/* { data = } or { path = } or { read =, size = } */
static enum qm_err take_source(lua_State *L, int table, size_t part_index,
                               int anchor, struct qm_source *source)
{
    struct qm_span data = lq_field_span(L, table, "data", NULL);
    struct qm_span path;

    if (data.ptr != NULL) {
        qm_source_memory(source, data);
        return QM_OK;
    }
    path = lq_field_span(L, table, "path", NULL);
    if (path.ptr == NULL) {
        return take_reader(L, table, part_index, anchor, source);
    }
    if (strlen(path.ptr) != path.len) {
        return QM_E_CONTROL;
    }
    return qm_source_file(source, path.ptr);
}

/* Adds a part whose source is on top of the stack. */
static enum qm_err add_source(lua_State *L, struct qm_message *m,
                              struct qm_part *part, int anchor)
{
    int table = lua_gettop(L);
    enum qm_err source_err;
    enum qm_err err;

    luaL_checktype(L, table, LUA_TTABLE);
    source_err = take_source(L, table, m->part_count, anchor, &part->source);
    err = qm_message_add_part(m, part);
    if (err == QM_OK && source_err != QM_OK) {
        m->fault_part = m->part_count - 1;
        return source_err;
    }
    return err;
}

/* Adds the part described by the table on top of the stack and pops it. */
static enum qm_err add_part(lua_State *L, struct qm_message *m,
                            enum qm_part_role role, int anchor)
{
    int table = lua_gettop(L);
    struct qm_part part;
    enum qm_err err;

    luaL_checktype(L, table, LUA_TTABLE);
    memset(&part, 0, sizeof(part));
    part.role = role;
    if (role == QM_PART_ATTACHMENT &&
        lq_field_bool(L, table, "is_message", false)) {
        part.role = QM_PART_MESSAGE;
    }
    part.type = lq_field_span(L, table, "type", NULL);
    part.name = lq_field_span(L, table, "name", NULL);
    part.id = lq_field_span(L, table, "cid", NULL);
    part.method = lq_field_span(L, table, "method", NULL);
    if (part.type.ptr == NULL) {
        part.type = qm_span_of("application/octet-stream");
    }
    lua_getfield(L, table, "source");
    err = add_source(L, m, &part, anchor);
    if (err == QM_OK) {
        lua_settop(L, table - 1);
    }
    return err;
}

static enum qm_err add_part_list(lua_State *L, struct qm_message *m, int spec,
                                 enum qm_part_role role, int anchor)
{
    enum qm_err err = QM_OK;
    size_t count;
    size_t i;
    int list;

    lua_getfield(L, spec, role_fields[role]);
    list = lua_gettop(L);
    count = lua_isnil(L, list) ? 0 : lq_rawlen(L, list);
    for (i = 1; i <= count && err == QM_OK; i++) {
        lua_rawgeti(L, list, (int)i);
        err = add_part(L, m, role, anchor);
    }
    return err;
}

/* `text`, `html` and `raw` are sources themselves, the others hold one. */
static enum qm_err add_text_part(lua_State *L, struct qm_message *m, int spec,
                                 enum qm_part_role role, int anchor)
{
    struct qm_part part;

    lua_getfield(L, spec, role_fields[role]);
    if (lua_isnil(L, -1)) {
        return QM_OK;
    }
    if (role == QM_PART_CALENDAR || role == QM_PART_SMIME) {
        return add_part(L, m, role, anchor);
    }
    memset(&part, 0, sizeof(part));
    part.role = role;
    return add_source(L, m, &part, anchor);
}

static enum qm_err add_parts(lua_State *L, struct qm_message *m, int spec,
                             int anchor)
{
    static const enum qm_part_role texts[] = { QM_PART_RAW, QM_PART_TEXT,
                                               QM_PART_HTML, QM_PART_CALENDAR,
                                               QM_PART_SMIME };
    enum qm_err err = QM_OK;
    size_t i;

    for (i = 0; i < QM_COUNTOF(texts) && err == QM_OK; i++) {
        err = add_text_part(L, m, spec, texts[i], anchor);
    }
    if (err == QM_OK) {
        err = add_part_list(L, m, spec, QM_PART_INLINE, anchor);
    }
    if (err == QM_OK) {
        err = add_part_list(L, m, spec, QM_PART_ATTACHMENT, anchor);
    }
    return err;
}

/*
 * core.message{ headers = { { name =, text =, words = } | { name =, raw = } |
 * { name =, addresses = { { name =, address = }, ... } }, ... }, text = source,
 * html = source, calendar = { source =, method = }, inline = { { cid =,
 * source =, name =, type = }, ... }, attachments = { { source =, name =,
 * type =, is_message = }, ... }, raw = source, boundary =, utf8 =, smime = {
 * source =, type =, name = } (in place of all other parts), signed =,
 * entity = }
 * source = { data = } | { path = } | { read =, size = }
 */
static int l_core_message(lua_State *L)
{
    struct qm_message *m;
    struct qm_span boundary;
    enum qm_err err;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    boundary = lq_field_span(L, 1, "boundary", "");
    m = new_message(L, lua_touserdata(L, lua_upvalueindex(1)));
    if (m == NULL) {
        return lq_push_error(L, QM_E_MEMORY);
    }
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, 3, ANCHOR_SPEC);
    lua_pushvalue(L, 3);
    lq_setanchor(L, 2);
    m->header.utf8 = lq_field_bool(L, 1, "utf8", false);
    m->is_signed = lq_field_bool(L, 1, "signed", false);
    m->is_entity = lq_field_bool(L, 1, "entity", false);
    err = add_fields(L, m, 1);
    if (err != QM_OK) {
        return fail_at(L, err, m->header.why, m->header.fault_at);
    }
    err = add_parts(L, m, 1, 3);
    if (err == QM_OK) {
        err = qm_message_build(m, boundary);
    }
    if (err != QM_OK) {
        return lq_message_fail(L, m, err);
    }
    lua_pushvalue(L, 2);
    return 1;
}

/* --- methods ------------------------------------------------------------- */

/* copy() -> a reader of its own; nil, "unsupported" when a part is pulled */
static int l_message_copy(lua_State *L)
{
    const struct qm_message *m = lq_message_check(L, 1);
    struct qm_message *copy = new_message(L, lq_message_pool(L, 1));
    enum qm_err err = QM_E_MEMORY;

    lq_getanchor(L, 1);
    lq_setanchor(L, -2);
    if (copy != NULL) {
        err = qm_message_copy(copy, m);
    }
    return err == QM_OK ? 1 : lq_push_error(L, err);
}

/* raw_head() -> the header block a raw message came with, Bcc included */
static int l_message_raw_head(lua_State *L)
{
    struct qm_span head = qm_buf_span(&lq_message_check(L, 1)->raw.head);

    lua_pushlstring(L, head.ptr, head.len);
    return 1;
}

static int l_message_is_eightbit(lua_State *L)
{
    lua_pushboolean(L, qm_message_is_eightbit(lq_message_check(L, 1)));
    return 1;
}

static int l_message_needs_eightbit(lua_State *L)
{
    lua_pushboolean(L, qm_message_needs_eightbit(lq_message_check(L, 1)));
    return 1;
}

static int l_message_needs_utf8(lua_State *L)
{
    lua_pushboolean(L, qm_message_needs_utf8(lq_message_check(L, 1)));
    return 1;
}

static const luaL_Reg methods[] = {
    { "size", lq_message_size },
    { "rewind", lq_message_rewind },
    { "rewind_signed", lq_message_rewind_signed },
    { "sign", lq_message_sign },
    { "read", lq_message_read },
    { "dump", lq_message_dump },
    { "push", lq_message_push },
    { "reader", lq_message_reader },
    { "copy", l_message_copy },
    { "watch", lq_message_watch },
    { "seal", lq_message_seal },
    { "raw_head", l_message_raw_head },
    { "is_eightbit", l_message_is_eightbit },
    { "needs_eightbit", l_message_needs_eightbit },
    { "needs_utf8", l_message_needs_utf8 },
    { "close", l_message_close },
    { NULL, NULL },
};

void lq_message_open(lua_State *L)
{
    lq_class(L, class_name, methods, NULL, l_message_close);
    lq_pool_push(L);
    lua_pushcclosure(L, l_core_message, 1);
    lua_setfield(L, -2, "message");
}
