/*
 * Whose account at a provider of logins a name here is.
 */
#ifndef CARREL_DB_IDENTITY_H
#define CARREL_DB_IDENTITY_H

#include "db/db.h"

/*
 * 1: `subject` is the user's account at `source`, or none was known and now it
 * is; 0: another account is; -1.
 */
int identity_claim(struct db *db, int64_t user_id, const char *source,
    const char *subject, int64_t now_us, struct err *err) MUST_CHECK;

#endif
