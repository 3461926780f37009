/*
 * What tests of logins by a provider share: keys and tokens made here with
 * OpenSSL (not with the library that verifies them), and a web of the test's
 * own in the place of base/fetch.c. Included by one test program each.
 */
#include "test_util.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fetch.h"
#include "base/json.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"

/* ---- keys ---------------------------------------------------------------- */

static EVP_PKEY *rsa_one, *rsa_two, *rsa_weak, *ec_one;

static inline void make_keys(void)
{
	rsa_one = EVP_RSA_gen(2048);
	rsa_two = EVP_RSA_gen(2048);
	rsa_weak = EVP_RSA_gen(1024);
	ec_one = EVP_EC_gen("P-256");
	assert_non_null(rsa_one && rsa_two && rsa_weak && ec_one);
}

static inline void free_keys(void)
{
	EVP_PKEY_free(rsa_one);
	EVP_PKEY_free(rsa_two);
	EVP_PKEY_free(rsa_weak);
	EVP_PKEY_free(ec_one);
}

static inline char *b64(const void *p, size_t n)
{
	char *out = xcalloc(1, n * 4 / 3 + 8);

	assert_int_equal(b64url_encode(p, n, out, n * 4 / 3 + 8), 0);
	return out;
}

static inline void put_number(
    json_t *jwk, const char *name, EVP_PKEY *key, const char *param, int len)
{
	unsigned char raw[1024];
	BIGNUM *bn = NULL;
	char *text;

	assert_int_equal(EVP_PKEY_get_bn_param(key, param, &bn), 1);
	if (len == 0)
		len = BN_num_bytes(bn);
	assert_int_equal(BN_bn2binpad(bn, raw, len), len);
	text = b64(raw, (size_t)len);
	json_object_set_new(jwk, name, json_string(text));
	free(text);
	BN_free(bn);
}

/* kid NULL: without one. */
static inline json_t *jwk_of(EVP_PKEY *key, const char *kid)
{
	json_t *jwk = json_object();

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
		json_object_set_new(jwk, "kty", json_string("RSA"));
		put_number(jwk, "n", key, OSSL_PKEY_PARAM_RSA_N, 0);
		put_number(jwk, "e", key, OSSL_PKEY_PARAM_RSA_E, 0);
	} else {
		json_object_set_new(jwk, "kty", json_string("EC"));
		json_object_set_new(jwk, "crv", json_string("P-256"));
		put_number(jwk, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, 32);
		put_number(jwk, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
	}
	if (kid)
		json_object_set_new(jwk, "kid", json_string(kid));
	return jwk;
}

static inline json_t *jwks_of(EVP_PKEY *key, const char *kid)
{
	return json_pack("{s:[o]}", "keys", jwk_of(key, kid));
}

/* ---- tokens -------------------------------------------------------------- */

static inline char *sign_rsa_or_ec(EVP_PKEY *key, const char *text)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char der[1024], raw[64];
	size_t n = sizeof der;
	char *out;

	assert_int_equal(
	    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, der, &n,
			     (const unsigned char *)text, strlen(text)),
	    1);
	EVP_MD_CTX_free(ctx);
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		return b64(der, n);
	const unsigned char *p = der;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
	BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32);
	out = b64(raw, sizeof raw);
	ECDSA_SIG_free(sig);
	return out;
}

static inline char *sign_hmac(const void *secret, size_t len, const char *text)
{
	unsigned char mac[32];
	unsigned n = sizeof mac;

	assert_non_null(HMAC(EVP_sha256(), secret, (int)len,
	    (const unsigned char *)text, strlen(text), mac, &n));
	return b64(mac, n);
}

/* "head.claims", both taken. */
static inline char *unsigned_token(json_t *head, json_t *claims)
{
	char *h = json_text(head, NULL), *c = json_text(claims, NULL);
	char *h64 = b64(h, strlen(h)), *c64 = b64(c, strlen(c));
	char *out = xasprintf("%s.%s", h64, c64);

	json_decref(head);
	json_decref(claims);
	free(h);
	free(c);
	free(h64);
	free(c64);
	return out;
}

static inline json_t *head_of(const char *alg, const char *kid)
{
	return json_pack(
	    "{s:s, s:s, s:s*}", "typ", "JWT", "alg", alg, "kid", kid);
}

/* Signed with `key` under the name `alg`; the claims are taken. */
static inline char *token_of(
    EVP_PKEY *key, const char *alg, const char *kid, json_t *claims)
{
	char *text = unsigned_token(head_of(alg, kid), claims);
	char *sig = sign_rsa_or_ec(key, text);
	char *out = xasprintf("%s.%s", text, sig);

	free(text);
	free(sig);
	return out;
}

/* ---- the web ------------------------------------------------------------- */

struct exchange {
	struct list link;
	uint64_t id;
	fetch_done_fn *done;
	void *arg;
	char *url;
};

