/*
 * See signup.h.
 */
#include "db/signup.h"

#include "db/db_stmt.h"
#include "db/password.h"

#define NAME_MAX_BYTES 255

static int count(struct db *db, int64_t *out, struct err *err)
{
	static const struct db_sql sql = { "signup",
		"SELECT count(*) FROM signup" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	rc = db_step(&q, err);
	if (rc == 1)
		*out = db_int(&q, 0, 0, INT64_MAX);
	return db_done(&q, rc, err) < 0 ? -1 : 0;
}

static int insert(struct db *db, const struct signup *s, struct err *err)
{
	static const struct db_sql sql = { "signup",
		"INSERT INTO signup (name, hash, email, has_account, asked_us)"
		" VALUES (?1, ?2, ?3, ?4, ?5)" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, s->name);
	db_bind_text(&q, 2, s->hash);
	db_bind_text(&q, 3, s->email);
	db_bind_int(&q, 4, s->has_account);
	db_bind_int(&q, 5, s->asked_us);
	return db_run(&q, NULL, err);
}

int signup_add(
    struct db *db, const struct signup *s, int64_t max, struct err *err)
{
	struct err why = { 0 };
	int64_t n = 0;

	if (count(db, &n, err) < 0)
		return -1;
	if (n >= max)
		return err_set(err, ERR_LIMIT,
		    "%lld people wait for an administrator already",
		    (long long)n);
	if (insert(db, s, &why) == 0)
		return 0;
	if (why.code == ERR_EXISTS)
		return err_set(err, ERR_EXISTS,
		    "somebody signed up under that name already");
	if (err != NULL)
		*err = why;
	return -1;
}

static void read_signup(struct db_stmt *q, struct arena *a, struct signup *out)
{
	out->name = db_text(q, 0, a, NAME_MAX_BYTES);
	out->hash = db_text(q, 1, a, PASSWORD_HASH_MAX);
	out->email = db_text_or_null(q, 2, a, SIGNUP_EMAIL_MAX);
	out->has_account = db_bool(q, 3);
	out->asked_us = db_int(q, 4, 0, INT64_MAX);
}

int signup_find(struct db *db, struct arena *a, const char *name,
    struct signup *out, struct err *err)
{
	static const struct db_sql sql = { "signup",
		"SELECT name, hash, email, has_account, asked_us FROM signup"
		" WHERE name = ?1" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, name);
	rc = db_step(&q, err);
	if (rc == 1)
		read_signup(&q, a, out);
	return db_done(&q, rc, err);
}

int signup_list(struct db *db, struct arena *a, int64_t limit,
    struct signup **out, size_t *n_out, int64_t *total_out, struct err *err)
{
	static const struct db_sql sql = { "signup",
		"SELECT name, hash, email, has_account, asked_us FROM signup"
		" ORDER BY asked_us, name LIMIT ?1" };
	struct db_stmt q;
	int64_t n = 0;
	int rc;

	*out = arena_array(a, (size_t)limit, sizeof **out);
	if (count(db, total_out, err) < 0 || db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, limit);
	while ((rc = db_step(&q, err)) == 1 && n < limit)
		read_signup(&q, a, &(*out)[n++]);
	*n_out = (size_t)n;
	return db_done(&q, rc, err) < 0 ? -1 : 0;
}

int signup_delete(struct db *db, const char *name, struct err *err)
{
	static const struct db_sql sql = { "signup",
		"DELETE FROM signup WHERE name = ?1" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, name);
	return db_run(&q, NULL, err);
}

int signup_purge(struct db *db, int64_t before_us, struct err *err)
{
	static const struct db_sql sql = { "signup",
		"DELETE FROM signup WHERE name IN (SELECT name FROM signup"
		" WHERE asked_us <= ?1 LIMIT ?2)" };

	return db_purge(db, &sql, before_us, err);
}
