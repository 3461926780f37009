/*
 * (id, name) rows for a page of ids in one statement: who is in which group,
 * who has which role. Private to db/.
 */
#ifndef CARREL_DB_PAIRS_H
#define CARREL_DB_PAIRS_H

#include "db/db.h"
#include "db/db_stmt.h"

/* The same statement for one id (?1), for a JSON list of them (?1), and for all
 * from ?1 to ?2; each in the order of ids. */
enum pairs_way { PAIRS_ONE, PAIRS_LIST, PAIRS_RANGE, PAIRS_N_WAYS };

int pairs_each(struct db *db, const struct db_sql sql[PAIRS_N_WAYS],
    const int64_t *ids, size_t n, db_pair_fn *fn, void *arg,
    struct err *err) MUST_CHECK;

#endif
