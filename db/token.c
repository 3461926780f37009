/*
 * API tokens: see token.h.
 */
#include "db/token.h"

#include "base/rand.h"
#include "db/db_stmt.h"
#include "db/secret.h"

#define CLIENT_DEFAULT "jupyterhub"

static void bind_token(struct db_stmt *q, const struct token *t)
{
	if (t->user_id != 0)
		db_bind_int(q, 2, t->user_id);
	db_bind_text(
	    q, 3, t->client_id != NULL ? t->client_id : CLIENT_DEFAULT);
	db_bind_text(q, 4, t->session_id);
	if (t->server_id != 0)
		db_bind_int(q, 5, t->server_id);
	db_bind_text(q, 6, t->note != NULL ? t->note : "");
	db_bind_text(q, 7, t->scopes);
	db_bind_int(q, 8, t->created_us);
	db_bind_int(q, 9, t->expires_us);
	if (t->service_id != 0)
		db_bind_int(q, 10, t->service_id);
}

int token_create(struct db *db, const struct token *t, char *plain_out,
    int64_t *id_out, struct err *err)
{
	static const struct db_sql sql = { "token",
		"INSERT INTO token (digest, user_id, client_id, session_id,"
		" server_id, note, scopes, created_us, expires_us, service_id)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)" };
	unsigned char digest[MAC_SHA256_LEN];
	struct db_stmt q;

	rand_hex(plain_out, TOKEN_LEN);
	secret_digest_own(plain_out, digest);
	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_blob(&q, 1, digest, sizeof digest);
	bind_token(&q, t);
	if (db_run(&q, NULL, err) < 0)
		return -1;
	*id_out = db_last_id(db);
	return 0;
}

static void read_token(struct db_stmt *q, struct arena *a, struct token *out)
{
	out->id = db_int(q, 0, 1, INT64_MAX);
	out->user_id = db_int(q, 1, 0, INT64_MAX);
	out->client_id = db_text(q, 2, a, 1023);
	out->session_id = db_text_or_null(q, 3, a, 255);
	out->server_id = db_int(q, 4, 0, INT64_MAX);
	out->note = db_text(q, 5, a, 4096);
	out->scopes = db_text(q, 6, a, 1 << 18);
	out->created_us = db_int(q, 7, 0, INT64_MAX);
	out->used_us = db_int(q, 8, 0, INT64_MAX);
	out->expires_us = db_int(q, 9, 0, INT64_MAX);
	out->service_id = db_int(q, 10, 0, INT64_MAX);
}

/* What read_token reads of a token that has not expired at ?2. */
#define SELECT_TOKEN                                                           \
	"SELECT id, ifnull(user_id, 0) AS user_id, client_id,"                 \
	" session_id, ifnull(server_id, 0) AS server_id, note, scopes,"        \
	" created_us, used_us, expires_us,"                                    \
	" ifnull(service_id, 0) AS service_id FROM token"                      \
	" WHERE (expires_us = 0 OR expires_us > ?2)"

int token_find(struct db *db, struct arena *a, const char *plain,
    int64_t now_us, struct token *out, struct err *err)
{
	static const struct db_sql sql = { "token",
		SELECT_TOKEN " AND digest = ?1" };
	unsigned char digest[MAC_SHA256_LEN];
	struct db_stmt q;
	int rc;

	if (!secret_digest(plain, digest))
		return 0;
	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_blob(&q, 1, digest, sizeof digest);
	db_bind_int(&q, 2, now_us);
	rc = db_step(&q, err);
	if (rc == 1)
		read_token(&q, a, out);
	return db_done(&q, rc, err);
}

int token_find_id(struct db *db, struct arena *a, int64_t id, int64_t now_us,
    struct token *out, struct err *err)
{
	static const struct db_sql sql = { "token",
		SELECT_TOKEN " AND id = ?1" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	db_bind_int(&q, 2, now_us);
	rc = db_step(&q, err);
	if (rc == 1)
		read_token(&q, a, out);
	return db_done(&q, rc, err);
}

int token_touch(struct db *db, int64_t id, int64_t now_us, struct err *err)
{
	static const struct db_sql sql = {
		"token",
		"UPDATE token SET used_us = ?2 WHERE id = ?1 AND used_us < ?2"
	};
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	db_bind_int(&q, 2, now_us);
	return db_run(&q, NULL, err);
}

int token_delete(struct db *db, int64_t id, struct err *err)
{
	static const struct db_sql sql = { "token",
		"DELETE FROM token WHERE id = ?1" };

	return db_run_id(db, &sql, id, err);
}

static int delete_of_server(struct db *db, int64_t server_id, struct err *err)
{
	static const struct db_sql own = { "token",
		"DELETE FROM token WHERE server_id = ?1" };
	static const struct db_sql clients = { "token",
		"DELETE FROM token WHERE client_id IN"
		" (SELECT id FROM oauth_client WHERE server_id = ?1)" };

	if (db_run_id(db, &own, server_id, err) < 0)
		return -1;
	return db_run_id(db, &clients, server_id, err);
}

int token_delete_server(struct db *db, int64_t server_id, struct err *err)
{
	if (db_begin(db, err) < 0)
		return -1;
	if (delete_of_server(db, server_id, err) < 0) {
		db_rollback(db);
		return -1;
	}
	return db_commit(db, err);
}

int token_purge(struct db *db, int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "token",
		"DELETE FROM token WHERE id IN (SELECT id FROM token"
		" WHERE expires_us > 0 AND expires_us <= ?1 LIMIT ?2)" };

	return db_purge(db, &sql, now_us, err);
}
