/*
 * auth/oauth.c and auth/oidc.c: a login by a generic issuer, from the address
 * that the browser is sent to up to the identity, and what can go wrong.
 */
#include "provider_fixture.c"

#include "auth/oidc.h"

/* ---- the way out --------------------------------------------------------- */

static void param_is(const char *name, const char *value)
{
	const char *query = strchr(told.url, '?');
	struct url_pairs pairs;
	struct err err = { 0 };

	assert_non_null(query);
	test_ok(url_parse_pairs(&arena, slice_of(query + 1), 40, &pairs, &err),
	    &err);
	if (value)
		assert_string_equal(url_pair_get(&pairs, name), value);
	else
		assert_null(url_pair_get(&pairs, name));
}

static void test_the_browser_is_sent_to_the_issuer(void **state)
{
	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	go_out();
	assert_int_equal(told.n_redirects, 1);
	assert_int_equal(told.n_done, 0);
	assert_int_equal(told.id, 7);
	assert_true(str_starts(told.url, ISSUER "/auth?"));
	param_is("response_type", "code");
	param_is("client_id", "hub");
	param_is("redirect_uri", "https://hub.example.org/hub/oauth_callback");
	param_is("scope", "openid profile email");
	param_is("state", "STATE");
	param_is("nonce", "NONCE");
	param_is("code_challenge_method", "S256");
	/* base64url(SHA-256("VERIFIER")) */
	param_is(
	    "code_challenge", "a1Y-Z7sHPycP84FUZMgqhDyqVo6DdP5EUEXrLaTUge0");
	assert_null(strstr(told.url, "VERIFIER"));
	assert_null(strstr(told.url, "s3cret"));
}

static void test_whoever_is_logged_in_there_can_be_asked_again(void **state)
{
	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	assert_true(oauth_asks_again(au));
	the_trip.again = true;
	go_out();
	the_trip.again = false;
	param_is("prompt", "login");
}

static void test_further_parameters_go_along(void **state)
{
	(void)state;
	put_issuer();
	open_with("oidc",
	    OIDC_LINES "extra_authorize_params:\n  kc_idp_hint: campus & co\n"
		       "enable_pkce: false\n");
	go_out();
	param_is("kc_idp_hint", "campus & co");
	param_is("code_challenge", NULL);
}

static void test_an_issuer_that_is_away_is_said(void **state)
{
	(void)state;
	web_put(META, 0, NULL);
	open_with("oidc", OIDC_LINES);
	go_out();
	assert_int_equal(told.n_redirects, 0);
	kept_out(AUTH_RES_UNAVAILABLE, "connection refused");
}

static void bad_meta(const char *key, json_t *value, const char *says)
{
	json_t *meta = meta_page();

	json_object_set_new(meta, key, value);
	web_put(META, 200, meta);
	memset(&told, 0, sizeof told);
	go_out();
	assert_int_equal(told.n_redirects, 0);
	kept_out(AUTH_RES_UNAVAILABLE, says);
}

static void test_metadata_that_is_not_safe_is_refused(void **state)
{
	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	bad_meta(
	    "issuer", json_string("https://evil.example"), "another issuer");
	bad_meta("issuer", json_string(ISSUER "/"), "another issuer");
	bad_meta(
	    "jwks_uri", json_string("http://id.example.org/jwks"), "https://");
	bad_meta("token_endpoint", json_string("http+unix://%2Frun%2Fx/"),
	    "https://");
	bad_meta("token_endpoint", json_string("file:///etc/passwd"),
	    "token_endpoint");
	bad_meta(
	    "authorization_endpoint", json_null(), "authorization_endpoint");
	bad_meta("id_token_signing_alg_values_supported",
	    json_pack("[s,s]", "HS256", "none"), "in no way that is safe");
}

static void test_metadata_and_keys_are_asked_once_an_hour(void **state)
{
	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	go_out();
	go_out();
	assert_int_equal(web_count(META), 1);
	assert_int_equal(web_count(ISSUER "/jwks"), 1);
	loop_advance(loop, OIDC_KEEP_MS);
	go_out();
	assert_int_equal(web_count(META), 2);
	assert_int_equal(web_count(ISSUER "/jwks"), 2);
	assert_int_equal(told.n_redirects, 3);
}

