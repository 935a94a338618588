/*
 * core.codec: the codec floor for the Lua layer and for specs.
 *
 * Output is collected in a scratch object, a userdata that owns a buffer: when
 * Lua raises for lack of memory, the collector still finds and frees it.
 */
#include "lua/lq_core.h"

#include "base/qm_utf8.h"
#include "codec/qm_addr.h"
#include "codec/qm_base64.h"
#include "codec/qm_charset.h"
#include "codec/qm_chinese.h"
#include "codec/qm_date.h"
#include "codec/qm_dot.h"
#include "codec/qm_fold.h"
#include "codec/qm_html_image.h"
#include "codec/qm_html_text.h"
#include "codec/qm_idna.h"
#include "codec/qm_param.h"
#include "codec/qm_qp.h"
#include "codec/qm_word.h"
#include "lua/lq_util.h"

#define SCRATCH_CLASS "qqmail.codec_scratch"
#define STREAM_CLASS  "qqmail.codec_stream"

/* No encoder answers with more than 16 bytes for one, and a frame. */
enum { GROWTH = 16, FRAME = 16384, STEP = 4096 };

enum stream_kind { STREAM_BASE64, STREAM_QP, STREAM_DOT };

struct stream {
    enum stream_kind kind;
    union {
        struct qm_base64 base64;
        struct qm_qp qp;
        struct qm_dot dot;
    } state;
};

/* --- scratch -------------------------------------------------------------- */

static int l_scratch_close(lua_State *L)
{
    qm_buf_deinit(luaL_checkudata(L, 1, SCRATCH_CLASS));
    return 0;
}

/* Pushes an empty buffer for the output of `input_len` bytes. */
static struct qm_buf *new_scratch(lua_State *L, size_t input_len)
{
    struct qm_buf *buf = lq_new_object(L, sizeof(*buf), SCRATCH_CLASS);
    size_t most = (SIZE_MAX - FRAME) / GROWTH;

    qm_buf_init(buf, (input_len < most ? input_len : most) * GROWTH + FRAME,
                false);
    return buf;
}

static void push_content(lua_State *L, const struct qm_buf *buf)
{
    struct qm_span content = qm_buf_span(buf);

    lua_pushlstring(L, content.len > 0 ? content.ptr : "", content.len);
}

/* What a binding returns: the content, or nil, name, text. */
static int push_result(lua_State *L, struct qm_buf *buf, enum qm_err err)
{
    if (err == QM_OK) {
        push_content(L, buf);
    }
    qm_buf_deinit(buf);
    return err == QM_OK ? 1 : lq_push_error(L, err);
}

/* nil, name, text, position: `at` counts from 0. */
static int push_fault(lua_State *L, enum qm_err err, const char *why, size_t at)
{
    (void)lq_push_error_text(L, err, why);
    lua_pushinteger(L, (lua_Integer)at + 1);
    return 4;
}

/* --- streaming encoders --------------------------------------------------- */

static void start_stream(struct stream *stream, enum stream_kind kind,
                         bool flag)
{
    stream->kind = kind;
    if (kind == STREAM_BASE64) {
        qm_base64_init(&stream->state.base64, flag);
    } else if (kind == STREAM_QP) {
        qm_qp_init(&stream->state.qp);
    } else {
        qm_dot_init(&stream->state.dot, flag);
    }
}

static void step_stream(struct stream *stream, struct qm_span input, char *out,
                        size_t *used_out, size_t *written_out)
{
    if (stream->kind == STREAM_BASE64) {
        qm_base64_update(&stream->state.base64, input, out, STEP, used_out,
                         written_out);
    } else if (stream->kind == STREAM_QP) {
        qm_qp_update(&stream->state.qp, input, out, STEP, used_out,
                     written_out);
    } else {
        qm_dot_update(&stream->state.dot, input, out, STEP, used_out,
                      written_out);
    }
}

