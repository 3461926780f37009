/*
 * See providers.h.
 */
#include "hub/providers.h"

#include <stdlib.h>
#include <string.h>

#include "auth/cookie.h"
#include "auth/lti.h"
#include "auth/provider.h"
#include "base/clock.h"
#include "base/fetch.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/again.h"
#include "hub/attempt.h"
#include "hub/redirect.h"
#include "hub/web.h"

#define PROVIDERS_MAX   20
#define CONNECTIONS_MAX 32
/* The listener's own limit is 120 s. */
#define WAIT_MS         90000

struct visit {
	struct list link;
	struct providers *owner;
	struct authenticator *au;
	uint64_t id;
	struct req *req;
	struct timer deadline;
};

/* Somebody is asked for again. */
struct question {
	struct list link;
	struct authenticator *au;
	uint64_t id;
	providers_refreshed_fn *fn;
	void *arg;
};

struct providers {
	struct app *app; /* NULL: only to check */
	const struct config *cfg;
	/* Of their own: a provider that hangs keeps nobody from their server.
	 */
	struct fetcher *fetcher;
	struct authenticator *items[PROVIDERS_MAX];
	size_t n;
	struct list visits;
	size_t n_visits;
	struct list questions;
	uint64_t last_id; /* of both */
	struct auth_sink sink;
	struct trips trips;
};

/* ---- visits -------------------------------------------------------- */

static void forget(struct visit *v)
{
	timer_stop(&v->deadline);
	list_del(&v->link);
	v->owner->n_visits--;
	v->req->on_gone = NULL;
	v->req->state = NULL;
	free(v);
}

static struct req *cancel(struct visit *v)
{
	struct req *r = v->req;

	v->au->kind->cancel(v->au, v->id);
	forget(v);
	return r;
}

/* The request of that visit, which is about to be answered; NULL: it left. */
static struct req *take(struct providers *p, uint64_t id)
{
	list_for_each (it, &p->visits) {
		struct visit *v = LIST_ITEM(it, struct visit, link);
		struct req *r = v->req;

		if (v->id != id)
			continue;
		forget(v);
		return r;
	}
	return NULL;
}

static void on_gone(struct req *r)
{
	if (r->state)
		(void)cancel(r->state);
}

static void on_deadline(struct timer *t, void *arg)
{
	struct req *r = cancel(arg);

	(void)t;
	page_login_problem(
	    r, 503, "The login took too long. Please try again.");
}

static struct visit *visit_new(
    struct req *r, struct authenticator *au, struct err *err)
{
	struct providers *p = r->app->providers;
	struct visit *v;

	/* The fetcher has a queue of its own. */
	if (p->n_visits >=
	    (size_t)(r->app->cfg.max_logins + r->app->cfg.max_waiting_logins)) {
		(void)err_set(err, ERR_LIMIT,
		    "Too many people are logging in right now. Try again in a "
		    "few seconds.");
		return NULL;
	}
	v = xcalloc(1, sizeof *v);
	v->owner = p;
	v->au = au;
	v->id = ++p->last_id;
	v->req = r;
	r->state = v;
	r->on_gone = on_gone;
	list_add_tail(&p->visits, &v->link);
	p->n_visits++;
	timer_start(r->app->loop, &v->deadline, WAIT_MS, on_deadline, v);
	return v;
}

/* ---- what an authenticator says ------------------------------------ */

static void on_redirect(uint64_t id, const char *url, void *arg)
{
	struct req *r = take(arg, id);

	if (r)
		reply_redirect(r, 302, url);
}

static struct question *find_question(struct providers *p, uint64_t id)
{
	list_for_each (it, &p->questions) {
		struct question *q = LIST_ITEM(it, struct question, link);

		if (q->id == id)
			return q;
	}
	return NULL;
}

static void question_free(struct question *q)
{
	list_del(&q->link);
	free(q);
}

/* What is refused here was said by the provider: nobody guessed a password, so
 * the throttle hears nothing of it. */
