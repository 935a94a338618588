#include "net/qm_errno.h"

#include "check.h"

#include <errno.h>
#include <netdb.h>

static void names_system_codes(void)
{
    CHECK(strcmp(qm_errno_name(ECONNREFUSED), "ECONNREFUSED") == 0);
    CHECK(strcmp(qm_errno_text(ECONNREFUSED), "connection refused") == 0);
    CHECK(strcmp(qm_errno_name(ETIMEDOUT), "ETIMEDOUT") == 0);
    CHECK(strcmp(qm_errno_name(EHOSTUNREACH), "EHOSTUNREACH") == 0);
    CHECK(strcmp(qm_errno_name(ENETUNREACH), "ENETUNREACH") == 0);
    CHECK(strcmp(qm_errno_name(EPERM), "EPERM") == 0);
}

static void names_codes_of_files(void)
{
    static const int codes[] = { EBUSY,   EDQUOT,    EEXIST, EFBIG,  EIO,
                                 EISDIR,  ELOOP,     EMLINK, ENOLCK, ENOSPC,
                                 ENOTDIR, ENOTEMPTY, EROFS,  ESTALE, EXDEV };
    size_t i;

    for (i = 0; i < QM_COUNTOF(codes); i++) {
        CHECK(strcmp(qm_errno_name(codes[i]), "EOTHER") != 0);
    }
    CHECK(strcmp(qm_errno_name(ENOSPC), "ENOSPC") == 0);
    CHECK(strcmp(qm_errno_text(ENOSPC), "no space left on the device") == 0);
}

static void names_resolver_codes(void)
{
    CHECK(strcmp(qm_errno_resolve_name(EAI_NONAME), "noname") == 0);
    CHECK(strcmp(qm_errno_resolve_text(EAI_NONAME), "no such host name") == 0);
    CHECK(strcmp(qm_errno_resolve_name(EAI_AGAIN), "again") == 0);
}

static void has_words_for_unknown_codes(void)
{
    CHECK(strcmp(qm_errno_name(-1), "EOTHER") == 0);
    CHECK(strcmp(qm_errno_text(-1), "system error") == 0);
    CHECK(strcmp(qm_errno_resolve_name(12345), "other") == 0);
    CHECK(strcmp(qm_errno_resolve_text(12345), "the resolver failed") == 0);
}

static void knows_what_means_again(void)
{
    CHECK(qm_errno_is_again(EAGAIN));
    CHECK(qm_errno_is_again(EWOULDBLOCK));
    CHECK(!qm_errno_is_again(EINTR));
    CHECK(!qm_errno_is_again(0));
}

int main(void)
{
    TEST(knows_what_means_again);
    TEST(names_system_codes);
    TEST(names_codes_of_files);
    TEST(names_resolver_codes);
    TEST(has_words_for_unknown_codes);
    return check_done();
}
