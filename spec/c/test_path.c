#include "disk/qm_path.h"

#include "folder.h"

#include <errno.h>

static bool is_inside(const char *folder, const char *path)
{
    bool inside = false;

    return qm_path_is_inside(folder, path, &inside) == QM_OK && inside;
}

static bool is_outside(const char *folder, const char *path)
{
    bool inside = true;

    return qm_path_is_inside(folder, path, &inside) == QM_OK && !inside;
}

static bool fails(const char *folder, const char *path, int code)
{
    bool inside = true;

    errno = 0;
    return qm_path_is_inside(folder, path, &inside) == QM_E_SYSTEM &&
           errno == code && !inside;
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
    CHECK(is_inside("top", "top/file"));
    CHECK(is_inside("top", "top/sub"));
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

int main(void)
{
    folder_enter();
    make_tree();
    TEST(tells_inside_from_outside);
    TEST(follows_links);
    TEST(reports_what_is_not_there);
    folder_leave();
    return check_done();
}
