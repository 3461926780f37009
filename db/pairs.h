/*
 * (id, name) rows for a page of ids in one statement: who is in which group,
 * who has which role. Private to db/.
 */
#ifndef CARREL_DB_PAIRS_H
#define CARREL_DB_PAIRS_H

#include "db/db.h"
#include "db/db_stmt.h"

/* sql[0] for one id (?1), sql[1] for a JSON list of them (?1). */
int pairs_each(struct db *db, const struct db_sql sql[2], const int64_t *ids,
    size_t n, db_pair_fn *fn, void *arg, struct err *err) MUST_CHECK;

#endif
