/*
 * See oauth.h. An attempt is short: either the way out (redirect) or the way
 * back (callback). Nothing of it is kept in between: auth/trip.h.
 */
#include "auth/oauth.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/oauth_priv.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"

#define ATTEMPTS_MAX 10000
#define URL_MAX      8192
#define FORM_MAX     16384
#define CODE_MAX     4096
#define TOKEN_MAX    16384
#define BODY_MAX     (512 * 1024)
#define TIMEOUT_MS   15000
#define WHY_MAX      400
#define SHOWN_MAX    64

#define TEXT_REFUSED                                                           \
	"Your login there could not be accepted here. Please try again; if "   \
	"it stays so, tell the administrator of this hub."
#define TEXT_CANCELLED "The login was cancelled, or you may not use it here."

static struct oauth *oauth_of(const struct authenticator *au)
{
	assert(au->kind == &authenticator_oauth);
	return (struct oauth *)(void *)au;
}

bool oauth_is_oidc(const struct oauth_attempt *at)
{
	return at->owner->oidc != NULL;
}

/* ---- attempts ------------------------------------------------------------ */

/* trip NULL: a refresh. */
static struct oauth_attempt *attempt_new(
    struct oauth *o, uint64_t id, const struct auth_trip *trip)
{
	struct oauth_attempt *at = xcalloc(1, sizeof *at);

	at->owner = o;
	at->id = id;
	arena_init(&at->arena);
	if (trip) {
		at->state = arena_strdup(&at->arena, trip->state);
		at->nonce = arena_strdup(&at->arena, trip->nonce);
		at->verifier = arena_strdup(&at->arena, trip->verifier);
		at->again = trip->again;
	}
	list_add_tail(&o->attempts, &at->link);
	o->n++;
	return at;
}

static void wipe(const char *secret)
{
	if (secret)
		mem_wipe((char *)secret, strlen(secret));
}

/* Nothing comes any more; from here on the owner may be gone. */
static void detach(struct oauth_attempt *at)
{
	if (!at->owner)
		return;
	defer_cancel(&at->ending);
	oidc_wait_stop(&at->wait);
	if (at->fetch)
		fetch_cancel(at->owner->fetcher, at->fetch);
	list_del(&at->link);
	at->owner->n--;
	at->owner = NULL;
}

static void attempt_free(struct oauth_attempt *at)
{
	detach(at);
	json_decref(at->id_claims);
	json_decref(at->claims);
	json_decref(at->other_tokens);
	json_decref(at->before);
	wipe(at->access_token);
	wipe(at->id_token);
	wipe(at->refresh_token);
	wipe(at->verifier);
	wipe(at->code);
	arena_fini(&at->arena);
	free(at);
}

static const char *const *prefixed_groups(struct oauth_attempt *at)
{
	size_t n = at->groups.n;
	const char **out = arena_array(&at->arena, n + 1, sizeof *out);

	for (size_t i = 0; i < n; i++)
		out[i] = arena_printf(&at->arena, "%s%s",
		    at->owner->opt.group_prefix, at->groups.items[i]);
	return out;
}

/* Who vouches for the person. */
static const char *source_of(const struct oauth *o)
{
	return o->opt.issuer ? o->opt.issuer : o->opt.userdata_url;
}

/* Detached before the sink is called, which may do anything. */
static void on_ending(void *arg)
{
	struct oauth_attempt *at = arg;
	const struct auth_sink *sink = at->owner->sink;
	void (*redirect)(uint64_t, const char *, void *) = at->owner->redirect;
	json_t *state = at->res == AUTH_RES_OK ? oauth_state_of(at) : NULL;
	const struct auth_identity identity = {
		.name = at->name,
		.groups = prefixed_groups(at),
		.n_groups = at->groups.n,
		.source = source_of(at->owner),
		.subject = at->subject,
		.state = state,
	};

	detach(at);
	if (at->url)
		redirect(at->id, at->url, sink->arg);
	else if (at->res == AUTH_RES_OK)
		sink->done(at->id, AUTH_RES_OK, &identity, "", sink->arg);
	else
		sink->done(at->id, at->res, NULL, at->text, sink->arg);
	json_decref(state);
	attempt_free(at);
}

