/*
 * test_tls.c: bytes through a pair of filters, and every way it may end.
 */
#include "tls_pair.h"

#include "base/qm_mem.h"
#include "tls/qm_tls_cache.h"
#include "tls/qm_tls_info.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* --- bytes ---------------------------------------------------------------- */

static char pattern(size_t position)
{
    return (char)(position * 31 + position / 251);
}

/* Sends `len` bytes from one to the other and compares them. */
static void transfer(struct qm_tls *from, struct qm_tls *to, size_t len,
                     size_t step)
{
    char *bytes = malloc(len);
    char plain[1000];
    size_t given = 0;
    size_t got = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        bytes[i] = pattern(i);
    }
    while (got < len) {
        size_t count;
        enum qm_err err;

        CHECK(qm_tls_write(from, qm_span_make(bytes + given, len - given),
                           &count) == QM_OK);
        given += count;
        CHECK(move(from, to, step));
        err = qm_tls_read(to, plain, sizeof(plain), &count);
        while (err == QM_OK) {
            CHECK(count > 0 && memcmp(plain, bytes + got, count) == 0);
            got += count;
            err = qm_tls_read(to, plain, sizeof(plain), &count);
        }
        CHECK(err == QM_E_AGAIN);
    }
    CHECK(got == len && qm_tls_output(from).len == 0);
    free(bytes);
}

static void check_bytes_both_ways(enum qm_tls_version version, size_t step)
{
    struct qm_tls_ctx *client = client_ctx(true);
    struct qm_tls_ctx *server = server_ctx("good", version);
    struct pair pair;
    char byte;
    size_t len;

    open_pair(&pair, client, server, "localhost", "key");
    CHECK(qm_tls_read(&pair.client, &byte, 1, &len) == QM_E_MISUSE);
    CHECK(qm_tls_write(&pair.client, qm_span_of("x"), &len) == QM_E_MISUSE);
    qm_tls_shutdown(&pair.client);
    CHECK(qm_tls_output(&pair.client).len == 0);
    CHECK(shake(&pair, step) == QM_OK);
    transfer(&pair.client, &pair.server, 40000, step);
    transfer(&pair.server, &pair.client, 3000, step);
    transfer(&pair.client, &pair.server, 1, step);

    qm_tls_shutdown(&pair.server);
    qm_tls_shutdown(&pair.server);
    CHECK(qm_tls_write(&pair.server, qm_span_of("x"), &len) == QM_E_MISUSE);
    while (move(&pair.server, &pair.client, step)) {
    }
    CHECK(qm_tls_read(&pair.client, &byte, 1, &len) == QM_E_CLOSED);
    CHECK(qm_tls_feed(&pair.client, qm_span_of("ignored")) == QM_OK);
    qm_tls_eof(&pair.client);
    CHECK(qm_tls_read(&pair.client, &byte, 1, &len) == QM_E_CLOSED);
    CHECK(qm_tls_feed(&pair.client, qm_span_of("late")) == QM_E_MISUSE);
    close_pair(&pair);
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
}

static void test_bytes_both_ways(void)
{
    static const size_t steps[] = { 1, 7, 4096, SIZE_MAX };
    size_t i;

    for (i = 0; i < QM_COUNTOF(steps); i++) {
        check_bytes_both_ways(QM_TLS_VERSION_1_2, steps[i]);
        check_bytes_both_ways(QM_TLS_VERSION_1_3, steps[i]);
    }
}

/*
 * Plaintext counts as sent with the last byte of its record, and what the
 * handshake and close_notify make counts nothing.
 */
