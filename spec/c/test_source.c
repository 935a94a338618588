#include "mime/qm_source.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static void write_file(const char *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");

    CHECK(file != NULL && fwrite(bytes, 1, len, file) == len);
    if (file != NULL) {
        CHECK(fclose(file) == 0);
    }
}

/* Reads all of it in slices of `cap`; the result of the last call. */
static enum qm_err drain(struct qm_source *source, size_t cap, char *all,
                         size_t *len_out)
{
    char slice[64];
    struct qm_span bytes;
    enum qm_err err;

    *len_out = 0;
    for (;;) {
        err = qm_source_next(source, slice, cap, &bytes);
        if (err != QM_OK || bytes.len == 0) {
            return err;
        }
        memcpy(all + *len_out, bytes.ptr, bytes.len);
        *len_out += bytes.len;
    }
}

static void memory_is_given_in_one_view(void)
{
    struct qm_source source;
    struct qm_span text = qm_span_of("hello");
    struct qm_span bytes;
    uint64_t size = 0;
    int i;

    qm_source_memory(&source, text);
    CHECK(qm_source_size(&source, &size) && size == 5);
    for (i = 0; i < 2; i++) {
        CHECK(qm_source_open(&source) == QM_OK);
        CHECK(qm_source_next(&source, NULL, 0, &bytes) == QM_OK);
        CHECK(bytes.ptr == text.ptr && bytes.len == 5);
        CHECK(qm_source_next(&source, NULL, 0, &bytes) == QM_OK);
        CHECK(bytes.len == 0);
        qm_source_close(&source);
    }
}

static void memory_without_its_front(void)
{
    struct qm_source source;
    struct qm_span bytes;
    uint64_t size = 0;

    qm_source_memory(&source, qm_span_of("hello"));
    qm_source_skip(&source, 3);
    CHECK(qm_source_size(&source, &size) && size == 2);
    CHECK(qm_source_open(&source) == QM_OK);
    CHECK(qm_source_next(&source, NULL, 0, &bytes) == QM_OK);
    CHECK_BYTES(bytes.ptr, bytes.len, "lo");
    qm_source_skip(&source, 9);
    CHECK(qm_source_open(&source) == QM_OK);
    CHECK(qm_source_next(&source, NULL, 0, &bytes) == QM_OK);
    CHECK(bytes.len == 0);
}

static void file_in_slices_of_any_size(void)
{
    struct qm_source source;
    char all[64];
    size_t len;
    size_t cap;

    write_file("0123456789", 10);
    CHECK(qm_source_file(&source, path) == QM_OK);
    for (cap = 1; cap <= 12; cap++) {
        CHECK(qm_source_open(&source) == QM_OK);
        CHECK(drain(&source, cap, all, &len) == QM_OK);
        CHECK_BYTES(all, len, "0123456789");
        qm_source_close(&source);
    }
    qm_source_skip(&source, 8);
    CHECK(qm_source_open(&source) == QM_OK);
    CHECK(drain(&source, 7, all, &len) == QM_OK);
    CHECK_BYTES(all, len, "89");
    qm_source_close(&source);
    qm_source_close(&source);
    CHECK(qm_source_next(&source, all, 1, &(struct qm_span){ NULL, 0 }) ==
          QM_E_MISUSE);
}

static void file_that_cannot_be_read(void)
{
    struct qm_source source;

    errno = 0;
    CHECK(qm_source_file(&source, "/nonexistent/file") == QM_E_SYSTEM);
    CHECK(errno == ENOENT);
    CHECK(qm_source_file(&source, "/tmp") == QM_E_UNSUPPORTED);
    (void)remove(path);
    CHECK(mkfifo(path, 0600) == 0);
    CHECK(qm_source_file(&source, path) == QM_E_UNSUPPORTED);
    (void)remove(path);
}

static void file_that_changed_before_reading(void)
{
    struct qm_source source;

    write_file("0123456789", 10);
    CHECK(qm_source_file(&source, path) == QM_OK);
    write_file("012345678", 9);
    CHECK(qm_source_open(&source) == QM_E_CHANGED);
    CHECK(source.fd_plus_one == 0);
    CHECK(remove(path) == 0);
    CHECK(qm_source_open(&source) == QM_E_CHANGED);
}

static void file_of_the_same_size_with_other_times(void)
{
    struct qm_source source;
    struct timespec times[2] = { { 1000, 0 }, { 1000, 5 } };

    write_file("0123456789", 10);
    CHECK(qm_source_file(&source, path) == QM_OK);
    CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
    CHECK(qm_source_open(&source) == QM_E_CHANGED);
}

static void file_that_changed_while_read(void)
{
    struct qm_source source;
    char all[64];
    size_t len;
    struct qm_span bytes;

    write_file("0123456789", 10);
    CHECK(qm_source_file(&source, path) == QM_OK);
    CHECK(qm_source_open(&source) == QM_OK);
    CHECK(qm_source_next(&source, all, 4, &bytes) == QM_OK && bytes.len == 4);
    CHECK(truncate(path, 6) == 0);
    CHECK(drain(&source, 4, all, &len) == QM_E_CHANGED);
    qm_source_close(&source);

    write_file("0123456789", 10);
    CHECK(qm_source_file(&source, path) == QM_OK);
    CHECK(qm_source_open(&source) == QM_OK);
    CHECK(truncate(path, 11) == 0);
    CHECK(drain(&source, 4, all, &len) == QM_E_CHANGED);
    qm_source_close(&source);
}

