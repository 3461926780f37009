/*
 * An OpenID Connect issuer: its metadata (discovery) and its keys, fetched when
 * a login needs them, kept for a while, fetched again when they are old or when
 * a token names a key that is not there (rotation). One exchange at a time
 * serves all who wait.
 */
#ifndef CARREL_AUTH_OIDC_H
#define CARREL_AUTH_OIDC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"

struct fetcher;
struct oidc;

#define OIDC_KEEP_MS  (60 * 60 * 1000)
#define OIDC_AGAIN_MS (60 * 1000) /* between two fetches of keys */

/* Strings must live as long as the oidc. */
struct oidc_config {
	const char *issuer; /* as the tokens say it, to the byte */
	const char *client_id;
	/* Where its keys are, when that is all there is to know; then `algs`
	 * must be given. NULL: ask for the metadata. */
	const char *jwks_uri;
	const char *ca_file;      /* NULL: the system's */
	struct conf_strings algs; /* n 0: the asymmetric ones it advertises */
	int64_t leeway_s;
};

struct oidc_endpoints {
	const char *authorize, *token;
	const char *userinfo;    /* NULL: it has none */
	const char *end_session; /* the same */
	bool wants_post;         /* client_secret_basic is not offered */
	bool says_iss; /* RFC 9207: an answer without `iss` is forged */
};

typedef void oidc_ready_fn(const struct err *err, void *arg);

/* Somebody who waits; embedded in the owner, zeroed at first. */
struct oidc_wait {
	struct list link;
	struct oidc *oidc; /* NULL: does not wait */
	oidc_ready_fn *fn;
	void *arg;
	struct defer later;
	struct err err;
};

struct oidc *oidc_new(
    struct loop *l, struct fetcher *f, const struct oidc_config *cfg);
/* Everybody's waiting must have been stopped. */
void oidc_free(struct oidc **o);
/* fn once, never before this returns: err NULL when metadata and keys are
 * there, else what hinders. */
void oidc_prepare(
    struct oidc *o, struct oidc_wait *w, oidc_ready_fn *fn, void *arg);
/* The same after oidc_verify said NOT_FOUND; an error at once when the keys
 * were fetched less than OIDC_AGAIN_MS ago. */
void oidc_renew_keys(
    struct oidc *o, struct oidc_wait *w, oidc_ready_fn *fn, void *arg);
void oidc_wait_stop(struct oidc_wait *w);

/* Not with a jwks_uri. Valid after a successful wait, until the next turn of
 * the loop. */
const struct oidc_endpoints *oidc_endpoints(const struct oidc *o);
/* See idtoken_verify. */
int oidc_verify(const struct oidc *o, const char *token, const char *nonce,
    json_t **claims_out, struct err *err) MUST_CHECK;

/* https, or http to this machine itself. `what` names it in the error. */
int oidc_check_url(
    const char *what, const char *url, struct err *err) MUST_CHECK;

#endif
