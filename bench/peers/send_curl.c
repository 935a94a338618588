/*
 * libcurl: one easy handle, whose connection is kept, and a curl_mime of its
 * own for each mail. Settings: those of all clients (README.md).
 */
#define _GNU_SOURCE
#include "bench.h"
#include "notice.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

enum { CONNS_MAX = 100 }; /* so that no mail waits for the end of another one */

struct peer {
    CURL *easy;
    struct curl_slist *recipients;
    struct notice notice;
    const char *file; /* NULL: none */
    bool is_first;
};

static void check(CURLcode code)
{
    if (code != CURLE_OK) {
        bench_die("curl", curl_easy_strerror(code));
    }
}

static struct curl_slist *append(struct curl_slist *list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(list, text);
    if (!longer) {
        bench_die("curl", "no memory");
    }
    return longer;
}

static void set_text(struct peer *p, CURLoption option, const char *text)
{
    check(curl_easy_setopt(p->easy, option, text));
}

static void set_number(struct peer *p, CURLoption option, long number)
{
    check(curl_easy_setopt(p->easy, option, number));
}

static void load(struct peer *p)
{
    char url[80];
    bool is_tls = strcmp(bench_setting("TLS", "none"), "none") != 0;
    notice_load(&p->notice);
    const char *file = bench_setting("FILE", "");
    p->file = *file ? file : NULL;
    p->is_first = strcmp(bench_setting("MODE", "warm"), "first") == 0;
    p->recipients = append(NULL, "user@discard.test");
    (void)snprintf(url, sizeof url, "%s://127.0.0.1:%ld/client.example",
                   is_tls ? "smtps" : "smtp",
                   bench_setting_number("PORT", 0, 65535));
    set_text(p, CURLOPT_URL, url);
    set_text(p, CURLOPT_MAIL_FROM, "bench@example.com");
    check(curl_easy_setopt(p->easy, CURLOPT_MAIL_RCPT, p->recipients));
    set_text(p, CURLOPT_USERNAME, "u");
    set_text(p, CURLOPT_PASSWORD, "p");
    set_text(p, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN");
    if (is_tls) {
        set_text(p, CURLOPT_CAINFO, bench_setting("CA", NULL));
    }
    set_number(p, CURLOPT_NOSIGNAL, 1);
    set_number(p, CURLOPT_SSL_SESSIONID_CACHE, bench_setting_is_true("RESUME"));
    set_number(p, CURLOPT_FRESH_CONNECT, p->is_first);
    set_number(p, CURLOPT_MAXCONNECTS, CONNS_MAX);
}

static struct curl_slist *make_header(unsigned long number)
{
    static struct notice_out out;
    struct curl_slist *list = append(NULL, "To: user@discard.test");
    for (size_t i = 0; i < NOTICE_FIELDS; i++) {
        out.len = 0;
        out_field(&out, i, number);
        out_add(&out, "", 1);
        list = append(list, out.bytes);
    }
    return append(list, "MIME-Version: 1.0");
}

static curl_mimepart *add_part(curl_mime *mime, const char *type)
{
    curl_mimepart *part = curl_mime_addpart(mime);
    if (!part) {
        bench_die("curl", "no memory");
    }
    check(curl_mime_type(part, type));
    return part;
}

static void add_text(curl_mime *mime, const char *type,
                     const struct notice_text *text, unsigned long number)
{
    static struct notice_out out;
    curl_mimepart *part = add_part(mime, type);
    out.len = 0;
    out_filled(&out, text, number);
    check(curl_mime_data(part, out.bytes, out.len));
    check(curl_mime_encoder(part, "base64"));
}

static curl_mime *make_mime(struct peer *p, unsigned long number)
{
    curl_mime *mime = curl_mime_init(p->easy);
    curl_mime *texts = curl_mime_init(p->easy);
    add_text(texts, "text/plain; charset=utf-8", &p->notice.plain, number);
    add_text(texts, "text/html; charset=utf-8", &p->notice.html, number);
    curl_mimepart *part = add_part(mime, "multipart/alternative");
    check(curl_mime_subparts(part, texts));
    struct curl_slist *inline_part =
        append(NULL, "Content-Disposition: inline");
    check(curl_mime_headers(part, inline_part, 1));
    if (p->file) {
        part = add_part(mime, "application/octet-stream");
        check(curl_mime_filedata(part, p->file));
        check(curl_mime_encoder(part, "base64"));
    }
    return mime;
}

static void send_one(struct peer *p, unsigned long number)
{
    struct curl_slist *header = make_header(number);
    curl_mime *mime = make_mime(p, number);
    check(curl_easy_setopt(p->easy, CURLOPT_HTTPHEADER, header));
    check(curl_easy_setopt(p->easy, CURLOPT_MIMEPOST, mime));
    check(curl_easy_perform(p->easy));
    check(curl_easy_setopt(p->easy, CURLOPT_MIMEPOST, NULL));
    curl_mime_free(mime);
    curl_slist_free_all(header);
}

int main(void)
{
    static struct peer peer; /* zeroed */
    check(curl_global_init(CURL_GLOBAL_ALL));
    peer.easy = curl_easy_init();
    if (!peer.easy) {
        bench_die("curl", "no handle");
    }
    load(&peer);
    long mails = bench_setting_number("MAILS", 0, 100000000);
    send_one(&peer, 0);
    int64_t began = bench_now_us();
    for (long i = 1; i <= mails; i++) {
        send_one(&peer, (unsigned long)i);
    }
    printf("seconds=%.6f sent=%ld\n",
           (double)(bench_now_us() - began) / 1000000, mails);
    curl_easy_cleanup(peer.easy);
    curl_slist_free_all(peer.recipients);
    curl_global_cleanup();
    return 0;
}
