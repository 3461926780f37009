/*
 * See openid.h: the keys and their turning, the words, the two documents that
 * clients fetch. What is said about people stands in openid_claims.c.
 */
#include "hub/openid.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/offload.h"
#include "hub/handlers.h"
#include "hub/openid_priv.h"
#include "hub/web.h"

#define TURN_INTERVAL_MS (3600 * 1000)

/* ---- keys ---------------------------------------------------------------- */

static void turn(struct openid *o, const char *fresh)
{
	struct err err = { 0 };

	if (openid_keys_turn(o->keys, fresh, clock_wall_us() / 1000000, &err) !=
	    0)
		log_warn(NULL, "the OpenID provider's keys stay as they are",
		    "why=\"%s\"", err.text);
}

static void make_key(void *arg)
{
	struct openid *o = arg;

	o->fresh = openid_key_make();
}

static void key_made(void *arg)
{
	struct openid *o = arg;

	o->is_making = false;
	if (!o->fresh) {
		log_warn(NULL, "no RSA key could be made", NULL);
		return;
	}
	turn(o, o->fresh);
	mem_wipe(o->fresh, strlen(o->fresh));
	free(o->fresh);
	o->fresh = NULL;
}

static void on_turn(struct timer *t, void *arg)
{
	struct openid *o = arg;
	struct err err;

	turn(o, NULL);
	if (!o->is_making && o->app->offload &&
	    openid_keys_is_due(o->keys, clock_wall_us() / 1000000)) {
		o->is_making = true;
		if (offload_submit(
			o->app->offload, make_key, key_made, o, &err) != 0)
			o->is_making = false;
	}
	timer_start(o->app->loop, t, TURN_INTERVAL_MS, on_turn, o);
}

int openid_open(struct app *app, struct err *err)
{
	const char *origin = app->web->public_origin;
	size_t len = strlen(app->web->hub) - 1;
	struct openid *o;

	if (!origin)
		return 0;
	o = app->openid = xcalloc(1, sizeof *o);
	o->app = app;
	o->issuer = xasprintf("%s%.*s", origin, (int)len, app->web->hub);
	if (openid_keys_open(app->places.keys_dir, clock_wall_us() / 1000000,
		&o->keys, err) != 0)
		return -1;
	on_turn(&o->timer, o);
	return 0;
}

void openid_close(struct app *app)
{
	struct openid *o = app->openid;

	if (!o)
		return;
	timer_stop(&o->timer);
	openid_keys_close(&o->keys);
	free(o->issuer);
	free(o);
	app->openid = NULL;
}

/* ---- words --------------------------------------------------------------- */

static const struct word {
	const char *name, *stored;
	size_t member; /* of struct openid_wish */
} words[] = {
	{ "openid", "openid", offsetof(struct openid_wish, asked) },
	{ "profile", "openid:profile", offsetof(struct openid_wish, profile) },
	{ "email", "openid:email", offsetof(struct openid_wish, email) },
	{ "groups", "openid:groups", offsetof(struct openid_wish, groups) },
};

#define N_WORDS (sizeof words / sizeof words[0])

static bool *flag(struct openid_wish *w, size_t i)
{
	return (bool *)((char *)w + words[i].member);
}

static bool is_set(const struct openid_wish *w, size_t i)
{
	return *(const bool *)((const char *)w + words[i].member);
}

/* Asked for by many, and nothing that we know or give. */
static bool is_ignored(struct slice word)
{
	return slice_eq(word, "address") || slice_eq(word, "phone") ||
	       slice_eq(word, "offline_access");
}

bool openid_take_word(struct slice word, struct openid_wish *out)
{
	for (size_t i = 0; i < N_WORDS; i++) {
		if (!slice_eq(word, words[i].name))
			continue;
		*flag(out, i) = true;
		return true;
	}
	return is_ignored(word);
}

bool openid_is_asked(const char *list)
{
	struct slice rest = slice_of(list ? list : ""), word;

	while (slice_split(&rest, ' ', &word))
		if (slice_eq(word, "openid"))
			return true;
	return false;
}

