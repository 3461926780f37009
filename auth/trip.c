/*
 * See trip.h. The cookie's value, base64url parts with dots between:
 *
 *   secret . seconds . provider . next . MAC over all before it
 */
#include "auth/trip.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mac.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rand.h"
#include "base/url.h"

#define PARTS     5
#define VALUE_MAX 4096
#define NAMES_MAX 64

/* A key of its own, so that no other MAC of ours is one of these. */
static void sign(
    const struct keys *k, struct slice what, char out[TRIP_SECRET_LEN + 1])
{
	static const char purpose[] = "trip to another login";
	unsigned char key[MAC_SHA256_LEN], mac[MAC_SHA256_LEN];
	int rc;

	mac_hmac_sha256(k->xsrf, sizeof k->xsrf, purpose, sizeof purpose, key);
	mac_hmac_sha256(key, sizeof key, what.p, what.len, mac);
	rc = b64url_encode(mac, sizeof mac, out, TRIP_SECRET_LEN + 1);
	assert(rc == 0);
	mem_wipe(key, sizeof key);
}

/* From the MAC nobody finds the secret, from one of the three not the others.
 * All of the value is in it: state of one provider is not another's. */
static void derive(
    const char *value, const char *purpose, char out[TRIP_SECRET_LEN + 1])
{
	unsigned char mac[MAC_SHA256_LEN];
	int rc;

	mac_hmac_sha256(value, strlen(value), purpose, strlen(purpose), mac);
	rc = b64url_encode(mac, sizeof mac, out, TRIP_SECRET_LEN + 1);
	assert(rc == 0);
}

static void derive_all(const char *value, struct trip *t)
{
	int rc;

	derive(value, "state", t->state);
	derive(value, "nonce", t->nonce);
	derive(value, "verifier", t->verifier);
	rc = str_format(t->cookie_name, sizeof t->cookie_name,
	    TRIP_COOKIE "%.*s", TRIP_TAG_LEN, t->state);
	assert(rc == 0);
}

static const char *encode(struct arena *a, const char *s)
{
	size_t len = strlen(s), cap = len * 4 / 3 + 4;
	char *out = arena_alloc(a, cap);
	int rc = b64url_encode(s, len, out, cap);

	assert(rc == 0);
	return out;
}

void trip_begin(struct arena *a, const struct keys *k, const char *provider,
    const char *next, int64_t now_s, struct trip *out, const char **cookie_out)
{
	char secret[TRIP_SECRET_LEN + 1], mac[TRIP_SECRET_LEN + 1];
	unsigned char raw[32];
	const char *body;
	int rc;

	*out = (struct trip){ 0 };
	rc = str_copy(out->provider, sizeof out->provider, provider);
	assert(rc == 0);
	if (next && strlen(next) <= TRIP_NEXT_MAX)
		out->next = next;
	rand_bytes(raw, sizeof raw);
	rc = b64url_encode(raw, sizeof raw, secret, sizeof secret);
	assert(rc == 0);
	body = arena_printf(a, "%s.%lld.%s.%s", secret, (long long)now_s,
	    encode(a, provider), encode(a, out->next ? out->next : ""));
	sign(k, slice_of(body), mac);
	*cookie_out = arena_printf(a, "%s.%s", body, mac);
	derive_all(*cookie_out, out);
	mem_wipe(raw, sizeof raw);
	mem_wipe(secret, sizeof secret);
}

/* ---- the way back -------------------------------------------------------- */

static int unknown(struct err *err)
{
	return err_set(err, ERR_NOT_FOUND,
	    "This login was not begun in this browser, or it took too long. "
	    "Please start again.");
}

static bool is_ours(const struct keys *k, struct slice value)
{
	char mac[TRIP_SECRET_LEN + 1];
	size_t n = value.len - TRIP_SECRET_LEN - 1;

	if (value.len > VALUE_MAX || value.len < TRIP_SECRET_LEN + 2 ||
	    value.p[n] != '.')
		return false;
	sign(k, slice_make(value.p, n), mac);
	return mac_equal(
	    value.p + n + 1, TRIP_SECRET_LEN, mac, TRIP_SECRET_LEN);
}

