/*
 * Numbers about the whole database, for metrics.
 */
#ifndef CARREL_DB_STATS_H
#define CARREL_DB_STATS_H

#include <stdint.h>

#include "base/err.h"

struct db;

/* All users. Pages of an index are counted, not rows: cheap at any size. */
int stats_count_users(struct db *db, int64_t *out, struct err *err) MUST_CHECK;

/* Users whose last activity is not older than each of these. Reads the whole
 * table once: not for every request. */
#define STATS_PERIODS 3
int stats_count_active(struct db *db, const int64_t since_us[STATS_PERIODS],
    int64_t out[STATS_PERIODS], struct err *err) MUST_CHECK;

#endif
