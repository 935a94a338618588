#include "smtp/qm_ehlo.h"

#include "base/qm_ascii.h"

static const char *const keywords[] = {
#define QM_EHLO_KEYWORD(flag, keyword) keyword,
    QM_EHLO_LIST(QM_EHLO_KEYWORD)
#undef QM_EHLO_KEYWORD
};

const char *qm_ehlo_keyword(unsigned number)
{
    return number < QM_COUNTOF(keywords) ? keywords[number] : NULL;
}

static bool is_separator(unsigned char c)
{
    return qm_ascii_is_blank(c);
}

/* Next blank-separated token of *rest; empty at the end. */
static struct qm_span take_token(struct qm_span *rest)
{
    struct qm_span token;
    size_t len = 0;

    while (rest->len > 0 && is_separator((unsigned char)rest->ptr[0])) {
        *rest = qm_span_from(*rest, 1);
    }
    while (len < rest->len && !is_separator((unsigned char)rest->ptr[len])) {
        len++;
    }
    token = qm_span_make(rest->ptr, len);
    *rest = qm_span_from(*rest, len);
    return token;
}

static unsigned flag_of(struct qm_span keyword)
{
    unsigned i;

    for (i = 0; i < QM_COUNTOF(keywords); i++) {
        if (qm_ascii_equal_nocase(keyword, qm_span_of(keywords[i]))) {
            return 1u << i;
        }
    }
    return 0;
}

static void read_mechanisms(struct qm_ehlo *ehlo, struct qm_span rest)
{
    struct qm_span token = take_token(&rest);

    while (token.len > 0) {
        ehlo->mechanisms |= qm_sasl_bit_of(token);
        token = take_token(&rest);
    }
}

/*
 * "AUTH=LOGIN PLAIN" is how servers older than RFC 4954 said it; some still
 * say both, and a few only this.
 */
static bool read_old_auth(struct qm_ehlo *ehlo, struct qm_span line)
{
    struct qm_span prefix = qm_span_of("AUTH=");

    if (line.len < prefix.len ||
        !qm_ascii_equal_nocase(qm_span_make(line.ptr, prefix.len), prefix)) {
        return false;
    }
    ehlo->flags |= QM_EHLO_AUTH;
    read_mechanisms(ehlo, qm_span_from(line, prefix.len));
    return true;
}

/* Anything but a number that fits means: no limit known. */
static void read_size(struct qm_ehlo *ehlo, struct qm_span rest)
{
    uint64_t limit;

    if (qm_ascii_to_u64(take_token(&rest), &limit)) {
        ehlo->size_limit = limit;
    }
}

static void read_line(struct qm_ehlo *ehlo, struct qm_span line)
{
    unsigned flag;

    if (read_old_auth(ehlo, line)) {
        return;
    }
    flag = flag_of(take_token(&line));
    ehlo->flags |= flag;
    if (flag == QM_EHLO_SIZE) {
        read_size(ehlo, line);
    } else if (flag == QM_EHLO_AUTH) {
        read_mechanisms(ehlo, line);
    }
}

void qm_ehlo_read(struct qm_ehlo *ehlo, const struct qm_reply *reply)
{
    struct qm_span rest = qm_buf_span(&reply->lines);
    struct qm_span line;

    memset(ehlo, 0, sizeof(*ehlo));
    /* The first line is the server's name and greeting, not a keyword. */
    (void)qm_reply_next_line(&rest, &line);
    while (qm_reply_next_line(&rest, &line)) {
        read_line(ehlo, line);
    }
}
