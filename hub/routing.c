/*
 * See routing.h.
 */
#include "hub/routing.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"
#include "hub/app.h"
#include "hub/metrics.h"
#include "hub/reconcile.h"
#include "hub/service.h"
#include "proxy/client.h"

/* What holds for one path. */
struct wish {
	struct app *app;
	char *path;
	char *target; /* NULL: no route */
	json_t *data;
	int64_t id;
	routing_done_fn *done;
	uint64_t request; /* under way; 0: none */
	bool is_adding;   /* what the request asks for */
	int64_t asked_us; /* monotonic */
	bool is_stale;    /* the request under way carries an older wish */
	bool in_force;    /* the proxy said so */
	bool is_listed;   /* or newer than the list that is compared */
	struct defer tell;
};

struct routing {
	struct app *app;
	struct map *wishes; /* path -> struct wish */
	size_t n_busy;
	bool is_misled; /* the proxy looks at hosts and must not, or the reverse
			 */
	bool is_misled_now; /* the same, of the list that is compared */
};

static void issue(struct wish *w);

/* ---- wishes -------------------------------------------------------------- */

static struct wish *find(struct app *app, const char *path)
{
	return map_get(app->routing->wishes, slice_of(path));
}

static struct wish *find_or_add(struct app *app, const char *path)
{
	struct wish *w = find(app, path);

	if (w)
		return w;
	w = xcalloc(1, sizeof *w);
	w->app = app;
	w->path = xstrdup(path);
	map_put(app->routing->wishes, slice_of(path), w);
	return w;
}

static void free_wish(struct wish *w)
{
	defer_cancel(&w->tell);
	json_decref(w->data);
	free(w->path);
	free(w->target);
	free(w);
}

static void remove_wish(struct wish *w)
{
	map_del(w->app->routing->wishes, slice_of(w->path));
	free_wish(w);
}

static void set_wish(struct wish *w, const char *target, const json_t *data,
    int64_t id, routing_done_fn *done)
{
	char *copy = target ? xstrdup(target) : NULL;

	free(w->target);
	w->target = copy;
	json_decref(w->data);
	w->data = data ? json_deep_copy(data) : NULL;
	w->id = id;
	w->done = done;
	defer_cancel(&w->tell);
}

/* The newest wish came to an end; it may be gone afterwards. */
static void tell(struct wish *w, const struct err *err)
{
	struct app *app = w->app;
	routing_done_fn *done = w->done;
	bool wanted = w->target != NULL;
	int64_t id = w->id;

	w->done = NULL;
	if (!wanted)
		remove_wish(w);
	if (done)
		done(app, id, wanted, err);
}

static void on_tell(void *arg)
{
	const struct err none = { .code = ERR_NONE };

	tell(arg, &none);
}

/* ---- requests ------------------------------------------------------------ */

static void measure(const struct wish *w, const struct err *err)
{
	metrics_took(w->app,
	    w->is_adding ? METRIC_PROXY_ADD : METRIC_PROXY_DELETE,
	    clock_mono_us() - w->asked_us,
	    err->code == ERR_NONE ? "success" : "failure", NULL);
}

static void on_request_done(const struct err *err, void *arg)
{
	struct wish *w = arg;
	const struct err copy = *err;

	w->request = 0;
	w->app->routing->n_busy--;
	measure(w, err);
	if (w->is_stale) {
		issue(w);
		return;
	}
	w->in_force = copy.code == ERR_NONE;
	if (copy.code != ERR_NONE) {
		log_warn(NULL, "the proxy did not take a route",
		    "path=%.200s wanted=%d why=\"%s\"", w->path,
		    w->target != NULL, copy.text);
		reconcile_routes_soon(w->app);
	}
	tell(w, &copy);
}

static void issue(struct wish *w)
{
	struct proxy_client *proxy = w->app->proxy;

	w->is_stale = false;
	w->in_force = false;
	w->is_listed = true;
	w->app->routing->n_busy++;
	w->is_adding = w->target != NULL;
	w->asked_us = clock_mono_us();
	if (w->target)
		w->request = proxy_add(
		    proxy, w->path, w->target, w->data, on_request_done, w);
	else
		w->request = proxy_delete(proxy, w->path, on_request_done, w);
}

static void carry_out(struct wish *w)
{
	if (w->request)
		w->is_stale = true;
	else
		issue(w);
}

static bool is_in_force(
    const struct wish *w, const char *target, const json_t *data)
{
	return w->in_force && !w->request && str_eq(w->target, target) &&
	       json_equal(w->data, data);
}

void routing_want(struct app *app, const char *path, const char *target,
    const json_t *data, int64_t id, routing_done_fn *done)
{
	struct wish *w = find_or_add(app, path);
	bool holds = is_in_force(w, target, data);

	set_wish(w, target, data, id, done);
	if (holds)
		defer_call(app->loop, &w->tell, on_tell, w);
	else
		carry_out(w);
}

void routing_unwant(
    struct app *app, const char *path, int64_t id, routing_done_fn *done)
{
	struct wish *w = find_or_add(app, path);

	set_wish(w, NULL, NULL, id, done);
	carry_out(w);
}

void routing_hold(struct app *app, const char *path, const char *target,
    const json_t *data, int64_t id)
{
	struct wish *w = find_or_add(app, path);

	/* Something else may be on its way to the proxy: then say it again. */
	if (w->request) {
		routing_want(app, path, target, data, id, NULL);
		return;
	}
	set_wish(w, target, data, id, NULL);
	w->in_force = true;
}

