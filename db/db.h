/*
 * The one door to SQLite: opening, migrations, cached statements, transactions,
 * durability. WAL, one connection that writes, on the loop's thread. Commits do
 * not wait for the disk: fdatasync of the log runs in base/offload, and who
 * must not answer before it asks db_when_durable. Checkpoints run on a second
 * connection in base/offload. Nothing outside db/ says SQL.
 */
#ifndef CARREL_DB_DB_H
#define CARREL_DB_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/offload.h"

struct db;

/*
 * Opens or creates `path` (mode 0600), brings the schema up to date (a copy of
 * the file is kept before a migration), checks foreign keys and integrity of
 * the schema. ERR_INVALID: made by a newer Carrel, or no database of ours.
 * ":memory:" for tests. offload may be NULL (tests): syncs run in the call.
 */
struct db *db_open(
    const char *path, struct loop *l, struct offload *o, struct err *err);
/* Waits for the sync under way; waiters are called. */
void db_close(struct db **db);

/*
 * Transactions nest; the outermost commit is the one that counts. A rollback
 * inside rolls back to its own begin. A commit that fails has rolled back: its
 * level is over either way, and a rollback after it at the outermost level does
 * nothing. When SQLite itself gave the whole transaction up (disk full), what
 * follows fails until the outermost level is over.
 */
int db_begin(struct db *db, struct err *err) MUST_CHECK;
int db_commit(struct db *db, struct err *err) MUST_CHECK;
void db_rollback(struct db *db);

/* A row of a walk: the id that was asked for, and a name that belongs to it,
 * valid during the call. It must not write. */
typedef int db_pair_fn(
    int64_t id, const char *name, void *arg, struct err *err);

typedef void db_durable_fn(const struct err *err, void *arg);
struct db_waiter {
	struct list link;
	uint64_t seq;
	db_durable_fn *fn;
	void *arg;
};
/*
 * fn is called from the loop when everything committed until now is on disk,
 * never from inside this call; err is not ERR_NONE when the disk refused (the
 * program should then end: what is in memory is no longer true). Embedded in
 * the caller's object.
 */
void db_when_durable(
    struct db *db, struct db_waiter *w, db_durable_fn *fn, void *arg);
void db_waiter_cancel(struct db_waiter *w); /* safe on a zeroed waiter */
/* Everything committed is on disk. */
bool db_is_durable(const struct db *db);

#endif
