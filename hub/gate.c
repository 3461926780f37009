/*
 * See gate.h. The order of refusals is part of the contract: identity, XSRF,
 * unknown path or method, login, scopes.
 */
#include "hub/gate.h"

#include <string.h>
#include <unistd.h>

#include "base/cidr.h"
#include "base/log.h"
#include "db/session.h"
#include "hub/attempt.h"
#include "hub/credential.h"
#include "hub/front.h"
#include "hub/handlers.h"
#include "hub/match.h"
#include "hub/redirect.h"
#include "hub/refresh.h"
#include "hub/reply.h"
#include "hub/web.h"

/* ---- where from -----------------------------------------------------------
 */

static bool is_front_end(const struct req *r, const struct in6_addr *addr)
{
	const struct web *w = r->app->web;

	return cidr_has(w->front_ends, w->n_front_ends, addr);
}

/* The last address that is no front end's; of front ends alone the first. */
static const char *forwarded_for(struct req *r)
{
	const char *header = http_header_list(r->http, "X-Forwarded-For");
	struct slice rest = slice_of(header ? header : ""), item;
	char text[INET6_ADDRSTRLEN] = "";
	struct in6_addr addr;

	while (slice_split(&rest, ',', &item)) {
		/* No front end of ours said what stands before that. */
		if (cidr_parse_hop(slice_trim(item), &addr) != 0)
			*text = 0;
		else if (!*text || !is_front_end(r, &addr))
			cidr_format(&addr, text);
	}
	return arena_strdup(&r->http->arena, text);
}

static bool forwarded_https(const struct req *r)
{
	const char *header = http_header(r->http, "X-Forwarded-Proto");
	struct slice rest = slice_of(header ? header : ""), first;

	return slice_split(&rest, ',', &first) &&
	       slice_ieq(slice_trim(first), "https");
}

void gate_origin(struct req *r)
{
	const char *origin = r->app->web->public_origin;

	r->client = r->http->peer;
	if (r->from_proxy)
		r->client = forwarded_for(r);
	if (origin)
		r->is_https = str_starts(origin, "https:");
	else
		r->is_https = r->from_proxy && forwarded_https(r);
	r->cookie_env = (struct cookie_env){
		.base_path = r->app->web->base,
		.hub_path = r->app->web->hub,
		.domain = r->app->cfg.domain.host,
		.secure = r->is_https,
		.host_prefix = r->is_https && r->app->cfg.cookie_host_prefix,
	};
}

/* ---- what kind of request --------------------------------------------------
 */

static bool is_method(const struct req *r, const char *method)
{
	return !strcmp(r->http->method, method);
}

static bool is_reading(const struct req *r)
{
	return is_method(r, "GET") || is_method(r, "HEAD");
}

static bool is_api(const struct req *r)
{
	return r->gate == GATE_API;
}

static bool fetch_is(const struct req *r, const char *header, const char *value)
{
	const char *have = http_header(r->http, header);

	return have && !strcasecmp(have, value);
}

/* A browser that follows a link, or something that is no browser. */
static bool is_navigation(const struct req *r)
{
	return !http_header(r->http, "Sec-Fetch-Mode") ||
	       fetch_is(r, "Sec-Fetch-Mode", "navigate");
}

static struct slice cookie_header(const struct req *r)
{
	const char *header = http_header(r->http, "Cookie");

	return slice_of(header ? header : "");
}

/* ---- who -------------------------------------------------------------------
 */

static int by_token(struct req *r, struct err *err)
{
	const char *header = http_header(r->http, "Authorization");
	struct slice token;

	if ((r->gate != GATE_API && r->gate != GATE_EITHER &&
		r->gate != GATE_SCRAPE) ||
	    !header || !principal_bearer(header, &token))
		return 0;
	const char *text = arena_strndup(&r->http->arena, token.p, token.len);
	return credential_by_token(r->app, &r->http->arena, text, &r->who, err);
}

