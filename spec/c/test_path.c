#include "disk/qm_path.h"

#include "folder.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What reading a place comes to. */
static enum qm_err try_read(const char *folder, const char *path,
                            bool *inside_out)
{
    struct qm_buf buf;
    enum qm_err err;

    *inside_out = true;
    errno = 0;
    qm_buf_init(&buf, 65536, false);
    err = qm_path_read(folder, path, 8, &buf, inside_out);
    CHECK(err == QM_OK || qm_buf_len(&buf) == 0);
    qm_buf_deinit(&buf);
    return err;
}

static bool is_inside(const char *folder, const char *path)
{
    bool inside;

    return try_read(folder, path, &inside) == QM_OK && inside;
}

static bool is_outside(const char *folder, const char *path)
{
    bool inside;

    return try_read(folder, path, &inside) == QM_OK && !inside;
}

static bool fails(const char *folder, const char *path, int code)
{
    bool inside;

    return try_read(folder, path, &inside) == QM_E_SYSTEM && errno == code &&
           !inside;
}

static void make_tree(void)
{
    CHECK(mkdir("top", 0700) == 0);
    CHECK(mkdir("top/sub", 0700) == 0);
    CHECK(mkdir("topper", 0700) == 0);
    folder_put("top/file", "x");
    folder_put("top/sub/file", "x");
    folder_put("topper/file", "x");
    CHECK(symlink("../topper/file", "top/out") == 0);
    CHECK(symlink("../topper", "top/away") == 0);
    CHECK(symlink("sub/file", "top/in") == 0);
    CHECK(symlink("top", "alias") == 0);
    CHECK(symlink("round", "top/round") == 0);
}

static void tells_inside_from_outside(void)
{
    bool inside;

    CHECK(is_inside("top", "top/file"));
    CHECK(try_read("top", "top/sub", &inside) == QM_E_UNSUPPORTED && inside);
    CHECK(is_inside("top/", "top//sub/./file"));
    CHECK(is_inside(".", "top/file"));
    CHECK(is_inside("/", "top/file"));
    CHECK(is_outside("top", "top"));
    CHECK(is_outside("/", "/"));
    CHECK(is_outside("top", "."));
    CHECK(is_outside("top", "topper/file"));
    CHECK(is_outside("top", "top/../topper/file"));
    CHECK(is_outside("top", "/etc/passwd"));
}

static void follows_links(void)
{
    CHECK(is_outside("top", "top/out"));
    CHECK(is_outside("top", "top/away/file"));
    CHECK(is_inside("top", "top/in"));
    CHECK(is_inside("alias", "top/file"));
    CHECK(is_inside("top", "alias/sub/file"));
    CHECK(is_outside("alias", "alias/out"));
}

static void reports_what_is_not_there(void)
{
    CHECK(fails("top", "top/missing", ENOENT));
    CHECK(fails("missing", "top/file", ENOENT));
    CHECK(fails("top", "top/file/x", ENOTDIR));
    CHECK(fails("top", "top/round", ELOOP));
    CHECK(fails("top", "", ENOENT));
}

/* The first bytes of a file of a folder; "" when it cannot be had. */
static struct qm_span read_file(const char *folder, const char *path)
{
    static char text[8];
    struct qm_buf buf;
    bool inside = false;
    size_t len;

    qm_buf_init(&buf, 65536, false);
    if (qm_path_read(folder, path, sizeof(text), &buf, &inside) != QM_OK) {
        qm_buf_reset(&buf);
    }
    CHECK(inside || qm_buf_len(&buf) == 0);
    len = qm_buf_len(&buf);
    memcpy(text, qm_buf_span(&buf).ptr == NULL ? "" : qm_buf_span(&buf).ptr,
           len);
    qm_buf_deinit(&buf);
    return qm_span_make(text, len);
}

static bool has(const char *folder, const char *path, const char *text)
{
    return qm_span_equal(read_file(folder, path), qm_span_of(text));
}

static void reads_what_is_inside(void)
{
    CHECK(has("top", "top/file", "x"));
    CHECK(has("top", "top/in", "x"));
    CHECK(has("/", "top/sub/file", "x"));
    CHECK(has("alias", "top/sub/file", "x"));
    CHECK(has("top", "top/out", ""));
    CHECK(has("top", "top/away/file", ""));
    CHECK(has("top", "top/sub", ""));
    CHECK(has("top", "top/missing", ""));
    CHECK(chmod("top", 0100) == 0);
    CHECK(has("top", "top/sub/file", "x"));
    CHECK(chmod("top", 0700) == 0);
}

/* Puts a link in the place of a folder and back, while its parent lives. */
static void swap_while_needed(pid_t parent)
{
    while (getppid() == parent) {
        (void)rename("race/sub", "race/kept");
        (void)rename("race/link", "race/sub");
        (void)rename("race/sub", "race/link");
        (void)rename("race/kept", "race/sub");
    }
}

static void is_not_led_out_by_haste(void)
{
    pid_t parent = getpid();
    pid_t child;
    size_t i;

    CHECK(mkdir("race", 0700) == 0);
    CHECK(mkdir("race/sub", 0700) == 0);
    folder_put("race/sub/file", "in");
    folder_put("topper/file", "secret");
    CHECK(symlink("../topper", "race/link") == 0);
    child = fork();
    if (child == 0) {
        swap_while_needed(parent);
        _exit(0);
    }
    CHECK(child > 0);
    for (i = 0; i < 20000; i++) {
        struct qm_span got = read_file("race", "race/sub/file");

        CHECK(got.len == 0 || qm_span_equal(got, qm_span_of("in")));
    }
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, NULL, 0) == child);
}

int main(void)
{
    folder_enter();
    make_tree();
    TEST(tells_inside_from_outside);
    TEST(follows_links);
    TEST(reports_what_is_not_there);
    TEST(reads_what_is_inside);
    TEST(is_not_led_out_by_haste);
    folder_leave();
    return check_done();
}