static void on_done(uint64_t id, enum auth_result res,
    const struct auth_identity *identity, const char *text, void *arg)
{
	struct question *q = find_question(arg, id);
	struct req *r;

	if (q) {
		const struct question copy = *q;

		question_free(q);
		copy.fn(res, identity, text, copy.arg);
		return;
	}
	r = take(arg, id);
	if (!r)
		return;
	if (res == AUTH_RES_OK && identity->next)
		r->next = arena_strdup(&r->http->arena, identity->next);
	if (res == AUTH_RES_OK)
		page_login_ended(r, identity->name, res, identity, "");
	else if (res == AUTH_RES_DENIED)
		page_login_denied(r, text);
	else
		page_login_problem(r, 503, text);
}

/* ---- cookies ------------------------------------------------------- */

static int set_cookie(struct req *r, const char *name, const char *value,
    int64_t max_age_s, bool cross_site, struct err *err)
{
	const struct cookie_out c = {
		.name = name,
		.value = value,
		.path = r->cookie_env.hub_path,
		.max_age_s = max_age_s,
		.http_only = true,
		.secure = r->cookie_env.secure,
		.cross_site = cross_site,
	};
	const char *text;

	if (cookie_build(&r->http->arena, &c, &text, err) != 0)
		return -1;
	http_set(r->http, "Set-Cookie", text);
	return 0;
}

static struct slice cookies_of(const struct req *r)
{
	const char *header = http_header(r->http, "Cookie");

	return slice_of(
	    header && strlen(header) <= COOKIE_HEADER_MAX ? header : "");
}

/* Logins that were begun and left do not fill the browser's head. */
static int drop_old_trips(struct req *r, struct err *err)
{
	const char **names;
	size_t n = trip_cookies(&r->http->arena, cookies_of(r), &names);

	for (size_t i = 0; n >= TRIP_COOKIES_MAX && i < n; i++) {
		if (set_cookie(r, names[i], "", -1, false, err) != 0)
			return -1;
	}
	return 0;
}

/* ---- out and back -------------------------------------------------- */

static struct authenticator *find(const struct providers *p, const char *name)
{
	for (size_t i = 0; p && i < p->n; i++) {
		if (str_eq(provider_name(p->items[i]), name))
			return p->items[i];
	}
	return NULL;
}

const char *providers_only(const struct providers *p)
{
	const char *name = NULL;

	for (size_t i = 0; p && i < p->n; i++) {
		if (!provider_has_door(p->items[i]))
			continue;
		if (name)
			return NULL;
		name = provider_name(p->items[i]);
	}
	return name;
}

int providers_leave(
    struct req *r, const char *name, const char *next, struct err *err)
{
	struct authenticator *au = find(r->app->providers, name);
	const char *cookie;
	struct visit *v;
	struct trip trip;

	if (!au || !provider_has_door(au))
		return err_set(
		    err, ERR_NOT_FOUND, "There is no such login here.");
	trip_begin(&r->http->arena, &r->app->keys, name, next, clock_wall_s(),
	    &trip, &cookie);
	if (drop_old_trips(r, err) != 0 ||
	    set_cookie(r, trip.cookie_name, cookie, TRIP_MAX_S, false, err) !=
		0)
		return -1;
	v = visit_new(r, au, err);
	if (!v)
		return -1;
	const struct auth_trip t = {
		.state = trip.state,
		.nonce = trip.nonce,
		.verifier = trip.verifier,
		.again = again_is_asked(r),
	};
	au->kind->redirect(au, v->id, &t);
	return 0;
}

/* By a link of an OAuth provider, or by a form of LTI 1.3 (is_launch). */
static int come_back(struct req *r, const struct url_pairs *query,
    bool is_launch, struct err *err)
{
	struct providers *p = r->app->providers;
	const char *state = url_pair_get(query, "state");
	struct authenticator *au;
	struct visit *v;
	struct trip trip;

	if (!p || url_pair_count(query, "state") != 1)
		return err_set(err, ERR_NOT_FOUND,
		    "This is no answer to a login that was begun here. Please "
		    "start again.");
	if (trip_end(&r->http->arena, &r->app->keys, cookies_of(r), state,
		clock_wall_s(), &trip, err) != 0 ||
	    set_cookie(r, trip.cookie_name, "", -1, is_launch, err) != 0)
		return -1;
	r->next = trip.next ? trip.next : "";
	au = find(p, trip.provider);
	if (!au || provider_has_door(au) == is_launch ||
	    !trips_use(&p->trips, &trip))
		return err_set(err, ERR_NOT_FOUND,
		    "This login was used already. Please start again.");
	r->login_via = provider_name(au);
	v = visit_new(r, au, err);
	if (!v)
		return -1;
	const struct auth_trip t = {
		.state = trip.state,
		.nonce = trip.nonce,
		.verifier = trip.verifier,
	};
	au->kind->callback(au, v->id, &t, query);
	return 0;
}

