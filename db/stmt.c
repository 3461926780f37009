/*
 * Cached statements, bound, stepped and read with checks: see db_stmt.h.
 */
#include "db/db_stmt.h"

#include <assert.h>
#include <string.h>

#include "base/str.h"
#include "db/db_priv.h"

#define NAME_MAX_BYTES 255

#define PURGE_ROWS 1000

/* ---- from and to the cache ---- */

static size_t slot_of(const struct db_sql *sql)
{
	uint64_t h = (uint64_t)(uintptr_t)sql * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(h >> 32) & (DB_STATEMENTS - 1);
}

/* The entry of `sql`, or the empty one where it goes. */
static struct db_cached *cache_find(struct db *db, const struct db_sql *sql)
{
	size_t i = slot_of(sql);

	for (size_t n = 0; n < DB_STATEMENTS; n++) {
		struct db_cached *c = &db->cached[i];

		if (c->sql == sql || c->sql == NULL)
			return c;
		i = (i + 1) & (DB_STATEMENTS - 1);
	}
	return NULL;
}

static int prepare(struct db *db, const struct db_sql *sql, bool keep,
    sqlite3_stmt **out, struct err *err)
{
	int rc = sqlite3_prepare_v3(db->h, sql->text, -1,
	    keep ? SQLITE_PREPARE_PERSISTENT : 0, out, NULL);

	if (rc != SQLITE_OK)
		return db_error(db->h, db->path, rc, sql->table, err);
	return 0;
}

static int take(
    struct db *db, const struct db_sql *sql, struct db_stmt *q, struct err *err)
{
	struct db_cached *c = cache_find(db, sql);

	if (c == NULL || c->in_use)
		return prepare(db, sql, false, &q->st, err);
	if (c->st == NULL && prepare(db, sql, true, &c->st, err) < 0)
		return -1;
	c->sql = sql;
	c->in_use = true;
	q->cached = c;
	q->st = c->st;
	return 0;
}

int db_query(
    struct db *db, const struct db_sql *sql, struct db_stmt *q, struct err *err)
{
	memset(q, 0, sizeof *q);
	q->db = db;
	q->sql = sql;
	if (take(db, sql, q, err) < 0)
		return -1;
	if (sqlite3_stmt_readonly(q->st))
		db_read_begin(db);
	else
		db_read_end(db);
	return 0;
}

static void give_back(struct db_stmt *q)
{
	if (q->st == NULL)
		return;
	if (q->cached == NULL) {
		sqlite3_finalize(q->st);
	} else {
		sqlite3_reset(q->st);
		sqlite3_clear_bindings(q->st);
		q->cached->in_use = false;
	}
	q->st = NULL;
	q->cached = NULL;
}

void db_statements_close(struct db *db)
{
	for (size_t i = 0; i < DB_STATEMENTS; i++) {
		struct db_cached *c = &db->cached[i];

		assert(!c->in_use);
		sqlite3_finalize(c->st);
		memset(c, 0, sizeof *c);
	}
}

/* ---- bind, step ---- */

static void bound(struct db_stmt *q, int rc)
{
	if (q->bind_rc == SQLITE_OK)
		q->bind_rc = rc;
}

void db_bind_int(struct db_stmt *q, int i, int64_t v)
{
	bound(q, sqlite3_bind_int64(q->st, i, v));
}

void db_bind_text(struct db_stmt *q, int i, const char *text)
{
	if (text == NULL)
		bound(q, sqlite3_bind_null(q->st, i));
	else
		bound(q, sqlite3_bind_text(q->st, i, text, -1, SQLITE_STATIC));
}

void db_bind_blob(struct db_stmt *q, int i, const void *p, size_t n)
{
	bound(q, sqlite3_bind_blob64(q->st, i, p, n, SQLITE_STATIC));
}

int db_step(struct db_stmt *q, struct err *err)
{
	int rc;

	assert(q->db->n_walking == 0 || sqlite3_stmt_readonly(q->st));
	if (q->bind_rc != SQLITE_OK)
		return db_error(
		    q->db->h, q->db->path, q->bind_rc, q->sql->table, err);
	if (db_is_lost(q->db))
		return db_lost_error(q->db, err);
	if (q->bad.code != ERR_NONE)
		return err_set(err, q->bad.code, "%s", q->bad.text);
	rc = sqlite3_step(q->st);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return db_error(q->db->h, q->db->path, rc, q->sql->table, err);
}

int db_done(struct db_stmt *q, int rc, struct err *err)
{
	give_back(q);
	if (rc >= 0 && q->bad.code != ERR_NONE)
		return err_set(err, q->bad.code, "%s", q->bad.text);
	return rc;
}