/* Other bytes, and the state of before. */
static void rewrite(const char *content, size_t len)
{
    struct timespec times[2] = { { 1000, 0 }, { 1000, 0 } };

    int fd = open(path, O_WRONLY);

    CHECK(fd >= 0 && write(fd, content, len) == (ssize_t)len);
    (void)close(fd);
    CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
}

static enum qm_err read_whole(struct qm_source *source, size_t cap)
{
    char all[64];
    size_t len;
    enum qm_err err = qm_source_open(source);

    if (err == QM_OK) {
        err = drain(source, cap, all, &len);
    }
    qm_source_close(source);
    return err;
}

static void watched_file_with_other_bytes(void)
{
    struct qm_source source;
    struct qm_span bytes;
    char slice[4];

    write_file("0123456789", 10);
    rewrite("0123456789", 10);
    CHECK(qm_source_file(&source, path) == QM_OK);
    rewrite("0123456780", 10);
    CHECK(read_whole(&source, 4) == QM_OK);
    qm_source_watch(&source);
    rewrite("0123456789", 10);
    CHECK(qm_source_open(&source) == QM_OK);
    CHECK(qm_source_next(&source, slice, 4, &bytes) == QM_OK);
    qm_source_close(&source); /* which was no whole reading */
    CHECK(read_whole(&source, 4) == QM_OK);
    CHECK(read_whole(&source, 3) == QM_OK);
    rewrite("0123456780", 10);
    CHECK(read_whole(&source, 4) == QM_E_CHANGED);
    rewrite("0123456789", 10);
    CHECK(read_whole(&source, 64) == QM_OK);
    qm_source_skip(&source, 9);
    CHECK(read_whole(&source, 64) == QM_E_CHANGED);
}

/* Its stated size is 0, its content is not. */
static void file_that_lies_about_its_size(void)
{
    struct qm_source source;
    char all[64];
    size_t len;

    if (access("/proc/self/stat", R_OK) != 0) {
        return;
    }
    CHECK(qm_source_file(&source, "/proc/self/stat") == QM_OK);
    CHECK(qm_source_open(&source) == QM_OK);
    CHECK(drain(&source, sizeof(all), all, &len) == QM_E_CHANGED);
    qm_source_close(&source);
}

static void pull_in_pieces(void)
{
    struct qm_source source;
    struct qm_span bytes;
    uint64_t size;

    qm_source_pull(&source, false, 0);
    CHECK(!qm_source_size(&source, &size));
    CHECK(qm_source_open(&source) == QM_OK);
    CHECK(qm_source_next(&source, NULL, 0, &bytes) == QM_E_AGAIN);
    CHECK(qm_source_push(&source, qm_span_of("ab")) == QM_OK);
    CHECK(qm_source_push(&source, qm_span_of("cd")) == QM_E_MISUSE);
    CHECK(qm_source_next(&source, NULL, 0, &bytes) == QM_OK);
    CHECK_BYTES(bytes.ptr, bytes.len, "ab");
    CHECK(qm_source_next(&source, NULL, 0, &bytes) == QM_E_AGAIN);
    CHECK(qm_source_push(&source, qm_span_make(NULL, 0)) == QM_OK);
    CHECK(qm_source_next(&source, NULL, 0, &bytes) == QM_OK);
    CHECK(bytes.len == 0);
    CHECK(qm_source_push(&source, qm_span_of("x")) == QM_E_MISUSE);
    CHECK(qm_source_open(&source) == QM_E_UNSUPPORTED);
}

static enum qm_err pull_once(uint64_t promised, const char *piece)
{
    struct qm_source source;
    struct qm_span bytes;
    enum qm_err err;

    qm_source_pull(&source, true, promised);
    CHECK(qm_source_open(&source) == QM_OK);
    CHECK(qm_source_push(&source, qm_span_of(piece)) == QM_OK);
    err = qm_source_next(&source, NULL, 0, &bytes);
    if (err != QM_OK || bytes.len == 0) {
        return err;
    }
    CHECK(qm_source_push(&source, qm_span_make(NULL, 0)) == QM_OK);
    return qm_source_next(&source, NULL, 0, &bytes);
}

static void pull_must_keep_its_promise(void)
{
    CHECK(pull_once(2, "ab") == QM_OK);
    CHECK(pull_once(0, "") == QM_OK);
    CHECK(pull_once(2, "abc") == QM_E_CHANGED);
    CHECK(pull_once(2, "a") == QM_E_CHANGED);
    CHECK(pull_once(2, "") == QM_E_CHANGED);
}

int main(void)
{
    (void)snprintf(path, sizeof(path), "/tmp/qm_test_source.%ld",
                   (long)getpid());
    TEST(memory_is_given_in_one_view);
    TEST(memory_without_its_front);
    TEST(file_in_slices_of_any_size);
    TEST(file_that_cannot_be_read);
    TEST(file_that_changed_before_reading);
    TEST(file_of_the_same_size_with_other_times);
    TEST(file_that_changed_while_read);
    TEST(watched_file_with_other_bytes);
    TEST(file_that_lies_about_its_size);
    TEST(pull_in_pieces);
    TEST(pull_must_keep_its_promise);
    (void)remove(path);
    return check_done();
}
