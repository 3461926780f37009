/*
 * A group whose members a list names: exactly those, as far as they are users.
 */
#ifndef CARREL_DB_ROSTER_H
#define CARREL_DB_ROSTER_H

#include <stdbool.h>

#include "db/db.h"

struct roster_list {
	const char *group;
	const char *const *names; /* normal ones */
	size_t n;
	bool create; /* users who are missing */
};

struct roster_changes {
	int64_t n_created, n_joined, n_left;
};

/* Members whom the list does not name any more and who are logged in, in `a`;
 * before roster_write. */
int roster_leavers(struct db *db, struct arena *a,
    const struct roster_list *list, int64_t now_us, const char *const **out,
    size_t *n_out, struct err *err) MUST_CHECK;
/* The group is made when it is missing. In one transaction. */
int roster_write(struct db *db, const struct roster_list *list, int64_t now_us,
    struct roster_changes *out, struct err *err) MUST_CHECK;

#endif
