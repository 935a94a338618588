/* test_dkim.c: the examples of RFC 8463 and RFC 6376, however they are cut. */
#include "crypto/qm_dkim.h"

#include "base/qm_mem.h"
#include "check.h"
#include "dkim_keys.h"
#include "guard_page.h"

static const char message[] = DKIM_FIELDS DKIM_BODY;

static const char received[] =
    "Received: from client1.football.example.com  [192.0.2.1]\r\n"
    "      by submitserver.example.com with SUBMISSION;\r\n"
    "      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\r\n" DKIM_FIELDS DKIM_BODY;

static const char body_hash[] = "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=";

/* RFC 8463 appendix A.3, up to the value of b=. */
static const char ed25519_field[] =
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
    " subject : date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=";
static const char ed25519_value[] =
    "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus"
    "Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==";

static const char rsa_field[] =
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
    " date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=";
static const char rsa_value[] =
    "F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3"
    "DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz"
    "dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=";

static const char names[] =
    "from : to :\r\n subject : date : message-id : from : subject : date";

/* RFC 6376 appendix A.2; its lines go on behind six blanks. */
static const char brisbane_field[] =
    "DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;\r\n"
    "      c=simple/simple; q=dns/txt; i=joe@football.example.com;\r\n"
    "      h=Received : From : To : Subject : Date : Message-ID;\r\n"
    "      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    "      b=;";
static const char brisbane_value[] =
    "AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB"
    "4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut"
    "KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV"
    "4bmp/YzhwvcubU4=";

struct example {
    const char *message;
    const char *key;
    const char *names;
    const char *field;
    const char *value;
    bool relaxed;
};

static const struct example examples[] = {
    { message, key_ed25519, names, ed25519_field, ed25519_value, true },
    { message, key_rsa, names, rsa_field, rsa_value, true },
    { received, key_brisbane, "Received:From:To:Subject:Date:Message-ID",
      brisbane_field, brisbane_value, false },
};

/* Reads a message whose first piece has `first` bytes, the others `piece`. */
static enum qm_err read_in(struct qm_dkim *dkim, struct guard_page *guard,
                           struct qm_span text, size_t first, size_t piece)
{
    enum qm_err err = qm_dkim_init(dkim, true, true);
    size_t at = 0;

    while (err == QM_OK && at < text.len) {
        size_t len = at == 0 && first > 0 ? first : piece;

        len = len < text.len - at ? len : text.len - at;
        err = qm_dkim_update(
            dkim, guard_page_put(guard, qm_span_make(text.ptr + at, len)));
        at += len;
    }
    return err == QM_OK ? qm_dkim_finish(dkim) : err;
}

static struct guard_page pages(void)
{
    return guard_page_open(sizeof(received));
}

static enum qm_err sign(const struct qm_dkim *dkim,
                        const struct example *example, struct qm_buf *out)
{
    struct qm_dkim_plan plan = { qm_span_of(example->names), example->relaxed,
                                 qm_span_of(example->field) };
    struct qm_key key;
    enum qm_err err;

    CHECK(qm_key_read(&key, qm_span_of(example->key),
                      qm_span_make(NULL, 0)) == QM_KEY_OK);
    err = qm_dkim_sign(dkim, &plan, &key, out);
    qm_key_deinit(&key);
    return err;
}

static void check_example(const struct example *example, size_t first,
                          size_t piece)
{
    struct guard_page guard = pages();
    struct qm_dkim dkim;
    struct qm_buf out;

    CHECK(read_in(&dkim, &guard, qm_span_of(example->message), first, piece) ==
          QM_OK);
    qm_buf_init(&out, 1000, false);
    CHECK(qm_dkim_body_hash(&dkim, example->relaxed, &out) == QM_OK);
    CHECK(qm_span_equal(qm_buf_span(&out), qm_span_of(body_hash)));
    qm_buf_reset(&out);
    CHECK(sign(&dkim, example, &out) == QM_OK);
    CHECK(qm_span_equal(qm_buf_span(&out), qm_span_of(example->value)));
    qm_buf_deinit(&out);
    qm_dkim_deinit(&dkim);
    guard_page_close(&guard);
}

static void examples_of_standards(void)
{
    size_t i;

    for (i = 0; i < QM_COUNTOF(examples); i++) {
        check_example(&examples[i], 0, sizeof(received));
        check_example(&examples[i], 0, 1);
    }
}

static void every_cut(void)
{
    size_t len = strlen(received);
    size_t i;

    for (i = 1; i < len; i++) {
        check_example(&examples[2], i, len);
    }
}

static size_t count_in(const char *text, const char *name)
{
    struct guard_page guard = pages();
    struct qm_dkim dkim;
    size_t count;

    CHECK(read_in(&dkim, &guard, qm_span_of(text), 0, 3) == QM_OK);
    count = qm_dkim_count(&dkim, qm_span_of(name));
    qm_dkim_deinit(&dkim);
    guard_page_close(&guard);
    return count;
}

static void counts_fields(void)
{
    CHECK(count_in(received, "subject") == 1);
    CHECK(count_in(received, "SUBJECT") == 1);
    CHECK(count_in(received, "Sub") == 0);
    CHECK(count_in(received, "by submitserver.example.com with") == 0);
    CHECK(count_in("A: 1\r\nB: A: 2\r\n A: 3\r\na : 4\r\n\r\nA: 5\r\n", "a") ==
          2);
    CHECK(count_in("\r\nA: 1\r\n", "a") == 0);
    CHECK(count_in("A: 1\r\n", "a") == 1);
    CHECK(count_in("A: 1", "a") == 1);
    CHECK(count_in("A: 1\n\nA: 2", "a") == 1);
    CHECK(count_in("", "a") == 0);
}

