/*
 * See service.h.
 */
#include "db/service.h"

#include <string.h>

#include "db/db_stmt.h"
#include "db/secret.h"

#define MADE_OF_MAX 65536
#define SPEC_MAX    (1 << 17)

/* ---- rows ---- */

int service_row_put(struct db *db, const char *name, bool admin,
    const char *spec, int64_t *id_out, struct err *err)
{
	static const struct db_sql sql = { "service",
		"INSERT INTO service (name, admin, spec) VALUES (?1, ?2, ?3)"
		" ON CONFLICT (name) DO UPDATE SET admin = ?2, spec = ?3"
		" RETURNING id" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, name);
	db_bind_int(&q, 2, admin);
	db_bind_text(&q, 3, spec);
	rc = db_step(&q, err);
	if (rc == 1)
		*id_out = db_int(&q, 0, 1, INT64_MAX);
	return db_done(&q, rc, err) < 0 ? -1 : 0;
}

#define COLUMNS "SELECT id, name, admin, key, made_of FROM service"

/* Bound, but not stepped. 1/0/-1 */
static int read_one(struct db_stmt *q, struct arena *a, struct service_row *out,
    struct err *err)
{
	int rc = db_step(q, err);

	if (rc == 1) {
		out->id = db_int(q, 0, 1, INT64_MAX);
		out->name = db_text(q, 1, a, SERVICE_NAME_MAX);
		out->admin = db_bool(q, 2);
		out->key = db_text_or_null(q, 3, a, 16);
		out->made_of = db_text(q, 4, a, MADE_OF_MAX);
	}
	return db_done(q, rc, err);
}

int service_row_find(struct db *db, struct arena *a, const char *name,
    struct service_row *out, struct err *err)
{
	static const struct db_sql sql = { "service",
		COLUMNS " WHERE name = ?1" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, name);
	return read_one(&q, a, out, err);
}

int service_row_get(struct db *db, struct arena *a, int64_t id,
    struct service_row *out, struct err *err)
{
	static const struct db_sql sql = { "service",
		COLUMNS " WHERE id = ?1" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	return read_one(&q, a, out, err);
}

int service_row_set_admin(
    struct db *db, int64_t id, bool admin, struct err *err)
{
	static const struct db_sql sql = { "service",
		"UPDATE service SET admin = ?2 WHERE id = ?1" };

	return db_run_ids(db, &sql, id, admin, err);
}

int service_row_set_key(struct db *db, int64_t id, const char *key,
    const char *made_of, struct err *err)
{
	static const struct db_sql sql = { "service",
		"UPDATE service SET key = ?2, made_of = ?3 WHERE id = ?1" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	db_bind_text(&q, 2, key);
	db_bind_text(&q, 3, made_of);
	return db_run(&q, NULL, err);
}

int service_row_delete_others(struct db *db, const char *names, struct err *err)
{
	static const struct db_sql sql = { "service",
		"DELETE FROM service WHERE spec IS NULL AND name NOT IN"
		" (SELECT value FROM json_each(?1))" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_text(&q, 1, names);
	return db_run(&q, NULL, err);
}

int service_row_delete(struct db *db, int64_t id, struct err *err)
{
	static const struct db_sql sql = { "service",
		"DELETE FROM service WHERE id = ?1" };

	return db_run_id(db, &sql, id, err);
}

static int tell_spec(
    struct db_stmt *q, service_spec_fn *fn, void *arg, struct err *err)
{
	const char *name, *spec;
	struct arena a;
	bool admin;
	int rc;

	arena_init(&a);
	name = db_text(q, 0, &a, SERVICE_NAME_MAX);
	admin = db_bool(q, 1);
	spec = db_text(q, 2, &a, SPEC_MAX);
	if (q->bad.code != ERR_NONE)
		rc = err_set(err, q->bad.code, "%s", q->bad.text);
	else
		rc = fn(name, admin, spec, arg, err);
	arena_fini(&a);
	return rc;
}

int service_row_each_spec(
    struct db *db, service_spec_fn *fn, void *arg, struct err *err)
{
	static const struct db_sql sql = { "service",
		"SELECT name, admin, spec FROM service"
		" WHERE spec IS NOT NULL ORDER BY id" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_walk_begin(db);
	while ((rc = db_step(&q, err)) == 1) {
		if (tell_spec(&q, fn, arg, err) < 0) {
			rc = -1;
			break;
		}
	}
	db_walk_end(db);
	return db_done(&q, rc, err) < 0 ? -1 : 0;
}

/* ---- tokens ---- */

static int delete_tokens(struct db *db, int64_t id, const char *note,
    const unsigned char *keep, struct err *err)
{
	static const struct db_sql sql = { "token",
		"DELETE FROM token WHERE service_id = ?1 AND note = ?2"
		" AND (?3 IS NULL OR digest <> ?3)" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	db_bind_text(&q, 2, note);
	if (keep != NULL)
		db_bind_blob(&q, 3, keep, MAC_SHA256_LEN);
	return db_run(&q, NULL, err);
}

/* 1 it is there and its own; 0 it is not there; -1: or somebody else's. */
static int has_token(
    struct db *db, int64_t id, const unsigned char *digest, struct err *err)
{
	static const struct db_sql sql = { "token",
		"SELECT ifnull(service_id, 0) AS service_id FROM token"
		" WHERE digest = ?1" };
	struct db_stmt q;
	int64_t owner = 0;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_blob(&q, 1, digest, MAC_SHA256_LEN);
	rc = db_step(&q, err);
	if (rc == 1)
		owner = db_int(&q, 0, 0, INT64_MAX);
	rc = db_done(&q, rc, err);
	if (rc == 1 && owner != id)
		return err_set(err, ERR_EXISTS,
		    "its token is somebody else's already: make another one");
	return rc;
}

static int add_token(struct db *db, int64_t id, const char *note,
    const unsigned char *digest, int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "token",
		"INSERT INTO token (digest, service_id, note, scopes,"
		" created_us) VALUES (?1, ?2, ?3, '[\"inherit\"]', ?4)" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_blob(&q, 1, digest, MAC_SHA256_LEN);
	db_bind_int(&q, 2, id);
	db_bind_text(&q, 3, note);
	db_bind_int(&q, 4, now_us);
	return db_run(&q, NULL, err);
}

int service_token_set(struct db *db, int64_t id, const char *note,
    const char *plain, int64_t now_us, struct err *err)
{
	unsigned char digest[MAC_SHA256_LEN];
	int has;

	if (plain == NULL)
		return delete_tokens(db, id, note, NULL, err);
	if (!secret_digest(plain, digest))
		return err_set(err, ERR_INVALID,
		    "its token must have 8 to %d bytes", SECRET_TEXT_MAX);
	if (delete_tokens(db, id, note, digest, err) < 0)
		return -1;
	has = has_token(db, id, digest, err);
	return has == 0 ? add_token(db, id, note, digest, now_us, err)
			: (has < 0 ? -1 : 0);
}

int service_clients_delete(
    struct db *db, int64_t id, const char *client_id, struct err *err)
{
	static const struct db_sql sql = { "oauth_client",
		"DELETE FROM oauth_client WHERE service_id = ?1"
		" AND (?2 IS NULL OR id <> ?2)" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	db_bind_text(&q, 2, client_id);
	return db_run(&q, NULL, err);
}
