/*
 * URLs, request targets, percent coding, query strings and cookies: the one
 * place that knows their grammar (RFC 3986, RFC 6265 section 4.2, WHATWG
 * urlencoded). Everything returned from an arena lives as long as the arena.
 */
#ifndef CARREL_BASE_URL_H
#define CARREL_BASE_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum url_scheme { URL_HTTP, URL_HTTPS, URL_HTTP_UNIX };

/*
 * An absolute URL of a server: http://host:port/path?query, https://...,
 * http+unix://%2Fpath%2Fto.sock/path (also spelled unix+http://).
 */
struct url {
	enum url_scheme scheme;
	const char *host;        /* no brackets around IPv6; "" for unix */
	uint16_t port;           /* filled in from the scheme if absent */
	bool has_port;           /* was written */
	const char *socket_path; /* decoded; NULL unless unix */
	const char *path;        /* raw, begins with '/'; "/" if absent */
	const char *query;       /* raw, without '?'; NULL if absent */
};

int url_parse(struct arena *a, const char *text, struct url *out,
    struct err *err) MUST_CHECK;
/* scheme://host[:port], the default port left out. */
const char *url_origin(struct arena *a, const struct url *u);

/*
 * Percent-decode once; '+' is literal. -1: an escape is broken, or the result
 * has a NUL or is no UTF-8.
 */
int url_decode(struct arena *a, struct slice s, const char **out,
    struct err *err) MUST_CHECK;
/*
 * Escape a name as one path segment: all but A-Za-z0-9_.-~ and '@'
 * (contract/hub.md 0.4 url_escape_path).
 */
const char *url_escape_segment(struct arena *a, const char *s);
/* As Python's quote(safe=''): '@' is escaped, '/' too. For OAuth client ids
 * keep_slash leaves '/' (contract/hub.md 3.1). */
const char *url_quote(struct arena *a, const char *s, bool keep_slash);
/* A whole path, segment by segment: '/' stays. */
const char *url_escape_path(struct arena *a, const char *s);
/* Join with single slashes (contract/hub.md 0.4 url_path_join); NULL ends. */
const char *url_join(struct arena *a, const char *first, ...);

/* One name=value pair of a query or form body, decoded ('+' is a space). */
struct url_pair {
	const char *name, *value;
};
struct url_pairs {
	struct url_pair *items;
	size_t n;
};
/* At most max_pairs; ERR_LIMIT beyond; ERR_INVALID for broken coding. */
int url_parse_pairs(struct arena *a, struct slice s, size_t max_pairs,
    struct url_pairs *out, struct err *err) MUST_CHECK;
/* The first value, or NULL. */
const char *url_pair_get(const struct url_pairs *p, const char *name);
size_t url_pair_count(const struct url_pairs *p, const char *name);
/* Append "name=value" urlencoded, with '&' in front unless b is empty. */
void url_pair_append(struct buf *b, const char *name, const char *value);

/*
 * The value of the cookie `name` in a Cookie header: exact name match, quotes
 * kept as sent. Call again with *pos to find further cookies of that name
 * (*pos = 0 at first). false: none (left).
 */
bool cookie_find(struct slice header, const char *name, size_t *pos,
    struct slice *value_out);

#endif
