/*
 * Logins of browsers: see session.h.
 */
#include "db/session.h"

#include <assert.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "db/db_stmt.h"
#include "db/secret.h"

#define SECRET_BYTES 32

static void new_secret(char *out)
{
	unsigned char raw[SECRET_BYTES];
	int rc;

	rand_bytes(raw, sizeof raw);
	rc = b64url_encode(raw, sizeof raw, out, SESSION_SECRET_LEN + 1);
	assert(rc == 0);
	mem_wipe(raw, sizeof raw);
}

int session_create(struct db *db, int64_t user_id, const char *public_id,
    int64_t now_us, int64_t expires_us, char *secret_out, struct err *err)
{
	static const struct db_sql sql = { "session",
		"INSERT INTO session (user_id, digest, public_id, created_us,"
		" used_us, expires_us) VALUES (?1, ?2, ?3, ?4, ?4, ?5)" };
	unsigned char digest[MAC_SHA256_LEN];
	struct db_stmt q;

	new_secret(secret_out);
	secret_digest_own(secret_out, digest);
	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	db_bind_blob(&q, 2, digest, sizeof digest);
	db_bind_text(&q, 3, public_id);
	db_bind_int(&q, 4, now_us);
	db_bind_int(&q, 5, expires_us);
	return db_run(&q, NULL, err);
}

static void read_session(struct db_stmt *q, struct session *out)
{
	struct arena a;

	arena_init(&a);
	out->id = db_int(q, 0, 1, INT64_MAX);
	out->user_id = db_int(q, 1, 1, INT64_MAX);
	if (str_copy(out->public_id, sizeof out->public_id,
		db_text(q, 2, &a, SESSION_ID_LEN)) < 0)
		out->public_id[0] = 0;
	out->created_us = db_int(q, 3, 0, INT64_MAX);
	out->used_us = db_int(q, 4, 0, INT64_MAX);
	out->expires_us = db_int(q, 5, 1, INT64_MAX);
	arena_fini(&a);
}

int session_find(struct db *db, const char *secret, int64_t now_us,
    struct session *out, struct err *err)
{
	static const struct db_sql sql = { "session",
		"SELECT id, user_id, public_id, created_us, used_us, expires_us"
		" FROM session WHERE digest = ?1 AND expires_us > ?2" };
	unsigned char digest[MAC_SHA256_LEN];
	struct db_stmt q;
	int rc;

	if (!secret_digest(secret, digest))
		return 0;
	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_blob(&q, 1, digest, sizeof digest);
	db_bind_int(&q, 2, now_us);
	rc = db_step(&q, err);
	if (rc == 1)
		read_session(&q, out);
	return db_done(&q, rc, err);
}

/* An id may be another session's by now: that one has another public id. */
int session_touch(
    struct db *db, const struct session *s, int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "session",
		"UPDATE session SET used_us = ?2"
		" WHERE id = ?1 AND used_us < ?2 AND public_id = ?3" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, s->id);
	db_bind_int(&q, 2, now_us);
	db_bind_text(&q, 3, s->public_id);
	return db_run(&q, NULL, err);
}

/* ---- the end ---- */

static int run_for_session(struct db *db, const struct db_sql *sql,
    const struct session *s, struct err *err)
{
	struct db_stmt q;

	if (db_query(db, sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, s->public_id);
	db_bind_int(&q, 2, s->user_id);
	return db_run(&q, NULL, err);
}

static int end_with_all(struct db *db, const struct session *s, struct err *err)
{
	static const struct db_sql tokens = { "token",
		"DELETE FROM token WHERE session_id = ?1 AND user_id = ?2" };
	static const struct db_sql codes = { "oauth_code",
		"DELETE FROM oauth_code"
		" WHERE session_id = ?1 AND user_id = ?2" };
	static const struct db_sql self = { "session",
		"DELETE FROM session WHERE id = ?1 AND public_id = ?2" };
	struct db_stmt q;

	if (run_for_session(db, &tokens, s, err) < 0 ||
	    run_for_session(db, &codes, s, err) < 0 ||
	    db_query(db, &self, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, s->id);
	db_bind_text(&q, 2, s->public_id);
	return db_run(&q, NULL, err);
}

int session_end(struct db *db, const struct session *s, struct err *err)
{
	if (db_begin(db, err) < 0)
		return -1;
	if (end_with_all(db, s, err) < 0) {
		db_rollback(db);
		return -1;
	}
	return db_commit(db, err);
}

static int end_all_of(struct db *db, int64_t user_id, struct err *err)
{
	static const struct db_sql tokens = { "token",
		"DELETE FROM token"
		" WHERE user_id = ?1 AND session_id IS NOT NULL" };
	static const struct db_sql codes = { "oauth_code",
		"DELETE FROM oauth_code WHERE user_id = ?1" };
	static const struct db_sql sessions = { "session",
		"DELETE FROM session WHERE user_id = ?1" };

	if (db_run_id(db, &tokens, user_id, err) < 0 ||
	    db_run_id(db, &codes, user_id, err) < 0)
		return -1;
	return db_run_id(db, &sessions, user_id, err);
}

int session_end_all(struct db *db, int64_t user_id, struct err *err)
{
	if (db_begin(db, err) < 0)
		return -1;
	if (end_all_of(db, user_id, err) < 0) {
		db_rollback(db);
		return -1;
	}
	return db_commit(db, err);
}

int session_people(struct db *db, struct arena *a, const char *const *names,
    size_t n, int64_t now_us, const char *const **out, size_t *n_out,
    struct err *err)
{
	static const struct db_sql sql = { "session",
		"SELECT u.name FROM json_each(?1) j"
		" JOIN user u ON u.name = j.value"
		" WHERE EXISTS (SELECT 1 FROM session s WHERE s.user_id = u.id"
		" AND s.expires_us > ?2)" };
	json_t *list = json_array();
	struct db_stmt q;
	size_t len;
	char *text;
	int rc = -1;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(names[i]));
	text = json_text(list, &len);
	json_decref(list);
	if (db_query(db, &sql, &q, err) == 0) {
		db_bind_text(&q, 1, text);
		db_bind_int(&q, 2, now_us);
		rc = db_names(&q, a, out, n_out, err);
	}
	free(text);
	return rc;
}

int session_purge(struct db *db, int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "session",
		"DELETE FROM session WHERE id IN (SELECT id FROM session"
		" WHERE expires_us <= ?1 LIMIT ?2)" };

	return db_purge(db, &sql, now_us, err);
}
