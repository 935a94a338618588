#include "disk/qm_folder.h"

#include "base/qm_mem.h"
#include "disk/qm_fd.h"

#include "folder.h"

#include <errno.h>

static bool makes(const char *path)
{
    enum qm_folder_flaw flaw = QM_FOLDER_TOO_OPEN;

    return qm_folder_make(path, &flaw) == QM_OK && flaw == QM_FOLDER_FIT &&
           qm_mem_test_live() == 0;
}

static bool fails_to_make(const char *path, int code)
{
    enum qm_folder_flaw flaw = QM_FOLDER_TOO_OPEN;

    errno = 0;
    return qm_folder_make(path, &flaw) == QM_E_SYSTEM && errno == code &&
           flaw == QM_FOLDER_FIT && qm_mem_test_live() == 0;
}

static bool is_flawed(const char *path, enum qm_folder_flaw expected)
{
    enum qm_folder_flaw flaw = QM_FOLDER_FIT;

    return qm_folder_make(path, &flaw) == QM_E_UNSUPPORTED && flaw == expected;
}

static void makes_what_is_missing(void)
{
    int before = folder_open_descriptors();
    char path[64];

    CHECK(makes("one"));
    CHECK(folder_mode("one") == 0700);
    CHECK(makes("one"));
    CHECK(chmod("one", 0755) == 0);
    CHECK(makes("one//two/three//"));
    CHECK(folder_mode("one") == 0755);
    CHECK(folder_mode("one/two") == 0700);
    CHECK(folder_mode("one/two/three") == 0700);
    snprintf(path, sizeof(path), "%s/one/four/five", folder_path);
    CHECK(makes(path));
    CHECK(makes("."));
    CHECK(folder_open_descriptors() == before);
    CHECK(qm_folder_remove("one/four") == QM_E_SYSTEM);
    CHECK(errno == ENOTEMPTY || errno == EEXIST);
    CHECK(qm_folder_remove("one/four/five") == QM_OK);
    CHECK(qm_folder_remove("one/four/five") == QM_E_SYSTEM && errno == ENOENT);
}

static void refuses_what_is_no_folder(void)
{
    char name[300];

    folder_put("regular", "");
    CHECK(mkdir("real", 0700) == 0);
    CHECK(symlink("real", "link") == 0);
    CHECK(symlink("nowhere", "dangling") == 0);
    CHECK(fails_to_make("", ENOENT));
    CHECK(fails_to_make("regular", ENOTDIR));
    CHECK(fails_to_make("regular/below", ENOTDIR));
    CHECK(fails_to_make("regular/far/below", ENOTDIR));
    CHECK(fails_to_make("link", ENOTDIR));
    CHECK(fails_to_make("link/", ENOTDIR));
    CHECK(fails_to_make("dangling", ENOTDIR));
    CHECK(!folder_has("nowhere"));
    CHECK(makes("link/below"));
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    CHECK(fails_to_make(name, ENAMETOOLONG));
}

static void refuses_what_others_may_write(void)
{
    CHECK(mkdir("open", 0700) == 0);
    CHECK(chmod("open", 0770) == 0);
    CHECK(is_flawed("open", QM_FOLDER_TOO_OPEN));
    CHECK(chmod("open", 0702) == 0);
    CHECK(is_flawed("open/", QM_FOLDER_TOO_OPEN));
    CHECK(chmod("open", 0755) == 0);
    CHECK(makes("open"));
}

/* Only root can give a folder away; but root's own is there for the others. */
static void refuses_what_is_not_ours(void)
{
    if (geteuid() != 0) {
        CHECK(is_flawed("/", QM_FOLDER_NOT_OWNER));
        return;
    }
    CHECK(mkdir("theirs", 0700) == 0);
    CHECK(chown("theirs", 12345, 12345) == 0);
    CHECK(is_flawed("theirs", QM_FOLDER_NOT_OWNER));
    CHECK(makes("/"));
}

static bool opens_parent(const char *path, const char *expected)
{
    struct stat got;
    struct stat wanted;
    char copy[64];
    int fd;

    snprintf(copy, sizeof(copy), "%s", path);
    fd = qm_folder_open_parent(copy);
    CHECK(fd >= 0 && fstat(fd, &got) == 0 && stat(expected, &wanted) == 0);
    qm_fd_close(fd);
    return strcmp(copy, path) == 0 && got.st_dev == wanted.st_dev &&
           got.st_ino == wanted.st_ino;
}

