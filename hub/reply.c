/*
 * Answers. What every answer carries (contract/hub.md 0.2) is set here and
 * nowhere else, and every answer waits until what was committed before it is on
 * disk.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "hub/assets.h"
#include "hub/gate.h"
#include "hub/model_service.h"
#include "hub/own_pages.h"
#include "hub/redirect.h"
#include "hub/reply.h"
#include "hub/route.h"
#include "hub/tmpl.h"
#include "hub/web.h"

#define PAGE_MAX (512 * 1024)

struct held_reply {
	int status;
	char *body; /* malloc'ed */
	size_t len;
};

/* ---- headers ----------------------------------------------------------------
 */

static void set(struct req *r, const char *name, const char *value)
{
	http_set(r->http, name, value);
}

static void set_standard(struct req *r)
{
	set(r, "X-JupyterHub-Version", COMPAT_VERSION);
	set(r, "Access-Control-Allow-Headers",
	    "accept, content-type, authorization");
	set(r, "X-Content-Type-Options", "nosniff");
}

static void set_plain(struct req *r, const char *cache)
{
	set_standard(r);
	set(r, "Content-Security-Policy",
	    arena_printf(&r->http->arena,
		"frame-ancestors 'none'; report-uri %ssecurity/csp-report; "
		"default-src 'none'",
		r->app->web->hub));
	set(r, "Cache-Control", cache);
}

static void set_api(struct req *r)
{
	set_plain(r, "no-store");
}

static void set_page(struct req *r)
{
	set_standard(r);
	set(r, "Content-Security-Policy",
	    arena_printf(&r->http->arena,
		"default-src 'none'; script-src 'self'; style-src 'self'; "
		"img-src 'self'; connect-src 'self'; form-action %s; "
		"base-uri 'none'; frame-ancestors %s; "
		"report-uri %ssecurity/csp-report",
		r->form_action ? r->form_action : r->app->web->form_action,
		r->may_be_framed ? "*" : "'none'", r->app->web->hub));
	set(r, "Referrer-Policy", "same-origin");
	if (!r->may_be_framed)
		set(r, "X-Frame-Options", "DENY");
	set(r, "Cache-Control", "no-store");
}

/* ---- waiting for the disk ----------------------------------------- */

static void send_held(struct req *r)
{
	struct held_reply *h = r->held;
	char *body = h->body;

	h->body = NULL;
	http_reply_take(r->http, h->status, body, h->len);
}

/* What would be acknowledged is not on disk and never will be: no answer
 * leaves, and the connection ends with the program. */
static void on_durable(const struct err *err, void *arg)
{
	struct req *r = arg;

	if (err && err->code != ERR_NONE)
		app_fail(r->app, err);
	else
		send_held(r);
}

void reply_release(struct req *r)
{
	db_waiter_cancel(&r->waiter);
	if (r->held)
		free(r->held->body);
	r->held = NULL;
}

/* What the administrator wants to be said (hub.headers). */
static void set_configured(struct req *r)
{
	const struct conf_pairs *more = &r->app->cfg.headers;

	for (size_t i = 0; i < more->n; i++)
		http_replace(
		    r->http, more->items[i].name, more->items[i].value);
}

/* `body` is malloc'ed and taken. When all is on disk nobody waits. */
static void deliver(struct req *r, int status, char *body, size_t len)
{
	if (r->held) {
		log_error(NULL, "request answered twice", "status=%d", status);
		free(body);
		return;
	}
	r->held = arena_alloc(&r->http->arena, sizeof *r->held);
	*r->held = (struct held_reply){ status, body, len };
	set_configured(r);
	if (db_is_durable(r->app->db))
		send_held(r);
	else
		db_when_durable(r->app->db, &r->waiter, on_durable, r);
}

/* ---- API ---------------------------------------------------------- */

static void send_json(struct req *r, int status, json_t *take)
{
	size_t len;
	char *text = json_text(take, &len);

	json_decref(take);
	set(r, "Content-Type", "application/json");
	deliver(r, status, text, len);
}

/* A page asked: the answer is for it (page_form.c). */
static bool is_for_page(struct req *r, int status, json_t *take)
{
	answer_fn *fn = r->on_answer;

	r->on_answer = NULL;
	if (fn)
		fn(r, status, take);
	return fn != NULL;
}

