/*
 * Compiled templates: what tmpl_compile.c makes and tmpl.c renders. Private to
 * these two files and their tests.
 */
#ifndef CARREL_HUB_TMPL_COMPILE_H
#define CARREL_HUB_TMPL_COMPILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "hub/tmpl.h"

/* Sections and parts within each other. */
#define TMPL_DEPTH_MAX 12

enum tmpl_kind {
	TMPL_TEXT,   /* text: as it stands in the file */
	TMPL_VALUE,  /* text: a name */
	TMPL_URL,    /* the same, percent-encoded */
	TMPL_EACH,   /* a section up to `end` */
	TMPL_UNLESS, /* its inverse */
	TMPL_PART,
};

struct tmpl;

struct tmpl_node {
	enum tmpl_kind kind;
	bool starts_link; /* first in a URL attribute */
	struct slice text;
	size_t end;              /* sections: index after the last node */
	const struct tmpl *part; /* TMPL_PART */
};

struct tmpl {
	const struct tmpl_source *src;
	struct tmpl_node *nodes;
	size_t n_nodes, cap;
};

struct tmpl_set {
	struct tmpl *items;
	size_t n;
};

/* prefix "page/" or "part/"; NULL: there is none. */
const struct tmpl *tmpl_lookup(
    const struct tmpl_set *set, const char *prefix, struct slice name);

#endif
