/*
 * auth/lti*.c: options, launches of LTI 1.3 and 1.1 around a platform of the
 * test's own, roles. tests/scenario/lti.py has the whole way.
 */
#include "provider_fixture.c"

#include "auth/lti.h"
#include "auth/lti_launch.h"
#include "auth/oidc.h"
#include "auth/provider.h"

#define HUB  "https://hub.example.org/hub/"
#define JWKS ISSUER "/certs"

#define PLATFORM                                                               \
	"name: moodle\nkind: lti13\nissuer: " ISSUER                           \
	"\nclient_id: tool\nauthorize_url: " ISSUER                            \
	"/auth\njwks_endpoint: " JWKS "\ndeployment_ids: ['1']\n"
#define CONSUMER                                                               \
	"name: old\nkind: lti11\nconsumers:\n  course-key: "                   \
	"s3cret-of-the-class\n"

static struct authenticator *open_at(
    const char *yaml, const char *hub_url, struct err *err)
{
	struct conf_node *options;

	test_ok(conf_parse(
		    &arena, yaml, strlen(yaml), "carrel.yaml", &options, err),
	    err);
	const struct auth_env env = {
		.loop = loop,
		.sink = &the_sink,
		.options = options,
		.file = "carrel.yaml",
		.fetcher = &the_fetcher,
		.hub_url = hub_url,
	};
	return provider_kind(options)->open(&env, err);
}

static void open_it(const char *yaml)
{
	struct err err = { 0 };

	au = open_at(yaml, HUB, &err);
	if (!au)
		fail_msg("%s", err.text);
}

static void again(void)
{
	memset(&told, 0, sizeof told);
	logged[0] = '\0';
}

/* ---- options ----------------------------------------------------------------
 */

