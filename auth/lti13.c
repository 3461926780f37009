/*
 * LTI 1.3 (1EdTech LTI Core 1.3, Security Framework 1.0 section 5): see lti.h.
 * The keys are the platform's alone, by URL; the algorithm is RS256 and no
 * other; the nonce is the trip's, so it is of this browser and used once.
 */
#include <stdlib.h>
#include <string.h>

#include "auth/idtoken.h"
#include "auth/lti_priv.h"
#include "base/buf.h"
#include "base/str.h"

#define HINT_MAX 4096
#define TEXT_MAX 2048
#define URL_MAX  16384

/* ---- the platform begins ------------------------------------------------- */

static bool lti13_knows(const struct lti *o, const struct url_pairs *args)
{
	const char *client_id = url_pair_get(args, "client_id");

	return str_eq(lti_once(args, "iss", TEXT_MAX), o->opt.issuer) &&
	       (!client_id || str_eq(client_id, o->opt.client_id)) &&
	       url_pair_count(args, "client_id") <= 1;
}

static const char *callback_url(const struct lti *o, struct arena *a)
{
	return arena_printf(a, "%slti13/oauth_callback", o->hub_url);
}

static void put_params(struct buf *b, const struct lti *o, struct arena *a,
    const struct auth_trip *trip, const struct url_pairs *args)
{
	const char *hint = lti_once(args, "lti_message_hint", HINT_MAX);

	url_pair_append(b, "response_type", "id_token");
	url_pair_append(b, "response_mode", "form_post");
	url_pair_append(b, "scope", "openid");
	url_pair_append(b, "prompt", "none");
	url_pair_append(b, "client_id", o->opt.client_id);
	url_pair_append(b, "redirect_uri", callback_url(o, a));
	url_pair_append(
	    b, "login_hint", lti_once(args, "login_hint", HINT_MAX));
	if (hint)
		url_pair_append(b, "lti_message_hint", hint);
	url_pair_append(b, "state", trip->state);
	url_pair_append(b, "nonce", trip->nonce);
}

const char *lti13_authorize_url(const struct authenticator *au, struct arena *a,
    const struct auth_trip *trip, const struct url_pairs *args, struct err *err)
{
	const struct lti *o = lti_of(au);
	const char *base = o->opt.authorize_url, *url = NULL;
	struct buf b;

	if (!lti_once(args, "login_hint", HINT_MAX) ||
	    (url_pair_count(args, "lti_message_hint") > 0 &&
		!lti_once(args, "lti_message_hint", HINT_MAX))) {
		(void)err_set(err, ERR_INVALID,
		    "The course's page did not say whom it sends (login_hint, "
		    "lti_message_hint).");
		return NULL;
	}
	if (!lti_is_ours(
		a, o->hub_url, lti_once(args, "target_link_uri", TEXT_MAX))) {
		(void)err_set(err, ERR_INVALID,
		    "The course's page leads to another address than this "
		    "hub's (target_link_uri).");
		return NULL;
	}
	buf_init(&b, URL_MAX);
	put_params(&b, o, a, trip, args);
	if (b.overflow)
		(void)err_set(err, ERR_INVALID,
		    "What the course's page said is too long.");
	else
		url = arena_printf(a, "%s%c%s", base,
		    strchr(base, '?') ? '&' : '?', buf_view(&b));
	buf_fini(&b);
	return url;
}

/* ---- the launch ---------------------------------------------------------- */

static void verify(struct lti_attempt *at);

static void on_new_keys(const struct err *err, void *arg)
{
	struct lti_attempt *at = arg;

	if (err && err->code == ERR_DENIED)
		lti_refuse(at, NULL, err->text);
	else if (err)
		lti_unavailable(at, err->text);
	else
		verify(at);
}

static void decide(struct lti_attempt *at)
{
	const struct lti *o = at->owner;
	struct err err = { 0 };

	if (lti13_read(&at->arena, &o->opt, o->hub_url, at->claims, &at->launch,
		&err) != 0)
		lti_refuse(at, NULL, err.text);
	else
		lti_accept(at);
}

static void verify(struct lti_attempt *at)
{
	struct oidc *oidc = at->owner->oidc;
	struct err err = { 0 };

	if (oidc_verify(oidc, at->id_token, at->nonce, &at->claims, &err) ==
	    0) {
		decide(at);
	} else if (err.code == ERR_NOT_FOUND && !at->keys_renewed) {
		at->keys_renewed = true;
		oidc_renew_keys(oidc, &at->wait, on_new_keys, at);
	} else {
		lti_refuse(at, NULL, err.text);
	}
}

static void on_keys(const struct err *err, void *arg)
{
	if (err)
		lti_unavailable(arg, err->text);
	else
		verify(arg);
}

