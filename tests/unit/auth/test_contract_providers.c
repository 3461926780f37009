/*
 * The contract of auth/authenticator.h for kinds that send people elsewhere or
 * get them from there: the items of auth.providers, beside test_contract.c. A
 * kind joins by a row of `subjects`: its options, the world that it asks, and
 * an answer that is right.
 */
#include "provider_fixture.c"

#include "auth/lti.h"
#include "auth/lti_launch.h"
#include "auth/provider.h"

#define HUB "https://hub.example.org/hub/"

struct subject {
	const char *what;
	const struct authenticator_kind *kind;
	const char *options;
	void (*put_world)(void);
	const char *(*right)(void); /* what comes back, for "u1" */
	const char *wrong, *name;
};

static const struct subject *subject;

static const char *right_code(void)
{
	return "code=c0de&state=STATE";
}

static void put_github(void)
{
	web_put("https://github.com/login/oauth/access_token", 200,
	    json_pack(
		"{s:s, s:s}", "access_token", "at-1", "token_type", "bearer"));
	web_put("https://api.github.com/user", 200,
	    json_pack("{s:s, s:s}", "login", "alice", "id", "u1"));
	web_put("https://api.github.com/user/orgs?per_page=100&page=1", 200,
	    json_array());
	web_put("https://api.github.com/user/teams?per_page=100&page=1", 200,
	    json_array());
}

static void put_platform(void)
{
	web_put(ISSUER "/certs", 200, jwks_of(rsa_one, "k1"));
}

static const char *right_launch(void)
{
	json_t *claims = id_claims();

	json_object_set_new(claims, LTI_CLAIM "message_type",
	    json_string("LtiResourceLinkRequest"));
	json_object_set_new(claims, LTI_CLAIM "version", json_string("1.3.0"));
	json_object_set_new(
	    claims, LTI_CLAIM "deployment_id", json_string("1"));
	json_object_set_new(
	    claims, LTI_CLAIM "target_link_uri", json_string(HUB "home"));
	char *token = token_of(rsa_one, "RS256", "k1", claims);
	const char *form =
	    arena_printf(&arena, "state=STATE&id_token=%s", token);
	free(token);
	return form;
}

static void put_nothing(void)
{
}

#define FORM                                                                   \
	"lti_message_type=basic-lti-launch-request&lti_version=LTI-1p0&"       \
	"user_id=u1&roles=Learner&oauth_nonce=n1&"                             \
	"oauth_timestamp=1700000000&oauth_version=1.0&"                        \
	"oauth_signature_method=HMAC-SHA1&oauth_consumer_key=course-key"

/* HMAC-SHA1 of the form for HUB "lti/launch" (RFC 5849 3.4), not made here. */
static const char *right_form(void)
{
	return FORM "&oauth_signature=GVoC9xjmqFGiu%2BSbcr6U5rwNFj4%3D";
}

static const struct subject subjects[] = {
	{ "OpenID Connect", &authenticator_oauth,
	    "kind: oidc\nissuer: " ISSUER
	    "\nclient_id: hub\nclient_secret: s3cret\n",
	    put_issuer, right_code, "error=access_denied", "alice" },
	{ "OAuth 2.0", &authenticator_oauth,
	    "kind: github\nclient_id: hub\nclient_secret: s3cret\n", put_github,
	    right_code, "state=STATE", "alice" },
	{ "LTI 1.3", &authenticator_lti13,
	    "kind: lti13\nissuer: " ISSUER
	    "\nclient_id: hub\nauthorize_url: " ISSUER
	    "/auth\njwks_endpoint: " ISSUER "/certs\ndeployment_ids: ['1']\n",
	    put_platform, right_launch, "state=STATE&id_token=e30.e30.e30",
	    "u1" },
	{ "LTI 1.1", &authenticator_lti11,
	    "kind: lti11\nconsumers:\n  course-key: s3cret-of-the-class\n",
	    put_nothing, right_form, FORM "&oauth_signature=AAAA", "u1" },
};

static struct authenticator *open_subject(const char *more, struct err *err)
{
	const char *yaml =
	    arena_printf(&arena, "name: campus\n%s%s", subject->options, more);
	struct conf_node *options;

	test_ok(conf_parse(
		    &arena, yaml, strlen(yaml), "carrel.yaml", &options, err),
	    err);
	assert_ptr_equal(provider_kind(options), subject->kind);
	const struct auth_env env = {
		.loop = loop,
		.sink = &the_sink,
		.redirect = on_redirect,
		.options = options,
		.file = "carrel.yaml",
		.public_address = true,
		.fetcher = &the_fetcher,
		.callback_url = HUB "oauth_callback",
		.hub_url = HUB,
	};
	return subject->kind->open(&env, err);
}

static int set_up(void **state)
{
	struct err err = { 0 };

	if (provider_up(state) != 0)
		return -1;
	subject->put_world();
	au = open_subject("", &err);
	if (!au)
		fail_msg("%s", err.text);
	return 0;
}

