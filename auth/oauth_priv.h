/*
 * Between oauth.c (the flow) and oauth_member.c (who is a member of what).
 */
#ifndef CARREL_AUTH_OAUTH_PRIV_H
#define CARREL_AUTH_OAUTH_PRIV_H

#include "auth/oauth.h"
#include "auth/oauth_options.h"
#include "auth/oidc.h"
#include "base/fetch.h"

/* The member of auth_state with the provider's words about the person. */
#define OAUTH_STATE_USER   "oauth_user"
/* The tokens for other resource servers, by the server's name (Globus). */
#define OAUTH_STATE_TOKENS "tokens"

struct oauth {
	struct authenticator base;
	struct loop *loop;
	struct fetcher *fetcher;
	const struct auth_sink *sink;
	void (*redirect)(uint64_t attempt, const char *url, void *arg);
	struct arena arena;
	struct oauth_options opt;
	const char *callback_url;
	struct oidc *oidc;           /* NULL: plain OAuth 2.0 */
	struct oauth_google *google; /* NULL: its directory is not asked */
	struct list attempts;
	size_t n;
};

struct oauth_attempt {
	struct list link;
	struct oauth *owner;
	uint64_t id;
	struct arena arena;
	const char *state, *nonce, *verifier, *code;
	const char *access_token, *id_token, *refresh_token; /* NULL: none */
	bool is_refresh;
	bool again;     /* auth_trip's */
	json_t *before; /* is_refresh: what was kept of the person */
	json_t *id_claims, *claims;
	json_t *other_tokens; /* resource server -> its answer; NULL: none */
	struct conf_strings groups; /* as the provider calls them */
	bool keys_renewed;
	struct oidc_wait wait;
	uint64_t fetch; /* 0: none under way */
	/* where the calls of oauth_member.c are */
	const struct oauth_call *call;
	size_t i_value, page;
	const char *next_url; /* PAGES: NULL at the first */
	/* how it ends */
	enum auth_result res;
	const char *text, *name, *subject, *url;
	struct defer ending;
};

/* The end, told when this turn of the loop is over. `why` is for the log. */
void oauth_refuse(struct oauth_attempt *at, const char *text, const char *why);
void oauth_unavailable(struct oauth_attempt *at, const char *why);
void oauth_finish(struct oauth_attempt *at);
/* trip NULL: a refresh. NULL: too many at a time, the attempt was ended. */
struct oauth_attempt *oauth_begin(
    struct authenticator *au, uint64_t id, const struct auth_trip *trip);
bool oauth_is_oidc(const struct oauth_attempt *at);

/* ---- asking ---------------------------------------------------------------
 */

void oauth_ask(struct oauth_attempt *at, struct fetch_req *req,
    const char *authorization, fetch_done_fn *done);
/* GET with the access token; done gets the attempt. */
void oauth_get(struct oauth_attempt *at, const char *url, fetch_done_fn *done);
/* The same with another token. */
void oauth_get_with(struct oauth_attempt *at, const char *token,
    const char *url, fetch_done_fn *done);
/* The answer of `what` as JSON; -1: the attempt was ended. */
int oauth_answer(struct oauth_attempt *at, const struct fetch_result *res,
    const char *what, json_t **out) MUST_CHECK;

/* The token endpoint, with the code or the refresh token; goes on with the ID
 * token and userinfo. */
void oauth_post_grant(struct oauth_attempt *at);
/* Tokens are there: verified, then userinfo. */
void oauth_have_tokens(struct oauth_attempt *at);
void oauth_userdata(struct oauth_attempt *at);
/* "invalid_grant": the words of RFC 6749 5.2, made printable; in the arena. */
const char *oauth_error_word(struct oauth_attempt *at, const char *word);

/* ---- what is kept (oauth_refresh.c) ---------------------------------------
 */

/* auth_state: tokens and claims (a new reference). */
json_t *oauth_state_of(const struct oauth_attempt *at);
void oauth_refresh(struct authenticator *au, uint64_t id, const json_t *state);
const char *oauth_logout_url(const struct authenticator *au, struct arena *a,
    const json_t *state, const char *back);

/* ---- members (oauth_member.c) ----------------------------------------------
 */

/* Is that resource server one that a row of the kind asks? */
bool oauth_shows_to(const struct oauth_attempt *at, const char *server);
/* The next call of the rows; when none is left, the end. */
void oauth_next_call(struct oauth_attempt *at);
/* As the provider calls it; the attempt goes on. */
int oauth_add_group(
    struct oauth_attempt *at, const char *name, struct err *err) MUST_CHECK;
/* All claims are there: groups, restrictions, name; ends the attempt. */
void oauth_decide(struct oauth_attempt *at);

/* ---- groups of Google (oauth_google.c) ------------------------------------
 */

/* *out stays NULL where no service account is configured. */
int oauth_google_open(const struct oauth_options *opt,
    struct oauth_google **out, struct err *err) MUST_CHECK;
void oauth_google_close(struct oauth_google **g);
/* The row DIRECTORY: asks, adds the groups, goes on with the next call. */
void oauth_google_groups(struct oauth_attempt *at);

#endif
