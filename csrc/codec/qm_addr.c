#include "codec/qm_addr.h"

#include "base/qm_ascii.h"
#include "base/qm_utf8.h"
#include "codec/qm_addrspec.h"
#include "codec/qm_lookalike.h"
#include "codec/qm_word.h"

static const char why_no_at[] = "has no '@'";
static const char why_name[] =
    "has a blank before the '@'; put '<' and '>' around an address that "
    "follows a name";
static const char why_quote_name[] =
    "needs quotes around a display name with special characters";
static const char why_quote_open[] = "has a quote without an end";
static const char why_comment_open[] = "has a '(' without a ')'";
static const char why_angle_open[] = "has a '<' without a '>'";
static const char why_angle_empty[] = "has nothing between '<' and '>'";
static const char why_route[] =
    "has nothing before the '@' (source routes are not supported)";
static const char why_comma[] = "needs a comma between two addresses";
static const char why_semicolon[] =
    "has a semicolon; separate addresses with a comma";
static const char why_group_open[] =
    "has a group (name: ...) that is not closed by a ';'";
static const char why_group_name[] = "has a ':' without a group name before it";
static const char why_group_nested[] = "has a group inside a group";
static const char why_control[] = "contains a control character";

/* The words before '@', '<' or ':'. */
struct phrase {
    size_t start;
    size_t end; /* past the last word */
    size_t words;
    bool spaced; /* something stands between two of the words */
};

static bool is_blank(char c)
{
    return qm_ascii_is_blank((unsigned char)c);
}

void qm_addr_parser_init(struct qm_addr_parser *parser, struct qm_span text)
{
    size_t valid = qm_utf8_valid_prefix(text);
    size_t i;

    memset(parser, 0, sizeof(*parser));
    parser->text = text;
    for (i = 0; i < valid; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (qm_ascii_is_control(c) && c != '\t') {
            (void)qm_addrspec_fail(parser, i, QM_E_CONTROL, why_control);
            return;
        }
    }
    if (valid < text.len) {
        (void)qm_addrspec_fail(parser, valid, QM_E_UTF8,
                               qm_err_text(QM_E_UTF8));
    }
}

/* --- comments, white space, quoted-strings -------------------------------- */

/* Nesting is counted, not followed: depth costs nothing. */
static enum qm_err skip_comment(struct qm_addr_parser *parser)
{
    size_t start = parser->at;
    size_t depth = 0;

    do {
        char c = qm_addrspec_peek(parser);

        if (c == '\\') {
            parser->at++;
        } else if (c == '(') {
            depth++;
        } else if (c == ')') {
            depth--;
        }
        if (parser->at >= parser->text.len) {
            return qm_addrspec_fail(parser, start, QM_E_SYNTAX,
                                    why_comment_open);
        }
        parser->at++;
    } while (depth > 0);
    return QM_OK;
}

static void skip_blanks(struct qm_addr_parser *parser)
{
    while (is_blank(qm_addrspec_peek(parser))) {
        parser->at++;
    }
}

static enum qm_err skip_blanks_and_comments(struct qm_addr_parser *parser)
{
    enum qm_err err = QM_OK;

    skip_blanks(parser);
    while (err == QM_OK && qm_addrspec_peek(parser) == '(') {
        err = skip_comment(parser);
        if (err == QM_OK) {
            skip_blanks(parser);
        }
    }
    return err;
}

static enum qm_err skip_quoted(struct qm_addr_parser *parser)
{
    size_t start = parser->at++;

    while (parser->at < parser->text.len && qm_addrspec_peek(parser) != '"') {
        parser->at += qm_addrspec_peek(parser) == '\\' ? 2 : 1;
    }
    if (parser->at >= parser->text.len) {
        return qm_addrspec_fail(parser, start, QM_E_SYNTAX, why_quote_open);
    }
    parser->at++;
    return QM_OK;
}

/* --- mailboxes, groups and the list --------------------------------------- */

static enum qm_err take_word(struct qm_addr_parser *parser)
{
    if (qm_addrspec_peek(parser) == '"') {
        return skip_quoted(parser);
    }
    while (qm_addrspec_is_atext(qm_addrspec_peek(parser)) ||
           qm_addrspec_peek(parser) == '.') {
        parser->at++;
    }
    return QM_OK;
}

/* A dot between words is obs-phrase of RFC 5322, which everybody writes. */
static enum qm_err take_phrase(struct qm_addr_parser *parser,
                               struct phrase *phrase)
{
    enum qm_err err = QM_OK;

