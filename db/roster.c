/*
 * See roster.h. Every statement takes the whole list: ?1, a JSON list of names.
 */
#include "db/roster.h"

#include <stdlib.h>

#include "base/json.h"
#include "db/db_stmt.h"

static int run(struct db *db, const struct db_sql *sql, const char *names,
    const char *group, int64_t *n_out, struct err *err)
{
	struct db_stmt q;

	if (db_query(db, sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, names);
	db_bind_text(&q, 2, group);
	return db_run(&q, n_out, err);
}

static int create_users(struct db *db, const char *names, int64_t now_us,
    int64_t *n_out, struct err *err)
{
	static const struct db_sql sql = { "user",
		"INSERT INTO user (name, admin, created_us)"
		" SELECT value, 0, ?2 FROM json_each(?1)"
		" WHERE true ON CONFLICT (name) DO NOTHING" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, names);
	db_bind_int(&q, 2, now_us);
	return db_run(&q, n_out, err);
}

static int write_members(struct db *db, const char *names, const char *group,
    struct roster_changes *out, struct err *err)
{
	static const struct db_sql make = { "hub_group",
		"INSERT INTO hub_group (name) SELECT ?2 WHERE ?1 IS NOT NULL"
		" ON CONFLICT (name) DO NOTHING" };
	static const struct db_sql leave = { "group_member",
		"DELETE FROM group_member WHERE group_id ="
		" (SELECT id FROM hub_group WHERE name = ?2)"
		" AND user_id NOT IN (SELECT u.id FROM json_each(?1) j"
		" JOIN user u ON u.name = j.value)" };
	static const struct db_sql join = { "group_member",
		"INSERT INTO group_member (group_id, user_id)"
		" SELECT g.id, u.id FROM json_each(?1) j"
		" JOIN user u ON u.name = j.value"
		" JOIN hub_group g ON g.name = ?2"
		" WHERE true ON CONFLICT DO NOTHING" };

	if (run(db, &make, names, group, NULL, err) < 0 ||
	    run(db, &leave, names, group, &out->n_left, err) < 0)
		return -1;
	return run(db, &join, names, group, &out->n_joined, err);
}

static char *text_of(const struct roster_list *list)
{
	json_t *names = json_array();
	size_t len;
	char *text;

	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(names, json_string(list->names[i]));
	text = json_text(names, &len);
	json_decref(names);
	return text;
}

int roster_leavers(struct db *db, struct arena *a,
    const struct roster_list *list, int64_t now_us, const char *const **out,
    size_t *n_out, struct err *err)
{
	static const struct db_sql sql = { "group_member",
		"SELECT u.name FROM hub_group g"
		" JOIN group_member m ON m.group_id = g.id"
		" JOIN user u ON u.id = m.user_id WHERE g.name = ?2"
		" AND u.name NOT IN (SELECT value FROM json_each(?1))"
		" AND EXISTS (SELECT 1 FROM session s WHERE s.user_id = u.id"
		" AND s.expires_us > ?3)" };
	char *names = text_of(list);
	struct db_stmt q;
	int rc = -1;

	if (db_query(db, &sql, &q, err) == 0) {
		db_bind_text(&q, 1, names);
		db_bind_text(&q, 2, list->group);
		db_bind_int(&q, 3, now_us);
		rc = db_names(&q, a, out, n_out, err);
	}
	free(names);
	return rc;
}

int roster_write(struct db *db, const struct roster_list *list, int64_t now_us,
    struct roster_changes *out, struct err *err)
{
	char *names;
	int rc = 0;

	*out = (struct roster_changes){ 0 };
	if (db_begin(db, err) < 0)
		return -1;
	names = text_of(list);
	if (list->create)
		rc = create_users(db, names, now_us, &out->n_created, err);
	if (rc == 0)
		rc = write_members(db, names, list->group, out, err);
	free(names);
	if (rc == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}
