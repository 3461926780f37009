/*
 * The OAuth provider's two halves: what an authorization request asks for and
 * may get (oauth_request.c), and the endpoints (oauth_authorize.c,
 * oauth_token.c). Source: contract/hub.md 3, RFC 6749, RFC 7636.
 */
#ifndef CARREL_HUB_OAUTH_H
#define CARREL_HUB_OAUTH_H

#include <stdbool.h>

#include "db/oauth.h"
#include "hub/openid.h"
#include "hub/route.h"

#define OAUTH_CODE_LIFE_S 300
#define PKCE_MIN          43
#define PKCE_MAX          128

struct oauth_request {
	struct oauth_client client;
	const char *owner, *server_name; /* of the client's server; NULL */
	bool is_own;                     /* the requester's own server */
	const char *service; /* whose client it is; NULL: a server's */
	bool never_asks;     /* oauth_no_confirm */
	const char *redirect_uri, *state, *challenge, *challenge_method;
	struct scope_context ctx;
	struct scope_set wanted;  /* raw, as asked */
	struct scope_set granted; /* effective, with identify and access */
	bool inherits;            /* "inherit" was asked for and is allowed */
	struct openid_wish openid;
	const char *nonce;
};

/*
 * Reads and checks the query (for the confirmation: the form's `scopes` in
 * place of `scope`). 0; -1: answered, by an error page or by a redirect with
 * `error`.
 */
int oauth_request_read(
    struct req *r, bool is_confirm, struct oauth_request *out) MUST_CHECK;
/* Back to the client, with what is wrong (RFC 6749 4.1.2.1). */
void oauth_request_refuse(struct req *r, const struct oauth_request *q,
    const char *error, const char *description);
/* An OpenID request that shows nothing to the person: "prompt=none". */
bool oauth_request_is_silent(const struct req *r);
/* Must the person be asked? 1/0/-1 */
int oauth_request_wants_consent(
    struct req *r, const struct oauth_request *q, struct err *err) MUST_CHECK;
/* JSON list of what is granted, in the request's arena. */
const char *oauth_request_scopes(struct req *r, const struct oauth_request *q);
/* Does the verifier belong to the challenge? */
bool oauth_pkce_ok(
    const char *challenge, const char *method, const char *verifier);

#endif
