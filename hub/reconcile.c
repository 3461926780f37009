/*
 * See reconcile.h.
 */
#include "hub/reconcile.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/url.h"
#include "hub/activity.h"
#include "hub/app.h"
#include "hub/metrics.h"
#include "hub/own_routes.h"
#include "hub/routing.h"
#include "hub/server_remove.h"
#include "hub/server_turn.h"
#include "proxy/client.h"
#include "spawner/client.h"

#define SOON_MS  1000
#define WATCH_MS 100 /* somebody waits for the repair */

struct reconcile {
	struct app *app;
	/* The spawner's list. */
	uint64_t round;  /* how many were asked for */
	bool is_listing; /* the answers to the last one are coming */
	bool has_list;   /* a whole one has come */
	int64_t began_us, list_asked_us, routes_asked_us; /* monotonic */
	bool is_init_timed; /* until the first list was compared */
	struct timer list_timer;
	/* The proxy's routes. */
	uint64_t routes_request; /* 0: none under way */
	bool knows_routes, proxy_is_away, wants_routes;
	int64_t soon_ms; /* doubles as long as there is something to repair */
	struct timer routes_timer;
	uint64_t routes_round; /* how many listings were asked for */
	size_t n_routes;       /* of the present one, until now */
	bool merges_activity;  /* of the present one */
	struct list watches;
	int64_t activity_due_ms;
};

/* ---- the database -------------------------------------------------------- */

struct adopting {
	struct app *app;
	size_t n;
};

static int adopt_row(const struct server_row *row, void *arg, struct err *err)
{
	struct adopting *a = arg;

	(void)err;
	a->n += (size_t)server_adopt(a->app, row);
	return 0;
}

/* Rows that say "may run" and that nobody looks after. */
static void adopt_rows(struct app *app)
{
	struct adopting a = { .app = app };
	struct err err;

	if (server_row_each_active(app->db, adopt_row, &a, &err) != 0) {
		err_wrap(&err, "read which servers should run");
		app_fail(app, &err);
		return;
	}
	if (a.n > 0)
		log_info(NULL, "servers to look after", "n=%zu", a.n);
}

/* ---- the spawner's list -------------------------------------------------- */

static void on_list_timer(struct timer *t, void *arg);

static void list_later(struct reconcile *r, int64_t ms)
{
	timer_start(r->app->loop, &r->list_timer, ms, on_list_timer, r);
}

static void ask_for_list(struct reconcile *r)
{
	struct err err;

	if (r->is_listing || !spawner_is_up(r->app->spawner))
		return;
	adopt_rows(r->app);
	r->round++;
	r->list_asked_us = clock_mono_us();
	r->is_listing = spawner_list(r->app->spawner, &err) == 0;
	if (r->is_listing)
		return;
	log_debug(
	    NULL, "the spawner cannot be asked now", "why=\"%s\"", err.text);
	list_later(r, SOON_MS);
}

static void on_list_timer(struct timer *t, void *arg)
{
	(void)t;
	ask_for_list(arg);
}

void reconcile_spawner_up(struct app *app)
{
	app->reconcile->is_listing = false;
	log_info(NULL, "the spawner is there", "round=%llu",
	    (unsigned long long)app->reconcile->round);
	ask_for_list(app->reconcile);
	server_turn_pump(app);
}

/* The ids of all objects: an event may make and bury any of them. */
static int64_t *all_ids(struct app *app, size_t *n_out)
{
	int64_t *ids = NULL;
	size_t n = 0, cap = 0;

	list_for_each (it, &app->servers->all) {
		if (n == cap) {
			cap = cap > 0 ? 2 * cap : 64;
			ids = xreallocarray(ids, cap, sizeof *ids);
		}
		ids[n++] = LIST_ITEM(it, struct server, all)->id;
	}
	*n_out = n;
	return ids;
}

static void tell_all(struct app *app, enum server_event ev)
{
	size_t n;
	int64_t *ids = all_ids(app, &n);

	for (size_t i = 0; i < n; i++) {
		struct server *s = server_by_id(app, ids[i]);
		struct server_cause c = { .result = 0 };

		if (s)
			server_event(s, ev, &c);
	}
	free(ids);
}

void reconcile_spawner_down(struct app *app)
{
	struct reconcile *r = app->reconcile;

	/* Half a list says nothing. */
	r->is_listing = r->has_list = false;
	timer_stop(&r->list_timer);
	tell_all(app, EV_SPAWNER_DOWN);
}

