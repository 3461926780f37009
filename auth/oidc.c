/*
 * See oidc.h.
 */
#include "auth/oidc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "auth/idtoken.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/fetch.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"

#define URL_MAX     2048
#define BODY_MAX    (512 * 1024)
#define TIMEOUT_MS  10000
#define LIST_MAX    64
#define ALGS_MAX    9
/* The one that every issuer must offer (OpenID Connect Core 15.1). */
#define ALG_DEFAULT "RS256"

struct oidc {
	struct loop *loop;
	struct fetcher *fetcher;
	struct oidc_config cfg;
	struct list waiting;
	uint64_t fetch; /* 0: none under way */
	json_t *meta, *keys;
	int64_t meta_until_ms, keys_until_ms, keys_since_ms;
	struct oidc_endpoints ends;     /* strings of meta */
	const char *algs[ALGS_MAX + 1]; /* strings of meta or cfg */
	const char *jwks_uri;           /* of meta or cfg */
};

/* By number, or by the name that no name server is asked for. */
static bool is_this_machine(const char *host)
{
	return str_eq(host, "localhost") || str_eq(host, "::1") ||
	       (str_starts(host, "127.") &&
		   strspn(host, "0123456789.") == strlen(host));
}

int oidc_check_url(const char *what, const char *url, struct err *err)
{
	struct arena a;
	struct url u;
	int rc;

	arena_init(&a);
	rc = url_parse(&a, url, &u, err);
	if (rc != 0)
		(void)err_wrap(err, "%s", what);
	else if (u.scheme == URL_HTTP_UNIX ||
		 (u.scheme == URL_HTTP && !is_this_machine(u.host)))
		rc = err_set(err, ERR_INVALID,
		    "%s must begin with https:// (http:// only on this "
		    "machine itself)",
		    what);
	arena_fini(&a);
	return rc;
}

/* ---- what the issuer says about itself ----------------------------------- */

static int get_url(const json_t *meta, const char *key, bool must,
    const char **out, struct err *err)
{
	int found = json_get_str(meta, key, URL_MAX, out, err);

	if (found < 0)
		return -1;
	if (found == 0) {
		*out = NULL;
		return must
			   ? err_set(err, ERR_PROTOCOL, "it has no \"%s\"", key)
			   : 0;
	}
	return oidc_check_url(key, *out, err);
}

static bool array_has(const json_t *array, const char *word)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (str_eq(json_string_value(json_array_get(array, i)), word))
			return true;
	}
	return false;
}

/* Ours, or of the advertised ones those that we take. */
static int choose_algs(struct oidc *o, const json_t *meta, struct err *err)
{
	const json_t *have =
	    json_object_get(meta, "id_token_signing_alg_values_supported");
	const char *chosen[ALGS_MAX + 1] = { NULL };
	size_t n = 0;

	for (size_t i = 0; i < o->cfg.algs.n && n < ALGS_MAX; i++)
		chosen[n++] = o->cfg.algs.items[i];
	for (size_t i = 0; !o->cfg.algs.n && i < json_array_size(have) &&
			   i < LIST_MAX && n < ALGS_MAX;
	     i++) {
		const char *alg = json_string_value(json_array_get(have, i));

		if (alg && idtoken_alg_known(alg))
			chosen[n++] = alg;
	}
	if (n == 0 && json_array_size(have) > 0)
		return err_set(err, ERR_PROTOCOL,
		    "it signs its tokens in no way that is safe: none of "
		    "RS256, ES256, PS256 and their longer kin; switch one on "
		    "at the provider");
	if (n == 0)
		chosen[0] = ALG_DEFAULT;
	memcpy(o->algs, chosen, sizeof o->algs);
	return 0;
}

static bool flag_of(const json_t *meta, const char *key)
{
	return json_is_true(json_object_get(meta, key));
}

/* Everything is read into `ends` first, so that a bad document changes
 * nothing. */
