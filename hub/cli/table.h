/*
 * Tables for people: columns as wide as what stands in them, cut where the
 * terminal is narrower, nothing in them that a terminal would obey.
 */
#ifndef CARREL_HUB_CLI_TABLE_H
#define CARREL_HUB_CLI_TABLE_H

#include <stdio.h>

#include "base/arena.h"

#define TABLE_COLUMNS_MAX 8

struct table {
	struct arena *arena;
	const char *const *titles;
	size_t n_columns, n_cells, cap;
	const char **cells; /* row by row */
};

/* titles: ended by NULL; borrowed. Cells live in `a`. */
void table_init(struct table *t, struct arena *a, const char *const *titles);
/* The next cell; NULL is "-". The text is copied. */
void table_add(struct table *t, const char *text);
/* width: of the terminal, in columns; 0: as wide as it gets. */
void table_print(const struct table *t, size_t width, FILE *f);
/* That of the terminal behind f; 0 when it is none. */
size_t table_terminal_width(FILE *f);

#endif
