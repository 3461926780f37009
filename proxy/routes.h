/*
 * The route table of one worker: a trie by path segments in one hash table.
 * Look-up costs the number of segments, adding the 100,000th route what the
 * first one did: the table grows a few slots with each change. Belongs to one
 * thread; nothing in it is locked.
 */
#ifndef CARREL_PROXY_ROUTES_H
#define CARREL_PROXY_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "proxy/route.h"

struct routes;

struct routes *routes_new(bool by_host);
void routes_free(struct routes **t);
/* Takes a reference of its own; an equal key is replaced. */
void routes_set(struct routes *t, struct route *r);
/* Does nothing when there is no such route. */
void routes_remove(struct routes *t, const char *key);
size_t routes_count(const struct routes *t);

struct routes_match {
	struct route *route; /* borrowed: take a reference to keep it */
	/* The raw path behind the prefix: "" or from its '/' (or "%2F") on. */
	struct slice rest;
};

/*
 * The route with the longest prefix of whole segments. raw_path: as sent,
 * beginning with '/', without query. Escapes are decoded once, "%2F" divides
 * segments; nothing is normalised. With by_host the first segment of a key is
 * compared with `host` (a Host field; its port does not count, nor case).
 * 1 found, 0 none, -1 the path cannot be decoded (bad escape, NUL, no UTF-8).
 */
int routes_match(const struct routes *t, struct slice host,
    struct slice raw_path, struct routes_match *out);

#endif
