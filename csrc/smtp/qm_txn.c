#include "smtp/qm_txn.h"

#include "codec/qm_addr.h"

void qm_txn_init(struct qm_txn *txn)
{
    memset(txn, 0, sizeof(*txn));
    qm_buf_init(&txn->paths, QM_TXN_PATHS_MAX, false);
}

void qm_txn_deinit(struct qm_txn *txn)
{
    qm_buf_deinit(&txn->paths);
    txn->stage = QM_TXN_FREE;
}

void qm_txn_reset(struct qm_txn *txn)
{
    struct qm_buf paths = txn->paths;

    qm_buf_reset(&paths);
    memset(txn, 0, sizeof(*txn));
    txn->paths = paths;
}

static enum qm_err append_path(struct qm_txn *txn, const struct qm_addr *addr)
{
    size_t before = qm_buf_len(&txn->paths);
    enum qm_err err = QM_OK;

    if (addr != NULL) {
        err = qm_addr_append_spec(&txn->paths, addr);
    }
    if (err == QM_OK) {
        err = qm_buf_append_char(&txn->paths, '\0');
    }
    if (err != QM_OK) {
        qm_buf_truncate(&txn->paths, before);
    }
    return err;
}

static enum qm_err add_path(struct qm_txn *txn, struct qm_span path)
{
    struct qm_addr addr;
    enum qm_err err = qm_addr_spec(path, &addr, NULL, NULL);

    if (err != QM_OK) {
        return err;
    }
    if (addr.utf8 && !txn->utf8) {
        return QM_E_NONASCII;
    }
    return append_path(txn, &addr);
}

enum qm_err qm_txn_set_from(struct qm_txn *txn, struct qm_span path)
{
    enum qm_err err;

    if (qm_buf_len(&txn->paths) > 0) {
        return QM_E_MISUSE;
    }
    err = path.len == 0 ? append_path(txn, NULL) : add_path(txn, path);
    txn->next_path = qm_buf_len(&txn->paths);
    return err;
}

enum qm_err qm_txn_add_rcpt(struct qm_txn *txn, struct qm_span path)
{
    enum qm_err err;

    if (qm_buf_len(&txn->paths) == 0) {
        return QM_E_MISUSE;
    }
    if (txn->rcpt_count >= QM_TXN_RCPT_MAX) {
        return QM_E_LIMIT;
    }
    err = add_path(txn, path);
    if (err == QM_OK) {
        txn->rcpt_count++;
    }
    return err;
}

static struct qm_span path_at(const struct qm_txn *txn, size_t offset)
{
    struct qm_span rest = qm_span_from(qm_buf_span(&txn->paths), offset);

    return rest.len == 0 ? rest : qm_span_of(rest.ptr);
}

struct qm_span qm_txn_from(const struct qm_txn *txn)
{
    return path_at(txn, 0);
}

struct qm_span qm_txn_next_rcpt(struct qm_txn *txn)
{
    struct qm_span path = path_at(txn, txn->next_path);

    txn->next_path += path.len + 1;
    return path;
}