void reply_jsonw(struct req *r, int status, struct jsonw *w)
{
	size_t len;
	char *text = jsonw_steal(w, &len);
	json_t *value = NULL;

	/* A page wants the value; what we wrote is JSON. */
	if (r->on_answer && json_parse(text, len, &value, NULL) == 0 &&
	    is_for_page(r, status, value)) {
		free(text);
		return;
	}
	set_api(r);
	set(r, "Content-Type", "application/json");
	deliver(r, status, text, len);
}

void reply_json(struct req *r, int status, json_t *take)
{
	if (is_for_page(r, status, take))
		return;
	set_api(r);
	send_json(r, status, take);
}

static void error_text(struct req *r, int status, const char *text)
{
	reply_json(r, status,
	    json_pack("{s:i, s:s}", "status", status, "message", text));
}

void reply_error(struct req *r, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	const char *text = arena_vprintf(&r->http->arena, fmt, ap);
	va_end(ap);
	error_text(r, status, text);
}

static int status_of(enum err_code code)
{
	switch (code) {
	case ERR_INVALID:
	case ERR_BUSY:
		return 400;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_EXISTS:
		return 409;
	case ERR_DENIED:
		return 403;
	case ERR_LIMIT:
		return 429;
	case ERR_TIMEOUT:
		return 504;
	case ERR_UNAVAILABLE:
		return 503;
	case ERR_PROTOCOL:
		return 502;
	case ERR_NONE:
	case ERR_IO:
	case ERR_CANCELLED:
	case ERR_INTERNAL:
		break;
	}
	return 500;
}

/* Not by JSON. */
static bool is_refused_by_page(const struct req *r)
{
	return r->gate != GATE_API && r->gate != GATE_OAUTH &&
	       !(r->gate == GATE_PUBLIC && r->is_api);
}

/* Too many at once must not come back at once (contract/hub.md 4.7). */
static void set_retry(struct req *r, int status)
{
	if (status == 429)
		set(r, "Retry-After",
		    arena_printf(
			&r->http->arena, "%d", 30 + (int)rand_below(31)));
	else if (status == 503)
		set(r, "Retry-After", "10");
}

void reply_err(struct req *r, const struct err *err)
{
	int status = status_of(err->code);

	if (status != 500) {
		set_retry(r, status);
		reply_refusal(r, status, "%s", err->text);
		return;
	}
	const char *id = arena_printf(
	    &r->http->arena, "%llu", (unsigned long long)r->http->id);
	log_error(
	    &(struct log_ctx){ .request = id, .user = principal_name(&r->who) },
	    "request failed", "code=%s why=%s", err_code_name(err->code),
	    err->text);
	if (is_refused_by_page(r))
		reply_page_error(r, 500,
		    "The hub could not do this. Try again in a moment; if it "
		    "stays so, tell its administrator: the reason stands in "
		    "the hub's log (request %s).",
		    id);
	else
		reply_refusal(r, 500, "Internal Server Error");
}

void reply_empty(struct req *r, int status)
{
	if (is_for_page(r, status, json_null()))
		return;
	set_api(r);
	set(r, "Content-Type", "text/plain");
	deliver(r, status, NULL, 0);
}

void reply_redirect(struct req *r, int status, const char *location)
{
	gate_prepare_forms(r);
	set_page(r);
	set(r, "Location", redirect_header(&r->http->arena, location));
	set(r, "Content-Type", "text/html; charset=utf-8");
	deliver(r, status, NULL, 0);
}

void reply_set_stream(struct req *r, const char *content_type)
{
	set_plain(r, "no-cache");
	set(r, "Content-Type", content_type);
	set_configured(r);
}

void reply_text(struct req *r, int status, const char *type, const char *text)
{
	set_api(r);
	set(r, "Content-Type", type);
	deliver(r, status, xstrdup(text), strlen(text));
}

/* ---- files -------------------------------------------------------- */

