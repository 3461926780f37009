/*
 * Notebook servers as they should be: see server.h.
 */
#include "db/server.h"

#include <stdlib.h>
#include <string.h>

#include "db/db_stmt.h"
#include "db/ids.h"
#include "db/token.h"

#define TEXT_MAX    255
#define OPTIONS_MAX (1 << 18)
#define DISPLAY_MAX 1024

#define COLUMNS                                                                \
	"s.id, s.user_id, u.name AS user_name, s.name, s.key, s.wanted,"       \
	" s.profile, s.account, s.address, s.options, s.created_us,"           \
	" s.started_us, s.last_activity_us, s.display_name"                    \
	" FROM server s JOIN user u ON u.id = s.user_id"

static void read_row(struct db_stmt *q, struct arena *a, struct server_row *out)
{
	out->id = db_int(q, 0, 1, INT64_MAX);
	out->user_id = db_int(q, 1, 1, INT64_MAX);
	out->user_name = db_text(q, 2, a, TEXT_MAX);
	out->name = db_text(q, 3, a, TEXT_MAX);
	out->key = db_text_or_null(q, 4, a, TEXT_MAX);
	out->wanted = db_bool(q, 5);
	out->profile = db_text_or_null(q, 6, a, TEXT_MAX);
	out->account = db_text_or_null(q, 7, a, TEXT_MAX);
	out->address = db_text_or_null(q, 8, a, TEXT_MAX);
	out->options = db_text_or_null(q, 9, a, OPTIONS_MAX);
	out->created_us = db_int(q, 10, 0, INT64_MAX);
	out->started_us = db_int(q, 11, 0, INT64_MAX);
	out->last_activity_us = db_int(q, 12, 0, INT64_MAX);
	out->display_name = db_text_or_null(q, 13, a, DISPLAY_MAX);
}

static int find_one(
    struct db_stmt *q, struct arena *a, struct server_row *out, struct err *err)
{
	int rc = db_step(q, err);

	if (rc == 1)
		read_row(q, a, out);
	return db_done(q, rc, err);
}

