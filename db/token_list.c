/*
 * See token_list.h.
 */
#include "db/token_list.h"

#include <string.h>

#include "db/db_stmt.h"

#define COLUMNS                                                                \
	"SELECT t.id, t.user_id, t.client_id, t.session_id,"                   \
	" ifnull(t.server_id, 0) AS server_id, t.note, t.scopes,"              \
	" t.created_us, t.used_us, t.expires_us, c.description,"               \
	" s.name AS server FROM token t"                                       \
	" JOIN oauth_client c ON c.id = t.client_id"                           \
	" LEFT JOIN server s ON s.id = ifnull(t.server_id, c.server_id)"       \
	" WHERE t.user_id = ?1 AND (t.expires_us = 0 OR t.expires_us > ?2)"

static void read_row(
    struct db_stmt *q, struct arena *a, struct token_shown *out)
{
	struct token *t = &out->token;

	t->id = db_int(q, 0, 1, INT64_MAX);
	t->user_id = db_int(q, 1, 1, INT64_MAX);
	t->client_id = db_text(q, 2, a, 1023);
	t->session_id = db_text_or_null(q, 3, a, 255);
	t->server_id = db_int(q, 4, 0, INT64_MAX);
	t->note = db_text(q, 5, a, 4096);
	t->scopes = db_text(q, 6, a, 1 << 18);
	t->created_us = db_int(q, 7, 0, INT64_MAX);
	t->used_us = db_int(q, 8, 0, INT64_MAX);
	t->expires_us = db_int(q, 9, 0, INT64_MAX);
	out->client = db_text(q, 10, a, 4096);
	out->server = db_text_or_null(q, 11, a, 255);
}

int token_get(struct db *db, struct arena *a, int64_t user_id, int64_t id,
    int64_t now_us, struct token_shown *out, struct err *err)
{
	static const struct db_sql sql = { "token", COLUMNS " AND t.id = ?3" };
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	db_bind_int(&q, 2, now_us);
	db_bind_int(&q, 3, id);
	rc = db_step(&q, err);
	if (rc == 1)
		read_row(&q, a, out);
	return db_done(&q, rc, err);
}

static struct token_shown *grow(
    struct arena *a, const struct token_shown *old, size_t n, size_t cap)
{
	struct token_shown *items = arena_array(a, cap, sizeof *items);

	if (n > 0)
		memcpy(items, old, n * sizeof *items);
	return items;
}

int token_list(struct db *db, struct arena *a, int64_t user_id, int64_t now_us,
    struct token_shown **out, size_t *n_out, struct err *err)
{
	static const struct db_sql sql = { "token",
		COLUMNS " ORDER BY max(t.used_us, t.created_us), t.id" };
	struct token_shown *items = NULL;
	size_t n = 0, cap = 0;
	struct db_stmt q;
	int rc;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	db_bind_int(&q, 2, now_us);
	while ((rc = db_step(&q, err)) == 1) {
		if (n == cap) {
			cap = cap == 0 ? 16 : 2 * cap;
			items = grow(a, items, n, cap);
		}
		read_row(&q, a, &items[n++]);
	}
	*out = items;
	*n_out = n;
	return db_done(&q, rc, err);
}

int token_delete_client(
    struct db *db, int64_t user_id, const char *client_id, struct err *err)
{
	static const struct db_sql sql = { "token",
		"DELETE FROM token WHERE user_id = ?1 AND client_id = ?2" };
	struct db_stmt q;

	if (db_query(db, &sql, &q, err) < 0)
		return -1;
	db_bind_int(&q, 1, user_id);
	db_bind_text(&q, 2, client_id);
	return db_run(&q, NULL, err);
}
