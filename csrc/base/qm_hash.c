#include "base/qm_hash.h"

struct sip {
    uint64_t a;
    uint64_t b;
    uint64_t c;
    uint64_t d;
};

/* The key of the published test vectors: bytes 00 to 0f. Never change it. */
static const uint64_t key_low = UINT64_C(0x0706050403020100);
static const uint64_t key_high = UINT64_C(0x0f0e0d0c0b0a0908);

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return (value << bits) | (value >> (64 - bits));
}

static void mix(struct sip *s, int rounds)
{
    while (rounds-- > 0) {
        s->a += s->b;
        s->b = rotate(s->b, 13) ^ s->a;
        s->a = rotate(s->a, 32);
        s->c += s->d;
        s->d = rotate(s->d, 16) ^ s->c;
        s->a += s->d;
        s->d = rotate(s->d, 21) ^ s->a;
        s->c += s->b;
        s->b = rotate(s->b, 17) ^ s->c;
        s->c = rotate(s->c, 32);
    }
}

static uint64_t load_le(const char *bytes, size_t len)
{
    uint64_t value = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        value |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
    }
    return value;
}

static void store_le(unsigned char *out, uint64_t value)
{
    size_t i;

    for (i = 0; i < 8; i++) {
        out[i] = (unsigned char)(value >> (8 * i));
    }
}

static void absorb(struct sip *s, uint64_t word)
{
    s->d ^= word;
    mix(s, 2);
    s->a ^= word;
}

void qm_hash(struct qm_span text, unsigned char out[QM_HASH_SIZE])
{
    struct sip s = { UINT64_C(0x736f6d6570736575) ^ key_low,
                     UINT64_C(0x646f72616e646f6d) ^ key_high ^ 0xee,
                     UINT64_C(0x6c7967656e657261) ^ key_low,
                     UINT64_C(0x7465646279746573) ^ key_high };
    struct qm_span rest = text;

    while (rest.len >= 8) {
        absorb(&s, load_le(rest.ptr, 8));
        rest = qm_span_from(rest, 8);
    }
    absorb(&s, load_le(rest.ptr, rest.len) | (uint64_t)text.len << 56);
    s.c ^= 0xee;
    mix(&s, 4);
    store_le(out, s.a ^ s.b ^ s.c ^ s.d);
    s.b ^= 0xdd;
    mix(&s, 4);
    store_le(out + 8, s.a ^ s.b ^ s.c ^ s.d);
}

void qm_hash_to_text(const unsigned char hash[QM_HASH_SIZE],
                     char out[QM_HASH_TEXT_SIZE])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned bits = 0;
    unsigned held = 0;
    size_t at = 0;
    size_t i;

    for (i = 0; i < QM_HASH_SIZE; i++) {
        held = (held << 8 | hash[i]) & 0xfff;
        bits += 8;
        while (bits >= 5) {
            bits -= 5;
            out[at++] = alphabet[held >> bits & 31];
        }
    }
    out[at++] = alphabet[held << (5 - bits) & 31];
    out[at] = '\0';
}
