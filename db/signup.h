/*
 * Who signed up and waits for an administrator. Names arrive here normalised;
 * the table is bounded by its callers' `max`, because strangers fill it.
 */
#ifndef CARREL_DB_SIGNUP_H
#define CARREL_DB_SIGNUP_H

#include <stdbool.h>

#include "db/db.h"

#define SIGNUP_EMAIL_MAX 254 /* bytes */

struct signup {
	const char *name, *hash;
	const char *email; /* NULL: none was given */
	bool has_account;  /* a Unix account has that name */
	int64_t asked_us;
};

/* ERR_EXISTS: one of that name waits; ERR_LIMIT: `max` wait already. */
int signup_add(struct db *db, const struct signup *s, int64_t max,
    struct err *err) MUST_CHECK;
/* 1/0/-1; strings live in `a`. */
int signup_find(struct db *db, struct arena *a, const char *name,
    struct signup *out, struct err *err) MUST_CHECK;
/* The first `limit` by the time they asked, in `a`, and how many there are. */
int signup_list(struct db *db, struct arena *a, int64_t limit,
    struct signup **out, size_t *n_out, int64_t *total_out,
    struct err *err) MUST_CHECK;
int signup_delete(struct db *db, const char *name, struct err *err) MUST_CHECK;
/* Those who asked before: a bounded number; 1: call again. */
int signup_purge(struct db *db, int64_t before_us, struct err *err) MUST_CHECK;

#endif