static void test_wrong_options_are_fatal_and_named(void **state)
{
	static const struct {
		const char *yaml, *hub_url, *said;
	} rows[] = {
		{ PLATFORM "whitelist: [a]\n", HUB, "whitelist" },
		{ PLATFORM "consumers: {a: b}\n", HUB, "consumers" },
		{ "name: a b\nkind: lti13\n", HUB, "\"name\"" },
		{ "kind: lti11\n", HUB, "\"name\"" },
		{ "name: a\nkind: lti13\n", HUB, "\"issuer\"" },
		{ "name: a\nkind: lti13\nissuer: http://x.example\n", HUB,
		    "https://" },
		{ "name: a\nkind: lti13\nissuer: https://x\n", HUB,
		    "\"client_id\"" },
		{ "name: a\nkind: lti13\nissuer: https://x\nclient_id: y\n"
		  "authorize_url: https://x/a\n",
		    HUB, "\"jwks_endpoint\"" },
		{ "name: a\nkind: lti13\nissuer: https://x\nclient_id: y\n"
		  "authorize_url: https://x/a\njwks_endpoint: https://x/k\n",
		    HUB, "\"deployment_ids\"" },
		{ "name: a\nkind: lti13\nissuer: https://x\nclient_id: y\n"
		  "authorize_url: https://x/a#b\njwks_endpoint: https://x/k\n",
		    HUB, "#" },
		{ PLATFORM, NULL, "hub.public_url" },
		{ PLATFORM, "http://hub.example.org/hub/", "hub.public_url" },
		{ "name: a\nkind: lti11\n", HUB, "\"consumers\"" },
		{ "name: a\nkind: lti11\nconsumers: {k: short}\n", HUB,
		    "consumers: the secret of \"k\"" },
		{ CONSUMER "client_id: x\n", HUB, "client_id" },
		{ CONSUMER, NULL, "hub.public_url" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct err err = { 0 };

		assert_null(open_at(rows[i].yaml, rows[i].hub_url, &err));
		if (!strstr(err.text, rows[i].said))
			fail_msg("row %zu: %s", i, err.text);
		assert_null(strstr(err.text, "s3cret"));
	}
}

/* ---- LTI 1.3 ----------------------------------------------------------------
 */

static json_t *launch_claims(void)
{
	json_t *claims = id_claims();

	json_object_set_new(claims, "aud", json_string("tool"));
	json_object_set_new(claims, LTI_CLAIM "message_type",
	    json_string("LtiResourceLinkRequest"));
	json_object_set_new(claims, LTI_CLAIM "version", json_string("1.3.0"));
	json_object_set_new(
	    claims, LTI_CLAIM "deployment_id", json_string("1"));
	json_object_set_new(claims, LTI_CLAIM "target_link_uri",
	    json_string(HUB "user-redirect/lab"));
	return claims;
}

static void put_keys(EVP_PKEY *key, const char *kid)
{
	web_put(JWKS, 200, jwks_of(key, kid));
}

static void launch(char *token)
{
	come_back(arena_printf(&arena, "state=STATE&id_token=%s", token));
	free(token);
}

static void test_a_launch_lets_in(void **state)
{
	(void)state;
	put_keys(rsa_one, "k1");
	open_it(PLATFORM);
	launch(token_of(rsa_one, "RS256", "k1", launch_claims()));
	let_in("u1", "");
	assert_string_equal(told.source, ISSUER);
	assert_string_equal(told.subject, "u1");
	assert_string_equal(told.next, HUB "user-redirect/lab");
	/* the keys and nothing else */
	assert_int_equal(web.n_asked, 1);
	assert_string_equal(web.asked[0], JWKS);
}

static void test_cve_2023_25574_only_rs256_of_the_platform(void **state)
{
	(void)state;
	web_put(JWKS, 200,
	    json_pack("{s:[o,o]}", "keys", jwk_of(rsa_one, "k1"),
		jwk_of(ec_one, "k2")));
	open_it(PLATFORM);
	launch(token_of(rsa_two, "RS256", "k1", launch_claims()));
	kept_out(AUTH_RES_DENIED, "signature is wrong");
	again();
	launch(token_of(ec_one, "ES256", "k2", launch_claims()));
	kept_out(AUTH_RES_DENIED, "not of a kind that is allowed");
	again();
	char *bare = unsigned_token(head_of("none", "k1"), launch_claims());
	launch(xasprintf("%s.", bare));
	free(bare);
	kept_out(AUTH_RES_DENIED, "no signature");
}

static void test_new_keys_are_asked_for_once_a_minute(void **state)
{
	(void)state;
	put_keys(rsa_one, "k1");
	open_it(PLATFORM);
	launch(token_of(rsa_one, "RS256", "k1", launch_claims()));
	let_in("u1", "");
	again();
	put_keys(rsa_two, "k2");
	launch(token_of(rsa_two, "RS256", "k2", launch_claims()));
	kept_out(AUTH_RES_DENIED, "was asked a moment ago");
	again();
	loop_advance(loop, OIDC_AGAIN_MS);
	launch(token_of(rsa_two, "RS256", "k2", launch_claims()));
	let_in("u1", "");
	assert_int_equal(web_count(JWKS), 2);
}

static void test_a_platform_that_is_away_is_told_so(void **state)
{
	(void)state;
	web_put(JWKS, 0, NULL);
	open_it(PLATFORM);
	launch(token_of(rsa_one, "RS256", "k1", launch_claims()));
	kept_out(AUTH_RES_UNAVAILABLE, "connection refused");
	again();
	put_keys(rsa_one, "k1");
	launch(token_of(rsa_one, "RS256", "k1", launch_claims()));
	let_in("u1", "");
	/* the last keys serve for a while */
	again();
	web_put(JWKS, 500, NULL);
	loop_advance(loop, OIDC_KEEP_MS + 1);
	json_t *later = launch_claims();
	json_object_set_new(later, "iat", json_integer(clock_wall_s()));
	json_object_set_new(later, "exp", json_integer(clock_wall_s() + 300));
	launch(token_of(rsa_one, "RS256", "k1", later));
	let_in("u1", "");
	assert_non_null(strstr(logged, "its last answer serves"));
}

static void test_what_is_no_launch_is_refused(void **state)
{
	static const struct {
		const char *query, *why;
	} rows[] = {
		{ "state=STATE", "has no id_token" },
		{ "state=STATE&id_token=", "has no id_token" },
		{ "state=STATE&id_token=a.b.c&id_token=a.b.c",
		    "has no id_token" },
		{ "state=STATE&error=login_required%0A", "login_required?" },
		{ "state=STATE&id_token=a.b.c", "not base64url" },
	};

	(void)state;
	put_keys(rsa_one, "k1");
	open_it(PLATFORM);
	for (size_t i = 0; i < N_OF(rows); i++) {
		again();
		come_back(rows[i].query);
		kept_out(AUTH_RES_DENIED, rows[i].why);
	}
}

static void test_nothing_is_told_after_cancel_or_close(void **state)
{
	char *token = token_of(rsa_one, "RS256", "k1", launch_claims());
	struct url_pairs form;
	struct err err = { 0 };
	const char *text = arena_printf(&arena, "id_token=%s", token);

	(void)state;
	test_ok(url_parse_pairs(&arena, slice_of(text), 9, &form, &err), &err);
	put_keys(rsa_one, "k1");
	open_it(PLATFORM);
	au->kind->callback(au, 8, &the_trip, &form);
	au->kind->cancel(au, 8);
	settle();
	au->kind->callback(au, 9, &the_trip, &form);
	loop_turn(loop, 0);
	au->kind->close(&au);
	settle();
	assert_int_equal(told.n_done, 0);
	free(token);
}

static void test_what_the_platform_begins_with(void **state)
{
	static const struct {
		const char *args;
		bool known, taken;
	} rows[] = {
		{ "iss=" ISSUER "&login_hint=h&target_link_uri=" HUB, true,
		    true },
		{ "iss=" ISSUER
		  "&client_id=tool&login_hint=h&target_link_uri=" HUB,
		    true, true },
		{ "iss=" ISSUER "&client_id=other&login_hint=h", false, false },
		{ "iss=" ISSUER "/&login_hint=h", false, false },
		{ "iss=" ISSUER "&iss=" ISSUER, false, false },
		{ "login_hint=h", false, false },
		{ "iss=" ISSUER "&target_link_uri=" HUB, true, false },
		{ "iss=" ISSUER "&login_hint=h", true, false },
		{ "iss=" ISSUER "&login_hint=h&target_link_uri=/hub/", true,
		    false },
		{ "iss=" ISSUER
		  "&login_hint=h&target_link_uri=https://hub.example.org%5C@x/",
		    true, false },
		{ "iss=" ISSUER "&login_hint=h&lti_message_hint=1&"
		  "lti_message_hint=2&target_link_uri=" HUB,
		    true, false },
	};

	(void)state;
	open_it(PLATFORM);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct url_pairs args;
		struct err err = { 0 };

		test_ok(url_parse_pairs(
			    &arena, slice_of(rows[i].args), 9, &args, &err),
		    &err);
		assert_int_equal(lti_knows(au, &args), rows[i].known);
		if (!rows[i].known)
			continue;
		const char *url =
		    lti13_authorize_url(au, &arena, &the_trip, &args, &err);
		assert_int_equal(url != NULL, rows[i].taken);
		assert_true(url || err.code == ERR_INVALID);
		if (url)
			assert_string_equal(url, ISSUER
			    "/auth?response_type=id_token&response_mode="
			    "form_post&scope=openid&prompt=none&client_id="
			    "tool&redirect_uri=https%3A%2F%2Fhub.example.org"
			    "%2Fhub%2Flti13%2Foauth_callback&login_hint=h&"
			    "state=STATE&nonce=NONCE");
	}
}

