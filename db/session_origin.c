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
	static const struct db_sql sql = { "session_origin",
		"INSERT INTO session_origin (session_id, origin)"
		" SELECT id, ?2 FROM session WHERE digest = ?1" };
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
	" FROM session s JOIN session_origin o ON o.session_id = s.id"         \
	" WHERE lower(hex(o.origin)) NOT IN"                                   \
	" (SELECT value FROM json_each(?1))"

static int run(struct db *db, const struct db_sql *sql, const char *keep,
    int64_t *n_out, struct err *err)
{
	struct db_stmt q;

	if (db_query(db, sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, keep);
	return db_run(&q, n_out, err);
}

static int end_old(
    struct db *db, const char *keep, int64_t *n_out, struct err *err)
{
	static const struct db_sql tokens = { "token",
		"DELETE FROM token WHERE (session_id, user_id) IN"
		" (SELECT s.public_id, s.user_id" OLD ")" };
	static const struct db_sql codes = { "oauth_code",
		"DELETE FROM oauth_code WHERE (session_id, user_id) IN"
		" (SELECT s.public_id, s.user_id" OLD ")" };
	static const struct db_sql sessions = { "session",
		"DELETE FROM session WHERE id IN (SELECT s.id" OLD ")" };

	if (run(db, &tokens, keep, NULL, err) < 0 ||
	    run(db, &codes, keep, NULL, err) < 0)
		return -1;
	return run(db, &sessions, keep, n_out, err);
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
	char *list;
	int rc;

	*n_ended_out = 0;
	if (db_begin(db, err) < 0)
		return -1;
	list = list_of(keep, n);
	rc = end_old(db, list, n_ended_out, err);
	free(list);
	if (rc == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}