/* Whatever its parameters. */
static bool has_type(const struct req *r, const char *wanted)
{
	const char *type = http_header(r->http, "Content-Type");
	struct slice rest = slice_of(type ? type : ""), first;

	return slice_split(&rest, ';', &first) &&
	       slice_ieq(slice_trim(first), wanted);
}

/* A form of another site can send a body of these types only, so JSON with a
 * cookie must say that it is JSON (contract/hub.md 2.4). */
static bool has_foreign_body(const struct req *r)
{
	return is_api(r) && is_method(r, "POST") &&
	       http_header(r->http, "Content-Type") &&
	       !has_type(r, "application/json");
}

static int by_cookie(struct req *r, struct err *err)
{
	int found;

	if (!r->cookies.login[0] || has_foreign_body(r))
		return 0;
	found = credential_by_session(
	    r->app, &r->http->arena, r->cookies.login, &r->who, err);
	if (found != 1 || !front_names_another(r, r->who.user_name))
		return found;
	if (session_end(r->app->db, &r->who.session, err) != 0)
		return -1;
	log_info(&(struct log_ctx){ .user = r->who.user_name },
	    "session over: the front end names somebody else", "from=%s",
	    r->client);
	r->who = (struct principal){ 0 };
	return 0;
}

/* What a proxy sends on is never the administrator's own doing, whoever runs
 * the proxy. */
static bool is_forwarded(const struct req *r)
{
	return http_header(r->http, "X-Forwarded-For") ||
	       http_header(r->http, "X-Forwarded-Proto") ||
	       http_header(r->http, "Forwarded") ||
	       http_header(r->http, "Cookie");
}

/* By admin.sock: its mode keeps others out, and the kernel is asked as well. A
 * token that is shown counts instead. */
static int by_account(struct req *r, struct err *err)
{
	uid_t uid;

	if ((r->gate != GATE_API && r->gate != GATE_SCRAPE) ||
	    http_header(r->http, "Authorization") || is_forwarded(r))
		return 0;
	if (http_peer_uid(r->http, &uid, err) != 0)
		return -1;
	if (uid != 0 && uid != geteuid())
		return 0;
	return principal_local(&r->http->arena,
		   uid == 0 ? "local root" : "local account of the hub",
		   &r->who, err) == 0
		   ? 1
		   : -1;
}

/* A token that is not valid falls through to the cookie. */
static int identify(struct req *r, struct err *err)
{
	if (r->gate == GATE_PUBLIC || r->gate == GATE_OAUTH)
		return 0;
	r->who = (struct principal){ 0 };
	if (r->from_local) {
		int local = by_token(r, err);
		if (local == 0)
			local = by_account(r, err);
		return local < 0 ? -1 : 0;
	}
	cookie_read(cookie_header(r), &r->cookie_env, &r->cookies);
	int found = by_token(r, err);
	if (found == 0)
		found = by_cookie(r, err);
	return found < 0 ? -1 : 0;
}

/* ---- XSRF ------------------------------------------------------------------
 */

static struct xsrf_binding binding(const struct req *r)
{
	return (struct xsrf_binding){
		.login =
		    r->who.kind == PRINCIPAL_USER ? r->cookies.login : NULL,
		.browser = r->cookies.browser,
	};
}

/* Reading without a token: by scripts that are no browser, by navigation, by
 * images of our own pages, by WebSockets. Never for writing. */
static bool may_read_without_token(const struct req *r)
{
	if (!is_reading(r))
		return false;
	return is_navigation(r) || fetch_is(r, "Sec-Fetch-Mode", "websocket") ||
	       (fetch_is(r, "Sec-Fetch-Mode", "no-cors") &&
		   fetch_is(r, "Sec-Fetch-Site", "same-origin"));
}

/* A name and a password in the body are credentials too (contract/hub.md 1.9):
 * the handler asks for them. */
static bool brings_password(const struct req *r)
{
	return r->who.kind == PRINCIPAL_NONE && r->route &&
	       r->route->handler == api_tokens_post;
}

