#include "codec/qm_base64.h"

#include "stream.h"

static struct qm_base64 state;

static void start_line(void)
{
    qm_base64_init(&state, false);
}

static void start_wrapped(void)
{
    qm_base64_init(&state, true);
}

static void update(struct qm_span input, char *out, size_t cap,
                   size_t *used_out, size_t *written_out)
{
    qm_base64_update(&state, input, out, cap, used_out, written_out);
}

static size_t finish(char *out)
{
    return qm_base64_finish(&state, out);
}

static const struct stream one_line = { start_line, update, finish, 8, 6 };
static const struct stream wrapped = { start_wrapped, update, finish, 8, 6 };

/* Bit by bit, so that it shares no idea with the encoder. */
static size_t reference(struct qm_span input, bool wrap, char *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                  "qrstuvwxyz0123456789+/";
    size_t bits = input.len * 8;
    size_t len = 0;
    size_t made = 0;
    size_t bit;

    for (bit = 0; bit < bits || made % 4 != 0; bit += 6) {
        unsigned value = 0;
        size_t i;

        for (i = bit; i < bit + 6; i++) {
            unsigned byte = i < bits ? (unsigned char)input.ptr[i / 8] : 0;

            value = value << 1 | (byte >> (7 - i % 8) & 1);
        }
        out[len++] = bit < bits ? letters[value] : '=';
        made++;
        if (wrap && (made % 76 == 0 || (bit + 6 >= bits && made % 4 == 0))) {
            out[len++] = '\r';
            out[len++] = '\n';
        }
    }
    return len;
}

static void matches_rfc_vectors(void)
{
    static const char *const vectors[][2] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
    };
    size_t i;

    for (i = 0; i < QM_COUNTOF(vectors); i++) {
        struct qm_span got = stream_whole(&one_line, qm_span_of(vectors[i][0]));

        CHECK(qm_span_equal(got, qm_span_of(vectors[i][1])));
    }
}

static struct qm_span every_byte(char *out, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        out[i] = (char)(unsigned char)((i * 167 + i / 256) & 0xff);
    }
    return qm_span_make(out, len);
}

static void matches_reference_at_each_length(void)
{
    static char bytes[2000];
    static char expected[4000];
    struct qm_span got;
    size_t len;

    for (len = 0; len <= 400; len++) {
        struct qm_span input = every_byte(bytes, len);
        size_t expected_len = reference(input, false, expected);

        got = stream_whole(&one_line, input);
        CHECK(qm_span_equal(got, qm_span_make(expected, expected_len)));
        CHECK(qm_base64_size(len, false) == expected_len);
        expected_len = reference(input, true, expected);
        got = stream_whole(&wrapped, input);
        CHECK(qm_span_equal(got, qm_span_make(expected, expected_len)));
        CHECK(qm_base64_size(len, true) == expected_len);
    }
}

static void lines_hold_76_columns(void)
{
    char bytes[58];
    struct qm_span full = every_byte(bytes, 57);
    struct qm_span got = stream_whole(&wrapped, full);

    CHECK(got.len == 78 && memcmp(got.ptr + 76, "\r\n", 2) == 0);
    got = stream_whole(&wrapped, every_byte(bytes, 58));
    CHECK(got.len == 78 + 6 && memcmp(got.ptr + 82, "\r\n", 2) == 0);
    CHECK(stream_whole(&wrapped, qm_span_make(NULL, 0)).len == 0);
}

static void cuts_change_nothing(void)
{
    char bytes[240];
    size_t len;

    for (len = 225; len <= sizeof(bytes); len++) {
        stream_check_cuts(&one_line, every_byte(bytes, len));
        stream_check_cuts(&wrapped, every_byte(bytes, len));
    }
    for (len = 0; len < 5; len++) {
        stream_check_cuts(&one_line, every_byte(bytes, len));
        stream_check_cuts(&wrapped, every_byte(bytes, len));
    }
}

/* A buffer of 64 KiB is used up to what one group with its CRLF may need. */
static void fills_a_large_buffer(void)
{
    static char bytes[STREAM_INPUT_MAX];
    static char out[65536];
    size_t used;
    size_t written;

    qm_base64_init(&state, true);
    qm_base64_update(&state, every_byte(bytes, sizeof(bytes)), out, sizeof(out),
                     &used, &written);
    CHECK(written > sizeof(out) - 6);
    CHECK(used == written / 78 * 57 + written % 78 / 4 * 3);
}

