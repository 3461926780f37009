/*
 * See outside.h. Only what begins with the base path can come from our own
 * proxy; the rest is sent below the prefix as it is.
 */
#include "hub/outside.h"

#include <string.h>

#include "base/str.h"
#include "hub/accept.h"
#include "hub/assets.h"
#include "hub/handlers.h"
#include "hub/openid.h"
#include "hub/reply.h"
#include "hub/route.h"
#include "hub/web.h"

/* The target below the base path, without a slash in front. */
static const char *below_base(const struct req *r)
{
	const char *base = r->app->web->base;
	const char *target = r->http->target;

	if (str_starts(target, base))
		return target + strlen(base);
	while (*target == '/')
		target++;
	return target;
}

static bool path_is(const struct req *r, const char *prefix, const char *rest)
{
	size_t len = strlen(prefix);

	return !strncmp(r->http->path, prefix, len) &&
	       !strcmp(r->http->path + len, rest);
}

/* "/hub" for "/hub/". */
static bool is_hub_without_slash(const struct req *r)
{
	const char *hub = r->app->web->hub;
	size_t len = strlen(hub) - 1;

	return strlen(r->http->path) == len &&
	       !strncmp(r->http->path, hub, len);
}

/* "user/x" or "services/x", with nothing behind it. */
static bool wants_slash(const struct req *r)
{
	const char *path = r->http->path;
	const char *base = r->app->web->base;

	if (!str_starts(path, base))
		return false;
	path += strlen(base);
	if (str_starts(path, "user/"))
		path += strlen("user/");
	else if (str_starts(path, "services/"))
		path += strlen("services/");
	else
		return false;
	return *path && !strchr(path, '/');
}

static void add_slash(struct req *r)
{
	reply_redirect(r, 301,
	    arena_printf(&r->http->arena, "%s/%s%s", r->http->path,
		r->http->query ? "?" : "",
		r->http->query ? r->http->query : ""));
}

static bool wants_json(const struct req *r)
{
	return strcmp(r->http->method, "GET") != 0 ||
	       accept_wants_json(http_header(r->http, "Accept")) ||
	       strstr(r->http->path, "/api/");
}

/* What a notebook's page understands when its server has gone. Nobody is known
 * on this host, so everybody hears the same. */
static void say_stopped(struct req *r)
{
	reply_json(r, r->app->cfg.legacy_stopped_status ? 503 : 424,
	    json_pack("{s:s}", "message",
		arena_printf(&r->http->arena,
		    "JupyterHub server no longer running at this address. "
		    "Start it again at %s%shome",
		    r->app->web->public_origin, r->app->web->hub)));
}

bool outside_is_not_ours(struct req *r)
{
	const struct config *cfg = &r->app->cfg;
	const char *origin = r->app->web->public_origin;

	if ((!r->from_proxy && cfg->proxy_unix_targets) ||
	    !domain_is_below(cfg, http_header(r->http, "Host")))
		return false;
	r->gate = GATE_PUBLIC;
	if (r->is_outside && wants_json(r))
		say_stopped(r);
	else if (r->is_api || wants_json(r))
		reply_error(r, 403,
		    "The hub is not at this address, but at %s%s.", origin,
		    r->app->web->hub);
	else
		reply_redirect(r, 302,
		    arena_printf(
			&r->http->arena, "%s%s", origin, r->http->target));
	return true;
}

void outside_get(struct req *r)
{
	const char *base = r->app->web->base;

	r->gate = GATE_PUBLIC;
	if (path_is(r, base, "favicon.ico") || path_is(r, "/", "favicon.ico"))
		reply_file(r,
		    assets_find(r->app->web->assets, "static/favicon.ico"),
		    false);
	else if (path_is(r, base, "robots.txt") ||
		 path_is(r, "/", "robots.txt"))
		reply_file(r,
		    assets_find(r->app->web->assets, "static/robots.txt"),
		    false);
	else if (openid_is_discovery(r))
		openid_discovery(r);
	else if (is_hub_without_slash(r) || wants_slash(r))
		add_slash(r);
	else
		reply_redirect(r, 302,
		    arena_printf(&r->http->arena, "%s%s", r->app->web->hub,
			below_base(r)));
}
