#include "tls/qm_tls_host.h"

#include "base/qm_ascii.h"
#include "base/qm_utf8.h"

#include <arpa/inet.h>

enum { NAME_MAX_LEN = 253 }; /* RFC 1035, section 3.1, in text form */

static struct qm_span strip(struct qm_span name)
{
    if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']') {
        return qm_span_make(name.ptr + 1, name.len - 2);
    }
    if (name.len > 1 && name.ptr[name.len - 1] == '.') {
        name.len--;
    }
    return name;
}

/* Underscores occur in internal networks. */
static bool in_label(unsigned char c)
{
    return qm_ascii_is_alnum(c) || c == '-' || c == '_';
}

static bool is_dns_name(struct qm_span name)
{
    bool label_empty = true;
    size_t i;

    for (i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];

        if (c != '.' && !in_label(c)) {
            return false;
        }
        if (c == '.' && label_empty) {
            return false;
        }
        label_empty = c == '.';
    }
    return !label_empty;
}

static bool is_address(const char *text)
{
    unsigned char binary[16];

    return inet_pton(AF_INET, text, binary) == 1 ||
           inet_pton(AF_INET6, text, binary) == 1;
}

enum qm_err qm_tls_host_set(struct qm_tls_host *host, struct qm_span name)
{
    memset(host, 0, sizeof(*host));
    name = strip(name);
    if (name.len == 0) {
        return QM_E_EMPTY;
    }
    if (name.len > NAME_MAX_LEN) {
        return QM_E_TOO_LONG;
    }
    if (qm_utf8_has_high(name)) {
        return QM_E_NONASCII;
    }
    if (memchr(name.ptr, '\0', name.len) != NULL) {
        return QM_E_SYNTAX;
    }
    memcpy(host->text, name.ptr, name.len);
    if (is_address(host->text)) {
        host->kind = QM_TLS_HOST_ADDRESS;
        return QM_OK;
    }
    if (!is_dns_name(name)) {
        memset(host, 0, sizeof(*host));
        return QM_E_SYNTAX;
    }
    host->kind = QM_TLS_HOST_NAME;
    return QM_OK;
}
