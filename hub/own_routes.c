/*
 * See own_routes.h.
 */
#include "hub/own_routes.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/url.h"
#include "hub/app.h"
#include "hub/routing.h"

/* What needs no escape, and single slashes at both ends. */
static bool is_plain_path(const char *s)
{
	static const char letters[] =
	    "/ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-_.~@";
	size_t len = strlen(s);

	return s[0] == '/' && s[len - 1] == '/' && !strstr(s, "//") &&
	       strspn(s, letters) == len;
}

static bool is_plain_host(const char *s, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";

	return len > 0 && strspn(s, letters) == len;
}

/* Paths of the table have no slash at the end. */
static const char *without_slash(struct arena *a, const char *path)
{
	size_t len = strlen(path);

	return len > 1 ? arena_strndup(a, path, len - 1) : path;
}

/* ---- the hub's ----------------------------------------------------------- */

/* A path would be a host's; all that nobody else has is ours. */
static const char *own_path(const struct config *cfg)
{
	if (*cfg->routespec)
		return cfg->routespec;
	return domain_is_used(cfg) ? "/" : cfg->base_url;
}

int own_route_check(const struct config *cfg, struct err *err)
{
	const char *own = cfg->routespec, *rest;

	if (!*own || str_eq(own, "/"))
		return 0;
	rest =
	    str_starts(own, cfg->base_url) ? own + strlen(cfg->base_url) : NULL;
	if (!domain_is_used(cfg) && rest && (!*rest || str_eq(rest, "hub/")))
		return 0;
	return err_set(err, ERR_INVALID,
	    "\"hub.routespec\" must be %s: what the hub answers stands below "
	    "%shub/",
	    domain_is_used(cfg)
		? "/ when people have hosts of their own"
		: "a slash, hub.base_url, or hub.base_url with hub/ behind it",
	    cfg->base_url);
}

static const char *own_target(struct app *app, struct arena *a)
{
	const char *host = app->cfg.hub_host;

	if (app->cfg.proxy_unix_targets)
		return arena_printf(a, "http+unix://%s",
		    url_quote(a, app->places.hub_socket, false));
	if (*app->cfg.connect_url)
		return app->cfg.connect_url;
	return arena_printf(a, "%s://%s:%d",
	    app->cfg.internal_tls ? "https" : "http",
	    str_eq(host, "0.0.0.0") ? "127.0.0.1" : host,
	    (int)app->cfg.hub_port);
}

/* ---- the configuration's ------------------------------------------------- */

/* "/docs/", or "docs.example.org/" when the proxy looks at hosts; the path of
 * the latter, or NULL. */
static const char *extra_path(const struct config *cfg, const char *spec)
{
	if (!domain_is_used(cfg))
		return spec;
	return *spec != '/' ? strchr(spec, '/') : NULL;
}

static int check_path(
    const struct config *cfg, const char *spec, struct err *err)
{
	const char *path = extra_path(cfg, spec), *rest;

	if (!path || !is_plain_path(path) ||
	    (path != spec && !is_plain_host(spec, (size_t)(path - spec))))
		return err_set(err, ERR_INVALID,
		    "\"%.64s\" of proxy.extra_routes must be %s, with a slash "
		    "at the end",
		    spec,
		    domain_is_used(cfg) ? "a host and a path"
					: "a path that begins with a slash");
	rest =
	    str_starts(path, cfg->base_url) ? path + strlen(cfg->base_url) : "";
	if (str_starts(rest, "user/") || str_starts(rest, "services/") ||
	    (path == spec && str_eq(path, own_path(cfg))))
		return err_set(err, ERR_INVALID,
		    "\"%.64s\" of proxy.extra_routes belongs to the hub, to "
		    "somebody's server or to a service",
		    spec);
	return 0;
}

int extra_route_check(
    const struct config *cfg, const struct conf_pair *route, struct err *err)
{
	struct arena a;
	struct url u;
	int rc;

	if (check_path(cfg, route->name, err) != 0)
		return -1;
	arena_init(&a);
	rc = url_parse(&a, route->value, &u, err);
	arena_fini(&a);
	return rc == 0 ? 0
		       : err_wrap(err, "\"%.64s\" of proxy.extra_routes",
			     route->name);
}

static void want_extra(
    struct app *app, struct arena *a, const struct conf_pair *route)
{
	const char *spec = route->name;
	json_t *data = json_pack("{s:b}", "extra", 1);

	if (*spec != '/')
		spec = arena_printf(a, "/%s", spec);
	routing_want(app, without_slash(a, spec), route->value, data, 0, NULL);
	json_decref(data);
}

/* ---- all ----------------------------------------------------------------- */

void own_routes_want(struct app *app)
{
	const struct conf_pairs *extra = &app->cfg.proxy_extra_routes;
	json_t *data = json_pack("{s:b}", "hub", 1);
	struct arena a;

	arena_init(&a);
	routing_want(app, without_slash(&a, own_path(&app->cfg)),
	    own_target(app, &a), data, 0, NULL);
	for (size_t i = 0; i < extra->n; i++)
		want_extra(app, &a, &extra->items[i]);
	json_decref(data);
	arena_fini(&a);
}
