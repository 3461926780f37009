/*
 * What is kept of a person's last login: by which provider it came, when that
 * was asked last, whether it said no since, and the provider's own words about
 * the person (auth_state), sealed.
 */
#ifndef CARREL_DB_LOGIN_STATE_H
#define CARREL_DB_LOGIN_STATE_H

#include "db/db.h"

struct login_state {
	const char *via;    /* the provider's name; "": the form */
	int64_t checked_us; /* when it was asked last */
	bool refused;       /* and it said no: nothing of theirs is let in */
	const char *sealed; /* NULL: none is kept */
};

/* Replaces what was there. */
int login_state_put(struct db *db, int64_t user_id, const struct login_state *s,
    struct err *err) MUST_CHECK;
/* 1/0/-1; strings live in `a`. */
int login_state_find(struct db *db, struct arena *a, int64_t user_id,
    struct login_state *out, struct err *err) MUST_CHECK;
/* Nothing of theirs is let in until they log in again. */
int login_state_refuse(
    struct db *db, int64_t user_id, int64_t now_us, struct err *err) MUST_CHECK;
/* NULL: keep none. A person who never logged in gets a row of the form. */
int login_state_set_sealed(struct db *db, int64_t user_id, const char *sealed,
    struct err *err) MUST_CHECK;

#endif
