/*
 * The hub's groups: see group.h.
 */
#include "db/group.h"

#include "db/db_stmt.h"
#include "db/pairs.h"

#define PROPERTIES_MAX (1 << 18)

/* ---- one ---- */

static void read_group(struct db_stmt *q, struct arena *a, struct group *out)
{
	out->id = db_int(q, 0, 1, INT64_MAX);
	out->name = db_text(q, 1, a, GROUP_NAME_MAX);
	out->properties = db_text(q, 2, a, PROPERTIES_MAX);
}

int group_create(
    struct db *db, const char *name, int64_t *id_out, struct err *err)
{
	static const struct db_sql sql = { "hub_group",
		"INSERT INTO hub_group (name) VALUES (?1)" };
	struct err why = { 0 };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, name);
	if (db_run(&q, NULL, &why) == 0) {
		*id_out = db_last_id(db);
		return 0;
	}
	if (why.code == ERR_EXISTS)
		return err_set(
		    err, ERR_EXISTS, "Group %s already exists", name);
	if (err != NULL)
		*err = why;
	return -1;
}

int group_find(struct db *db, struct arena *a, const char *name,
    struct group *out, struct err *err)
{
	static const struct db_sql sql = { "hub_group",
		"SELECT id, name, properties FROM hub_group WHERE name = ?1" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, name);
	rc = db_step(&q, err);
	if (rc == 1)
		read_group(&q, a, out);
	return db_done(&q, rc, err);
}

int group_delete(struct db *db, int64_t id, struct err *err)
{
	static const struct db_sql sql = { "hub_group",
		"DELETE FROM hub_group WHERE id = ?1" };

	return db_run_id(db, &sql, id, err);
}

int group_set_properties(
    struct db *db, int64_t id, const char *json, struct err *err)
{
	static const struct db_sql sql = { "hub_group",
		"UPDATE hub_group SET properties = ?2 WHERE id = ?1" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	db_bind_text(&q, 2, json);
	return db_run(&q, NULL, err);
}

/* ---- members ---- */

int group_add(struct db *db, int64_t id, int64_t user_id, struct err *err)
{
	static const struct db_sql sql = { "group_member",
		"INSERT INTO group_member (group_id, user_id) VALUES (?1, ?2)"
		" ON CONFLICT DO NOTHING" };

	return db_run_ids(db, &sql, id, user_id, err);
}

int group_remove(struct db *db, int64_t id, int64_t user_id, struct err *err)
{
	static const struct db_sql sql = { "group_member",
		"DELETE FROM group_member"
		" WHERE group_id = ?1 AND user_id = ?2" };

	return db_run_ids(db, &sql, id, user_id, err);
}

int group_leave_all(
    struct db *db, int64_t user_id, int64_t *n_out, struct err *err)
{
	static const struct db_sql sql = { "group_member",
		"DELETE FROM group_member WHERE user_id = ?1" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	return db_run(&q, n_out, err);
}

int group_has(
    struct db *db, const char *user, const char *group, struct err *err)
{
	static const struct db_sql sql = { "group_member",
		"SELECT 1 FROM group_member WHERE group_id ="
		" (SELECT id FROM hub_group WHERE name = ?2) AND user_id ="
		" (SELECT id FROM user WHERE name = ?1)" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, user);
	db_bind_text(&q, 2, group);
	return db_done(&q, db_step(&q, err), err);
}

/* ---- a page ---- */

#define SOME " WHERE name IN (SELECT value FROM json_each(?3))"
#define PAGE(which)                                                            \
	{                                                                      \
		"hub_group",                                                   \
		    "SELECT id, name, properties FROM hub_group" which         \
		    " ORDER BY id LIMIT ?1 OFFSET ?2"                          \
	}
#define COUNT(which)                                                           \
	{                                                                      \
		"hub_group", "SELECT count(*) FROM hub_group" which            \
	}

static const struct db_sql pages[2] = { PAGE(""), PAGE(SOME) };
static const struct db_sql counts[2] = { COUNT(""), COUNT(SOME) };

static int count(
    struct db *db, const struct group_query *q, int64_t *out, struct err *err)
{
	struct db_stmt st;
	int rc;

	if (db_query(db, &counts[q->only_some], &st, err) < 0)
		return -1;
	if (q->only_some)
		db_bind_text(&st, 3, q->names);
	rc = db_step(&st, err);
	if (rc == 1)
		*out = db_int(&st, 0, 0, INT64_MAX);
	return db_done(&st, rc, err) < 0 ? -1 : 0;
}

int group_list(struct db *db, struct arena *a, const struct group_query *q,
    struct group **out, size_t *n_out, int64_t *total_out, struct err *err)
{
	struct db_stmt st;
	int64_t n = 0;
	int rc;

	*out = arena_array(a, (size_t)q->limit, sizeof **out);
	if (count(db, q, total_out, err) < 0 ||
	    db_query(db, &pages[q->only_some], &st, err) < 0)
		return -1;
	db_bind_int(&st, 1, q->limit);
	db_bind_int(&st, 2, q->offset);
	if (q->only_some)
		db_bind_text(&st, 3, q->names);
	while ((rc = db_step(&st, err)) == 1 && n < q->limit)
		read_group(&st, a, &(*out)[n++]);
	*n_out = (size_t)n;
	return db_done(&st, rc, err) < 0 ? -1 : 0;
}

/* ---- who is where ---- */

#define OF_USERS(which)                                                        \
	{                                                                      \
		"group_member",                                                \
		    "SELECT m.user_id, g.name FROM group_member m"             \
		    " JOIN hub_group g ON g.id = m.group_id"                   \
		    " WHERE m.user_id " which " ORDER BY m.user_id, g.name"    \
	}
#define MEMBERS(which)                                                         \
	{                                                                      \
		"group_member",                                                \
		    "SELECT m.group_id, u.name FROM group_member m"            \
		    " JOIN user u ON u.id = m.user_id"                         \
		    " WHERE m.group_id " which " ORDER BY m.group_id, u.name"  \
	}

int group_each_of_users(struct db *db, const int64_t *user_ids, size_t n,
    db_pair_fn *fn, void *arg, struct err *err)
{
	static const struct db_sql sql[PAIRS_N_WAYS] = {
		[PAIRS_ONE] = OF_USERS("= ?1"),
		[PAIRS_LIST] = OF_USERS("IN (SELECT value FROM json_each(?1))"),
		[PAIRS_RANGE] = OF_USERS("BETWEEN ?1 AND ?2"),
	};

	return pairs_each(db, sql, user_ids, n, fn, arg, err);
}

int group_each_member(struct db *db, const int64_t *group_ids, size_t n,
    db_pair_fn *fn, void *arg, struct err *err)
{
	static const struct db_sql sql[PAIRS_N_WAYS] = {
		[PAIRS_ONE] = MEMBERS("= ?1"),
		[PAIRS_LIST] = MEMBERS("IN (SELECT value FROM json_each(?1))"),
		[PAIRS_RANGE] = MEMBERS("BETWEEN ?1 AND ?2"),
	};

	return pairs_each(db, sql, group_ids, n, fn, arg, err);
}
