#include "disk/qm_file.h"

#include "base/qm_mem.h"

#include "folder.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

/* Nothing at the path, nothing beside it, nothing in memory. */
static bool left_nothing(const char *path)
{
    char part[64];

    snprintf(part, sizeof(part), "%s.part", path);
    return !folder_has(path) && !folder_has(part) && qm_mem_test_live() == 0;
}

static void appears_whole(bool sync)
{
    struct qm_file file;

    CHECK(qm_file_create(&file, "mail") == QM_OK);
    CHECK(folder_mode("mail.part") == 0600);
    CHECK(qm_file_append(&file, qm_span_of("one ")) == QM_OK);
    CHECK(qm_file_append(&file, qm_span_of("")) == QM_OK);
    CHECK(!folder_has("mail"));
    CHECK(qm_file_append(&file, qm_span_of("two")) == QM_OK);
    CHECK(!folder_has("mail"));
    CHECK(qm_file_commit(&file, sync) == QM_OK);
    CHECK(folder_holds("mail", "one two"));
    CHECK(folder_mode("mail") == 0600);
    CHECK(!folder_has("mail.part"));
    CHECK(qm_file_remove("mail") == QM_OK);
    CHECK(left_nothing("mail"));
}

static void appears_only_when_committed(void)
{
    appears_whole(false);
    appears_whole(true);
}

static void absolute_and_nested_paths_are_synced_too(void)
{
    struct qm_file file;
    char path[64];

    CHECK(mkdir("sub", 0700) == 0);
    snprintf(path, sizeof(path), "%s/sub/mail", folder_path);
    CHECK(qm_file_create(&file, path) == QM_OK);
    CHECK(qm_file_commit(&file, true) == QM_OK);
    CHECK(folder_holds("sub/mail", ""));
    CHECK(qm_file_create(&file, "sub/mail") == QM_OK);
    CHECK(qm_file_commit(&file, true) == QM_OK);
    CHECK(qm_file_remove(path) == QM_OK);
    CHECK(rmdir("sub") == 0);
}

static void closed_writers_say_so(void)
{
    struct qm_file file;

    memset(&file, 0, sizeof(file));
    qm_file_abort(&file);
    CHECK(qm_file_append(&file, qm_span_of("x")) == QM_E_CLOSED);
    CHECK(qm_file_commit(&file, true) == QM_E_CLOSED);
    CHECK(qm_file_create(&file, "mail") == QM_OK);
    CHECK(qm_file_append(&file, qm_span_of("x")) == QM_OK);
    errno = ENOSPC;
    qm_file_abort(&file);
    CHECK(errno == ENOSPC);
    CHECK(left_nothing("mail"));
    qm_file_abort(&file);
    CHECK(qm_file_append(&file, qm_span_of("x")) == QM_E_CLOSED);
    CHECK(qm_file_commit(&file, false) == QM_E_CLOSED);
}

static void stale_parts_are_replaced(void)
{
    struct qm_file file;

    folder_put("mail.part", "half of a ma");
    CHECK(qm_file_create(&file, "mail") == QM_OK);
    CHECK(qm_file_append(&file, qm_span_of("new")) == QM_OK);
    CHECK(qm_file_commit(&file, false) == QM_OK);
    CHECK(folder_holds("mail", "new"));
    CHECK(qm_file_create(&file, "mail") == QM_OK);
    CHECK(qm_file_append(&file, qm_span_of("newer")) == QM_OK);
    CHECK(folder_holds("mail", "new"));
    CHECK(qm_file_commit(&file, false) == QM_OK);
    CHECK(folder_holds("mail", "newer"));
    CHECK(qm_file_remove("mail") == QM_OK);
}

/* The link goes, what it points to stays. */
static void links_are_not_followed(void)
{
    struct qm_file file;

    folder_put("victim", "untouched");
    CHECK(symlink("victim", "mail.part") == 0);
    CHECK(symlink("victim", "mail") == 0);
    CHECK(qm_file_create(&file, "mail") == QM_OK);
    CHECK(qm_file_append(&file, qm_span_of("new")) == QM_OK);
    CHECK(qm_file_commit(&file, false) == QM_OK);
    CHECK(folder_holds("mail", "new"));
    CHECK(folder_holds("victim", "untouched"));
    CHECK(qm_file_remove("mail") == QM_OK);
    CHECK(qm_file_remove("victim") == QM_OK);
    CHECK(left_nothing("mail"));
}

static bool fails_to_create(const char *path, int code)
{
    int before = folder_open_descriptors();
    struct qm_file file;

    errno = 0;
    return qm_file_create(&file, path) == QM_E_SYSTEM && errno == code &&
           file.path == NULL && qm_mem_test_live() == 0 &&
           folder_open_descriptors() == before;
}

static void reports_why_it_cannot_create(void)
{
    char name[400];

    memset(name, 'x', sizeof(name));
    name[252] = '\0'; /* would fit, but not with its .part */
    CHECK(fails_to_create(name, ENAMETOOLONG));
    CHECK(fails_to_create("", ENOENT));
    CHECK(fails_to_create("missing/mail", ENOENT));
    CHECK(fails_to_create("folder/", EISDIR));
    folder_put("regular", "");
    CHECK(fails_to_create("regular/mail", ENOTDIR));
    CHECK(qm_file_remove("regular") == QM_OK);
    CHECK(mkdir("mail.part", 0700) == 0);
    CHECK(fails_to_create("mail", EEXIST));
    CHECK(rmdir("mail.part") == 0);
}