static enum qm_err update_stream(struct stream *stream, struct qm_span input,
                                 struct qm_buf *out)
{
    while (input.len > 0) {
        char *room = qm_buf_reserve(out, STEP);
        size_t used;
        size_t written;

        if (room == NULL) {
            return out->err;
        }
        step_stream(stream, input, room, &used, &written);
        qm_buf_commit(out, written);
        input = qm_span_from(input, used);
    }
    return QM_OK;
}

static enum qm_err finish_stream(struct stream *stream, struct qm_buf *out)
{
    char *room = qm_buf_reserve(out, STEP);

    if (room == NULL) {
        return out->err;
    }
    if (stream->kind == STREAM_BASE64) {
        qm_buf_commit(out, qm_base64_finish(&stream->state.base64, room));
    } else if (stream->kind == STREAM_QP) {
        qm_buf_commit(out, qm_qp_finish(&stream->state.qp, room));
    } else {
        qm_buf_commit(out, qm_dot_finish(&stream->state.dot, room));
    }
    return QM_OK;
}

static int l_stream_update(lua_State *L)
{
    struct stream *stream = luaL_checkudata(L, 1, STREAM_CLASS);
    struct qm_span input = lq_check_span(L, 2);
    struct qm_buf *out = new_scratch(L, input.len);

    return push_result(L, out, update_stream(stream, input, out));
}

static int l_stream_finish(lua_State *L)
{
    struct stream *stream = luaL_checkudata(L, 1, STREAM_CLASS);
    struct qm_buf *out = new_scratch(L, 0);

    return push_result(L, out, finish_stream(stream, out));
}

static int l_stream_close(lua_State *L)
{
    (void)L; /* a stream owns nothing */
    return 0;
}

static int push_stream(lua_State *L, enum stream_kind kind, bool flag)
{
    struct stream *stream = lq_new_object(L, sizeof(*stream), STREAM_CLASS);

    start_stream(stream, kind, flag);
    return 1;
}

/* base64_stream([wrap]), qp_stream(), dot_stream() -> stream */
static int l_codec_base64_stream(lua_State *L)
{
    return push_stream(L, STREAM_BASE64, lua_toboolean(L, 1));
}

static int l_codec_qp_stream(lua_State *L)
{
    return push_stream(L, STREAM_QP, false);
}

static int l_codec_dot_stream(lua_State *L)
{
    return push_stream(L, STREAM_DOT, true);
}

static int encode_whole(lua_State *L, enum stream_kind kind, bool flag)
{
    struct qm_span input = lq_check_span(L, 1);
    struct qm_buf *out = new_scratch(L, input.len);
    struct stream stream;
    enum qm_err err;

    start_stream(&stream, kind, flag);
    err = update_stream(&stream, input, out);
    if (err == QM_OK) {
        err = finish_stream(&stream, out);
    }
    return push_result(L, out, err);
}

/* base64(s [, wrap]), qp(s), dot(s) -> string */
static int l_codec_base64(lua_State *L)
{
    return encode_whole(L, STREAM_BASE64, lua_toboolean(L, 2));
}

static int l_codec_qp(lua_State *L)
{
    return encode_whole(L, STREAM_QP, false);
}

static int l_codec_dot(lua_State *L)
{
    return encode_whole(L, STREAM_DOT, true);
}

/* base64_decode(s) -> string | nil, name, text */
static int l_codec_base64_decode(lua_State *L)
{
    struct qm_span input = lq_check_span(L, 1);
    struct qm_buf *out = new_scratch(L, input.len);
    char *room = qm_buf_reserve(out, input.len / 4 * 3 + 3);
    size_t written = 0;
    enum qm_err err = out->err;

    if (room != NULL) {
        err = qm_base64_decode(input, room, &written);
        qm_buf_commit(out, written);
    }
    return push_result(L, out, err);
}

/* --- header text ---------------------------------------------------------- */