void reply_file(struct req *r, const struct asset *file, bool for_ever)
{
	const char *etag = arena_printf(&r->http->arena, "\"%s\"", file->hash);
	const char *have = http_header(r->http, "If-None-Match");

	set_plain(
	    r, for_ever ? "public, max-age=31536000, immutable" : "no-cache");
	set(r, "ETag", etag);
	if (have && strstr(have, etag)) {
		deliver(r, 304, NULL, 0);
		return;
	}
	set(r, "Content-Type", file->content_type);
	deliver(r, 200, xmemdup(file->file->data, file->file->len),
	    file->file->len);
}

/* ---- pages -------------------------------------------------------- */

static bool may_administer(const struct req *r)
{
	const struct scope_resource nothing = { 0 };

	return principal_check(&r->who, r->app->db, SCOPE_ADMIN_UI, &nothing) ==
	       SCOPE_GRANTED;
}

/* What every template may use; docs/adding.md lists it. */
static json_t *common(struct req *r, const char *page)
{
	const struct web *w = r->app->web;
	json_t *c = json_pack("{s:s, s:s, s:s, s:s, s:s*}", "hub", w->hub,
	    "base", w->base, "version", assets_version(w->assets), "logo",
	    w->logo->hash, "xsrf", r->xsrf);

	own_vars_add(c, &r->app->cfg, page);
	if (r->who.kind == PRINCIPAL_USER)
		json_object_set_new(c, "services", model_services_shown(r));
	if (r->who.kind == PRINCIPAL_USER)
		json_object_set_new(c, "me",
		    json_pack("{s:s, s:b, s:b}", "name", r->who.user_name,
			"admin", r->who.admin, "may_administer",
			may_administer(r)));
	return c;
}

static void render(struct req *r, int status, const char *page, json_t *take)
{
	struct err err = { 0 };
	struct buf out;
	json_t *shared = common(r, page);

	buf_init(&out, PAGE_MAX);
	if (tmpl_render(r->app->web->pages, page, take, shared, &out, &err) !=
	    0) {
		log_error(NULL, "page not rendered", "page=%s why=%s", page,
		    err.text);
		buf_reset(&out);
		buf_str(&out, "This page cannot be shown.\n");
		status = 500;
	}
	json_decref(shared);
	json_decref(take);
	set(r, "Content-Type", "text/html; charset=utf-8");
	size_t len = out.len;
	deliver(r, status, buf_steal(&out), len);
	buf_fini(&out);
}

void reply_page(struct req *r, int status, const char *page, json_t *take)
{
	gate_prepare_forms(r);
	set_page(r);
	render(r, status, page, take);
}

const char *reply_reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
		{ 400, "Bad request" },
		{ 403, "Not permitted" },
		{ 404, "Not found" },
		{ 405, "Method not allowed" },
		{ 409, "Conflict" },
		{ 413, "Too large" },
		{ 424, "Server not running" },
		{ 429, "Too many requests" },
		{ 500, "Something went wrong" },
		{ 502, "Bad gateway" },
		{ 503, "Not available" },
		{ 504, "No answer in time" },
	};

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return status < 500 ? "This did not work" : "Something went wrong";
}

static void page_error_text(struct req *r, int status, const char *text)
{
	reply_page(r, status, "error",
	    json_pack("{s:s, s:i, s:s, s:s}", "title", reply_reason(status),
		"status", status, "reason", reply_reason(status), "message",
		text));
}

void reply_page_error(struct req *r, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	const char *text = arena_vprintf(&r->http->arena, fmt, ap);
	va_end(ap);
	page_error_text(r, status, text);
}

static void oauth_error_text(struct req *r, int status, const char *text)
{
	reply_json(r, status,
	    json_pack("{s:s, s:s}", "error",
		status < 500 ? "invalid_request" : "server_error",
		"error_description", text));
}

void reply_refusal(struct req *r, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	const char *text = arena_vprintf(&r->http->arena, fmt, ap);
	va_end(ap);
	if (is_refused_by_page(r))
		page_error_text(r, status, text);
	else if (r->gate == GATE_OAUTH)
		oauth_error_text(r, status, text);
	else
		error_text(r, status, text);
}

void reply_no_access(struct req *r)
{
	if (r->gate == GATE_API)
		reply_error(
		    r, 404, "No access to resources or resources not found");
	else
		reply_page_error(r, 404,
		    "No access: there is no such person or server, or it is "
		    "not yours to use.");
}