int providers_return(
    struct req *r, const struct url_pairs *query, struct err *err)
{
	return come_back(r, query, false, err);
}

/* ---- learning platforms -------------------------------------------- */

/* The only one of that kind that they say they are from. */
static struct authenticator *find_platform(const struct providers *p,
    const struct authenticator_kind *kind, const struct url_pairs *args,
    struct err *err)
{
	struct authenticator *found = NULL;

	for (size_t i = 0; p && i < p->n; i++) {
		struct authenticator *au = p->items[i];

		if (au->kind != kind || !lti_knows(au, args))
			continue;
		if (found) {
			(void)err_set(err, ERR_NOT_FOUND,
			    "The course's page does not say which of several "
			    "platforms it is of (client_id).");
			return NULL;
		}
		found = au;
	}
	if (!found)
		(void)err_set(err, ERR_NOT_FOUND,
		    "This hub does not know the learning platform that sent "
		    "you here. Its administrator can make it known "
		    "(auth.providers).");
	return found;
}

bool providers_has_courses(const struct providers *p)
{
	for (size_t i = 0; p && i < p->n; i++) {
		if (!provider_has_door(p->items[i]))
			return true;
	}
	return false;
}

int providers_begin_lti(
    struct req *r, const struct url_pairs *args, struct err *err)
{
	struct arena *a = &r->http->arena;
	const char *cookie, *url;
	struct trip trip;
	struct authenticator *au =
	    find_platform(r->app->providers, &authenticator_lti13, args, err);

	if (!au)
		return -1;
	trip_begin(a, &r->app->keys, provider_name(au), NULL, clock_wall_s(),
	    &trip, &cookie);
	const struct auth_trip t = {
		.state = trip.state,
		.nonce = trip.nonce,
		.verifier = trip.verifier,
	};
	url = lti13_authorize_url(au, a, &t, args, err);
	if (!url || drop_old_trips(r, err) != 0 ||
	    set_cookie(r, trip.cookie_name, cookie, TRIP_MAX_S, true, err) != 0)
		return -1;
	reply_redirect(r, 302, url);
	return 0;
}

int providers_launch_lti13(
    struct req *r, const struct url_pairs *form, struct err *err)
{
	return come_back(r, form, true, err);
}

int providers_launch_lti11(
    struct req *r, const struct url_pairs *args, struct err *err)
{
	static const struct auth_trip none = {
		.state = "",
		.nonce = "",
		.verifier = "",
	};
	struct authenticator *au =
	    find_platform(r->app->providers, &authenticator_lti11, args, err);
	struct visit *v = au ? visit_new(r, au, err) : NULL;

	if (!v)
		return -1;
	r->login_via = provider_name(au);
	au->kind->callback(au, v->id, &none, args);
	return 0;
}

json_t *providers_lti_tool(const struct providers *p)
{
	for (size_t i = 0; p && i < p->n; i++) {
		if (p->items[i]->kind == &authenticator_lti13)
			return lti13_tool(p->items[i]);
	}
	return NULL;
}

const char *providers_lti11_tool(const struct providers *p, struct arena *a)
{
	for (size_t i = 0; p && i < p->n; i++) {
		if (p->items[i]->kind == &authenticator_lti11)
			return lti11_tool(p->items[i], a);
	}
	return NULL;
}

/* ---- asking again, logging out ------------------------------------- */

bool providers_has(const struct providers *p, const char *name)
{
	const struct authenticator *au = find(p, name);

	return au && au->kind->refresh;
}