static char *decode(struct arena *a, struct slice s)
{
	char *out = arena_alloc(a, s.len + 1);
	size_t n = 0;

	if (b64url_decode(s, (unsigned char *)out, s.len + 1, &n) != 0)
		return NULL;
	out[n] = '\0';
	return out;
}

/* What is under our MAC has its form; a failure is a bug or an old version. */
static int read_value(
    struct arena *a, struct slice value, int64_t now_s, struct trip *out)
{
	struct slice rest = value, parts[PARTS];
	const char *provider, *seconds;
	int64_t began_s;
	struct err err;
	size_t n = 0;

	/* An empty part (no next) counts too. */
	for (size_t i = 0, from = 0; i <= rest.len; i++) {
		if (i < rest.len && rest.p[i] != '.')
			continue;
		if (n == PARTS)
			return -1;
		parts[n++] = slice_make(rest.p + from, i - from);
		from = i + 1;
	}
	if (n != PARTS)
		return -1;
	seconds = arena_strndup(a, parts[1].p, parts[1].len);
	provider = decode(a, parts[2]);
	out->next = decode(a, parts[3]);
	if (!provider || !out->next ||
	    str_copy(out->provider, sizeof out->provider, provider) != 0 ||
	    num_i64(seconds, &began_s, &err) != 0)
		return -1;
	if (!*out->next)
		out->next = NULL;
	return now_s - began_s > TRIP_MAX_S || began_s - now_s > TRIP_MAX_S ? -1
									    : 0;
}

int trip_end(struct arena *a, const struct keys *k, struct slice cookie_header,
    const char *state, int64_t now_s, struct trip *out, struct err *err)
{
	char name[sizeof out->cookie_name];
	struct slice value;
	size_t pos = 0;

	*out = (struct trip){ 0 };
	if (!state || strlen(state) != TRIP_SECRET_LEN ||
	    str_format(name, sizeof name, TRIP_COOKIE "%.*s", TRIP_TAG_LEN,
		state) != 0)
		return unknown(err);
	while (cookie_find(cookie_header, name, &pos, &value)) {
		if (!is_ours(k, value))
			continue;
		derive_all(arena_strndup(a, value.p, value.len), out);
		if (mac_equal_str(out->state, state) &&
		    read_value(a, value, now_s, out) == 0)
			return 0;
	}
	*out = (struct trip){ 0 };
	return unknown(err);
}

size_t trip_cookies(
    struct arena *a, struct slice cookie_header, const char ***out)
{
	struct slice rest = cookie_header, one;
	size_t n = 0;

	*out = arena_array(a, NAMES_MAX, sizeof **out);
	while (n < NAMES_MAX && slice_split(&rest, ';', &one)) {
		struct slice name;

		one = slice_trim(one);
		if (slice_starts(one, TRIP_COOKIE) &&
		    slice_split(&one, '=', &name) &&
		    name.len == strlen(TRIP_COOKIE) + TRIP_TAG_LEN)
			(*out)[n++] = arena_strndup(a, name.p, name.len);
	}
	return n;
}

void trip_challenge(const char *verifier, char out[TRIP_SECRET_LEN + 1])
{
	unsigned char digest[MAC_SHA256_LEN];
	int rc;

	mac_sha256(verifier, strlen(verifier), digest);
	rc = b64url_encode(digest, sizeof digest, out, TRIP_SECRET_LEN + 1);
	assert(rc == 0);
}

bool trips_use(struct trips *t, const struct trip *trip)
{
	unsigned char digest[MAC_SHA256_LEN];

	mac_sha256(trip->state, strlen(trip->state), digest);
	for (size_t i = 0; i < TRIPS_KEPT; i++) {
		if (mac_equal(t->used[i], sizeof t->used[i], digest,
			sizeof t->used[i]))
			return false;
	}
	memcpy(t->used[t->next], digest, sizeof t->used[0]);
	t->next = (t->next + 1) % TRIPS_KEPT;
	return true;
}
