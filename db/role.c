/*
 * See role.h.
 */
#include "db/role.h"

#include "db/db_stmt.h"
#include "db/pairs.h"

#define NAME_MAX_BYTES  255
#define DESCRIPTION_MAX 4096
#define SCOPES_MAX      (1 << 18)

int role_put(
    struct db *db, const struct role *r, int64_t *id_out, struct err *err)
{
	static const struct db_sql sql = { "role",
		"INSERT INTO role (name, description, scopes)"
		" VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE"
		" SET description = ?2, scopes = ?3 RETURNING id" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, r->name);
	db_bind_text(&q, 2, r->description);
	db_bind_text(&q, 3, r->scopes);
	rc = db_step(&q, err);
	if (rc == 1)
		*id_out = db_int(&q, 0, 1, INT64_MAX);
	return db_done(&q, rc, err) < 0 ? -1 : 0;
}

int role_find(struct db *db, struct arena *a, const char *name,
    struct role *out, struct err *err)
{
	static const struct db_sql sql = { "role",
		"SELECT id, name, description, scopes FROM role"
		" WHERE name = ?1" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, name);
	rc = db_step(&q, err);
	if (rc == 1) {
		out->id = db_int(&q, 0, 1, INT64_MAX);
		out->name = db_text(&q, 1, a, NAME_MAX_BYTES);
		out->description = db_text(&q, 2, a, DESCRIPTION_MAX);
		out->scopes = db_text(&q, 3, a, SCOPES_MAX);
	}
	return db_done(&q, rc, err);
}

static void read_use(struct db_stmt *q, struct arena *a, struct role_use *out)
{
	out->role.id = db_int(q, 0, 1, INT64_MAX);
	out->role.name = db_text(q, 1, a, NAME_MAX_BYTES);
	out->role.description = db_text(q, 2, a, DESCRIPTION_MAX);
	out->role.scopes = db_text(q, 3, a, SCOPES_MAX);
	out->n_users = db_int(q, 4, 0, INT64_MAX);
	out->n_groups = db_int(q, 5, 0, INT64_MAX);
	out->n_services = db_int(q, 6, 0, INT64_MAX);
}

int role_each(
    struct db *db, struct arena *a, role_use_fn *fn, void *arg, struct err *err)
{
	static const struct db_sql sql = { "role",
		"SELECT id, name, description, scopes,"
		" (SELECT count(*) FROM role_user WHERE role_id = id) AS users,"
		" (SELECT count(*) FROM role_group WHERE role_id = id)"
		" AS groups,"
		" (SELECT count(*) FROM role_service WHERE role_id = id)"
		" AS services FROM role ORDER BY name" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_walk_begin(db);
	while ((rc = db_step(&q, err)) == 1) {
		struct role_use use = { 0 };
		read_use(&q, a, &use);
		if (fn(&use, arg, err) < 0) {
			rc = -1;
			break;
		}
	}
	db_walk_end(db);
	return db_done(&q, rc, err) < 0 ? -1 : 0;
}

int role_delete_others(struct db *db, const char *names, struct err *err)
{
	static const struct db_sql sql = { "role",
		"DELETE FROM role WHERE name NOT IN"
		" (SELECT value FROM json_each(?1))" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, names);
	return db_run(&q, NULL, err);
}

/* ---- who has it ---- */

int role_clear_users(struct db *db, int64_t id, struct err *err)
{
	static const struct db_sql sql = { "role_user",
		"DELETE FROM role_user WHERE role_id = ?1" };

	return db_run_id(db, &sql, id, err);
}

int role_clear_groups(struct db *db, int64_t id, struct err *err)
{
	static const struct db_sql sql = { "role_group",
		"DELETE FROM role_group WHERE role_id = ?1" };

	return db_run_id(db, &sql, id, err);
}

int role_add_user(struct db *db, int64_t id, int64_t user_id, struct err *err)
{
	static const struct db_sql sql = { "role_user",
		"INSERT INTO role_user (role_id, user_id) VALUES (?1, ?2)"
		" ON CONFLICT DO NOTHING" };

	return db_run_ids(db, &sql, id, user_id, err);
}

int role_add_group(struct db *db, int64_t id, int64_t group_id, struct err *err)
{
	static const struct db_sql sql = { "role_group",
		"INSERT INTO role_group (role_id, group_id) VALUES (?1, ?2)"
		" ON CONFLICT DO NOTHING" };

	return db_run_ids(db, &sql, id, group_id, err);
}

int role_leave_all(
    struct db *db, int64_t user_id, int64_t *n_out, struct err *err)
{
	static const struct db_sql sql = { "role_user",
		"DELETE FROM role_user WHERE user_id = ?1" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	return db_run(&q, n_out, err);
}

int role_clear_services(struct db *db, int64_t id, struct err *err)
{
	static const struct db_sql sql = { "role_service",
		"DELETE FROM role_service WHERE role_id = ?1" };

	return db_run_id(db, &sql, id, err);
}

int role_add_service(
    struct db *db, int64_t id, int64_t service_id, struct err *err)
{
	static const struct db_sql sql = { "role_service",
		"INSERT INTO role_service (role_id, service_id) VALUES (?1, ?2)"
		" ON CONFLICT DO NOTHING" };

