/*
 * People. Names arrive here normalised (auth/rules.h).
 */
#ifndef CARREL_DB_USER_H
#define CARREL_DB_USER_H

#include "db/db.h"

struct user {
	int64_t id;
	const char *name;
	bool admin;
	int64_t created_us;
	int64_t last_activity_us; /* 0: never */
};

/* Strings of *out live in `a`. */
int user_find(struct db *db, struct arena *a, const char *name,
    struct user *out, struct err *err) MUST_CHECK; /* 1/0/-1 */
int user_get(struct db *db, struct arena *a, int64_t id, struct user *out,
    struct err *err) MUST_CHECK; /* 1/0/-1 */
/* ERR_EXISTS. */
int user_create(struct db *db, const char *name, bool admin, int64_t now_us,
    int64_t *id_out, struct err *err) MUST_CHECK;
/* Who is there stays, and becomes an administrator where `admin` says so. */
int user_create_missing(struct db *db, const char *name, bool admin,
    int64_t now_us, struct err *err) MUST_CHECK;
int user_set_admin(
    struct db *db, int64_t id, bool admin, struct err *err) MUST_CHECK;
/* The names of all administrators. */
int user_admins(struct db *db, struct arena *a, const char *const **out,
    size_t *n_out, struct err *err) MUST_CHECK;
/* A new name is a new notebook account: all logins and tokens end. ERR_EXISTS.
 */
int user_rename(
    struct db *db, int64_t id, const char *name, struct err *err) MUST_CHECK;
/* Never moves backwards. */
int user_touch(
    struct db *db, int64_t id, int64_t activity_us, struct err *err) MUST_CHECK;
/* The Unix groups (or the provider's) that the last login brought; the hub's
 * own are in db/group.h. */
int user_set_groups(struct db *db, int64_t id, const char *const *groups,
    size_t n, struct err *err) MUST_CHECK;
int user_groups(struct db *db, struct arena *a, int64_t id,
    const char *const **out, size_t *n_out, struct err *err) MUST_CHECK;
int user_count(struct db *db, int64_t *out, struct err *err) MUST_CHECK;
/* With everything that hangs on it. */
int user_delete(struct db *db, int64_t id, struct err *err) MUST_CHECK;

#endif
