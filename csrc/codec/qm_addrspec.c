#include "codec/qm_addrspec.h"

#include "base/qm_ascii.h"
#include "base/qm_utf8.h"
#include "codec/qm_literal.h"
#include "codec/qm_lookalike.h"

static const char why_no_at[] = "has no '@'";
static const char why_no_local[] = "has nothing before the '@'";
static const char why_no_domain[] = "has nothing after the '@'";
static const char why_second_at[] = "has more than one '@'";
static const char why_blank[] = "has a blank or a comment inside the address";
static const char why_local_char[] =
    "contains a character that is not allowed before the '@'";
static const char why_local_quotes[] =
    "has quotes that do not enclose all that stands before the '@'";
static const char why_local_dot[] =
    "has a dot at the start, at the end or twice in a row before the '@'";
static const char why_local_long[] = "has more than 64 bytes before the '@'";
static const char why_domain_char[] =
    "contains a character that is not allowed after the '@'";
static const char why_domain_dot[] =
    "has a dot at the start, at the end or twice in a row after the '@'";
static const char why_domain_hyphen[] =
    "has a hyphen at the start or at the end of a domain label";
static const char why_label_long[] =
    "has a domain label of more than 63 characters";
static const char why_domain_long[] = "has more than 255 bytes after the '@'";
static const char why_path_long[] = "is longer than 254 bytes";
static const char why_literal[] =
    "has brackets that hold no IP address ([192.0.2.1], [IPv6:2001:db8::1])";
static const char why_quote_open[] = "has a quote without an end";
static const char why_control[] = "contains a control character";

enum qm_err qm_addrspec_fail(struct qm_addr_parser *parser, size_t at,
                             enum qm_err err, const char *why)
{
    parser->at = at;
    parser->err = err;
    parser->why = why;
    return err;
}

enum qm_err qm_addrspec_fault(struct qm_addr_parser *parser, const char *why)
{
    return qm_addrspec_fail(parser, parser->at, QM_E_SYNTAX, why);
}

char qm_addrspec_peek(const struct qm_addr_parser *parser)
{
    return parser->at < parser->text.len ? parser->text.ptr[parser->at] : '\0';
}

static struct qm_span since(const struct qm_addr_parser *parser, size_t start)
{
    return qm_span_make(parser->text.ptr + start, parser->at - start);
}

