/*
 * Starting a server from the browser, and the pages around it: progress, what
 * went wrong, not running (contract/hub.md 4.10).
 */
#include <string.h>

#include "hub/audit.h"
#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/page_spawn.h"
#include "hub/redirect.h"
#include "hub/server_profile.h"
#include "hub/web.h"

#define OPTIONS_MAX 64

/* ---- where to ----------------------------------------------------- */

/* The next page when the server is ready. */
static const char *ready_url(struct req *r, const char *user, const char *name)
{
	const char *next = redirect_req_next(r);

	return next ? next : server_path(r->app, &r->http->arena, user, name);
}

static const char *with_next(struct req *r, const char *url, const char *next)
{
	struct arena *a = &r->http->arena;

	return next ? arena_printf(
			  a, "%s?next=%s", url, url_quote(a, next, false))
		    : url;
}

const char *page_spawn_pending_url(
    struct req *r, const char *user, const char *name, const char *next)
{
	return with_next(
	    r, req_server_url(r, "spawn-pending", user, name), next);
}

const char *page_spawn_url(
    struct req *r, const char *user, const char *name, const char *next)
{
	return with_next(r, req_server_url(r, "spawn", user, name), next);
}

/* ---- options ------------------------------------------------------ */

static bool is_reserved(const char *name)
{
	return !strcmp(name, "next") || !strcmp(name, "_xsrf") ||
	       !strcmp(name, "display_name");
}

static bool has_prefixed(const struct url_pairs *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_starts(p->items[i].name, "opt-"))
			return true;
	return false;
}

/* Lists of strings, since a name may come again. */
static int read_options(
    const struct url_pairs *p, json_t *options, struct err *err)
{
	bool prefixed = has_prefixed(p);

	for (size_t i = 0; i < p->n; i++) {
		const char *name = p->items[i].name;
		if (is_reserved(name) ||
		    (prefixed && !str_starts(name, "opt-")))
			continue;
		if (prefixed)
			name += strlen("opt-");
		if (!*name || json_object_size(options) >= OPTIONS_MAX)
			return err_set(err, ERR_INVALID,
			    "A server's options need names, at most %d.",
			    OPTIONS_MAX);
		json_t *list = json_object_get(options, name);
		if (!list) {
			list = json_array();
			json_object_set_new(options, name, list);
		}
		json_array_append_new(list, json_string(p->items[i].value));
	}
	return 0;
}

/* ---- the choice --------------------------------------------------- */

static bool has_options(struct req *r)
{
	for (size_t i = 0; i < r->query.n; i++)
		if (!is_reserved(r->query.items[i].name))
			return true;
	return false;
}

/* Somebody follows a link, and there is something to choose. */
static bool wants_form(struct req *r)
{
	return r->app->cfg.profiles.n > 1 && !strcmp(r->http->method, "GET") &&
	       !has_options(r);
}

/* That of the last time; else the default. */
static const char *profile_now(
    struct req *r, const struct user *user, const char *name)
{
	const char *out = r->app->cfg.default_profile, *last;
	json_t *options = NULL;
	struct server_row row;
	struct err err;

	if (server_row_find(
		r->app->db, &r->http->arena, user->id, name, &row, &err) != 1 ||
	    !row.options ||
	    json_parse(row.options, strlen(row.options), &options, &err) != 0)
		return out;
	last = server_profile_chosen(options);
	if (last)
		out = arena_strdup(&r->http->arena, last);
	json_decref(options);
	return out;
}

/* problem: why the last choice was refused; NULL. */
static void show_form(struct req *r, int status, const struct user *user,
    const char *name, const char *problem)
{
	const struct conf_strings *offered = &r->app->cfg.profiles;
	const char *now = profile_now(r, user, name);
	json_t *list = json_array();

	for (size_t i = 0; i < offered->n; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:b}", "profile", offered->items[i],
			      "selected", str_eq(offered->items[i], now)));
	json_t *data = json_pack("{s:s, s:s, s:s, s:o}", "title",
	    "Start a server", "owner", user->name, "start_url",
	    page_spawn_url(r, user->name, name, redirect_req_next(r)),
	    "profiles", list);
	if (user->id == r->who.user_id)
		json_object_set_new(data, "own", json_true());
	if (*name)
		json_object_set_new(data, "server", json_string(name));
	if (problem)
		json_object_set_new(data, "problem", json_string(problem));
	reply_page(r, status, "spawn", data);
}

/* ---- starting ----------------------------------------------------- */

/* A choice that cannot be had: the form again, which says why. */
static void refuse_start(struct req *r, const struct user *user,
    const char *name, const struct err *err)
{
	if (err->code == ERR_INVALID && r->app->cfg.profiles.n > 1)
		show_form(r, 400, user, name, err->text);
	else
		reply_err(r, err);
}

static int start(struct req *r, const struct user *user, const char *name)
{
	struct server_start_args args = { .user = user, .name = name };
	json_t *options = json_object();
	struct server *s;
	struct err err = { 0 };
	int rc = -1;

	if (read_options(&r->query, options, &err) != 0 ||
	    read_options(&r->form, options, &err) != 0) {
		reply_page_error(r, 422, "%s", err.text);
		goto out;
	}
	if (json_object_size(options) > 0)
		args.options = options;
	if (server_start(r->app, &args, &s, &err) != 0) {
		refuse_start(r, user, name, &err);
		goto out;
	}
	audit_server(r, AUDIT_SERVER_START, user->name, name);
	rc = 0;
out:
	json_decref(options);
	return rc;
}

