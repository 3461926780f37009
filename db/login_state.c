/*
 * See login_state.h.
 */
#include "db/login_state.h"

#include "db/db_stmt.h"

#define VIA_MAX    64
#define SEALED_MAX (1024 * 1024)

int login_state_put(struct db *db, int64_t user_id, const struct login_state *s,
    struct err *err)
{
	static const struct db_sql sql = { "login_state",
		"INSERT INTO login_state (user_id, via, checked_us, refused,"
		" sealed) VALUES (?1, ?2, ?3, ?4, ?5)"
		" ON CONFLICT (user_id) DO UPDATE SET via = excluded.via,"
		" checked_us = excluded.checked_us, refused = excluded.refused,"
		" sealed = excluded.sealed" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	db_bind_text(&q, 2, s->via);
	db_bind_int(&q, 3, s->checked_us);
	db_bind_int(&q, 4, s->refused);
	db_bind_text(&q, 5, s->sealed);
	return db_run(&q, NULL, err);
}

int login_state_find(struct db *db, struct arena *a, int64_t user_id,
    struct login_state *out, struct err *err)
{
	static const struct db_sql sql = { "login_state",
		"SELECT via, checked_us, refused, sealed FROM login_state"
		" WHERE user_id = ?1" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	rc = db_step(&q, err);
	if (rc == 1) {
		out->via = db_text(&q, 0, a, VIA_MAX);
		out->checked_us = db_int(&q, 1, 0, INT64_MAX);
		out->refused = db_bool(&q, 2);
		out->sealed = db_text_or_null(&q, 3, a, SEALED_MAX);
	}
	return db_done(&q, rc, err);
}

int login_state_refuse(
    struct db *db, int64_t user_id, int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "login_state",
		"UPDATE login_state SET refused = 1, checked_us = ?2,"
		" sealed = NULL WHERE user_id = ?1" };

	return db_run_ids(db, &sql, user_id, now_us, err);
}

int login_state_set_sealed(
    struct db *db, int64_t user_id, const char *sealed, struct err *err)
{
	static const struct db_sql sql = { "login_state",
		"INSERT INTO login_state (user_id, via, checked_us, refused,"
		" sealed) VALUES (?1, '', 0, 0, ?2)"
		" ON CONFLICT (user_id) DO UPDATE SET sealed ="
		" excluded.sealed" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	db_bind_text(&q, 2, sealed);
	return db_run(&q, NULL, err);
}