static void test_many_who_wait_cost_one_question(void **state)
{
	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	for (uint64_t id = 1; id <= 20; id++)
		au->kind->redirect(au, id, &the_trip);
	au->kind->cancel(au, 3);
	settle();
	assert_int_equal(told.n_redirects, 19);
	assert_int_equal(web_count(META), 1);
}

static void test_old_metadata_serves_while_the_issuer_is_away(void **state)
{
	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	go_out();
	web_put(META, 503, NULL);
	loop_advance(loop, OIDC_KEEP_MS);
	go_out();
	assert_int_equal(told.n_redirects, 2);
	assert_non_null(strstr(logged, "its last answer serves"));
}

/* ---- the way back -------------------------------------------------------- */

static void test_a_login_gives_name_and_groups(void **state)
{
	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	come_back("code=c0de&state=STATE");
	let_in("alice", "campus:staff");
	assert_string_equal(told.source, ISSUER);
	assert_string_equal(told.subject, "u1");
	assert_non_null(strstr(web_sent(ISSUER "/token"), "code=c0de"));
	assert_non_null(
	    strstr(web_sent(ISSUER "/token"), "code_verifier=VERIFIER"));
	assert_non_null(strstr(web_sent(ISSUER "/token"),
	    "redirect_uri=https%3A%2F%2Fhub.example.org%2Fhub%2F"
	    "oauth_callback"));
	/* "hub:s3cret" */
	assert_string_equal(
	    web_authorization(ISSUER "/token"), "Basic aHViOnMzY3JldA==");
	assert_string_equal(web_authorization(ISSUER "/me"), "Bearer at-1");
}

static void test_the_secret_goes_in_the_form_where_the_issuer_wants_it(
    void **state)
{
	json_t *meta = meta_page();

	(void)state;
	put_issuer();
	json_object_set_new(meta, "token_endpoint_auth_methods_supported",
	    json_pack("[s]", "client_secret_post"));
	web_put(META, 200, meta);
	open_with("oidc", OIDC_LINES);
	come_back("code=c0de");
	let_in("alice", "campus:staff");
	assert_string_equal(web_authorization(ISSUER "/token"), "");
	assert_non_null(
	    strstr(web_sent(ISSUER "/token"), "client_secret=s3cret"));
}

static void test_without_userinfo_the_id_token_says_all(void **state)
{
	json_t *claims = id_claims();

	(void)state;
	put_issuer();
	json_object_set_new(claims, "preferred_username", json_string("bob"));
	put_id_token(claims);
	open_with("oidc", OIDC_LINES "userdata_from_id_token: true\n");
	come_back("code=c0de");
	let_in("bob", "");
	assert_int_equal(web_count(ISSUER "/me"), 0);
}

static void test_an_answer_with_an_error_is_told(void **state)
{
	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	come_back("error=access_denied&error_description=x%0Ay&code=c0de");
	kept_out(AUTH_RES_DENIED, "access_denied");
	assert_int_equal(web.n_asked, 0);
	assert_null(strstr(told.text, "x\ny"));
}

static void test_an_answer_without_one_code_is_refused(void **state)
{
	static const char *const bad[] = { "", "code=", "code=a&code=b",
		"code=c0de&iss=a&iss=b" };

	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	for (size_t i = 0; i < N_OF(bad); i++) {
		told.n_done = 0;
		come_back(bad[i]);
		kept_out(AUTH_RES_DENIED, "no code, or several");
	}
	assert_int_equal(web.n_asked, 0);
}

static void test_an_answer_of_another_issuer_is_refused(void **state)
{
	json_t *meta = meta_page();

	(void)state;
	put_issuer();
	json_object_set_new(meta,
	    "authorization_response_iss_parameter_supported", json_true());
	web_put(META, 200, meta);
	open_with("oidc", OIDC_LINES);
	come_back("code=c0de&iss=https%3A%2F%2Fevil.example");
	kept_out(AUTH_RES_DENIED, "another issuer");
	told.n_done = 0;
	come_back("code=c0de");
	kept_out(AUTH_RES_DENIED, "another issuer");
	assert_int_equal(web_count(ISSUER "/token"), 0);
	told.n_done = 0;
	come_back("code=c0de&iss=https%3A%2F%2Fid.example.org");
	let_in("alice", "campus:staff");
}

