/*
 * OAuth clients and authorization codes: see oauth.h.
 */
#include "db/oauth.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/rand.h"
#include "db/db_stmt.h"
#include "db/secret.h"

#define ID_MAX     1023
#define TEXT_MAX   4096
#define SCOPES_MAX (1 << 18)

/* The row that owns all tokens that came from no client. */
#define CLIENT_OWN "jupyterhub"

/* ---- clients ---- */

static int refuse_own(const char *id, struct err *err)
{
	if (strcmp(id, CLIENT_OWN) != 0)
		return 0;
	return err_set(err, ERR_INVALID,
	    "the OAuth client %s is the hub itself and cannot be changed", id);
}

int oauth_client_put(struct db *db, const struct oauth_client *c,
    const char *secret, struct err *err)
{
	static const struct db_sql sql = { "oauth_client",
		"INSERT INTO oauth_client (id, secret_digest, redirect_uri,"
		" description, allowed_scopes, server_id, service_id)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
		" ON CONFLICT (id) DO UPDATE SET secret_digest ="
		" ifnull(excluded.secret_digest, secret_digest),"
		" redirect_uri = excluded.redirect_uri,"
		" description = excluded.description,"
		" allowed_scopes = excluded.allowed_scopes,"
		" server_id = excluded.server_id,"
		" service_id = excluded.service_id" };
	unsigned char digest[MAC_SHA256_LEN];
	struct db_stmt q;

	if (refuse_own(c->id, err) < 0)
		return -1;
	if (secret && !secret_digest(secret, digest))
		return err_set(err, ERR_INVALID,
		    "the secret of OAuth client %.100s must have 8 to %d bytes",
		    c->id, SECRET_TEXT_MAX);
	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, c->id);
	if (secret)
		db_bind_blob(&q, 2, digest, sizeof digest);
	db_bind_text(&q, 3, c->redirect_uri);
	db_bind_text(&q, 4, c->description);
	db_bind_text(&q, 5, c->allowed_scopes);
	if (c->server_id != 0)
		db_bind_int(&q, 6, c->server_id);
	if (c->service_id != 0)
		db_bind_int(&q, 7, c->service_id);
	return db_run(&q, NULL, err);
}

int oauth_client_find(struct db *db, struct arena *a, const char *id,
    struct oauth_client *out, struct err *err)
{
	static const struct db_sql sql = { "oauth_client",
		"SELECT id, redirect_uri, description, allowed_scopes,"
		" ifnull(server_id, 0) AS server_id,"
		" ifnull(service_id, 0) AS service_id"
		" FROM oauth_client WHERE id = ?1" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, id);
	rc = db_step(&q, err);
	if (rc == 1) {
		out->id = db_text(&q, 0, a, ID_MAX);
		out->redirect_uri = db_text(&q, 1, a, TEXT_MAX);
		out->description = db_text(&q, 2, a, TEXT_MAX);
		out->allowed_scopes = db_text(&q, 3, a, SCOPES_MAX);
		out->server_id = db_int(&q, 4, 0, INT64_MAX);
		out->service_id = db_int(&q, 5, 0, INT64_MAX);
	}
	return db_done(&q, rc, err);
}

/* An unknown client costs what a known one does. */
int oauth_client_check(
    struct db *db, const char *id, const char *secret, struct err *err)
{
	static const struct db_sql sql = { "oauth_client",
		"SELECT secret_digest FROM oauth_client"
		" WHERE id = ?1 AND secret_digest IS NOT NULL" };
	unsigned char want[MAC_SHA256_LEN] = { 0 }, have[MAC_SHA256_LEN];
	struct db_stmt q;
	bool is_equal, is_secret = secret_digest(secret, have);
	int rc;

	if (!is_secret)
		memset(have, 0xff, sizeof have);
	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, id);
	rc = db_step(&q, err);
	if (rc == 1)
		db_blob(&q, 0, want, sizeof want);
	is_equal = mac_equal(want, sizeof want, have, sizeof have);
	rc = db_done(&q, rc, err);
	return rc == 1 ? is_secret && is_equal : rc;
}

int oauth_client_delete(struct db *db, const char *id, struct err *err)
{
	static const struct db_sql sql = { "oauth_client",
		"DELETE FROM oauth_client WHERE id = ?1" };
	struct db_stmt q;

	if (refuse_own(id, err) < 0 || db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, id);
	return db_run(&q, NULL, err);
}

/* ---- what was granted before ---- */

static bool has_string(const json_t *list, const char *text)
{
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item)
		if (strcmp(json_string_value(item), text) == 0)
			return true;
	return false;
}

static int merge_list(json_t *all, const char *text, struct err *err)
{
	json_t *list = NULL, *item;
	size_t i;

	if (json_parse(text, strlen(text), &list, err) < 0)
		return err_wrap(err, "database, token.scopes");
	json_array_foreach (list, i, item)
		if (json_is_string(item) &&
		    !has_string(all, json_string_value(item)))
			json_array_append(all, item);
	json_decref(list);
	return 0;
}

