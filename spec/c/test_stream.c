#include "net/qm_stream.h"

#include "net/qm_clock.h"
#include "net/qm_listen.h"

#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { MINUTE = 60000000 };

static void listen_on_loopback(struct qm_listener *listener)
{
    struct qm_address own;

    CHECK(qm_address_parse("127.0.0.1", 0, &own) == QM_OK);
    CHECK(qm_listen_open(listener, &own, 8) == QM_OK);
    CHECK(qm_address_port(&listener->own) != 0);
}

static enum qm_err finish_connect(struct qm_stream *stream)
{
    enum qm_err err = qm_stream_connected(stream);

    while (err == QM_E_AGAIN) {
        CHECK(qm_clock_wait_us(stream->fd, QM_CLOCK_WRITE, MINUTE) == QM_OK);
        err = qm_stream_connected(stream);
    }
    return err;
}

static void open_pair(struct qm_listener *listener, struct qm_stream *client,
                      struct qm_stream *server)
{
    listen_on_loopback(listener);
    CHECK(qm_listen_accept(listener, server) == QM_E_AGAIN);
    CHECK(qm_stream_connect(client, &listener->own, NULL) == QM_OK);
    CHECK(finish_connect(client) == QM_OK);
    CHECK(qm_clock_wait_us(listener->fd, QM_CLOCK_READ, MINUTE) == QM_OK);
    CHECK(qm_listen_accept(listener, server) == QM_OK);
}

static void close_all(struct qm_listener *listener, struct qm_stream *client,
                      struct qm_stream *server)
{
    qm_stream_close(client);
    qm_stream_close(client);
    qm_stream_close(server);
    qm_listen_close(listener);
    qm_listen_close(listener);
}

static void bytes_go_both_ways(void)
{
    struct qm_listener listener;
    struct qm_stream client;
    struct qm_stream server;
    char bytes[8];
    size_t len;

    open_pair(&listener, &client, &server);
    CHECK(qm_stream_read(&server, bytes, 8, &len) == QM_E_AGAIN && len == 0);
    CHECK(qm_stream_write(&client, qm_span_of("abc"), &len) == QM_OK);
    CHECK(len == 3);
    CHECK(qm_stream_write(&client, qm_span_of(""), &len) == QM_OK && len == 0);
    CHECK(qm_clock_wait_us(server.fd, QM_CLOCK_READ, MINUTE) == QM_OK);
    CHECK(qm_stream_read(&server, bytes, 2, &len) == QM_OK);
    CHECK_BYTES(bytes, len, "ab");
    CHECK(qm_stream_write(&server, qm_span_of("d"), &len) == QM_OK);
    CHECK(qm_clock_wait_us(client.fd, QM_CLOCK_READ, MINUTE) == QM_OK);
    CHECK(qm_stream_read(&client, bytes, 8, &len) == QM_OK);
    CHECK_BYTES(bytes, len, "d");
    close_all(&listener, &client, &server);
    CHECK(qm_stream_read(&client, bytes, 8, &len) == QM_E_CLOSED);
    CHECK(qm_stream_write(&client, qm_span_of("x"), &len) == QM_E_CLOSED);
    CHECK(qm_listen_accept(&listener, &server) == QM_E_CLOSED);
}

static void end_and_reset_differ(void)
{
    struct qm_listener listener;
    struct qm_stream client;
    struct qm_stream server;
    char bytes[8];
    size_t len;

    open_pair(&listener, &client, &server);
    qm_stream_shutdown(&client);
    CHECK(qm_clock_wait_us(server.fd, QM_CLOCK_READ, MINUTE) == QM_OK);
    CHECK(qm_stream_read(&server, bytes, 8, &len) == QM_E_CLOSED);
    qm_stream_reset(&server);
    CHECK(qm_clock_wait_us(client.fd, QM_CLOCK_READ, MINUTE) == QM_OK);
    CHECK(qm_stream_read(&client, bytes, 8, &len) == QM_E_SYSTEM);
    CHECK(errno == ECONNRESET);
    close_all(&listener, &client, &server);
}

/* SIGPIPE would end the test program. */
static void writing_to_the_dead_is_an_error(void)
{
    struct qm_listener listener;
    struct qm_stream client;
    struct qm_stream server;
    enum qm_err err;
    size_t len;

    open_pair(&listener, &client, &server);
    qm_stream_close(&server);
    do {
        err = qm_stream_write(&client, qm_span_of("x"), &len);
    } while (err == QM_OK);
    CHECK(err == QM_E_SYSTEM && (errno == EPIPE || errno == ECONNRESET));
    CHECK(qm_stream_write(&client, qm_span_of("x"), &len) == QM_E_SYSTEM);
    CHECK(errno == EPIPE);
    close_all(&listener, &client, &server);
}