static void opens_the_folder_of_a_path(void)
{
    char missing[] = "missing/file";

    CHECK(mkdir("dir", 0700) == 0);
    CHECK(opens_parent("file", "."));
    CHECK(opens_parent("/file", "/"));
    CHECK(opens_parent("dir/file", "dir"));
    CHECK(opens_parent("dir//file", "dir"));
    CHECK(qm_folder_open_parent(missing) == -1 && errno == ENOENT);
    CHECK(strcmp(missing, "missing/file") == 0);
}

static void make_listed(void)
{
    CHECK(makes("listed"));
    folder_put("listed/b", "");
    folder_put("listed/a.part", "");
    folder_put("listed/.hidden", "");
    folder_put("listed/a", "");
    folder_put("listed/\xc3\xa9", "");
    folder_put("listed/B", "");
    CHECK(mkdir("listed/c", 0700) == 0);
}

static void lists_names_in_order(void)
{
    static const char *const expected[] = { "B", "a", "a.part",
                                            "b", "c", "\xc3\xa9" };
    struct qm_folder_list list;
    size_t i;

    make_listed();
    CHECK(qm_folder_list("listed", 100, &list) == QM_OK);
    CHECK(list.len == QM_COUNTOF(expected));
    for (i = 0; i < list.len && i < QM_COUNTOF(expected); i++) {
        CHECK(strcmp(list.names[i], expected[i]) == 0);
    }
    qm_folder_list_deinit(&list);
    qm_folder_list_deinit(&list);
    CHECK(list.len == 0 && qm_mem_test_live() == 0);
}

static void lists_no_more_than_asked(void)
{
    struct qm_folder_list list;

    CHECK(qm_folder_list("listed", 2, &list) == QM_OK);
    CHECK(list.len == 2 && strcmp(list.names[0], list.names[1]) < 0);
    qm_folder_list_deinit(&list);
    CHECK(qm_folder_list("listed", 0, &list) == QM_OK && list.len == 0);
    qm_folder_list_deinit(&list);
    CHECK(makes("empty"));
    CHECK(qm_folder_list("empty", 2, &list) == QM_OK && list.len == 0);
    qm_folder_list_deinit(&list);
    CHECK(qm_mem_test_live() == 0);
}

static void reports_why_it_cannot_list(void)
{
    struct qm_folder_list list;

    CHECK(qm_folder_list("missing", 2, &list) == QM_E_SYSTEM);
    CHECK(errno == ENOENT && list.len == 0);
    CHECK(qm_folder_list("listed/a", 2, &list) == QM_E_SYSTEM);
    CHECK(errno == ENOTDIR);
}

static void listing_survives_want_of_memory(void)
{
    int before = folder_open_descriptors();
    enum qm_err err = QM_E_MEMORY;
    struct qm_folder_list list;
    long allowed;

    for (allowed = 0; err != QM_OK && allowed < 10; allowed++) {
        qm_mem_test_fail_after(allowed);
        err = qm_folder_list("listed", 100, &list);
        qm_mem_test_fail_after(-1);
        CHECK(err == QM_OK || (err == QM_E_MEMORY && list.len == 0));
        CHECK(err == QM_OK || qm_mem_test_live() == 0);
    }
    CHECK(err == QM_OK && allowed > 2);
    qm_folder_list_deinit(&list);
    CHECK(folder_open_descriptors() == before);
}

static void making_survives_want_of_memory(void)
{
    enum qm_folder_flaw flaw;

    qm_mem_test_fail_after(0);
    CHECK(qm_folder_make("unmade", &flaw) == QM_E_MEMORY);
    qm_mem_test_fail_after(-1);
    CHECK(!folder_has("unmade"));
    CHECK(makes("unmade"));
}

int main(void)
{
    folder_enter();
    TEST(makes_what_is_missing);
    TEST(refuses_what_is_no_folder);
    TEST(refuses_what_others_may_write);
    TEST(refuses_what_is_not_ours);
    TEST(opens_the_folder_of_a_path);
    TEST(lists_names_in_order);
    TEST(lists_no_more_than_asked);
    TEST(reports_why_it_cannot_list);
    TEST(listing_survives_want_of_memory);
    TEST(making_survives_want_of_memory);
    folder_leave();
    return check_done();
}