    phrase->start = parser->at;
    phrase->end = parser->at;
    phrase->words = 0;
    phrase->spaced = false;
    while (err == QM_OK &&
           (qm_addrspec_is_atext(qm_addrspec_peek(parser)) ||
            (qm_addrspec_peek(parser) != '\0' &&
             strchr("\".", qm_addrspec_peek(parser)) != NULL))) {
        phrase->spaced = phrase->spaced || parser->at > phrase->end;
        err = take_word(parser);
        phrase->end = parser->at;
        phrase->words++;
        if (err == QM_OK) {
            err = skip_blanks_and_comments(parser);
        }
    }
    return err;
}

static void set_name(const struct qm_addr_parser *parser,
                     const struct phrase *phrase, struct qm_addr *addr)
{
    struct qm_span name = qm_span_make(parser->text.ptr + phrase->start,
                                       phrase->end - phrase->start);

    addr->name_quoted = phrase->words == 1 && name.ptr[0] == '"';
    if (addr->name_quoted) {
        name = qm_span_make(name.ptr + 1, name.len - 2);
    }
    addr->name = name;
}

static enum qm_err take_angle(struct qm_addr_parser *parser,
                              struct qm_addr *addr)
{
    size_t start = parser->at++;
    enum qm_err err;

    skip_blanks(parser);
    if (qm_addrspec_peek(parser) == '>') {
        return qm_addrspec_fail(parser, start, QM_E_SYNTAX, why_angle_empty);
    }
    if (qm_addrspec_peek(parser) == '@') {
        return qm_addrspec_fault(parser, why_route);
    }
    err = qm_addrspec_take(parser, addr);
    if (err != QM_OK) {
        return err;
    }
    skip_blanks(parser);
    if (qm_addrspec_peek(parser) != '>') {
        return qm_addrspec_fail(parser, start, QM_E_SYNTAX, why_angle_open);
    }
    parser->at++;
    return QM_OK;
}

/* Something other than an address: say what the person may have meant. */
static enum qm_err fail_without_at(struct qm_addr_parser *parser,
                                   const struct phrase *phrase)
{
    size_t at = phrase->start;
    char c = qm_addrspec_peek(parser);

    while (at < phrase->end) {
        size_t len = qm_utf8_char_len(qm_span_from(parser->text, at));
        struct qm_span character = qm_span_make(parser->text.ptr + at, len);

        if (len > 1 && qm_lookalike_is_at(character)) {
            return qm_addrspec_fail(parser, at, QM_E_SYNTAX,
                                    qm_lookalike_why(character, false));
        }
        at += len;
    }
    if (c == ';' && !parser->in_group) {
        return qm_addrspec_fault(parser, why_semicolon);
    }
    if (c != '\0' && c != ',' && c != ';') {
        return qm_addrspec_fault(parser, why_quote_name);
    }
    return qm_addrspec_fail(parser, phrase->start, QM_E_SYNTAX, why_no_at);
}

static enum qm_err start_group(struct qm_addr_parser *parser,
                               const struct phrase *phrase)
{
    if (phrase->words == 0) {
        return qm_addrspec_fault(parser, why_group_name);
    }
    if (parser->in_group) {
        return qm_addrspec_fault(parser, why_group_nested);
    }
    parser->in_group = true;
    parser->at++;
    return QM_E_AGAIN;
}

/* One mailbox; QM_E_AGAIN when it was the head of a group. */
static enum qm_err take_element(struct qm_addr_parser *parser,
                                struct qm_addr *addr)
{
    struct phrase phrase;
    enum qm_err err = take_phrase(parser, &phrase);

    if (err != QM_OK) {
        return err;
    }
    switch (qm_addrspec_peek(parser)) {
    case '@':
        if (phrase.spaced) {
            return qm_addrspec_fail(parser, phrase.start, QM_E_SYNTAX,
                                    why_name);
        }
        parser->at = phrase.start;
        return qm_addrspec_take(parser, addr);
    case '<':
        if (phrase.words > 0) {
            set_name(parser, &phrase, addr);
        }
        return take_angle(parser, addr);
    case ':':
        return start_group(parser, &phrase);
    default:
        return fail_without_at(parser, &phrase);
    }
}

/* After an element: a comma, the end, or the end of the group. */
static enum qm_err check_separator(struct qm_addr_parser *parser)
{
    enum qm_err err = skip_blanks_and_comments(parser);
    char c = qm_addrspec_peek(parser);

    if (err != QM_OK || c == '\0' || c == ',' ||
        (c == ';' && parser->in_group)) {
        return err;
    }
    if (c == ';') {
        return qm_addrspec_fault(parser, why_semicolon);
    }
    return qm_addrspec_fault(parser, c == '<' ? why_quote_name : why_comma);
}

