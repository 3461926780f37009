/*
 * Routes and their targets: see route.h.
 */
#include "proxy/route.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/url.h"
#include "proxy/cell.h"

/* A route and its strings are one allocation. */
struct route_memory {
	struct route route;
	atomic_int refs;
	char text[];
};

static struct route_memory *memory_of(struct route *r)
{
	return (struct route_memory *)(void *)r;
}

/* The texts of a target, before they are packed behind the route. */
struct parts {
	const char *origin, *host, *socket_path, *authority, *path, *query;
	uint16_t port;
	bool is_secure;
};

static int parse_target(
    struct arena *a, const char *text, struct parts *p, struct err *err)
{
	const char *scheme;
	struct url u;

	if (strlen(text) > ROUTE_TARGET_MAX)
		return err_set(err, ERR_INVALID,
		    "the target is longer than %d bytes", ROUTE_TARGET_MAX);
	if (url_parse(a, text, &u, err) < 0)
		return err_wrap(err, "target");
	p->path = u.path;
	p->query = u.query != NULL ? u.query : "";
	p->port = u.port;
	if (u.scheme == URL_HTTP_UNIX) {
		p->socket_path = u.socket_path;
		p->origin = arena_printf(a, "unix:%s", u.socket_path);
		p->authority = "localhost";
		return 0;
	}
	p->host = u.host;
	p->is_secure = u.scheme == URL_HTTPS;
	scheme = p->is_secure ? "https://" : "http://";
	p->origin =
	    arena_printf(a, "%s%s:%u", scheme, u.host, (unsigned)u.port);
	p->authority = url_origin(a, &u) + strlen(scheme);
	return 0;
}

/* Copy a text behind the route; NULL stays NULL. */
static const char *pack(char **at, const char *s)
{
	char *begin = *at;
	size_t n;

	if (s == NULL)
		return NULL;
	n = strlen(s) + 1;
	memcpy(begin, s, n);
	*at += n;
	return begin;
}

static size_t size_of(const char *s)
{
	return s == NULL ? 0 : strlen(s) + 1;
}

static struct route *build(
    const char *key, const struct parts *p, struct cell *cell)
{
	size_t room = size_of(key) + size_of(p->origin) + size_of(p->host) +
		      size_of(p->socket_path) + size_of(p->authority) +
		      size_of(p->path) + size_of(p->query);
	struct route_memory *m = xmalloc(sizeof *m + room);
	struct target *t = &m->route.target;
	char *at = m->text;

	atomic_init(&m->refs, 1);
	m->route.key = pack(&at, key);
	m->route.cell = cell;
	t->origin = pack(&at, p->origin);
	t->host = pack(&at, p->host);
	t->port = p->port;
	t->is_secure = p->is_secure;
	t->socket_path = pack(&at, p->socket_path);
	t->authority = pack(&at, p->authority);
	t->whole_path = slice_of(pack(&at, p->path));
	t->path = t->whole_path;
	if (t->path.len > 0 && t->path.p[t->path.len - 1] == '/')
		t->path.len--;
	t->query = slice_of(pack(&at, p->query));
	return &m->route;
}

struct route *route_new(
    const char *key, const char *target, struct cell *cell, struct err *err)
{
	struct parts p = { .origin = NULL };
	struct route *r = NULL;
	struct arena a;

	assert(route_key_is_clean(key));
	arena_init(&a);
	if (parse_target(&a, target, &p, err) == 0)
		r = build(key, &p, cell);
	else
		cell_unref(&cell);
	arena_fini(&a);
	return r;
}

struct route *route_ref(struct route *r)
{
	atomic_fetch_add_explicit(&memory_of(r)->refs, 1, memory_order_relaxed);
	return r;
}

void route_unref(struct route **rp)
{
	struct route *r = *rp;
	int before;

	*rp = NULL;
	if (r == NULL)
		return;
	before = atomic_fetch_sub_explicit(
	    &memory_of(r)->refs, 1, memory_order_acq_rel);
	assert(before > 0);
	if (before > 1)
		return;
	cell_unref(&r->cell);
	free(memory_of(r));
}

bool route_key_is_clean(const char *key)
{
	size_t n = strlen(key);

	if (key[0] != '/' || n > ROUTE_KEY_MAX || !utf8_valid(key, n) ||
	    str_has_control(key, n))
		return false;
	return n == 1 || key[n - 1] != '/';
}

int route_key_clean(struct slice raw, char *out, struct err *err)
{
	const char *text, *slash;
	struct arena a;
	size_t n;
	int rc;

	arena_init(&a);
	if (url_decode(&a, raw, &text, err) < 0) {
		arena_fini(&a);
		return err_wrap(err, "path of the route");
	}
	n = strlen(text);
	if (n > 1 && text[n - 1] == '/')
		n--;
	slash = n > 0 && text[0] == '/' ? "" : "/";
	rc = str_format(out, ROUTE_KEY_MAX + 1, "%s%.*s", slash, (int)n, text);
	arena_fini(&a);
	if (rc < 0)
		return err_set(err, ERR_INVALID,
		    "the path of the route is longer than %d bytes",
		    ROUTE_KEY_MAX);
	if (!route_key_is_clean(out))
		return err_set(err, ERR_INVALID,
		    "the path of the route has a control byte or ends in two "
		    "slashes");
	return 0;
}