void oauth_finish(struct oauth_attempt *at)
{
	defer_call(at->owner->loop, &at->ending, on_ending, at);
}

static void end(struct oauth_attempt *at, enum auth_result res,
    const char *text, const char *why)
{
	char shown[WHY_MAX];

	str_printable(shown, sizeof shown, why, strlen(why));
	log_warn(NULL, "a login by a provider failed", "provider=%s why=\"%s\"",
	    at->owner->opt.name, shown);
	at->res = res;
	at->text = text;
	oauth_finish(at);
}

void oauth_refuse(struct oauth_attempt *at, const char *text, const char *why)
{
	end(at, AUTH_RES_DENIED, text ? text : TEXT_REFUSED, why);
}

void oauth_unavailable(struct oauth_attempt *at, const char *why)
{
	end(at, AUTH_RES_UNAVAILABLE,
	    arena_printf(&at->arena,
		"%s cannot be asked right now. Try again in a few seconds; "
		"if it stays so, the administrator finds the reason in the "
		"hub's log.",
		at->owner->opt.label),
	    why);
}

/* ---- the way out --------------------------------------------------------- */

static void put_scope(struct buf *b, const struct conf_strings *scope)
{
	struct buf words;

	buf_init(&words, URL_MAX);
	for (size_t i = 0; i < scope->n; i++)
		buf_printf(&words, "%s%s", i > 0 ? " " : "", scope->items[i]);
	if (words.len > 0)
		url_pair_append(b, "scope", buf_view(&words));
	buf_fini(&words);
}

static void put_pkce(struct buf *b, const struct oauth_attempt *at)
{
	char challenge[TRIP_SECRET_LEN + 1];

	if (!at->owner->opt.enable_pkce)
		return;
	trip_challenge(at->verifier, challenge);
	url_pair_append(b, "code_challenge", challenge);
	url_pair_append(b, "code_challenge_method", "S256");
}

/* Core 3.1.2.1; what the configuration says of it holds. */
static void put_prompt(struct buf *b, const struct oauth_attempt *at)
{
	const struct conf_pairs *extra = &at->owner->opt.extra_authorize_params;

	for (size_t i = 0; i < extra->n; i++)
		if (str_eq(extra->items[i].name, "prompt"))
			return;
	if (at->again && oauth_is_oidc(at))
		url_pair_append(b, "prompt", "login");
}

static void put_params(struct buf *b, const struct oauth_attempt *at)
{
	const struct oauth *o = at->owner;
	const struct conf_pairs *extra = &o->opt.extra_authorize_params;

	url_pair_append(b, "response_type", "code");
	url_pair_append(b, "client_id", o->opt.client_id);
	url_pair_append(b, "redirect_uri", o->callback_url);
	put_scope(b, &o->opt.scope);
	url_pair_append(b, "state", at->state);
	if (oauth_is_oidc(at))
		url_pair_append(b, "nonce", at->nonce);
	put_pkce(b, at);
	put_prompt(b, at);
	/* A hint only: the claim decides. */
	if (o->opt.hosted_domain.n == 1)
		url_pair_append(b, "hd", o->opt.hosted_domain.items[0]);
	for (size_t i = 0; i < extra->n; i++)
		url_pair_append(b, extra->items[i].name, extra->items[i].value);
}

static void leave(struct oauth_attempt *at)
{
	const struct oauth *o = at->owner;
	const char *base = oauth_is_oidc(at)
			       ? oidc_endpoints(o->oidc)->authorize
			       : o->opt.authorize_url;
	struct buf b;

	buf_init(&b, URL_MAX);
	put_params(&b, at);
	if (b.overflow)
		oauth_unavailable(at, "the address to ask is too long");
	else {
		at->url = arena_printf(&at->arena, "%s%c%s", base,
		    strchr(base, '?') ? '&' : '?', buf_view(&b));
		oauth_finish(at);
	}
	buf_fini(&b);
}

