/*
 * What is kept of a login (auth_state), and what can be done with it later: ask
 * the provider again, and log the browser out there, too.
 */
#include <string.h>

#include "auth/oauth_priv.h"
#include "base/buf.h"
#include "base/str.h"
#include "base/url.h"

#define URL_MAX 8192

/* ---- keeping ------------------------------------------------------------- */

static void set_text(json_t *state, const char *key, const char *value)
{
	json_object_set_new(
	    state, key, value ? json_string(value) : json_null());
}

/* As authenticators of JupyterHub call them. */
json_t *oauth_state_of(const struct oauth_attempt *at)
{
	json_t *state = at->before ? json_copy(at->before) : json_object();

	set_text(state, "access_token", at->access_token);
	set_text(state, "refresh_token", at->refresh_token);
	if (at->id_token || !at->before)
		set_text(state, "id_token", at->id_token);
	if (at->claims)
		json_object_set(state, OAUTH_STATE_USER, at->claims);
	if (at->other_tokens)
		json_object_set(state, OAUTH_STATE_TOKENS, at->other_tokens);
	return state;
}

/* ---- asking again -------------------------------------------------------- */

static const char *text_of(
    struct oauth_attempt *at, const json_t *state, const char *key)
{
	const char *text = json_string_value(json_object_get(state, key));

	return text && *text ? arena_strdup(&at->arena, text) : NULL;
}

/* The refresh token proves more than a token that was good for an hour. */
static void ask_again(struct oauth_attempt *at)
{
	if (at->refresh_token)
		oauth_post_grant(at);
	else
		oauth_userdata(at);
}

static void on_ready(const struct err *err, void *arg)
{
	struct oauth_attempt *at = arg;

	if (err)
		oauth_unavailable(at, err->text);
	else
		ask_again(at);
}

void oauth_refresh(struct authenticator *au, uint64_t id, const json_t *state)
{
	struct oauth_attempt *at = oauth_begin(au, id, NULL);

	if (!at)
		return;
	at->is_refresh = true;
	at->before = json_deep_copy(state);
	at->access_token = text_of(at, state, "access_token");
	at->refresh_token = text_of(at, state, "refresh_token");
	at->other_tokens =
	    json_deep_copy(json_object_get(state, OAUTH_STATE_TOKENS));
	if (!at->access_token)
		oauth_refuse(at, NULL, "no token was kept");
	else if (oauth_is_oidc(at))
		oidc_prepare(at->owner->oidc, &at->wait, on_ready, at);
	else
		ask_again(at);
}

/* ---- logging out there (OpenID Connect RP-Initiated Logout 1.0) -----------
 */

const char *oauth_logout_url(const struct authenticator *au, struct arena *a,
    const json_t *state, const char *back)
{
	const struct oauth *o = (const struct oauth *)(const void *)au;
	const char *base =
	    o->oidc ? oidc_endpoints(o->oidc)->end_session : NULL;
	const char *hint =
	    json_string_value(json_object_get(state, "id_token"));
	const char *url = NULL;
	struct buf b;

	if (!base || !o->opt.logout)
		return NULL;
	buf_init(&b, URL_MAX);
	url_pair_append(&b, "client_id", o->opt.client_id);
	if (back)
		url_pair_append(&b, "post_logout_redirect_uri", back);
	if (hint && strlen(hint) < URL_MAX / 2)
		url_pair_append(&b, "id_token_hint", hint);
	if (!b.overflow)
		url = arena_printf(a, "%s%c%s", base,
		    strchr(base, '?') ? '&' : '?', buf_view(&b));
	buf_fini(&b);
	return url;
}