static void measure_poll(struct app *app, const char *status)
{
	metrics_took(app, METRIC_SERVER_POLL,
	    clock_mono_us() - app->reconcile->list_asked_us, status, NULL);
}

void reconcile_found(struct app *app, const struct spawner_server *p)
{
	struct server *s = server_by_key(app, p->key);
	struct server_cause c = { .process = p };

	if (!s) {
		server_kill_unknown(app, p);
		return;
	}
	s->seen_round = app->reconcile->round;
	measure_poll(app, "ServerPollStatus.running");
	server_event(s, EV_FOUND, &c);
}

static bool is_missing(const struct server *s, uint64_t round)
{
	return *s->key && s->asked_round < round && s->seen_round != round;
}

static void report_missing(struct app *app, uint64_t round)
{
	size_t n;
	int64_t *ids = all_ids(app, &n);

	for (size_t i = 0; i < n; i++) {
		struct server *s = server_by_id(app, ids[i]);
		struct server_cause c = { .result = 0 };

		if (!s || !is_missing(s, round))
			continue;
		measure_poll(app, "ServerPollStatus.stopped");
		server_event(s, EV_MISSING, &c);
	}
	free(ids);
}

static void measure_init(struct reconcile *r)
{
	if (r->is_init_timed)
		metrics_took(r->app, METRIC_INIT_SPAWNERS,
		    clock_mono_us() - r->began_us, NULL, NULL);
	r->is_init_timed = false;
}

void reconcile_list_end(struct app *app)
{
	struct reconcile *r = app->reconcile;

	if (!r->is_listing)
		return;
	r->is_listing = false;
	r->has_list = true;
	report_missing(app, r->round);
	measure_init(r);
	list_later(r, app->cfg.spawner_check_s * 1000);
	/* Routes of servers that were in doubt until now. */
	reconcile_routes_soon(app);
}

uint64_t reconcile_round(const struct app *app)
{
	return app->reconcile->round;
}

/* ---- the proxy's routes -------------------------------------------------- */

static void ask_for_routes(struct reconcile *r);

static void on_routes_timer(struct timer *t, void *arg)
{
	(void)t;
	ask_for_routes(arg);
}

static void routes_later(struct reconcile *r, int64_t ms)
{
	timer_start(r->app->loop, &r->routes_timer, ms, on_routes_timer, r);
}

/* A route that the proxy never takes must not keep us busy for ever. */
static int64_t next_soon_ms(struct reconcile *r)
{
	int64_t ms = r->soon_ms, longest_ms = r->app->cfg.proxy_check_s * 1000;

	r->soon_ms = 2 * ms < longest_ms ? 2 * ms : longest_ms;
	return ms;
}

static void note_listed(struct server *s, const char *target)
{
	server_object_set_text(&s->listed_target, target);
	s->listed_round = s->app->reconcile->routes_round;
	/* It runs elsewhere: the route may lead to somebody else's server. */
	if (s->seen_round > 0 && s->is_listening && s->address &&
	    s->is_wanted && !server_route_is_listed(s))
		server_route_open(s);
}

/*
 * A person's route that nobody wishes for. It stays while it may be right: the
 * server is in doubt. A server on its way up has no route yet, so one that is
 * there is left over from its last life and may lead to somebody else's server.
 */
static bool is_stray(
    struct app *app, const char *user, const char *name, const char *target)
{
	struct server *s = server_by_name(app, user, name);

	if (!s || s->state != SERVER_CHECKING)
		return true;
	note_listed(s, target);
	return false;
}

/* What the present list did not say. */
static void forget_listed(struct reconcile *r)
{
	list_for_each (it, &r->app->servers->all) {
		struct server *s = LIST_ITEM(it, struct server, all);

		if (s->listed_round != r->routes_round)
			server_object_set_text(&s->listed_target, NULL);
	}
}

static struct reconcile_watch *due_watch(struct reconcile *r, uint64_t round)
{
	list_for_each (it, &r->watches) {
		struct reconcile_watch *w =
		    LIST_ITEM(it, struct reconcile_watch, link);
		if (w->round <= round)
			return w;
	}
	return NULL;
}

/* Whoever is told may end other watches, or begin one. */
static void tell_watches(struct reconcile *r, const struct err *err)
{
	uint64_t round = r->routes_round;
	struct reconcile_watch *w;

	while ((w = due_watch(r, round)) != NULL) {
		reconcile_routes_unwatch(w);
		w->done(w, err);
	}
}