static void on_ready_to_leave(const struct err *err, void *arg)
{
	struct oauth_attempt *at = arg;

	if (err)
		oauth_unavailable(at, err->text);
	else
		leave(at);
}

struct oauth_attempt *oauth_begin(
    struct authenticator *au, uint64_t id, const struct auth_trip *trip)
{
	struct oauth_attempt *at = attempt_new(oauth_of(au), id, trip);

	if (at->owner->n <= ATTEMPTS_MAX)
		return at;
	end(at, AUTH_RES_LIMIT,
	    "Too many logins are under way. Try again in a few seconds.",
	    "too many at a time");
	return NULL;
}

static void oauth_redirect(
    struct authenticator *au, uint64_t id, const struct auth_trip *trip)
{
	struct oauth_attempt *at = oauth_begin(au, id, trip);

	if (!at)
		return;
	if (oauth_is_oidc(at))
		oidc_prepare(at->owner->oidc, &at->wait, on_ready_to_leave, at);
	else
		leave(at);
}

/* ---- asking the provider ------------------------------------------------- */

void oauth_ask(struct oauth_attempt *at, struct fetch_req *req,
    const char *authorization, fetch_done_fn *done)
{
	/* GitHub refuses those who do not say their name. */
	struct fetch_header headers[4] = {
		{ "Accept", "application/json" },
		{ "User-Agent", "Carrel" },
	};
	size_t n = 2;

	if (req->body)
		headers[n++] = (struct fetch_header){ "Content-Type",
			"application/x-www-form-urlencoded" };
	if (authorization)
		headers[n++] =
		    (struct fetch_header){ "Authorization", authorization };
	req->headers = headers;
	req->n_headers = n;
	req->timeout_ms = TIMEOUT_MS;
	req->max_body_bytes = BODY_MAX;
	req->ca_file = at->owner->opt.ca_file;
	at->fetch = fetch_start(at->owner->fetcher, req, done, at);
}

void oauth_get_with(struct oauth_attempt *at, const char *token,
    const char *url, fetch_done_fn *done)
{
	struct fetch_req req = { .method = "GET", .url = url };
	char *bearer = xasprintf("Bearer %s", token);

	oauth_ask(at, &req, bearer, done);
	mem_wipe(bearer, strlen(bearer));
	free(bearer);
}

void oauth_get(struct oauth_attempt *at, const char *url, fetch_done_fn *done)
{
	oauth_get_with(at, at->access_token, url, done);
}

int oauth_answer(struct oauth_attempt *at, const struct fetch_result *res,
    const char *what, json_t **out)
{
	struct err err = res->err;

	at->fetch = 0;
	*out = NULL;
	if (res->status == 0)
		(void)err_wrap(&err, "%s", what);
	else if (at->is_refresh && res->status == 401) {
		oauth_refuse(at, NULL, "it does not take our token any more");
		return -1;
	} else if (res->status != 200)
		(void)err_set(
		    &err, ERR_PROTOCOL, "%s: it answers %d", what, res->status);
	else if (json_parse(res->body.p, res->body.len, out, &err) == 0)
		return 0;
	else
		(void)err_wrap(&err, "%s", what);
	oauth_unavailable(at, err.text);
	return -1;
}

/* ---- userinfo ------------------------------------------------------------ */

static void on_userdata(const struct fetch_result *res, void *arg)
{
	struct oauth_attempt *at = arg;
	struct err err = { 0 };
	json_t *data = NULL;

	if (oauth_answer(at, res, "userinfo", &data) != 0)
		return;
	if (!json_is_object(data)) {
		oauth_unavailable(at, "userinfo: it answers no JSON object");
	} else if (!oauth_is_oidc(at)) {
		at->claims = json_incref(data);
		oauth_decide(at);
	} else if (claims_merge(at->id_claims, data, &at->claims, &err) != 0) {
		oauth_refuse(at, NULL, err.text);
	} else {
		oauth_decide(at);
	}
	json_decref(data);
}

