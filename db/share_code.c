/*
 * See share_code.h.
 */
#include "db/share_code.h"

#include <assert.h>

#include "base/rand.h"
#include "base/str.h"
#include "db/db_stmt.h"
#include "db/secret.h"
#include "db/share.h"

#define NAME_MAX_BYTES 255

#define COLUMNS                                                                \
	"SELECT c.id, c.server_id, s.user_id, o.name AS owner,"                \
	" s.name AS server, c.scopes, c.created_us, c.expires_us,"             \
	" c.exchange_count, c.last_exchanged_us FROM share_code c"             \
	" JOIN server s ON s.id = c.server_id"                                 \
	" JOIN user o ON o.id = s.user_id WHERE "

static void read_code(
    struct db_stmt *q, struct arena *a, struct share_code *out)
{
	out->id = db_int(q, 0, 1, INT64_MAX);
	out->server_id = db_int(q, 1, 1, INT64_MAX);
	out->owner_id = db_int(q, 2, 1, INT64_MAX);
	out->owner = db_text(q, 3, a, NAME_MAX_BYTES);
	out->server = db_text(q, 4, a, NAME_MAX_BYTES);
	out->scopes = db_text(q, 5, a, SHARE_SCOPES_MAX);
	out->created_us = db_int(q, 6, 0, INT64_MAX);
	out->expires_us = db_int(q, 7, 1, INT64_MAX);
	out->exchange_count = db_int(q, 8, 0, INT64_MAX);
	out->last_exchanged_us = db_int(q, 9, 0, INT64_MAX);
}

/* ---- one ---- */

static void make_text(char *out)
{
	unsigned char bytes[32];

	rand_bytes(bytes, sizeof bytes);
	int rc = b64url_encode(bytes, sizeof bytes, out, SHARE_CODE_LEN + 1);
	assert(rc == 0);
}

int share_code_create(struct db *db, const struct share_code *c,
    char *plain_out, int64_t *id_out, struct err *err)
{
	static const struct db_sql sql = { "share_code",
		"INSERT INTO share_code (digest, server_id, scopes,"
		" created_us, expires_us) VALUES (?1, ?2, ?3, ?4, ?5)" };
	unsigned char digest[MAC_SHA256_LEN];
	struct db_stmt q;

	make_text(plain_out);
	secret_digest_own(plain_out, digest);
	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_blob(&q, 1, digest, sizeof digest);
	db_bind_int(&q, 2, c->server_id);
	db_bind_text(&q, 3, c->scopes);
	db_bind_int(&q, 4, c->created_us);
	db_bind_int(&q, 5, c->expires_us);
	if (db_run(&q, NULL, err) < 0)
		return -1;
	*id_out = db_last_id(db);
	return 0;
}

int share_code_find(struct db *db, struct arena *a, const char *plain,
    int64_t now_us, struct share_code *out, struct err *err)
{
	static const struct db_sql sql = { "share_code",
		COLUMNS "c.digest = ?1 AND c.expires_us > ?2" };
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
		read_code(&q, a, out);
	return db_done(&q, rc, err);
}

int share_code_count(struct db *db, int64_t id, int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "share_code",
		"UPDATE share_code SET exchange_count = exchange_count + 1,"
		" last_exchanged_us = ?2 WHERE id = ?1" };

	return db_run_ids(db, &sql, id, now_us, err);
}

/* ---- deleting ---- */

static int run_delete(struct db_stmt *q, struct err *err)
{
	int64_t n = 0;

	if (db_run(q, &n, err) < 0)
		return -1;
	return n > 0;
}

int share_code_delete_text(struct db *db, int64_t server_id, const char *plain,
    int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "share_code",
		"DELETE FROM share_code WHERE digest = ?1 AND server_id = ?2"
		" AND expires_us > ?3" };
	unsigned char digest[MAC_SHA256_LEN];
	struct db_stmt q;

	if (!secret_digest(plain, digest))
		return 0;
	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_blob(&q, 1, digest, sizeof digest);
	db_bind_int(&q, 2, server_id);
	db_bind_int(&q, 3, now_us);
	return run_delete(&q, err);
}

int share_code_delete_id(struct db *db, int64_t server_id, int64_t id,
    int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "share_code",
		"DELETE FROM share_code WHERE id = ?1 AND server_id = ?2"
		" AND expires_us > ?3" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, id);
	db_bind_int(&q, 2, server_id);
	db_bind_int(&q, 3, now_us);
	return run_delete(&q, err);
}

int share_code_delete_server(struct db *db, int64_t server_id, struct err *err)
{
	static const struct db_sql sql = { "share_code",
		"DELETE FROM share_code WHERE server_id = ?1" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, server_id);
	return run_delete(&q, err);
}

/* ---- a page ---- */

#define OF_SERVER "c.server_id = ?1 AND c.expires_us > ?2"
#define OF_OWNER  "s.user_id = ?1 AND c.expires_us > ?2"
#define PAGE(which)                                                            \
	{                                                                      \
		"share_code",                                                  \
		    COLUMNS which " ORDER BY c.id LIMIT ?3 OFFSET ?4"          \
	}
#define COUNT(which)                                                           \
	{                                                                      \
		"share_code",                                                  \
		    "SELECT count(*) FROM share_code c"                        \
		    " JOIN server s ON s.id = c.server_id WHERE " which        \
	}

/* [0] of a server, [1] of a person */
static const struct db_sql pages[2] = { PAGE(OF_SERVER), PAGE(OF_OWNER) };
static const struct db_sql counts[2] = { COUNT(OF_SERVER), COUNT(OF_OWNER) };

static void bind_which(struct db_stmt *st, const struct share_code_query *q)
{
	db_bind_int(st, 1, q->owner_id ? q->owner_id : q->server_id);
	db_bind_int(st, 2, q->now_us);
}

static int count(struct db *db, const struct share_code_query *q, int64_t *out,
    struct err *err)
{
	struct db_stmt st;
	int rc;

	if (db_query(db, &counts[q->owner_id != 0], &st, err) < 0)
		return -1;
	bind_which(&st, q);
	rc = db_step(&st, err);
	if (rc == 1)
		*out = db_int(&st, 0, 0, INT64_MAX);
	return db_done(&st, rc, err) < 0 ? -1 : 0;
}

int share_code_list(struct db *db, struct arena *a,
    const struct share_code_query *q, struct share_code **out, size_t *n_out,
    int64_t *total_out, struct err *err)
{
	struct db_stmt st;
	int64_t n = 0;
	int rc;

	*out = arena_array(a, (size_t)q->limit, sizeof **out);
	if (count(db, q, total_out, err) < 0 ||
	    db_query(db, &pages[q->owner_id != 0], &st, err) < 0)
		return -1;
	bind_which(&st, q);
	db_bind_int(&st, 3, q->limit);
	db_bind_int(&st, 4, q->offset);
	while ((rc = db_step(&st, err)) == 1 && n < q->limit)
		read_code(&st, a, &(*out)[n++]);
	*n_out = (size_t)n;
	return db_done(&st, rc, err) < 0 ? -1 : 0;
}

int share_code_purge(struct db *db, int64_t now_us, struct err *err)
{
	static const struct db_sql sql = { "share_code",
		"DELETE FROM share_code WHERE id IN (SELECT id FROM share_code"
		" WHERE expires_us <= ?1 LIMIT ?2)" };

	return db_purge(db, &sql, now_us, err);
}
