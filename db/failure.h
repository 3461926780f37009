/*
 * Why starts failed: the last failure of each server, those of the newest
 * FAILURES_MAX servers. It goes with its server.
 */
#ifndef CARREL_DB_FAILURE_H
#define CARREL_DB_FAILURE_H

#include "db/db.h"

#define FAILURES_MAX      256
#define FAILURE_MAX_BYTES 65536

/* told: a JSON object of at most FAILURE_MAX_BYTES, in the place of an earlier
 * one. What is over FAILURES_MAX goes, the oldest first. */
int failure_put(struct db *db, int64_t server_id, int64_t at_us,
    const char *told, struct err *err) MUST_CHECK;
/* 1/0/-1 */
int failure_find(struct db *db, struct arena *a, int64_t server_id,
    const char **told_out, struct err *err) MUST_CHECK;

#endif
