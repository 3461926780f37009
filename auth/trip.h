/*
 * A trip to another login and back: what this browser must remember on the way,
 * in a cookie of its own, so that the hub need not. The cookie holds a random
 * secret, when and to whom the trip began and where to go after the login,
 * under our MAC; `state`, `nonce` and the PKCE verifier are derived from it. So
 * an answer is worth something only in the browser that left, only for that
 * provider, only for TRIP_MAX_S, and only once (trips_use).
 */
#ifndef CARREL_AUTH_TRIP_H
#define CARREL_AUTH_TRIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/keys.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define TRIP_COOKIE       "carrel-trip-" /* and the first digits of state */
#define TRIP_TAG_LEN      8
#define TRIP_MAX_S        600
#define TRIP_SECRET_LEN   43
#define TRIP_PROVIDER_MAX 32
#define TRIP_NEXT_MAX     1500 /* a longer one is left out */
#define TRIP_COOKIES_MAX  4    /* logins under way in one browser */

struct trip {
	char provider[TRIP_PROVIDER_MAX + 1];
	const char *next; /* NULL: none; to be checked again; in the arena */
	char state[TRIP_SECRET_LEN + 1];
	char nonce[TRIP_SECRET_LEN + 1];
	char verifier[TRIP_SECRET_LEN + 1];
	char cookie_name[sizeof TRIP_COOKIE + TRIP_TAG_LEN];
};

/* A new one; *cookie_out is the value that the browser keeps. */
void trip_begin(struct arena *a, const struct keys *k, const char *provider,
    const char *next, int64_t now_s, struct trip *out, const char **cookie_out);
/*
 * The trip that `state` (from the query) belongs to. -1: this browser began no
 * such trip, or it is over; the text is for the person.
 */
int trip_end(struct arena *a, const struct keys *k, struct slice cookie_header,
    const char *state, int64_t now_s, struct trip *out,
    struct err *err) MUST_CHECK;
/* The names of all trips' cookies that this browser sends; *out in `a`. */
size_t trip_cookies(
    struct arena *a, struct slice cookie_header, const char ***out);
/* The S256 challenge of a verifier. */
void trip_challenge(const char *verifier, char out[TRIP_SECRET_LEN + 1]);

/* The trips that ended lately: each ends once, though its cookie be kept. */
#define TRIPS_KEPT 4096
struct trips {
	unsigned char used[TRIPS_KEPT][16]; /* of the MACs; a ring */
	size_t next;
};
/* false: it was used before. */
bool trips_use(struct trips *t, const struct trip *trip);

#endif
