#include "codec/qm_base64_lines.h"

#include "base/qm_vector.h"

static const char alphabet[64 + 1] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "abcdefghijklmnopqrstuvwxyz0123456789+/";

static void end_line(char *out)
{
    memcpy(out, "\r\n", 2);
}

void qm_base64_groups(const unsigned char *in, size_t groups, char *out)
{
    const unsigned char *end = in + groups * 3;

    for (; in < end; in += 3, out += 4) {
        unsigned bits = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];

        out[0] = alphabet[bits >> 18];
        out[1] = alphabet[bits >> 12 & 0x3f];
        out[2] = alphabet[bits >> 6 & 0x3f];
        out[3] = alphabet[bits & 0x3f];
    }
}

static void lines_portable(const unsigned char *in, size_t lines, char *out)
{
    for (; lines > 0; lines--) {
        qm_base64_groups(in, QM_BASE64_LINE_IN / 3, out);
        end_line(out + 76);
        in += QM_BASE64_LINE_IN;
        out += QM_BASE64_LINE_OUT;
    }
}

#if defined(QM_VECTOR_X86)

/*
 * Vectors of 16 and 32 bytes. Each 32-bit lane gets the bytes b a c b of a
 * group a b c; masks and multiplications, which serve as shifts, move its four
 * 6-bit values to a byte each. A value becomes its character by an addition
 * that depends on which of five ranges it is in.
 *
 * The last step of a line would read behind it: there 16 bytes are loaded 4
 * earlier, and the shuffle takes the last 12 of them. It writes some of the
 * characters that the step before it wrote, too.
 */
#define SPREAD_FIRST_12 1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10
#define SPREAD_LAST_12  5, 4, 6, 5, 8, 7, 9, 8, 11, 10, 12, 11, 14, 13, 15, 14

/* By range: a-z, the ten digits, +, /, A-Z. */
#define OFFSETS                                                                \
    'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,      \
        '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0

QM_TARGET("ssse3")
static __m128i load16(const unsigned char *in)
{
    return _mm_loadu_si128((const __m128i *)(const void *)in);
}

QM_TARGET("ssse3")
static void step16(__m128i bytes, __m128i spread, char *out)
{
    const __m128i offsets = _mm_setr_epi8(OFFSETS);
    __m128i values;
    __m128i range;

    bytes = _mm_shuffle_epi8(bytes, spread);
    values = _mm_or_si128(
        _mm_mulhi_epu16(_mm_and_si128(bytes, _mm_set1_epi32(0x0fc0fc00)),
                        _mm_set1_epi32(0x04000040)),
        _mm_mullo_epi16(_mm_and_si128(bytes, _mm_set1_epi32(0x003f03f0)),
                        _mm_set1_epi32(0x01000010)));
    range = _mm_subs_epu8(values, _mm_set1_epi8(51));
    range = _mm_or_si128(
        range, _mm_and_si128(_mm_cmpgt_epi8(_mm_set1_epi8(26), values),
                             _mm_set1_epi8(13)));
    values = _mm_add_epi8(values, _mm_shuffle_epi8(offsets, range));
    _mm_storeu_si128((__m128i *)(void *)out, values);
}

QM_TARGET("ssse3")
static void lines_ssse3(const unsigned char *in, size_t lines, char *out)
{
    const __m128i first = _mm_setr_epi8(SPREAD_FIRST_12);
    const __m128i last = _mm_setr_epi8(SPREAD_LAST_12);

    for (; lines > 0; lines--) {
        step16(load16(in), first, out);
        step16(load16(in + 12), first, out + 16);
        step16(load16(in + 24), first, out + 32);
        step16(load16(in + 36), first, out + 48);
        step16(load16(in + 41), last, out + 60);
        end_line(out + 76);
        in += QM_BASE64_LINE_IN;
        out += QM_BASE64_LINE_OUT;
    }
}

QM_TARGET("avx2")
static __m256i load32(const unsigned char *low, const unsigned char *high)
{
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(
            _mm_loadu_si128((const __m128i *)(const void *)low)),
        _mm_loadu_si128((const __m128i *)(const void *)high), 1);
}

QM_TARGET("avx2")
static void step32(__m256i bytes, __m256i spread, char *out)
{
    const __m256i offsets = _mm256_setr_epi8(OFFSETS, OFFSETS);
    __m256i values;
    __m256i range;

    bytes = _mm256_shuffle_epi8(bytes, spread);
    values = _mm256_or_si256(
        _mm256_mulhi_epu16(
            _mm256_and_si256(bytes, _mm256_set1_epi32(0x0fc0fc00)),
            _mm256_set1_epi32(0x04000040)),
        _mm256_mullo_epi16(
            _mm256_and_si256(bytes, _mm256_set1_epi32(0x003f03f0)),
            _mm256_set1_epi32(0x01000010)));
    range = _mm256_subs_epu8(values, _mm256_set1_epi8(51));
    range = _mm256_or_si256(
        range, _mm256_and_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(26), values),
                                _mm256_set1_epi8(13)));
    values = _mm256_add_epi8(values, _mm256_shuffle_epi8(offsets, range));
    _mm256_storeu_si256((__m256i *)(void *)out, values);
}

