/*
 * See share.h.
 */
#include "db/share.h"

#include "db/db_priv.h"
#include "db/db_stmt.h"

#define NAME_MAX_BYTES 255

#define COLUMNS                                                                \
	"SELECT h.id, o.name AS owner, s.name AS server, u.name AS user,"      \
	" g.name AS group_name, h.scopes, h.created_us FROM share h"           \
	" JOIN server s ON s.id = h.server_id JOIN user o ON o.id = s.user_id" \
	" LEFT JOIN user u ON u.id = h.user_id"                                \
	" LEFT JOIN hub_group g ON g.id = h.group_id WHERE "

static void read_share(struct db_stmt *q, struct arena *a, struct share *out)
{
	out->id = db_int(q, 0, 1, INT64_MAX);
	out->owner = db_text(q, 1, a, NAME_MAX_BYTES);
	out->server = db_text(q, 2, a, NAME_MAX_BYTES);
	out->user = db_text_or_null(q, 3, a, NAME_MAX_BYTES);
	out->group = db_text_or_null(q, 4, a, NAME_MAX_BYTES);
	out->scopes = db_text(q, 5, a, SHARE_SCOPES_MAX);
	out->created_us = db_int(q, 6, 0, INT64_MAX);
}

/* ---- one ---- */

int share_find(struct db *db, struct arena *a, int64_t server_id,
    struct share_with with, struct share *out, struct err *err)
{
	static const struct db_sql to_user = { "share",
		COLUMNS "h.server_id = ?1 AND h.user_id = ?2" };
	static const struct db_sql to_group = { "share",
		COLUMNS "h.server_id = ?1 AND h.group_id = ?2" };
	struct db_stmt q;
	int rc;

	if (db_query(db, with.user_id ? &to_user : &to_group, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, server_id);
	db_bind_int(&q, 2, with.user_id ? with.user_id : with.group_id);
	rc = db_step(&q, err);
	if (rc == 1)
		read_share(&q, a, out);
	return db_done(&q, rc, err);
}

int share_put(struct db *db, int64_t server_id, struct share_with with,
    const char *scopes, int64_t now_us, struct err *err)
{
	static const struct db_sql to_user = { "share",
		"INSERT INTO share (server_id, user_id, scopes, created_us)"
		" VALUES (?1, ?2, ?3, ?4) ON CONFLICT (server_id, user_id)"
		" DO UPDATE SET scopes = excluded.scopes" };
	static const struct db_sql to_group = { "share",
		"INSERT INTO share (server_id, group_id, scopes, created_us)"
		" VALUES (?1, ?2, ?3, ?4) ON CONFLICT (server_id, group_id)"
		" DO UPDATE SET scopes = excluded.scopes" };
	struct db_stmt q;

	db->knows_shares = db->has_shares = true;
	if (db_query(db, with.user_id ? &to_user : &to_group, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, server_id);
	db_bind_int(&q, 2, with.user_id ? with.user_id : with.group_id);
	db_bind_text(&q, 3, scopes);
	db_bind_int(&q, 4, now_us);
	return db_run(&q, NULL, err);
}

int share_delete(struct db *db, int64_t id, struct err *err)
{
	static const struct db_sql sql = { "share",
		"DELETE FROM share WHERE id = ?1" };

	return db_run_id(db, &sql, id, err);
}

int share_delete_server(struct db *db, int64_t server_id, struct err *err)
{
	static const struct db_sql sql = { "share",
		"DELETE FROM share WHERE server_id = ?1" };

	return db_run_id(db, &sql, server_id, err);
}

/* ---- a page ---- */

#define OF_OWNER  "s.user_id = ?1"
#define OF_SERVER "h.server_id = ?1"
#define TO_USER                                                                \
	"(h.user_id = ?1 OR h.group_id IN"                                     \
	" (SELECT group_id FROM group_member WHERE user_id = ?1))"
#define TO_GROUP "h.group_id = ?1"
#define PAGE(which)                                                            \
	{                                                                      \
		"share", COLUMNS which " ORDER BY h.id LIMIT ?2 OFFSET ?3"     \
	}
#define COUNT(which)                                                           \
	{                                                                      \
		"share", "SELECT count(*) FROM share h"                        \
			 " JOIN server s ON s.id = h.server_id WHERE " which   \
	}

static const struct db_sql pages[SHARE_N_LISTS] = {
	[SHARE_OF_OWNER] = PAGE(OF_OWNER),
	[SHARE_OF_SERVER] = PAGE(OF_SERVER),
	[SHARE_TO_USER] = PAGE(TO_USER),
	[SHARE_TO_GROUP] = PAGE(TO_GROUP),
};
static const struct db_sql counts[SHARE_N_LISTS] = {
	[SHARE_OF_OWNER] = COUNT(OF_OWNER),
	[SHARE_OF_SERVER] = COUNT(OF_SERVER),
	[SHARE_TO_USER] = COUNT(TO_USER),
	[SHARE_TO_GROUP] = COUNT(TO_GROUP),
};

/* Is there any at all? It stays "yes" when the last one goes. 1/0/-1 */
static int any(struct db *db, struct err *err)
{
	static const struct db_sql sql = { "share",
		"SELECT 1 FROM share LIMIT 1" };
	struct db_stmt q;
	int rc;

	if (db->knows_shares)
		return db->has_shares;
	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	rc = db_done(&q, db_step(&q, err), err);
	db->knows_shares = rc >= 0;
	db->has_shares = rc == 1;
	return rc;
}

static int count(
    struct db *db, const struct share_query *q, int64_t *out, struct err *err)
{
	struct db_stmt st;
	int rc;

	if (db_query(db, &counts[q->which], &st, err) < 0)
		return -1;
	db_bind_int(&st, 1, q->id);
	rc = db_step(&st, err);
	if (rc == 1)
		*out = db_int(&st, 0, 0, INT64_MAX);
	return db_done(&st, rc, err) < 0 ? -1 : 0;
}

int share_list(struct db *db, struct arena *a, const struct share_query *q,
    struct share **out, size_t *n_out, int64_t *total_out, struct err *err)
{
	struct db_stmt st;
	int64_t n = 0;
	int rc;

	*out = NULL;
	*n_out = 0;
	*total_out = 0;
	rc = any(db, err);
	if (rc > 0)
		rc = count(db, q, total_out, err);
	/* nearly everybody, at each of their requests */
	if (rc < 0 || *total_out == 0)
		return rc;
	*out = arena_array(a, (size_t)q->limit, sizeof **out);
	if (db_query(db, &pages[q->which], &st, err) < 0)
		return -1;
	db_bind_int(&st, 1, q->id);
	db_bind_int(&st, 2, q->limit);
	db_bind_int(&st, 3, q->offset);
	while ((rc = db_step(&st, err)) == 1 && n < q->limit)
		read_share(&st, a, &(*out)[n++]);
	*n_out = (size_t)n;
	return db_done(&st, rc, err) < 0 ? -1 : 0;
}