void oauth_userdata(struct oauth_attempt *at)
{
	const struct oauth *o = at->owner;
	const char *url = o->opt.userdata_url;
	struct err err = { 0 };

	if (oauth_is_oidc(at))
		url = o->opt.userdata_from_id_token
			  ? NULL
			  : oidc_endpoints(o->oidc)->userinfo;
	/* A refresh that brought no ID token: who it was stays. */
	if (at->is_refresh && oauth_is_oidc(at) && !at->id_claims)
		at->id_claims = json_pack("{s:O*}", "sub",
		    json_object_get(
			json_object_get(at->before, OAUTH_STATE_USER), "sub"));
	if (url)
		oauth_get(at, url, on_userdata);
	else if (at->is_refresh && !at->id_token)
		oauth_finish(at);
	else if (claims_merge(at->id_claims, NULL, &at->claims, &err) != 0)
		oauth_refuse(at, NULL, err.text);
	else
		oauth_decide(at);
}

/* ---- the ID token -------------------------------------------------------- */

static void verify(struct oauth_attempt *at);

static void on_new_keys(const struct err *err, void *arg)
{
	struct oauth_attempt *at = arg;

	if (err && err->code == ERR_DENIED)
		oauth_refuse(at, NULL, err->text);
	else if (err)
		oauth_unavailable(at, err->text);
	else
		verify(at);
}

static void verify(struct oauth_attempt *at)
{
	struct oidc *oidc = at->owner->oidc;
	struct err err = { 0 };

	if (oidc_verify(oidc, at->id_token, at->nonce, &at->id_claims, &err) ==
	    0) {
		oauth_userdata(at);
	} else if (err.code == ERR_NOT_FOUND && !at->keys_renewed) {
		at->keys_renewed = true;
		oidc_renew_keys(oidc, &at->wait, on_new_keys, at);
	} else {
		oauth_refuse(at, NULL, err.text);
	}
}

void oauth_have_tokens(struct oauth_attempt *at)
{
	if (oauth_is_oidc(at) && at->id_token)
		verify(at);
	else
		oauth_userdata(at);
}

/* ---- the way back -------------------------------------------------------- */

/* The answer names who gave it (RFC 9207): not another provider of ours. */
static bool is_of_issuer(const struct oauth_attempt *at, const char *iss)
{
	const struct oauth *o = at->owner;

	if (!oauth_is_oidc(at))
		return true;
	if (!iss)
		return !oidc_endpoints(o->oidc)->says_iss;
	return str_eq(iss, o->opt.issuer);
}

static void on_ready_to_ask(const struct err *err, void *arg)
{
	struct oauth_attempt *at = arg;
	const char *iss = at->url;

	at->url = NULL;
	if (err)
		oauth_unavailable(at, err->text);
	else if (!is_of_issuer(at, iss))
		oauth_refuse(at, NULL,
		    "the answer is of another issuer, or does not say of "
		    "which (iss)");
	else
		oauth_post_grant(at);
}

static bool is_once(const struct url_pairs *query, const char *name)
{
	const char *value = url_pair_get(query, name);

	return value && *value && strlen(value) <= CODE_MAX &&
	       url_pair_count(query, name) == 1;
}

static void oauth_callback(struct authenticator *au, uint64_t id,
    const struct auth_trip *trip, const struct url_pairs *query)
{
	struct oauth_attempt *at = oauth_begin(au, id, trip);
	const char *error = url_pair_get(query, "error");
	const char *iss = url_pair_get(query, "iss");

	if (!at)
		return;
	if (error) {
		oauth_refuse(at, TEXT_CANCELLED,
		    arena_printf(
			&at->arena, "it says %s", oauth_error_word(at, error)));
		return;
	}
	if (!is_once(query, "code") || url_pair_count(query, "iss") > 1) {
		oauth_refuse(at, NULL, "the answer has no code, or several");
		return;
	}
	at->code = arena_strdup(&at->arena, url_pair_get(query, "code"));
	if (!oauth_is_oidc(at)) {
		oauth_post_grant(at);
		return;
	}
	at->url = iss ? arena_strdup(&at->arena, iss) : NULL;
	oidc_prepare(at->owner->oidc, &at->wait, on_ready_to_ask, at);
}

