/*
 * The way of a request: head -> match -> body -> gate -> handler. Everything of
 * one request lives in its arena and ends with route_done.
 */
#include "hub/route.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/multipart.h"
#include "base/num.h"
#include "hub/audit.h"
#include "hub/gate.h"
#include "hub/match.h"
#include "hub/metrics.h"
#include "hub/outside.h"
#include "hub/reply.h"
#include "hub/web.h"

#define ARGS_MAX 256

/* ---- finding the route -------------------------------------------- */

static bool is_method(const struct req *r, const char *method)
{
	return !strcmp(r->http->method, method);
}

static bool is_api_path(const char *below)
{
	return !strcmp(below, "/api") || str_starts(below, "/api/");
}

/* The path below the hub's prefix with its slash, or NULL. Whoever comes by
 * admin.sock need not know base_url. */
static const char *below_hub(const struct req *r)
{
	const char *hub = r->from_local ? "/hub/" : r->app->web->hub;
	size_t len = strlen(hub) - 1;

	if (strncmp(r->http->path, hub, len + 1) != 0)
		return NULL;
	return r->http->path + len;
}

static int find_route(struct req *r, struct err *err)
{
	const char *below = below_hub(r);
	struct match m;

	r->is_outside = below == NULL;
	r->gate = GATE_PAGE;
	if (!below)
		return 0;
	r->is_api = is_api_path(below);
	if (r->is_api)
		r->gate = GATE_API;
	if (match_path(&r->http->arena, r->http->method, below, &m, err) != 0)
		return -1;
	r->any = m.any;
	if (m.any) {
		r->path_known = true;
		r->gate = m.any->gate;
	}
	r->route = m.route;
	memcpy(r->params, m.params, sizeof r->params);
	r->user_param = m.user;
	r->server_param = m.server;
	r->group_param = m.group;
	r->service_param = m.service;
	r->tail = m.tail;
	return 0;
}

static size_t body_limit(const struct req *r)
{
	return r->route ? r->route->max_body : 65536;
}

/* A declared length over the route's limit: refused before it is read. */
static bool declares_too_much(const struct req *r)
{
	const char *text = http_header(r->http, "Content-Length");
	uint64_t len;
	struct err err;

	return text && num_u64(text, &len, &err) == 0 && len > body_limit(r);
}

static void refuse_size(struct req *r)
{
	reply_refusal(r, 413,
	    "The body of this request is too long: at most %zu bytes are "
	    "read here.",
	    body_limit(r));
}

static struct req *req_new(struct http_req *http, struct app *app)
{
	struct req *r = arena_alloc(&http->arena, sizeof *r);

	r->app = app;
	r->http = http;
	r->began_us = clock_mono_us();
	r->from_proxy = http->httpd == app->http_proxy;
	r->from_local = app->http_local && http->httpd == app->http_local;
	http->user = r;
	gate_origin(r);
	return r;
}

void route_head(struct http_req *http, void *arg)
{
	struct req *r = req_new(http, arg);
	struct err err = { 0 };

	if (find_route(r, &err) != 0)
		reply_refusal(r, 400, "%s", err.text);
	else if (declares_too_much(r))
		refuse_size(r);
}

/* ---- arguments ---------------------------------------------------- */

static bool has_form(const struct req *r)
{
	const char *type = http_header(r->http, "Content-Type");
	struct slice rest = slice_of(type ? type : ""), first;

	return slice_split(&rest, ';', &first) &&
	       slice_ieq(
		   slice_trim(first), "application/x-www-form-urlencoded");
}

/* Where browsers send forms. */
static bool is_page(const struct req *r)
{
	return r->gate == GATE_PAGE || r->gate == GATE_OPEN;
}

