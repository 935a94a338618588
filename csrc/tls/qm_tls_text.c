#include "tls/qm_tls_text.h"

#include "base/qm_ascii.h"
#include "base/qm_utf8.h"

#include <inttypes.h>
#include <stdio.h>

void qm_tls_text_clear(struct qm_tls_text *text)
{
    text->bytes[0] = '\0';
    text->len = 0;
    text->full = false;
}

void qm_tls_text_add_span(struct qm_tls_text *text, struct qm_span part)
{
    size_t room = sizeof(text->bytes) - 1 - text->len;

    if (text->full || part.len == 0) {
        return;
    }
    if (part.len > room) {
        text->full = true;
        part.len = qm_utf8_valid_prefix(qm_span_make(part.ptr, room));
    }
    memcpy(text->bytes + text->len, part.ptr, part.len);
    text->len += part.len;
    text->bytes[text->len] = '\0';
}

void qm_tls_text_add(struct qm_tls_text *text, const char *part)
{
    qm_tls_text_add_span(text, qm_span_of(part));
}

void qm_tls_text_add_number(struct qm_tls_text *text, int64_t number)
{
    char digits[24]; /* a sign and 19 digits */

    (void)snprintf(digits, sizeof(digits), "%" PRId64, number);
    qm_tls_text_add(text, digits);
}

static void add_escaped_byte(struct qm_tls_text *text, unsigned char byte)
{
    char hex[5]; /* \xNN */

    if (byte == '\\') {
        qm_tls_text_add(text, "\\\\");
    } else if (byte == ' ' || qm_ascii_is_visible(byte)) {
        qm_tls_text_add_span(text, qm_span_make((const char *)&byte, 1));
    } else {
        (void)snprintf(hex, sizeof(hex), "\\x%02x", byte);
        qm_tls_text_add(text, hex);
    }
}

void qm_tls_text_add_escaped(struct qm_tls_text *text, struct qm_span part)
{
    size_t i;

    for (i = 0; i < part.len && !text->full; i++) {
        add_escaped_byte(text, (unsigned char)part.ptr[i]);
    }
}
