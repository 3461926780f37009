/*
 * Listings of people, a page at a time: filtered, sorted and cut in SQL, so
 * that the work is that of the page (contract/hub.md 1.2, 1.6).
 */
#ifndef CARREL_DB_USER_LIST_H
#define CARREL_DB_USER_LIST_H

#include "db/user.h"

enum user_state {
	USER_ANY,
	USER_ACTIVE,   /* has a server that is not at rest */
	USER_INACTIVE, /* has none */
	USER_N_STATES
};

enum user_order { USER_BY_ID, USER_BY_NAME, USER_BY_ACTIVITY, USER_N_ORDERS };

struct user_query {
	enum user_state state;
	enum user_order order; /* by activity: never seen is the oldest */
	bool descending;
	/* Part of the name, in lower case as names are; NULL: any. */
	const char *name_part;
	/* Only people of these names or in these groups: JSON lists. */
	bool only_some;
	const char *names, *groups;
	int64_t offset, limit;
};

/* The page in `a`, and how many there are in all. */
int user_list(struct db *db, struct arena *a, const struct user_query *q,
    struct user **out, size_t *n_out, int64_t *total_out,
    struct err *err) MUST_CHECK;

#endif
