/*
 * lq_net.c: module qqmail.net, the only sockets of the project.
 */
#include "lua/lq_net.h"
#include "lua/lq_util.h"
#include "lua/lq_waiting.h"

#include "net/qm_clock.h"
#include "net/qm_errno.h"
#include "net/qm_listen.h"
#include "net/qm_signal.h"

#include <errno.h>
#include <unistd.h>

#define STREAM_CLASS   "qqmail.stream"
#define LISTENER_CLASS "qqmail.listener"
#define SIGNAL_CLASS   "qqmail.signal"

enum {
    READ_CAP = 16384, /* most bytes of one stream:read() */
    DEFAULT_BACKLOG = 128,
    MAX_WAIT_S = 1000000 /* longer waits are cut to this, about 11 days */
};

QM_EXPORT int luaopen_qqmail_net(lua_State *L);

/* --- results and arguments ----------------------------------------------- */

static int push_system_error(lua_State *L, int code)
{
    lua_pushnil(L);
    lua_pushstring(L, qm_errno_name(code));
    lua_pushstring(L, qm_errno_text(code));
    return 3;
}

int lq_net_push_error(lua_State *L, enum qm_err err)
{
    return err == QM_E_SYSTEM ? push_system_error(L, errno)
                              : lq_push_error(L, err);
}

int lq_net_push_argument_error(lua_State *L, const char *subject,
                               enum qm_err err)
{
    lua_pushnil(L);
    lua_pushstring(L, qm_err_name(err));
    lua_pushfstring(L, "%s %s", subject, qm_err_text(err));
    return 3;
}

/* The end of a stream in one word, whatever the system calls it. */
static int push_stream_error(lua_State *L, enum qm_err err)
{
    int code = errno;

    if (err != QM_E_SYSTEM || (code != ECONNRESET && code != EPIPE)) {
        return lq_net_push_error(L, err);
    }
    lua_pushnil(L);
    lua_pushstring(L, qm_err_name(QM_E_CLOSED));
    lua_pushstring(L, code == ECONNRESET ? "reset" : "EPIPE");
    return 3;
}

/* Seconds as microseconds, rounded up: a wait never ends early. */
static uint64_t check_us(lua_State *L, int arg)
{
    lua_Number seconds = luaL_checknumber(L, arg);
    lua_Number us;
    uint64_t whole;

    luaL_argcheck(L, seconds == seconds, arg, "not a number");
    if (seconds <= 0) {
        return 0;
    }
    if (seconds > MAX_WAIT_S) {
        seconds = MAX_WAIT_S;
    }
    us = seconds * 1e6;
    whole = (uint64_t)us;
    return (lua_Number)whole < us ? whole + 1 : whole;
}

const char *lq_net_check_text(lua_State *L, int arg)
{
    struct qm_span span = lq_check_span(L, arg);

    luaL_argcheck(L, strlen(span.ptr) == span.len, arg, "contains NUL");
    return span.ptr;
}

/* --- addresses ----------------------------------------------------------- */

/* Reads { address=, port= } or { path= }. */
static enum qm_err read_address(lua_State *L, int table,
                                struct qm_address *address_out)
{
    struct qm_span path = lq_field_span(L, table, "path", NULL);
    const char *host;
    int64_t port;

    if (path.ptr != NULL) {
        return qm_address_unix(path, address_out);
    }
    host = lq_field_text(L, table, "address");
    port = lq_field_integer(L, table, "port", 0);
    if (host == NULL || port < 1 || port > UINT16_MAX) {
        return QM_E_SYNTAX;
    }
    return qm_address_parse(host, (uint16_t)port, address_out);
}

static const char *family_name(int family)
{
    if (family == AF_UNIX) {
        return "unix";
    }
    return family == AF_INET6 ? "inet6" : "inet";
}

void lq_net_push_address(lua_State *L, const struct qm_address *address)
{
    char host[QM_ADDRESS_TEXT_CAP];

    qm_address_host(address, host, sizeof(host));
    lua_createtable(L, 0, 3);
    lua_pushstring(L, family_name(qm_address_family(address)));
    lua_setfield(L, -2, "family");
    lua_pushstring(L, host);
    lua_setfield(L, -2, "address");
    lua_pushinteger(L, qm_address_port(address));
    lua_setfield(L, -2, "port");
}