/* Browsers know no token of ours when they report what they refused. Another
 * site cannot have one send this type with our cookies: it is not among those
 * that need no leave (CORS), and a report to a stranger goes without cookies.
 */
static bool is_browsers_report(const struct req *r)
{
	return r->route && r->route->handler == page_csp_report &&
	       has_type(r, "application/csp-report");
}

static bool wants_xsrf(const struct req *r)
{
	if (r->gate == GATE_PUBLIC || r->gate == GATE_OAUTH ||
	    r->gate == GATE_LAUNCH || r->who.kind == PRINCIPAL_TOKEN ||
	    r->who.kind == PRINCIPAL_LOCAL || is_method(r, "HEAD") ||
	    is_method(r, "OPTIONS") || is_browsers_report(r))
		return false;
	if (!is_api(r))
		return !is_method(r, "GET");
	if (!r->path_known || brings_password(r) || may_read_without_token(r))
		return false;
	return r->who.kind == PRINCIPAL_USER ||
	       http_header(r->http, "Origin") != NULL;
}

static const char *submitted_token(const struct req *r)
{
	const char *t = req_arg(r, "_xsrf");

	if (!t)
		t = http_header(r->http, "X-XSRFToken");
	return t ? t : http_header(r->http, "X-CSRFToken");
}

/* A page of somebody else makes this browser ask, and it is no link that was
 * followed. */
static bool is_foreign_fetch(const struct req *r)
{
	return (fetch_is(r, "Sec-Fetch-Site", "cross-site") ||
		   fetch_is(r, "Sec-Fetch-Site", "same-site")) &&
	       !is_navigation(r);
}

/* The page of somebody's own host, which can plant cookies for ours, has a form
 * for us; "null" is what a frame of it may call itself. */
static bool is_neighbours_form(const struct req *r)
{
	const struct config *cfg = &r->app->cfg;
	const char *origin = http_header(r->http, "Origin");

	return domain_is_used(cfg) && origin && !is_reading(r) &&
	       r->who.kind != PRINCIPAL_TOKEN &&
	       (str_eq(origin, "null") || domain_is_origin_below(cfg, origin));
}

static void refuse_xsrf(struct req *r, enum xsrf_verdict v)
{
	const char *text = xsrf_text(&r->http->arena, v, r->http->method);

	if (is_api(r))
		reply_error(r, 403, "%s", text);
	else
		reply_page_error(r, 403,
		    "%s. The page that sent this was open for too long, or its "
		    "cookies are gone. Go to the home page and try again.",
		    text);
}

static bool pass_xsrf(struct req *r)
{
	struct xsrf_binding b = binding(r);

	if (((r->who.kind == PRINCIPAL_USER || r->gate == GATE_LAUNCH) &&
		is_foreign_fetch(r)) ||
	    is_neighbours_form(r)) {
		reply_refusal(r, 403, "Requests from other sites are refused.");
		return false;
	}
	if (!wants_xsrf(r))
		return true;
	enum xsrf_verdict v =
	    xsrf_check(&r->app->keys, &b, cookie_header(r), submitted_token(r));
	if (v == XSRF_OK)
		return true;
	if (r->route && r->route->handler == page_login_post) {
		page_login_expired(r);
		return false;
	}
	refuse_xsrf(r, v);
	return false;
}

/* The metrics, when the configuration shows them to everybody. */
static bool is_open_scrape(const struct req *r)
{
	return r->gate == GATE_SCRAPE && !r->app->cfg.authenticate_prometheus;
}

/* ---- may they ---------------------------------------------------------------
 */

static bool pass_login(struct req *r)
{
	if (r->who.kind != PRINCIPAL_NONE || r->gate == GATE_PUBLIC ||
	    r->gate == GATE_OPEN || r->gate == GATE_OAUTH ||
	    r->gate == GATE_LAUNCH || is_open_scrape(r) || brings_password(r))
		return true;
	if (is_api(r))
		reply_error(r, 403, "Missing or invalid credentials.");
	else if (r->gate == GATE_SCRAPE)
		reply_page_error(r, 403,
		    "A token with the scope read:metrics is needed here.");
	else if (is_reading(r))
		reply_redirect(r, 302, redirect_login(r));
	else
		reply_page_error(r, 403,
		    "You are not logged in, or your login is over. Log in and "
		    "try again.");
	return false;
}

