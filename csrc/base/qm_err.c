#include "base/qm_err.h"

struct err_entry {
    const char *name;
    const char *text;
};

static const struct err_entry entries[] = {
#define QM_ERR_ENTRY(symbol, name, text) { name, text },
    QM_ERR_LIST(QM_ERR_ENTRY)
#undef QM_ERR_ENTRY
};

static const struct err_entry unknown = { "unknown", "unknown error" };

static const struct err_entry *find(enum qm_err err)
{
    size_t index = (size_t)err;

    return index < QM_COUNTOF(entries) ? &entries[index] : &unknown;
}

const char *qm_err_name(enum qm_err err)
{
    return find(err)->name;
}

const char *qm_err_text(enum qm_err err)
{
    return find(err)->text;
}