/* ---- names and groups -------------------------------------------------------
 */

static void read_launch(
    json_t *claims, const struct lti_options *opt, const char *wanted)
{
	struct lti_launch out;
	struct err err = { 0 };
	const char *seen = "";
	int rc = lti13_read(&arena, opt, HUB, claims, &out, &err);

	if (rc == 0)
		seen = out.name;
	for (size_t i = 0; rc == 0 && i < out.groups.n; i++)
		seen = arena_printf(&arena, "%s %s", seen, out.groups.items[i]);
	if (rc != 0 && !strstr(err.text, wanted))
		fail_msg("wanted %s, saw %s", wanted, err.text);
	if (rc == 0)
		assert_string_equal(seen, wanted);
	json_decref(out.state);
	json_decref(claims);
}

static const char *deployments[] = { "1" };
static const struct lti_options plain = { .issuer = ISSUER,
	.username_key = "sub",
	.deployment_ids = { .items = deployments, .n = 1 } };

static void read_roles(const char *role, const char *wanted)
{
	json_t *claims = launch_claims();

	json_object_set_new(claims, LTI_CLAIM "roles", json_pack("[s]", role));
	read_launch(claims, &plain, arena_printf(&arena, "u1%s", wanted));
}

#define V "http://purl.imsglobal.org/vocab/lis/v2/"

