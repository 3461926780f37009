/*
 * Roles of the configuration: names for lists of scopes, held by users, groups
 * and services. hub/rbac.c brings them up to date at each start.
 */
#ifndef CARREL_DB_ROLE_H
#define CARREL_DB_ROLE_H

#include "db/db.h"

struct role {
	int64_t id;
	const char *name, *description;
	const char *scopes; /* a JSON list of raw scopes */
};

/* Made, or brought up to date. */
int role_put(struct db *db, const struct role *r, int64_t *id_out,
    struct err *err) MUST_CHECK;
/* 1/0/-1; strings live in `a`. */
int role_find(struct db *db, struct arena *a, const char *name,
    struct role *out, struct err *err) MUST_CHECK;
/* Every one, by name; fn must not write. */
struct role_use {
	struct role role;
	int64_t n_users, n_groups, n_services; /* who have it */
};
typedef int role_use_fn(const struct role_use *u, void *arg, struct err *err);
int role_each(struct db *db, struct arena *a, role_use_fn *fn, void *arg,
    struct err *err) MUST_CHECK;
/* All but these (a JSON list of names). */
int role_delete_others(
    struct db *db, const char *names, struct err *err) MUST_CHECK;

/* Nobody and no group has it. */
int role_clear_users(struct db *db, int64_t id, struct err *err) MUST_CHECK;
int role_clear_groups(struct db *db, int64_t id, struct err *err) MUST_CHECK;
int role_add_user(
    struct db *db, int64_t id, int64_t user_id, struct err *err) MUST_CHECK;
int role_add_group(
    struct db *db, int64_t id, int64_t group_id, struct err *err) MUST_CHECK;

/* They have none of their own any more; *n_out: how many they had. */
int role_leave_all(
    struct db *db, int64_t user_id, int64_t *n_out, struct err *err) MUST_CHECK;

int role_clear_services(struct db *db, int64_t id, struct err *err) MUST_CHECK;
int role_add_service(
    struct db *db, int64_t id, int64_t service_id, struct err *err) MUST_CHECK;

/*
 * What a person has now: own roles, those of their groups, and the role `user`
 * when it has a row. fn gets name and scopes; it must not write.
 */
typedef int role_fn(
    const char *name, const char *scopes, void *arg, struct err *err);
int role_each_held(struct db *db, int64_t user_id, role_fn *fn, void *arg,
    struct err *err) MUST_CHECK;

/* What a service has. */
int role_each_held_service(struct db *db, int64_t service_id, role_fn *fn,
    void *arg, struct err *err) MUST_CHECK;

/* The names of own roles, for a page in one statement. */
int role_each_of_users(struct db *db, const int64_t *user_ids, size_t n,
    db_pair_fn *fn, void *arg, struct err *err) MUST_CHECK;
int role_each_of_groups(struct db *db, const int64_t *group_ids, size_t n,
    db_pair_fn *fn, void *arg, struct err *err) MUST_CHECK;
int role_each_of_services(struct db *db, const int64_t *service_ids, size_t n,
    db_pair_fn *fn, void *arg, struct err *err) MUST_CHECK;

#endif