/* word(s [, place [, column]]) -> string | nil, name, text */
static int l_codec_word(lua_State *L)
{
    static const char *const places[] = { "text", "phrase", "quoted", NULL };
    static const enum qm_word_place values[] = { QM_WORD_TEXT, QM_WORD_PHRASE,
                                                 QM_WORD_QUOTED };
    struct qm_span text = lq_check_span(L, 1);
    int place = luaL_checkoption(L, 2, "text", places);
    int64_t column =
        lua_isnoneornil(L, 3) ? 0 : lq_check_integer(L, 3, 0, 1000000);
    struct qm_buf *out = new_scratch(L, text.len);

    return push_result(
        L, out, qm_word_encode(out, text, values[place], (size_t)column));
}

static int l_codec_word_needed(lua_State *L)
{
    lua_pushboolean(L, qm_word_needed(lq_check_span(L, 1)));
    return 1;
}

/* param(name, value [, form]) -> string | nil, name, text */
static int l_codec_param(lua_State *L)
{
    static const char *const forms[] = { "rfc2231", "rfc2047", NULL };
    struct qm_span name = lq_check_span(L, 1);
    struct qm_span value = lq_check_span(L, 2);
    int form = luaL_checkoption(L, 3, "rfc2231", forms);
    struct qm_buf *out = new_scratch(L, value.len);

    return push_result(
        L, out,
        qm_param_append(out, name, value,
                        form == 0 ? QM_PARAM_RFC2231 : QM_PARAM_RFC2047));
}

/* base_name(path) -> string, empty when nothing is left */
static int l_codec_base_name(lua_State *L)
{
    struct qm_span name = qm_param_base_name(lq_check_span(L, 1));

    lua_pushlstring(L, name.len > 0 ? name.ptr : "", name.len);
    return 1;
}

/* fold(name, value) -> field with its CRLF | nil, name, text */
static int l_codec_fold(lua_State *L)
{
    struct qm_span name = lq_check_span(L, 1);
    struct qm_span value = lq_check_span(L, 2);
    struct qm_buf *out = new_scratch(L, value.len);

    return push_result(L, out, qm_fold_field(out, name, value));
}

static int l_codec_field_name(lua_State *L)
{
    lua_pushboolean(L, qm_fold_is_field_name(lq_check_span(L, 1)));
    return 1;
}

/* date(seconds, offset_minutes) -> string | nil, name, text */
static int l_codec_date(lua_State *L)
{
    int64_t limit = INT64_C(1) << 53;
    int64_t seconds = lq_check_integer(L, 1, -limit, limit);
    int64_t offset = lq_check_integer(L, 2, -10000, 10000);
    char date[QM_DATE_SIZE];
    enum qm_err err = qm_date_format(seconds, (int)offset, date);

    if (err != QM_OK) {
        return lq_push_error(L, err);
    }
    lua_pushstring(L, date);
    return 1;
}

/* --- addresses ------------------------------------------------------------ */

/* Sets field `key` of the table on top to the content, and empties `buf`. */
static void set_text(lua_State *L, const char *key, struct qm_buf *buf)
{
    push_content(L, buf);
    lua_setfield(L, -2, key);
    qm_buf_reset(buf);
}

/* Pushes { name=, address=, local_part=, domain=, utf8= }. */
static enum qm_err push_address(lua_State *L, const struct qm_addr *addr,
                                struct qm_buf *buf)
{
    lua_createtable(L, 0, 5);
    if (qm_addr_plain_name(buf, addr) == QM_OK && qm_buf_len(buf) > 0) {
        set_text(L, "name", buf);
    }
    if (qm_addr_append_spec(buf, addr) == QM_OK) {
        set_text(L, "address", buf);
    }
    if (qm_addr_plain_local(buf, addr) == QM_OK) {
        set_text(L, "local_part", buf);
    }
    lua_pushlstring(L, addr->domain.ptr, addr->domain.len);
    lua_setfield(L, -2, "domain");
    lua_pushboolean(L, addr->utf8);
    lua_setfield(L, -2, "utf8");
    return buf->err;
}

