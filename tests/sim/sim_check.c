/*
 * What must be true, always (check_now and the hooks) and when everything has
 * come to rest (check_calm).
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "db/oauth.h"
#include "db/server.h"
#include "hub/reconcile.h"
#include "hub/server_env.h"
#include "tests/sim/world.h"

/* ---- always -------------------------------------------------------------- */

struct looking {
	const char *key;
	bool is_found, is_wanted;
};

static int look_at_row(const struct server_row *row, void *arg, struct err *err)
{
	struct looking *l = arg;

	(void)err;
	if (strcmp(row->key, l->key) == 0) {
		l->is_found = true;
		l->is_wanted = row->wanted;
	}
	return 0;
}

/* START leaves the hub: its row is there, its token is good. */
void check_start(const char *key, const struct spawner_start *start)
{
	struct looking l = { .key = key };
	const char *token = json_string_value(
	    json_object_get(start->env, "JUPYTERHUB_API_TOKEN"));
	struct arena a;
	struct token t;
	struct err err;

	if (server_row_each_active(world.app->db, look_at_row, &l, &err) != 0 ||
	    !l.is_found || !l.is_wanted)
		world_broken("no start without its row", "key=%s", key);
	arena_init(&a);
	if (!token || token_find(world.app->db, &a, token, clock_wall_us(), &t,
			  &err) != 1)
		world_broken("no start without its token", "key=%s", key);
	arena_fini(&a);
	for (size_t i = 0; token && i < N_PEOPLE; i++) {
		struct person *p = &world.people[i];

		if (strcmp(p->name, start->account) == 0)
			memcpy(p->token, token, TOKEN_LEN + 1);
	}
}

static bool leads_to(const char *name, const struct proc *p)
{
	char path[64], expect[64];
	const char *target;

	snprintf(path, sizeof path, "/user/%s", name);
	snprintf(expect, sizeof expect, "http://%s", p->address);
	target = fake_proxy_target(path);
	return target && strcmp(target, expect) == 0;
}

/* STOP leaves the hub: nobody's ready server is stopped unasked, and its route
 * went first. */
void check_stop(const char *key)
{
	const struct proc *p = proc_by_key(key);
	const char *name = p ? world.people[p->person].name : "";

	if (p && p->was_ready && !p->is_asked && proxy_is_healthy() &&
	    leads_to(name, p))
		world_broken(
		    "the route goes before the server", "%s key=%s", name, key);

	if (p && p->was_ready && p->state == PROC_RUNNING &&
	    !world.people[p->person].asked_stop)
		world_broken("nobody's work is ended unasked", "%s key=%s",
		    world.people[p->person].name, key);
}

/* The proxy is about to delete a route. */
void check_delete(const char *path)
{
	for (size_t i = 0; i < N_PEOPLE; i++) {
		const struct person *who = &world.people[i];
		char own[64];

		snprintf(own, sizeof own, "/user/%s", who->name);
		if (strcmp(own, path) != 0 || who->asked_stop)
			continue;
		list_for_each (it, &world.procs) {
			const struct proc *p = LIST_ITEM(it, struct proc, link);

			if (p->person == i && p->was_ready &&
			    p->state == PROC_RUNNING && leads_to(who->name, p))
				world_broken("no route is taken from a server "
					     "that runs",
				    "%s key=%s", path, p->key);
		}
	}
}

static int port_of(const char *target)
{
	const char *colon = target ? strrchr(target, ':') : NULL;
	int port = -1;

	if (!colon || sscanf(colon, ":%d", &port) != 1)
		return -1;
	return port;
}

static void check_owner(const char *path, const json_t *route)
{
	const char *user = json_string_value(json_object_get(route, "user"));
	const char *target =
	    json_string_value(json_object_get(route, "target"));
	const struct proc *p = user ? proc_by_port(port_of(target)) : NULL;

	if (p && !p->is_ready)
		world_broken("no route leads to who has not been looked at",
		    "%s key=%s stranger=%d", path, p->key,
		    p->is_stranger_first);
	if (p && strcmp(world.people[p->person].name, user) != 0)
		world_broken("a route leads to its owner's server",
		    "%s leads to %s's %s", path, world.people[p->person].name,
		    target);
}

/* What the hub calls ready for the first time can be reached. */
static void check_ready(struct person *who)
{
	struct server *s = server_by_name(world.app, who->name, "");
	struct proc *p;

	if (!s || server_state(s) != SERVER_RUNNING ||
	    strcmp(s->key, who->ready_key) == 0)
		return;
	memcpy(who->ready_key, s->key, sizeof s->key);
	p = proc_by_key(s->key);
	if (!p || p->state != PROC_RUNNING)
		return;
	p->was_ready = true;
	if (proxy_is_healthy() && !leads_to(who->name, p))
		world_broken("what is ready can be reached", "%s key=%s",
		    who->name, s->key);
}

void check_now(void)
{
	const char *path;
	json_t *route;

	for (size_t i = 0; world.app && i < N_PEOPLE; i++)
		check_ready(&world.people[i]);
	/* A port that is used again leads elsewhere until the hub knows that
	 * the process has gone; then only calm counts. */
	if (world.reuses_ports && !world.is_calm)
		return;
	json_object_foreach (fake_proxy.routes, path, route)
		check_owner(path, route);
}

