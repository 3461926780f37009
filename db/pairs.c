/*
 * See pairs.h.
 */
#include "db/pairs.h"

#include <stdlib.h>

#include "db/ids.h"

#define NAME_MAX_BYTES 255

/* The ids that are asked for; non-negative, so differences cannot overflow. */
struct crowd {
	const int64_t *ids;
	size_t n;
	int64_t lo, hi;
	bool is_range;
};

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

/* Rows come by id; often the one of the row before. */
static bool is_wanted(const struct crowd *c, int64_t id, size_t *last)
{
	for (size_t i = 0; i < c->n; i++) {
		size_t at = (*last + i) % c->n;

		if (c->ids[at] != id)
			continue;
		*last = at;
		return true;
	}
	return false;
}

static int each_pair(struct db_stmt *q, const struct crowd *c, db_pair_fn *fn,
    void *arg, struct err *err)
{
	size_t last = 0;
	int rc;

	db_walk_begin(q->db);
	while ((rc = db_step(q, err)) == 1) {
		if (c->is_range &&
		    !is_wanted(c, db_int(q, 0, 1, INT64_MAX), &last))
			continue;
		if (tell_pair(q, fn, arg, err) < 0) {
			rc = -1;
			break;
		}
	}
	db_walk_end(q->db);
	return db_done(q, rc, err) < 0 ? -1 : 0;
}

/* Pages in the order of ids have few others between them: then a range is
 * cheaper than a list, and what is not wanted is passed over. */
static void find_bounds(struct crowd *c)
{
	c->lo = c->hi = c->ids[0];
	for (size_t i = 1; i < c->n; i++) {
		c->lo = c->ids[i] < c->lo ? c->ids[i] : c->lo;
		c->hi = c->ids[i] > c->hi ? c->ids[i] : c->hi;
	}
	c->is_range = c->n > 1 && (uint64_t)(c->hi - c->lo) < 2 * c->n;
}

static enum pairs_way way_of(const struct crowd *c)
{
	if (c->n == 1)
		return PAIRS_ONE;
	return c->is_range ? PAIRS_RANGE : PAIRS_LIST;
}

int pairs_each(struct db *db, const struct db_sql sql[PAIRS_N_WAYS],
    const int64_t *ids, size_t n, db_pair_fn *fn, void *arg, struct err *err)
{
	struct crowd c = { .ids = ids, .n = n };
	struct db_stmt q;
	char *list = NULL;
	int rc;

	if (n == 0)
		return 0;
	find_bounds(&c);
	if (db_query(db, &sql[way_of(&c)], &q, err) < 0)
		return -1;
	if (n == 1 || c.is_range) {
		db_bind_int(&q, 1, c.lo);
	} else {
		list = ids_json(ids, n);
		db_bind_text(&q, 1, list);
	}
	if (c.is_range)
		db_bind_int(&q, 2, c.hi);
	rc = each_pair(&q, &c, fn, arg, err);
	free(list);
	return rc;
}
