/*
 * See identity.h.
 */
#include "db/identity.h"

#include "base/str.h"
#include "db/db_stmt.h"

#define SUBJECT_MAX 255

static int identity_find(struct db *db, struct arena *a, int64_t user_id,
    const char *source, const char **out, struct err *err)
{
	static const struct db_sql sql = { "login_identity",
		"SELECT subject FROM login_identity"
		" WHERE user_id = ?1 AND source = ?2" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	db_bind_text(&q, 2, source);
	rc = db_step(&q, err);
	if (rc == 1)
		*out = db_text(&q, 0, a, SUBJECT_MAX);
	return db_done(&q, rc, err);
}

static int identity_add(struct db *db, int64_t user_id, const char *source,
    const char *subject, int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "login_identity",
		"INSERT INTO login_identity (user_id, source, subject,"
		" since_us) VALUES (?1, ?2, ?3, ?4)" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	db_bind_text(&q, 2, source);
	db_bind_text(&q, 3, subject);
	db_bind_int(&q, 4, now_us);
	return db_run(&q, NULL, err);
}

int identity_claim(struct db *db, int64_t user_id, const char *source,
    const char *subject, int64_t now_us, struct err *err)
{
	const char *known = NULL;
	struct arena a;
	int rc;

	arena_init(&a);
	rc = identity_find(db, &a, user_id, source, &known, err);
	if (rc == 1)
		rc = str_eq(known, subject);
	else if (rc == 0)
		rc =
		    identity_add(db, user_id, source, subject, now_us, err) == 0
			? 1
			: -1;
	arena_fini(&a);
	return rc;
}
