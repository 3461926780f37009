/*
 * Fuzz target for what comes from outside in a login by a provider: ID tokens
 * (auth/idtoken), cookies of trips (auth/trip), claims (auth/claims). The
 * properties: no bad access; no token is taken, as none here is signed; no
 * cookie is taken but the one that was made; a name or group that is taken is
 * bounded text without control bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/claims.h"
#include "auth/idtoken.h"
#include "auth/trip.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1700000000

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* A key of P-256 whose private part nobody kept. */
static const char jwks_text[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\","
    "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}]}";

static void try_token(const char *text)
{
	static const char *const algs[] = { "ES256", "RS256", NULL };
	static json_t *jwks;
	const struct idtoken_wanted want = {
		.issuer = "https://id.example.org",
		.client_id = "hub",
		.nonce = "n",
		.algs = algs,
		.now_s = NOW,
	};
	json_t *claims = NULL;
	struct err err = { 0 };

	if (!jwks)
		must(
		    json_parse(jwks_text, strlen(jwks_text), &jwks, &err) == 0);
	must(idtoken_verify(text, jwks, &want, &claims, &err) == -1);
	must(!claims && err.text[0]);
}

static void try_cookie(struct arena *a, const char *text)
{
	static const struct keys keys = { { 1, 2, 3 } };
	struct trip t;
	struct err err = { 0 };
	const char **names;
	const char *state = text;

	must(trip_end(a, &keys, slice_of(text), state, NOW, &t, &err) == -1);
	if (strlen(text) > TRIP_SECRET_LEN) {
		state = arena_strndup(a, text, TRIP_SECRET_LEN);
		must(trip_end(a, &keys,
			 slice_of(arena_printf(a, TRIP_COOKIE "%.*s=%s",
			     TRIP_TAG_LEN, state, text)),
			 state, NOW, &t, &err) == -1);
	}
	(void)trip_cookies(a, slice_of(text), &names);
}

static void must_be_text(const char *text, size_t max)
{
	size_t len = strlen(text);

	must(len > 0 && len <= max && !str_has_control(text, len));
}

static void try_claims(struct arena *a, const char *text, size_t len)
{
	static const struct claims_rules rules = { .username_claim = "a.b",
		.strip_domain = "x" };
	struct conf_strings groups = { 0 };
	json_t *claims = NULL, *both = NULL;
	const char *name;
	struct err err = { 0 };

	if (json_parse(text, len, &claims, &err) != 0)
		return;
	if (json_is_object(claims) &&
	    claims_merge(claims, json_object_get(claims, "u"), &both, &err) ==
		0) {
		if (claims_name(a, both, &rules, &name, &err) == 0)
			must_be_text(name, CLAIMS_NAME_MAX);
		(void)claims_groups(a, both, "g", &groups, &err);
		for (size_t i = 0; i < groups.n; i++)
			must_be_text(groups.items[i], CLAIMS_GROUP_LEN_MAX);
	}
	json_decref(both);
	json_decref(claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	char *text;

	if (size > 1 << 16)
		return 0;
	arena_init(&a);
	text = arena_strndup(&a, (const char *)data, size);
	try_token(text);
	try_cookie(&a, text);
	try_claims(&a, text, strlen(text));
	arena_fini(&a);
	return 0;
}
