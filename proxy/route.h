/*
 * One route: its key, where it leads, its activity cell. Immutable after it was
 * made and shared by all threads: counted references. Knows no table.
 */
#ifndef CARREL_PROXY_ROUTE_H
#define CARREL_PROXY_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define ROUTE_KEY_MAX    4096
#define ROUTE_TARGET_MAX 4096

struct cell;

/* Where a target is reached; all strings belong to the route. */
struct target {
	const char
	    *origin;      /* "http://host:port", "https://...", "unix:/path" */
	const char *host; /* name or number; NULL for a unix socket */
	uint16_t port;
	bool is_secure;          /* TLS, and its certificate is for host */
	const char *socket_path; /* NULL for TCP */
	const char *authority;   /* as a Host field says it */
	struct slice path;       /* without a slash at its end; may be "" */
	struct slice whole_path; /* as given */
	struct slice query;      /* without '?'; may be "" */
};

struct route {
	const char *key; /* decoded, cleaned: "/", "/user/alice" */
	struct target target;
	struct cell *cell;
};

/*
 * Check a target and make a route (one reference). The cell's reference is
 * taken, on failure too. ERR_INVALID: the text says what is wrong with it.
 */
struct route *route_new(
    const char *key, const char *target, struct cell *cell, struct err *err);
struct route *route_ref(struct route *r);
/* Drops one reference and sets NULL; accepts NULL inside. */
void route_unref(struct route **r);

/*
 * The key that the path of an API call names (contract/proxy.md 4): decoded
 * once, one '/' in front, one removed at the end. out has room for
 * ROUTE_KEY_MAX + 1.
 */
int route_key_clean(struct slice raw, char *out, struct err *err) MUST_CHECK;
/* May this stand as a key? (journal lines, --default-target) */
bool route_key_is_clean(const char *key);

#endif
