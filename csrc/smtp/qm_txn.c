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

/* Appends a part and its NUL, or nothing. */
static enum qm_err append_part(struct qm_txn *txn, struct qm_span part)
{
    size_t before = qm_buf_len(&txn->paths);
    enum qm_err err = qm_buf_append(&txn->paths, part);

    if (err == QM_OK) {
        err = qm_buf_append_char(&txn->paths, '\0');
    }
    if (err != QM_OK) {
        qm_buf_truncate(&txn->paths, before);
    }
    return err;
}

static enum qm_err append_path(struct qm_txn *txn, const struct qm_addr *addr)
{
    size_t before = qm_buf_len(&txn->paths);
    enum qm_err err = qm_addr_append_spec(&txn->paths, addr);

    if (err == QM_OK) {
        err = append_part(txn, qm_span_make(NULL, 0));
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
    err = path.len == 0 ? append_part(txn, path) : add_path(txn, path);
    txn->next_path = qm_buf_len(&txn->paths);
    return err;
}

/* What the command writer will do with it; nothing of it is kept. */
static enum qm_err try_mail(struct qm_txn *txn, const struct qm_dsn_mail *dsn)
{
    size_t before = qm_buf_len(&txn->paths);
    enum qm_err err = qm_dsn_append_mail(&txn->paths, dsn);

    qm_buf_truncate(&txn->paths, before);
    return err;
}

static enum qm_err try_rcpt(struct qm_txn *txn, const struct qm_dsn_rcpt *dsn)
{
    size_t before = qm_buf_len(&txn->paths);
    enum qm_err err = qm_dsn_append_rcpt(&txn->paths, dsn, txn->utf8);

    qm_buf_truncate(&txn->paths, before);
    return err;
}

enum qm_err qm_txn_set_dsn(struct qm_txn *txn, const struct qm_dsn_mail *dsn)
{
    enum qm_err err;

    if (qm_buf_len(&txn->paths) == 0 || txn->rcpt_count > 0 || txn->has_envid) {
        return QM_E_MISUSE;
    }
    err = try_mail(txn, dsn);
    if (err == QM_OK && dsn->envid.len > 0) {
        err = append_part(txn, dsn->envid);
        txn->has_envid = err == QM_OK;
        txn->next_path = qm_buf_len(&txn->paths);
    }
    if (err == QM_OK) {
        txn->ret = dsn->ret;
    }
    return err;
}

/*
 * Behind the path of a recipient stand its notify bits, as a character that is
 * no NUL, and its original address.
 */
enum { NOTIFY_BASE = '@' };

static enum qm_err append_notify(struct qm_txn *txn, unsigned notify)
{
    return qm_buf_append_char(&txn->paths, (char)(NOTIFY_BASE + notify));
}

enum qm_err qm_txn_add_rcpt(struct qm_txn *txn, struct qm_span path)
{
    size_t before = qm_buf_len(&txn->paths);
    enum qm_err err;

    if (before == 0) {
        return QM_E_MISUSE;
    }
    if (txn->rcpt_count >= QM_TXN_RCPT_MAX) {
        return QM_E_LIMIT;
    }
    err = add_path(txn, path);
    if (err == QM_OK) {
        err = append_notify(txn, 0);
    }
    if (err == QM_OK) {
        err = append_part(txn, qm_span_make(NULL, 0));
    }
    if (err != QM_OK) {
        qm_buf_truncate(&txn->paths, before);
        return err;
    }
    txn->rcpt_count++;
    return QM_OK;
}

enum qm_err qm_txn_set_rcpt_dsn(struct qm_txn *txn,
                                const struct qm_dsn_rcpt *dsn)
{
    /* Over the two bytes that say nothing is asked. */
    size_t end = qm_buf_len(&txn->paths);
    enum qm_err err;

    if (txn->rcpt_count == 0) {
        return QM_E_MISUSE;
    }
    err = try_rcpt(txn, dsn);
    if (err != QM_OK) {
        return err;
    }
    qm_buf_truncate(&txn->paths, end - 2);
    err = append_notify(txn, dsn->notify);
    return err == QM_OK ? append_part(txn, dsn->orcpt) : err;
}

static struct qm_span part_at(const struct qm_txn *txn, size_t offset)
{
    struct qm_span rest = qm_span_from(qm_buf_span(&txn->paths), offset);

    return rest.len == 0 ? rest : qm_span_of(rest.ptr);
}

struct qm_span qm_txn_from(const struct qm_txn *txn)
{
    return part_at(txn, 0);
}

struct qm_dsn_mail qm_txn_dsn(const struct qm_txn *txn)
{
    struct qm_dsn_mail dsn;

    dsn.ret = txn->ret;
    dsn.envid = qm_span_make(NULL, 0);
    if (txn->has_envid) {
        dsn.envid = part_at(txn, qm_txn_from(txn).len + 1);
    }
    return dsn;
}

/* What append_notify() and the original address behind it say. */
static struct qm_dsn_rcpt read_asked(struct qm_span asked)
{
    struct qm_dsn_rcpt dsn = { 0, { NULL, 0 } };

    if (asked.len > 0) {
        dsn.notify = (unsigned)(asked.ptr[0] - NOTIFY_BASE);
        dsn.orcpt = qm_span_from(asked, 1);
    }
    return dsn;
}

struct qm_span qm_txn_next_rcpt(struct qm_txn *txn, struct qm_dsn_rcpt *dsn_out)
{
    struct qm_span path = part_at(txn, txn->next_path);
    struct qm_span asked;

    if (path.len == 0) {
        return path;
    }
    txn->next_path += path.len + 1;
    asked = part_at(txn, txn->next_path);
    txn->next_path += asked.len + 1;
    if (dsn_out != NULL) {
        *dsn_out = read_asked(asked);
    }
    return path;
}
