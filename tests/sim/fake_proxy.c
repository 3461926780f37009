/*
 * See fake_proxy.h.
 */
#include "tests/sim/fake_proxy.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"

struct fake_proxy fake_proxy;

struct proxy_client {
	int unused;
};

struct proxy_client *proxy_client_new(
    struct loop *l, const struct proxy_client_options *opt)
{
	(void)l;
	(void)opt;
	return xcalloc(1, sizeof(struct proxy_client));
}

/* What was asked may still happen. */
void proxy_client_free(struct proxy_client **c)
{
	list_for_each (it, &fake_proxy.requests)
		LIST_ITEM(it, struct fake_request, link)->is_cancelled = true;
	free(*c);
	*c = NULL;
}

static struct fake_request *ask(enum fake_request_kind kind, const char *path)
{
	struct fake_request *r = xcalloc(1, sizeof *r);

	r->id = ++fake_proxy.last_id;
	r->kind = kind;
	r->path = xstrdup(path);
	list_add_tail(&fake_proxy.requests, &r->link);
	return r;
}

static uint64_t tell(struct fake_request *r)
{
	uint64_t id = r->id;

	if (fake_proxy.queued)
		fake_proxy.queued(r);
	return id;
}

uint64_t proxy_add(struct proxy_client *c, const char *path, const char *target,
    const json_t *data, proxy_done_fn *done, void *arg)
{
	struct fake_request *r = ask(FAKE_ADD, path);

	(void)c;
	r->target = xstrdup(target);
	r->data = json_deep_copy(data);
	r->done = done;
	r->arg = arg;
	return tell(r);
}

uint64_t proxy_delete(
    struct proxy_client *c, const char *path, proxy_done_fn *done, void *arg)
{
	struct fake_request *r = ask(FAKE_DELETE, path);

	(void)c;
	r->done = done;
	r->arg = arg;
	return tell(r);
}

uint64_t proxy_list(struct proxy_client *c, proxy_list_fn *done, void *arg)
{
	struct fake_request *r = ask(FAKE_ROUTES, "");

	(void)c;
	r->listed = done;
	r->arg = arg;
	return tell(r);
}

/* There is one proxy in this world. */
void proxy_client_point(
    struct proxy_client *c, const char *api_url, const char *token)
{
	(void)c;
	(void)api_url;
	(void)token;
}

void proxy_cancel(struct proxy_client *c, uint64_t id)
{
	(void)c;
	list_for_each (it, &fake_proxy.requests) {
		struct fake_request *r =
		    LIST_ITEM(it, struct fake_request, link);

		if (r->id == id)
			r->is_cancelled = true;
	}
}

/* ---- the table ----------------------------------------------------------- */

static const char *key_of(struct arena *a, const char *path)
{
	const char *key;
	struct err err;

	return url_decode(a, slice_of(path), &key, &err) == 0 ? key : path;
}

static void put(const struct fake_request *r, const char *key)
{
	json_t *route = json_deep_copy(r->data);
	char when[CLOCK_ISO_MAX];

	clock_format_iso_ms(clock_wall_us(), when);
	json_object_set_new(route, "target", json_string(r->target));
	json_object_set_new(route, "jupyterhub", json_true());
	json_object_set_new(route, "last_activity", json_string(when));
	json_object_set_new(fake_proxy.routes, key, route);
}

void fake_proxy_apply(struct fake_request *r)
{
	struct arena a;

	arena_init(&a);
	if (r->kind == FAKE_ADD)
		put(r, key_of(&a, r->path));
	else if (r->kind == FAKE_DELETE)
		json_object_del(fake_proxy.routes, key_of(&a, r->path));
	else
		r->snapshot = json_deep_copy(fake_proxy.routes);
	r->is_applied = true;
	arena_fini(&a);
}

static void free_request(struct fake_request *r)
{
	json_decref(r->data);
	json_decref(r->snapshot);
	free(r->path);
	free(r->target);
	free(r);
}

void fake_proxy_answer(struct fake_request *r, enum err_code code)
{
	struct err err = { .code = code };

	list_del(&r->link);
	if (code != ERR_NONE)
		err_set(&err, code, "the proxy failed on purpose");
	if (r->kind != FAKE_ROUTES) {
		if (!r->is_cancelled)
			r->done(&err, r->arg);
	} else {
		if (!r->is_cancelled && code == ERR_NONE)
			r->listed(&err, r->snapshot, r->arg);
		if (!r->is_cancelled)
			r->listed(&err, NULL, r->arg);
	}
	free_request(r);
}

void fake_proxy_serve(void)
{
	while (!list_empty(&fake_proxy.requests)) {
		struct fake_request *r = LIST_ITEM(
		    fake_proxy.requests.next, struct fake_request, link);

		if (!r->is_applied)
			fake_proxy_apply(r);
		fake_proxy_answer(r, ERR_NONE);
	}
}

void fake_proxy_forget(void)
{
	json_object_clear(fake_proxy.routes);
}

const char *fake_proxy_target(const char *path)
{
	return json_string_value(json_object_get(
	    json_object_get(fake_proxy.routes, path), "target"));
}

void fake_proxy_init(void)
{
	fake_proxy = (struct fake_proxy){ .routes = json_object() };
	list_init(&fake_proxy.requests);
}

void fake_proxy_fini(void)
{
	list_for_each (it, &fake_proxy.requests) {
		list_del(it);
		free_request(LIST_ITEM(it, struct fake_request, link));
	}
	json_decref(fake_proxy.routes);
	fake_proxy.routes = NULL;
}
