/*
 * See visitor.h.
 */
#include "db/visitor.h"

#include "db/db_stmt.h"

#define NAME_MAX_BYTES 255

int visitor_add(struct db *db, int64_t user_id, int64_t since_us,
    int64_t until_us, struct err *err)
{
	static const struct db_sql sql = { "visitor",
		"INSERT INTO visitor (user_id, since_us, until_us)"
		" VALUES (?1, ?2, ?3)" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	db_bind_int(&q, 2, since_us);
	db_bind_int(&q, 3, until_us);
	return db_run(&q, NULL, err);
}

int visitor_is(struct db *db, int64_t user_id, struct err *err)
{
	static const struct db_sql sql = { "visitor",
		"SELECT 1 FROM visitor WHERE user_id = ?1" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	return db_done(&q, db_step(&q, err), err);
}

int visitor_count(struct db *db, int64_t *out, struct err *err)
{
	static const struct db_sql sql = { "visitor",
		"SELECT count(*) FROM visitor" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	rc = db_step(&q, err);
	if (rc == 1)
		*out = db_int(&q, 0, 0, INT64_MAX);
	return db_done(&q, rc, err) < 0 ? -1 : 0;
}

static void read_visitor(
    struct db_stmt *q, struct arena *a, struct visitor *out)
{
	out->user_id = db_int(q, 0, 1, INT64_MAX);
	out->name = db_text(q, 1, a, NAME_MAX_BYTES);
	out->since_us = db_int(q, 2, 0, INT64_MAX);
	out->until_us = db_int(q, 3, 0, INT64_MAX);
	out->is_logged_in = db_bool(q, 4);
}

int visitor_list_over(struct db *db, struct arena *a, int64_t now_us,
    int64_t settled_us, int64_t limit, struct visitor **out, size_t *n_out,
    struct err *err)
{
	static const struct db_sql sql = { "visitor",
		"SELECT id, name, since_us, until_us, logged_in FROM"
		" (SELECT u.id, u.name, v.since_us, v.until_us,"
		" EXISTS (SELECT 1 FROM session s WHERE s.user_id = u.id"
		" AND s.expires_us > ?1) AS logged_in,"
		" EXISTS (SELECT 1 FROM server r WHERE r.user_id = u.id"
		" AND r.key IS NOT NULL) AS running,"
		" EXISTS (SELECT 1 FROM server r WHERE r.user_id = u.id)"
		" AS started"
		" FROM visitor v JOIN user u ON u.id = v.user_id)"
		" WHERE until_us <= ?1 OR NOT logged_in"
		" OR (NOT running AND (started OR since_us <= ?2)) LIMIT ?3" };
	struct db_stmt q;
	int64_t n = 0;
	int rc;

	*out = arena_array(a, (size_t)limit, sizeof **out);
	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, now_us);
	db_bind_int(&q, 2, settled_us);
	db_bind_int(&q, 3, limit);
	while ((rc = db_step(&q, err)) == 1 && n < limit)
		read_visitor(&q, a, &(*out)[n++]);
	*n_out = (size_t)n;
	return db_done(&q, rc, err) < 0 ? -1 : 0;
}
