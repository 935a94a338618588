/* test_scram.c: SCRAM, with servers that do as they should and others. */
#include "check.h"
#include "crypto/qm_scram.h"

#include "base/qm_mem.h"
#include "guard_page.h"

/* RFC 7677 section 3 */
#define NONCE        "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define FIRST        "r=" SERVER_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define LAST         "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
#define PROOF        "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static struct qm_scram_settings
settings_of(const char *user, const char *password, const char *nonce)
{
    struct qm_scram_settings settings;

    memset(&settings, 0, sizeof(settings));
    settings.digest = QM_DIGEST_SHA256;
    settings.user = qm_span_of(user);
    settings.password = qm_span_of(password);
    settings.nonce = qm_span_of(nonce);
    return settings;
}

/* As far as the server's first message; `out` holds nothing then. */
static void begin(struct qm_scram *scram, struct qm_buf *out)
{
    struct qm_scram_settings settings = settings_of("user", "pencil", NONCE);

    qm_buf_init(out, (size_t)3 * QM_SCRAM_MESSAGE_MAX, true);
    CHECK(qm_scram_init(scram, &settings) == QM_OK);
    CHECK(qm_scram_first(scram, out) == QM_OK);
    qm_buf_reset(out);
}

static void end(struct qm_scram *scram, struct qm_buf *out)
{
    qm_scram_deinit(scram);
    qm_buf_deinit(out);
    CHECK(qm_mem_test_live() == 0);
}

static void test_exchange(void)
{
    struct qm_scram_settings settings = settings_of("user", "pencil", NONCE);
    struct qm_scram scram;
    struct qm_buf out;

    qm_buf_init(&out, QM_SCRAM_MESSAGE_MAX, true);
    CHECK(qm_scram_init(&scram, &settings) == QM_OK);
    CHECK(qm_scram_first(&scram, &out) == QM_OK);
    CHECK(qm_span_equal(qm_buf_span(&out), qm_span_of("n,,n=user,r=" NONCE)));
    qm_buf_reset(&out);
    CHECK(qm_scram_final(&scram, qm_span_of(FIRST), NULL, &out) == QM_OK);
    CHECK(qm_span_equal(qm_buf_span(&out),
                        qm_span_of("c=biws,r=" SERVER_NONCE "," PROOF)));
    CHECK(qm_scram_verify(&scram, qm_span_of(LAST)) == QM_OK);
    CHECK(qm_scram_verify(&scram, qm_span_of(LAST)) == QM_E_MISUSE);
    end(&scram, &out);
}

static void test_binding(void)
{
    struct qm_scram_settings settings = settings_of("a,b=c", "pencil", NONCE);
    struct qm_scram scram;
    struct qm_buf out;

    settings.binding_name = qm_span_of("tls-exporter");
    settings.binding = qm_span_make("\0\1\2", 3);
    qm_buf_init(&out, QM_SCRAM_MESSAGE_MAX, true);
    CHECK(qm_scram_init(&scram, &settings) == QM_OK);
    CHECK(qm_scram_first(&scram, &out) == QM_OK);
    CHECK(qm_span_equal(qm_buf_span(&out),
                        qm_span_of("p=tls-exporter,,n=a=2Cb=3Dc,r=" NONCE)));
    qm_buf_reset(&out);
    CHECK(qm_scram_final(&scram, qm_span_of(FIRST), NULL, &out) == QM_OK);
    /* base64 of "p=tls-exporter,," and 00 01 02 */
    CHECK(memcmp(qm_buf_span(&out).ptr,
                 "c=cD10bHMtZXhwb3J0ZXIsLAABAg==,r=" SERVER_NONCE ",p=",
                 33 + sizeof(SERVER_NONCE) + 2) == 0);
    end(&scram, &out);
}

/* The second login is proved with what the first one left. */
static void test_remembered(void)
{
    struct qm_salted salted;
    int i;

    memset(&salted, 0, sizeof(salted));
    for (i = 0; i < 2; i++) {
        struct qm_scram scram;
        struct qm_buf out;

        begin(&scram, &out);
        CHECK(qm_scram_final(&scram, qm_span_of(FIRST), &salted, &out) ==
              QM_OK);
        CHECK(qm_span_equal(qm_buf_span(&out),
                            qm_span_of("c=biws,r=" SERVER_NONCE "," PROOF)));
        CHECK(qm_scram_verify(&scram, qm_span_of(LAST)) == QM_OK);
        qm_scram_deinit(&scram);
        qm_buf_deinit(&out);
        CHECK(salted.rounds == 4096);
    }
    qm_salted_forget(&salted);
    CHECK(qm_mem_test_live() == 0);
}

static void check_first_fault(const char *message, enum qm_scram_fault fault)
{
    struct qm_scram scram;
    struct qm_buf out;

    begin(&scram, &out);
    CHECK(qm_scram_final(&scram, qm_span_of(message), NULL, &out) ==
          QM_E_SYNTAX);
    CHECK(scram.fault == fault);
    CHECK(qm_buf_len(&out) == 0);
    CHECK(scram.password.data == NULL);
    CHECK(qm_scram_verify(&scram, qm_span_of(LAST)) == QM_E_MISUSE);
    CHECK(strlen(qm_scram_fault_text(fault)) > 0);
    end(&scram, &out);
}