/* addresses(text) -> list | nil, name, text, position */
static int l_codec_addresses(lua_State *L)
{
    struct qm_span text = lq_check_span(L, 1);
    struct qm_buf *buf = new_scratch(L, text.len);
    struct qm_addr_parser parser;
    struct qm_addr addr;
    enum qm_err err;
    int count = 0;

    qm_addr_parser_init(&parser, text);
    lua_newtable(L);
    err = qm_addr_next(&parser, &addr);
    while (err == QM_OK) {
        err = push_address(L, &addr, buf);
        lua_rawseti(L, -2, ++count);
        if (err == QM_OK) {
            err = qm_addr_next(&parser, &addr);
        }
    }
    qm_buf_deinit(buf);
    return err == QM_E_EMPTY ? 1 : push_fault(L, err, parser.why, parser.at);
}

/* address(text) -> one address | nil, name, text, position */
static int l_codec_address(lua_State *L)
{
    struct qm_span text = lq_check_span(L, 1);
    struct qm_buf *buf = new_scratch(L, text.len);
    struct qm_addr addr;
    const char *why;
    size_t at;
    enum qm_err err = qm_addr_spec(text, &addr, &at, &why);

    if (err != QM_OK) {
        return push_fault(L, err, why, at);
    }
    err = push_address(L, &addr, buf);
    qm_buf_deinit(buf);
    return err == QM_OK ? 1 : lq_push_error(L, err);
}

/* Appends `name <address>`, or the address alone without a name. */
static enum qm_err append_mailbox(struct qm_buf *out, struct qm_span name,
                                  const struct qm_addr *addr)
{
    enum qm_err err = qm_addr_append_name(out, name, 0);

    if (err == QM_OK && name.len > 0) {
        err = qm_buf_append_text(out, " <");
    }
    if (err == QM_OK) {
        err = qm_addr_append_spec(out, addr);
    }
    if (err == QM_OK && name.len > 0) {
        err = qm_buf_append_char(out, '>');
    }
    return err;
}

/* mailbox(name, address) -> header form | nil, name, text [, position] */
static int l_codec_mailbox(lua_State *L)
{
    struct qm_span name = lq_opt_span(L, 1, NULL);
    struct qm_span text = lq_check_span(L, 2);
    struct qm_buf *out = new_scratch(L, name.len + text.len);
    struct qm_addr addr;
    const char *why;
    size_t at;
    enum qm_err err = qm_addr_spec(text, &addr, &at, &why);

    if (err != QM_OK) {
        return push_fault(L, err, why, at);
    }
    return push_result(L, out, append_mailbox(out, name, &addr));
}

/* --- charsets ------------------------------------------------------------- */

static int l_codec_reply_text(lua_State *L)
{
    struct qm_span text = lq_check_span(L, 1);
    struct qm_buf *out = new_scratch(L, text.len);

    return push_result(L, out, qm_charset_reply(out, text));
}

/* convert(s, charset) -> string | nil, name, text [, position] */
static int l_codec_convert(lua_State *L)
{
    struct qm_span text = lq_check_span(L, 1);
    struct qm_span charset = lq_check_span(L, 2);
    struct qm_buf *out;
    enum qm_err err;
    size_t at = 0;

    luaL_argcheck(L, strlen(charset.ptr) == charset.len, 2, "contains NUL");
    out = new_scratch(L, text.len);
    err = qm_charset_convert(out, charset.ptr, text, &at);
    if (err == QM_E_SYNTAX) {
        return push_fault(L, err, NULL, at);
    }
    return push_result(L, out, err);
}

/* guess_charset(s) -> "utf-8", "gb18030" or "big5" */
static int l_codec_guess_charset(lua_State *L)
{
    struct qm_span text = lq_check_span(L, 1);

    if (qm_utf8_is_valid(text) && !qm_chinese_is_gb_in_utf8(text)) {
        lua_pushliteral(L, "utf-8");
    } else if (qm_chinese_is_big5(text)) {
        lua_pushliteral(L, "big5");
    } else {
        lua_pushliteral(L, "gb18030");
    }
    return 1;
}

/* domain_to_ascii(s) -> string | nil, name, text */
static int l_codec_domain_to_ascii(lua_State *L)
{
    struct qm_span domain = lq_check_span(L, 1);
    struct qm_buf *out = new_scratch(L, domain.len);

    return push_result(L, out, qm_idna_to_ascii(out, QM_IDNA_LIBRARY, domain));
}

