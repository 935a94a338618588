#include "net/qm_address.h"

#include <netdb.h>
#include <stdio.h>

enum qm_err qm_address_copy(const struct sockaddr *name, socklen_t len,
                            struct qm_address *address_out)
{
    bool known = (name->sa_family == AF_INET &&
                  len >= (socklen_t)sizeof(struct sockaddr_in)) ||
                 (name->sa_family == AF_INET6 &&
                  len >= (socklen_t)sizeof(struct sockaddr_in6)) ||
                 name->sa_family == AF_UNIX;

    if (!known || len > (socklen_t)sizeof(address_out->name)) {
        return QM_E_UNSUPPORTED;
    }
    memset(address_out, 0, sizeof(*address_out));
    memcpy(&address_out->name, name, len);
    address_out->len = len;
    return QM_OK;
}

void qm_address_set_port(struct qm_address *address, uint16_t port)
{
    if (qm_address_family(address) == AF_INET6) {
        address->name.v6.sin6_port = htons(port);
    } else if (qm_address_family(address) == AF_INET) {
        address->name.v4.sin_port = htons(port);
    }
}

/* getaddrinfo() rather than inet_pton(): it knows scopes ("%eth0"). */
enum qm_err qm_address_parse(const char *host, uint16_t port,
                             struct qm_address *address_out)
{
    struct addrinfo hints;
    struct addrinfo *found = NULL;
    enum qm_err err;

    memset(&hints, 0, sizeof(hints));
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST;
    if (getaddrinfo(host, NULL, &hints, &found) != 0 || found == NULL) {
        return QM_E_SYNTAX;
    }
    err = qm_address_copy(found->ai_addr, found->ai_addrlen, address_out);
    freeaddrinfo(found);
    if (err == QM_OK) {
        qm_address_set_port(address_out, port);
    }
    return err;
}

enum qm_err qm_address_unix(struct qm_span path, struct qm_address *address_out)
{
    struct sockaddr_un *local = &address_out->name.local;

    if (path.len == 0) {
        return QM_E_EMPTY;
    }
    if (path.len >= sizeof(local->sun_path)) {
        return QM_E_TOO_LONG;
    }
    if (memchr(path.ptr, '\0', path.len) != NULL) {
        return QM_E_CONTROL;
    }
    memset(address_out, 0, sizeof(*address_out));
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, path.ptr, path.len);
    address_out->len =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    return QM_OK;
}

int qm_address_family(const struct qm_address *address)
{
    return address->name.any.sa_family;
}

uint16_t qm_address_port(const struct qm_address *address)
{
    switch (qm_address_family(address)) {
    case AF_INET:
        return ntohs(address->name.v4.sin_port);
    case AF_INET6:
        return ntohs(address->name.v6.sin6_port);
    default:
        return 0;
    }
}

void qm_address_host(const struct qm_address *address, char *out, size_t cap)
{
    out[0] = '\0';
    if (qm_address_family(address) == AF_UNIX) {
        (void)snprintf(out, cap, "%s", address->name.local.sun_path);
        return;
    }
    if (getnameinfo(&address->name.any, address->len, out, (socklen_t)cap, NULL,
                    0, NI_NUMERICHOST) != 0) {
        (void)snprintf(out, cap, "?");
    }
}

void qm_address_format(const struct qm_address *address, char *out, size_t cap)
{
    char host[QM_ADDRESS_TEXT_CAP];
    unsigned port = qm_address_port(address);

    qm_address_host(address, host, sizeof(host));
    switch (qm_address_family(address)) {
    case AF_INET6:
        (void)snprintf(out, cap, "[%s]:%u", host, port);
        break;
    case AF_INET:
        (void)snprintf(out, cap, "%s:%u", host, port);
        break;
    default:
        (void)snprintf(out, cap, "unix:%s", host);
        break;
    }
}

static bool equal_v6(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
    return a->sin6_port == b->sin6_port &&
           a->sin6_scope_id == b->sin6_scope_id &&
           memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0;
}

bool qm_address_equal(const struct qm_address *a, const struct qm_address *b)
{
    if (qm_address_family(a) != qm_address_family(b)) {
        return false;
    }
    switch (qm_address_family(a)) {
    case AF_INET:
        return a->name.v4.sin_port == b->name.v4.sin_port &&
               a->name.v4.sin_addr.s_addr == b->name.v4.sin_addr.s_addr;
    case AF_INET6:
        return equal_v6(&a->name.v6, &b->name.v6);
    default:
        return strcmp(a->name.local.sun_path, b->name.local.sun_path) == 0;
    }
}