static void refusal_is_remembered(void)
{
    struct qm_listener listener;
    struct qm_stream stream;
    char bytes[8];
    size_t len;

    listen_on_loopback(&listener);
    qm_listen_close(&listener);
    if (qm_stream_connect(&stream, &listener.own, NULL) == QM_OK) {
        CHECK(finish_connect(&stream) == QM_E_SYSTEM);
        CHECK(errno == ECONNREFUSED);
        errno = 0;
        CHECK(qm_stream_connected(&stream) == QM_E_SYSTEM);
        CHECK(errno == ECONNREFUSED);
        CHECK(qm_stream_read(&stream, bytes, 8, &len) == QM_E_SYSTEM);
        qm_stream_close(&stream);
        CHECK(qm_stream_connected(&stream) == QM_E_CLOSED);
    } else {
        CHECK(errno == ECONNREFUSED); /* some systems know at once */
        CHECK(stream.state == QM_STREAM_CLOSED);
    }
}

/* The kernel lets a socket bound to a port connect to that very port. */
static void meeting_oneself_is_a_refusal(void)
{
    struct qm_listener listener;
    struct qm_stream stream;
    struct qm_address own;

    listen_on_loopback(&listener);
    own = listener.own;
    qm_listen_close(&listener);
    CHECK(qm_stream_connect(&stream, &own, &own) == QM_OK);
    CHECK(finish_connect(&stream) == QM_E_SYSTEM && errno == ECONNREFUSED);
    qm_stream_close(&stream);
}

static void source_address_is_used(void)
{
    struct qm_listener listener;
    struct qm_stream client;
    struct qm_stream server;
    struct qm_address source;
    char text[QM_ADDRESS_TEXT_CAP];

    listen_on_loopback(&listener);
    CHECK(qm_address_parse("127.0.0.9", 0, &source) == QM_OK);
    CHECK(qm_stream_connect(&client, &listener.own, &source) == QM_OK);
    CHECK(finish_connect(&client) == QM_OK);
    CHECK(qm_clock_wait_us(listener.fd, QM_CLOCK_READ, MINUTE) == QM_OK);
    CHECK(qm_listen_accept(&listener, &server) == QM_OK);
    qm_address_host(&server.peer, text, sizeof(text));
    CHECK(strcmp(text, "127.0.0.9") == 0);
    close_all(&listener, &client, &server);
    CHECK(qm_address_parse("192.0.2.77", 0, &source) == QM_OK);
    CHECK(qm_stream_connect(&client, &listener.own, &source) == QM_E_SYSTEM);
    CHECK(errno == EADDRNOTAVAIL);
}

/* "server.sock" in a directory of its own. */
static void make_socket_path(char *path, size_t cap)
{
    char folder[] = "/tmp/qm-stream-XXXXXX";

    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, cap, "%s/server.sock", folder);
}

static void remove_socket_path(char *path)
{
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

static void unix_socket_with_a_full_queue(void)
{
    struct qm_listener listener;
    struct qm_stream streams[16];
    struct qm_address own;
    char path[64];
    size_t count = 0;
    size_t i;

    make_socket_path(path, sizeof(path));
    CHECK(qm_address_unix(qm_span_of(path), &own) == QM_OK);
    CHECK(qm_stream_connect(&streams[0], &own, NULL) == QM_E_SYSTEM);
    CHECK(errno == ENOENT);
    CHECK(qm_listen_open(&listener, &own, 0) == QM_OK);
    while (count < QM_COUNTOF(streams) &&
           qm_stream_connect(&streams[count], &own, NULL) == QM_OK) {
        CHECK(qm_stream_connected(&streams[count]) == QM_OK);
        count++;
    }
    CHECK(count > 0 && count < QM_COUNTOF(streams) && errno == EAGAIN);
    for (i = 0; i < count; i++) {
        qm_stream_close(&streams[i]);
    }
    qm_listen_close(&listener);
    CHECK(qm_listen_open(&listener, &own, 0) == QM_E_SYSTEM);
    CHECK(errno == EADDRINUSE);
    remove_socket_path(path);
}

int main(void)
{
    TEST(bytes_go_both_ways);
    TEST(end_and_reset_differ);
    TEST(writing_to_the_dead_is_an_error);
    TEST(refusal_is_remembered);
    TEST(meeting_oneself_is_a_refusal);
    TEST(source_address_is_used);
    TEST(unix_socket_with_a_full_queue);
    return check_done();
}