/* html_text(s) -> string | nil, name, text */
static int l_codec_html_text(lua_State *L)
{
    struct qm_span html = lq_check_span(L, 1);
    struct qm_buf *out = new_scratch(L, html.len);

    return push_result(L, out, qm_html_text(out, html));
}

/* Fills the table on top of the stack; `first` is where the input begins. */
static enum qm_err push_image(lua_State *L, struct qm_buf *scratch,
                              const struct qm_html_value *address,
                              const char *first)
{
    size_t at = (size_t)(address->text.ptr - first);
    struct qm_span url;

    qm_buf_truncate(scratch, 0);
    if (qm_html_image_append(scratch, address) != QM_OK) {
        return scratch->err;
    }
    url = qm_buf_span(scratch);
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, (lua_Integer)at + 1);
    lua_setfield(L, -2, "first");
    lua_pushinteger(L, (lua_Integer)at + (lua_Integer)address->text.len);
    lua_setfield(L, -2, "last");
    lua_pushlstring(L, url.ptr, url.len);
    lua_setfield(L, -2, "url");
    lua_pushboolean(L, address->form == QM_HTML_CSS);
    lua_setfield(L, -2, "css");
    return QM_OK;
}

/* html_images(s) -> list of { first =, last =, url =, css = } in order */
static int l_codec_html_images(lua_State *L)
{
    struct qm_span html = lq_check_span(L, 1);
    struct qm_buf *scratch = new_scratch(L, html.len);
    struct qm_html_images images;
    struct qm_html_value address;
    int count = 0;

    lua_newtable(L);
    qm_html_images_init(&images, html);
    while (qm_html_images_next(&images, &address)) {
        if (push_image(L, scratch, &address, html.ptr) != QM_OK) {
            return lq_push_error(L, scratch->err);
        }
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

/* utf8_fault(s) -> nil | position of the first byte that is wrong */
static int l_codec_utf8_fault(lua_State *L)
{
    struct qm_span text = lq_check_span(L, 1);
    size_t valid = qm_utf8_valid_prefix(text);

    if (valid == text.len) {
        lua_pushnil(L);
    } else {
        lua_pushinteger(L, (lua_Integer)valid + 1);
    }
    return 1;
}

static const luaL_Reg stream_methods[] = {
    { "update", l_stream_update },
    { "finish", l_stream_finish },
    { NULL, NULL },
};

static const luaL_Reg no_methods[] = {
    { NULL, NULL },
};

static const luaL_Reg functions[] = {
    { "base64", l_codec_base64 },
    { "base64_decode", l_codec_base64_decode },
    { "base64_stream", l_codec_base64_stream },
    { "qp", l_codec_qp },
    { "qp_stream", l_codec_qp_stream },
    { "dot", l_codec_dot },
    { "dot_stream", l_codec_dot_stream },
    { "word", l_codec_word },
    { "word_needed", l_codec_word_needed },
    { "param", l_codec_param },
    { "base_name", l_codec_base_name },
    { "fold", l_codec_fold },
    { "field_name", l_codec_field_name },
    { "date", l_codec_date },
    { "addresses", l_codec_addresses },
    { "address", l_codec_address },
    { "mailbox", l_codec_mailbox },
    { "reply_text", l_codec_reply_text },
    { "convert", l_codec_convert },
    { "guess_charset", l_codec_guess_charset },
    { "domain_to_ascii", l_codec_domain_to_ascii },
    { "html_text", l_codec_html_text },
    { "html_images", l_codec_html_images },
    { "utf8_fault", l_codec_utf8_fault },
    { NULL, NULL },
};

void lq_codec_open(lua_State *L)
{
    lq_class(L, SCRATCH_CLASS, no_methods, NULL, l_scratch_close);
    lq_class(L, STREAM_CLASS, stream_methods, NULL, l_stream_close);
    lua_newtable(L);
    lq_setfuncs(L, functions);
    lua_setfield(L, -2, "codec");
}