static void check_marks(enum qm_tls_version version)
{
    static const size_t lens[] = { 1, 16384, 16385, 10 };
    struct qm_tls_ctx *client = client_ctx(true);
    struct qm_tls_ctx *server = server_ctx("good", version);
    struct qm_tls *tls;
    struct pair pair;
    char *bytes = calloc(1, 16385);
    uint64_t plain;
    size_t done;
    size_t i;

    open_pair(&pair, client, server, "localhost", "");
    tls = &pair.client;
    CHECK(shake(&pair, SIZE_MAX) == QM_OK);
    for (i = 0; i < QM_COUNTOF(lens); i++) {
        CHECK(qm_tls_write(tls, qm_span_make(bytes, lens[i]), &done) == QM_OK);
        CHECK(done == lens[i]);
        /* all but the last record of this write, a byte at a time */
        while (qm_tls_output(tls).len > 1) {
            CHECK(qm_tls_sent(tls, 1, &plain) == QM_OK);
            CHECK(plain == 0 || (lens[i] == 16385 && plain == 16384));
        }
        CHECK(qm_tls_sent(tls, 1, &plain) == QM_OK);
        CHECK(plain == (lens[i] == 16385 ? 1 : lens[i]));
        CHECK(qm_tls_sent(tls, 1, &plain) == QM_E_MISUSE);
    }
    qm_tls_shutdown(tls);
    CHECK(qm_tls_sent(tls, qm_tls_output(tls).len, &plain) == QM_OK);
    CHECK(plain == 0);
    free(bytes);
    close_pair(&pair);
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
}

static void test_sent_plaintext(void)
{
    check_marks(QM_TLS_VERSION_1_2);
    check_marks(QM_TLS_VERSION_1_3);
}

static void test_bounds(void)
{
    struct qm_tls_ctx *client = client_ctx(true);
    struct qm_tls_ctx *server = server_ctx("good", QM_TLS_VERSION_1_3);
    char *bytes = calloc(1, QM_TLS_IN_CAP + 1);
    struct pair pair;
    size_t accepted;
    uint64_t plain;
    int i;

    open_pair(&pair, client, server, "localhost", "");
    CHECK(qm_tls_feed(&pair.client, qm_span_make(bytes, QM_TLS_IN_CAP + 1)) ==
          QM_E_LIMIT);
    CHECK(shake(&pair, SIZE_MAX) == QM_OK);

    /* whole records up to the busy mark, and nothing above it */
    CHECK(qm_tls_write(&pair.client, qm_span_make(bytes, QM_TLS_IN_CAP),
                       &accepted) == QM_OK);
    CHECK(accepted == 4 * QM_TLS_RECORD_MAX);
    CHECK(qm_tls_write(&pair.client, qm_span_of("x"), &accepted) == QM_OK);
    CHECK(accepted == 0);
    CHECK(qm_tls_output(&pair.client).len < QM_TLS_OUT_CAP);
    CHECK(qm_tls_sent(&pair.client, qm_tls_output(&pair.client).len, &plain) ==
          QM_OK);
    CHECK(plain == 4 * QM_TLS_RECORD_MAX);

    /* small records are limited by number */
    for (i = 0; i < QM_TLS_MARKS_MAX; i++) {
        CHECK(qm_tls_write(&pair.client, qm_span_of("x"), &accepted) == QM_OK);
        CHECK(accepted == 1);
    }
    CHECK(qm_tls_write(&pair.client, qm_span_of("x"), &accepted) == QM_OK);
    CHECK(accepted == 0);
    CHECK(qm_tls_sent(&pair.client, qm_tls_output(&pair.client).len, &plain) ==
          QM_OK);
    CHECK(plain == QM_TLS_MARKS_MAX);
    free(bytes);
    close_pair(&pair);
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
}

/* --- ends ----------------------------------------------------------------- */

/* The network ends after each number of bytes of the server's answers. */
static void test_end_in_handshake(void)
{
    struct qm_tls_ctx *client = client_ctx(true);
    struct qm_tls_ctx *server = server_ctx("good", QM_TLS_VERSION_1_3);
    struct pair pair;
    size_t cut;
    bool established = false;

    for (cut = 0; !established; cut++) {
        struct qm_span answer;

        open_pair(&pair, client, server, "localhost", "");
        CHECK(qm_tls_handshake(&pair.client) == QM_E_AGAIN);
        CHECK(move(&pair.client, &pair.server, SIZE_MAX));
        CHECK(qm_tls_handshake(&pair.server) == QM_E_AGAIN);
        answer = qm_tls_output(&pair.server);
        /* signatures differ in length, so the answers do too */
        if (cut < answer.len) {
            answer.len = cut;
        }
        CHECK(qm_tls_feed(&pair.client, answer) == QM_OK);
        established = qm_tls_handshake(&pair.client) == QM_OK;
        qm_tls_eof(&pair.client);
        if (!established) {
            CHECK(qm_tls_handshake(&pair.client) == QM_E_TLS);
            CHECK(pair.client.code == QM_TLS_CLOSED);
        }
        close_pair(&pair);
    }
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
}

