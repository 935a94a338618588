/*
 * qm_address.h: one place a stream can go to.
 *
 * A value without pointers, copied freely.
 */
#ifndef QM_ADDRESS_H
#define QM_ADDRESS_H

#include "base/qm_err.h"
#include "base/qm_span.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
    /* "[" + longest text with a scope name + "]:" + port + NUL. */
    QM_ADDRESS_TEXT_CAP = 128
};

struct qm_address {
    union {
        struct sockaddr any; /* any.sa_family says which one it is */
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } name;
    socklen_t len; /* bytes of `name` in use */
};

QM_DECLS_BEGIN

/*
 * A numeric host: "192.0.2.1", "2001:db8::1", "fe80::1%eth0". QM_E_SYNTAX
 * for anything else; no name is ever looked up.
 */
enum qm_err qm_address_parse(const char *host, uint16_t port,
                             struct qm_address *address_out);

/* A unix socket. QM_E_EMPTY or QM_E_TOO_LONG (about 107 bytes are allowed). */
enum qm_err qm_address_unix(struct qm_span path,
                            struct qm_address *address_out);

/* Copies an address the system gave; QM_E_UNSUPPORTED for other families. */
enum qm_err qm_address_copy(const struct sockaddr *name, socklen_t len,
                            struct qm_address *address_out);

/* AF_INET, AF_INET6 or AF_UNIX. */
int qm_address_family(const struct qm_address *address);

/* Port in host order, 0 for a unix socket. */
uint16_t qm_address_port(const struct qm_address *address);

/* Does nothing to a unix socket. */
void qm_address_set_port(struct qm_address *address, uint16_t port);

/* The host without a port, or the path. Cut to fit `cap`, always ended. */
void qm_address_host(const struct qm_address *address, char *out, size_t cap);

/* "192.0.2.1:25", "[::1]:25" or "unix:/path"; same rules. */
void qm_address_format(const struct qm_address *address, char *out, size_t cap);

bool qm_address_equal(const struct qm_address *a, const struct qm_address *b);

QM_DECLS_END

#endif