int db_run(struct db_stmt *q, int64_t *n_out, struct err *err)
{
	int rc = db_step(q, err);

	assert(rc <= 0);
	if (rc == 0 && n_out != NULL)
		*n_out = sqlite3_changes64(q->db->h);
	give_back(q);
	return rc;
}

int db_run_id(
    struct db *db, const struct db_sql *sql, int64_t id, struct err *err)
{
	struct db_stmt q;

	if (db_query(db, sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	return db_run(&q, NULL, err);
}

int db_run_ids(struct db *db, const struct db_sql *sql, int64_t first,
    int64_t second, struct err *err)
{
	struct db_stmt q;

	if (db_query(db, sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, first);
	db_bind_int(&q, 2, second);
	return db_run(&q, NULL, err);
}

int db_purge(
    struct db *db, const struct db_sql *sql, int64_t now_us, struct err *err)
{
	struct db_stmt q;
	int64_t n = 0;

	if (db_query(db, sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, now_us);
	db_bind_int(&q, 2, PURGE_ROWS);
	if (db_run(&q, &n, err) < 0)
		return -1;
	return n >= PURGE_ROWS ? 1 : 0;
}

int64_t db_last_id(const struct db *db)
{
	return sqlite3_last_insert_rowid(db->h);
}

void db_walk_begin(struct db *db)
{
	db->n_walking++;
}

void db_walk_end(struct db *db)
{
	assert(db->n_walking > 0);
	db->n_walking--;
}

/* ---- columns ---- */

/* Only the first fault of a row is told. */
static void bad_column(struct db_stmt *q, int col, const char *want)
{
	const char *name = sqlite3_column_name(q->st, col);

	if (q->bad.code != ERR_NONE)
		return;
	(void)err_set(&q->bad, ERR_IO,
	    "database %s is damaged: %s.%s is not %s; restore a copy, or look "
	    "with sqlite3 and correct the row",
	    q->db->path, q->sql->table, name != NULL ? name : "?", want);
}

int64_t db_int(struct db_stmt *q, int col, int64_t lo, int64_t hi)
{
	int64_t v = 0;

	if (sqlite3_column_type(q->st, col) == SQLITE_INTEGER)
		v = sqlite3_column_int64(q->st, col);
	else
		bad_column(q, col, "a number");
	if (v >= lo && v <= hi)
		return v;
	bad_column(q, col, "a number in its range");
	return lo;
}

bool db_bool(struct db_stmt *q, int col)
{
	return db_int(q, col, 0, 1) == 1;
}

const char *db_text(struct db_stmt *q, int col, struct arena *a, size_t max)
{
	const char *text;
	size_t len;

	if (sqlite3_column_type(q->st, col) != SQLITE_TEXT) {
		bad_column(q, col, "text");
		return "";
	}
	text = (const char *)sqlite3_column_text(q->st, col);
	len = (size_t)sqlite3_column_bytes(q->st, col);
	if (text == NULL || len > max || !utf8_valid(text, len)) {
		bad_column(q, col, "valid text within its bound");
		return "";
	}
	return arena_strndup(a, text, len);
}

const char *db_text_or_null(
    struct db_stmt *q, int col, struct arena *a, size_t max)
{
	if (sqlite3_column_type(q->st, col) == SQLITE_NULL)
		return NULL;
	return db_text(q, col, a, max);
}

void db_blob(struct db_stmt *q, int col, void *out, size_t n)
{
	const void *p = NULL;

	if (sqlite3_column_type(q->st, col) == SQLITE_BLOB)
		p = sqlite3_column_blob(q->st, col);
	if (p == NULL || (size_t)sqlite3_column_bytes(q->st, col) != n) {
		bad_column(q, col, "a digest of the right length");
		memset(out, 0, n);
		return;
	}
	memcpy(out, p, n);
}

int db_names(struct db_stmt *q, struct arena *a, const char *const **out,
    size_t *n_out, struct err *err)
{
	const char **names = NULL;
	size_t n = 0, cap = 0;
	int rc;

	while ((rc = db_step(q, err)) == 1) {
		if (n == cap) {
			const char **more;

			cap = cap == 0 ? 16 : 2 * cap;
			more = arena_array(a, cap, sizeof *more);
			if (n > 0)
				memcpy(more, names, n * sizeof *more);
			names = more;
		}
		names[n++] = db_text(q, 0, a, NAME_MAX_BYTES);
	}
	*out = names;
	*n_out = n;
	return db_done(q, rc, err);
}