static void check_truncation(enum qm_tls_version version)
{
    struct qm_tls_ctx *client = client_ctx(true);
    struct qm_tls_ctx *server = server_ctx("good", version);
    size_t total = 1;
    size_t cut;

    for (cut = 0; cut <= total; cut++) {
        struct pair pair;
        struct qm_span reply;
        char plain[64];
        size_t len;

        open_pair(&pair, client, server, "localhost", "");
        CHECK(shake(&pair, SIZE_MAX) == QM_OK);
        CHECK(qm_tls_write(&pair.server, qm_span_of("250 ok\r\n"), &len) ==
              QM_OK);
        reply = qm_tls_output(&pair.server);
        total = reply.len;
        CHECK(qm_tls_feed(&pair.client, qm_span_make(reply.ptr, cut)) == QM_OK);
        qm_tls_eof(&pair.client);
        if (cut == total) {
            CHECK(qm_tls_read(&pair.client, plain, sizeof(plain), &len) ==
                  QM_OK);
            CHECK_BYTES(plain, len, "250 ok\r\n");
        }
        CHECK(qm_tls_read(&pair.client, plain, sizeof(plain), &len) ==
              QM_E_TLS);
        CHECK(pair.client.code == QM_TLS_TRUNCATED && len == 0);
        CHECK(qm_tls_write(&pair.client, qm_span_of("x"), &len) == QM_E_TLS);
        close_pair(&pair);
    }
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
}

static void test_truncation(void)
{
    check_truncation(QM_TLS_VERSION_1_2);
    check_truncation(QM_TLS_VERSION_1_3);
}

static void check_plain_answer(const char *answer, size_t step, bool smtp,
                               const char *says)
{
    struct qm_tls_ctx *ctx = client_ctx(true);
    struct qm_span rest = qm_span_of(answer);
    struct qm_tls_info info;
    struct qm_tls tls;

    CHECK(qm_tls_open_client(&tls, ctx, qm_span_of("localhost"), no_bytes()) ==
          QM_OK);
    CHECK(qm_tls_handshake(&tls) == QM_E_AGAIN);
    while (rest.len > 0) {
        size_t len = rest.len < step ? rest.len : step;

        CHECK(qm_tls_feed(&tls, qm_span_make(rest.ptr, len)) == QM_OK);
        step_on(&tls);
        rest = qm_span_from(rest, len);
    }
    qm_tls_eof(&tls);
    CHECK(qm_tls_handshake(&tls) == QM_E_TLS);
    CHECK(tls.code == QM_TLS_NOT_TLS);
    CHECK(qm_tls_output(&tls).len == 0);
    qm_tls_info(&tls, &info);
    CHECK(info.plain_smtp == smtp);
    CHECK(strstr(tls.text.bytes, says) != NULL);
    qm_tls_close(&tls);
    qm_tls_ctx_release(ctx);
}

static void test_plain_answers(void)
{
    const char *greeting = "220 smtp.test \x1b[31m\xd3\xca ESMTP\r\n250 x\r\n";

    check_plain_answer(greeting, SIZE_MAX, true,
                       "\"220 smtp.test \\x1b[31m\\xd3\\xca ESMTP\" (the");
    /* judged as soon as a record header is there */
    check_plain_answer(greeting, 1, true, "\"220 s\" (the");
    check_plain_answer("554-no\r\n", SIZE_MAX, true, "554-no");
    check_plain_answer("2", 1, false, "\"2\"");
    check_plain_answer("HTTP/1.1 400 Bad Request\r\n", SIZE_MAX, false, "HTTP");
    check_plain_answer("+OK POP3\r\n", 3, false, "+OK");
}

