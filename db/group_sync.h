/*
 * Groups of the hub that follow what a login tells (auth.manage_groups).
 */
#ifndef CARREL_DB_GROUP_SYNC_H
#define CARREL_DB_GROUP_SYNC_H

#include "db/db.h"

/* The user is in exactly these groups; missing ones are made. Within the
 * caller's transaction. */
int group_sync(struct db *db, int64_t user_id, const char *const *names,
    size_t n, struct err *err) MUST_CHECK;

#endif