int server_row_get(struct db *db, struct arena *a, int64_t id,
    struct server_row *out, struct err *err)
{
	static const struct db_sql sql = { "server",
		"SELECT " COLUMNS " WHERE s.id = ?1" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	return find_one(&q, a, out, err);
}

int server_row_find(struct db *db, struct arena *a, int64_t user_id,
    const char *name, struct server_row *out, struct err *err)
{
	static const struct db_sql sql = { "server",
		"SELECT " COLUMNS " WHERE s.user_id = ?1 AND s.name = ?2" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	db_bind_text(&q, 2, name);
	return find_one(&q, a, out, err);
}

int server_row_create(struct db *db, int64_t user_id, const char *name,
    int64_t now_us, int64_t *id_out, struct err *err)
{
	static const struct db_sql sql = { "server",
		"INSERT INTO server (user_id, name, created_us)"
		" VALUES (?1, ?2, ?3)" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	db_bind_text(&q, 2, name);
	db_bind_int(&q, 3, now_us);
	if (db_run(&q, NULL, err) < 0)
		return -1;
	*id_out = db_last_id(db);
	return 0;
}

/* A row that is not there is an error: what follows would act on nothing. */
static int run_on_row(struct db_stmt *q, int64_t id, struct err *err)
{
	int64_t n = 0;

	if (db_run(q, &n, err) < 0)
		return -1;
	if (n == 0)
		return err_set(err, ERR_NOT_FOUND,
		    "server %lld is not in the database", (long long)id);
	return 0;
}

int server_row_start(struct db *db, int64_t id, const char *key,
    const char *profile, const char *account, const char *options,
    int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "server",
		"UPDATE server SET key = ?2, profile = ?3, account = ?4,"
		" options = ifnull(?5, options), wanted = 1, address = NULL,"
		" started_us = ?6, removing = 0,"
		" last_activity_us = max(last_activity_us, ?6)"
		" WHERE id = ?1" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	db_bind_text(&q, 2, key);
	db_bind_text(&q, 3, profile);
	db_bind_text(&q, 4, account);
	db_bind_text(&q, 5, options);
	db_bind_int(&q, 6, now_us);
	return run_on_row(&q, id, err);
}

int server_row_set_address(
    struct db *db, int64_t id, const char *address, struct err *err)
{
	static const struct db_sql sql = { "server",
		"UPDATE server SET address = ?2"
		" WHERE id = ?1 AND key IS NOT NULL" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	db_bind_text(&q, 2, address);
	return run_on_row(&q, id, err);
}

int server_row_unwant(struct db *db, int64_t id, struct err *err)
{
	static const struct db_sql sql = { "server",
		"UPDATE server SET wanted = 0 WHERE id = ?1 AND wanted = 1" };

	return db_run_id(db, &sql, id, err);
}

int server_row_unwant_of(struct db *db, int64_t user_id, struct err *err)
{
	static const struct db_sql sql = { "server",
		"UPDATE server SET wanted = 0"
		" WHERE user_id = ?1 AND wanted = 1" };

	return db_run_id(db, &sql, user_id, err);
}

static int stopped(struct db *db, int64_t id, struct err *err)
{
	static const struct db_sql client = { "oauth_client",
		"DELETE FROM oauth_client WHERE server_id = ?1" };
	static const struct db_sql row = { "server",
		"UPDATE server SET key = NULL, address = NULL, started_us = 0,"
		" wanted = 0 WHERE id = ?1" };

	if (token_delete_server(db, id, err) < 0 ||
	    db_run_id(db, &client, id, err) < 0)
		return -1;
	return db_run_id(db, &row, id, err);
}

int server_row_stopped(struct db *db, int64_t id, struct err *err)
{
	if (db_begin(db, err) < 0)
		return -1;
	if (stopped(db, id, err) < 0) {
		db_rollback(db);
		return -1;
	}
	return db_commit(db, err);
}

int server_row_touch(
    struct db *db, int64_t id, int64_t activity_us, struct err *err)
{
	static const struct db_sql sql = { "server",
		"UPDATE server SET last_activity_us = ?2"
		" WHERE id = ?1 AND last_activity_us < ?2" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	db_bind_int(&q, 2, activity_us);
	return db_run(&q, NULL, err);
}

int server_row_set_removing(struct db *db, int64_t id, struct err *err)
{
	static const struct db_sql sql = { "server",
		"UPDATE server SET removing = 1 WHERE id = ?1" };

	return db_run_id(db, &sql, id, err);
}

int server_row_delete(struct db *db, int64_t id, struct err *err)
{
	static const struct db_sql sql = { "server",
		"DELETE FROM server WHERE id = ?1" };

	return db_run_id(db, &sql, id, err);
}

int server_row_change(
    struct db *db, int64_t id, const struct server_change *c, struct err *err)
{
	static const struct db_sql sql = { "server",
		"UPDATE server SET name = ifnull(?2, name),"
		" display_name = ifnull(?3, display_name),"
		" options = ifnull(?4, options)"
		" WHERE id = ?1 AND key IS NULL" };
	struct db_stmt q;
	int64_t n = 0;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	db_bind_text(&q, 2, c->name);
	db_bind_text(&q, 3, c->display_name);
	db_bind_text(&q, 4, c->options);
	if (db_run(&q, &n, err) < 0)
		return -1;
	if (n == 0)
		return err_set(
		    err, ERR_BUSY, "server %lld is not at rest", (long long)id);
	return 0;
}

int server_count_named(
    struct db *db, int64_t user_id, int64_t *out, struct err *err)
{
	static const struct db_sql sql = { "server",
		"SELECT count(*) FROM server"
		" WHERE user_id = ?1 AND name <> ''" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	rc = db_step(&q, err);
	if (rc == 1)
		*out = db_int(&q, 0, 0, INT64_MAX);
	return db_done(&q, rc, err) < 0 ? -1 : 0;
}

/* ---- walks ---- */

/* One row: what it holds lives until the next. */
static int tell_row(
    struct db_stmt *q, server_row_fn *fn, void *arg, struct err *err)
{
	struct server_row row;
	struct arena a;
	int rc;

	memset(&row, 0, sizeof row);
	arena_init(&a);
	read_row(q, &a, &row);
	if (q->bad.code != ERR_NONE)
		rc = err_set(err, q->bad.code, "%s", q->bad.text);
	else
		rc = fn(&row, arg, err);
	arena_fini(&a);
	return rc;
}

static int each_row(
    struct db_stmt *q, server_row_fn *fn, void *arg, struct err *err)
{
	struct db *db = q->db;
	int rc;

	db_walk_begin(db);
	while ((rc = db_step(q, err)) == 1) {
		if (tell_row(q, fn, arg, err) < 0) {
			rc = -1;
			break;
		}
	}
	db_walk_end(db);
	return db_done(q, rc, err);
}

int server_row_each_active(
    struct db *db, server_row_fn *fn, void *arg, struct err *err)
{
	static const struct db_sql sql = { "server",
		"SELECT " COLUMNS " WHERE s.key IS NOT NULL" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	return each_row(&q, fn, arg, err);
}

int server_row_each_removing(
    struct db *db, server_row_fn *fn, void *arg, struct err *err)
{
	static const struct db_sql sql = { "server",
		"SELECT " COLUMNS " WHERE s.removing = 1" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	return each_row(&q, fn, arg, err);
}

/* One id needs no list of them. */
int server_row_each_of_users(struct db *db, const int64_t *user_ids, size_t n,
    server_row_fn *fn, void *arg, struct err *err)
{
	static const struct db_sql one = { "server",
		"SELECT " COLUMNS " WHERE s.user_id = ?1 ORDER BY s.name" };
	static const struct db_sql many = { "server",
		"SELECT " COLUMNS " WHERE s.user_id IN"
		" (SELECT value FROM json_each(?1))"
		" ORDER BY s.user_id, s.name" };
	struct db_stmt q;
	char *list;
	int rc;

	if (n == 0)
		return 0;
	if (db_query(db, n == 1 ? &one : &many, &q, err) < 0)
		return -1;
	if (n == 1) {
		db_bind_int(&q, 1, user_ids[0]);
		return each_row(&q, fn, arg, err);
	}
	list = ids_json(user_ids, n);
	db_bind_text(&q, 1, list);
	rc = each_row(&q, fn, arg, err);
	free(list);
	return rc;
}

int server_row_each_of_user(struct db *db, int64_t user_id, server_row_fn *fn,
    void *arg, struct err *err)
{
	return server_row_each_of_users(db, &user_id, 1, fn, arg, err);
}