static int read_meta(struct oidc *o, const json_t *meta, struct err *err)
{
	const json_t *methods =
	    json_object_get(meta, "token_endpoint_auth_methods_supported");
	const char *issuer = json_string_value(json_object_get(meta, "issuer"));
	struct oidc_endpoints ends = { 0 };
	const char *jwks_uri;

	if (!str_eq(issuer, o->cfg.issuer))
		return err_set(err, ERR_PROTOCOL,
		    "it names another issuer: \"%.100s\"; write exactly that "
		    "if it is the right one",
		    issuer ? issuer : "");
	if (get_url(meta, "authorization_endpoint", true, &ends.authorize,
		err) != 0 ||
	    get_url(meta, "token_endpoint", true, &ends.token, err) != 0 ||
	    get_url(meta, "userinfo_endpoint", false, &ends.userinfo, err) !=
		0 ||
	    get_url(meta, "end_session_endpoint", false, &ends.end_session,
		err) != 0 ||
	    get_url(meta, "jwks_uri", true, &jwks_uri, err) != 0 ||
	    choose_algs(o, meta, err) != 0)
		return -1;
	ends.wants_post = json_array_size(methods) > 0 &&
			  !array_has(methods, "client_secret_basic") &&
			  array_has(methods, "client_secret_post");
	ends.says_iss =
	    flag_of(meta, "authorization_response_iss_parameter_supported");
	o->ends = ends;
	o->jwks_uri = jwks_uri;
	return 0;
}

/* ---- fetching ------------------------------------------------------------ */

static void step(struct oidc *o);

static bool wants_meta(const struct oidc *o)
{
	return !o->cfg.jwks_uri;
}

/* Who waits anew in a callback waits for the next time; who waits to be told of
 * a refusal of their own stays. */
static void wake(struct oidc *o, const struct err *err)
{
	struct list now;

	list_init(&now);
	list_for_each (it, &o->waiting) {
		struct oidc_wait *w = LIST_ITEM(it, struct oidc_wait, link);

		if (w->err.code != ERR_NONE)
			continue;
		list_del(&w->link);
		list_add_tail(&now, &w->link);
	}
	while (!list_empty(&now)) {
		struct oidc_wait *w =
		    LIST_ITEM(now.next, struct oidc_wait, link);

		oidc_wait_stop(w);
		w->fn(err, w->arg);
	}
}

static int read_answer(
    const struct fetch_result *res, json_t **out, struct err *err)
{
	*out = NULL;
	if (res->status == 0) {
		*err = res->err;
		return -1;
	}
	if (res->status != 200)
		return err_set(err, ERR_PROTOCOL, "it answers %d", res->status);
	if (json_parse(res->body.p, res->body.len, out, err) != 0)
		return -1;
	if (json_is_object(*out))
		return 0;
	json_decref(*out);
	*out = NULL;
	return err_set(err, ERR_PROTOCOL, "it answers no JSON object");
}

/* With an older answer at hand people can still log in. */
static void failed(struct oidc *o, const char *what, struct err *err)
{
	int64_t again_ms = loop_now_ms(o->loop) + OIDC_AGAIN_MS;

	(void)err_wrap(err, "the %s of %s", what, o->cfg.issuer);
	if ((!o->meta && wants_meta(o)) || !o->keys) {
		wake(o, err);
		return;
	}
	log_warn(NULL, "an issuer cannot be asked; its last answer serves",
	    "why=\"%s\"", err->text);
	if (o->meta_until_ms < again_ms)
		o->meta_until_ms = again_ms;
	if (o->keys_until_ms < again_ms)
		o->keys_until_ms = again_ms;
	step(o);
}

static void on_meta(const struct fetch_result *res, void *arg)
{
	struct oidc *o = arg;
	struct err err = { 0 };
	json_t *meta = NULL;

	o->fetch = 0;
	if (read_answer(res, &meta, &err) != 0 ||
	    read_meta(o, meta, &err) != 0) {
		json_decref(meta);
		failed(o, "metadata", &err);
		return;
	}
	json_decref(o->meta);
	o->meta = meta;
	o->meta_until_ms = loop_now_ms(o->loop) + OIDC_KEEP_MS;
	step(o);
}

static void on_keys(const struct fetch_result *res, void *arg)
{
	struct oidc *o = arg;
	struct err err = { 0 };
	json_t *keys = NULL, *list;

	o->fetch = 0;
	if (read_answer(res, &keys, &err) != 0 ||
	    json_get_array(keys, "keys", LIST_MAX, &list, &err) != 1) {
		json_decref(keys);
		if (err.code == ERR_NONE)
			(void)err_set(
			    &err, ERR_PROTOCOL, "they have no \"keys\"");
		failed(o, "keys", &err);
		return;
	}
	json_decref(o->keys);
	o->keys = keys;
	o->keys_since_ms = loop_now_ms(o->loop);
	o->keys_until_ms = o->keys_since_ms + OIDC_KEEP_MS;
	step(o);
}

