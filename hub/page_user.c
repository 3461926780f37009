/*
 * /user/:name/... arrives at the hub when the proxy has no route for it: the
 * server does not run, or has just begun to (contract/hub.md 4.9, 4.10).
 */
#include <string.h>

#include "base/num.h"
#include "hub/accept.h"
#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/page_spawn.h"
#include "hub/redirect.h"
#include "hub/reply.h"
#include "hub/web.h"

#define REDIRECTS_MAX   64
#define REDIRECT_WAIT_S 10

/* ---- which server ------------------------------------------------- */

/* The first segment below the user's address, decoded; "" if none. */
static const char *first_segment(struct req *r)
{
	const char *tail = r->tail ? r->tail : "";
	const char *out = "";
	struct err err;

	if (url_decode(&r->http->arena, slice_make(tail, strcspn(tail, "/")),
		&out, &err) != 0)
		return "";
	return out;
}

static bool has_segment(const char *path, const char *name)
{
	struct slice rest = slice_of(path), part;

	while (slice_split(&rest, '/', &part))
		if (slice_eq(part, name))
			return true;
	return false;
}

/* A named server if there is one of that name, else the default server. */
static int find_name(
    struct req *r, const struct user *user, const char **out, struct err *err)
{
	const char *segment = first_segment(r);
	struct server_row row;

	*out = "";
	if (!r->app->cfg.allow_named_servers || !*segment)
		return 0;
	int found = server_row_find(
	    r->app->db, &r->http->arena, user->id, segment, &row, err);
	if (found == 1)
		*out = segment;
	return found < 0 ? -1 : 0;
}

static bool may_access(struct req *r, const char *user)
{
	return req_may(r, SCOPE_ACCESS_SERVERS, user, "") ||
	       req_may(r, SCOPE_ACCESS_SERVERS, user, first_segment(r));
}

/* ---- the server runs ---------------------------------------------- */

/* The address that was asked for, as the browser knows it: base path, the raw
 * path, the query with its count of redirects. */
static const char *server_target(struct req *r, const char *user, int64_t n)
{
	struct arena *a = &r->http->arena;
	struct slice rest = slice_of(r->http->query ? r->http->query : "");
	struct slice part;
	const char *query = "";

	while (slice_split(&rest, '&', &part))
		if (part.len > 0 && !slice_starts(part, "redirects="))
			query = arena_printf(
			    a, "%s%.*s&", query, (int)part.len, part.p);
	return arena_printf(a, "%s%s%s?%sredirects=%lld",
	    domain_user_origin(a, &r->app->cfg, user), r->app->web->base,
	    r->http->path + strlen(r->app->web->hub), query, (long long)n);
}

struct delayed {
	struct timer timer;
	const char *location;
};

static void on_delay_over(struct timer *t, void *arg)
{
	struct req *r = arg;
	struct delayed *d = r->state;

	(void)t;
	r->on_gone = NULL;
	reply_redirect(r, 302, d->location);
}

static void on_delay_gone(struct req *r)
{
	struct delayed *d = r->state;

	timer_stop(&d->timer);
}

/* The proxy may need a moment to know the route: each time a longer one. */
static void redirect_later(struct req *r, const char *location, int64_t n)
{
	int64_t wait_s = n < 4 ? (int64_t)1 << n : REDIRECT_WAIT_S;
	struct delayed *d = arena_alloc(&r->http->arena, sizeof *d);

	d->location = location;
	r->state = d;
	r->on_gone = on_delay_gone;
	timer_start(r->app->loop, &d->timer, wait_s * 1000, on_delay_over, r);
}

static void to_server(struct req *r, const char *user)
{
	const char *text = url_pair_get(&r->query, "redirects");
	int64_t n = 0;
	struct err err;

	if (text && num_range(text, 0, REDIRECTS_MAX, &n, &err) != 0) {
		reply_page_error(r, 400, "\"redirects\" is no small number.");
		return;
	}
	if (n >= r->app->cfg.redirect_limit) {
		reply_page_error(r, 500,
		    "Redirect loop detected. The notebook server runs, but the "
		    "proxy does not lead to it. Wait a minute and try again; "
		    "if "
		    "it stays so, stop the server on the home page and start "
		    "it again.");
		return;
	}
	const char *location = server_target(r, user, n + 1);
	if (n > 0)
		redirect_later(r, location, n);
	else
		reply_redirect(r, 302, location);
}

/* ---- it does not -------------------------------------------------- */

static int stopped_status(const struct req *r)
{
	return r->app->cfg.legacy_stopped_status ? 503 : 424;
}

static void reply_json_stopped(
    struct req *r, const char *user, const char *name)
{
	const char *origin = r->app->web->public_origin;
	const char *text = arena_printf(&r->http->arena,
	    "JupyterHub server no longer running at /%s. Restart the server at "
	    "%s%s",
	    r->http->path + strlen(r->app->web->hub),
	    origin ? origin : req_own_origin(r),
	    req_server_url(r, "spawn", user, name));

	reply_json(r, stopped_status(r), json_pack("{s:s}", "message", text));
}

static bool wants_json(struct req *r)
{
	return accept_wants_json(http_header(r->http, "Accept")) ||
	       has_segment(r->http->path, "api");
}

static void not_running(
    struct req *r, const struct user *user, const char *name)
{
	struct server *s = server_by_name(r->app, user->name, name);
	const char *next =
	    redirect_next(&r->http->arena, r->http->target, NULL, NULL);

	if (wants_json(r))
		reply_json_stopped(r, user->name, name);
	else if (s && (server_pending(s) || server_failure(s)))
		reply_redirect(
		    r, 303, page_spawn_pending_url(r, user->name, name, next));
	else
		page_not_running(r, stopped_status(r), user, name, next);
}

void page_user(struct req *r)
{
	const char *name;
	struct user user;
	struct err err = { 0 };

	if (!may_access(r, r->user_param)) {
		reply_no_access(r);
		return;
	}
	if (req_user(r, &user) != 0)
		return;
	if (find_name(r, &user, &name, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	struct server *s = server_by_name(r->app, user.name, name);
	if (s && server_is_ready(s))
		to_server(r, user.name);
	else
		not_running(r, &user, name);
}

/* Scripts and open pages that still talk to a server which has gone. */
void page_user_write(struct req *r)
{
	if (may_access(r, r->user_param))
		reply_json_stopped(r, r->user_param, "");
	else
		reply_error(
		    r, 404, "No access to resources or resources not found");
}

/* ---- one link for everybody --------------------------------------- */

void page_user_redirect(struct req *r)
{
	struct arena *a = &r->http->arena;
	const struct config *cfg = &r->app->cfg;
	const char *name = cfg->allow_named_servers ? cfg->default_name : "";
	const char *target = arena_printf(a, "%s%s%s%s",
	    server_path(r->app, a, r->who.user_name, name), r->tail,
	    r->http->query ? "?" : "", r->http->query ? r->http->query : "");
	const char *next = redirect_next(a, target, NULL, NULL);

	reply_redirect(r, 302, page_spawn_url(r, r->who.user_name, name, next));
}
