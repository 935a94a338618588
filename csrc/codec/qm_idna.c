#include "codec/qm_idna.h"

#include <dlfcn.h>

enum {
    DOMAIN_MAX = 1000,   /* 253 characters of up to four bytes, nearly */
    NONTRANSITIONAL = 8, /* of idn2_flags */
    NO_MEMORY = -100     /* of idn2_rc, as is 0 for success */
};

/* It stays once it was loaded: many addresses may need it. */
#if defined(RTLD_NODELETE)
#define LOAD_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)
#else
#define LOAD_FLAGS (RTLD_NOW | RTLD_LOCAL)
#endif

struct library {
    void *handle;
    int (*to_ascii)(const char *input, char **output, int flags);
    void (*release)(void *text);
};

/* POSIX has dlsym() answer with functions; ISO C knows no such conversion. */
static void find(const struct library *library, const char *name,
                 void *function_out)
{
    void *symbol = dlsym(library->handle, name);

    memcpy(function_out, &symbol, sizeof(symbol));
}

static bool load(struct library *library, const char *path)
{
    memset(library, 0, sizeof(*library));
    library->handle = dlopen(path, LOAD_FLAGS);
    if (library->handle == NULL) {
        return false;
    }
    find(library, "idn2_to_ascii_8z", &library->to_ascii);
    find(library, "idn2_free", &library->release);
    if (library->to_ascii == NULL || library->release == NULL) {
        (void)dlclose(library->handle);
        return false;
    }
    return true;
}

enum qm_err qm_idna_to_ascii(struct qm_buf *out, const char *library,
                             struct qm_span domain)
{
    struct library idn2;
    char input[DOMAIN_MAX + 1];
    char *output = NULL;
    enum qm_err err = QM_E_SYNTAX;
    int code;

    if (domain.len > DOMAIN_MAX) {
        return QM_E_TOO_LONG;
    } else if (domain.len == 0 ||
               memchr(domain.ptr, '\0', domain.len) != NULL) {
        return QM_E_SYNTAX;
    } else if (!load(&idn2, library)) {
        return QM_E_UNSUPPORTED;
    }
    memcpy(input, domain.ptr, domain.len);
    input[domain.len] = '\0';
    code = idn2.to_ascii(input, &output, NONTRANSITIONAL);
    if (code == 0) {
        err = qm_buf_append_text(out, output);
        idn2.release(output);
    } else if (code == NO_MEMORY) {
        err = QM_E_MEMORY;
    }
    (void)dlclose(idn2.handle);
    return err;
}
