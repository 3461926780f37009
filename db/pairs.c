/*
 * See pairs.h.
 */
#include "db/pairs.h"

#include <stdlib.h>

#include "db/ids.h"

#define NAME_MAX_BYTES 255

/* One row: its name lives until the next. */
static int tell_pair(
    struct db_stmt *q, db_pair_fn *fn, void *arg, struct err *err)
{
	int64_t id = db_int(q, 0, 1, INT64_MAX);
	const char *name;
	struct arena a;
	int rc;

	arena_init(&a);
	name = db_text(q, 1, &a, NAME_MAX_BYTES);
	if (q->bad.code != ERR_NONE)
		rc = err_set(err, q->bad.code, "%s", q->bad.text);
	else
		rc = fn(id, name, arg, err);
	arena_fini(&a);
	return rc;
}

static int each_pair(
    struct db_stmt *q, db_pair_fn *fn, void *arg, struct err *err)
{
	int rc;

	db_walk_begin(q->db);
	while ((rc = db_step(q, err)) == 1) {
		if (tell_pair(q, fn, arg, err) < 0) {
			rc = -1;
			break;
		}
	}
	db_walk_end(q->db);
	return db_done(q, rc, err) < 0 ? -1 : 0;
}

/* One id needs no list of them. */
int pairs_each(struct db *db, const struct db_sql sql[2], const int64_t *ids,
    size_t n, db_pair_fn *fn, void *arg, struct err *err)
{
	struct db_stmt q;
	char *list = NULL;
	int rc;

	if (n == 0)
		return 0;
	if (db_query(db, &sql[n > 1], &q, err) < 0)
		return -1;
	if (n == 1) {
		db_bind_int(&q, 1, ids[0]);
	} else {
		list = ids_json(ids, n);
		db_bind_text(&q, 1, list);
	}
	rc = each_pair(&q, fn, arg, err);
	free(list);
	return rc;
}