/* ---- at rest ------------------------------------------------------------- */

static void check_process(const struct proc *p)
{
	const struct person *who = &world.people[p->person];
	struct server *s;

	if (p->state == PROC_EXITED) {
		world_broken("every exit is acknowledged", "%s key=%s",
		    who->name, p->key);
		return;
	}
	s = server_by_key(world.app, p->key);
	if (!s || server_state(s) != SERVER_RUNNING || !s->is_wanted)
		world_broken("nothing runs that nobody wants",
		    "%s key=%s state=%s", who->name, p->key,
		    s ? server_state_name(server_state(s)) : "unknown");
	if (who->asked_stop)
		world_broken("an acknowledged stop ends", "%s key=%s",
		    who->name, p->key);
}

static void check_running(struct server *s)
{
	const char *target = fake_proxy_target(s->route);
	const struct proc *p = proc_by_key(s->key);
	char path[64], expect[64];

	snprintf(path, sizeof path, "/user/%s", s->user);
	target = fake_proxy_target(path);
	if (!p || p->state != PROC_RUNNING) {
		world_broken(
		    "what is said to run runs", "%s key=%s", s->user, s->key);
		return;
	}
	snprintf(expect, sizeof expect, "http://%s", p->address);
	if (!target || strcmp(target, expect) != 0)
		world_broken("what runs can be reached", "%s: %s, not %s",
		    s->user, target ? target : "no route", expect);
}

static void check_server(struct server *s)
{
	enum server_state st = server_state(s);

	if (st == SERVER_RUNNING)
		check_running(s);
	else if (st != SERVER_FAILED)
		world_broken("everything comes to rest", "%s: %s", s->user,
		    server_state_name(st));
}

static void check_route(const char *path, const json_t *route)
{
	const char *user = json_string_value(json_object_get(route, "user"));
	struct server *s;

	if (!user)
		return;
	s = server_by_name(world.app, user, "");
	if (!s || server_state(s) != SERVER_RUNNING)
		world_broken("no route of nobody is left", "%s", path);
}

static int check_row(const struct server_row *row, void *arg, struct err *err)
{
	struct server *s = server_by_id(world.app, row->id);

	(void)arg;
	(void)err;
	if (!s || server_state(s) != SERVER_RUNNING ||
	    strcmp(s->key, row->key) != 0)
		world_broken("the rows say what runs", "%s key=%s",
		    row->user_name, row->key);
	return 0;
}

/* The tokens and clients of what stopped are gone, those of what runs are not.
 */
static void check_secrets(const struct person *who)
{
	struct server *s = server_by_name(world.app, who->name, "");
	bool runs = s && server_state(s) == SERVER_RUNNING;
	const struct server_env e = {
		.cfg = &world.app->cfg,
		.user = who->name,
		.name = "",
		.path = "/",
	};
	struct oauth_client client;
	struct arena a;
	struct token t;
	struct err err;
	int found;

	if (!*who->token)
		return;
	arena_init(&a);
	found = token_find(
	    world.app->db, &a, who->token, clock_wall_us(), &t, &err);
	if (found != (runs ? 1 : 0))
		world_broken("a token lives as long as its server",
		    "%s runs=%d found=%d", who->name, runs, found);
	found = oauth_client_find(
	    world.app->db, &a, server_env_client_id(&a, &e), &client, &err);
	if (found != (runs ? 1 : 0))
		world_broken("a client lives as long as its server",
		    "%s runs=%d found=%d", who->name, runs, found);
	arena_fini(&a);
}

static void check_hub(void)
{
	const struct servers *all = world.app->servers;
	const char *own = fake_proxy_target("/");

	if (!reconcile_is_settled(world.app))
		world_broken("the hub knows what is", "%zu requests",
		    list_empty(&fake_proxy.requests) ? (size_t)0 : (size_t)1);
	if (!own || strcmp(own, "http+unix://%2Frun%2Fcarrel%2Fhub.sock") != 0)
		world_broken("the hub can be reached", "%s", own ? own : "-");
	if (all->starts.n_held || all->starts.n_waiting || all->checks.n_held ||
	    all->checks.n_waiting)
		world_broken("turns are given back", "%zu %zu %zu %zu",
		    all->starts.n_held, all->starts.n_waiting,
		    all->checks.n_held, all->checks.n_waiting);
}

void check_calm(void)
{
	struct err err;
	const char *path;
	json_t *route;

	check_hub();
	list_for_each (it, &world.procs)
		check_process(LIST_ITEM(it, struct proc, link));
	list_for_each (it, &world.app->servers->all)
		check_server(LIST_ITEM(it, struct server, all));
	json_object_foreach (fake_proxy.routes, path, route)
		check_route(path, route);
	if (server_row_each_active(world.app->db, check_row, NULL, &err) != 0)
		world_broken("the rows can be read", "%s", err.text);
	for (size_t i = 0; i < N_PEOPLE; i++) {
		check_secrets(&world.people[i]);
		if (world.people[i].is_watching)
			world_broken("every watcher is told the end", "%s",
			    world.people[i].name);
	}
	check_now();
}
