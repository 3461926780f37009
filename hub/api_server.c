/*
 * Starting, stopping and looking at servers over REST (contract/hub.md 1.8). A
 * request waits for the end of what it asked for, but not longer than the
 * configuration says.
 */
#include <string.h>

#include "hub/audit.h"
#include "hub/handlers.h"
#include "hub/model.h"

/* ---- which -------------------------------------------------------- */

static bool refuse_named(struct req *r)
{
	if (!*req_server_name(r) || r->app->cfg.allow_named_servers)
		return false;
	reply_error(r, 400, "Named servers are not enabled.");
	return true;
}

static const char *log_name(struct req *r, const struct user *user)
{
	return req_server_log_name(r, user->name, req_server_name(r));
}

void api_server_get(struct req *r)
{
	const char *name = req_server_name(r);
	struct server_row row;
	struct user user;
	struct err err = { 0 };

	if (req_user(r, &user) != 0)
		return;
	int found = server_row_find(
	    r->app->db, &r->http->arena, user.id, name, &row, &err);
	if (found < 0)
		reply_err(r, &err);
	else if (!found)
		reply_error(
		    r, 404, "%s has no server named '%s'", user.name, name);
	else
		reply_json(r, 200,
		    model_server(r, user.name,
			server_by_name(r->app, user.name, name), &row));
}

/* ---- waiting for the end ------------------------------------------ */

/* One request that waits for one server. The server may be gone when the time
 * is up, so only the watch knows it. */
struct waiting {
	struct req *r;
	struct server_watch watch;
	struct timer timer;
	void (*settled)(struct req *r, struct server *s);
};

static void wait_end(struct waiting *w)
{
	server_watch_stop(&w->watch);
	timer_stop(&w->timer);
	w->r->on_gone = NULL;
}

static void on_wait_gone(struct req *r)
{
	wait_end(r->state);
}

static void on_settled(struct server_watch *watch, struct server *s, void *arg)
{
	struct waiting *w = arg;

	(void)watch;
	wait_end(w);
	w->settled(w->r, s);
}

static void on_slow(struct timer *t, void *arg)
{
	struct waiting *w = arg;

	(void)t;
	wait_end(w);
	reply_empty(w->r, 202);
}

static void wait_for(struct req *r, struct server *s, int64_t limit_s,
    void (*settled)(struct req *r, struct server *s))
{
	struct waiting *w = arena_alloc(&r->http->arena, sizeof *w);

	*w = (struct waiting){ .r = r,
		.watch = { .settled = on_settled, .arg = w },
		.settled = settled };
	r->state = w;
	r->on_gone = on_wait_gone;
	timer_start(r->app->loop, &w->timer, limit_s * 1000, on_slow, w);
	server_watch_start(s, &w->watch);
}

/* ---- start -------------------------------------------------------- */

static int refuse_body(struct req *r, const char *text)
{
	reply_error(r, 400, "%s", text);
	return -1;
}

/*
 * With neither key present the whole body is the options, as clients before 6.0
 * sent them. -1: the request was answered.
 */
static int read_options(struct req *r, const json_t **out)
{
	json_t *body;
	int has = req_json(r, &body);

	*out = NULL;
	if (has <= 0 || json_is_null(body))
		return has < 0 ? -1 : 0;
	if (!json_is_object(body))
		return refuse_body(r, "Body must be a JSON object");
	const json_t *name = json_object_get(body, "display_name");
	const json_t *options = json_object_get(body, "user_options");
	if (!name && !options) {
		*out = body;
		return 0;
	}
	if (name && !json_is_string(name))
		return refuse_body(r, "display_name must be a string");
	if (options && !json_is_object(options) && !json_is_null(options))
		return refuse_body(r, "user_options must be an object or null");
	*out = json_is_object(options) ? options : NULL;
	return 0;
}

static void on_start_settled(struct req *r, struct server *s)
{
	const char *why = server_failure(s);

	if (server_is_ready(s))
		reply_empty(r, 201);
	else if (why)
		reply_error(r, 500, "%s", why);
	else
		reply_error(r, 500, "Spawn cancelled");
}

static void start(struct req *r, const struct user *user, const json_t *options)
{
	struct server_start_args args = {
		.user = user,
		.name = req_server_name(r),
		.options = options,
	};
	struct server *s;
	struct err err = { 0 };

	if (server_start(r->app, &args, &s, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	audit_server(r, AUDIT_SERVER_START, user->name, args.name);
	wait_for(r, s, r->app->cfg.slow_spawn_timeout_s, on_start_settled);
}

void api_server_post(struct req *r)
{
	const json_t *options;
	struct user user;

	if (req_user(r, &user) != 0 || refuse_named(r) ||
	    read_options(r, &options) != 0)
		return;
	struct server *s =
	    server_by_name(r->app, user.name, req_server_name(r));
	const char *pending = s ? server_pending(s) : NULL;
	if (str_eq(pending, "spawn"))
		reply_empty(r, 202);
	else if (pending)
		reply_error(
		    r, 400, "%s is pending %s", log_name(r, &user), pending);
	else if (s && server_is_ready(s))
		reply_error(
		    r, 400, "%s is already running", log_name(r, &user));
	else
		start(r, &user, options);
}

/* ---- stop --------------------------------------------------------- */

static void on_stop_settled(struct req *r, struct server *s)
{
	(void)s;
	reply_empty(r, 204);
}

/* -1: the request was answered. */
static int check_remove(struct req *r)
{
	json_t *body;
	bool remove = false;
	struct err err = { 0 };
	int has = req_json(r, &body);

	if (has <= 0 || json_is_null(body))
		return has < 0 ? -1 : 0;
	if (!json_is_object(body))
		return refuse_body(r, "Body must be a JSON object");
	if (json_get_bool(body, "remove", &remove, &err) < 0)
		return refuse_body(r, err.text);
	if (remove && !*req_server_name(r))
		return refuse_body(r, "Cannot delete the default server");
	return 0;
}

void api_server_delete(struct req *r)
{
	struct user user;
	struct err err = { 0 };

	if (req_user(r, &user) != 0 || refuse_named(r) || check_remove(r) != 0)
		return;
	struct server *s =
	    server_by_name(r->app, user.name, req_server_name(r));
	if (!s || (!server_pending(s) && !server_is_ready(s))) {
		reply_empty(r, 204);
		return;
	}
	bool already = str_eq(server_pending(s), "stop");
	if (server_stop(r->app, s, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	audit_server(r, AUDIT_SERVER_STOP, user.name, req_server_name(r));
	if (already) {
		reply_empty(r, 202);
		return;
	}
	/* It may have been over at once. */
	s = server_by_name(r->app, user.name, req_server_name(r));
	if (s && server_pending(s))
		wait_for(
		    r, s, r->app->cfg.slow_stop_timeout_s, on_stop_settled);
	else
		reply_empty(r, 204);
}
