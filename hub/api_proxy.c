/*
 * The proxy over REST: its routes, a check of them, another proxy
 * (contract/hub.md 1.13).
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "hub/handlers.h"
#include "hub/paging.h"
#include "hub/reconcile.h"
#include "proxy/client.h"

/* ---- its routes --------------------------------------------------- */

struct asking {
	struct req *r;
	struct paging page;
	uint64_t id;
	json_t *routes; /* until now */
};

/* "/user/alice" is "/user/alice/" in the hub's words, and with a host in front
 * "alice.hub.example/user/alice/". */
static const char *spec_of(struct req *r, const char *path)
{
	if (domain_is_used(&r->app->cfg) && path[0] == '/' && path[1])
		path++;
	if (str_ends(path, "/"))
		return path;
	return arena_printf(&r->http->arena, "%s/", path);
}

static json_t *route_model(const char *spec, const json_t *route)
{
	json_t *data = json_copy((json_t *)(uintptr_t)route);
	json_t *target = json_incref(json_object_get(data, "target"));

	json_object_del(data, "target");
	json_object_del(data, "jupyterhub");
	return json_pack("{s:s, s:o, s:o}", "routespec", spec, "target",
	    target ? target : json_null(), "data", data);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Only routes of a hub, sorted, and of them one page. */
static json_t *page_of(
    struct req *r, const struct paging *p, const json_t *routes, int64_t *total)
{
	size_t max = json_object_size(routes), n = 0;
	const char **paths =
	    arena_array(&r->http->arena, max + 1, sizeof *paths);
	json_t *out = json_object(), *route;
	const char *path;

	json_object_foreach ((json_t *)(uintptr_t)routes, path, route) {
		if (json_object_get(route, "jupyterhub"))
			paths[n++] = path;
	}
	qsort(paths, n, sizeof *paths, by_text);
	*total = (int64_t)n;
	for (int64_t i = p->offset, left = p->limit; i < (int64_t)n && left > 0;
	     i++, left--) {
		const char *spec = spec_of(r, paths[i]);
		json_object_set_new(out, spec,
		    route_model(spec, json_object_get(routes, paths[i])));
	}
	return out;
}

static void on_routes(const struct err *err, const json_t *routes, void *arg)
{
	struct asking *a = arg;
	struct req *r = a->r;
	int64_t total;

	if (routes) {
		json_object_update(a->routes, (json_t *)(uintptr_t)routes);
		return;
	}
	r->on_gone = NULL;
	if (err->code != ERR_NONE) {
		json_decref(a->routes);
		reply_error(r, 502, "The proxy does not tell its routes: %s",
		    err->text);
		return;
	}
	json_t *items = page_of(r, &a->page, a->routes, &total);
	json_decref(a->routes);
	paging_reply(r, &a->page, items, total);
}

static void on_asking_gone(struct req *r)
{
	const struct asking *a = r->state;

	proxy_cancel(r->app->proxy, a->id);
	json_decref(a->routes);
}

void api_proxy_get(struct req *r)
{
	struct asking *a = arena_alloc(&r->http->arena, sizeof *a);

	a->r = r;
	if (paging_read(r, &a->page) != 0)
		return;
	r->state = a;
	r->on_gone = on_asking_gone;
	a->routes = json_object();
	a->id = proxy_list(r->app->proxy, on_routes, a);
}

/* ---- checking them ------------------------------------------------ */

struct check {
	struct reconcile_watch watch;
	struct req *r;
};

static void on_checked(struct reconcile_watch *w, const struct err *err)
{
	struct check *c = LIST_ITEM(w, struct check, watch);
	struct req *r = c->r;

	r->on_gone = NULL;
	if (err->code == ERR_NONE)
		reply_empty(r, 200);
	else
		reply_error(r, 502, "The proxy does not tell its routes: %s",
		    err->text);
}

static void on_check_gone(struct req *r)
{
	struct check *c = r->state;

	reconcile_routes_unwatch(&c->watch);
}

/* Answered once a listing has come that needed no repair. */
static void check_routes(struct req *r)
{
	struct check *c = arena_alloc(&r->http->arena, sizeof *c);

	c->r = r;
	c->watch.done = on_checked;
	r->state = c;
	r->on_gone = on_check_gone;
	reconcile_routes_watch(r->app, &c->watch);
}

void api_proxy_post(struct req *r)
{
	check_routes(r);
}

/* ---- another proxy ------------------------------------------------ */

static int refuse(struct req *r, const char *text)
{
	reply_error(r, 400, "%s", text);
	return -1;
}

/* A member that is a text, if it is there. -1: answered. */
static int read_text(
    struct req *r, const json_t *body, const char *name, const char **out)
{
	const json_t *v = json_object_get(body, name);

	*out = json_string_value(v);
	if (!v || (*out && **out && !str_has_control(*out, strlen(*out))))
		return 0;
	reply_error(r, 400, "%s must be a string that is not empty", name);
	return -1;
}

static int check_url(struct req *r, const char *text)
{
	struct url u;
	struct err err = { 0 };

	if (url_parse(&r->http->arena, text, &u, &err) == 0 &&
	    (str_starts(text, "http://") || str_starts(text, "https://")))
		return 0;
	return refuse(r, "api_url must be a URL of http or https");
}

/* Until the hub is started anew, which goes by its own flags again. */
void api_proxy_patch(struct req *r)
{
	const char *url, *token;
	json_t *body;
	int has = req_json(r, &body);

	if (has < 0)
		return;
	if (!has) {
		refuse(r, "need JSON body");
		return;
	}
	if (!json_is_object(body)) {
		refuse(r, "Request body must be JSON dict");
		return;
	}
	if (read_text(r, body, "api_url", &url) != 0 ||
	    read_text(r, body, "auth_token", &token) != 0 ||
	    (url && check_url(r, url) != 0))
		return;
	proxy_client_point(r->app->proxy, url, token);
	log_info(&(struct log_ctx){ .user = principal_name(&r->who) },
	    "another proxy from now on", "url=%s new-token=%d",
	    url ? url : "same", token != NULL);
	check_routes(r);
}