void routing_forget(struct app *app, const char *path)
{
	struct wish *w = find(app, path);

	if (w)
		w->done = NULL;
}

/* ---- comparing ----------------------------------------------------------- */

/* scheme://host:port, whatever slash the proxy adds. */
static bool same_target(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);

	while (la > 0 && a[la - 1] == '/')
		la--;
	while (lb > 0 && b[lb - 1] == '/')
		lb--;
	return la == lb && memcmp(a, b, la) == 0;
}

static bool same_data(const json_t *data, const json_t *route)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)data, key, value) {
		if (!json_equal(value, json_object_get(route, key)))
			return false;
	}
	return true;
}

static void repair(struct wish *w, const char *why)
{
	log_info(
	    NULL, "route sent again", "path=%.200s why=\"%s\"", w->path, why);
	issue(w);
}

static void compare_wish(struct wish *w, const json_t *route)
{
	const char *target =
	    json_string_value(json_object_get(route, "target"));

	if (w->is_listed || !w->target || w->request)
		return;
	w->is_listed = true;
	if (target && same_target(target, w->target) &&
	    same_data(w->data, route))
		w->in_force = true;
	else
		repair(w, "the proxy had another target");
}

static void compare_stray(struct app *app, const char *path,
    const json_t *route, routing_stray_fn *stray)
{
	const char *user = json_string_value(json_object_get(route, "user"));
	const char *name =
	    json_string_value(json_object_get(route, "server_name"));
	const char *target =
	    json_string_value(json_object_get(route, "target"));

	const char *service =
	    json_string_value(json_object_get(route, "service"));

	/* Else it says nothing, or what the configuration does not name any
	 * more. */
	if (service ? service_is_in_doubt(app, service)
		    : user && !stray(app, user, name ? name : "",
				  target ? target : ""))
		return;
	log_info(NULL, "route of nobody is deleted", "path=%.200s", path);
	routing_unwant(app, path, 0, NULL);
}

static void warn_hosts(const char *path, bool wanted)
{
	if (wanted)
		log_warn(NULL,
		    "the proxy does not look at hosts, so no server can be "
		    "reached: start it with --host-routing",
		    "path=%.200s", path);
	else
		log_warn(NULL,
		    "the proxy looks at hosts, but hub.subdomain_host is not "
		    "set, so no server can be reached",
		    "path=%.200s", path);
}

/* By what a proxy says of a route one sees how it finds it: only one that looks
 * at hosts names the route's. */
static void check_hosts(struct app *app, const json_t *routes)
{
	bool wanted = domain_is_used(&app->cfg);
	const char *key;
	json_t *route;

	json_object_foreach ((json_t *)routes, key, route) {
		bool has_host = json_object_get(route, "host") != NULL;

		if (str_eq(key, "/") || has_host == wanted ||
		    !json_is_true(json_object_get(route, "jupyterhub")))
			continue;
		if (!app->routing->is_misled)
			warn_hosts(key, wanted);
		app->routing->is_misled = app->routing->is_misled_now = true;
		return;
	}
}

static void compare_one(struct app *app, struct arena *a, const char *key,
    const json_t *route, routing_stray_fn *stray)
{
	const char *path = url_escape_path(a, key);
	struct wish *w = find(app, path);

	if (!json_is_true(json_object_get(route, "jupyterhub")))
		return;
	if (w)
		compare_wish(w, route);
	else
		compare_stray(app, path, route, stray);
}

static void add_missing(struct app *app)
{
	const char *path;
	size_t pos = 0;
	void *value;

	while (map_next(app->routing->wishes, &pos, &path, &value)) {
		struct wish *w = value;

		if (w->target && !w->is_listed && !w->request)
			repair(w, "the proxy had none");
	}
}

void routing_compare_begin(struct app *app)
{
	const char *path;
	size_t pos = 0;
	void *value;

	while (map_next(app->routing->wishes, &pos, &path, &value))
		((struct wish *)value)->is_listed = false;
	app->routing->is_misled_now = false;
}

void routing_compare_part(
    struct app *app, const json_t *routes, routing_stray_fn *stray)
{
	const char *key;
	json_t *route;
	struct arena a;

	check_hosts(app, routes);
	arena_init(&a);
	json_object_foreach ((json_t *)routes, key, route)
		compare_one(app, &a, key, route, stray);
	arena_fini(&a);
}

void routing_compare_end(struct app *app)
{
	app->routing->is_misled = app->routing->is_misled_now;
	add_missing(app);
}

size_t routing_count_busy(const struct app *app)
{
	return app->routing->n_busy;
}

/* ---- life ---------------------------------------------------------------- */

struct routing *routing_new(struct app *app)
{
	struct routing *r = xcalloc(1, sizeof *r);

	r->app = app;
	r->wishes = map_new();
	return r;
}

void routing_free(struct routing **rp)
{
	struct routing *r = *rp;
	const char *path;
	size_t pos = 0;
	void *value;

	if (!r)
		return;
	while (map_next(r->wishes, &pos, &path, &value)) {
		struct wish *w = value;

		if (w->request)
			proxy_cancel(r->app->proxy, w->request);
		free_wish(w);
	}
	map_free(&r->wishes);
	free(r);
	*rp = NULL;
}
