/*
 * The matcher. The table is short and each pattern fails at its first
 * differing segment, so a walk costs less than a request's head did.
 */
#include "hub/match.h"

#include <assert.h>
#include <string.h>

#include "hub/handlers.h"

#define NO_SCOPES                                                              \
	{                                                                      \
		SCOPE_NO_SCOPE                                                 \
	}
#define ANY_OF(...)                                                            \
	{                                                                      \
		__VA_ARGS__                                                    \
	}

static const struct route table[] = {
#define ROUTE(m, p, g, s, t, b, h, d)                                          \
	{                                                                      \
		.method = m,                                                   \
		.pattern = p,                                                  \
		.gate = GATE_##g,                                              \
		.scopes = s,                                                   \
		.target = TARGET_##t,                                          \
		.max_body = b,                                                 \
		.handler = h,                                                  \
		.doc = d,                                                      \
	},
#include "hub/routes.def"
#undef ROUTE
};

const struct route *match_table(size_t *n_out)
{
	*n_out = sizeof table / sizeof table[0];
	return table;
}

/* The segment at *at, without slashes; moves behind it. */
static struct slice segment(const char **at)
{
	size_t len = (size_t)(strchrnul(*at, '/') - *at);
	struct slice s = slice_make(*at, len);

	*at += len;
	return s;
}

struct captures {
	struct slice names[ROUTE_PARAMS_MAX], values[ROUTE_PARAMS_MAX];
	size_t n;
	const char *tail;
};

static bool match_segment(
    struct slice want, struct slice have, struct captures *c)
{
	if (want.len == 0 || want.p[0] != ':')
		return slice_same(want, have);
	bool may_be_empty = want.p[want.len - 1] == '?';
	if (have.len == 0 && !may_be_empty)
		return false;
	assert(c->n < ROUTE_PARAMS_MAX);
	c->names[c->n] = slice_make(want.p + 1, want.len - 1 - may_be_empty);
	c->values[c->n++] = have;
	return true;
}

/* Nearly all patterns fail here, before their first parameter. */
static bool may_match(const char *pattern, const char *path)
{
	while (*pattern == *path && *pattern != '\0') {
		pattern++;
		path++;
	}
	return *pattern == *path || *pattern == ':' || *pattern == '*';
}

static bool match_pattern(
    const char *pattern, const char *path, struct captures *c)
{
	*c = (struct captures){ 0 };
	if (!may_match(pattern, path))
		return false;
	while (*pattern == '/' && *path == '/') {
		pattern++;
		path++;
		if (!strcmp(pattern, "*")) {
			c->tail = path;
			return true;
		}
		struct slice want = segment(&pattern), have = segment(&path);
		if (!match_segment(want, have, c))
			return false;
	}
	return *pattern == '\0' && *path == '\0';
}

static int decode(struct arena *a, const struct captures *c, struct match *out,
    struct err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		if (url_decode(a, c->values[i], &out->params[i], err) != 0)
			return err_wrap(err, "path");
		if (slice_eq(c->names[i], "user"))
			out->user = out->params[i];
		else if (slice_eq(c->names[i], "server"))
			out->server = out->params[i];
		else if (slice_eq(c->names[i], "group"))
			out->group = out->params[i];
		else if (slice_eq(c->names[i], "service"))
			out->service = out->params[i];
	}
	out->tail = c->tail;
	return 0;
}

int match_path(struct arena *a, const char *method, const char *path,
    struct match *out, struct err *err)
{
	size_t n;
	const struct route *routes = match_table(&n);
	struct captures c, found = { 0 };

	*out = (struct match){ 0 };
	for (size_t i = 0; i < n && !out->route; i++) {
		if (!match_pattern(routes[i].pattern, path, &c))
			continue;
		if (!out->any) {
			out->any = &routes[i];
			found = c;
		}
		if (!strcmp(routes[i].method, method)) {
			out->route = out->any = &routes[i];
			found = c;
		}
	}
	return out->any ? decode(a, &found, out, err) : 0;
}
