/*
 * Penalties that survive a restart: see throttle.h.
 */
#include "db/throttle.h"

#include "db/db_stmt.h"

static int put_row(struct db *db, const struct throttle_row *r, struct err *err)
{
	static const struct db_sql put = { "throttle",
		"INSERT INTO throttle (kind, key, failures, last_us)"
		" VALUES (?1, ?2, ?3, ?4) ON CONFLICT (kind, key) DO UPDATE"
		" SET failures = excluded.failures,"
		" last_us = excluded.last_us" };
	static const struct db_sql forget = { "throttle",
		"DELETE FROM throttle WHERE kind = ?1 AND key = ?2" };
	struct db_stmt q;

	if (db_query(db, r->failures > 0 ? &put : &forget, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, r->kind);
	db_bind_blob(&q, 2, r->key, sizeof r->key);
	if (r->failures > 0) {
		db_bind_int(&q, 3, r->failures);
		db_bind_int(&q, 4, r->last_us);
	}
	return db_run(&q, NULL, err);
}

int throttle_rows_put(
    struct db *db, const struct throttle_row *rows, size_t n, struct err *err)
{
	if (n == 0)
		return 0;
	if (db_begin(db, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (put_row(db, &rows[i], err) < 0) {
			db_rollback(db);
			return -1;
		}
	}
	return db_commit(db, err);
}

static void read_row(struct db_stmt *q, struct throttle_row *out)
{
	out->kind = (int)db_int(q, 0, 1, 3);
	db_blob(q, 1, out->key, sizeof out->key);
	out->failures = db_int(q, 2, 1, INT64_MAX);
	out->last_us = db_int(q, 3, 0, INT64_MAX);
}

int throttle_rows_each(struct db *db, int64_t since_us, size_t max,
    throttle_row_fn *fn, void *arg, struct err *err)
{
	static const struct db_sql sql = { "throttle",
		"SELECT kind, key, failures, last_us FROM throttle"
		" WHERE last_us > ?1 ORDER BY last_us DESC LIMIT ?2" };
	struct throttle_row row;
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, since_us);
	db_bind_int(&q, 2, (int64_t)max);
	db_walk_begin(db);
	while ((rc = db_step(&q, err)) == 1) {
		read_row(&q, &row);
		if (q.bad.code == ERR_NONE)
			fn(&row, arg);
	}
	db_walk_end(db);
	return db_done(&q, rc, err);
}

int throttle_rows_purge(struct db *db, int64_t before_us, struct err *err)
{
	static const struct db_sql sql = { "throttle",
		"DELETE FROM throttle WHERE (kind, key) IN (SELECT kind, key"
		" FROM throttle WHERE last_us <= ?1 LIMIT ?2)" };

	return db_purge(db, &sql, before_us, err);
}