static void little_room_is_no_error(void)
{
    char out[8];
    size_t used;
    size_t written;

    qm_base64_init(&state, true);
    qm_base64_update(&state, qm_span_of("abcdef"), out, 0, &used, &written);
    CHECK(used == 0 && written == 0);
    qm_base64_update(&state, qm_span_of("ab"), out, 0, &used, &written);
    CHECK(used == 2 && written == 0);
    qm_base64_update(&state, qm_span_of("cd"), out, 5, &used, &written);
    CHECK(used == 1 && written == 0);
    qm_base64_update(&state, qm_span_of("d"), out, 8, &used, &written);
    CHECK(used == 1);
    CHECK_BYTES(out, written, "YWJj");
    CHECK_BYTES(out, qm_base64_finish(&state, out), "ZA==\r\n");
}

static void size_of_large_input(void)
{
    CHECK(qm_base64_size(UINT64_C(57) << 40, true) == UINT64_C(78) << 40);
    CHECK(qm_base64_size(UINT64_C(3) << 40, false) == UINT64_C(4) << 40);
    CHECK(qm_base64_size(UINT64_C(1) << 62, false) ==
          UINT64_C(6148914691236517208));
}

static void decodes_what_was_encoded(void)
{
    char bytes[300];
    char decoded[300];
    size_t len;

    for (len = 0; len <= sizeof(bytes); len++) {
        struct qm_span input = every_byte(bytes, len);
        struct qm_span text = stream_whole(&one_line, input);
        size_t written = 999;

        text = guard_page_put(&stream_pages()->in, text);
        CHECK(qm_base64_decode(text, decoded, &written) == QM_OK);
        CHECK(qm_span_equal(qm_span_make(decoded, written), input));
    }
}

static void decodes_in_place(void)
{
    char text[] = "dXNlcm5hbWU6";
    size_t written;

    CHECK(qm_base64_decode(qm_span_of(text), text, &written) == QM_OK);
    CHECK_BYTES(text, written, "username:");
}

static void refuses_what_is_not_base64(void)
{
    static const char *const faults[] = {
        "A",       "AA",       "AAA",      "AAAAA",    "A===",     "====",
        "=AAA",    "A=AA",     "AA=A",     "AAA=AAAA", "AA==AAAA", "AA==AA==",
        "AAAA=",   "AAAA====", "AAAA\r\n", "AA AA",    " AAA",     "AAA\n",
        "AA-_",    "AAA.",     "AA\0A",    "AB==",     "AAB=",     "//9=",
        "\377AAA", "AAA\x80",
    };
    char out[16];
    size_t written;
    size_t i;

    for (i = 0; i < QM_COUNTOF(faults); i++) {
        struct qm_span text =
            guard_page_put(&stream_pages()->in, qm_span_of(faults[i]));

        CHECK(qm_base64_decode(text, out, &written) == QM_E_SYNTAX);
    }
    CHECK(qm_base64_decode(qm_span_make("AA\0A", 4), out, &written) ==
          QM_E_SYNTAX);
}

/* Each byte in each place of a group: accepted when it is in the alphabet. */
static void decoder_knows_its_alphabet(void)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                  "qrstuvwxyz0123456789+/";
    int c;
    size_t place;

    for (c = 0; c < 256; c++) {
        bool known = c != 0 && strchr(letters, c) != NULL;

        for (place = 0; place < 4; place++) {
            char text[] = "AAAA";
            char out[3];
            size_t written;
            enum qm_err err;

            text[place] = (char)(unsigned char)c;
            err = qm_base64_decode(qm_span_make(text, 4), out, &written);
            CHECK((err == QM_OK) == (known || (c == '=' && place == 3)));
        }
    }
}

static void is_appended_in_one_line(void)
{
    static char bytes[500];
    static char expected[700];
    struct qm_span input = every_byte(bytes, sizeof(bytes));
    size_t len = reference(input, false, expected);
    struct qm_buf out;

    qm_buf_init(&out, len + 9, false);
    CHECK(qm_buf_append_text(&out, "a") == QM_OK);
    CHECK(qm_base64_append(&out, input) == QM_OK);
    CHECK(qm_span_equal(qm_span_from(qm_buf_span(&out), 1),
                        qm_span_make(expected, len)));
    CHECK(qm_base64_append(&out, input) == QM_E_LIMIT);
    qm_buf_deinit(&out);
}

int main(void)
{
    TEST(is_appended_in_one_line);
    TEST(matches_rfc_vectors);
    TEST(matches_reference_at_each_length);
    TEST(lines_hold_76_columns);
    TEST(cuts_change_nothing);
    TEST(fills_a_large_buffer);
    TEST(little_room_is_no_error);
    TEST(size_of_large_input);
    TEST(decodes_what_was_encoded);
    TEST(decodes_in_place);
    TEST(refuses_what_is_not_base64);
    TEST(decoder_knows_its_alphabet);
    return check_done();
}