static void test_a_right_answer_ends_once_with_an_identity(void **state)
{
	(void)state;
	come_back(subject->right());
	settle();
	if (told.res != AUTH_RES_OK)
		fail_msg("%s\n%s", told.text, logged);
	assert_int_equal(told.n_done, 1);
	assert_int_equal(told.id, 8);
	assert_string_equal(told.name, subject->name);
	/* Names are given anew elsewhere: who it is says more than a name. */
	assert_string_equal(told.subject, "u1");
	assert_true(strlen(told.source) > 0);
}

static void test_a_wrong_answer_ends_once_without_one(void **state)
{
	(void)state;
	come_back(subject->wrong);
	settle();
	assert_int_equal(told.n_done, 1);
	assert_int_equal(told.id, 8);
	assert_int_equal(told.res, AUTH_RES_DENIED);
	assert_string_equal(told.name, "");
	assert_true(strlen(told.text) > 0);
}

static void test_an_answer_that_says_nothing_is_denied(void **state)
{
	(void)state;
	come_back("");
	settle();
	assert_int_equal(told.n_done, 1);
	assert_int_equal(told.res, AUTH_RES_DENIED);
}

/* Platforms have no way out of their own: redirect is NULL. */
static void test_people_leave_by_one_redirect(void **state)
{
	(void)state;
	if (!au->kind->redirect)
		return;
	go_out();
	assert_int_equal(told.n_redirects, 1);
	assert_int_equal(told.n_done, 0);
	assert_int_equal(told.id, 7);
	assert_true(str_starts(told.url, "https://"));
	assert_non_null(strstr(told.url, "state=STATE"));
}

static void test_nothing_comes_after_a_cancel(void **state)
{
	(void)state;
	come_back_as(1, subject->right());
	come_back_as(2, subject->wrong);
	if (au->kind->redirect)
		au->kind->redirect(au, 3, &the_trip);
	for (uint64_t id = 1; id <= 4; id++)
		au->kind->cancel(au, id);
	au->kind->cancel(au, 1);
	settle();
	assert_int_equal(told.n_done + told.n_redirects, 0);
}

static void test_attempts_do_not_disturb_each_other(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= 5; id++)
		come_back_as(id, subject->wrong);
	au->kind->cancel(au, 2);
	settle();
	assert_int_equal(told.n_done, 4);
	told.n_done = 0;
	come_back_as(6, subject->right());
	come_back_as(7, subject->wrong);
	au->kind->cancel(au, 7);
	settle();
	assert_int_equal(told.n_done, 1);
	assert_int_equal(told.id, 6);
	assert_int_equal(told.res, AUTH_RES_OK);
}

static void test_closing_with_attempts_under_way_is_silent(void **state)
{
	(void)state;
	come_back_as(1, subject->right());
	come_back_as(2, subject->wrong);
	au->kind->close(&au);
	assert_null(au);
	settle();
	assert_int_equal(told.n_done + told.n_redirects, 0);
}

/* An option that was meant to restrict must not be ignored. */
static void test_an_unknown_option_is_fatal_and_named(void **state)
{
	static const char *const names[] = { "whitelist", "allowed_peopel" };

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		struct err err = { 0 };

		assert_null(open_subject(
		    arena_printf(&arena, "%s: [x]\n", names[i]), &err));
		assert_int_equal(err.code, ERR_INVALID);
		test_err_says(&err, names[i]);
		assert_null(strstr(err.text, "s3cret"));
	}
}

static bool is_subject(const struct authenticator_kind *kind)
{
	for (size_t i = 0; i < N_OF(subjects); i++) {
		if (subjects[i].kind == kind)
			return true;
	}
	return false;
}

static void test_every_kind_of_provider_is_here(void **state)
{
	const struct authenticator_kind *kind;

	(void)state;
	for (size_t i = 0; (kind = provider_kind_at(i)) != NULL; i++) {
		if (!is_subject(kind))
			fail_msg("give %s a row of subjects", kind->name);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, provider_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_right_answer_ends_once_with_an_identity),
		TEST(test_a_wrong_answer_ends_once_without_one),
		TEST(test_an_answer_that_says_nothing_is_denied),
		TEST(test_people_leave_by_one_redirect),
		TEST(test_nothing_comes_after_a_cancel),
		TEST(test_attempts_do_not_disturb_each_other),
		TEST(test_closing_with_attempts_under_way_is_silent),
		TEST(test_an_unknown_option_is_fatal_and_named),
	};
	const struct CMUnitTest whole[] = {
		cmocka_unit_test(test_every_kind_of_provider_is_here),
	};
	int failed = cmocka_run_group_tests_name("all", whole, NULL, NULL);

	make_keys();
	for (size_t i = 0; i < N_OF(subjects); i++) {
		subject = &subjects[i];
		failed += cmocka_run_group_tests_name(
		    subject->what, tests, NULL, NULL);
	}
	free_keys();
	return failed != 0;
}