uint64_t providers_refresh(struct providers *p, const char *name,
    const json_t *state, providers_refreshed_fn *fn, void *arg)
{
	struct question *q = xcalloc(1, sizeof *q);

	q->au = find(p, name);
	q->id = ++p->last_id;
	q->fn = fn;
	q->arg = arg;
	list_add_tail(&p->questions, &q->link);
	q->au->kind->refresh(q->au, q->id, state);
	return q->id;
}

void providers_refresh_cancel(struct providers *p, uint64_t id)
{
	struct question *q = find_question(p, id);

	if (!q)
		return;
	q->au->kind->cancel(q->au, id);
	question_free(q);
}

const char *providers_logout_url(const struct providers *p, const char *name,
    struct arena *a, const json_t *state)
{
	const struct authenticator *au = find(p, name);
	const struct config *cfg = p ? p->cfg : NULL;
	const char *back = NULL;

	if (!au || !au->kind->logout_url)
		return NULL;
	if (*cfg->public_url)
		back = arena_printf(a, "%.*s%shub/login",
		    (int)(strlen(cfg->public_url) -
			  str_ends(cfg->public_url, "/")),
		    cfg->public_url, cfg->base_url);
	return au->kind->logout_url(au, a, state, back);
}

/* ---- for the login page -------------------------------------------- */

const char *providers_url(struct req *r, const char *name, const char *next)
{
	const char *url =
	    req_hub(r, arena_printf(&r->http->arena, "oauth_login/%s", name));

	if (!next)
		return url;
	return arena_printf(&r->http->arena, "%s?%snext=%s", url,
	    again_is_asked(r) ? "again=1&" : "",
	    url_quote(&r->http->arena, next, false));
}

bool providers_ask_again(const struct providers *p, const char *name)
{
	for (size_t i = 0; p && i < p->n; i++)
		if (provider_has_door(p->items[i]) &&
		    provider_asks_again(p->items[i]) &&
		    (!name || str_eq(provider_name(p->items[i]), name)))
			return true;
	return false;
}

json_t *providers_links(
    const struct providers *p, struct req *r, const char *next)
{
	json_t *links = json_array();

	for (size_t i = 0; p && i < p->n; i++) {
		if (!provider_has_door(p->items[i]) ||
		    (again_is_asked(r) && !provider_asks_again(p->items[i])))
			continue;
		json_array_append_new(links,
		    json_pack("{s:s, s:s}", "label",
			provider_label(p->items[i]), "url",
			providers_url(r, provider_name(p->items[i]), next)));
	}
	return links;
}

const char *providers_auto(const struct providers *p)
{
	return p && *p->cfg->auto_login ? p->cfg->auto_login : NULL;
}

/* ---- opening ------------------------------------------------------- */

static int open_one(struct providers *p, const char *file, const char *hub_url,
    const struct conf_node *node, struct err *err)
{
	const struct authenticator_kind *kind = provider_kind(node);
	char *callback_url =
	    hub_url ? xasprintf("%soauth_callback", hub_url) : NULL;
	const struct auth_env env = {
		.loop = p->app ? p->app->loop : NULL,
		.sink = &p->sink,
		.redirect = on_redirect,
		.options = node,
		.file = file,
		.public_address = *p->cfg->public_url != '\0',
		.fetcher = p->fetcher,
		.callback_url = callback_url,
		.hub_url = hub_url,
	};
	struct authenticator *au;

	au = kind->open(&env, err);
	free(callback_url);
	if (!au)
		return -1;
	if (find(p, provider_name(au))) {
		(void)err_set(err, ERR_INVALID,
		    "auth.providers: two are called \"%s\"", provider_name(au));
		kind->close(&au);
		return -1;
	}
	p->items[p->n++] = au;
	return 0;
}

/*
 * alice of one provider and alice of another are two persons, unless somebody
 * says that they are one: by a prefix that is the same, or empty.
 */
static int check_names(
    const struct providers *p, bool has_form, struct err *err)
{
	if (p->n + has_form < 2)
		return 0;
	for (size_t i = 0; i < p->n; i++) {
		if (!provider_has_prefix(p->items[i]))
			return err_set(err, ERR_INVALID,
			    "auth.providers: with several ways to log in "
			    "\"%s\" needs a \"username_prefix\", so that two "
			    "people of one name stay two; \"\" says that one "
			    "name is one person everywhere",
			    provider_name(p->items[i]));
	}
	return 0;
}

