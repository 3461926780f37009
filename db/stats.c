/*
 * Numbers about the whole database: see stats.h.
 */
#include "db/stats.h"

#include "db/db_stmt.h"

int stats_count_users(struct db *db, int64_t *out, struct err *err)
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

int stats_count_active(struct db *db, const int64_t since_us[STATS_PERIODS],
    int64_t out[STATS_PERIODS], struct err *err)
{
	static const struct db_sql sql = { "user",
		"SELECT count(*) FILTER (WHERE last_activity_us >= ?1),"
		" count(*) FILTER (WHERE last_activity_us >= ?2),"
		" count(*) FILTER (WHERE last_activity_us >= ?3) FROM user" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	for (int i = 0; i < STATS_PERIODS; i++)
		db_bind_int(&q, i + 1, since_us[i]);
	rc = db_step(&q, err);
	for (int i = 0; rc == 1 && i < STATS_PERIODS; i++)
		out[i] = db_int(&q, i, 0, INT64_MAX);
	return db_done(&q, rc, err) < 0 ? -1 : 0;
}
