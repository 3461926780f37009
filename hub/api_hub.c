/*
 * The hub itself over REST: what it is, how it ends, what the proxy knows
 * (contract/hub.md 1.4, 1.13).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/authenticator.h"
#include "base/log.h"
#include "hub/handlers.h"
#include "hub/paging.h"
#include "proxy/client.h"

/* ---- info --------------------------------------------------------- */

static const char *own_path(struct req *r)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path);

	if (n <= 0 || !utf8_valid(path, (size_t)n))
		return "carrel-hub";
	return arena_strndup(&r->http->arena, path, (size_t)n);
}

/* The members are the reference's; there is no Python here. */
void api_info(struct req *r)
{
	reply_json(r, 200,
	    json_pack("{s:s, s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s}}", "version",
		COMPAT_VERSION, "python", "none: Carrel " CARREL_VERSION,
		"sys_executable", own_path(r), "spawner", "class",
		"carrel-spawner", "version", CARREL_VERSION, "authenticator",
		"class", r->app->auth_kind->name, "version", CARREL_VERSION));
}

/* ---- shutdown ----------------------------------------------------- */

/* 0 and 1 are meant as truth, as the reference has it. -1: answered. */
static int read_flag(
    struct req *r, const json_t *body, const char *name, bool *out)
{
	const json_t *v = json_object_get(body, name);

	*out = false;
	if (!v)
		return 0;
	if (json_is_boolean(v) ||
	    (json_is_integer(v) && json_integer_value(v) >= 0 &&
		json_integer_value(v) <= 1)) {
		*out = json_is_true(v) || json_integer_value(v) == 1;
		return 0;
	}
	reply_error(
	    r, 400, "%s must be true or false, got something else", name);
	return -1;
}

/* The proxy is a program of its own: it is never ended from here, and says so
 * to people while the hub is away. */
void api_shutdown(struct req *r)
{
	bool with_proxy, with_servers;
	json_t *body;
	int has = req_json(r, &body);

	if (has < 0)
		return;
	if (has && !json_is_object(body) && !json_is_null(body)) {
		reply_error(r, 400, "Body must be a JSON object");
		return;
	}
	if (read_flag(r, body, "proxy", &with_proxy) != 0 ||
	    read_flag(r, body, "servers", &with_servers) != 0)
		return;
	log_info(&(struct log_ctx){ .user = principal_name(&r->who) },
	    "shutdown asked", "servers=%d", with_servers);
	reply_json(r, 202, json_pack("{s:s}", "message", "Shutting down Hub"));
	app_stop_soon(r->app, with_servers);
}

/* ---- the proxy's routes ------------------------------------------- */

struct asking {
	struct req *r;
	struct paging page;
	uint64_t id;
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

	r->on_gone = NULL;
	if (err->code != ERR_NONE) {
		reply_error(r, 502, "The proxy does not tell its routes: %s",
		    err->text);
		return;
	}
	json_t *items = page_of(r, &a->page, routes, &total);
	paging_reply(r, &a->page, items, total);
}

static void on_asking_gone(struct req *r)
{
	const struct asking *a = r->state;

	proxy_cancel(r->app->proxy, a->id);
}

void api_proxy_get(struct req *r)
{
	struct asking *a = arena_alloc(&r->http->arena, sizeof *a);

	a->r = r;
	if (paging_read(r, &a->page) != 0)
		return;
	r->state = a;
	r->on_gone = on_asking_gone;
	a->id = proxy_list(r->app->proxy, on_routes, a);
}