void openid_wish_store(const struct openid_wish *w, json_t *list)
{
	for (size_t i = 0; i < N_WORDS; i++)
		if (is_set(w, i))
			json_array_append_new(
			    list, json_string(words[i].stored));
}

void openid_wish_read(const char *stored, struct openid_wish *out)
{
	json_t *list = NULL, *item;
	struct err err;
	size_t k;

	*out = (struct openid_wish){ 0 };
	if (json_parse(stored, strlen(stored), &list, &err) != 0)
		return;
	json_array_foreach (list, k, item)
		for (size_t i = 0; i < N_WORDS; i++)
			if (str_eq(json_string_value(item), words[i].stored))
				*flag(out, i) = true;
	json_decref(list);
}

bool openid_wish_covers(
    const struct openid_wish *outer, const struct openid_wish *inner)
{
	for (size_t i = 0; i < N_WORDS; i++)
		if (is_set(inner, i) && !is_set(outer, i))
			return false;
	return true;
}

const char *openid_word_of(const char *stored)
{
	for (size_t i = 0; i < N_WORDS; i++)
		if (str_eq(stored, words[i].stored))
			return words[i].name;
	return stored;
}

/* ---- documents ----------------------------------------------------------- */

static bool is_off(struct req *r)
{
	if (r->app->openid)
		return false;
	reply_error(r, 404,
	    "This hub is no OpenID provider: hub.public_url is not set in "
	    "carrel.yaml");
	return true;
}

static json_t *address(const struct openid *o, const char *path)
{
	return json_sprintf("%s/api/oauth2/%s", o->issuer, path);
}

void openid_discovery(struct req *r)
{
	const struct openid *o = r->app->openid;
	json_t *j;

	if (is_off(r))
		return;
	j = json_pack("{s:s, s:o, s:o, s:o, s:o}", "issuer", o->issuer,
	    "authorization_endpoint", address(o, "authorize"), "token_endpoint",
	    address(o, "token"), "userinfo_endpoint", address(o, "userinfo"),
	    "jwks_uri", address(o, "jwks"));
	json_object_update_new(j,
	    json_pack("{s:[s], s:[s], s:[s], s:[s], s:[s], s:[s,s], s:[s,s]}",
		"response_types_supported", "code", "response_modes_supported",
		"query", "grant_types_supported", "authorization_code",
		"subject_types_supported", "public",
		"id_token_signing_alg_values_supported", "RS256",
		"token_endpoint_auth_methods_supported", "client_secret_basic",
		"client_secret_post", "code_challenge_methods_supported",
		"S256", "plain"));
	json_object_update_new(j,
	    json_pack("{s:[s,s,s,s], s:[s,s,s,s,s,s,s,s,s,s,s,s], s:[s,s,s,s], "
		      "s:b, s:b, s:b}",
		"scopes_supported", "openid", "profile", "email", "groups",
		"claims_supported", "iss", "sub", "aud", "exp", "iat",
		"auth_time", "nonce", "name", "preferred_username", "email",
		"email_verified", "groups", "prompt_values_supported", "none",
		"login", "select_account", "consent",
		"claims_parameter_supported", false,
		"request_parameter_supported", false,
		"request_uri_parameter_supported", false));
	reply_json(r, 200, j);
}

void openid_jwks(struct req *r)
{
	if (!is_off(r))
		reply_json(r, 200, openid_keys_public(r->app->openid->keys));
}

bool openid_is_discovery(const struct req *r)
{
	static const char *const kinds[] = {
		"/.well-known/openid-configuration",
		"/.well-known/oauth-authorization-server",
	};
	const char *hub = r->app->web->hub;
	size_t len = strlen(hub) - 1;

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		const char *rest = r->http->path + strlen(kinds[i]);

		if (str_starts(r->http->path, kinds[i]) &&
		    strlen(rest) == len && !strncmp(rest, hub, len))
			return true;
	}
	return false;
}
