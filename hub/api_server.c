/*
 * Starting, stopping and looking at servers over REST (contract/hub.md 1.8). A
 * request waits for the end of what it asked for, but not longer than the
 * configuration says.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/audit.h"
#include "hub/handlers.h"
#include "hub/server_remove.h"
#include "hub/server_wish.h"

/* ---- which -------------------------------------------------------- */

static const char *log_name(struct req *r, const struct user *user)
{
	return req_server_log_name(r, user->name, req_server_name(r));
}

void api_server_get(struct req *r)
{
	const char *name = req_server_name(r);
	struct server_row row = { .name = "" };
	struct user user;
	struct err err = { 0 };

	if (req_user(r, &user) != 0)
		return;
	int found = server_row_find(
	    r->app->db, &r->http->arena, user.id, name, &row, &err);
	if (found < 0)
		reply_err(r, &err);
	else if (!found && *name)
		server_reply_unknown(r, &user);
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

static void start(
    struct req *r, const struct user *user, const struct server_wish *wish)
{
	struct server_start_args args = {
		.user = user,
		.name = req_server_name(r),
		.options = wish->options,
	};
	struct server *s;
	struct err err = { 0 };

	if (server_wish_prepare(r, user, wish, &err) != 0 ||
	    server_start(r->app, &args, &s, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	audit_server(r, AUDIT_SERVER_START, user->name, args.name);
	wait_for(r, s, r->app->cfg.slow_spawn_timeout_s, on_start_settled);
}

void api_server_post(struct req *r)
{
	struct server_wish wish;
	struct user user;

	if (req_user(r, &user) != 0 || server_refuse_named(r) ||
	    server_wish_read(r, &wish) != 0)
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
		start(r, &user, &wish);
}

/* ---- stop --------------------------------------------------------- */

/* What DELETE is about. */
struct ending {
	struct user user;
	int64_t row_id; /* 0: it was never there */
	bool removes;
};

static void at_rest(struct req *r, const struct ending *e)
{
	struct err err = { 0 };

	if (e->removes && server_remove(r->app, e->row_id, &err) != 0)
		reply_err(r, &err);
	else
		reply_empty(r, 204);
}

static void on_stop_settled(struct req *r, struct server *s)
{
	(void)s;
	reply_empty(r, 204);
}

/* -1: the request was answered. */
static int read_remove(struct req *r, bool *out)
{
	json_t *body;
	struct err err = { 0 };
	int has = req_json(r, &body);

	*out = false;
	if (has <= 0 || json_is_null(body))
		return has < 0 ? -1 : 0;
	if (!json_is_object(body)) {
		reply_error(r, 400, "Body must be a JSON object");
		return -1;
	}
	if (json_get_bool(body, "remove", out, &err) < 0) {
		reply_error(r, 400, "%s", err.text);
		return -1;
	}
	if (!*out || *req_server_name(r))
		return 0;
	reply_error(r, 400, "Cannot delete the default server");
	return -1;
}

/* -1: the request was answered. */
static int find_ending(struct req *r, struct ending *e)
{
	struct server_row row;
	struct err err = { 0 };

	if (req_user(r, &e->user) != 0 || server_refuse_named(r) ||
	    read_remove(r, &e->removes) != 0)
		return -1;
	int found = server_row_find(r->app->db, &r->http->arena, e->user.id,
	    req_server_name(r), &row, &err);
	if (found == 1)
		e->row_id = row.id;
	if (found < 0)
		reply_err(r, &err);
	else if (!found && *req_server_name(r))
		server_reply_unknown(r, &e->user);
	else
		return 0;
	return -1;
}

static bool is_active(const struct server *s)
{
	return s && (server_pending(s) || server_is_ready(s));
}

static void stop(struct req *r, struct server *s, const struct ending *e)
{
	bool already = str_eq(server_pending(s), "stop");
	/* The object may be gone when it was over at once. */
	const char *user = arena_strdup(&r->http->arena, server_user(s));
	struct err err = { 0 };

	if ((e->removes && server_remove_wish(r->app, s, &err) != 0) ||
	    server_stop(r->app, s, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	audit_server(r, AUDIT_SERVER_STOP, user, req_server_name(r));
	/* It may have been over at once. */
	s = server_by_id(r->app, e->row_id);
	if (!is_active(s)) {
		at_rest(r, e);
		return;
	}
	if (e->removes)
		server_remove_later(r->app, s);
	if (already)
		reply_empty(r, 202);
	else
		wait_for(
		    r, s, r->app->cfg.slow_stop_timeout_s, on_stop_settled);
}

void api_server_delete(struct req *r)
{
	struct ending e = { .row_id = 0 };
	struct server *s;

	if (find_ending(r, &e) != 0)
		return;
	s = e.row_id ? server_by_id(r->app, e.row_id) : NULL;
	if (is_active(s))
		stop(r, s, &e);
	else
		at_rest(r, &e);
}
