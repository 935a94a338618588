/*
 * people.h: certificates and keys of people, from spec/support/smime.sh.
 *
 * Test programs run from the top of the tree; the files are made by
 * people_start() in a folder of its own and removed by people_stop().
 */
#ifndef PEOPLE_H
#define PEOPLE_H

#include "check.h"

#include "base/qm_buf.h"
#include "crypto/qm_cert.h"

#include <stdlib.h>
#include <time.h>

enum { PEOPLE_TEXT_MAX = 65536 };

static char people_folder[] = "/tmp/qqmail-people.XXXXXX";
static char people_text[PEOPLE_TEXT_MAX];

static inline void people_start(void)
{
    char command[128];

    if (mkdtemp(people_folder) == NULL) {
        exit(1);
    }
    (void)snprintf(command, sizeof(command), "sh spec/support/smime.sh %s",
                   people_folder);
    if (system(command) != 0) {
        exit(1);
    }
}

static inline void people_stop(void)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -rf %s", people_folder);
    CHECK(system(command) == 0);
}

/* The bytes of a file, valid until the next call. */
static inline struct qm_span people_read(const char *name)
{
    char path[128];
    size_t len = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", people_folder, name);
    file = fopen(path, "rb");
    CHECK(file != NULL);
    if (file != NULL) {
        len = fread(people_text, 1, sizeof(people_text), file);
        CHECK(len > 0 && len < sizeof(people_text));
        (void)fclose(file);
    }
    return qm_span_make(people_text, len);
}

static inline void people_cert(struct qm_cert *cert, const char *name)
{
    qm_cert_init(cert);
    CHECK(qm_cert_read(cert, people_read(name), false) == QM_OK);
}

static inline void *people_key(const char *name)
{
    void *key = NULL;

    CHECK(qm_cert_key_read(people_read(name), qm_span_make(NULL, 0), &key) ==
          QM_CERT_FINE);
    return key;
}

static inline int64_t people_now(void)
{
    return (int64_t)time(NULL);
}

#endif
