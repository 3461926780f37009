/*
 * Hash map from string to pointer: open addressing, keyed hash (a peer cannot
 * choose collisions), grows and shrinks. The map copies keys; values belong to
 * the caller.
 */
#ifndef CARREL_BASE_MAP_H
#define CARREL_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct map;

struct map *map_new(void);
void map_free(struct map **m);
size_t map_count(const struct map *m);
/* The value put under key before, or NULL. */
void *map_put(struct map *m, struct slice key, void *value);
void *map_get(const struct map *m, struct slice key);
void *map_del(struct map *m, struct slice key);
/*
 * Walk in the order of adding: start with *pos = 0; false at the end. Deleting
 * any item is allowed, adding is not.
 */
bool map_next(
    const struct map *m, size_t *pos, const char **key_out, void **value_out);

#endif