static void test_a_replayed_code_is_told_apart(void **state)
{
	(void)state;
	put_issuer();
	web_put(
	    ISSUER "/token", 400, json_pack("{s:s}", "error", "invalid_grant"));
	open_with("oidc", OIDC_LINES);
	come_back("code=c0de");
	kept_out(AUTH_RES_DENIED, "invalid_grant");
	assert_non_null(strstr(told.text, "start again"));
}

static void test_a_wrong_client_secret_is_the_administrators(void **state)
{
	(void)state;
	put_issuer();
	web_put(ISSUER "/token", 401,
	    json_pack("{s:s}", "error", "invalid_client"));
	open_with("oidc", OIDC_LINES);
	come_back("code=c0de");
	kept_out(AUTH_RES_UNAVAILABLE, "invalid_client");
}

static void test_token_answers_that_lack_something_are_refused(void **state)
{
	json_t *const bad[] = {
		json_pack("{s:s}", "access_token", "at-1"),
		json_pack("{s:s}", "id_token", "x"),
		json_pack("{s:s, s:s, s:s}", "access_token", "at-1", "id_token",
		    "x", "token_type", "mac"),
		json_pack("{s:i, s:s}", "access_token", 1, "id_token", "x"),
		json_pack(
		    "{s:s, s:s}", "access_token", "a\r\nb", "id_token", "x"),
		json_array(),
	};

	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	for (size_t i = 0; i < N_OF(bad); i++) {
		web_put(ISSUER "/token", 200, bad[i]);
		told.n_done = 0;
		come_back("code=c0de");
		kept_out(AUTH_RES_UNAVAILABLE, "token");
	}
	assert_int_equal(web_count(ISSUER "/me"), 0);
}

static void test_a_forged_id_token_is_refused(void **state)
{
	(void)state;
	put_issuer();
	put_tokens(token_of(rsa_two, "RS256", "k1", id_claims()));
	open_with("oidc", OIDC_LINES);
	come_back("code=c0de");
	kept_out(AUTH_RES_DENIED, "signature is wrong");
	assert_int_equal(web_count(ISSUER "/me"), 0);
}

/* HS256 is advertised by this issuer, and taken all the same never. */
static void test_alg_confusion_is_refused(void **state)
{
	json_t *jwk = jwk_of(rsa_one, NULL);
	const char *n = json_string_value(json_object_get(jwk, "n"));
	char *text = unsigned_token(head_of("HS256", "k1"), id_claims());
	char *sig = sign_hmac(n, strlen(n), text);

	(void)state;
	put_issuer();
	put_tokens(xasprintf("%s.%s", text, sig));
	open_with("oidc", OIDC_LINES);
	come_back("code=c0de");
	kept_out(AUTH_RES_DENIED, "not of a kind");
	json_decref(jwk);
	free(text);
	free(sig);
}

static void test_a_replayed_id_token_has_another_nonce(void **state)
{
	json_t *claims = id_claims();

	(void)state;
	put_issuer();
	json_object_set_new(claims, "nonce", json_string("OLD"));
	put_id_token(claims);
	open_with("oidc", OIDC_LINES);
	come_back("code=c0de");
	kept_out(AUTH_RES_DENIED, "nonce");
}

/* ---- rotation ------------------------------------------------------------ */

static void test_an_unknown_key_is_looked_for_once(void **state)
{
	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	go_out();
	web_put(ISSUER "/jwks", 200, jwks_of(rsa_two, "k2"));
	put_tokens(token_of(rsa_two, "RS256", "k2", id_claims()));
	loop_advance(loop, OIDC_AGAIN_MS);
	come_back("code=c0de");
	let_in("alice", "campus:staff");
	assert_int_equal(web_count(ISSUER "/jwks"), 2);
}

/* Tokens with invented keys do not make us ask and ask. */
static void test_looking_for_keys_is_limited(void **state)
{
	(void)state;
	put_issuer();
	put_tokens(token_of(rsa_two, "RS256", "k9", id_claims()));
	open_with("oidc", OIDC_LINES);
	for (int i = 0; i < 5; i++) {
		told.n_done = 0;
		come_back("code=c0de");
		kept_out(AUTH_RES_DENIED, "no key that fits");
	}
	assert_int_equal(web_count(ISSUER "/jwks"), 1);
}

