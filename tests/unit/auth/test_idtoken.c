/*
 * auth/idtoken.c: who signed, for whom, when, for which login.
 */
#include "oauth_fixture.c"

#include "auth/idtoken.h"

#define NOW    1700000000
#define ISSUER "https://id.example.org"

static const char *const rs256[] = { "RS256", NULL };
static const char *const both[] = { "RS256", "ES256", NULL };

static struct idtoken_wanted want;
static json_t *claims;

static json_t *good(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "iss", ISSUER, "sub",
	    "u1", "aud", "hub", "nonce", "n0nce", "iat", NOW - 1, "exp",
	    NOW + 300);
}

static json_t *with(const char *name, json_t *value)
{
	json_t *j = good();

	json_object_set_new(j, name, value);
	return j;
}

static int set_up(void **state)
{
	(void)state;
	want = (struct idtoken_wanted){
		.issuer = ISSUER,
		.client_id = "hub",
		.nonce = "n0nce",
		.algs = rs256,
		.leeway_s = 60,
		.now_s = NOW,
	};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	json_decref(claims);
	claims = NULL;
	return 0;
}

/* Takes both. */
static int verify(char *token, json_t *jwks, struct err *err)
{
	int rc = idtoken_verify(token, jwks, &want, &claims, err);

	assert_true((rc == 0) == (claims != NULL));
	free(token);
	json_decref(jwks);
	return rc;
}

static void accepted(char *token, json_t *jwks)
{
	struct err err = { 0 };

	test_ok(verify(token, jwks, &err), &err);
	assert_string_equal(
	    json_string_value(json_object_get(claims, "sub")), "u1");
}