/* --- streams ------------------------------------------------------------- */

static struct qm_stream *check_stream(lua_State *L, int arg)
{
    return luaL_checkudata(L, arg, STREAM_CLASS);
}

static int l_stream_connected(lua_State *L)
{
    enum qm_err err = qm_stream_connected(check_stream(L, 1));

    if (err != QM_OK) {
        return lq_net_push_error(L, err);
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int l_stream_read(lua_State *L)
{
    struct qm_stream *stream = check_stream(L, 1);
    int64_t max = lq_check_integer(L, 2, 1, INT32_MAX);
    size_t cap = max < READ_CAP ? (size_t)max : (size_t)READ_CAP;
    char bytes[READ_CAP];
    size_t len;
    enum qm_err err = qm_stream_read(stream, bytes, cap, &len);

    if (err == QM_E_CLOSED) {
        lua_pushnil(L);
        lua_pushstring(L, qm_err_name(err));
        return 2;
    }
    if (err != QM_OK) {
        return push_stream_error(L, err);
    }
    lua_pushlstring(L, bytes, len);
    return 1;
}

static int l_stream_write(lua_State *L)
{
    struct qm_stream *stream = check_stream(L, 1);
    struct qm_span bytes = lq_check_bytes(L, 2);
    int64_t first = 1;
    size_t len;
    enum qm_err err;

    if (!lua_isnoneornil(L, 3)) {
        first = lq_check_integer(L, 3, 1, (int64_t)bytes.len + 1);
    }
    err = qm_stream_write(stream, qm_span_from(bytes, (size_t)first - 1), &len);
    if (err != QM_OK) {
        return push_stream_error(L, err);
    }
    lua_pushinteger(L, (lua_Integer)len);
    return 1;
}

static int l_stream_fd(lua_State *L)
{
    struct qm_stream *stream = check_stream(L, 1);

    if (stream->state == QM_STREAM_CLOSED) {
        return lq_push_error(L, QM_E_CLOSED);
    }
    lua_pushinteger(L, stream->fd);
    return 1;
}

static int l_stream_peer(lua_State *L)
{
    char text[QM_ADDRESS_TEXT_CAP];

    qm_address_format(&check_stream(L, 1)->peer, text, sizeof(text));
    lua_pushstring(L, text);
    return 1;
}

static int l_stream_shutdown(lua_State *L)
{
    qm_stream_shutdown(check_stream(L, 1));
    return 0;
}

static int l_stream_reset(lua_State *L)
{
    qm_stream_reset(check_stream(L, 1));
    return 0;
}

static int l_stream_close(lua_State *L)
{
    qm_stream_close(check_stream(L, 1));
    return 0;
}

static int l_net_connect(lua_State *L)
{
    struct qm_address peer;
    struct qm_address source;
    const char *source_ip =
        lua_isnoneornil(L, 2) ? NULL : lq_net_check_text(L, 2);
    struct qm_stream *stream;
    enum qm_err err;

    luaL_checktype(L, 1, LUA_TTABLE);
    err = read_address(L, 1, &peer);
    if (err != QM_OK) {
        return lq_net_push_argument_error(L, "the address", err);
    }
    if (source_ip != NULL) {
        err = qm_address_parse(source_ip, 0, &source);
        if (err != QM_OK) {
            return lq_net_push_argument_error(L, "the source address", err);
        }
    }
    stream = lq_new_object(L, sizeof(*stream), STREAM_CLASS);
    err = qm_stream_connect(stream, &peer, source_ip != NULL ? &source : NULL);
    return err == QM_OK ? 1 : lq_net_push_error(L, err);
}

/* --- listeners ----------------------------------------------------------- */

static struct qm_listener *check_listener(lua_State *L, int arg)
{
    return luaL_checkudata(L, arg, LISTENER_CLASS);
}

static int l_listener_accept(lua_State *L)
{
    struct qm_listener *listener = check_listener(L, 1);
    struct qm_stream *stream = lq_new_object(L, sizeof(*stream), STREAM_CLASS);
    enum qm_err err = qm_listen_accept(listener, stream);

    return err == QM_OK ? 1 : lq_net_push_error(L, err);
}

static int l_listener_fd(lua_State *L)
{
    struct qm_listener *listener = check_listener(L, 1);

    if (!listener->is_open) {
        return lq_push_error(L, QM_E_CLOSED);
    }
    lua_pushinteger(L, listener->fd);
    return 1;
}

static int l_listener_port(lua_State *L)
{
    lua_pushinteger(L, qm_address_port(&check_listener(L, 1)->own));
    return 1;
}

static int l_listener_close(lua_State *L)
{
    qm_listen_close(check_listener(L, 1));
    return 0;
}

static bool is_unix_text(struct qm_span text)
{
    return text.len >= 5 && memcmp(text.ptr, "unix:", 5) == 0;
}

/* listen(host, port[, backlog]) or listen("unix:/path"[, nil, backlog]) */
static int l_net_listen(lua_State *L)
{
    struct qm_span host = lq_check_span(L, 1);
    struct qm_listener *listener;
    struct qm_address own;
    int64_t backlog = DEFAULT_BACKLOG;
    enum qm_err err;

    if (!lua_isnoneornil(L, 3)) {
        backlog = lq_check_integer(L, 3, 0, 4096);
    }
    if (is_unix_text(host)) {
        err = qm_address_unix(qm_span_from(host, 5), &own);
    } else {
        err = qm_address_parse(lq_net_check_text(L, 1),
                               (uint16_t)lq_check_integer(L, 2, 0, UINT16_MAX),
                               &own);
    }
    if (err != QM_OK) {
        return lq_net_push_argument_error(L, "the address", err);
    }
    listener = lq_new_object(L, sizeof(*listener), LISTENER_CLASS);
    err = qm_listen_open(listener, &own, (int)backlog);
    return err == QM_OK ? 1 : lq_net_push_error(L, err);
}

/* --- signals ------------------------------------------------------------- */

static struct qm_signal *check_signal(lua_State *L)
{
    return luaL_checkudata(L, 1, SIGNAL_CLASS);
}

static int l_signal_fd(lua_State *L)
{
    struct qm_signal *signal = check_signal(L);

    if (!signal->is_open) {
        return lq_push_error(L, QM_E_CLOSED);
    }
    lua_pushinteger(L, signal->ends[0]);
    return 1;
}

static int l_signal_set(lua_State *L)
{
    qm_signal_set(check_signal(L));
    return 0;
}

static int l_signal_close(lua_State *L)
{
    qm_signal_close(check_signal(L));
    return 0;
}

static int l_net_signal(lua_State *L)
{
    struct qm_signal *signal = lq_new_object(L, sizeof(*signal), SIGNAL_CLASS);
    enum qm_err err = qm_signal_open(signal);

    return err == QM_OK ? 1 : lq_net_push_error(L, err);
}

/* --- time ---------------------------------------------------------------- */

static int l_net_now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)qm_clock_now_us() / 1e6);
    return 1;
}