static void test_a_key_that_was_withdrawn_ends(void **state)
{
	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	go_out();
	web_put(ISSUER "/jwks", 200, jwks_of(rsa_two, "k2"));
	loop_advance(loop, OIDC_KEEP_MS);
	clock_sim_advance_us(0);
	json_t *claims = id_claims();
	json_object_set_new(claims, "iat", json_integer(NOW + 3600));
	json_object_set_new(claims, "exp", json_integer(NOW + 3900));
	put_id_token(claims);
	come_back("code=c0de");
	kept_out(AUTH_RES_DENIED, "no key that fits");
}

/* ---- about whom ---------------------------------------------------------- */

static void test_userinfo_of_another_person_is_refused(void **state)
{
	(void)state;
	put_issuer();
	web_put(ISSUER "/me", 200,
	    json_pack("{s:s, s:s}", "sub", "u2", "preferred_username", "root"));
	open_with("oidc", OIDC_LINES);
	come_back("code=c0de");
	kept_out(AUTH_RES_DENIED, "two persons");
}

static void test_userinfo_that_fails_is_no_login(void **state)
{
	(void)state;
	put_issuer();
	web_put(ISSUER "/me", 500, NULL);
	open_with("oidc", OIDC_LINES);
	come_back("code=c0de");
	kept_out(AUTH_RES_UNAVAILABLE, "userinfo: it answers 500");
}

static void email_login(json_t *verified, bool opt_out)
{
	json_t *me = json_pack("{s:s, s:s, s:s}", "sub", "u1", "email",
	    "root@example.org", "preferred_username", "root@example.org");

	if (verified)
		json_object_set_new(me, "email_verified", verified);
	web_put(ISSUER "/me", 200, me);
	if (au)
		au->kind->close(&au);
	open_with("auth0",
	    opt_out ? OIDC_LINES "allow_unverified_email: true\n" : OIDC_LINES);
	told.n_done = 0;
	come_back("code=c0de");
}

static void test_cve_2026_33175_an_unverified_email_is_no_name(void **state)
{
	(void)state;
	put_issuer();
	email_login(NULL, false);
	kept_out(AUTH_RES_DENIED, "email_verified");
	email_login(json_false(), false);
	kept_out(AUTH_RES_DENIED, "email_verified");
	email_login(json_string("false"), false);
	kept_out(AUTH_RES_DENIED, "email_verified");
	email_login(json_integer(1), false);
	kept_out(AUTH_RES_DENIED, "email_verified");
	email_login(json_true(), false);
	let_in("root@example.org", "");
	email_login(json_false(), true);
	let_in("root@example.org", "");
}

/* The same address under another claim is still nobody's word. */
static void test_an_unverified_email_as_preferred_username_is_refused(
    void **state)
{
	(void)state;
	put_issuer();
	web_put(ISSUER "/me", 200,
	    json_pack("{s:s, s:s, s:s}", "sub", "u1", "email",
		"Root@example.org", "preferred_username", "root@example.org"));
	open_with("oidc", OIDC_LINES);
	come_back("code=c0de");
	kept_out(AUTH_RES_DENIED, "email_verified");
}

/* Userinfo vouches for its own address, not for the ID token's. */
static void test_an_email_and_its_verification_come_from_one_source(
    void **state)
{
	json_t *claims = id_claims();

	(void)state;
	put_issuer();
	json_object_set_new(claims, "email", json_string("root@example.org"));
	put_id_token(claims);
	web_put(ISSUER "/me", 200,
	    json_pack("{s:s, s:s, s:b}", "sub", "u1", "email",
		"mallory@example.net", "email_verified", 1));
	open_with("auth0", OIDC_LINES);
	come_back("code=c0de");
	kept_out(AUTH_RES_DENIED, "email_verified");

	claims = id_claims();
	json_object_set_new(claims, "email_verified", json_true());
	put_id_token(claims);
	web_put(ISSUER "/me", 200,
	    json_pack(
		"{s:s, s:s}", "sub", "u1", "email", "mallory@example.net"));
	told.n_done = 0;
	come_back("code=c0de");
	kept_out(AUTH_RES_DENIED, "email_verified");
}

/* ---- groups -------------------------------------------------------------- */

static void groups_login(json_t *groups)
{
	json_t *me =
	    json_pack("{s:s, s:s}", "sub", "u1", "preferred_username", "alice");

	json_object_set_new(me, "groups", groups);
	web_put(ISSUER "/me", 200, me);
	told.n_done = 0;
	come_back("code=c0de");
}