/* The routes were asked for. */
static int64_t since_us(const struct reconcile *r)
{
	return clock_mono_us() - r->routes_asked_us;
}

static void on_some_routes(struct reconcile *r, const json_t *routes)
{
	if (r->n_routes == 0)
		r->merges_activity =
		    loop_now_ms(r->app->loop) >= r->activity_due_ms;
	r->n_routes += json_object_size(routes);
	routing_compare_part(r->app, routes, is_stray);
	if (r->merges_activity)
		activity_merge(r->app, routes);
}

static void on_routes(const struct err *err, const json_t *routes, void *arg)
{
	struct reconcile *r = arg;

	if (routes) {
		on_some_routes(r, routes);
		return;
	}
	r->routes_request = 0;
	if (err->code != ERR_NONE) {
		if (!r->proxy_is_away)
			log_warn(NULL, "the proxy cannot be asked",
			    "why=\"%s\"", err->text);
		r->proxy_is_away = true;
		routes_later(r, SOON_MS);
		tell_watches(r, err);
		return;
	}
	if (r->proxy_is_away)
		log_info(NULL, "the proxy is there again", "routes=%zu",
		    r->n_routes);
	r->proxy_is_away = false;
	metrics_took(r->app, METRIC_PROXY_POLL, since_us(r), NULL, NULL);
	forget_listed(r);
	routing_compare_end(r->app);
	r->knows_routes = true;
	if (r->merges_activity)
		r->activity_due_ms = loop_now_ms(r->app->loop) +
				     r->app->cfg.activity_interval_s * 1000;
	metrics_took(r->app, METRIC_CHECK_ROUTES, since_us(r), NULL, NULL);
	/* Nothing had to be repaired. */
	if (routing_count_busy(r->app) == 0) {
		r->soon_ms = SOON_MS;
		tell_watches(r, err);
	}
	if (!list_empty(&r->watches))
		routes_later(r, WATCH_MS);
	else
		routes_later(r, r->wants_routes
				    ? next_soon_ms(r)
				    : r->app->cfg.proxy_check_s * 1000);
	r->wants_routes = false;
}

static void ask_for_routes(struct reconcile *r)
{
	if (r->routes_request)
		return;
	r->routes_round++;
	r->n_routes = 0;
	r->merges_activity = false;
	routing_compare_begin(r->app);
	r->routes_asked_us = clock_mono_us();
	r->routes_request = proxy_list(r->app->proxy, on_routes, r);
}

void reconcile_routes_soon(struct app *app)
{
	struct reconcile *r = app->reconcile;

	if (!r)
		return;
	if (r->routes_request)
		r->wants_routes = true;
	else
		routes_later(r, next_soon_ms(r));
}

void reconcile_routes_watch(struct app *app, struct reconcile_watch *w)
{
	struct reconcile *r = app->reconcile;

	w->round = r->routes_round + 1;
	list_add_tail(&r->watches, &w->link);
	ask_for_routes(r);
}

void reconcile_routes_unwatch(struct reconcile_watch *w)
{
	if (w->link.next)
		list_del(&w->link);
}

/* ---- life ---------------------------------------------------------------- */

struct reconcile *reconcile_new(struct app *app)
{
	struct reconcile *r = xcalloc(1, sizeof *r);

	r->app = app;
	r->soon_ms = SOON_MS;
	list_init(&r->watches);
	return r;
}

void reconcile_free(struct reconcile **rp)
{
	struct reconcile *r = *rp;

	if (!r)
		return;
	timer_stop(&r->list_timer);
	timer_stop(&r->routes_timer);
	if (r->routes_request)
		proxy_cancel(r->app->proxy, r->routes_request);
	list_for_each (it, &r->watches)
		list_del(it);
	free(r);
	*rp = NULL;
}

void reconcile_begin(struct app *app)
{
	struct reconcile *r = app->reconcile;

	r->began_us = clock_mono_us();
	r->is_init_timed = true;
	adopt_rows(app);
	server_removals_resume(app);
	own_routes_want(app);
	ask_for_routes(r);
	ask_for_list(r);
}

bool reconcile_is_settled(const struct app *app)
{
	const struct reconcile *r = app->reconcile;

	return r->has_list && r->knows_routes && !r->proxy_is_away &&
	       routing_count_busy(app) == 0;
}