static int l_net_time(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)qm_clock_wall_us() / 1e6);
    return 1;
}

/* Returns the seconds that are left: more than 0 only after a signal. */
static int l_net_sleep(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)qm_clock_sleep_us(check_us(L, 1)) / 1e6);
    return 1;
}

static int l_net_wait(lua_State *L)
{
    static const char *const names[] = { "r", "w", NULL };
    int fd = (int)lq_check_integer(L, 1, 0, INT32_MAX);
    int want = luaL_checkoption(L, 2, NULL, names);
    enum qm_err err = qm_clock_wait_us(
        fd, want == 0 ? QM_CLOCK_READ : QM_CLOCK_WRITE, check_us(L, 3));

    if (err == QM_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (err == QM_E_AGAIN) {
        lua_pushnil(L);
        lua_pushliteral(L, "timeout");
        return 2;
    }
    return lq_push_error_text(L, err, qm_errno_text(errno));
}

static void read_poll_item(lua_State *L, int list, size_t at,
                           struct qm_clock_item *item)
{
    lua_rawgeti(L, list, (int)at + 1);
    if (!lua_istable(L, -1)) {
        luaL_error(L, "entry %d of the list is not a table", (int)at + 1);
    }
    memset(item, 0, sizeof(*item));
    item->fd = (int)lq_field_integer(L, lua_gettop(L), "fd", -1);
    item->want_read = lq_field_bool(L, lua_gettop(L), "read", false);
    item->want_write = lq_field_bool(L, lua_gettop(L), "write", false);
    lua_pop(L, 1);
}

static void write_poll_item(lua_State *L, int list, size_t at,
                            const struct qm_clock_item *item)
{
    lua_rawgeti(L, list, (int)at + 1);
    lua_pushboolean(L, item->readable);
    lua_setfield(L, -2, "readable");
    lua_pushboolean(L, item->writable);
    lua_setfield(L, -2, "writable");
    lua_pop(L, 1);
}

/* The items are userdata, so that an error raised halfway loses nothing. */
static int l_net_poll(lua_State *L)
{
    uint64_t us = check_us(L, 2);
    struct qm_clock_item *items;
    enum qm_err err;
    size_t len;
    size_t ready;
    size_t i;

    luaL_checktype(L, 1, LUA_TTABLE);
    len = lq_rawlen(L, 1);
    luaL_argcheck(L, len <= QM_CLOCK_POLL_MAX, 1, "too many entries");
    items = lua_newuserdata(L, (len + 1) * sizeof(*items));
    for (i = 0; i < len; i++) {
        read_poll_item(L, 1, i, &items[i]);
    }
    err = qm_clock_poll_us(items, len, us, &ready);
    if (err != QM_OK) {
        return lq_net_push_error(L, err);
    }
    for (i = 0; i < len; i++) {
        write_poll_item(L, 1, i, &items[i]);
    }
    lua_pushinteger(L, (lua_Integer)ready);
    return 1;
}

/* --- module -------------------------------------------------------------- */

/* Whether a person looks at what is written to a descriptor. */
static int l_net_isatty(lua_State *L)
{
    int fd = (int)lq_check_integer(L, 1, 0, INT32_MAX);

    lua_pushboolean(L, isatty(fd) == 1);
    return 1;
}

/* Who holds a socket: after a fork() there are two. */
static int l_net_pid(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)getpid());
    return 1;
}

