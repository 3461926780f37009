/*
 * The authenticator of `auth.providers`: OAuth 2.0 (RFC 6749, PKCE by RFC 7636,
 * `iss` by RFC 9207) and OpenID Connect, authorization code only. One opened
 * instance is one provider; what differs between them are rows of presets.def.
 *
 * What leads to an identity: the code is changed for tokens; the ID token is
 * verified; userinfo is about the same person; all restrictions of the provider
 * hold; the claims have a name. Anything missing or unclear is a refusal.
 */
#ifndef CARREL_AUTH_OAUTH_H
#define CARREL_AUTH_OAUTH_H

#include "auth/authenticator.h"

/* Not in registry.c: env->options is one item of auth.providers. */
extern const struct authenticator_kind authenticator_oauth;

/* Of an opened one, for the login page; live as long as it. */
const char *oauth_name(const struct authenticator *au);
const char *oauth_label(const struct authenticator *au);
/* Is it said how names of this provider differ from those of others? */
bool oauth_has_prefix(const struct authenticator *au);
/* Can it be told that whoever is logged in there shall prove it again? */
bool oauth_asks_again(const struct authenticator *au);

#endif
