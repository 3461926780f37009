/*
 * See failure.h.
 */
#include "db/failure.h"

#include "db/db_stmt.h"

static int insert(struct db *db, int64_t server_id, int64_t at_us,
    const char *told, struct err *err)
{
	static const struct db_sql sql = { "server_failure",
		"INSERT INTO server_failure (server_id, at_us, told)"
		" VALUES (?1, ?2, ?3) ON CONFLICT (server_id) DO UPDATE"
		" SET at_us = excluded.at_us, told = excluded.told" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, server_id);
	db_bind_int(&q, 2, at_us);
	db_bind_text(&q, 3, told);
	return db_run(&q, NULL, err);
}

static int forget_oldest(struct db *db, struct err *err)
{
	static const struct db_sql sql = { "server_failure",
		"DELETE FROM server_failure WHERE server_id IN"
		" (SELECT server_id FROM server_failure"
		" ORDER BY at_us DESC, server_id DESC LIMIT -1 OFFSET ?1)" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, FAILURES_MAX);
	return db_run(&q, NULL, err);
}

int failure_put(struct db *db, int64_t server_id, int64_t at_us,
    const char *told, struct err *err)
{
	if (db_begin(db, err) < 0)
		return -1;
	if (insert(db, server_id, at_us, told, err) == 0 &&
	    forget_oldest(db, err) == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}

int failure_find(struct db *db, struct arena *a, int64_t server_id,
    const char **told_out, struct err *err)
{
	static const struct db_sql sql = { "server_failure",
		"SELECT told FROM server_failure WHERE server_id = ?1" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, server_id);
	rc = db_step(&q, err);
	if (rc == 1)
		*told_out = db_text(&q, 0, a, FAILURE_MAX_BYTES);
	return db_done(&q, rc, err);
}