/* A provider's group is never a Unix group of the same name. */
static void test_groups_bear_the_providers_name(void **state)
{
	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	groups_login(json_pack("[s,s]", "sudo", "other:admins"));
	let_in("alice", "campus:sudo,campus:other:admins");
}

static void test_group_claims_are_not_taken_apart(void **state)
{
	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES "required_groups: [admins]\n");
	groups_login(json_string("x,admins"));
	kept_out(AUTH_RES_DENIED, "no member");
	groups_login(json_string("x admins"));
	kept_out(AUTH_RES_DENIED, "no member");
	groups_login(json_pack("[s]", "Admins"));
	kept_out(AUTH_RES_DENIED, "no member");
	groups_login(json_pack("{s:b}", "admins", 1));
	kept_out(AUTH_RES_DENIED, "no list of groups");
	groups_login(json_pack("[[s]]", "admins"));
	kept_out(AUTH_RES_DENIED, "no list of groups");
	groups_login(json_pack("[s]", "admins\n"));
	kept_out(AUTH_RES_DENIED, "no proper name");
	groups_login(json_pack("[s,s]", "x", "admins"));
	let_in("alice", "campus:x,campus:admins");
}

/* The ID token is signed for us: what userinfo says besides does not count. */
static void test_a_group_claim_of_userinfo_does_not_replace_the_signed_one(
    void **state)
{
	json_t *claims = id_claims();

	(void)state;
	put_issuer();
	json_object_set_new(claims, "groups", json_pack("[s]", "pupils"));
	put_id_token(claims);
	open_with("oidc", OIDC_LINES);
	groups_login(json_pack("[s]", "admins"));
	let_in("alice", "campus:pupils");
}

static void test_groups_can_stand_deep_in_the_claims(void **state)
{
	(void)state;
	put_issuer();
	open_with("keycloak", OIDC_LINES "groups_claim: realm_access.roles\n"
					 "group_prefix: ''\n");
	web_put(ISSUER "/me", 200,
	    json_pack("{s:s, s:s, s:[s], s:{s:[s]}}", "sub", "u1",
		"preferred_username", "alice", "groups", "no", "realm_access",
		"roles", "teacher"));
	come_back("code=c0de");
	let_in("alice", "teacher");
}

static void test_too_many_groups_are_refused_not_cut(void **state)
{
	json_t *list = json_array();

	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	for (int i = 0; i < 1001; i++)
		json_array_append_new(list, json_sprintf("g%d", i));
	groups_login(list);
	kept_out(AUTH_RES_DENIED, "more than 1000 groups");
}

/* ---- the rest ------------------------------------------------------------ */

static void test_scopes_that_were_not_granted_are_refused(void **state)
{
	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES "allowed_scopes: [email]\n");
	come_back("code=c0de");
	let_in("alice", "campus:staff");
	char *token = token_of(rsa_one, "RS256", "k1", id_claims());
	web_put(ISSUER "/token", 200,
	    json_pack("{s:s, s:s, s:s}", "access_token", "at-1", "id_token",
		token, "scope", "openid emails"));
	free(token);
	told.n_done = 0;
	come_back("code=c0de");
	kept_out(AUTH_RES_DENIED, "allowed_scopes");
}

static void test_prefix_and_domain_make_the_name(void **state)
{
	(void)state;
	put_issuer();
	open_with("oidc",
	    OIDC_LINES "username_prefix: x-\nstrip_domain: example.org\n");
	web_put(ISSUER "/me", 200,
	    json_pack("{s:s, s:s}", "sub", "u1", "preferred_username",
		"alice@Example.org"));
	come_back("code=c0de");
	let_in("x-alice", "");
	web_put(ISSUER "/me", 200,
	    json_pack("{s:s, s:s}", "sub", "u1", "preferred_username",
		"alice@example.org.evil.example"));
	told.n_done = 0;
	come_back("code=c0de");
	kept_out(AUTH_RES_DENIED, "domain example.org");
}

