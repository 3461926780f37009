/*
 * People for a visit, who are deleted when it is over.
 */
#ifndef CARREL_DB_VISITOR_H
#define CARREL_DB_VISITOR_H

#include <stdbool.h>

#include "db/db.h"

struct visitor {
	int64_t user_id;
	const char *name;
	int64_t since_us, until_us;
	bool is_logged_in; /* a session of theirs has not expired */
};

int visitor_add(struct db *db, int64_t user_id, int64_t since_us,
    int64_t until_us, struct err *err) MUST_CHECK;
/* Is this person one? 1/0/-1 */
int visitor_is(struct db *db, int64_t user_id, struct err *err) MUST_CHECK;
int visitor_count(struct db *db, int64_t *out, struct err *err) MUST_CHECK;
/*
 * Those whose visit is over at now_us, at most `limit`, in `a`: their time is
 * over, or nobody is logged in, or their server is at rest again, or they came
 * before settled_us and have never had one.
 */
int visitor_list_over(struct db *db, struct arena *a, int64_t now_us,
    int64_t settled_us, int64_t limit, struct visitor **out, size_t *n_out,
    struct err *err) MUST_CHECK;

#endif