static int read_args(struct req *r, struct err *err)
{
	const char *type = http_header(r->http, "Content-Type");
	struct arena *a = &r->http->arena;

	if (r->http->query && url_parse_pairs(a, slice_of(r->http->query),
				  ARGS_MAX, &r->query, err) != 0)
		return err_wrap(err, "query");
	if (r->http->body.len > 0 && has_form(r) &&
	    url_parse_pairs(a, r->http->body, ARGS_MAX, &r->form, err) != 0)
		return err_wrap(err, "form");
	if (r->http->body.len > 0 && multipart_is_meant(type) && is_page(r))
		return multipart_parse(
		    a, type, r->http->body, ARGS_MAX, &r->form, err);
	return 0;
}

/* ---- the request -------------------------------------------------- */

/* Also where the handler would not look: nobody shall believe that a body was
 * understood which was not. */
static bool body_is_json(struct req *r)
{
	json_t *unused;

	if (r->gate != GATE_API || is_method(r, "GET"))
		return true;
	return req_json(r, &unused) >= 0;
}

static void pass_and_handle(struct req *r)
{
	if (!gate_pass(r) || !body_is_json(r))
		return;
	r->touches_user = r->gate != GATE_EITHER && r->gate != GATE_SCRAPE;
	r->route->handler(r);
}

void route_again(struct req *r)
{
	pass_and_handle(r);
}

static void run(struct req *r)
{
	struct err err = { 0 };

	if (outside_is_not_ours(r))
		return;
	if (r->is_outside && is_method(r, "GET")) {
		outside_get(r);
		return;
	}
	if (r->is_api && is_method(r, "OPTIONS")) {
		reply_empty(r, 200);
		return;
	}
	if (r->http->body.len > body_limit(r)) {
		refuse_size(r);
		return;
	}
	if (read_args(r, &err) != 0) {
		reply_refusal(r, 400, "%s", err.text);
		return;
	}
	pass_and_handle(r);
}

void route_request(struct http_req *http, void *arg)
{
	struct req *r = http->user;

	(void)arg;
	assert(r);
	if (r->app->stopping)
		reply_refusal(r, 503,
		    "The hub is being restarted. Try again in a moment; "
		    "notebooks are not affected.");
	else
		run(r);
}

/* Nothing waits for this write (contract/hub.md 2.2). */
static void touch(struct req *r)
{
	const struct principal_use use = {
		.now_us = clock_wall_us(),
		.step_us = r->app->cfg.activity_resolution_s * 1000000,
		.is_owners = r->touches_user,
	};
	struct err err = { 0 };

	if (r->who.kind == PRINCIPAL_NONE || !r->route || r->app->stopping)
		return;
	if (principal_touch(r->app->db, &r->who, &use, &err) != 0)
		log_warn(NULL, "activity not recorded", "why=%s", err.text);
}

void route_done(struct http_req *http, int status, void *arg)
{
	struct req *r = http->user;

	(void)arg;
	if (!r)
		return;
	http->user = NULL;
	log_debug(&(struct log_ctx){ .user = principal_name(&r->who) },
	    "request", "method=%s path=%s status=%d", http->method, http->path,
	    status);
	metrics_request(r, status);
	audit_request(r, status);
	reply_release(r);
	if (r->on_gone)
		r->on_gone(r);
	json_decref(r->json);
	touch(r);
}

/* ---- for handlers ------------------------------------------------- */

int req_json(struct req *r, json_t **out)
{
	struct err err = { 0 };

	*out = r->json;
	if (r->json)
		return 1;
	if (r->http->body.len == 0)
		return 0;
	if (r->json) {
		*out = r->json;
		return 1;
	}
	if (json_parse(r->http->body.p, r->http->body.len, &r->json, &err) !=
	    0) {
		reply_error(r, 400, "Invalid JSON in body of request");
		return -1;
	}
	*out = r->json;
	return 1;
}

const char *req_arg(const struct req *r, const char *name)
{
	const char *value = url_pair_get(&r->form, name);

	return value ? value : url_pair_get(&r->query, name);
}

const char *req_hub(struct req *r, const char *rest)
{
	return arena_printf(&r->http->arena, "%s%s", r->app->web->hub, rest);
}

const char *req_server_log_name(
    struct req *r, const char *user, const char *server)
{
	if (!server[0])
		return user;
	return arena_printf(&r->http->arena, "%s:%s", user, server);
}
