/*
 * Deleting a user: first their servers stop, all of them, then the user goes
 * with everything that hangs on it (contract/hub.md 1.6, D).
 */
#include <string.h>

#include "base/log.h"
#include "hub/handlers.h"
#include "hub/model.h"

struct removal;

struct leaving {
	struct removal *removal;
	int64_t id;
	struct server_watch watch;
};

/* One request that waits until all servers of one user are at rest. */
struct removal {
	struct req *r;
	struct user user;
	struct leaving *servers;
	size_t n, n_left;
	struct timer timer;
};

static bool is_active(const struct server *s)
{
	return server_is_ready(s) || server_pending(s);
}

static void stop_waiting(struct removal *m)
{
	for (size_t i = 0; i < m->n; i++)
		server_watch_stop(&m->servers[i].watch);
	timer_stop(&m->timer);
	m->r->on_gone = NULL;
}

static void on_gone(struct req *r)
{
	stop_waiting(r->state);
}

static void refuse_stopping(struct req *r, const struct user *u)
{
	reply_error(r, 400,
	    "%s's server is in the process of stopping, please wait.", u->name);
}

/* What has failed is remembered under the user's name: no longer. */
static int forget_servers(struct removal *m, struct err *err)
{
	struct server *s;
	size_t pos = 0;

	while ((s = server_next_of(m->r->app, m->user.id, &pos)) != NULL) {
		if (is_active(s))
			return err_set(err, ERR_BUSY,
			    "%s's server is in the process of stopping, please "
			    "wait.",
			    m->user.name);
		if (server_stop(m->r->app, s, err) != 0)
			return -1;
		pos = 0;
	}
	return 0;
}

static void finish(struct removal *m)
{
	struct req *r = m->r;
	struct err err = { 0 };

	stop_waiting(m);
	if (forget_servers(m, &err) != 0 ||
	    user_delete(r->app->db, m->user.id, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	log_info(&(struct log_ctx){ .user = principal_name(&r->who) },
	    "user administration", "deed=delete name=%s", m->user.name);
	reply_empty(r, 204);
}

static void on_settled(struct server_watch *watch, struct server *s, void *arg)
{
	struct leaving *l = arg;
	struct removal *m = l->removal;

	(void)s;
	server_watch_stop(watch);
	if (--m->n_left == 0)
		finish(m);
}

static void on_slow(struct timer *t, void *arg)
{
	struct removal *m = arg;

	(void)t;
	stop_waiting(m);
	refuse_stopping(m->r, &m->user);
}

/* Stopping one may end it at once, so they are named by id. */
static void list_active(struct removal *m)
{
	struct app *app = m->r->app;
	struct server *s;
	size_t pos = 0, n = 0;

	while (server_next_of(app, m->user.id, &pos))
		n++;
	m->servers = arena_array(&m->r->http->arena, n, sizeof *m->servers);
	pos = 0;
	while ((s = server_next_of(app, m->user.id, &pos)) != NULL)
		if (is_active(s))
			m->servers[m->n++].id = server_id(s);
}

static int stop_all(struct removal *m, struct err *err)
{
	struct app *app = m->r->app;

	for (size_t i = 0; i < m->n; i++) {
		struct server *s = server_by_id(app, m->servers[i].id);
		if (s && server_stop(app, s, err) != 0)
			return -1;
	}
	return 0;
}

/* A watch tells at once what is settled already, so all are counted before the
 * first one begins. */
static void wait_for_all(struct removal *m)
{
	struct app *app = m->r->app;

	for (size_t i = 0; i < m->n; i++) {
		struct leaving *l = &m->servers[i];
		l->removal = m;
		l->watch =
		    (struct server_watch){ .settled = on_settled, .arg = l };
		struct server *s = server_by_id(app, l->id);
		if (s && is_active(s))
			m->n_left++;
		else
			l->id = 0;
	}
	if (m->n_left == 0) {
		finish(m);
		return;
	}
	m->r->state = m;
	m->r->on_gone = on_gone;
	timer_start(app->loop, &m->timer, app->cfg.slow_stop_timeout_s * 1000,
	    on_slow, m);
	for (size_t i = 0; i < m->n; i++)
		if (m->servers[i].id)
			server_watch_start(server_by_id(app, m->servers[i].id),
			    &m->servers[i].watch);
}

static bool refuse(struct req *r, const struct user *u)
{
	struct server *s = server_by_name(r->app, u->name, "");

	if (u->id == r->who.user_id)
		reply_error(r, 400, "Cannot delete yourself!");
	else if (u->admin && !r->who.admin)
		reply_error(r, 403, "Only admins can delete other admins");
	else if (s && str_eq(server_pending(s), "stop"))
		refuse_stopping(r, u);
	else
		return false;
	return true;
}

void api_user_delete(struct req *r)
{
	struct removal *m = arena_alloc(&r->http->arena, sizeof *m);
	struct err err = { 0 };

	m->r = r;
	if (req_user(r, &m->user) != 0 || refuse(r, &m->user))
		return;
	list_active(m);
	if (stop_all(m, &err) != 0)
		reply_err(r, &err);
	else
		wait_for_all(m);
}
