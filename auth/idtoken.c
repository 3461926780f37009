/*
 * See idtoken.h.
 */
#include "auth/idtoken.h"

#include <cjose/cjose.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mac.h"
#include "base/mem.h"
#include "base/str.h"

#define KEYS_MAX     100
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define SUB_MAX      255

struct alg {
	const char *name;
	cjose_jwk_kty_t kty;
	const char *curve; /* EC only */
};

static const struct alg algs[] = {
	{ "RS256", CJOSE_JWK_KTY_RSA, NULL },
	{ "RS384", CJOSE_JWK_KTY_RSA, NULL },
	{ "RS512", CJOSE_JWK_KTY_RSA, NULL },
	{ "PS256", CJOSE_JWK_KTY_RSA, NULL },
	{ "PS384", CJOSE_JWK_KTY_RSA, NULL },
	{ "PS512", CJOSE_JWK_KTY_RSA, NULL },
	{ "ES256", CJOSE_JWK_KTY_EC, "P-256" },
	{ "ES384", CJOSE_JWK_KTY_EC, "P-384" },
	{ "ES512", CJOSE_JWK_KTY_EC, "P-521" },
};

static const struct alg *alg_find(const char *name)
{
	for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
		if (str_eq(algs[i].name, name))
			return &algs[i];
	}
	return NULL;
}

bool idtoken_alg_known(const char *alg)
{
	return alg_find(alg) != NULL;
}

static int refuse(struct err *err, const char *why)
{
	return err_set(err, ERR_DENIED, "the ID token is refused: %s", why);
}

static const char *text_of(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

/* ---- the head ------------------------------------------------------------ */

static bool is_listed(const char *const *list, const char *word)
{
	for (; *list; list++) {
		if (str_eq(*list, word))
			return true;
	}
	return false;
}

/* One of three base64url parts with dots between them -> JSON object. */
static int read_part(struct slice part, json_t **out, struct err *err)
{
	unsigned char *raw = xmalloc(part.len + 1);
	struct err why = { 0 };
	size_t n = 0;
	int rc = -1;

	*out = NULL;
	if (part.len == 0 || b64url_decode(part, raw, part.len + 1, &n) != 0)
		rc = refuse(err, "it is not base64url");
	else if (json_parse((const char *)raw, n, out, &why) != 0 ||
		 !json_is_object(*out))
		rc = refuse(err, "it is not JSON");
	else
		rc = 0;
	free(raw);
	if (rc != 0) {
		json_decref(*out);
		*out = NULL;
	}
	return rc;
}

static int split(const char *token, struct slice parts[3], struct err *err)
{
	struct slice rest = slice_of(token), part;
	size_t n = 0;

	if (rest.len > IDTOKEN_MAX)
		return refuse(err, "it is too long");
	for (size_t i = 0; i < rest.len; i++)
		n += token[i] == '.';
	if (n != 2)
		return refuse(err, "it is no signed token of three parts");
	for (n = 0; n < 3 && slice_split(&rest, '.', &part); n++)
		parts[n] = part;
	if (n != 3 || parts[2].len == 0)
		return refuse(err, "it has no signature");
	return 0;
}

/* Before any key is looked at: what signs is our choice, not the token's. */
static int check_head(const json_t *head, const struct idtoken_wanted *want,
    const struct alg **alg_out, struct err *err)
{
	const char *alg = text_of(head, "alg");

	*alg_out = alg ? alg_find(alg) : NULL;
	if (!*alg_out || !is_listed(want->algs, alg))
		return refuse(
		    err, "its signature is not of a kind that is allowed here");
	if (json_object_get(head, "crit") || json_object_get(head, "b64"))
		return refuse(err, "it demands an extension");
	return 0;
}

/* ---- the key ------------------------------------------------------------- */

static bool may_sign(const json_t *key, const struct alg *alg, const char *kid)
{
	bool is_rsa = alg->kty == CJOSE_JWK_KTY_RSA;
	const char *use = text_of(key, "use"), *own = text_of(key, "alg");

	if (!str_eq(text_of(key, "kty"), is_rsa ? "RSA" : "EC") ||
	    (use && !str_eq(use, "sig")) || (own && !str_eq(own, alg->name)))
		return false;
	if (alg->curve && !str_eq(text_of(key, "crv"), alg->curve))
		return false;
	return !kid || str_eq(text_of(key, "kid"), kid);
}

/* With a kid the key of that name; without one the only key that fits. */
static const json_t *choose_key(
    const json_t *jwks, const struct alg *alg, const char *kid)
{
	const json_t *keys = json_object_get(jwks, "keys"), *found = NULL;
	size_t n = json_array_size(keys);

	for (size_t i = 0; i < n && i < KEYS_MAX; i++) {
		const json_t *key = json_array_get(keys, i);

		if (!may_sign(key, alg, kid))
			continue;
		if (found && !kid)
			return NULL;
		found = key;
		if (kid)
			break;
	}
	return found;
}

/* The public members alone, so that nothing else in the set has an effect. */
static cjose_jwk_t *import_key(const json_t *key, const struct alg *alg)
{
	static const char *const rsa[] = { "kty", "n", "e", NULL };
	static const char *const ec[] = { "kty", "crv", "x", "y", NULL };
	bool is_rsa = alg->kty == CJOSE_JWK_KTY_RSA;
	json_t *bare = json_object();
	cjose_jwk_t *jwk = NULL;
	size_t bits;

	for (const char *const *m = is_rsa ? rsa : ec; *m; m++)
		json_object_set(bare, *m, json_object_get(key, *m));
	char *text = json_text(bare, NULL);
	jwk = cjose_jwk_import(text, strlen(text), NULL);
	free(text);
	json_decref(bare);
	if (!jwk || !is_rsa)
		return jwk;
	bits = cjose_jwk_get_keysize(jwk, NULL);
	if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) {
		cjose_jwk_release(jwk);
		return NULL;
	}
	return jwk;
}