QM_TARGET("avx2")
static void lines_avx2(const unsigned char *in, size_t lines, char *out)
{
    const __m256i first = _mm256_setr_epi8(SPREAD_FIRST_12, SPREAD_FIRST_12);
    const __m256i last = _mm256_setr_epi8(SPREAD_FIRST_12, SPREAD_LAST_12);

    for (; lines > 0; lines--) {
        step32(load32(in, in + 12), first, out);
        step32(load32(in + 24, in + 36), first, out + 32);
        step32(load32(in + 33, in + 41), last, out + 44);
        end_line(out + 76);
        in += QM_BASE64_LINE_IN;
        out += QM_BASE64_LINE_OUT;
    }
}

/* 48 bytes into 64 characters: the 6-bit shifts and the table are one each. */
QM_TARGET("avx512f,avx512bw,avx512vbmi")
static void step64(const unsigned char *in, __m512i spread, __m512i table,
                   char *out)
{
    const __m512i shifts = _mm512_set1_epi64(0x3036242a1016040a);
    const __mmask64 first_48 = 0xffffffffffff;
    __m512i bytes = _mm512_maskz_loadu_epi8(first_48, in);

    bytes = _mm512_permutexvar_epi8(spread, bytes);
    bytes = _mm512_multishift_epi64_epi8(shifts, bytes);
    bytes = _mm512_permutexvar_epi8(bytes, table);
    _mm512_storeu_si512(out, bytes);
}

QM_TARGET("avx512f,avx512bw,avx512vbmi")
static void lines_avx512(const unsigned char *in, size_t lines, char *out)
{
    /* Bytes b a c b of each of 16 groups, as 32-bit lanes. */
    const __m512i spread = _mm512_setr_epi32(
        0x01020001, 0x04050304, 0x07080607, 0x0a0b090a, 0x0d0e0c0d, 0x10110f10,
        0x13141213, 0x16171516, 0x191a1819, 0x1c1d1b1c, 0x1f201e1f, 0x22232122,
        0x25262425, 0x28292728, 0x2b2c2a2b, 0x2e2f2d2e);
    const __m512i table = _mm512_loadu_si512(alphabet);

    for (; lines > 0; lines--) {
        step64(in, spread, table, out);
        step64(in + 9, spread, table, out + 12);
        end_line(out + 76);
        in += QM_BASE64_LINE_IN;
        out += QM_BASE64_LINE_OUT;
    }
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vbmi");
}

static const struct qm_base64_encoder *encoder_for_processor(void)
{
    static const struct qm_base64_encoder encoders[] = {
        { "avx512vbmi", lines_avx512 },
        { "avx2", lines_avx2 },
        { "ssse3", lines_ssse3 },
        { "portable", lines_portable },
        { NULL, NULL },
    };

    __builtin_cpu_init();
    if (has_avx512()) {
        return &encoders[0];
    }
    if (__builtin_cpu_supports("avx2")) {
        return &encoders[1];
    }
    return &encoders[__builtin_cpu_supports("ssse3") ? 2 : 3];
}

#elif defined(QM_VECTOR_NEON)

/* 48 bytes into 64 characters; the instructions for loading threes and storing
 * fours do the spreading. */
static void step64(const unsigned char *in, uint8x16x4_t table, char *out)
{
    const uint8x16_t low6 = vdupq_n_u8(0x3f);
    uint8x16x3_t bytes = vld3q_u8(in);
    uint8x16x4_t values;

    values.val[0] = vshrq_n_u8(bytes.val[0], 2);
    values.val[1] = vandq_u8(
        vsliq_n_u8(vshrq_n_u8(bytes.val[1], 4), bytes.val[0], 4), low6);
    values.val[2] = vandq_u8(
        vsliq_n_u8(vshrq_n_u8(bytes.val[2], 6), bytes.val[1], 2), low6);
    values.val[3] = vandq_u8(bytes.val[2], low6);
    values.val[0] = vqtbl4q_u8(table, values.val[0]);
    values.val[1] = vqtbl4q_u8(table, values.val[1]);
    values.val[2] = vqtbl4q_u8(table, values.val[2]);
    values.val[3] = vqtbl4q_u8(table, values.val[3]);
    vst4q_u8((uint8_t *)out, values);
}

static void lines_neon(const unsigned char *in, size_t lines, char *out)
{
    const uint8_t *from = (const uint8_t *)alphabet;
    uint8x16x4_t table = { { vld1q_u8(from), vld1q_u8(from + 16),
                             vld1q_u8(from + 32), vld1q_u8(from + 48) } };

    for (; lines > 0; lines--) {
        step64(in, table, out);
        step64(in + 9, table, out + 12);
        end_line(out + 76);
        in += QM_BASE64_LINE_IN;
        out += QM_BASE64_LINE_OUT;
    }
}

static const struct qm_base64_encoder *encoder_for_processor(void)
{
    static const struct qm_base64_encoder encoders[] = {
        { "neon", lines_neon },
        { "portable", lines_portable },
        { NULL, NULL },
    };

    return encoders;
}

#else

static const struct qm_base64_encoder *encoder_for_processor(void)
{
    static const struct qm_base64_encoder encoders[] = {
        { "portable", lines_portable },
        { NULL, NULL },
    };

    return encoders;
}

#endif

/*
 * A processor that has one of the instruction sets has those below it in the
 * list as well.
 */
const struct qm_base64_encoder *qm_base64_encoder_at(size_t index)
{
    const struct qm_base64_encoder *encoder = encoder_for_processor();

    for (; index > 0 && encoder->encode != NULL; index--) {
        encoder++;
    }
    return encoder->encode != NULL ? encoder : NULL;
}

qm_base64_lines_fn *qm_base64_lines_best(void)
{
    return encoder_for_processor()->encode;
}
