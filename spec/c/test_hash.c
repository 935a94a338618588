#include "base/qm_hash.h"

#include "check.h"

/* SipHash-2-4-128, key 00..0f, input 00 01 02 ... of the length given. */
struct vector {
    size_t len;
    const char *hex;
};

static const struct vector vectors[] = {
    { 0, "a3817f04ba25a8e66df67214c7550293" },
    { 1, "da87c1d86b99af44347659119b22fc45" },
    { 2, "8177228da4a45dc7fca38bdef60affe4" },
    { 15, "5493e99933b0a8117e08ec0f97cfc3d9" },
};

static void to_hex(const unsigned char *hash, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < QM_HASH_SIZE; i++) {
        hex[2 * i] = digits[hash[i] >> 4];
        hex[2 * i + 1] = digits[hash[i] & 15];
    }
    hex[2 * QM_HASH_SIZE] = '\0';
}

static void official_vectors(void)
{
    char input[16];
    size_t i;

    for (i = 0; i < sizeof(input); i++) {
        input[i] = (char)i;
    }
    for (i = 0; i < QM_COUNTOF(vectors); i++) {
        unsigned char hash[QM_HASH_SIZE];
        char hex[2 * QM_HASH_SIZE + 1];

        qm_hash(qm_span_make(input, vectors[i].len), hash);
        to_hex(hash, hex);
        CHECK(strcmp(hex, vectors[i].hex) == 0);
    }
}

static void eight_bytes_and_more(void)
{
    unsigned char hash[QM_HASH_SIZE];
    char hex[2 * QM_HASH_SIZE + 1];

    qm_hash(qm_span_of("order-42"), hash);
    to_hex(hash, hex);
    CHECK(strcmp(hex, "eb422d5c3efd918d3cb6d577f7e2e589") == 0);
}

static void text_form(void)
{
    unsigned char hash[QM_HASH_SIZE];
    char text[QM_HASH_TEXT_SIZE];

    memset(hash, 0, sizeof(hash));
    qm_hash_to_text(hash, text);
    CHECK(strcmp(text, "aaaaaaaaaaaaaaaaaaaaaaaaaa") == 0);
    memset(hash, 0xff, sizeof(hash));
    qm_hash_to_text(hash, text);
    CHECK(strcmp(text, "7777777777777777777777777"
                       "4") == 0);
    qm_hash(qm_span_of("order-42"), hash);
    qm_hash_to_text(hash, text);
    CHECK(strcmp(text, "5nbc2xb67wiy2pfw2v37pyxfre") == 0);
}

int main(void)
{
    TEST(official_vectors);
    TEST(eight_bytes_and_more);
    TEST(text_form);
    return check_done();
}
