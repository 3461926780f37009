/*
 * Passwords of the hub's own: one hash a person. Hashes are made elsewhere
 * (auth/passwords.h).
 */
#ifndef CARREL_DB_PASSWORD_H
#define CARREL_DB_PASSWORD_H

#include "db/db.h"

#define PASSWORD_HASH_MAX 127 /* bytes */

/* 1/0/-1; *hash_out lives in `a`. */
int password_find(struct db *db, struct arena *a, int64_t user_id,
    const char **hash_out, struct err *err) MUST_CHECK;
/* The first one. ERR_EXISTS: they have one. */
int password_add(struct db *db, int64_t user_id, const char *hash,
    int64_t now_us, struct err *err) MUST_CHECK;
/* Another one, or the first. Everywhere they are logged out, in one
 * transaction. */
int password_change(struct db *db, int64_t user_id, const char *hash,
    int64_t now_us, struct err *err) MUST_CHECK;
/* They have none from here on; logged out as above. */
int password_forget(struct db *db, int64_t user_id, struct err *err) MUST_CHECK;

#endif