static void refused(char *token, json_t *jwks, const char *says)
{
	struct err err = { 0 };

	assert_int_equal(verify(token, jwks, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	test_err_says(&err, says);
}

static char *right(json_t *body)
{
	return token_of(rsa_one, "RS256", "k1", body);
}

static json_t *keys(void)
{
	return jwks_of(rsa_one, "k1");
}

static void test_a_right_token_gives_its_claims(void **state)
{
	(void)state;
	accepted(right(good()), keys());
}

static void test_an_elliptic_signature_is_right_too(void **state)
{
	(void)state;
	want.algs = both;
	accepted(
	    token_of(ec_one, "ES256", "e1", good()), jwks_of(ec_one, "e1"));
}

static void test_cve_2023_25574_a_signature_of_another_key_is_refused(
    void **state)
{
	(void)state;
	refused(token_of(rsa_two, "RS256", "k1", good()), keys(), "signature");
}

static void test_changed_claims_are_refused(void **state)
{
	char *a = right(good()), *b = right(with("sub", json_string("root")));
	char *sig = strrchr(a, '.');
	char *forged = xasprintf("%.*s%s", (int)(strrchr(b, '.') - b), b, sig);

	(void)state;
	refused(forged, keys(), "signature");
	free(a);
	free(b);
}

static void test_an_unsigned_token_is_refused(void **state)
{
	static const char *const nones[] = { "none", "None", "NONE", "" };

	(void)state;
	for (size_t i = 0; i < N_OF(nones); i++) {
		char *text = unsigned_token(head_of(nones[i], "k1"), good());

		refused(xasprintf("%s.", text), keys(), "no signature");
		refused(xasprintf("%s.AAAA", text), keys(), "kind");
		free(text);
	}
}

static void test_an_empty_signature_is_refused(void **state)
{
	char *text = unsigned_token(head_of("RS256", "k1"), good());

	(void)state;
	refused(xasprintf("%s.", text), keys(), "no signature");
	refused(xasprintf("%s.A", text), keys(), "signature");
	free(text);
}

/* RFC 8725 2.1: the public key taken for a shared one. */
static void test_hs256_with_the_public_key_is_refused(void **state)
{
	json_t *jwks = keys(),
	       *key = json_array_get(json_object_get(jwks, "keys"), 0);
	char *material = json_text(key, NULL);
	const char *n = json_string_value(json_object_get(key, "n"));
	char *text = unsigned_token(head_of("HS256", "k1"), good());
	char *by_jwk = sign_hmac(material, strlen(material), text);
	char *by_n = sign_hmac(n, strlen(n), text);

	(void)state;
	refused(xasprintf("%s.%s", text, by_jwk), json_incref(jwks), "kind");
	refused(xasprintf("%s.%s", text, by_n), json_incref(jwks), "kind");
	json_decref(jwks);
	free(material);
	free(text);
	free(by_jwk);
	free(by_n);
}

/* Even where somebody lists it, and the set has a symmetric key. */
static void test_hs256_is_never_known(void **state)
{
	static const char *const hs[] = { "HS256", NULL };
	char *text = unsigned_token(head_of("HS256", "s1"), good());
	char *sig = sign_hmac("secret", 6, text);

	(void)state;
	want.algs = hs;
	assert_false(idtoken_alg_known("HS256"));
	assert_false(idtoken_alg_known("none"));
	refused(xasprintf("%s.%s", text, sig),
	    json_pack("{s:[{s:s, s:s, s:s}]}", "keys", "kty", "oct", "kid",
		"s1", "k", "c2VjcmV0"),
	    "kind");
	free(text);
	free(sig);
}

static void test_an_algorithm_that_was_not_chosen_is_refused(void **state)
{
	(void)state;
	refused(token_of(ec_one, "ES256", "e1", good()), jwks_of(ec_one, "e1"),
	    "kind");
}

static void test_a_key_of_another_type_does_not_serve(void **state)
{
	struct err err = { 0 };

	(void)state;
	want.algs = both;
	assert_int_equal(verify(token_of(rsa_one, "RS256", "k1", good()),
			     jwks_of(ec_one, "k1"), &err),
	    -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_a_weak_key_is_refused(void **state)
{
	(void)state;
	refused(token_of(rsa_weak, "RS256", "k1", good()),
	    jwks_of(rsa_weak, "k1"), "weak");
}

static void test_a_key_for_encryption_does_not_sign(void **state)
{
	json_t *jwk = jwk_of(rsa_one, "k1");
	struct err err = { 0 };

	(void)state;
	json_object_set_new(jwk, "use", json_string("enc"));
	assert_int_equal(
	    verify(right(good()), json_pack("{s:[o]}", "keys", jwk), &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_an_unknown_kid_is_told_apart(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(
	    verify(token_of(rsa_one, "RS256", "k9", good()), keys(), &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_without_kid_the_only_key_that_fits_is_taken(void **state)
{
	struct err err = { 0 };

	(void)state;
	accepted(token_of(rsa_one, "RS256", NULL, good()), keys());
	json_decref(claims);
	claims = NULL;
	assert_int_equal(verify(token_of(rsa_one, "RS256", NULL, good()),
			     json_pack("{s:[o, o]}", "keys",
				 jwk_of(rsa_two, "k2"), jwk_of(rsa_one, "k1")),
			     &err),
	    -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_an_extension_that_it_demands_is_refused(void **state)
{
	json_t *head = head_of("RS256", "k1");
	char *text, *sig;

	(void)state;
	json_object_set_new(head, "crit", json_pack("[s]", "b64"));
	text = unsigned_token(head, good());
	sig = sign_rsa_or_ec(rsa_one, text);
	refused(xasprintf("%s.%s", text, sig), keys(), "extension");
	free(text);
	free(sig);
}

/* A key that the token itself brings is no key of the issuer. */
static void test_a_key_in_the_token_is_not_used(void **state)
{
	json_t *head = head_of("RS256", "k1");
	char *text, *sig;

	(void)state;
	json_object_set_new(head, "jwk", jwk_of(rsa_two, "k1"));
	json_object_set_new(head, "jku", json_string("https://evil.example"));
	text = unsigned_token(head, good());
	sig = sign_rsa_or_ec(rsa_two, text);
	refused(xasprintf("%s.%s", text, sig), keys(), "signature");
	free(text);
	free(sig);
}

struct bad_claim {
	const char *name;
	json_t *value;
	const char *says;
};

static void test_claims_that_bind_it_to_something_else_are_refused(void **state)
{
	const struct bad_claim bad[] = {
		{ "iss", json_string("https://evil.example"), "iss" },
		{ "iss", json_string(ISSUER "/"), "iss" },
		{ "iss", json_null(), "iss" },
		{ "aud", json_string("other"), "aud" },
		{ "aud", json_pack("[s]", "other"), "aud" },
		{ "aud", json_array(), "aud" },
		{ "aud", json_null(), "aud" },
		{ "aud", json_pack("[s,s]", "hub", "other"), "azp" },
		{ "azp", json_string("other"), "azp" },
		{ "azp", json_integer(1), "azp" },
		{ "nonce", json_string("another"), "nonce" },
		{ "nonce", json_string(""), "nonce" },
		{ "nonce", json_null(), "nonce" },
		{ "sub", json_string(""), "sub" },
		{ "sub", json_integer(7), "sub" },
		{ "exp", json_integer(NOW - 60), "expired" },
		{ "exp", json_string("never"), "exp" },
		{ "exp", json_null(), "exp" },
		{ "exp", json_integer(-1), "exp" },
		{ "iat", json_integer(NOW + 61), "future" },
		{ "iat", json_integer(NOW - 3600), "too old" },
		{ "iat", json_null(), "iat" },
		{ "nbf", json_integer(NOW + 61), "nbf" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++)
		refused(right(with(bad[i].name, bad[i].value)), keys(),
		    bad[i].says);
}

static void test_what_the_leeway_allows_is_accepted(void **state)
{
	static const struct {
		const char *name;
		int value;
	} good_ones[] = {
		{ "exp", NOW - 59 },
		{ "iat", NOW + 60 },
		{ "nbf", NOW + 60 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(good_ones); i++) {
		accepted(right(with(good_ones[i].name,
			     json_integer(good_ones[i].value))),
		    keys());
		json_decref(claims);
		claims = NULL;
	}
	want.leeway_s = 0;
	refused(right(with("exp", json_integer(NOW))), keys(), "expired");
}

static void test_several_audiences_with_us_as_azp_are_accepted(void **state)
{
	json_t *j = with("aud", json_pack("[s,s]", "other", "hub"));

	(void)state;
	json_object_set_new(j, "azp", json_string("hub"));
	accepted(right(j), keys());
}

static void test_what_is_no_token_is_refused(void **state)
{
	static const char *const no[] = { "", ".", "..", "...", "a.b", "a.b.c",
		"a.b.c.d", "a.b.c.d.e", "e30.e30.e30", "!.!.!",
		"eyJhbGciOiJSUzI1NiIsImFsZyI6Im5vbmUifQ.e30.AAAA" };
	char *long_one = xcalloc(1, IDTOKEN_MAX + 10);

	(void)state;
	for (size_t i = 0; i < N_OF(no); i++)
		refused(xstrdup(no[i]), keys(), "refused");
	memset(long_one, 'a', IDTOKEN_MAX + 5);
	refused(long_one, keys(), "too long");
}

static void test_a_set_of_keys_that_is_none_is_no_crash(void **state)
{
	static const char *const sets[] = { "{}", "{\"keys\":null}",
		"{\"keys\":[null,1,\"x\",{}]}",
		"{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"k1\"}]}",
		"{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"k1\",\"n\":1,\"e\":"
		"\"AQAB\"}]}" };

	(void)state;
	for (size_t i = 0; i < N_OF(sets); i++) {
		struct err err = { 0 };

		assert_int_equal(
		    verify(right(good()), json_loads(sets[i], 0, NULL), &err),
		    -1);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_right_token_gives_its_claims),
		TEST(test_an_elliptic_signature_is_right_too),
		TEST(test_cve_2023_25574_a_signature_of_another_key_is_refused),
		TEST(test_changed_claims_are_refused),
		TEST(test_an_unsigned_token_is_refused),
		TEST(test_an_empty_signature_is_refused),
		TEST(test_hs256_with_the_public_key_is_refused),
		TEST(test_hs256_is_never_known),
		TEST(test_an_algorithm_that_was_not_chosen_is_refused),
		TEST(test_a_key_of_another_type_does_not_serve),
		TEST(test_a_weak_key_is_refused),
		TEST(test_a_key_for_encryption_does_not_sign),
		TEST(test_an_unknown_kid_is_told_apart),
		TEST(test_without_kid_the_only_key_that_fits_is_taken),
		TEST(test_an_extension_that_it_demands_is_refused),
		TEST(test_a_key_in_the_token_is_not_used),
		TEST(test_claims_that_bind_it_to_something_else_are_refused),
		TEST(test_what_the_leeway_allows_is_accepted),
		TEST(test_several_audiences_with_us_as_azp_are_accepted),
		TEST(test_what_is_no_token_is_refused),
		TEST(test_a_set_of_keys_that_is_none_is_no_crash),
	};
	int failed;

	make_keys();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free_keys();
	return failed;
}