/* The scopes of all tokens into `all`; 1 when there are tokens. */
static int merge_tokens(struct db_stmt *q, json_t *all, struct err *err)
{
	struct arena a;
	int rc, found = 0;

	arena_init(&a);
	while ((rc = db_step(q, err)) == 1) {
		found = 1;
		if (merge_list(all, db_text(q, 0, &a, SCOPES_MAX), err) < 0) {
			rc = -1;
			break;
		}
	}
	arena_fini(&a);
	return db_done(q, rc, err) < 0 ? -1 : found;
}

int oauth_client_scopes_granted(struct db *db, struct arena *a,
    const char *client_id, int64_t user_id, const char **json_out,
    struct err *err)
{
	static const struct db_sql sql = { "token",
		"SELECT DISTINCT scopes FROM token"
		" WHERE user_id = ?1 AND client_id = ?2"
		" AND (expires_us = 0 OR expires_us > ?3) LIMIT 64" };
	json_t *all;
	char *text;
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	db_bind_text(&q, 2, client_id);
	db_bind_int(&q, 3, clock_wall_us());
	all = json_array();
	rc = merge_tokens(&q, all, err);
	text = json_text(all, NULL);
	*json_out = arena_strdup(a, text);
	free(text);
	json_decref(all);
	return rc;
}

/* ---- codes ---- */

int oauth_code_create(
    struct db *db, const struct oauth_code *c, char *code_out, struct err *err)
{
	static const struct db_sql sql = { "oauth_code",
		"INSERT INTO oauth_code (digest, client_id, user_id,"
		" redirect_uri, session_id, scopes, challenge,"
		" challenge_method, expires_us, nonce, login_us)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)" };
	unsigned char digest[MAC_SHA256_LEN];
	struct db_stmt q;

	rand_alnum(code_out, OAUTH_CODE_LEN);
	secret_digest_own(code_out, digest);
	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_blob(&q, 1, digest, sizeof digest);
	db_bind_text(&q, 2, c->client_id);
	db_bind_int(&q, 3, c->user_id);
	db_bind_text(&q, 4, c->redirect_uri);
	db_bind_text(&q, 5, c->session_id);
	db_bind_text(&q, 6, c->scopes);
	db_bind_text(&q, 7, c->challenge);
	db_bind_text(&q, 8, c->challenge_method);
	db_bind_int(&q, 9, c->expires_us);
	db_bind_text(&q, 10, c->nonce);
	db_bind_int(&q, 11, c->login_us);
	return db_run(&q, NULL, err);
}

static void read_code(
    struct db_stmt *q, struct arena *a, struct oauth_code *out)
{
	out->client_id = db_text(q, 0, a, ID_MAX);
	out->user_id = db_int(q, 1, 1, INT64_MAX);
	out->redirect_uri = db_text(q, 2, a, TEXT_MAX);
	out->session_id = db_text_or_null(q, 3, a, 255);
	out->scopes = db_text(q, 4, a, SCOPES_MAX);
	out->challenge = db_text_or_null(q, 5, a, 128);
	out->challenge_method = db_text_or_null(q, 6, a, 16);
	out->expires_us = db_int(q, 7, 1, INT64_MAX);
	out->nonce = db_text_or_null(q, 8, a, 4096);
	out->login_us = db_int(q, 9, 0, INT64_MAX);
	out->token_id = db_int(q, 10, 0, INT64_MAX);
}

int oauth_code_find(struct db *db, struct arena *a, const char *code,
    int64_t now_us, struct oauth_code *out, struct err *err)
{
	static const struct db_sql sql = { "oauth_code",
		"SELECT client_id, user_id, redirect_uri, session_id, scopes,"
		" challenge, challenge_method, expires_us, nonce, login_us,"
		" ifnull(token_id, 0) AS token_id FROM oauth_code"
		" WHERE digest = ?1"
		" AND (expires_us > ?2 OR token_id IS NOT NULL)" };
	unsigned char digest[MAC_SHA256_LEN];
	struct db_stmt q;
	int rc;

	if (!secret_digest(code, digest))
		return 0;
	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_blob(&q, 1, digest, sizeof digest);
	db_bind_int(&q, 2, now_us);
	rc = db_step(&q, err);
	if (rc == 1)
		read_code(&q, a, out);
	return db_done(&q, rc, err);
}

int oauth_code_use(
    struct db *db, const char *code, int64_t token_id, struct err *err)
{
	static const struct db_sql sql = { "oauth_code",
		"UPDATE oauth_code SET token_id = ?2"
		" WHERE digest = ?1 AND token_id IS NULL" };
	unsigned char digest[MAC_SHA256_LEN];
	struct db_stmt q;
	int64_t n = 0;

	if (!secret_digest(code, digest))
		return 0;
	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_blob(&q, 1, digest, sizeof digest);
	db_bind_int(&q, 2, token_id);
	if (db_run(&q, &n, err) < 0)
		return -1;
	return n > 0 ? 1 : 0;
}

int oauth_code_purge(struct db *db, int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "oauth_code",
		"DELETE FROM oauth_code WHERE digest IN (SELECT digest FROM"
		" oauth_code WHERE expires_us <= ?1 LIMIT ?2)" };

	return db_purge(db, &sql, now_us, err);
}