static struct scope_resource resource(const struct req *r)
{
	struct scope_resource res = { 0 };

	switch (r->route->target) {
	case TARGET_NONE:
	case TARGET_USERS:
	case TARGET_GROUPS:
	case TARGET_SERVICES:
		break;
	case TARGET_SERVICE:
		res.service = r->service_param;
		break;
	case TARGET_GROUP:
		res.group = r->group_param;
		break;
	case TARGET_SERVER:
		res.server = r->server_param ? r->server_param : "";
		res.user = r->user_param ? r->user_param : r->who.user_name;
		break;
	case TARGET_USER:
		res.user = r->user_param ? r->user_param : r->who.user_name;
		break;
	}
	return res;
}

static const char *names_of(struct req *r)
{
	const char *list = "";

	for (size_t i = 0; i < ROUTE_SCOPES_MAX; i++) {
		enum scope_id id = r->route->scopes[i];
		if (id == SCOPE_NO_SCOPE)
			break;
		list = arena_printf(&r->http->arena, "%s%s%s", list,
		    i ? ", " : "", scope_name(id));
	}
	return list;
}

/* A listing shows what the scope is held for; the handler cuts it down. */
static bool may_list(const struct req *r)
{
	const struct scope_set *held = &r->who.scopes;
	enum scope_id id = r->route->scopes[0];

	if (r->route->target == TARGET_GROUPS)
		return scope_holds(held, id, FILTER_GROUP);
	if (r->route->target == TARGET_SERVICES)
		return scope_holds(held, id, FILTER_SERVICE);
	return r->route->target == TARGET_USERS &&
	       (scope_holds(held, id, FILTER_USER) ||
		   scope_holds(held, id, FILTER_GROUP));
}

void gate_weigh(const struct req *r, struct gate_verdict *out)
{
	struct scope_resource res = resource(r);

	*out = (struct gate_verdict){ .best = SCOPE_DENIED };
	if (r->route->scopes[0] == SCOPE_NO_SCOPE || is_open_scrape(r)) {
		out->best = SCOPE_GRANTED;
		return;
	}
	for (; out->n < ROUTE_SCOPES_MAX; out->n++) {
		enum scope_id id = r->route->scopes[out->n];
		if (id == SCOPE_NO_SCOPE)
			break;
		enum scope_verdict v =
		    principal_check(&r->who, r->app->db, id, &res);
		out->each[out->n] = v;
		out->best = v > out->best ? v : out->best;
	}
	out->is_listing = out->best != SCOPE_GRANTED && may_list(r);
}

static bool pass_scopes(struct req *r)
{
	struct gate_verdict v;

	gate_weigh(r, &v);
	if (v.best == SCOPE_GRANTED || v.is_listing)
		return true;
	if (v.best == SCOPE_OTHER)
		reply_no_access(r);
	else
		reply_refusal(r, 403,
		    "Action is not authorized with current scopes; requires "
		    "any of [%s]",
		    names_of(r));
	return false;
}

/* RFC 9110 15.5.6: what the path does have. */
static void set_allow(struct req *r)
{
	const char *list = r->is_api ? "OPTIONS" : "";
	size_t n;
	const struct route *table = match_table(&n);

	for (size_t i = 0; i < n; i++)
		if (r->any && !strcmp(table[i].pattern, r->any->pattern))
			list = arena_printf(&r->http->arena, "%s%s%s",
			    table[i].method, *list ? ", " : "", list);
	http_set(r->http, "Allow", list);
}

static bool pass_path(struct req *r)
{
	if (r->route)
		return true;
	if (r->is_outside && !is_method(r, "HEAD")) {
		reply_refusal(r, 403,
		    "Nothing can be sent to this address: no notebook server "
		    "runs here.");
	} else if (r->path_known || r->is_outside) {
		set_allow(r);
		reply_refusal(r, 405, "Method Not Allowed");
	} else {
		reply_refusal(r, 404, "Not Found");
	}
	return false;
}