/* RFC 6376 section 5.4.2: from the last one on, and none twice. */
static void takes_fields_from_below(void)
{
    static const char two[] = "S: 1\r\nF: x\r\nS: 2\r\n\r\n";
    static const char turned[] = "S: 2\r\nF: x\r\nS: 1\r\n\r\n";
    const char *texts[] = { two, turned };
    const char *lists[] = { "S:F", "S:F:S", "S:S:F:S:S" };
    char values[2][3][100];
    size_t i;
    size_t k;

    for (i = 0; i < 2; i++) {
        for (k = 0; k < 3; k++) {
            struct example example = { texts[i], key_ed25519, lists[k], "X: b=",
                                       NULL,     true };
            struct guard_page guard = pages();
            struct qm_dkim dkim;
            struct qm_buf out;

            CHECK(read_in(&dkim, &guard, qm_span_of(texts[i]), 0, 99) == QM_OK);
            qm_buf_init(&out, 1000, false);
            CHECK(sign(&dkim, &example, &out) == QM_OK);
            CHECK(qm_buf_len(&out) == 88);
            memcpy(values[i][k], qm_buf_span(&out).ptr, 88);
            qm_buf_deinit(&out);
            qm_dkim_deinit(&dkim);
            guard_page_close(&guard);
        }
    }
    CHECK(memcmp(values[0][0], values[1][0], 88) != 0);
    CHECK(memcmp(values[0][1], values[1][1], 88) != 0);
    CHECK(memcmp(values[0][0], values[0][1], 88) != 0);
}

static void too_many_names(void)
{
    static char many[2 * QM_DKIM_NAMES_MAX + 3];
    struct example example = { message, key_ed25519, many, "X: b=", NULL,
                               true };
    struct guard_page guard = pages();
    struct qm_dkim dkim;
    struct qm_buf out;
    size_t i;

    for (i = 0; i < QM_DKIM_NAMES_MAX + 1; i++) {
        memcpy(many + 2 * i, "A:", 2);
    }
    CHECK(read_in(&dkim, &guard, qm_span_of(message), 0, 99) == QM_OK);
    qm_buf_init(&out, 1000, false);
    CHECK(sign(&dkim, &example, &out) == QM_E_LIMIT);
    many[2 * QM_DKIM_NAMES_MAX] = '\0';
    CHECK(sign(&dkim, &example, &out) == QM_OK);
    qm_buf_deinit(&out);
    qm_dkim_deinit(&dkim);
    guard_page_close(&guard);
}

static void in_the_wrong_order(void)
{
    struct qm_dkim dkim;
    struct qm_buf out;

    qm_buf_init(&out, 1000, false);
    CHECK(qm_dkim_init(&dkim, true, false) == QM_OK);
    CHECK(qm_dkim_body_hash(&dkim, false, &out) == QM_E_MISUSE);
    CHECK(sign(&dkim, &examples[0], &out) == QM_E_MISUSE);
    CHECK(qm_dkim_finish(&dkim) == QM_OK);
    CHECK(qm_dkim_finish(&dkim) == QM_E_MISUSE);
    CHECK(qm_dkim_update(&dkim, qm_span_of("x")) == QM_E_MISUSE);
    CHECK(qm_dkim_body_hash(&dkim, true, &out) == QM_E_MISUSE);
    CHECK(qm_dkim_body_hash(&dkim, false, &out) == QM_OK);
    qm_dkim_deinit(&dkim);
    qm_dkim_deinit(&dkim);
    qm_buf_deinit(&out);
}

static void head_too_large(void)
{
    static char piece[QM_DKIM_HEAD_MAX / 8];
    enum qm_err err;
    struct qm_dkim dkim;
    size_t i;

    memset(piece, 'a', sizeof(piece));
    CHECK(qm_dkim_init(&dkim, true, false) == QM_OK);
    err = QM_OK;
    for (i = 0; i < 9 && err == QM_OK; i++) {
        err = qm_dkim_update(&dkim, qm_span_make(piece, sizeof(piece)));
    }
    CHECK(i == 9 && err == QM_E_LIMIT);
    qm_dkim_deinit(&dkim);
}

static enum qm_err read_and_sign(struct guard_page *guard, struct qm_buf *out)
{
    struct qm_dkim dkim;
    enum qm_err err =
        read_in(&dkim, guard, qm_span_of(message), 0, sizeof(message));

    if (err == QM_OK) {
        err = qm_dkim_body_hash(&dkim, true, out);
    }
    if (err == QM_OK) {
        err = sign(&dkim, &examples[0], out);
    }
    qm_dkim_deinit(&dkim);
    return err;
}

static void every_allocation_fails_once(void)
{
    struct guard_page guard = pages();
    long live = qm_mem_test_live();
    enum qm_err err;
    long n;

    for (n = 0; n < 100; n++) {
        struct qm_buf out;

        qm_buf_init(&out, 1000, false);
        qm_mem_test_fail_after(n);
        err = read_and_sign(&guard, &out);
        qm_mem_test_fail_after(-1);
        qm_buf_deinit(&out);
        CHECK(qm_mem_test_live() == live);
        if (err == QM_OK) {
            break;
        }
        CHECK(err == QM_E_MEMORY);
    }
    CHECK(n > 2 && err == QM_OK);
    guard_page_close(&guard);
}

int main(void)
{
    TEST(examples_of_standards);
    TEST(every_cut);
    TEST(counts_fields);
    TEST(takes_fields_from_below);
    TEST(too_many_names);
    TEST(in_the_wrong_order);
    TEST(head_too_large);
    TEST(every_allocation_fails_once);
    return check_done();
}