/* Passes commas, blanks and the end of a group; QM_E_EMPTY at the end. */
static enum qm_err find_element(struct qm_addr_parser *parser)
{
    enum qm_err err = skip_blanks_and_comments(parser);

    while (err == QM_OK) {
        char c = qm_addrspec_peek(parser);

        if (c == ';' && parser->in_group) {
            parser->in_group = false;
            parser->at++;
            err = check_separator(parser);
        } else if (c == ',') {
            parser->at++;
            err = skip_blanks_and_comments(parser);
        } else {
            break;
        }
    }
    if (err != QM_OK || parser->at < parser->text.len) {
        return err;
    }
    if (parser->in_group) {
        return qm_addrspec_fault(parser, why_group_open);
    }
    return QM_E_EMPTY;
}

enum qm_err qm_addr_next(struct qm_addr_parser *parser,
                         struct qm_addr *addr_out)
{
    enum qm_err err = parser->err;

    memset(addr_out, 0, sizeof(*addr_out));
    while (err == QM_OK) {
        err = find_element(parser);
        if (err != QM_OK) {
            break;
        }
        err = take_element(parser, addr_out);
        if (err == QM_OK) {
            return check_separator(parser);
        }
        if (err == QM_E_AGAIN) {
            err = QM_OK;
        }
    }
    return err;
}

/* --- display names -------------------------------------------------------- */

/* What stands in quotes from `*rest` on, up to the closing quote if any. */
static void copy_quoted(struct qm_buf *out, struct qm_span *rest)
{
    char c;

    while (rest->len > 0 && rest->ptr[0] != '"') {
        (void)qm_addrspec_plain(rest, &c);
        (void)qm_buf_append_char(out, c);
    }
    *rest = qm_span_from(*rest, 1);
}

static void drop_comment(struct qm_span *rest)
{
    struct qm_addr_parser parser = { *rest, 0, NULL, QM_OK, false };

    (void)skip_comment(&parser);
    *rest = qm_span_from(*rest, parser.at);
}

/* White space and comments between words come down to one space. */
static void copy_phrase(struct qm_buf *out, struct qm_span rest)
{
    bool gap = false;

    while (rest.len > 0 && out->err == QM_OK) {
        char c = rest.ptr[0];

        if (c == '(') {
            drop_comment(&rest);
            gap = true;
            continue;
        }
        rest = qm_span_from(rest, 1);
        if (is_blank(c)) {
            gap = true;
            continue;
        }
        if (gap) {
            (void)qm_buf_append_char(out, ' ');
            gap = false;
        }
        if (c == '"') {
            copy_quoted(out, &rest);
        } else {
            (void)qm_buf_append_char(out, c);
        }
    }
}

enum qm_err qm_addr_plain_name(struct qm_buf *out, const struct qm_addr *addr)
{
    struct qm_span rest = addr->name;
    size_t before = qm_buf_len(out);

    if (addr->name_quoted) {
        copy_quoted(out, &rest);
    } else {
        copy_phrase(out, rest);
    }
    if (out->err != QM_OK) {
        qm_buf_truncate(out, before);
    }
    return out->err;
}

/* Atoms with one space between two of them: what needs no quotes. */
static bool is_plain_phrase(struct qm_span name)
{
    char previous = ' ';
    size_t i;

    for (i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!qm_addrspec_is_atext(c) && (c != ' ' || previous == ' ')) {
            return false;
        }
        previous = c;
    }
    return previous != ' ';
}

static void append_quoted(struct qm_buf *out, struct qm_span text)
{
    size_t i;

    (void)qm_buf_append_char(out, '"');
    for (i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\') {
            (void)qm_buf_append_char(out, '\\');
        }
        (void)qm_buf_append_char(out, text.ptr[i]);
    }
    (void)qm_buf_append_char(out, '"');
}

static bool has_control(struct qm_span text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if (qm_ascii_is_control((unsigned char)text.ptr[i]) &&
            text.ptr[i] != '\t') {
            return true;
        }
    }
    return false;
}

enum qm_err qm_addr_append_name(struct qm_buf *out, struct qm_span name,
                                size_t column)
{
    size_t before = qm_buf_len(out);

    if (qm_word_needed(name)) {
        return qm_word_encode(out, name, QM_WORD_PHRASE, column);
    }
    if (has_control(name)) {
        return QM_E_CONTROL;
    }
    if (name.len == 0 || is_plain_phrase(name)) {
        return qm_buf_append(out, name);
    }
    append_quoted(out, name);
    if (out->err != QM_OK) {
        qm_buf_truncate(out, before);
    }
    return out->err;
}