	return db_run_ids(db, &sql, id, service_id, err);
}

/* ---- what somebody has ---- */

static int tell(struct db_stmt *q, role_fn *fn, void *arg, struct err *err)
{
	const char *name, *scopes;
	struct arena a;
	int rc;

	arena_init(&a);
	name = db_text(q, 0, &a, NAME_MAX_BYTES);
	scopes = db_text(q, 1, &a, SCOPES_MAX);
	if (q->bad.code != ERR_NONE)
		rc = err_set(err, q->bad.code, "%s", q->bad.text);
	else
		rc = fn(name, scopes, arg, err);
	arena_fini(&a);
	return rc;
}

static int each_held(struct db *db, const struct db_sql *sql, int64_t owner_id,
    role_fn *fn, void *arg, struct err *err)
{
	struct db_stmt q;
	int rc;

	if (db_query(db, sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, owner_id);
	db_walk_begin(db);
	while ((rc = db_step(&q, err)) == 1) {
		if (tell(&q, fn, arg, err) < 0) {
			rc = -1;
			break;
		}
	}
	db_walk_end(db);
	return db_done(&q, rc, err) < 0 ? -1 : 0;
}

int role_each_held(
    struct db *db, int64_t user_id, role_fn *fn, void *arg, struct err *err)
{
	static const struct db_sql sql = { "role",
		"SELECT name, scopes FROM role WHERE name = 'user'"
		" UNION ALL SELECT r.name, r.scopes FROM role_user h"
		" JOIN role r ON r.id = h.role_id WHERE h.user_id = ?1"
		" UNION ALL SELECT r.name, r.scopes FROM group_member m"
		" JOIN role_group h ON h.group_id = m.group_id"
		" JOIN role r ON r.id = h.role_id WHERE m.user_id = ?1" };

	return each_held(db, &sql, user_id, fn, arg, err);
}

int role_each_held_service(
    struct db *db, int64_t service_id, role_fn *fn, void *arg, struct err *err)
{
	static const struct db_sql sql = { "role",
		"SELECT r.name, r.scopes FROM role_service h"
		" JOIN role r ON r.id = h.role_id WHERE h.service_id = ?1" };

	return each_held(db, &sql, service_id, fn, arg, err);
}

#define OF_USERS(which)                                                        \
	{                                                                      \
		"role_user",                                                   \
		    "SELECT h.user_id, r.name FROM role_user h"                \
		    " JOIN role r ON r.id = h.role_id"                         \
		    " WHERE h.user_id " which " ORDER BY h.user_id, r.name"    \
	}
#define OF_GROUPS(which)                                                       \
	{                                                                      \
		"role_group",                                                  \
		    "SELECT h.group_id, r.name FROM role_group h"              \
		    " JOIN role r ON r.id = h.role_id"                         \
		    " WHERE h.group_id " which " ORDER BY h.group_id, r.name"  \
	}
#define OF_SERVICES(which)                                                     \
	{                                                                      \
		"role_service",                                                \
		    "SELECT h.service_id, r.name FROM role_service h"          \
		    " JOIN role r ON r.id = h.role_id"                         \
		    " WHERE h.service_id " which                               \
		    " ORDER BY h.service_id, r.name"                           \
	}

int role_each_of_users(struct db *db, const int64_t *user_ids, size_t n,
    db_pair_fn *fn, void *arg, struct err *err)
{
	static const struct db_sql sql[PAIRS_N_WAYS] = {
		[PAIRS_ONE] = OF_USERS("= ?1"),
		[PAIRS_LIST] = OF_USERS("IN (SELECT value FROM json_each(?1))"),
		[PAIRS_RANGE] = OF_USERS("BETWEEN ?1 AND ?2"),
	};

	return pairs_each(db, sql, user_ids, n, fn, arg, err);
}

int role_each_of_groups(struct db *db, const int64_t *group_ids, size_t n,
    db_pair_fn *fn, void *arg, struct err *err)
{
	static const struct db_sql sql[PAIRS_N_WAYS] = {
		[PAIRS_ONE] = OF_GROUPS("= ?1"),
		[PAIRS_LIST] =
		    OF_GROUPS("IN (SELECT value FROM json_each(?1))"),
		[PAIRS_RANGE] = OF_GROUPS("BETWEEN ?1 AND ?2"),
	};

	return pairs_each(db, sql, group_ids, n, fn, arg, err);
}

int role_each_of_services(struct db *db, const int64_t *service_ids, size_t n,
    db_pair_fn *fn, void *arg, struct err *err)
{
	static const struct db_sql sql[PAIRS_N_WAYS] = {
		[PAIRS_ONE] = OF_SERVICES("= ?1"),
		[PAIRS_LIST] =
		    OF_SERVICES("IN (SELECT value FROM json_each(?1))"),
		[PAIRS_RANGE] = OF_SERVICES("BETWEEN ?1 AND ?2"),
	};

	return pairs_each(db, sql, service_ids, n, fn, arg, err);
}