static void test_bad_first(void)
{
    check_first_fault("", QM_SCRAM_FORM);
    check_first_fault("r", QM_SCRAM_FORM);
    check_first_fault("s=YQ==,r=" NONCE "x,i=1", QM_SCRAM_FORM);
    check_first_fault("m=x," FIRST, QM_SCRAM_EXTENSION);
    check_first_fault("e=other-error", QM_SCRAM_REFUSED);
    check_first_fault("r=" NONCE ",s=YQ==,i=1", QM_SCRAM_NONCE);
    check_first_fault("r=x" NONCE ",s=YQ==,i=1", QM_SCRAM_NONCE);
    check_first_fault("r=" NONCE " ,s=YQ==,i=1", QM_SCRAM_NONCE);
    check_first_fault("r=" NONCE "x", QM_SCRAM_SALT);
    check_first_fault("r=" NONCE "x,s=,i=1", QM_SCRAM_SALT);
    check_first_fault("r=" NONCE "x,s=a,i=1", QM_SCRAM_SALT);
    check_first_fault("r=" NONCE "x,s=YQ==", QM_SCRAM_ROUNDS);
    check_first_fault("r=" NONCE "x,s=YQ==,i=", QM_SCRAM_ROUNDS);
    check_first_fault("r=" NONCE "x,s=YQ==,i=0", QM_SCRAM_ROUNDS);
    check_first_fault("r=" NONCE "x,s=YQ==,i=1000001", QM_SCRAM_ROUNDS);
    check_first_fault("r=" NONCE "x,s=YQ==,i=4294967297", QM_SCRAM_ROUNDS);
    check_first_fault("r=" NONCE "x,s=YQ==,i=+1", QM_SCRAM_ROUNDS);
}

static void check_last_fault(const char *message, enum qm_scram_fault fault)
{
    struct qm_scram scram;
    struct qm_buf out;

    begin(&scram, &out);
    CHECK(qm_scram_final(&scram, qm_span_of("r=" NONCE "x,s=YQ==,i=1"), NULL,
                         &out) == QM_OK);
    CHECK(qm_scram_verify(&scram, qm_span_of(message)) == QM_E_SYNTAX);
    CHECK(scram.fault == fault);
    end(&scram, &out);
}

static void test_bad_last(void)
{
    check_last_fault(LAST, QM_SCRAM_PROOF); /* of another exchange */
    check_last_fault("v=", QM_SCRAM_PROOF);
    check_last_fault("v=YQ==", QM_SCRAM_PROOF);
    check_last_fault("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4",
                     QM_SCRAM_PROOF);
    check_last_fault("e=invalid-proof", QM_SCRAM_REFUSED);
    check_last_fault("", QM_SCRAM_FORM);
    check_last_fault("V=YQ==", QM_SCRAM_FORM);
}

/* Every message that was cut short, up against an unreadable page. */
static void test_cut(void)
{
    struct guard_page guard = guard_page_open(256);
    size_t whole = sizeof(FIRST) - 1;
    size_t len;

    for (len = 0; len <= whole; len++) {
        struct qm_scram scram;
        struct qm_buf out;
        enum qm_err err;

        begin(&scram, &out);
        err = qm_scram_final(&scram,
                             guard_page_put(&guard, qm_span_make(FIRST, len)),
                             NULL, &out);
        /* the last digits of the count may be missed by nobody */
        CHECK(err == (len >= whole - 3 ? QM_OK : QM_E_SYNTAX));
        err = qm_scram_verify(&scram,
                              guard_page_put(&guard, qm_span_make(LAST, 10)));
        CHECK(err != QM_OK);
        end(&scram, &out);
    }
    guard_page_close(&guard);
}

static void check_refused(const char *user, const char *password,
                          const char *nonce, enum qm_err expected)
{
    struct qm_scram_settings settings = settings_of(user, password, nonce);
    struct qm_scram scram;

    CHECK(qm_scram_init(&scram, &settings) == expected);
    qm_scram_deinit(&scram);
}

static void test_settings(void)
{
    check_refused("a\nb", "p", "N", QM_E_CONTROL);
    check_refused("u", "p\x7f", "N", QM_E_CONTROL);
    check_refused("u", "p\xff", "N", QM_E_UTF8);
    check_refused("u", "p", "", QM_E_EMPTY);
    check_refused("u", "p", "a,b", QM_E_SYNTAX);
    check_refused("用户", "密码", "N", QM_OK);
}

static void test_memory(void)
{
    long n;
    enum qm_err err = QM_E_MEMORY;

    for (n = 0; n < 40 && err != QM_OK; n++) {
        struct qm_scram_settings settings = settings_of("u", "p", NONCE);
        struct qm_scram scram;
        struct qm_buf out;

        qm_buf_init(&out, QM_SCRAM_MESSAGE_MAX, true);
        qm_mem_test_fail_after(n);
        err = qm_scram_init(&scram, &settings);
        if (err == QM_OK) {
            err = qm_scram_first(&scram, &out);
        }
        if (err == QM_OK) {
            err = qm_scram_final(&scram, qm_span_of("r=" NONCE "x,s=YQ==,i=1"),
                                 NULL, &out);
        }
        qm_mem_test_fail_after(-1);
        CHECK(err == QM_OK || err == QM_E_MEMORY);
        end(&scram, &out);
    }
    CHECK(err == QM_OK && n > 3);
}

int main(void)
{
    TEST(test_exchange);
    TEST(test_binding);
    TEST(test_remembered);
    TEST(test_bad_first);
    TEST(test_bad_last);
    TEST(test_cut);
    TEST(test_settings);
    TEST(test_memory);
    return check_done();
}
