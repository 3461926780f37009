/*
 * See password.h.
 */
#include "db/password.h"

#include "db/db_stmt.h"
#include "db/session.h"

int password_find(struct db *db, struct arena *a, int64_t user_id,
    const char **hash_out, struct err *err)
{
	static const struct db_sql sql = { "password",
		"SELECT hash FROM password WHERE user_id = ?1" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	rc = db_step(&q, err);
	if (rc == 1)
		*hash_out = db_text(&q, 0, a, PASSWORD_HASH_MAX);
	return db_done(&q, rc, err);
}

static int put(struct db *db, const struct db_sql *sql, int64_t user_id,
    const char *hash, int64_t now_us, struct err *err)
{
	struct db_stmt q;

	if (db_query(db, sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	db_bind_text(&q, 2, hash);
	db_bind_int(&q, 3, now_us);
	return db_run(&q, NULL, err);
}

int password_add(struct db *db, int64_t user_id, const char *hash,
    int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "password",
		"INSERT INTO password (user_id, hash, set_us)"
		" VALUES (?1, ?2, ?3)" };
	struct err why = { 0 };

	if (put(db, &sql, user_id, hash, now_us, &why) == 0)
		return 0;
	if (why.code == ERR_EXISTS)
		return err_set(
		    err, ERR_EXISTS, "this person has a password already");
	if (err != NULL)
		*err = why;
	return -1;
}

static int change(struct db *db, int64_t user_id, const char *hash,
    int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "password",
		"INSERT INTO password (user_id, hash, set_us)"
		" VALUES (?1, ?2, ?3) ON CONFLICT (user_id) DO UPDATE"
		" SET hash = excluded.hash, set_us = excluded.set_us" };

	if (put(db, &sql, user_id, hash, now_us, err) < 0)
		return -1;
	return session_end_all(db, user_id, err);
}

static int forget(struct db *db, int64_t user_id, struct err *err)
{
	static const struct db_sql sql = { "password",
		"DELETE FROM password WHERE user_id = ?1" };

	if (db_run_id(db, &sql, user_id, err) < 0)
		return -1;
	return session_end_all(db, user_id, err);
}

int password_change(struct db *db, int64_t user_id, const char *hash,
    int64_t now_us, struct err *err)
{
	if (db_begin(db, err) < 0)
		return -1;
	if (change(db, user_id, hash, now_us, err) == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}

int password_forget(struct db *db, int64_t user_id, struct err *err)
{
	if (db_begin(db, err) < 0)
		return -1;
	if (forget(db, user_id, err) == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}