static void oauth_cancel(struct authenticator *au, uint64_t id)
{
	struct oauth *o = oauth_of(au);

	list_for_each (it, &o->attempts) {
		struct oauth_attempt *at =
		    LIST_ITEM(it, struct oauth_attempt, link);

		if (at->id == id)
			attempt_free(at);
	}
}

/* ---- life ---------------------------------------------------------------- */

static int set_up(struct oauth *o, const struct auth_env *env, struct err *err)
{
	const char *file = env->file ? env->file : "configuration";

	if (oauth_options_read(&o->arena, env->options, file, &o->opt, err) !=
	    0)
		return -1;
	if (oauth_google_open(&o->opt, &o->google, err) != 0)
		return err_wrap(err, "%s: provider \"%s\"", file, o->opt.name);
	o->callback_url = o->opt.oauth_callback_url;
	if (!o->callback_url && env->callback_url)
		o->callback_url = arena_strdup(&o->arena, env->callback_url);
	if (!o->callback_url)
		return err_set(err, ERR_INVALID,
		    "%s: provider \"%s\": where people come back to is not "
		    "known: set \"hub.public_url\"",
		    file, o->opt.name);
	return 0;
}

static void oauth_close(struct authenticator **au)
{
	struct oauth *o;

	if (!*au)
		return;
	o = oauth_of(*au);
	*au = NULL;
	list_for_each (it, &o->attempts)
		attempt_free(LIST_ITEM(it, struct oauth_attempt, link));
	oidc_free(&o->oidc);
	oauth_google_close(&o->google);
	wipe(o->opt.client_secret);
	arena_fini(&o->arena);
	free(o);
}

static struct authenticator *oauth_open(
    const struct auth_env *env, struct err *err)
{
	struct oauth *o = xcalloc(1, sizeof *o);
	struct authenticator *au = &o->base;

	o->base.kind = &authenticator_oauth;
	o->loop = env->loop;
	o->fetcher = env->fetcher;
	o->sink = env->sink;
	o->redirect = env->redirect;
	arena_init(&o->arena);
	list_init(&o->attempts);
	if (set_up(o, env, err) != 0) {
		oauth_close(&au);
		return NULL;
	}
	const struct oidc_config cfg = {
		.issuer = o->opt.issuer,
		.client_id = o->opt.client_id,
		.ca_file = o->opt.ca_file,
		.algs = o->opt.id_token_algs,
		.leeway_s = o->opt.leeway_s,
	};
	if (o->opt.preset->flags & PRESET_OIDC)
		o->oidc = oidc_new(o->loop, o->fetcher, &cfg);
	return au;
}

const char *oauth_name(const struct authenticator *au)
{
	return oauth_of(au)->opt.name;
}

const char *oauth_label(const struct authenticator *au)
{
	return oauth_of(au)->opt.label;
}

bool oauth_asks_again(const struct authenticator *au)
{
	return ((const struct oauth *)au)->oidc != NULL;
}

bool oauth_has_prefix(const struct authenticator *au)
{
	return oauth_of(au)->opt.username_prefix != NULL;
}

const struct authenticator_kind authenticator_oauth = {
	.name = "oauth",
	.has_form = false,
	.open = oauth_open,
	.cancel = oauth_cancel,
	.close = oauth_close,
	.redirect = oauth_redirect,
	.callback = oauth_callback,
	.refresh = oauth_refresh,
	.logout_url = oauth_logout_url,
};
