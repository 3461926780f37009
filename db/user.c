/*
 * People and the groups of their last login: see user.h.
 */
#include "db/user.h"

#include <string.h>

#include "db/db_stmt.h"

#define NAME_MAX_BYTES 255
#define GROUPS_MAX     1024
#define COMPARE_MAX    64

#define COLUMNS "id, name, admin, created_us, last_activity_us"

static void read_user(struct db_stmt *q, struct arena *a, struct user *out)
{
	out->id = db_int(q, 0, 1, INT64_MAX);
	out->name = db_text(q, 1, a, NAME_MAX_BYTES);
	out->admin = db_bool(q, 2);
	out->created_us = db_int(q, 3, 0, INT64_MAX);
	out->last_activity_us = db_int(q, 4, 0, INT64_MAX);
}

static int find_one(
    struct db_stmt *q, struct arena *a, struct user *out, struct err *err)
{
	int rc = db_step(q, err);

	if (rc == 1)
		read_user(q, a, out);
	return db_done(q, rc, err);
}

int user_find(struct db *db, struct arena *a, const char *name,
    struct user *out, struct err *err)
{
	static const struct db_sql sql = { "user",
		"SELECT " COLUMNS " FROM user WHERE name = ?1" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, name);
	return find_one(&q, a, out, err);
}

int user_get(struct db *db, struct arena *a, int64_t id, struct user *out,
    struct err *err)
{
	static const struct db_sql sql = { "user",
		"SELECT " COLUMNS " FROM user WHERE id = ?1" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	return find_one(&q, a, out, err);
}

int user_create(struct db *db, const char *name, bool admin, int64_t now_us,
    int64_t *id_out, struct err *err)
{
	static const struct db_sql sql = { "user",
		"INSERT INTO user (name, admin, created_us)"
		" VALUES (?1, ?2, ?3)" };
	struct err why = { 0 };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, name);
	db_bind_int(&q, 2, admin);
	db_bind_int(&q, 3, now_us);
	if (db_run(&q, NULL, &why) == 0) {
		*id_out = db_last_id(db);
		return 0;
	}
	if (why.code == ERR_EXISTS)
		return err_set(err, ERR_EXISTS, "user %s already exists", name);
	if (err != NULL)
		*err = why;
	return -1;
}

int user_create_missing(struct db *db, const char *name, bool admin,
    int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "user",
		"INSERT INTO user (name, admin, created_us)"
		" VALUES (?1, ?2, ?3) ON CONFLICT (name)"
		" DO UPDATE SET admin = 1 WHERE ?2 AND NOT user.admin" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, name);
	db_bind_int(&q, 2, admin);
	db_bind_int(&q, 3, now_us);
	return db_run(&q, NULL, err);
}

