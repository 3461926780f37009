/*
 * Which route is meant by a method and a raw path: anchored patterns, captures
 * matched escaped and then decoded (contract/hub.md 0.3). Pure.
 */
#ifndef CARREL_HUB_MATCH_H
#define CARREL_HUB_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "hub/route.h"

/* The table of routes.def. */
const struct route *match_table(size_t *n_out);

struct match {
	const struct route *route; /* NULL: none with this method */
	const struct route *any;   /* one with this path, any method */
	const char *params[ROUTE_PARAMS_MAX];
	/* captures of that name, or NULL */
	const char *user, *server, *group, *service;
	const char *tail; /* raw; NULL: the pattern has no '*' */
};

/*
 * path: raw, below the hub's prefix, with a leading slash. -1 (ERR_INVALID): a
 * capture is broken percent-coding, no UTF-8, or has a NUL.
 */
int match_path(struct arena *a, const char *method, const char *path,
    struct match *out, struct err *err) MUST_CHECK;

#endif