struct page {
	const char *url; /* whole, without what follows */
	int status;      /* 0: it cannot be reached */
	char *body;      /* owned */
};

#define PAGES_MAX     32
#define EXCHANGES_MAX 64

static struct {
	struct list waiting;
	uint64_t last_id;
	struct page pages[PAGES_MAX];
	size_t n_pages;
	/* what was asked, newest last */
	char *asked[EXCHANGES_MAX], *bodies[EXCHANGES_MAX];
	char *authorizations[EXCHANGES_MAX];
	size_t n_asked;
} web;

/* The answer for an address from now on; the JSON is taken. */
static inline void web_put(const char *url, int status, json_t *body)
{
	struct page *p = NULL;

	for (size_t i = 0; i < web.n_pages; i++) {
		if (str_eq(web.pages[i].url, url))
			p = &web.pages[i];
	}
	if (!p) {
		assert_true(web.n_pages < PAGES_MAX);
		p = &web.pages[web.n_pages++];
	}
	free(p->body);
	*p = (struct page){ url, status, body ? json_text(body, NULL) : NULL };
	json_decref(body);
}

static inline const struct page *web_find(const char *url)
{
	for (size_t i = 0; i < web.n_pages; i++) {
		if (str_eq(web.pages[i].url, url))
			return &web.pages[i];
	}
	return NULL;
}

static inline size_t web_count(const char *url)
{
	size_t n = 0;

	for (size_t i = 0; i < web.n_asked; i++)
		n += str_eq(web.asked[i], url);
	return n;
}

/* Body of the last request to it, "" if there was none. */
static inline const char *web_sent(const char *url)
{
	for (size_t i = web.n_asked; i-- > 0;) {
		if (str_eq(web.asked[i], url))
			return web.bodies[i];
	}
	return "";
}

static inline const char *web_authorization(const char *url)
{
	for (size_t i = web.n_asked; i-- > 0;) {
		if (str_eq(web.asked[i], url))
			return web.authorizations[i];
	}
	return "";
}

static inline void exchange_drop(struct exchange *x)
{
	list_del(&x->link);
	free(x->url);
	free(x);
}

/* Answer all that waits, and what that leads to; unknown addresses are 404. */
static inline void web_answer(void)
{
	while (!list_empty(&web.waiting)) {
		struct exchange *x =
		    LIST_ITEM(web.waiting.next, struct exchange, link);
		const struct page *p = web_find(x->url);
		struct fetch_result res = { .status = p ? p->status : 404 };
		fetch_done_fn *done = x->done;
		void *arg = x->arg;

		if (p && p->body)
			res.body = slice_of(p->body);
		else
			res.body = slice_of("");
		if (res.status == 0)
			(void)err_set(
			    &res.err, ERR_UNAVAILABLE, "connection refused");
		exchange_drop(x);
		done(&res, arg);
	}
}

static inline void web_begin(void)
{
	list_init(&web.waiting);
}

static inline void web_end(void)
{
	while (!list_empty(&web.waiting))
		exchange_drop(
		    LIST_ITEM(web.waiting.next, struct exchange, link));
	for (size_t i = 0; i < web.n_pages; i++)
		free(web.pages[i].body);
	for (size_t i = 0; i < web.n_asked; i++) {
		free(web.asked[i]);
		free(web.bodies[i]);
		free(web.authorizations[i]);
	}
	memset(&web, 0, sizeof web);
}

/* ---- in the place of base/fetch.c ---------------------------------------- */

struct fetcher {
	int unused;
};

static struct fetcher the_fetcher;

uint64_t fetch_start(struct fetcher *f, const struct fetch_req *req,
    fetch_done_fn *done, void *arg)
{
	struct exchange *x = xcalloc(1, sizeof *x);
	const char *authorization = "";

	assert_ptr_equal(f, &the_fetcher);
	assert_true(web.n_asked < EXCHANGES_MAX);
	for (size_t i = 0; i < req->n_headers; i++) {
		if (str_eq(req->headers[i].name, "Authorization"))
			authorization = req->headers[i].value;
	}
	x->id = ++web.last_id;
	x->url = xstrdup(req->url);
	x->done = done;
	x->arg = arg;
	list_add_tail(&web.waiting, &x->link);
	web.asked[web.n_asked] = xstrdup(req->url);
	web.bodies[web.n_asked] =
	    xstrndup(req->body ? req->body : "", req->body_len);
	web.authorizations[web.n_asked++] = xstrdup(authorization);
	return x->id;
}

void fetch_cancel(struct fetcher *f, uint64_t id)
{
	(void)f;
	list_for_each (it, &web.waiting) {
		struct exchange *x = LIST_ITEM(it, struct exchange, link);

		if (x->id == id)
			exchange_drop(x);
	}
}

const char *fetch_header(const struct fetch_result *res, const char *name)
{
	(void)res;
	(void)name;
	return NULL;
}
