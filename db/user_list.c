/*
 * Listings of people: see user_list.h. One statement for each way to ask, made
 * from the same parts, so that each has the plan that suits it.
 */
#include "db/user_list.h"

#include "db/db_stmt.h"

#define NAME_MAX_BYTES 255

/* ?3 a part of the name, ?4 names, ?5 groups. Names are in lower case. */
#define PART "(?3 IS NULL OR instr(u.name, ?3) > 0)"
#define SOME                                                                   \
	" u.id IN (SELECT id FROM user WHERE name IN"                          \
	" (SELECT value FROM json_each(?4)) UNION"                             \
	" SELECT m.user_id FROM group_member m"                                \
	" JOIN hub_group g ON g.id = m.group_id WHERE g.name IN"               \
	" (SELECT value FROM json_each(?5))) AND "
#define ANY ""
#define ACTIVE                                                                 \
	" u.id IN (SELECT user_id FROM server WHERE key IS NOT NULL) AND "
#define INACTIVE                                                               \
	" NOT EXISTS (SELECT 1 FROM server s"                                  \
	" WHERE s.user_id = u.id AND s.key IS NOT NULL) AND "

#define PAGE(which, order)                                                     \
	{                                                                      \
		"user", "SELECT u.id, u.name, u.admin, u.created_us,"          \
			" u.last_activity_us FROM user u WHERE " which PART    \
			" ORDER BY " order " LIMIT ?1 OFFSET ?2"               \
	}
#define PAGES(which)                                                           \
	{                                                                      \
		PAGE(which, "u.id"), PAGE(which, "u.id DESC"),                 \
		    PAGE(which, "u.name"), PAGE(which, "u.name DESC"),         \
		    PAGE(which, "u.last_activity_us, u.id"),                   \
		    PAGE(which, "u.last_activity_us DESC, u.id DESC"),         \
	}
#define COUNT(which)                                                           \
	{                                                                      \
		"user", "SELECT count(*) FROM user u WHERE " which PART        \
	}

/* [state][only some][order and direction] */
static const struct db_sql pages[USER_N_STATES][2][2 * USER_N_ORDERS] = {
	[USER_ANY] = { PAGES(ANY), PAGES(ANY SOME) },
	[USER_ACTIVE] = { PAGES(ACTIVE), PAGES(ACTIVE SOME) },
	[USER_INACTIVE] = { PAGES(INACTIVE), PAGES(INACTIVE SOME) },
};
static const struct db_sql counts[USER_N_STATES][2] = {
	[USER_ANY] = { COUNT(ANY), COUNT(ANY SOME) },
	[USER_ACTIVE] = { COUNT(ACTIVE), COUNT(ACTIVE SOME) },
	[USER_INACTIVE] = { COUNT(INACTIVE), COUNT(INACTIVE SOME) },
};

static void bind_filters(struct db_stmt *st, const struct user_query *q)
{
	db_bind_text(st, 3, q->name_part);
	if (!q->only_some)
		return;
	db_bind_text(st, 4, q->names);
	db_bind_text(st, 5, q->groups);
}

static int read_number(struct db_stmt *st, int64_t *out, struct err *err)
{
	int rc = db_step(st, err);

	if (rc == 1)
		*out = db_int(st, 0, 0, INT64_MAX);
	return db_done(st, rc, err) < 0 ? -1 : 0;
}

static int count_active(struct db *db, int64_t *out, struct err *err)
{
	static const struct db_sql sql = { "server",
		"SELECT count(DISTINCT user_id) FROM server"
		" WHERE key IS NOT NULL" };
	struct db_stmt st;

	if (db_query(db, &sql, &st, err) < 0)
		return -1;
	return read_number(&st, out, err);
}

/* Without a further filter nobody has to be looked at. */
static int count_all(
    struct db *db, enum user_state state, int64_t *out, struct err *err)
{
	int64_t active = 0;

	if (state != USER_ACTIVE && user_count(db, out, err) < 0)
		return -1;
	if (state == USER_ANY)
		return 0;
	if (count_active(db, &active, err) < 0)
		return -1;
	*out = state == USER_ACTIVE ? active : *out - active;
	return 0;
}

static int count(
    struct db *db, const struct user_query *q, int64_t *out, struct err *err)
{
	struct db_stmt st;

	if (!q->only_some && q->name_part == NULL)
		return count_all(db, q->state, out, err);
	if (db_query(db, &counts[q->state][q->only_some], &st, err) < 0)
		return -1;
	bind_filters(&st, q);
	return read_number(&st, out, err);
}

static int read_page(struct db *db, struct arena *a, const struct user_query *q,
    struct user *out, size_t *n_out, struct err *err)
{
	const size_t order = 2 * (size_t)q->order + (q->descending ? 1 : 0);
	struct db_stmt st;
	int64_t n = 0;
	int rc;

	if (db_query(db, &pages[q->state][q->only_some][order], &st, err) < 0)
		return -1;
	db_bind_int(&st, 1, q->limit);
	db_bind_int(&st, 2, q->offset);
	bind_filters(&st, q);
	while ((rc = db_step(&st, err)) == 1 && n < q->limit) {
		out[n].id = db_int(&st, 0, 1, INT64_MAX);
		out[n].name = db_text(&st, 1, a, NAME_MAX_BYTES);
		out[n].admin = db_bool(&st, 2);
		out[n].created_us = db_int(&st, 3, 0, INT64_MAX);
		out[n].last_activity_us = db_int(&st, 4, 0, INT64_MAX);
		n++;
	}
	*n_out = (size_t)n;
	return db_done(&st, rc, err) < 0 ? -1 : 0;
}

int user_list(struct db *db, struct arena *a, const struct user_query *q,
    struct user **out, size_t *n_out, int64_t *total_out, struct err *err)
{
	*total_out = 0;
	*out = arena_array(a, (size_t)q->limit, sizeof **out);
	if (count(db, q, total_out, err) < 0)
		return -1;
	return read_page(db, a, q, *out, n_out, err);
}