/* Named servers come with a later version of the tables. */
static bool refuse_name(struct req *r, const char *name)
{
	if (!name[0] || r->app->cfg.allow_named_servers)
		return false;
	reply_page_error(r, 400, "Named servers are not enabled.");
	return true;
}

void page_spawn(struct req *r)
{
	const char *name = req_server_name(r);
	struct user user;

	if (refuse_name(r, name) || req_user(r, &user) != 0)
		return;
	struct server *s = server_by_name(r->app, user.name, name);
	if (s && server_is_ready(s)) {
		reply_redirect(r, 302, ready_url(r, user.name, name));
		return;
	}
	if ((!s || !server_pending(s)) && wants_form(r)) {
		show_form(r, 200, &user, name, NULL);
		return;
	}
	if ((!s || !server_pending(s)) && start(r, &user, name) != 0)
		return;
	reply_redirect(r, 302,
	    page_spawn_pending_url(r, user.name, name, redirect_req_next(r)));
}

/* ---- progress ----------------------------------------------------- */

static void add_step(struct server_watch *w, struct server *s,
    const struct server_progress *p, void *arg)
{
	(void)w;
	(void)s;
	json_array_append_new(arg,
	    json_pack("{s:s, s:i}", "text", p->message, "percent", p->percent));
}

/* What is known already; the page's script shows what comes. */
static json_t *steps_so_far(struct server *s)
{
	json_t *steps = json_array();
	struct server_watch w = { .fn = add_step, .arg = steps };

	server_watch_start(s, &w);
	server_watch_stop(&w);
	return steps;
}

static int last_percent(const json_t *steps)
{
	const json_t *last = json_array_get(steps, json_array_size(steps) - 1);

	return (int)json_integer_value(json_object_get(last, "percent"));
}

static void show_progress(
    struct req *r, struct server *s, const struct user *user)
{
	struct arena *a = &r->http->arena;
	const char *name = server_name(s);
	json_t *steps = steps_so_far(s);
	const char *progress =
	    name[0] ? arena_printf(a, "servers/%s", url_escape_segment(a, name))
		    : "server";
	json_t *data = json_pack("{s:s, s:b, s:s, s:s, s:s, s:s, s:o, s:i}",
	    "title", "Starting", "refresh", 1, "progress_url",
	    arena_printf(a, "%sapi/users/%s/%s/progress", r->app->web->hub,
		url_escape_segment(a, user->name), progress),
	    "ready_url", ready_url(r, user->name, name), "stop_url",
	    req_server_url(r, "stop", user->name, name), "owner", user->name,
	    "steps", steps, "percent", last_percent(steps));

	if (user->id == r->who.user_id)
		json_object_set_new(data, "own", json_true());
	if (str_eq(server_pending(s), "check"))
		json_object_set_new(data, "checking", json_true());
	reply_page(r, 200, "progress", data);
}

static void show_stopping(struct req *r)
{
	reply_page(r, 200, "stopping",
	    json_pack("{s:s, s:b}", "title", "Stopping", "refresh", 1));
}

static void show_failed(
    struct req *r, struct server *s, const struct user *user)
{
	const char *tail = server_failure_tail(s);
	json_t *data = json_pack("{s:s, s:s, s:s}", "title", "The start failed",
	    "failure", server_failure(s), "start_url",
	    page_spawn_url(
		r, user->name, server_name(s), redirect_req_next(r)));

	if (tail && *tail)
		json_object_set_new(data, "tail", json_string(tail));
	reply_page(r, 500, "failed", data);
}

void page_not_running(struct req *r, int status, const struct user *user,
    const char *name, const char *next)
{
	int64_t wait_s = r->app->cfg.implicit_spawn_s;
	json_t *data =
	    json_pack("{s:s, s:s, s:s}", "title", "Not running", "start_url",
		page_spawn_url(r, user->name, name, next), "owner", user->name);

	if (user->id == r->who.user_id)
		json_object_set_new(data, "own", json_true());
	if (req_may(r, SCOPE_SERVERS, user->name, name))
		json_object_set_new(data, "may_start", json_true());
	if (wait_s > 0)
		json_object_set_new(data, "implicit",
		    json_pack("{s:I}", "seconds", (json_int_t)wait_s));
	reply_page(r, status, "not_running", data);
}

void page_spawn_pending(struct req *r)
{
	const char *name = req_server_name(r);
	struct user user;

	if (refuse_name(r, name) || req_user(r, &user) != 0)
		return;
	struct server *s = server_by_name(r->app, user.name, name);
	if (s && server_is_ready(s))
		reply_redirect(r, 302, ready_url(r, user.name, name));
	else if (s && str_eq(server_pending(s), "stop"))
		show_stopping(r);
	else if (s && server_pending(s))
		show_progress(r, s, &user);
	else if (s && server_failure(s))
		show_failed(r, s, &user);
	else
		page_not_running(r, 200, &user, name, redirect_req_next(r));
}