static void lti13_callback(struct authenticator *au, uint64_t id,
    const struct auth_trip *trip, const struct url_pairs *form)
{
	struct lti_attempt *at = lti_begin(lti_of(au), id);
	const char *error = url_pair_get(form, "error");
	const char *id_token = lti_once(form, "id_token", IDTOKEN_MAX);
	char shown[64];

	if (!at)
		return;
	if (error) {
		str_printable(shown, sizeof shown, error, strlen(error));
		lti_refuse(at, NULL,
		    arena_printf(&at->arena, "the platform says %s", shown));
		return;
	}
	if (!id_token) {
		lti_refuse(at, NULL, "the launch has no id_token, or several");
		return;
	}
	at->nonce = arena_strdup(&at->arena, trip->nonce);
	at->id_token = arena_strdup(&at->arena, id_token);
	oidc_prepare(at->owner->oidc, &at->wait, on_keys, at);
}

/* ---- what platforms want to know ----------------------------------------- */

/* Canvas's form; others take what they know of it. */
static json_t *canvas(const struct lti *o)
{
	return json_pack("{s:s, s:s, s:{s:s, s:s, s:[{s:s, s:s, s:s, s:s}]}}",
	    "platform", "canvas.instructure.com", "privacy_level", "public",
	    "settings", "platform", "canvas.instructure.com", "text",
	    o->opt.tool_name, "placements", "placement", "course_navigation",
	    "message_type", "LtiResourceLinkRequest", "target_link_uri",
	    o->hub_url, "windowTarget", "_blank");
}

json_t *lti13_tool(const struct authenticator *au)
{
	const struct lti *o = lti_of(au);
	struct arena a;
	json_t *tool;

	arena_init(&a);
	tool = json_pack("{s:s, s:s, s:s, s:s, s:[s], s:s, s:[], s:{}, s:[o]}",
	    "title", o->opt.tool_name, "description", o->opt.tool_description,
	    "target_link_uri", o->hub_url, "oidc_initiation_url",
	    arena_printf(&a, "%slti13/oauth_login", o->hub_url),
	    "redirect_uris", callback_url(o, &a), "public_jwk_url",
	    arena_printf(&a, "%slti13/jwks", o->hub_url), "scopes",
	    "custom_fields", "extensions", canvas(o));
	arena_fini(&a);
	return tool;
}

/* ---- life ---------------------------------------------------------------- */

static struct authenticator *lti13_open(
    const struct auth_env *env, struct err *err)
{
	static const char *algs[] = { "RS256" };
	struct lti *o =
	    lti_open(env, &authenticator_lti13, lti13_options_read, err);
	struct authenticator *au = o ? &o->base : NULL;

	if (!o)
		return NULL;
	/* The cookie of the trip comes back with a form of another site, which
	 * browsers do by https only. */
	if (oidc_check_url("hub.public_url", o->hub_url, err) != 0) {
		(void)err_wrap(err, "provider \"%s\"", o->opt.name);
		lti_close(&au);
		return NULL;
	}
	const struct oidc_config cfg = {
		.issuer = o->opt.issuer,
		.client_id = o->opt.client_id,
		.jwks_uri = o->opt.jwks_endpoint,
		.ca_file = o->opt.ca_file,
		.algs = { .items = algs, .n = 1 },
		.leeway_s = o->opt.leeway_s,
	};
	o->oidc = oidc_new(o->loop, o->fetcher, &cfg);
	return au;
}

const struct authenticator_kind authenticator_lti13 = {
	.name = "lti13",
	.has_form = false,
	.open = lti13_open,
	.cancel = lti_cancel,
	.close = lti_close,
	.callback = lti13_callback,
};

/* ---- both ---------------------------------------------------------------- */

static bool has_consumer(const struct lti *o, const char *key)
{
	for (size_t i = 0; key && i < o->opt.consumers.n; i++) {
		if (str_eq(o->opt.consumers.items[i].name, key))
			return true;
	}
	return false;
}

bool lti_are_same(
    const struct authenticator *one, const struct authenticator *two)
{
	const struct lti_options *x = &lti_of(one)->opt, *y = &lti_of(two)->opt;

	if (one->kind != two->kind)
		return false;
	for (size_t i = 0; i < x->consumers.n; i++) {
		if (has_consumer(lti_of(two), x->consumers.items[i].name))
			return true;
	}
	return x->issuer && str_eq(x->issuer, y->issuer) &&
	       str_eq(x->client_id, y->client_id);
}

bool lti_knows(const struct authenticator *au, const struct url_pairs *args)
{
	const struct lti *o = lti_of(au);

	if (au->kind == &authenticator_lti13)
		return lti13_knows(o, args);
	return has_consumer(o, lti_once(args, "oauth_consumer_key", TEXT_MAX));
}