static bool is_start(const struct req *r)
{
	return r->route && is_method(r, "POST") &&
	       (r->route->handler == api_server_post ||
		   r->route->handler == page_spawn);
}

/* Are they still who they were? */
static bool pass_refresh(struct req *r, struct err *err)
{
	bool now = r->app->cfg.refresh_pre_spawn && is_start(r);

	switch (refresh_check(r, now, err)) {
	case REFRESH_FRESH:
		break;
	case REFRESH_WAITS:
		return false;
	case REFRESH_REFUSED:
		r->who = (struct principal){ 0 };
		break;
	case REFRESH_ERROR:
		reply_err(r, err);
		return false;
	}
	return true;
}

bool gate_pass(struct req *r)
{
	struct err err = { 0 };

	if (identify(r, &err) != 0) {
		reply_err(r, &err);
		return false;
	}
	if (!pass_refresh(r, &err))
		return false;
	return pass_xsrf(r) && pass_path(r) && pass_login(r) && pass_scopes(r);
}

/* ---- cookies of pages -------------------------------------------------------
 */

static void set_cookie(struct req *r, const char *value)
{
	http_set(r->http, "Set-Cookie", value);
}

static void set_xsrf_cookie(struct req *r)
{
	set_cookie(r, cookie_xsrf(&r->http->arena, &r->cookie_env, r->xsrf,
			  r->who.kind != PRINCIPAL_USER));
}

static int mint(struct req *r)
{
	struct xsrf_binding b = binding(r);
	char token[XSRF_LEN + 1];

	if (xsrf_mint(&r->app->keys, &b, token) != 0)
		return -1;
	r->xsrf = arena_strdup(&r->http->arena, token);
	return 0;
}

/* The browser's session-id cookie must name the session, because notebook
 * servers tie their tokens to it (contract/hub.md 2.3). */
static void keep_session_id(struct req *r)
{
	const char *id = r->who.session.public_id;

	if (r->who.kind == PRINCIPAL_USER && !str_eq(r->cookies.session_id, id))
		set_cookie(
		    r, cookie_session_id(&r->http->arena, &r->cookie_env, id));
}

void gate_prepare_forms(struct req *r)
{
	struct arena *a = &r->http->arena;

	if (r->xsrf || r->gate == GATE_PUBLIC || r->gate == GATE_OAUTH)
		return;
	if (r->who.kind != PRINCIPAL_USER && !r->cookies.browser[0]) {
		browser_new(r->cookies.browser);
		set_cookie(
		    r, cookie_browser(a, &r->cookie_env, r->cookies.browser));
	}
	struct xsrf_binding b = binding(r);
	if (mint(r) != 0 || !is_navigation(r))
		return;
	if (r->who.kind != PRINCIPAL_USER ||
	    !xsrf_cookie_sent(&r->app->keys, &b, cookie_header(r)))
		set_xsrf_cookie(r);
	keep_session_id(r);
}

void gate_set_login(struct req *r, const char *secret, const char *session_id)
{
	struct arena *a = &r->http->arena;

	set_cookie(r, cookie_login(a, &r->cookie_env, secret,
			  r->app->cfg.cookie_max_age_s));
	set_cookie(r, cookie_session_id(a, &r->cookie_env, session_id));
	struct xsrf_binding b = { .login = secret };
	char token[XSRF_LEN + 1];
	if (xsrf_mint(&r->app->keys, &b, token) == 0)
		set_cookie(r, cookie_xsrf(a, &r->cookie_env, token, false));
}

void gate_clear_login(struct req *r)
{
	static const char *const names[] = { COOKIE_LOGIN, COOKIE_SESSION_ID,
		COOKIE_SERVICES, COOKIE_XSRF };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		set_cookie(
		    r, cookie_clear(&r->http->arena, &r->cookie_env, names[i]));
}
