/*
 * See session_origin.h.
 */
#include "db/session_origin.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/str.h"
#include "db/db_stmt.h"
#include "db/secret.h"

int session_origin_put(struct db *db, const char *session_secret,
    const unsigned char origin[SESSION_ORIGIN_LEN], struct err *err)
{
	static const struct db_sql sql = { "session",
		"UPDATE session SET origin = ?2 WHERE digest = ?1" };
	unsigned char digest[MAC_SHA256_LEN];
	struct db_stmt q;

	secret_digest_own(session_secret, digest);
	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_blob(&q, 1, digest, sizeof digest);
	db_bind_blob(&q, 2, origin, SESSION_ORIGIN_LEN);
	return db_run(&q, NULL, err);
}

/* ?1: those that stay, a JSON list of hex digits. */
#define OLD                                                                    \
	" FROM session WHERE origin IS NOT NULL"                               \
	" AND lower(hex(origin)) NOT IN (SELECT value FROM json_each(?1))"

static int run(struct db *db, const struct db_sql *sql, const char *keep,
    int64_t *n_out, struct err *err)
{
	struct db_stmt q;

	if (db_query(db, sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, keep);
	return db_run(&q, n_out, err);
}

/* All sessions are read for it; nearly always there is none. */
static int has_old(struct db *db, const char *keep, struct err *err)
{
	static const struct db_sql sql = { "session",
		"SELECT 1" OLD " LIMIT 1" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, keep);
	return db_done(&q, db_step(&q, err), err);
}

static int end_old(
    struct db *db, const char *keep, int64_t *n_out, struct err *err)
{
	static const struct db_sql tokens = { "token",
		"DELETE FROM token WHERE (session_id, user_id) IN"
		" (SELECT public_id, user_id" OLD ")" };
	static const struct db_sql codes = { "oauth_code",
		"DELETE FROM oauth_code WHERE (session_id, user_id) IN"
		" (SELECT public_id, user_id" OLD ")" };
	static const struct db_sql sessions = { "session", "DELETE" OLD };

	if (run(db, &tokens, keep, NULL, err) < 0 ||
	    run(db, &codes, keep, NULL, err) < 0)
		return -1;
	return run(db, &sessions, keep, n_out, err);
}

static int end_in_one(
    struct db *db, const char *keep, int64_t *n_out, struct err *err)
{
	if (db_begin(db, err) < 0)
		return -1;
	if (end_old(db, keep, n_out, err) == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}

static char *list_of(const unsigned char (*keep)[SESSION_ORIGIN_LEN], size_t n)
{
	json_t *list = json_array();
	char hex[2 * SESSION_ORIGIN_LEN + 1];
	size_t len;
	char *text;

	for (size_t i = 0; i < n; i++) {
		hex_encode(keep[i], SESSION_ORIGIN_LEN, hex);
		json_array_append_new(list, json_string(hex));
	}
	text = json_text(list, &len);
	json_decref(list);
	return text;
}

int session_origin_keep(struct db *db,
    const unsigned char (*keep)[SESSION_ORIGIN_LEN], size_t n,
    int64_t *n_ended_out, struct err *err)
{
	char *list = list_of(keep, n);
	int rc;

	*n_ended_out = 0;
	rc = has_old(db, list, err);
	if (rc == 1)
		rc = end_in_one(db, list, n_ended_out, err);
	free(list);
	return rc;
}