static void a_failed_commit_leaves_nothing(void)
{
    int before = folder_open_descriptors();
    struct qm_file file;
    int sync;

    for (sync = 0; sync <= 1; sync++) {
        CHECK(qm_file_create(&file, "mail") == QM_OK);
        CHECK(mkdir("mail", 0700) == 0);
        CHECK(qm_file_commit(&file, sync == 1) == QM_E_SYSTEM);
        CHECK(errno == EISDIR);
        CHECK(rmdir("mail") == 0);
        CHECK(left_nothing("mail"));
        CHECK(qm_file_commit(&file, sync == 1) == QM_E_CLOSED);
    }
    CHECK(folder_open_descriptors() == before);
}

/* The folder is gone before the commit; it is the first to be opened. */
static void a_missing_folder_fails_the_commit(void)
{
    struct qm_file file;

    CHECK(mkdir("sub", 0700) == 0);
    CHECK(qm_file_create(&file, "sub/mail") == QM_OK);
    CHECK(rename("sub", "other") == 0);
    CHECK(qm_file_commit(&file, true) == QM_E_SYSTEM && errno == ENOENT);
    CHECK(qm_mem_test_live() == 0);
    CHECK(qm_file_remove("other/mail.part") == QM_OK);
    CHECK(rmdir("other") == 0);
}

/* As on a full disk: some bytes are taken, then no more. */
static void a_failed_write_leaves_nothing(void)
{
    int before = folder_open_descriptors();
    struct qm_file file;
    struct rlimit limit;
    struct rlimit saved;
    enum qm_err err;
    int code;

    signal(SIGXFSZ, SIG_IGN);
    CHECK(getrlimit(RLIMIT_FSIZE, &saved) == 0);
    limit = saved;
    limit.rlim_cur = 10;
    CHECK(qm_file_create(&file, "mail") == QM_OK);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    err = qm_file_append(&file, qm_span_of("0123456789abc"));
    code = errno;
    CHECK(setrlimit(RLIMIT_FSIZE, &saved) == 0);
    CHECK(err == QM_E_SYSTEM && code == EFBIG);
    CHECK(left_nothing("mail"));
    CHECK(qm_file_append(&file, qm_span_of("x")) == QM_E_CLOSED);
    CHECK(folder_open_descriptors() == before);
}

static void renames_and_removes(void)
{
    folder_put("a", "1");
    folder_put("b", "2");
    CHECK(qm_file_rename("a", "b") == QM_OK);
    CHECK(!folder_has("a") && folder_holds("b", "1"));
    CHECK(qm_file_rename("a", "b") == QM_E_SYSTEM && errno == ENOENT);
    CHECK(qm_file_remove("b") == QM_OK);
    CHECK(qm_file_remove("b") == QM_E_SYSTEM && errno == ENOENT);
}

static void tells_size_and_time(void)
{
    struct timespec times[2] = { { 1000, 0 }, { 1000, 5 } };
    struct qm_file_info info;

    folder_put("a", "12345");
    CHECK(utimensat(AT_FDCWD, "a", times, 0) == 0);
    CHECK(qm_file_stat("a", &info) == QM_OK);
    CHECK(info.size == 5 && info.mtime_seconds == 1000);
    CHECK(info.mtime_nanoseconds == 5);
    CHECK(symlink("a", "link") == 0);
    CHECK(qm_file_stat("link", &info) == QM_E_UNSUPPORTED);
    CHECK(qm_file_stat(".", &info) == QM_E_UNSUPPORTED);
    CHECK(qm_file_remove("a") == QM_OK);
    CHECK(qm_file_stat("a", &info) == QM_E_SYSTEM && errno == ENOENT);
    CHECK(qm_file_remove("link") == QM_OK);
}

static void survives_want_of_memory(void)
{
    enum qm_err err = QM_E_MEMORY;
    long allowed;

    for (allowed = 0; err != QM_OK && allowed < 10; allowed++) {
        struct qm_file file;

        qm_mem_test_fail_after(allowed);
        err = qm_file_create(&file, "mail");
        if (err == QM_OK) {
            err = qm_file_commit(&file, true);
        }
        qm_mem_test_fail_after(-1);
        CHECK(err == QM_OK || (err == QM_E_MEMORY && left_nothing("mail")));
    }
    CHECK(err == QM_OK && allowed > 1);
    CHECK(qm_file_remove("mail") == QM_OK);
    CHECK(left_nothing("mail"));
}

int main(void)
{
    folder_enter();
    TEST(appears_only_when_committed);
    TEST(absolute_and_nested_paths_are_synced_too);
    TEST(closed_writers_say_so);
    TEST(stale_parts_are_replaced);
    TEST(links_are_not_followed);
    TEST(reports_why_it_cannot_create);
    TEST(a_failed_commit_leaves_nothing);
    TEST(a_missing_folder_fails_the_commit);
    TEST(a_failed_write_leaves_nothing);
    TEST(renames_and_removes);
    TEST(tells_size_and_time);
    TEST(survives_want_of_memory);
    folder_leave();
    return check_done();
}