static int check_signature(const char *token, cjose_jwk_t *jwk, struct err *err)
{
	cjose_jws_t *jws = cjose_jws_import(token, strlen(token), NULL);
	bool is_right = jws && cjose_jws_verify(jws, jwk, NULL);

	if (jws)
		cjose_jws_release(jws);
	return is_right ? 0 : refuse(err, "its signature is wrong");
}

static int check_signed(const char *token, const json_t *head,
    const json_t *jwks, const struct idtoken_wanted *want, struct err *err)
{
	const struct alg *alg;
	const json_t *key;
	cjose_jwk_t *jwk;
	int rc;

	if (check_head(head, want, &alg, err) != 0)
		return -1;
	key = choose_key(jwks, alg, text_of(head, "kid"));
	if (!key)
		return err_set(err, ERR_NOT_FOUND,
		    "the ID token is refused: the issuer publishes no key "
		    "that fits it");
	jwk = import_key(key, alg);
	if (!jwk)
		return refuse(err, "the issuer's key is broken or too weak");
	rc = check_signature(token, jwk, err);
	cjose_jwk_release(jwk);
	return rc;
}

/* ---- the claims ---------------------------------------------------------- */

static int check_audience(
    const json_t *claims, const struct idtoken_wanted *want, struct err *err)
{
	const json_t *aud = json_object_get(claims, "aud");
	const json_t *azp = json_object_get(claims, "azp");
	size_t n = json_array_size(aud);
	bool is_ours = str_eq(json_string_value(aud), want->client_id);

	for (size_t i = 0; i < n; i++)
		is_ours |= str_eq(
		    json_string_value(json_array_get(aud, i)), want->client_id);
	if (!is_ours)
		return refuse(err, "it is for another client (aud)");
	if (azp && !str_eq(json_string_value(azp), want->client_id))
		return refuse(err, "it was made for another client (azp)");
	if (n > 1 && !azp)
		return refuse(err,
		    "it is for several clients and does not say for which "
		    "it was made (azp)");
	return 0;
}

/* NumericDate may have a fraction; it is cut. */
static int get_time(const json_t *claims, const char *name, int64_t *out)
{
	const json_t *j = json_object_get(claims, name);
	double x = json_number_value(j);

	if (!json_is_number(j) || x < 0 || x > 1e11)
		return -1;
	*out = json_is_integer(j) ? json_integer_value(j) : (int64_t)x;
	return 0;
}

static int check_times(
    const json_t *claims, const struct idtoken_wanted *want, struct err *err)
{
	int64_t exp, iat, nbf;

	if (get_time(claims, "exp", &exp) != 0 ||
	    get_time(claims, "iat", &iat) != 0)
		return refuse(err, "it does not say when it was made (iat) "
				   "and when it ends (exp)");
	if (want->now_s - want->leeway_s >= exp)
		return refuse(err, "it has expired (exp)");
	if (iat > want->now_s + want->leeway_s)
		return refuse(err,
		    "it is from the future (iat): the issuer's clock or this "
		    "machine's is wrong");
	if (iat < want->now_s - want->leeway_s - IDTOKEN_AGE_MAX_S)
		return refuse(err, "it is too old (iat)");
	if (json_object_get(claims, "nbf") &&
	    (get_time(claims, "nbf", &nbf) != 0 ||
		nbf > want->now_s + want->leeway_s))
		return refuse(err, "it is not valid yet (nbf)");
	return 0;
}

static int check_claims(
    const json_t *claims, const struct idtoken_wanted *want, struct err *err)
{
	const char *sub = text_of(claims, "sub");

	if (!str_eq(text_of(claims, "iss"), want->issuer))
		return refuse(err, "it is of another issuer (iss)");
	if (!sub || !*sub || strlen(sub) > SUB_MAX)
		return refuse(err, "it does not say about whom it is (sub)");
	if (check_audience(claims, want, err) != 0 ||
	    check_times(claims, want, err) != 0)
		return -1;
	if (want->nonce &&
	    !mac_equal_str(text_of(claims, "nonce"), want->nonce))
		return refuse(err, "it does not belong to this login (nonce)");
	return 0;
}

int idtoken_verify(const char *token, const json_t *jwks,
    const struct idtoken_wanted *want, json_t **claims_out, struct err *err)
{
	json_t *head = NULL, *claims = NULL;
	struct slice parts[3];
	int rc;

	*claims_out = NULL;
	if (split(token, parts, err) != 0)
		return -1;
	rc = read_part(parts[0], &head, err);
	if (rc == 0)
		rc = check_signed(token, head, jwks, want, err);
	if (rc == 0)
		rc = read_part(parts[1], &claims, err);
	if (rc == 0)
		rc = check_claims(claims, want, err);
	json_decref(head);
	if (rc == 0)
		*claims_out = claims;
	else
		json_decref(claims);
	return rc;
}
