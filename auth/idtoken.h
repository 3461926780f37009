/*
 * Verifying an ID token (OpenID Connect Core 3.1.3.7, RFC 7515, RFC 8725): the
 * signature by one of the issuer's public keys (cjose), then each claim that
 * binds it to this issuer, this client, this browser and this moment.
 *
 * Pure: the keys are the caller's (oidc.h fetches them), the time too.
 */
#ifndef CARREL_AUTH_IDTOKEN_H
#define CARREL_AUTH_IDTOKEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define IDTOKEN_MAX        (64 * 1024)
#define IDTOKEN_LEEWAY_MAX 300
/* Older ones were not made for this login. */
#define IDTOKEN_AGE_MAX_S  600

struct idtoken_wanted {
	const char *issuer, *client_id;
	const char *nonce; /* NULL: of a refresh, which has none */
	/* NULL-ended; each is one that idtoken_alg_known knows. */
	const char *const *algs;
	int64_t leeway_s; /* 0..IDTOKEN_LEEWAY_MAX, for clocks that differ */
	int64_t now_s;
};

/* Asymmetric signatures only: never "none", never HS256 and its kin, whose key
 * would be our secret or, in an attack, the issuer's public key. */
bool idtoken_alg_known(const char *alg);

/*
 * `jwks` is the issuer's {"keys": [...]}. *claims_out is a new reference.
 * NOT_FOUND: the issuer's keys do not have the one that signed (a new set may
 * have it); DENIED: anything else that is wrong; the text names what.
 */
int idtoken_verify(const char *token, const json_t *jwks,
    const struct idtoken_wanted *want, json_t **claims_out,
    struct err *err) MUST_CHECK;

#endif
