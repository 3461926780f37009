/*
 * Penalties for failed logins, kept over restarts (auth/throttle.h decides what
 * they mean). Keys are digests.
 */
#ifndef CARREL_DB_THROTTLE_H
#define CARREL_DB_THROTTLE_H

#include <stddef.h>

#include "db/db.h"

#define THROTTLE_KEY_LEN 16

struct throttle_row {
	int kind; /* 1..3 */
	unsigned char key[THROTTLE_KEY_LEN];
	int64_t failures; /* 0: forget it */
	int64_t last_us;
};

/* All of them in one transaction. */
int throttle_rows_put(struct db *db, const struct throttle_row *rows, size_t n,
    struct err *err) MUST_CHECK;

typedef void throttle_row_fn(const struct throttle_row *row, void *arg);
/* Those whose last failure is after since_us, the latest first, at most max. */
int throttle_rows_each(struct db *db, int64_t since_us, size_t max,
    throttle_row_fn *fn, void *arg, struct err *err) MUST_CHECK;
/* Forget those whose last failure was before; 1: call again for more. */
int throttle_rows_purge(
    struct db *db, int64_t before_us, struct err *err) MUST_CHECK;

#endif