static void test_old_versions_are_refused(void)
{
    struct qm_tls_ctx *client = client_ctx(true);
    struct qm_tls_ctx *server = server_ctx("good", QM_TLS_VERSION_1_1);
    struct pair pair;

    open_pair(&pair, client, server, "localhost", "");
    CHECK(shake(&pair, SIZE_MAX) == QM_E_TLS);
    CHECK(pair.client.code == QM_TLS_PROTOCOL_VERSION);
    CHECK(strstr(pair.client.text.bytes, "at least TLS 1.2") != NULL);
    close_pair(&pair);

    /* a ServerHello of TLS 1.1 sent all the same */
    CHECK(qm_tls_open_client(&pair.client, client, qm_span_of("localhost"),
                             no_bytes()) == QM_OK);
    CHECK(qm_tls_handshake(&pair.client) == QM_E_AGAIN);
    CHECK(qm_tls_feed(&pair.client,
                      qm_span_make("\x16\x03\x02\0\x2a\x02\0\0\x26\x03\x02"
                                   "01234567890123456789012345678901"
                                   "\0\xc0\x13\0",
                                   47)) == QM_OK);
    CHECK(qm_tls_handshake(&pair.client) == QM_E_TLS);
    CHECK(pair.client.code == QM_TLS_PROTOCOL_VERSION);
    CHECK(strstr(pair.client.text.bytes, "offers only TLS 1.1") != NULL);
    qm_tls_close(&pair.client);
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
}

/* Whatever one changed byte of the server's flight does, it does no harm. */
static void test_damaged_handshake(void)
{
    struct qm_tls_ctx *client = client_ctx(true);
    struct qm_tls_ctx *server = server_ctx("good", QM_TLS_VERSION_1_2);
    size_t total = 1;
    size_t at;

    for (at = 0; at < total; at++) {
        char answer[4096];
        struct qm_span sent;
        struct pair pair;

        open_pair(&pair, client, server, "localhost", "k");
        step_on(&pair.client);
        CHECK(move(&pair.client, &pair.server, SIZE_MAX));
        step_on(&pair.server);
        sent = qm_tls_output(&pair.server);
        total = sent.len;
        CHECK(total < sizeof(answer));
        memcpy(answer, sent.ptr, total);
        answer[at % total] = (char)(answer[at % total] ^ 0x40);
        CHECK(qm_tls_feed(&pair.client, qm_span_make(answer, total)) == QM_OK);
        CHECK(qm_tls_handshake(&pair.client) != QM_OK);
        qm_tls_eof(&pair.client);
        CHECK(qm_tls_handshake(&pair.client) == QM_E_TLS);
        CHECK(pair.client.text.len > 0);
        CHECK(ERR_peek_error() == 0);
        close_pair(&pair);
    }
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
}

/* TLS 1.2 HelloRequest floods neither renegotiate nor grow without end. */
static void test_renegotiation_is_refused(void)
{
    struct qm_tls_ctx *client = client_ctx(true);
    struct qm_tls_ctx *server = server_ctx("good", QM_TLS_VERSION_1_2);
    struct pair pair;
    char byte;
    size_t len;

    SSL_CTX_clear_options(server->ssl_ctx, SSL_OP_NO_RENEGOTIATION);
    open_pair(&pair, client, server, "localhost", "");
    CHECK(shake(&pair, SIZE_MAX) == QM_OK);
    CHECK(SSL_renegotiate(pair.server.ssl) == 1);
    CHECK(SSL_do_handshake(pair.server.ssl) == 1);
    CHECK(move(&pair.server, &pair.client, SIZE_MAX));
    CHECK(qm_tls_read(&pair.client, &byte, 1, &len) == QM_E_AGAIN);
    /* the answer is a warning alert, not a ClientHello */
    CHECK(qm_tls_output(&pair.client).ptr[0] == 21);
    close_pair(&pair);
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
}

/* Holders let go in any order. */
static void test_context_outlives_its_holder(void)
{
    struct qm_tls_ctx *client = client_ctx(true);
    struct qm_tls_ctx *server = server_ctx("good", QM_TLS_VERSION_1_3);
    struct pair pair;

    open_pair(&pair, client, server, "localhost", "key");
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
    CHECK(shake(&pair, SIZE_MAX) == QM_OK);
    transfer(&pair.server, &pair.client, 10, SIZE_MAX);
    close_pair(&pair);
}

/* --- memory --------------------------------------------------------------- */