static void ask(struct oidc *o, const char *url, fetch_done_fn *done)
{
	static const struct fetch_header accept = { "Accept",
		"application/json" };
	const struct fetch_req req = {
		.method = "GET",
		.url = url,
		.headers = &accept,
		.n_headers = 1,
		.timeout_ms = TIMEOUT_MS,
		.max_body_bytes = BODY_MAX,
		.ca_file = o->cfg.ca_file,
	};

	o->fetch = fetch_start(o->fetcher, &req, done, o);
}

static void ask_meta(struct oidc *o)
{
	size_t len = strlen(o->cfg.issuer);
	char *url;

	while (len > 0 && o->cfg.issuer[len - 1] == '/')
		len--;
	url = xasprintf(
	    "%.*s/.well-known/openid-configuration", (int)len, o->cfg.issuer);
	ask(o, url, on_meta);
	free(url);
}

/* Fetch what is missing or old, else tell those who wait. */
static void step(struct oidc *o)
{
	int64_t now_ms = loop_now_ms(o->loop);

	if (o->fetch)
		return;
	if (wants_meta(o) && (!o->meta || now_ms >= o->meta_until_ms))
		ask_meta(o);
	else if (!o->keys || now_ms >= o->keys_until_ms)
		ask(o, o->jwks_uri, on_keys);
	else
		wake(o, NULL);
}

/* ---- waiting ------------------------------------------------------------- */

static void on_later(void *arg)
{
	struct oidc_wait *w = arg;
	struct oidc *o = w->oidc;

	if (w->err.code == ERR_NONE) {
		step(o);
		return;
	}
	list_del(&w->link);
	w->oidc = NULL;
	w->fn(&w->err, w->arg);
}

static void wait_start(
    struct oidc *o, struct oidc_wait *w, oidc_ready_fn *fn, void *arg)
{
	assert(!w->oidc);
	w->oidc = o;
	w->fn = fn;
	w->arg = arg;
	err_clear(&w->err);
	list_add_tail(&o->waiting, &w->link);
	defer_call(o->loop, &w->later, on_later, w);
}

void oidc_prepare(
    struct oidc *o, struct oidc_wait *w, oidc_ready_fn *fn, void *arg)
{
	wait_start(o, w, fn, arg);
}

void oidc_renew_keys(
    struct oidc *o, struct oidc_wait *w, oidc_ready_fn *fn, void *arg)
{
	int64_t now_ms = loop_now_ms(o->loop);

	wait_start(o, w, fn, arg);
	if (o->keys && now_ms - o->keys_since_ms < OIDC_AGAIN_MS)
		(void)err_set(&w->err, ERR_DENIED,
		    "the ID token is refused: %s publishes no key that fits "
		    "it, and was asked a moment ago",
		    o->cfg.issuer);
	else
		o->keys_until_ms = now_ms;
}

void oidc_wait_stop(struct oidc_wait *w)
{
	if (!w->oidc)
		return;
	defer_cancel(&w->later);
	list_del(&w->link);
	w->oidc = NULL;
}

/* ---- life and queries ---------------------------------------------------- */

struct oidc *oidc_new(
    struct loop *l, struct fetcher *f, const struct oidc_config *cfg)
{
	struct oidc *o = xcalloc(1, sizeof *o);

	assert(!cfg->jwks_uri || (cfg->algs.n > 0 && cfg->algs.n <= ALGS_MAX));
	o->loop = l;
	o->fetcher = f;
	o->cfg = *cfg;
	o->jwks_uri = cfg->jwks_uri;
	for (size_t i = 0; !wants_meta(o) && i < cfg->algs.n; i++)
		o->algs[i] = cfg->algs.items[i];
	list_init(&o->waiting);
	return o;
}

void oidc_free(struct oidc **op)
{
	struct oidc *o = *op;

	*op = NULL;
	if (!o)
		return;
	assert(list_empty(&o->waiting));
	if (o->fetch)
		fetch_cancel(o->fetcher, o->fetch);
	json_decref(o->meta);
	json_decref(o->keys);
	free(o);
}

const struct oidc_endpoints *oidc_endpoints(const struct oidc *o)
{
	return &o->ends;
}

int oidc_verify(const struct oidc *o, const char *token, const char *nonce,
    json_t **claims_out, struct err *err)
{
	const struct idtoken_wanted want = {
		.issuer = o->cfg.issuer,
		.client_id = o->cfg.client_id,
		.nonce = nonce,
		.algs = o->algs,
		.leeway_s = o->cfg.leeway_s,
		.now_s = clock_wall_s(),
	};

	return idtoken_verify(token, o->keys, &want, claims_out, err);
}