static void test_nothing_comes_after_a_cancel(void **state)
{
	struct url_pairs none = { 0 };
	struct url_pair code = { "code", "c0de" };
	struct url_pairs pairs = { &code, 1 };

	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	au->kind->redirect(au, 1, &the_trip);
	au->kind->callback(au, 2, &the_trip, &pairs);
	au->kind->callback(au, 3, &the_trip, &none);
	loop_turn(loop, 0);
	for (uint64_t id = 1; id <= 4; id++)
		au->kind->cancel(au, id);
	/* In the midst of the token's exchange. */
	au->kind->callback(au, 5, &the_trip, &pairs);
	while (web_count(ISSUER "/token") == 0) {
		loop_turn(loop, 0);
		if (web_count(ISSUER "/token") == 0)
			web_answer();
	}
	au->kind->cancel(au, 5);
	settle();
	assert_int_equal(told.n_redirects, 0);
	assert_true(told.n_done <= 1);
}

static void test_closing_with_attempts_under_way_is_silent(void **state)
{
	struct url_pair code = { "code", "c0de" };
	struct url_pairs pairs = { &code, 1 };

	(void)state;
	put_issuer();
	open_with("oidc", OIDC_LINES);
	au->kind->redirect(au, 1, &the_trip);
	loop_turn(loop, 0);
	au->kind->callback(au, 2, &the_trip, &pairs);
	au->kind->close(&au);
	settle();
	assert_int_equal(told.n_redirects + told.n_done, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROVIDER_TEST(test_the_browser_is_sent_to_the_issuer),
		PROVIDER_TEST(
		    test_whoever_is_logged_in_there_can_be_asked_again),
		PROVIDER_TEST(test_further_parameters_go_along),
		PROVIDER_TEST(test_an_issuer_that_is_away_is_said),
		PROVIDER_TEST(test_metadata_that_is_not_safe_is_refused),
		PROVIDER_TEST(test_metadata_and_keys_are_asked_once_an_hour),
		PROVIDER_TEST(test_many_who_wait_cost_one_question),
		PROVIDER_TEST(
		    test_old_metadata_serves_while_the_issuer_is_away),
		PROVIDER_TEST(test_a_login_gives_name_and_groups),
		PROVIDER_TEST(
		    test_the_secret_goes_in_the_form_where_the_issuer_wants_it),
		PROVIDER_TEST(test_without_userinfo_the_id_token_says_all),
		PROVIDER_TEST(test_an_answer_with_an_error_is_told),
		PROVIDER_TEST(test_an_answer_without_one_code_is_refused),
		PROVIDER_TEST(test_an_answer_of_another_issuer_is_refused),
		PROVIDER_TEST(test_a_replayed_code_is_told_apart),
		PROVIDER_TEST(test_a_wrong_client_secret_is_the_administrators),
		PROVIDER_TEST(
		    test_token_answers_that_lack_something_are_refused),
		PROVIDER_TEST(test_a_forged_id_token_is_refused),
		PROVIDER_TEST(test_alg_confusion_is_refused),
		PROVIDER_TEST(test_a_replayed_id_token_has_another_nonce),
		PROVIDER_TEST(test_an_unknown_key_is_looked_for_once),
		PROVIDER_TEST(test_looking_for_keys_is_limited),
		PROVIDER_TEST(test_a_key_that_was_withdrawn_ends),
		PROVIDER_TEST(test_userinfo_of_another_person_is_refused),
		PROVIDER_TEST(test_userinfo_that_fails_is_no_login),
		PROVIDER_TEST(
		    test_cve_2026_33175_an_unverified_email_is_no_name),
		PROVIDER_TEST(
		    test_an_unverified_email_as_preferred_username_is_refused),
		PROVIDER_TEST(
		    test_an_email_and_its_verification_come_from_one_source),
		PROVIDER_TEST(test_groups_bear_the_providers_name),
		PROVIDER_TEST(test_group_claims_are_not_taken_apart),
		PROVIDER_TEST(
		    test_a_group_claim_of_userinfo_does_not_replace_the_signed_one),
		PROVIDER_TEST(test_groups_can_stand_deep_in_the_claims),
		PROVIDER_TEST(test_too_many_groups_are_refused_not_cut),
		PROVIDER_TEST(test_scopes_that_were_not_granted_are_refused),
		PROVIDER_TEST(test_prefix_and_domain_make_the_name),
		PROVIDER_TEST(test_nothing_comes_after_a_cancel),
		PROVIDER_TEST(test_closing_with_attempts_under_way_is_silent),
	};
	int failed;

	make_keys();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free_keys();
	return failed;
}