static const luaL_Reg stream_methods[] = {
    { "connected", l_stream_connected },
    { "read", l_stream_read },
    { "write", l_stream_write },
    { "fd", l_stream_fd },
    { "peer", l_stream_peer },
    { "shutdown", l_stream_shutdown },
    { "reset", l_stream_reset },
    { "close", l_stream_close },
    { NULL, NULL },
};

static const luaL_Reg listener_methods[] = {
    { "accept", l_listener_accept },
    { "fd", l_listener_fd },
    { "port", l_listener_port },
    { "close", l_listener_close },
    { NULL, NULL },
};

static const luaL_Reg signal_methods[] = {
    { "fd", l_signal_fd },
    { "set", l_signal_set },
    { "close", l_signal_close },
    { NULL, NULL },
};

static const luaL_Reg module_functions[] = {
    { "connect", l_net_connect },
    { "listen", l_net_listen },
    { "signal", l_net_signal },
    { "now", l_net_now },
    { "time", l_net_time },
    { "sleep", l_net_sleep },
    { "wait", l_net_wait },
    { "poll", l_net_poll },
    { "pid", l_net_pid },
    { "isatty", l_net_isatty },
    { NULL, NULL },
};

int luaopen_qqmail_net(lua_State *L)
{
    lq_class(L, STREAM_CLASS, stream_methods, NULL, l_stream_close);
    lq_class(L, LISTENER_CLASS, listener_methods, NULL, l_listener_close);
    lq_class(L, SIGNAL_CLASS, signal_methods, NULL, l_signal_close);
    lua_newtable(L);
    lq_setfuncs(L, module_functions);
    lq_resolve_open(L);
    return 1;
}
