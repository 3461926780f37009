/*
 * Between oauth.c (the flow) and oauth_member.c (who is a member of what).
 */
#ifndef CARREL_AUTH_OAUTH_PRIV_H
#define CARREL_AUTH_OAUTH_PRIV_H

#include "auth/oauth.h"
#include "auth/oauth_options.h"
#include "auth/oidc.h"
#include "base/fetch.h"

struct oauth {
	struct authenticator base;
	struct loop *loop;
	struct fetcher *fetcher;
	const struct auth_sink *sink;
	void (*redirect)(uint64_t attempt, const char *url, void *arg);
	struct arena arena;
	struct oauth_options opt;
	const char *callback_url;
	struct oidc *oidc; /* NULL: plain OAuth 2.0 */
	struct list attempts;
	size_t n;
};

struct oauth_attempt {
	struct list link;
	struct oauth *owner;
	uint64_t id;
	struct arena arena;
	const char *state, *nonce, *verifier, *code;
	const char *access_token, *id_token;
	json_t *id_claims, *claims;
	struct conf_strings groups; /* as the provider calls them */
	bool keys_renewed;
	struct oidc_wait wait;
	uint64_t fetch; /* 0: none under way */
	/* where the calls of oauth_member.c are */
	const struct oauth_call *call;
	size_t i_value, page;
	/* how it ends */
	enum auth_result res;
	const char *text, *name, *subject, *url;
	struct defer ending;
};

/* The end, told when this turn of the loop is over. `why` is for the log. */
void oauth_refuse(struct oauth_attempt *at, const char *text, const char *why);
void oauth_unavailable(struct oauth_attempt *at, const char *why);
void oauth_finish(struct oauth_attempt *at);
/* GET with the access token; done gets the attempt. */
void oauth_get(struct oauth_attempt *at, const char *url, fetch_done_fn *done);
/* The answer of `what` as JSON; -1: the attempt was ended. */
int oauth_answer(struct oauth_attempt *at, const struct fetch_result *res,
    const char *what, json_t **out) MUST_CHECK;

/* All claims are there: groups, restrictions, name; ends the attempt. */
void oauth_decide(struct oauth_attempt *at);

#endif
