/* GMime: a message with the file FILE, written to OUT. */
#define _GNU_SOURCE
#include "bench.h"

#include <fcntl.h>
#include <gmime/gmime.h>
#include <stdio.h>
#include <stdlib.h>

static GMimeObject *text_part(void)
{
    GMimeTextPart *part = g_mime_text_part_new_with_subtype("plain");
    g_mime_text_part_set_charset(part, "utf-8");
    g_mime_text_part_set_text(part, "磁盘空间不足，日志见附件。\n");
    g_mime_part_set_content_encoding(GMIME_PART(part),
                                     GMIME_CONTENT_ENCODING_BASE64);
    return GMIME_OBJECT(part);
}

static GMimeObject *file_part(const char *path)
{
    GMimePart *part = g_mime_part_new_with_type("application", "octet-stream");
    GMimeStream *file = g_mime_stream_fs_open(path, O_RDONLY, 0, NULL);
    if (!file) {
        bench_die(path, "cannot be read");
    }
    GMimeDataWrapper *content = g_mime_data_wrapper_new_with_stream(
        file, GMIME_CONTENT_ENCODING_DEFAULT);
    g_mime_part_set_content(part, content);
    g_mime_part_set_filename(part, "日志.bin");
    g_mime_part_set_content_encoding(part, GMIME_CONTENT_ENCODING_BASE64);
    g_object_unref(content);
    g_object_unref(file);
    return GMIME_OBJECT(part);
}

static void add_part(GMimeMultipart *to, GMimeObject *part)
{
    g_mime_multipart_add(to, part);
    g_object_unref(part);
}

static GMimeMessage *make_message(const char *path)
{
    GMimeMessage *message = g_mime_message_new(TRUE);
    g_mime_message_add_mailbox(message, GMIME_ADDRESS_TYPE_FROM, "通知",
                               "notify@bench.example");
    g_mime_message_add_mailbox(message, GMIME_ADDRESS_TYPE_TO, NULL,
                               "user@bench.example");
    g_mime_message_set_subject(message, "磁盘告警", "utf-8");
    GMimeMultipart *parts = g_mime_multipart_new_with_subtype("mixed");
    add_part(parts, text_part());
    add_part(parts, file_part(path));
    g_mime_message_set_mime_part(message, GMIME_OBJECT(parts));
    g_object_unref(parts);
    return message;
}

static void write_message(GMimeMessage *message, const char *path)
{
    GMimeFormatOptions *format = g_mime_format_options_new();
    g_mime_format_options_set_newline_format(format, GMIME_NEWLINE_FORMAT_DOS);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        bench_die_errno(path);
    }
    /* A stream for files would look for its place in it. */
    GMimeStream *out = g_mime_stream_pipe_new(fd);
    if (g_mime_object_write_to_stream(GMIME_OBJECT(message), format, out) < 0 ||
        g_mime_stream_close(out) != 0) {
        bench_die(path, "cannot be written");
    }
    g_object_unref(out);
    g_mime_format_options_free(format);
}

int main(void)
{
    int64_t began_us = bench_now_us();
    const char *from = getenv("FILE");
    const char *to = getenv("OUT");
    if (!from || !to) {
        bench_die("FILE, OUT", "are not set");
    }
    g_mime_init();
    GMimeMessage *message = make_message(from);
    write_message(message, to);
    g_object_unref(message);
    printf("seconds=%.6f\n", (double)(bench_now_us() - began_us) / 1000000);
    return 0;
}
