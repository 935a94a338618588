#include "tls/qm_tls_cert.h"

#include "tls/qm_tls_ctx.h"
#include "tls/qm_tls_err.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

enum {
    NAMES_CAP = 4096, /* bytes of host names looked at for a sentence */
    NAMES_SHOWN = 5   /* host names spelled out in a sentence */
};

/* RFC 2253 order and escapes, but UTF-8 stays readable. */
#define NAME_FLAGS (XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB)

static void add_dn(struct qm_tls_text *text, const X509_NAME *name)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *bytes = NULL;

    if (memory == NULL) {
        return;
    }
    if (X509_NAME_print_ex(memory, name, 0, NAME_FLAGS) < 0) {
        qm_tls_text_add(text, "(unreadable name)");
    } else {
        long len = BIO_get_mem_data(memory, &bytes);

        qm_tls_text_add_span(text, qm_span_make(bytes, (size_t)len));
    }
    BIO_free(memory);
}

void qm_tls_cert_subject(const X509 *cert, struct qm_tls_text *text)
{
    add_dn(text, X509_get_subject_name(cert));
}

void qm_tls_cert_issuer(const X509 *cert, struct qm_tls_text *text)
{
    add_dn(text, X509_get_issuer_name(cert));
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0;
    int seconds = 0;

    if (epoch != NULL) {
        if (!ASN1_TIME_diff(&days, &seconds, epoch, time)) {
            days = 0;
            seconds = 0;
        }
        ASN1_TIME_free(epoch);
    }
    return (int64_t)days * 86400 + seconds;
}

int64_t qm_tls_cert_not_before(const X509 *cert)
{
    return seconds_of(X509_get0_notBefore(cert));
}

int64_t qm_tls_cert_not_after(const X509 *cert)
{
    return seconds_of(X509_get0_notAfter(cert));
}

static void add_date(struct qm_tls_text *text, const ASN1_TIME *time)
{
    struct tm tm;
    char date[96];

    if (!ASN1_TIME_to_tm(time, &tm)) {
        qm_tls_text_add(text, "an unreadable date");
        return;
    }
    (void)snprintf(date, sizeof(date), "%04d-%02d-%02d %02d:%02d:%02d UTC",
                   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                   tm.tm_min, tm.tm_sec);
    qm_tls_text_add(text, date);
}

static struct qm_span string_of(const ASN1_STRING *string)
{
    return qm_span_make((const char *)ASN1_STRING_get0_data(string),
                        (size_t)ASN1_STRING_length(string));
}

static void add_address(struct qm_tls_text *text, struct qm_span address)
{
    char printed[INET6_ADDRSTRLEN];
    int family = address.len == 4 ? AF_INET : AF_INET6;

    if ((address.len == 4 || address.len == 16) &&
        inet_ntop(family, address.ptr, printed, sizeof(printed)) != NULL) {
        qm_tls_text_add(text, printed);
    }
}

/* One host name or address; other kinds of names leave `text` empty. */
static void add_general_name(struct qm_tls_text *text, const GENERAL_NAME *name)
{
    int kind;
    const void *value = GENERAL_NAME_get0_value(name, &kind);

    if (kind == GEN_DNS) {
        qm_tls_text_add_escaped(text, string_of(value));
    } else if (kind == GEN_IPADD) {
        add_address(text, string_of(value));
    }
}

void qm_tls_cert_names(const X509 *cert, struct qm_buf *names)
{
    GENERAL_NAMES *list =
        X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int count = list != NULL ? sk_GENERAL_NAME_num(list) : 0;
    int i;

    for (i = 0; i < count; i++) {
        struct qm_tls_text text;

        qm_tls_text_clear(&text);
        add_general_name(&text, sk_GENERAL_NAME_value(list, i));
        if (text.len + 1 > qm_buf_free_space(names)) {
            break;
        }
        if (text.len > 0) {
            /* the NUL that ends the text ends the name */
            (void)qm_buf_append(names, qm_span_make(text.bytes, text.len + 1));
        }
    }
    GENERAL_NAMES_free(list);
}

