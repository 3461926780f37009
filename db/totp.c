/*
 * See totp.h.
 */
#include "db/totp.h"

#include "db/db_stmt.h"

int totp_find(struct db *db, struct arena *a, int64_t user_id,
    struct totp_row *out, struct err *err)
{
	static const struct db_sql sql = { "totp",
		"SELECT sealed, confirmed, last_step FROM totp"
		" WHERE user_id = ?1" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	rc = db_step(&q, err);
	if (rc == 1) {
		out->sealed = db_text(&q, 0, a, TOTP_SEALED_MAX);
		out->is_confirmed = db_bool(&q, 1);
		out->last_step = db_int(&q, 2, 0, INT64_MAX);
	}
	return db_done(&q, rc, err);
}

int totp_begin(struct db *db, int64_t user_id, const char *sealed,
    int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "totp",
		"INSERT INTO totp (user_id, sealed, confirmed, last_step,"
		" set_us) VALUES (?1, ?2, 0, 0, ?3)"
		" ON CONFLICT (user_id) DO UPDATE SET sealed ="
		" excluded.sealed, set_us = excluded.set_us"
		" WHERE confirmed = 0" };
	struct db_stmt q;
	int64_t n = 0;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	db_bind_text(&q, 2, sealed);
	db_bind_int(&q, 3, now_us);
	if (db_run(&q, &n, err) < 0)
		return -1;
	return n > 0 ? 0
		     : err_set(err, ERR_EXISTS,
			   "this person has a second step already");
}

/* How many rows it changed: 1 or 0. */
static int run(struct db *db, const struct db_sql *sql, int64_t user_id,
    int64_t step, struct err *err)
{
	struct db_stmt q;
	int64_t n = 0;

	if (db_query(db, sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	if (step >= 0)
		db_bind_int(&q, 2, step);
	return db_run(&q, &n, err) < 0 ? -1 : n > 0;
}

int totp_confirm(struct db *db, int64_t user_id, int64_t step, struct err *err)
{
	static const struct db_sql sql = { "totp",
		"UPDATE totp SET confirmed = 1, last_step = ?2"
		" WHERE user_id = ?1 AND confirmed = 0" };

	return run(db, &sql, user_id, step, err);
}

int totp_use(struct db *db, int64_t user_id, int64_t step, struct err *err)
{
	static const struct db_sql sql = { "totp",
		"UPDATE totp SET last_step = ?2 WHERE user_id = ?1"
		" AND confirmed = 1 AND last_step < ?2" };

	return run(db, &sql, user_id, step, err);
}

int totp_forget(struct db *db, int64_t user_id, struct err *err)
{
	static const struct db_sql sql = { "totp",
		"DELETE FROM totp WHERE user_id = ?1" };

	return run(db, &sql, user_id, -1, err);
}