/* A whole life; false when memory was short somewhere. */
static bool live_once(void)
{
    struct qm_tls_options options;
    struct qm_tls_cache cache;
    struct qm_tls_ctx *client = NULL;
    struct qm_tls_ctx *server = NULL;
    struct qm_tls_text why;
    struct pair pair;
    char plain[16];
    size_t len;
    bool done = false;

    memset(&cache, 0, sizeof(cache));
    memset(&pair, 0, sizeof(pair));
    memset(&options, 0, sizeof(options));
    options.ca_file = CERTS "ca.pem";
    options.verify = true;
    if (qm_tls_cache_get(&cache, &options, &client, &why) != QM_OK) {
        goto out;
    }
    options.server = true;
    options.verify = false;
    options.cert = CERTS "good.pem";
    options.key = CERTS "good.key";
    if (qm_tls_ctx_open(&options, &server, &why) != QM_OK ||
        qm_tls_open_client(&pair.client, client, qm_span_of("localhost"),
                           qm_span_of("key")) != QM_OK ||
        qm_tls_open_server(&pair.server, server) != QM_OK ||
        shake(&pair, SIZE_MAX) != QM_OK ||
        qm_tls_write(&pair.server, qm_span_of("220"), &len) != QM_OK ||
        !move(&pair.server, &pair.client, SIZE_MAX)) {
        goto out;
    }
    done = qm_tls_read(&pair.client, plain, sizeof(plain), &len) == QM_OK;
out:
    close_pair(&pair);
    qm_tls_ctx_release(client);
    qm_tls_ctx_release(server);
    qm_tls_cache_deinit(&cache);
    return done;
}

static void test_every_allocation_may_fail(void)
{
    long live = qm_mem_test_live();
    int survived = 0;
    long n;

    for (n = 0; survived < 3; n++) {
        qm_mem_test_fail_after(n);
        /* an allocation for the session store may fail without harm */
        survived = live_once() ? survived + 1 : 0;
        qm_mem_test_fail_after(-1);
        CHECK(qm_mem_test_live() == live);
        CHECK(ERR_peek_error() == 0);
    }
    CHECK(n > 8);
}

/* --- small units ---------------------------------------------------------- */

static void test_code_names(void)
{
    CHECK(strcmp(qm_tls_code_name(QM_TLS_HOST_MISMATCH), "host_mismatch") == 0);
    CHECK(strcmp(qm_tls_code_name(QM_TLS_CODE_COUNT), "unknown") == 0);
    CHECK(qm_tls_code_of_verify(X509_V_ERR_CERT_REVOKED) == QM_TLS_REVOKED);
    CHECK(qm_tls_code_of_verify(X509_V_ERR_INVALID_CA) == QM_TLS_UNTRUSTED);
    CHECK(qm_tls_code_of_queue(0) == QM_TLS_FAILED);
    CHECK(qm_tls_alert_of_queue(0) == -1);
}

static void test_text_is_cut_between_characters(void)
{
    struct qm_tls_text text;
    int i;

    qm_tls_text_clear(&text);
    qm_tls_text_add(&text, "x");
    for (i = 0; i < QM_TLS_TEXT_SIZE; i++) {
        qm_tls_text_add(&text, "\xe9\x82\xae");
    }
    CHECK(text.full && text.len == 1 + 3 * ((QM_TLS_TEXT_SIZE - 2) / 3));
    CHECK(strlen(text.bytes) == text.len);
    qm_tls_text_clear(&text);
    qm_tls_text_add_escaped(&text, qm_span_make("a\\\0\x7f ~", 6));
    qm_tls_text_add_number(&text, INT64_MIN);
    CHECK(strcmp(text.bytes, "a\\\\\\x00\\x7f ~-9223372036854775808") == 0);
}

int main(void)
{
    tls_certs();
    TEST(test_bytes_both_ways);
    TEST(test_sent_plaintext);
    TEST(test_bounds);
    TEST(test_end_in_handshake);
    TEST(test_truncation);
    TEST(test_plain_answers);
    TEST(test_old_versions_are_refused);
    TEST(test_damaged_handshake);
    TEST(test_renegotiation_is_refused);
    TEST(test_context_outlives_its_holder);
    TEST(test_every_allocation_may_fail);
    TEST(test_code_names);
    TEST(test_text_is_cut_between_characters);
    CHECK(qm_mem_test_live() == 0);
    return check_done();
}