static void test_roles_become_groups(void **state)
{
	(void)state;
	read_roles(V "membership#Learner", " learner");
	read_roles(V "membership/Instructor#TeachingAssistant",
	    " instructor-teachingassistant");
	/* This one is no instructor. */
	read_roles(V "membership/Learner#Instructor", " learner-instructor");
	read_roles(
	    V "institution/person#Administrator", " institution:administrator");
	read_roles(V "system/person#SysAdmin", " system:sysadmin");
	read_roles("Mentor", " mentor");
	read_roles("urn:lti:role:ims/lis/Instructor", " instructor");
	read_roles("urn:lti:instrole:ims/lis/Student", " institution:student");
	/* not ours, or no words */
	read_roles("https://evil.example/membership#Instructor", "");
	read_roles(V "membership#Instructor,Administrator", "");
	read_roles(V "membership#course:1:instructor", "");
	read_roles(V "membership/Instructor#", "");
	read_roles(V "membership/#Instructor", "");
	read_roles(V "membership#", "");
	read_roles("", "");
}

static void test_courses_are_told_apart(void **state)
{
	static const struct {
		const char *id, *groups;
	} rows[] = {
		{ "7", "u1 course:7 learner course:7:learner" },
		{ "a:learner", "u1 course:a%3Alearner learner "
			       "course:a%3Alearner:learner" },
		{ "\xc3\xb6 %", "u1 course:%C3%B6%20%25 learner "
				"course:%C3%B6%20%25:learner" },
		{ "", "u1 learner" },
		/* too long for a group */
		{ "0123456789012345678901234567890123456789012345678901234567"
		  "8901234567890123456789012345678901234567890123456789",
		    "u1 learner" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		json_t *claims = launch_claims();

		json_object_set_new(claims, LTI_CLAIM "context",
		    json_pack("{s:s}", "id", rows[i].id));
		json_object_set_new(claims, LTI_CLAIM "roles",
		    json_pack("[s,s,i]", "Learner", "learner", 5));
		read_launch(claims, &plain, rows[i].groups);
	}
}

static void named(const char *key, bool lax, const char *wanted)
{
	json_t *claims = launch_claims();
	struct lti_options opt = plain;

	opt.username_key = key;
	opt.allow_unverified_email = lax;
	json_object_set_new(claims, "email", json_string("a@uni.example"));
	json_object_set_new(claims, LTI_CLAIM "custom",
	    json_pack("{s:s, s:s, s:{}}", "login", "alice", "mail",
		"A@uni.example", "map"));
	json_object_set_new(claims, LTI_CLAIM "lis",
	    json_pack("{s:s}", "person_sourcedid", "s1"));
	read_launch(claims, &opt, wanted);
}

static void test_the_name_is_what_username_key_says(void **state)
{
	(void)state;
	named("sub", false, "u1");
	named("custom_login", false, "alice");
	named("lis_person_sourcedid", false, "s1");
	named("custom_nothing", false, "does not say the name");
	named("custom_map", false, "does not say the name");
	named("email", false, "does not vouch for");
	named("custom_mail", false, "does not vouch for");
	named("email", true, "a@uni.example");
}

/* ---- LTI 1.1 ----------------------------------------------------------------
 */

/* Made by python3-oauthlib for https://hub.example.org/hub/lti/launch with the
 * query next=/hub/x&b=1. */
#define QUERY "next=%2Fhub%2Fx&b=1&"
#define FIELDS                                                                 \
	"lti_message_type=basic-lti-launch-request&lti_version=LTI-1p0&"       \
	"user_id=77&roles=Learner&custom_x=%C3%B6%2B%26%3D%25~%2A%27+&"        \
	"oauth_nonce=n1&oauth_timestamp=1700000000&oauth_version=1.0&"         \
	"oauth_signature_method=HMAC-SHA1&oauth_consumer_key=course-key"
#define SIGNED QUERY FIELDS "&oauth_signature=hHaCx0NR9wdNMWCSjobGNMkIogY%3D"

static void test_a_signed_form_lets_in_once(void **state)
{
	(void)state;
	open_it(CONSUMER);
	come_back(QUERY FIELDS "&oauth_signature=AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	kept_out(AUTH_RES_DENIED, "signature is wrong");
	again();
	come_back(SIGNED);
	let_in("77", "old:learner");
	assert_string_equal(told.source, "lti11:course-key");
	assert_string_equal(told.subject, "77");
	assert_string_equal(told.next, "/hub/x");
	again();
	come_back(SIGNED);
	kept_out(AUTH_RES_DENIED, "it was used before");
	assert_non_null(strstr(told.text, "open the link in the course again"));
	/* once more when its nonce is forgotten: it is too old then */
	again();
	loop_advance(loop, 121 * 1000);
	come_back(SIGNED);
	kept_out(AUTH_RES_DENIED, "121 s off");
}

static void test_the_address_is_written_as_the_rfc_wants(void **state)
{
	struct err err = { 0 };

	(void)state;
	au = open_at(CONSUMER, "https://HUB.Example.org:443/hub/", &err);
	assert_non_null(au);
	come_back(SIGNED);
	let_in("77", "old:learner");
}

static void test_fields_count_once(void **state)
{
	static const char *const more[] = { "&oauth_signature=x",
		"&oauth_consumer_key=course-key", "&oauth_nonce=n2",
		"&oauth_timestamp=1700000000", "&oauth_signature_method=none",
		"&oauth_version=2.0", "&user_id=1" };

	(void)state;
	open_it(CONSUMER);
	for (size_t i = 0; i < N_OF(more); i++) {
		again();
		come_back(arena_printf(&arena, "%s%s", SIGNED, more[i]));
		kept_out(AUTH_RES_DENIED, "refused");
	}
}

static void test_what_was_signed_before_the_start_is_refused(void **state)
{
	(void)state;
	clock_sim_start((int64_t)(NOW + 1) * 1000000);
	open_it(CONSUMER);
	come_back(SIGNED);
	kept_out(AUTH_RES_DENIED, "before the hub was started");
}

static void test_an_address_that_nobody_vouches_for_is_no_name(void **state)
{
	(void)state;
	open_it(CONSUMER "username_key: lis_person_contact_email_primary\n");
	come_back(SIGNED);
	kept_out(AUTH_RES_DENIED, "nobody vouches");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROVIDER_TEST(test_wrong_options_are_fatal_and_named),
		PROVIDER_TEST(test_a_launch_lets_in),
		PROVIDER_TEST(test_cve_2023_25574_only_rs256_of_the_platform),
		PROVIDER_TEST(test_new_keys_are_asked_for_once_a_minute),
		PROVIDER_TEST(test_a_platform_that_is_away_is_told_so),
		PROVIDER_TEST(test_what_is_no_launch_is_refused),
		PROVIDER_TEST(test_nothing_is_told_after_cancel_or_close),
		PROVIDER_TEST(test_what_the_platform_begins_with),
		PROVIDER_TEST(test_roles_become_groups),
		PROVIDER_TEST(test_courses_are_told_apart),
		PROVIDER_TEST(test_the_name_is_what_username_key_says),
		PROVIDER_TEST(test_a_signed_form_lets_in_once),
		PROVIDER_TEST(test_the_address_is_written_as_the_rfc_wants),
		PROVIDER_TEST(test_fields_count_once),
		PROVIDER_TEST(test_what_was_signed_before_the_start_is_refused),
		PROVIDER_TEST(
		    test_an_address_that_nobody_vouches_for_is_no_name),
	};
	int failed;

	make_keys();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free_keys();
	return failed;
}
