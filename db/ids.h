/*
 * A page of row ids as one bound value: WHERE id IN (SELECT value FROM
 * json_each(?1)). Private to db/.
 */
#ifndef CARREL_DB_IDS_H
#define CARREL_DB_IDS_H

#include <stddef.h>
#include <stdint.h>

/* "[1,2,3]", malloc'ed. */
char *ids_json(const int64_t *ids, size_t n);

#endif
