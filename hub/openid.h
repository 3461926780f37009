/*
 * OpenID Connect on top of the OAuth provider (OpenID Connect Core 1.0,
 * Discovery 1.0): so that Grafana, GitLab or Discourse log people in by
 * configuration alone. Off while hub.public_url is not set, because the issuer
 * is an address, and the Host header of a request is not ours to believe.
 *
 * OpenID's scopes are words about a person, not permissions of the hub, and one
 * of them, "groups", means something else there: in a request that says
 * "openid" they are taken out first, and are stored as "openid:groups".
 */
#ifndef CARREL_HUB_OPENID_H
#define CARREL_HUB_OPENID_H

#include <jansson.h>
#include <stdbool.h>

#include "base/str.h"
#include "db/oauth.h"
#include "hub/app.h"

#define OPENID_NONCE_MAX 1024

struct req;

/* What a client may be told about a person. */
struct openid_wish {
	bool asked; /* "openid" itself: who it is */
	bool profile, email, groups;
};

/* -1: the keys; nothing is made when there is no public address. */
int openid_open(struct app *app, struct err *err) MUST_CHECK;
/* After the offload, which may be making a key. */
void openid_close(struct app *app);

/* Is it a word of OpenID, in a request that says "openid"? Then it is taken. */
bool openid_take_word(struct slice word, struct openid_wish *out);
/* Does the scope parameter say "openid"? */
bool openid_is_asked(const char *words);
/* Among the stored scopes of a code or a token, as openid_wish_read finds. */
void openid_wish_store(const struct openid_wish *w, json_t *list);
void openid_wish_read(const char *stored, struct openid_wish *out);
/* All of `inner` is in `outer`. */
bool openid_wish_covers(
    const struct openid_wish *outer, const struct openid_wish *inner);
/* The word of a stored scope, as clients know it. */
const char *openid_word_of(const char *stored);

/* The ID token for the token that the code became, in the request's arena. */
int openid_id_token(struct req *r, const struct oauth_code *c,
    const char *access_token, const char **out, struct err *err) MUST_CHECK;

/* Is the path outside our prefix the other spelling of the discovery document
 * (RFC 8414: before the issuer's path)? */
bool openid_is_discovery(const struct req *r);

#endif