/* "A, B, C, D, E and 12 more" out of NUL-separated names. */
static void add_list(struct qm_tls_text *text, struct qm_span names)
{
    size_t seen = 0;
    size_t at = 0;

    while (at < names.len) {
        const char *name = names.ptr + at;

        if (seen < NAMES_SHOWN) {
            qm_tls_text_add(text, seen > 0 ? ", " : "");
            qm_tls_text_add(text, name);
        }
        seen++;
        at += strlen(name) + 1;
    }
    if (seen > NAMES_SHOWN) {
        qm_tls_text_add(text, " and ");
        qm_tls_text_add_number(text, (int64_t)(seen - NAMES_SHOWN));
        qm_tls_text_add(text, " more");
    }
}

static void explain_host(const X509 *cert, const char *host,
                         struct qm_tls_text *text)
{
    struct qm_buf names;

    qm_buf_init(&names, NAMES_CAP, false);
    qm_tls_cert_names(cert, &names);
    if (qm_buf_len(&names) > 0) {
        qm_tls_text_add(text, "certificate is for ");
        add_list(text, qm_buf_span(&names));
    } else {
        qm_tls_text_add(text, "certificate has no subject alternative name");
    }
    qm_buf_deinit(&names);
    qm_tls_text_add(text, " (not for ");
    qm_tls_text_add(text, host[0] != '\0' ? host : "this server");
    qm_tls_text_add(text, ")");
}

/* "certificate", or which one when it is not the server's own. */
static void add_which(struct qm_tls_text *text, const X509 *cert, int depth)
{
    qm_tls_text_add(text, depth > 0 ? "issuer certificate " : "certificate");
    if (depth > 0) {
        qm_tls_cert_subject(cert, text);
    }
}

static void explain_date(const X509 *cert, enum qm_tls_code code, int depth,
                         struct qm_tls_text *text)
{
    add_which(text, cert, depth);
    if (code == QM_TLS_EXPIRED) {
        qm_tls_text_add(text, " expired on ");
        add_date(text, X509_get0_notAfter(cert));
    } else {
        qm_tls_text_add(text, " is not valid before ");
        add_date(text, X509_get0_notBefore(cert));
    }
}

static void explain_issuer(const X509 *cert, int depth,
                           struct qm_tls_text *text)
{
    add_which(text, cert, depth);
    qm_tls_text_add(text, " was issued by ");
    qm_tls_cert_issuer(cert, text);
    qm_tls_text_add(text, ", which is not a trusted authority");
}

static void explain_other(const X509 *cert, long result, int depth,
                          struct qm_tls_text *text)
{
    add_which(text, cert, depth);
    qm_tls_text_add(text, " is refused: ");
    qm_tls_text_add(text, X509_verify_cert_error_string(result));
}

static void explain_chain(struct qm_tls_text *text)
{
    qm_tls_text_add(text, "certificate chain has more than ");
    qm_tls_text_add_number(text, QM_TLS_CHAIN_MAX);
    qm_tls_text_add(text, " intermediate certificates");
}

void qm_tls_cert_explain(const X509 *cert, long result, int depth,
                         const char *host, struct qm_tls_text *text)
{
    enum qm_tls_code code = qm_tls_code_of_verify(result);

    qm_tls_text_clear(text);
    if (cert == NULL) {
        qm_tls_text_add(text, X509_verify_cert_error_string(result));
    } else if (code == QM_TLS_HOST_MISMATCH) {
        explain_host(cert, host, text);
    } else if (code == QM_TLS_EXPIRED || code == QM_TLS_NOT_YET_VALID) {
        explain_date(cert, code, depth, text);
    } else if (code == QM_TLS_SELF_SIGNED) {
        qm_tls_text_add(text, "certificate is signed by nobody but itself (");
        qm_tls_cert_subject(cert, text);
        qm_tls_text_add(text, ")");
    } else if (code == QM_TLS_NO_ISSUER ||
               result == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN) {
        explain_issuer(cert, depth, text);
    } else if (code == QM_TLS_CHAIN_TOO_LONG) {
        explain_chain(text);
    } else {
        explain_other(cert, result, depth, text);
    }
}
