/*
 * See group_sync.h.
 */
#include "db/group_sync.h"

#include <stdlib.h>

#include "base/json.h"
#include "db/db_stmt.h"

static int run(struct db *db, const struct db_sql *sql, int64_t user_id,
    const char *names, struct err *err)
{
	struct db_stmt q;

	if (db_query(db, sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, names);
	if (user_id)
		db_bind_int(&q, 2, user_id);
	return db_run(&q, NULL, err);
}

int group_sync(struct db *db, int64_t user_id, const char *const *names,
    size_t n, struct err *err)
{
	static const struct db_sql make = { "hub_group",
		"INSERT INTO hub_group (name) SELECT value FROM json_each(?1)"
		" WHERE true ON CONFLICT (name) DO NOTHING" };
	static const struct db_sql leave = { "group_member",
		"DELETE FROM group_member WHERE user_id = ?2 AND group_id NOT "
		"IN"
		" (SELECT g.id FROM json_each(?1) j"
		" JOIN hub_group g ON g.name = j.value)" };
	static const struct db_sql join = { "group_member",
		"INSERT INTO group_member (group_id, user_id)"
		" SELECT g.id, ?2 FROM json_each(?1) j"
		" JOIN hub_group g ON g.name = j.value"
		" WHERE true ON CONFLICT DO NOTHING" };
	json_t *list = json_array();
	size_t len;
	char *text;
	int rc;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(names[i]));
	text = json_text(list, &len);
	json_decref(list);
	rc = run(db, &make, 0, text, err);
	if (rc == 0)
		rc = run(db, &leave, user_id, text, err);
	if (rc == 0)
		rc = run(db, &join, user_id, text, err);
	free(text);
	return rc;
}
