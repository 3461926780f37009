/*
 * Statements for the files of db/ that own tables: bind by number, step, read
 * typed and bounded columns. Prepared statements are cached by the address of
 * their `struct db_sql`. Private to db/.
 *
 *   static const struct db_sql FIND = { "user",
 *           "SELECT id, admin FROM user WHERE name = ?1" };
 *   struct db_stmt q;
 *
 *   if (db_query(db, &FIND, &q, err) < 0)
 *           return -1;
 *   db_bind_text(&q, 1, name);
 *   rc = db_step(&q, err);
 *   if (rc == 1) {
 *           out->id = db_int(&q, 0, 1, INT64_MAX);
 *           out->admin = db_bool(&q, 1);
 *   }
 *   return db_done(&q, rc, err);
 *
 * A column that is not what it must be (a damaged file, a hand that changed
 * it) gives a harmless value and is remembered: db_step and db_done then fail
 * with ERR_IO, naming table and column.
 */
#ifndef CARREL_DB_DB_STMT_H
#define CARREL_DB_DB_STMT_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/db.h"

struct db_sql {
	const char *table; /* for messages */
	const char *text;
};

struct db_stmt {
	struct db *db;
	const struct db_sql *sql;
	sqlite3_stmt *st;
	struct db_cached *cached; /* NULL: not from the cache */
	int bind_rc;
	struct err bad; /* what was wrong with the row; ERR_NONE: nothing */
};

int db_query(struct db *db, const struct db_sql *sql, struct db_stmt *q,
    struct err *err) MUST_CHECK;
/* Borrowed until db_done; text NULL binds NULL. */
void db_bind_int(struct db_stmt *q, int i, int64_t v);
void db_bind_text(struct db_stmt *q, int i, const char *text);
void db_bind_blob(struct db_stmt *q, int i, const void *p, size_t n);
/* 1 a row, 0 no (more) rows, -1. */
int db_step(struct db_stmt *q, struct err *err) MUST_CHECK;
/* Gives the statement back; returns rc, or -1 if the row was damaged. err is
 * left alone when rc is -1 already. */
int db_done(struct db_stmt *q, int rc, struct err *err) MUST_CHECK;

/* Step a statement that has no rows, and give it back. *n_out (may be NULL):
 * rows changed. */
int db_run(struct db_stmt *q, int64_t *n_out, struct err *err) MUST_CHECK;
/* Query, bind one number, run. */
int db_run_id(struct db *db, const struct db_sql *sql, int64_t id,
    struct err *err) MUST_CHECK;
/* The same with two. */
int db_run_ids(struct db *db, const struct db_sql *sql, int64_t first,
    int64_t second, struct err *err) MUST_CHECK;
/* Run `sql`, bound to (?1 now, ?2 limit); 1 when it changed as many rows as the
 * limit: call again, there may be more. */
int db_purge(struct db *db, const struct db_sql *sql, int64_t now_us,
    struct err *err) MUST_CHECK;
int64_t db_last_id(const struct db *db);

int64_t db_int(struct db_stmt *q, int col, int64_t lo, int64_t hi);
bool db_bool(struct db_stmt *q, int col);
/* Valid UTF-8 of at most max bytes, copied into a ("" when damaged). */
const char *db_text(struct db_stmt *q, int col, struct arena *a, size_t max);
/* The same; NULL when the column is NULL. */
const char *db_text_or_null(
    struct db_stmt *q, int col, struct arena *a, size_t max);
/* All rows of a statement of one column, names of at most 255 bytes, in `a`;
 * gives the statement back. */
int db_names(struct db_stmt *q, struct arena *a, const char *const **out,
    size_t *n_out, struct err *err) MUST_CHECK;
/* Exactly n bytes. */
void db_blob(struct db_stmt *q, int col, void *out, size_t n);

/* A walk over rows calls back: nothing may be written meanwhile. */
void db_walk_begin(struct db *db);
void db_walk_end(struct db *db);

/* How the log is brought to the disk: fdatasync. A simulation or a test puts
 * its own here; it may run on a thread of base/offload. */
typedef int db_sync_fn(int fd, void *arg);
void db_set_sync(struct db *db, db_sync_fn *fn, void *arg);

#endif
