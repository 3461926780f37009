/*
 * What db.c, stmt.c, durable.c and migrate.c share. Private to db/; who reads
 * and writes rows needs db_stmt.h only.
 */
#ifndef CARREL_DB_DB_PRIV_H
#define CARREL_DB_DB_PRIV_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"
#include "db/db_stmt.h"
#include "db/schema.h"

#define DB_STATEMENTS       256 /* a power of two, far above what db/ has */
/* Begin a checkpoint when it has so many pages to look at: about 8 MiB. */
#define DB_CHECKPOINT_PAGES 2000
#define DB_BUSY_MS          2000

struct db_cached {
	const struct db_sql *sql;
	sqlite3_stmt *st;
	bool in_use;
};

/* What db.c says again and again, prepared once. */
enum db_word {
	WORD_READ,
	WORD_WRITE,
	WORD_COMMIT,
	WORD_SAVE,
	WORD_RELEASE,
	N_WORDS,
};

struct db_sync;
struct db_checkpoint;

struct db {
	sqlite3 *h;
	char *path;
	bool in_memory;
	struct loop *loop;
	struct offload *offload;
	int lock_fd; /* flock: one hub per file */

	struct db_cached cached[DB_STATEMENTS];
	int depth;     /* of transactions */
	int n_walking; /* callbacks over rows: nothing may be written */
	bool
	    is_reading; /* a transaction that only reads, until the turn ends */
	struct defer turn_end;
	sqlite3_stmt *words[N_WORDS];

	/* share.c: most hubs share nothing, and every request asks. */
	bool knows_shares, has_shares;

	/* durable.c */
	int wal_fd;
	uint64_t committed, durable; /* numbers of commits */
	struct list waiters;         /* in the order of seq */
	struct err broken;           /* the disk refused once: for good */
	struct db_sync *sync;        /* under way, or NULL */
	struct defer start, tell;
	struct db_checkpoint *checkpoint; /* second connection */
	int checkpoint_pages; /* so many new pages in the log begin one */
	int64_t page_bytes, log_bytes; /* the size of the log's file */
	db_sync_fn *sync_fn;
	void *sync_arg;
};

/* db_open with a schema of the test's own. */
struct db *db_open_schema(const char *path, struct loop *l, struct offload *o,
    const struct schema *schema, struct err *err);

/* Fill err from a result code of SQLite on `h`; returns -1. */
int db_error(
    sqlite3 *h, const char *path, int rc, const char *what, struct err *err);
/* Run texts without results. */
int db_exec(
    sqlite3 *h, const char *path, const char *sql, struct err *err) MUST_CHECK;
/* One number: PRAGMA user_version and the like. */
int db_number(sqlite3 *h, const char *path, const char *sql, int64_t *out,
    struct err *err) MUST_CHECK;

/* migrate.c: bring the file up to date; `h` has no open statement. */
int db_migrate(sqlite3 *h, const char *path, const struct schema *schema,
    struct err *err) MUST_CHECK;
/* Every table and index of the schema is there, no reference dangles. */
int db_verify(sqlite3 *h, const char *path, const struct schema *schema,
    struct err *err) MUST_CHECK;

/* stmt.c */
void db_statements_close(struct db *db);

/* db.c: SQLite undid the whole transaction by itself (disk full). */
bool db_is_lost(const struct db *db);
int db_lost_error(const struct db *db, struct err *err);

/*
 * db.c: what a turn of the loop reads is one transaction, so that SQLite locks
 * and unlocks the log once a turn and not for each statement. Every write ends
 * it first. Without a loop there is none.
 */
void db_read_begin(struct db *db);
void db_read_end(struct db *db);

/* durable.c: before the first and after the last statement. */
int db_durable_open(struct db *db, struct err *err) MUST_CHECK;
void db_durable_close(struct db *db);

#endif
