#include "net/qm_address.h"

#include "check.h"

static const char *format(const struct qm_address *address)
{
    static char text[QM_ADDRESS_TEXT_CAP];

    qm_address_format(address, text, sizeof(text));
    return text;
}

static void parses_numeric_hosts(void)
{
    struct qm_address address;

    CHECK(qm_address_parse("192.0.2.1", 465, &address) == QM_OK);
    CHECK(qm_address_family(&address) == AF_INET);
    CHECK(qm_address_port(&address) == 465);
    CHECK(strcmp(format(&address), "192.0.2.1:465") == 0);
    CHECK(qm_address_parse("2001:DB8::1", 25, &address) == QM_OK);
    CHECK(qm_address_family(&address) == AF_INET6);
    CHECK(strcmp(format(&address), "[2001:db8::1]:25") == 0);
    qm_address_set_port(&address, 587);
    CHECK(strcmp(format(&address), "[2001:db8::1]:587") == 0);
}

static void refuses_names(void)
{
    struct qm_address address;

    CHECK(qm_address_parse("localhost", 25, &address) == QM_E_SYNTAX);
    CHECK(qm_address_parse("example.com", 25, &address) == QM_E_SYNTAX);
    CHECK(qm_address_parse("[::1]", 25, &address) == QM_E_SYNTAX);
    CHECK(qm_address_parse("1.2.3.4.5", 25, &address) == QM_E_SYNTAX);
    CHECK(qm_address_parse("", 25, &address) == QM_E_SYNTAX);
}

static void checks_socket_paths(void)
{
    size_t room = sizeof(((struct sockaddr_un *)0)->sun_path);
    struct qm_address address;
    char path[256];

    memset(path, 'p', sizeof(path));
    CHECK(qm_address_unix(qm_span_make(path, room), &address) == QM_E_TOO_LONG);
    CHECK(qm_address_unix(qm_span_make(path, 0), &address) == QM_E_EMPTY);
    CHECK(qm_address_unix(qm_span_make("a\0b", 3), &address) == QM_E_CONTROL);
    CHECK(qm_address_unix(qm_span_make(path, room - 1), &address) == QM_OK);
    CHECK(strlen(format(&address)) == room - 1 + strlen("unix:"));
    CHECK(qm_address_unix(qm_span_of("/run/s"), &address) == QM_OK);
    CHECK(strcmp(format(&address), "unix:/run/s") == 0);
    CHECK(qm_address_port(&address) == 0);
    qm_address_set_port(&address, 9);
    CHECK(strcmp(format(&address), "unix:/run/s") == 0);
}

static void compares(void)
{
    struct qm_address a;
    struct qm_address b;

    CHECK(qm_address_parse("::1", 25, &a) == QM_OK);
    CHECK(qm_address_parse("0:0::1", 25, &b) == QM_OK);
    CHECK(qm_address_equal(&a, &b));
    qm_address_set_port(&b, 26);
    CHECK(!qm_address_equal(&a, &b));
    CHECK(qm_address_parse("127.0.0.1", 25, &b) == QM_OK);
    CHECK(!qm_address_equal(&a, &b));
    CHECK(qm_address_parse("127.0.0.2", 25, &a) == QM_OK);
    CHECK(!qm_address_equal(&a, &b));
    CHECK(qm_address_unix(qm_span_of("/a"), &a) == QM_OK);
    CHECK(qm_address_unix(qm_span_of("/a"), &b) == QM_OK);
    CHECK(qm_address_equal(&a, &b));
}

static void cuts_text_to_the_room(void)
{
    struct qm_address address;
    char text[8];

    CHECK(qm_address_parse("192.0.2.1", 465, &address) == QM_OK);
    qm_address_format(&address, text, sizeof(text));
    CHECK(strcmp(text, "192.0.2") == 0);
    qm_address_host(&address, text, sizeof(text));
    CHECK(strlen(text) < sizeof(text));
}

static void refuses_other_families(void)
{
    struct sockaddr_storage name;
    struct qm_address address;

    memset(&name, 0, sizeof(name));
    name.ss_family = 200;
    CHECK(qm_address_copy((struct sockaddr *)&name, sizeof(struct sockaddr_in),
                          &address) == QM_E_UNSUPPORTED);
    name.ss_family = AF_INET6;
    CHECK(qm_address_copy((struct sockaddr *)&name, sizeof(struct sockaddr_in),
                          &address) == QM_E_UNSUPPORTED);
}

int main(void)
{
    TEST(parses_numeric_hosts);
    TEST(refuses_names);
    TEST(checks_socket_paths);
    TEST(compares);
    TEST(cuts_text_to_the_room);
    TEST(refuses_other_families);
    return check_done();
}