int user_set_admin(struct db *db, int64_t id, bool admin, struct err *err)
{
	static const struct db_sql sql = { "user",
		"UPDATE user SET admin = ?2 WHERE id = ?1 AND admin <> ?2" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	db_bind_int(&q, 2, admin);
	return db_run(&q, NULL, err);
}

/* Administrators are few; the walk over all users is made once a start. */
int user_admins(struct db *db, struct arena *a, const char *const **out,
    size_t *n_out, struct err *err)
{
	static const struct db_sql sql = { "user",
		"SELECT name FROM user WHERE admin = 1 ORDER BY name" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	return db_names(&q, a, out, n_out, err);
}

static int set_name(
    struct db *db, int64_t id, const char *name, struct err *err)
{
	static const struct db_sql sql = { "user",
		"UPDATE user SET name = ?2 WHERE id = ?1" };
	struct err why = { 0 };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	db_bind_text(&q, 2, name);
	if (db_run(&q, NULL, &why) == 0)
		return 0;
	if (why.code == ERR_EXISTS)
		return err_set(err, ERR_EXISTS,
		    "User %s already exists, username must be unique", name);
	if (err != NULL)
		*err = why;
	return -1;
}

static int rename_all(
    struct db *db, int64_t id, const char *name, struct err *err)
{
	static const struct db_sql sessions = { "session",
		"DELETE FROM session WHERE user_id = ?1" };
	static const struct db_sql tokens = { "token",
		"DELETE FROM token WHERE user_id = ?1" };
	static const struct db_sql codes = { "oauth_code",
		"DELETE FROM oauth_code WHERE user_id = ?1" };

	if (set_name(db, id, name, err) < 0 ||
	    db_run_id(db, &sessions, id, err) < 0 ||
	    db_run_id(db, &tokens, id, err) < 0)
		return -1;
	return db_run_id(db, &codes, id, err);
}

int user_rename(struct db *db, int64_t id, const char *name, struct err *err)
{
	if (db_begin(db, err) < 0)
		return -1;
	if (rename_all(db, id, name, err) < 0) {
		db_rollback(db);
		return -1;
	}
	return db_commit(db, err);
}

int user_touch(struct db *db, int64_t id, int64_t activity_us, struct err *err)
{
	static const struct db_sql sql = { "user",
		"UPDATE user SET last_activity_us = ?2"
		" WHERE id = ?1 AND last_activity_us < ?2" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	db_bind_int(&q, 2, activity_us);
	return db_run(&q, NULL, err);
}

/* ---- groups ---- */

static int add_group(
    struct db *db, int64_t id, const char *name, struct err *err)
{
	static const struct db_sql sql = { "user_group",
		"INSERT INTO user_group (user_id, name) VALUES (?1, ?2)"
		" ON CONFLICT DO NOTHING" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	db_bind_text(&q, 2, name);
	return db_run(&q, NULL, err);
}

static int replace_groups(struct db *db, int64_t id, const char *const *groups,
    size_t n, struct err *err)
{
	static const struct db_sql clear = { "user_group",
		"DELETE FROM user_group WHERE user_id = ?1" };

	if (db_run_id(db, &clear, id, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (add_group(db, id, groups[i], err) < 0)
			return err_wrap(err, "group %zu of %zu", i + 1, n);
	return 0;
}

static bool is_among(const char *name, const char *const *groups, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(groups[i], name) == 0)
			return true;
	return false;
}

/* As most logins find them. Many, or one that is named twice, are not compared
 * but written again. */
static int has_groups(struct db *db, int64_t id, const char *const *groups,
    size_t n, bool *out, struct err *err)
{
	const char *const *have;
	struct arena a;
	size_t n_have;
	int rc;

	arena_init(&a);
	rc = user_groups(db, &a, id, &have, &n_have, err);
	*out = rc == 0 && n_have == n && n <= COMPARE_MAX;
	for (size_t i = 0; *out && i < n; i++)
		*out = is_among(have[i], groups, n);
	arena_fini(&a);
	return rc;
}

int user_set_groups(struct db *db, int64_t id, const char *const *groups,
    size_t n, struct err *err)
{
	bool is_same;

	if (n > GROUPS_MAX)
		return err_set(err, ERR_LIMIT,
		    "%zu groups for one user, at most %d are kept", n,
		    GROUPS_MAX);
	if (has_groups(db, id, groups, n, &is_same, err) < 0)
		return -1;
	if (is_same)
		return 0;
	if (db_begin(db, err) < 0)
		return -1;
	if (replace_groups(db, id, groups, n, err) < 0) {
		db_rollback(db);
		return -1;
	}
	return db_commit(db, err);
}

int user_groups(struct db *db, struct arena *a, int64_t id,
    const char *const **out, size_t *n_out, struct err *err)
{
	static const struct db_sql sql = { "user_group",
		"SELECT name FROM user_group WHERE user_id = ?1 ORDER BY name"
		" LIMIT 1024" };
	const char *names[GROUPS_MAX];
	struct db_stmt q;
	size_t n = 0;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	while ((rc = db_step(&q, err)) == 1 && n < GROUPS_MAX)
		names[n++] = db_text(&q, 0, a, NAME_MAX_BYTES);
	if (db_done(&q, rc, err) < 0)
		return -1;
	*out = arena_memdup(a, names, n * sizeof names[0]);
	*n_out = n;
	return 0;
}

/* ---- all of them ---- */

int user_count(struct db *db, int64_t *out, struct err *err)
{
	static const struct db_sql sql = { "user",
		"SELECT count(*) FROM user" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	rc = db_step(&q, err);
	if (rc == 1)
		*out = db_int(&q, 0, 0, INT64_MAX);
	return db_done(&q, rc, err) < 0 ? -1 : 0;
}

int user_delete(struct db *db, int64_t id, struct err *err)
{
	static const struct db_sql sql = { "user",
		"DELETE FROM user WHERE id = ?1" };

	return db_run_id(db, &sql, id, err);
}
