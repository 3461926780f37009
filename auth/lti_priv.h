/*
 * Between lti.c (what both versions share: attempts, their end, their life),
 * lti13.c and lti11.c.
 */
#ifndef CARREL_AUTH_LTI_PRIV_H
#define CARREL_AUTH_LTI_PRIV_H

#include "auth/lti.h"
#include "auth/lti_launch.h"
#include "auth/lti_options.h"
#include "auth/nonces.h"
#include "auth/oidc.h"
#include "base/list.h"

struct lti {
	struct authenticator base;
	struct loop *loop;
	struct fetcher *fetcher;
	const struct auth_sink *sink;
	struct arena arena;
	struct lti_options opt;
	const char *hub_url;
	struct oidc *oidc; /* lti13: the platform's keys */
	/* lti11 */
	const char *launch_url;
	struct nonces *nonces;
	int64_t since_s;
	struct list attempts;
	size_t n;
};

struct lti_attempt {
	struct list link;
	struct lti *owner;
	uint64_t id;
	struct arena arena;
	/* lti13 */
	const char *nonce, *id_token;
	json_t *claims;
	bool keys_renewed;
	struct oidc_wait wait;
	/* how it ends */
	enum auth_result res;
	const char *text;
	struct lti_launch launch;
	struct defer ending;
};

typedef int lti_options_fn(struct arena *a, const struct conf_node *tree,
    const char *file, struct lti_options *out, struct err *err);

/* What au is, asserting that it is one of ours. */
struct lti *lti_of(const struct authenticator *au);
/* NULL with err. */
struct lti *lti_open(const struct auth_env *env,
    const struct authenticator_kind *kind, lti_options_fn *read,
    struct err *err);
void lti_close(struct authenticator **au);
void lti_cancel(struct authenticator *au, uint64_t id);

/* NULL: too many at a time; that one has its end. */
struct lti_attempt *lti_begin(struct lti *o, uint64_t id);
/* The end, told when this turn of the loop is over. `why` is for the log. */
void lti_accept(struct lti_attempt *at);
void lti_refuse(struct lti_attempt *at, const char *text, const char *why);
void lti_unavailable(struct lti_attempt *at, const char *why);
/* The value of what stands there exactly once, not empty and at most max bytes
 * long, without control bytes; else NULL. */
const char *lti_once(
    const struct url_pairs *args, const char *name, size_t max);

#endif