static bool is_high(char c)
{
    return (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
    return qm_ascii_is_blank((unsigned char)c);
}

bool qm_addrspec_is_atext(char c)
{
    return qm_ascii_is_alnum((unsigned char)c) || is_high(c) ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* --- the plain meaning of a local part ------------------------------------ */

static struct qm_span local_inside(const struct qm_addr *addr)
{
    if (!addr->local_quoted) {
        return addr->local;
    }
    return qm_span_make(addr->local.ptr + 1, addr->local.len - 2);
}

/* Takes one byte of meaning: a backslash stands for what follows it. */
bool qm_addrspec_plain(struct qm_span *rest, char *c_out)
{
    if (rest->len > 1 && rest->ptr[0] == '\\') {
        *rest = qm_span_from(*rest, 1);
    }
    if (rest->len == 0) {
        return false;
    }
    *c_out = rest->ptr[0];
    *rest = qm_span_from(*rest, 1);
    return true;
}

static bool is_dot_atom(struct qm_span inside)
{
    char previous = '.';
    char c;

    while (qm_addrspec_plain(&inside, &c)) {
        if (!qm_addrspec_is_atext(c) && (c != '.' || previous == '.')) {
            return false;
        }
        previous = c;
    }
    return previous != '.';
}

static bool is_escaped(char c)
{
    return c == '"' || c == '\\';
}

/* Bytes the local part takes when qm_addr_append_spec() writes it. */
static size_t local_width(const struct qm_addr *addr)
{
    struct qm_span inside = local_inside(addr);
    size_t width = is_dot_atom(inside) ? 0 : 2;
    char c;

    while (qm_addrspec_plain(&inside, &c)) {
        width += is_escaped(c) ? 2 : 1;
    }
    return width;
}

/* --- local@domain --------------------------------------------------------- */

/* Passes one character above 127 that is fit for an address. */
static enum qm_err take_high(struct qm_addr_parser *parser,
                             struct qm_addr *addr, bool first)
{
    struct qm_span rest = qm_span_from(parser->text, parser->at);
    size_t len = qm_utf8_char_len(rest);
    const char *why = qm_lookalike_why(qm_span_make(rest.ptr, len), first);

    if (why != NULL) {
        return qm_addrspec_fault(parser, why);
    }
    addr->utf8 = true;
    parser->at += len;
    return QM_OK;
}

static enum qm_err take_dot_atom(struct qm_addr_parser *parser,
                                 struct qm_addr *addr)
{
    enum qm_err err = QM_OK;
    size_t start = parser->at;
    bool after_dot = true;

    while (err == QM_OK && (qm_addrspec_is_atext(qm_addrspec_peek(parser)) ||
                            qm_addrspec_peek(parser) == '.')) {
        bool dot = qm_addrspec_peek(parser) == '.';

        if (dot && after_dot) {
            return qm_addrspec_fault(parser, why_local_dot);
        }
        if (is_high(qm_addrspec_peek(parser))) {
            err = take_high(parser, addr, after_dot);
        } else {
            parser->at++;
        }
        after_dot = dot;
    }
    if (err == QM_OK && after_dot && parser->at > start) {
        parser->at--;
        return qm_addrspec_fault(parser, why_local_dot);
    }
    return err;
}

/* RFC 5321 section 4.1.2: a quoted pair is ASCII, and neither form a control.
 */
static enum qm_err take_quoted_local(struct qm_addr_parser *parser,
                                     struct qm_addr *addr)
{
    enum qm_err err = QM_OK;
    size_t start = parser->at++;

    while (err == QM_OK && qm_addrspec_peek(parser) != '"') {
        if (qm_addrspec_peek(parser) == '\\') {
            parser->at++;
            if (is_high(qm_addrspec_peek(parser))) {
                return qm_addrspec_fault(parser, why_local_char);
            }
        }
        if (parser->at >= parser->text.len) {
            return qm_addrspec_fail(parser, start, QM_E_SYNTAX, why_quote_open);
        }
        if (qm_addrspec_peek(parser) == '\t') {
            return qm_addrspec_fail(parser, parser->at, QM_E_CONTROL,
                                    why_control);
        }
        if (is_high(qm_addrspec_peek(parser))) {
            err = take_high(parser, addr, parser->at == start + 1);
        } else {
            parser->at++;
        }
    }
    if (err == QM_OK) {
        parser->at++;
        addr->local_quoted = true;
    }
    return err;
}

/* What to say when something else than '@' follows the local part. */
static const char *why_not_at(const struct qm_addr_parser *parser)
{
    char c = qm_addrspec_peek(parser);

    if (c == '\0' || c == '>' || c == ',' || c == ';') {
        return why_no_at;
    }
    if (is_blank(c) || c == '(') {
        return why_blank;
    }
    return c == '"' || c == '.' || qm_addrspec_is_atext(c) ? why_local_quotes
                                                           : why_local_char;
}

static enum qm_err take_local(struct qm_addr_parser *parser,
                              struct qm_addr *addr)
{
    size_t start = parser->at;
    enum qm_err err;

    addr->local_quoted = false;
    addr->utf8 = false;
    if (qm_addrspec_peek(parser) == '"') {
        err = take_quoted_local(parser, addr);
    } else {
        err = take_dot_atom(parser, addr);
    }
    if (err != QM_OK) {
        return err;
    }
    addr->local = since(parser, start);
    if (qm_addrspec_peek(parser) != '@') {
        return qm_addrspec_fault(parser, why_not_at(parser));
    }
    if (local_inside(addr).len == 0) {
        return qm_addrspec_fault(parser, why_no_local);
    }
    if (local_width(addr) > QM_ADDR_LOCAL_MAX) {
        return qm_addrspec_fail(parser, start, QM_E_TOO_LONG, why_local_long);
    }
    return QM_OK;
}

static enum qm_err take_literal(struct qm_addr_parser *parser)
{
    size_t start = parser->at++;
    struct qm_span inside;

    while (parser->at < parser->text.len && qm_addrspec_peek(parser) != ']') {
        parser->at++;
    }
    inside = since(parser, start + 1);
    if (qm_addrspec_peek(parser) != ']' || !qm_literal_is_valid(inside)) {
        return qm_addrspec_fail(parser, start, QM_E_SYNTAX, why_literal);
    }
    parser->at++;
    return QM_OK;
}

/*
 * One label. The underscore is in no host name of RFC 5321, but in names people
 * give to hosts of their own.
 */
static enum qm_err take_label(struct qm_addr_parser *parser,
                              struct qm_addr *addr)
{
    enum qm_err err = QM_OK;
    size_t start = parser->at;
    size_t characters = 0;

    while (err == QM_OK) {
        char c = qm_addrspec_peek(parser);

        if (is_high(c)) {
            err = take_high(parser, addr, parser->at == start);
        } else if (qm_ascii_is_alnum((unsigned char)c) || c == '-' ||
                   c == '_') {
            parser->at++;
        } else {
            break;
        }
        characters++;
    }
    if (err != QM_OK || characters == 0) {
        return err;
    }
    if (parser->text.ptr[start] == '-' ||
        parser->text.ptr[parser->at - 1] == '-') {
        return qm_addrspec_fail(parser, start, QM_E_SYNTAX, why_domain_hyphen);
    }
    if (characters > QM_ADDR_LABEL_MAX) {
        return qm_addrspec_fail(parser, start, QM_E_TOO_LONG, why_label_long);
    }
    return QM_OK;
}

static enum qm_err take_labels(struct qm_addr_parser *parser,
                               struct qm_addr *addr)
{
    for (;;) {
        size_t start = parser->at;
        enum qm_err err = take_label(parser, addr);

        if (err != QM_OK) {
            return err;
        }
        if (parser->at == start) {
            return qm_addrspec_fault(parser, why_domain_dot);
        }
        if (qm_addrspec_peek(parser) != '.') {
            return QM_OK;
        }
        parser->at++;
    }
}

/* Refuses what can neither be in a domain nor follow one. */
static enum qm_err check_domain_end(struct qm_addr_parser *parser)
{
    char c = qm_addrspec_peek(parser);

    if (c == '@') {
        return qm_addrspec_fault(parser, why_second_at);
    }
    if (c != '\0' && !is_blank(c) && strchr(",;<>(", c) == NULL) {
        return qm_addrspec_fault(parser, why_domain_char);
    }
    return QM_OK;
}

static enum qm_err take_domain(struct qm_addr_parser *parser,
                               struct qm_addr *addr)
{
    size_t start = parser->at;
    char c = qm_addrspec_peek(parser);
    enum qm_err err;

    if (c == '\0' || (c != '[' && strchr(",;<>", c) != NULL)) {
        return qm_addrspec_fault(parser, why_no_domain);
    }
    if (is_blank(c) || c == '(') {
        return qm_addrspec_fault(parser, why_blank);
    }
    if (c == '@') {
        return qm_addrspec_fault(parser, why_second_at);
    }
    if (c == '[') {
        err = take_literal(parser);
    } else if (is_high(c) || c == '.' || c == '-' || c == '_' ||
               qm_ascii_is_alnum((unsigned char)c)) {
        err = take_labels(parser, addr);
    } else {
        err = qm_addrspec_fault(parser, why_domain_char);
    }
    if (err != QM_OK) {
        return err;
    }
    addr->domain = since(parser, start);
    if (addr->domain.len > QM_ADDR_DOMAIN_MAX) {
        return qm_addrspec_fail(parser, start, QM_E_TOO_LONG, why_domain_long);
    }
    return check_domain_end(parser);
}

enum qm_err qm_addrspec_take(struct qm_addr_parser *parser,
                             struct qm_addr *addr)
{
    size_t start = parser->at;
    enum qm_err err = take_local(parser, addr);

    if (err != QM_OK) {
        return err;
    }
    parser->at++;
    err = take_domain(parser, addr);
    if (err == QM_OK &&
        local_width(addr) + 1 + addr->domain.len > QM_ADDR_PATH_MAX) {
        return qm_addrspec_fail(parser, start, QM_E_TOO_LONG, why_path_long);
    }
    return err;
}

enum qm_err qm_addr_append_spec(struct qm_buf *out, const struct qm_addr *addr)
{
    struct qm_span inside = local_inside(addr);
    size_t before = qm_buf_len(out);
    bool quoted = !is_dot_atom(inside);
    char c;

    (void)qm_buf_append_text(out, quoted ? "\"" : "");
    while (qm_addrspec_plain(&inside, &c)) {
        if (is_escaped(c)) {
            (void)qm_buf_append_char(out, '\\');
        }
        (void)qm_buf_append_char(out, c);
    }
    (void)qm_buf_append_text(out, quoted ? "\"@" : "@");
    if (qm_buf_append(out, addr->domain) != QM_OK) {
        qm_buf_truncate(out, before);
    }
    return out->err;
}

enum qm_err qm_addr_plain_local(struct qm_buf *out, const struct qm_addr *addr)
{
    struct qm_span inside = local_inside(addr);
    size_t before = qm_buf_len(out);
    enum qm_err err = QM_OK;
    char c;

    while (err == QM_OK && qm_addrspec_plain(&inside, &c)) {
        err = qm_buf_append_char(out, c);
    }
    if (err != QM_OK) {
        qm_buf_truncate(out, before);
    }
    return err;
}

enum qm_err qm_addr_spec(struct qm_span text, struct qm_addr *addr_out,
                         size_t *fault_at_out, const char **why_out)
{
    struct qm_addr_parser parser;
    enum qm_err err;

    memset(addr_out, 0, sizeof(*addr_out));
    qm_addr_parser_init(&parser, text);
    err = parser.err;
    if (text.len == 0) {
        err = qm_addrspec_fail(&parser, 0, QM_E_EMPTY, qm_err_text(QM_E_EMPTY));
    }
    if (err == QM_OK) {
        err = qm_addrspec_take(&parser, addr_out);
    }
    if (err == QM_OK && parser.at < text.len) {
        char c = qm_addrspec_peek(&parser);

        err = qm_addrspec_fault(
            &parser, is_blank(c) || c == '(' ? why_blank : why_domain_char);
    }
    if (fault_at_out != NULL) {
        *fault_at_out = parser.at;
    }
    if (why_out != NULL) {
        *why_out = parser.why;
    }
    return err;
}
