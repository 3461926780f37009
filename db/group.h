/*
 * The hub's own groups: members and properties. Filters of scopes (!group=) and
 * roles go by them; the groups of a person's last login (db/user.h) are others.
 */
#ifndef CARREL_DB_GROUP_H
#define CARREL_DB_GROUP_H

#include "db/db.h"

#define GROUP_NAME_MAX 255 /* bytes */

struct group {
	int64_t id;
	const char *name;
	const char *properties; /* a JSON object */
};

/* ERR_EXISTS. */
int group_create(struct db *db, const char *name, int64_t *id_out,
    struct err *err) MUST_CHECK;
/* 1/0/-1; strings live in `a`. */
int group_find(struct db *db, struct arena *a, const char *name,
    struct group *out, struct err *err) MUST_CHECK;
/* The members lose it; they stay. */
int group_delete(struct db *db, int64_t id, struct err *err) MUST_CHECK;
int group_set_properties(
    struct db *db, int64_t id, const char *json, struct err *err) MUST_CHECK;

/* Nothing happens when it is so already. */
int group_add(
    struct db *db, int64_t id, int64_t user_id, struct err *err) MUST_CHECK;
int group_remove(
    struct db *db, int64_t id, int64_t user_id, struct err *err) MUST_CHECK;
/* They are in none any more; *n_out: of how many they were. */
int group_leave_all(
    struct db *db, int64_t user_id, int64_t *n_out, struct err *err) MUST_CHECK;
/* Is the user of that name in the group now? 1/0/-1 */
int group_has(struct db *db, const char *user, const char *group,
    struct err *err) MUST_CHECK;

struct group_query {
	bool only_some;
	const char *names; /* only these: a JSON list */
	int64_t offset, limit;
};
/* By id; the page in `a`, and how many there are in all. */
int group_list(struct db *db, struct arena *a, const struct group_query *q,
    struct group **out, size_t *n_out, int64_t *total_out,
    struct err *err) MUST_CHECK;

/*
 * Who is where, for a whole page in one statement: fn is called sorted by
 * id and name.
 */
int group_each_of_users(struct db *db, const int64_t *user_ids, size_t n,
    db_pair_fn *fn, void *arg, struct err *err) MUST_CHECK;
int group_each_member(struct db *db, const int64_t *group_ids, size_t n,
    db_pair_fn *fn, void *arg, struct err *err) MUST_CHECK;

#endif
