/*
 * libcurl: a message with the file FILE. It writes one nowhere but into a
 * connection: this one goes to the SMTP server at port P of loopback.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

enum { URL_MAX = 64 };

static void check(CURLcode code)
{
    if (code != CURLE_OK) {
        bench_die("curl", curl_easy_strerror(code));
    }
}

static curl_mime *make_parts(CURL *curl, const char *path)
{
    curl_mime *parts = curl_mime_init(curl);
    curl_mimepart *text = curl_mime_addpart(parts);
    check(curl_mime_data(text, "磁盘空间不足，日志见附件。\r\n",
                         CURL_ZERO_TERMINATED));
    check(curl_mime_type(text, "text/plain; charset=utf-8"));
    check(curl_mime_encoder(text, "base64"));
    curl_mimepart *file = curl_mime_addpart(parts);
    check(curl_mime_filedata(file, path));
    check(curl_mime_filename(file, "log.bin"));
    check(curl_mime_type(file, "application/octet-stream"));
    check(curl_mime_encoder(file, "base64"));
    return parts;
}

static void send_message(CURL *curl, const char *port, const char *path)
{
    char url[URL_MAX];
    (void)snprintf(url, sizeof url, "smtp://127.0.0.1:%s/client.example", port);
    struct curl_slist *to = curl_slist_append(NULL, "<user@bench.example>");
    struct curl_slist *header =
        curl_slist_append(NULL, "From: <notify@bench.example>");
    header = curl_slist_append(header, "To: <user@bench.example>");
    header = curl_slist_append(header, "Subject: the disk is full");
    curl_mime *parts = make_parts(curl, path);
    check(curl_easy_setopt(curl, CURLOPT_URL, url));
    check(curl_easy_setopt(curl, CURLOPT_MAIL_FROM, "<notify@bench.example>"));
    check(curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to));
    check(curl_easy_setopt(curl, CURLOPT_HTTPHEADER, header));
    check(curl_easy_setopt(curl, CURLOPT_MIMEPOST, parts));
    check(curl_easy_perform(curl));
    curl_mime_free(parts);
    curl_slist_free_all(header);
    curl_slist_free_all(to);
}

int main(void)
{
    int64_t began_us = bench_now_us();
    const char *path = getenv("FILE");
    const char *port = getenv("P");
    CURL *curl = curl_easy_init();
    if (!path || !port || !curl) {
        bench_die("FILE, P", "are not set");
    }
    send_message(curl, port, path);
    curl_easy_cleanup(curl);
    printf("seconds=%.6f\n", (double)(bench_now_us() - began_us) / 1000000);
    return 0;
}