/* A launch that could be of two platforms would be of none. */
static int check_platforms(const struct providers *p, struct err *err)
{
	for (size_t i = 0; i < p->n; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct authenticator *x = p->items[j];
			const struct authenticator *y = p->items[i];

			if (lti_is(x) && lti_is(y) && lti_are_same(x, y))
				return err_set(err, ERR_INVALID,
				    "auth.providers: \"%s\" and \"%s\" are one "
				    "platform: the same issuer and client_id, "
				    "or the same consumer key",
				    provider_name(x), provider_name(y));
		}
	}
	return 0;
}

static int check_auto(const struct providers *p, struct err *err)
{
	const char *name = p->cfg->auto_login;
	const struct authenticator *au = find(p, name);

	if (!*name || (au && provider_has_door(au)))
		return 0;
	if (au)
		return err_set(err, ERR_INVALID,
		    "\"auth.auto_login\": logins by \"%.40s\" begin on the "
		    "learning platform's pages, not here",
		    name);
	return err_set(err, ERR_INVALID,
	    "\"auth.auto_login\": there is no provider called \"%.40s\"", name);
}

static int open_all(
    struct providers *p, const char *file, bool has_form, struct err *err)
{
	const struct config *cfg = p->cfg;
	const struct conf_node *list = cfg->auth_providers;
	char *hub_url = NULL;
	int rc = 0;

	if (list && list->kind != CONF_LIST)
		return err_set(err, ERR_INVALID,
		    "%s:%d:%d: \"auth.providers\" must be a list: each "
		    "provider begins with \"- name: ...\"",
		    file, list->line, list->column);
	if (list && list->n_children > PROVIDERS_MAX)
		return err_set(err, ERR_INVALID, "auth.providers: more than %d",
		    PROVIDERS_MAX);
	if (*cfg->public_url)
		hub_url = xasprintf("%.*s%shub/",
		    (int)(strlen(cfg->public_url) -
			  str_ends(cfg->public_url, "/")),
		    cfg->public_url, cfg->base_url);
	for (const struct conf_node *n = list ? list->child : NULL;
	     n && rc == 0; n = n->next)
		rc = open_one(p, file, hub_url, n, err);
	free(hub_url);
	if (rc == 0 &&
	    (check_names(p, has_form, err) != 0 ||
		check_platforms(p, err) != 0 || check_auto(p, err) != 0))
		rc = -1;
	return rc;
}

static struct providers *make(struct app *app, const struct config *cfg)
{
	struct providers *p = xcalloc(1, sizeof *p);

	p->app = app;
	p->cfg = cfg;
	list_init(&p->visits);
	list_init(&p->questions);
	p->sink = (struct auth_sink){
		.done = on_done,
		.arg = p,
	};
	return p;
}

struct providers *providers_open(struct app *app, struct err *err)
{
	struct providers *p = make(app, &app->cfg);

	p->fetcher = fetcher_new(app->loop, CONNECTIONS_MAX);
	if (open_all(
		p, app->places.config_file, app->auth_kind->has_form, err) != 0)
		providers_close(&p);
	return p;
}

int providers_check(const struct config *cfg, const char *file, struct err *err)
{
	const struct authenticator_kind *kind =
	    authenticator_find(cfg->auth_type);
	struct providers *p = make(NULL, cfg);
	int rc = open_all(p, file, kind && kind->has_form, err);

	if (rc == 0 && p->n == 0 && str_eq(cfg->auth_type, "none"))
		log_warn(NULL, "there is no way to log in",
		    "hint=\"auth.type is none and auth.providers is empty\"");
	providers_close(&p);
	return rc;
}

void providers_close(struct providers **pp)
{
	struct providers *p = *pp;

	*pp = NULL;
	if (!p)
		return;
	while (!list_empty(&p->visits)) {
		struct req *r =
		    cancel(LIST_ITEM(p->visits.next, struct visit, link));

		reply_page_error(r, 503, "The hub is being stopped.");
	}
	for (size_t i = 0; i < p->n; i++)
		p->items[i]->kind->close(&p->items[i]);
	if (p->fetcher)
		fetcher_free(&p->fetcher);
	free(p);
}
