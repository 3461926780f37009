/*
 * The OAuth provider through the real server (contract/hub.md 3): the owner of
 * a server is let in without a question, who has access is asked, nobody else
 * comes through; codes work once, for their client, with their verifier.
 */
#include "web_fixture.c"

#include "base/mac.h"

#define CLIENT   "jupyterhub-user-alice"
#define CALLBACK "/user/alice/oauth_callback"
#define CHALLENGE_PAGE                                                         \
	"/hub/api/oauth2/authorize?client_id=" CLIENT                          \
	"&redirect_uri=%2Fuser%2Falice%2Foauth_callback"                       \
	"&response_type=code&state=abc%20d"

static struct browser alice;
static char secret[64];

static int fresh(void **state)
{
	web_setup(state);
	alice = (struct browser){ 0 };
	log_in(&alice, "alice");
	to_running(user_id_of("alice"));
	snprintf(secret, sizeof secret, "%s",
	    json_string_value(
		json_object_get(sent.env, "JUPYTERHUB_API_TOKEN")));
	return 0;
}

/* The value of a query parameter in the Location, undecoded. */
static void location_arg(
    const struct answer *a, const char *name, char out[128])
{
	char key[40];
	const char *location = header(a, "Location");

	assert_non_null(location);
	snprintf(key, sizeof key, "%s=", name);
	const char *p = strstr(location, key);
	out[0] = '\0';
	if (p)
		snprintf(out, 128, "%.*s", (int)strcspn(p + strlen(key), "&"),
		    p + strlen(key));
}

static void get_code(struct browser *b, const char *more, char code[128])
{
	char target[600];

	snprintf(target, sizeof target, "%s%s", CHALLENGE_PAGE, more);
	struct answer *a = browse(b, target);
	assert_answer(a, 302, NULL);
	location_arg(a, "code", code);
	assert_int_equal(strlen(code), 30);
}

static struct answer *change(const char *code, const char *more)
{
	char form[800];

	snprintf(form, sizeof form,
	    "grant_type=authorization_code&client_id=%s&client_secret=%s"
	    "&code=%s&redirect_uri=%s%s",
	    CLIENT, secret, code, "%2Fuser%2Falice%2Foauth_callback", more);
	return request("POST", "/hub/api/oauth2/token", FORM_TYPE, form);
}

static void assert_oauth_error(
    const struct answer *a, int status, const char *error)
{
	json_t *j = json_loads(a->body, 0, NULL);

	if (a->status != status || !j)
		fail_msg("wanted %d %s, got\n%s", status, error, a->text);
	assert_string_equal(
	    json_string_value(json_object_get(j, "error")), error);
	json_decref(j);
}

/* ---- authorize ---------------------------------------------------- */

static void test_owner_is_let_in_without_a_question(void **state)
{
	struct answer *a = browse(&alice, CHALLENGE_PAGE);
	char got[128];

	(void)state;
	assert_answer(a, 302, NULL);
	assert_true(str_starts(header(a, "Location"), CALLBACK "?code="));
	location_arg(a, "state", got);
	assert_string_equal(got, "abc+d");
}

static void test_without_login_the_way_leads_through_it(void **state)
{
	struct browser b = { 0 };
	struct answer *a = browse(&b, CHALLENGE_PAGE);

	(void)state;
	assert_answer(a, 302, NULL);
	assert_true(str_starts(header(a, "Location"),
	    "/hub/login?next=%2Fhub%2Fapi%2Foauth2%2Fauthorize%3Fclient_id"));
}

static void test_stranger_gets_403(void **state)
{
	struct browser bob = { 0 };

	(void)state;
	log_in(&bob, "bob");
	struct answer *a = browse(&bob, CHALLENGE_PAGE);
	assert_answer(a, 403, "You do not have permission to access");
	assert_null(header(a, "Location"));
}

static void test_administrator_is_asked(void **state)
{
	struct browser root = { 0 };
	char code[128];
	struct err err;

	(void)state;
	log_in(&root, "root1");
	test_ok(user_set_admin(app.db, user_id_of("root1"), true, &err), &err);
	struct answer *a = browse(&root, CHALLENGE_PAGE);
	assert_answer(a, 200, "know who you are?");
	assert_non_null(
	    strstr(a->body, "value=\"access:servers!server=alice/\""));
	a = post(&root, CHALLENGE_PAGE,
	    "scopes=access%3Aservers%21server%3Dalice%2F");
	assert_answer(a, 302, NULL);
	location_arg(a, "code", code);
	a = change(code, "");
	assert_answer(a, 200, "access:servers!server=alice/");
	assert_non_null(strstr(a->body, "read:users:name!user=root1"));
	/* what was granted once is not asked again */
	assert_answer(browse(&root, CHALLENGE_PAGE), 302, NULL);
}

static void test_confirmation_needs_the_xsrf_token(void **state)
{
	struct call c = browse_begin(
	    &alice, "POST", CHALLENGE_PAGE, FORM_TYPE, "scopes=inherit");

	(void)state;
	assert_answer(call_end(&c), 403, "_xsrf");
}

static void test_bad_clients_see_no_redirect(void **state)
{
	static const char *const targets[] = {
		"/hub/api/oauth2/authorize",
		"/hub/api/oauth2/authorize?client_id=x&response_type=code",
		"/hub/api/oauth2/authorize?client_id=jupyterhub"
		"&response_type=code",
		"/hub/api/oauth2/authorize?client_id=" CLIENT
		"&response_type=code&redirect_uri=%2Fuser%2Fbob%2F",
		"/hub/api/oauth2/authorize?client_id=" CLIENT
		"&response_type=code&redirect_uri=" CALLBACK "/",
		"/hub/api/oauth2/authorize?client_id=" CLIENT
		"&response_type=code&redirect_uri=https%3A%2F%2Fevil.example",
		"/hub/api/oauth2/authorize?client_id=" CLIENT
		"&response_type=code&client_id=" CLIENT,
		CHALLENGE_PAGE "&state=again",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(targets); i++) {
		struct answer *a = browse(&alice, targets[i]);
		if (a->status != 400 || header(a, "Location"))
			fail_msg("%s: %s", targets[i], a->text);
	}
}

static void test_other_errors_go_back_to_the_client(void **state)
{
	static const struct {
		const char *query, *error;
	} cases[] = {
		{ "", "invalid_request" },
		{ "&response_type=token", "unsupported_response_type" },
		{ "&response_type=code&scope=no-such", "invalid_scope" },
		{ "&response_type=code&scope=admin%3Ausers", "invalid_scope" },
		{ "&response_type=code&scope=inherit", "invalid_scope" },
		{ "&response_type=code&scope=access%3Aservers",
		    "invalid_scope" },
		{ "&response_type=code&code_challenge=short",
		    "invalid_request" },
		{ "&response_type=code&code_challenge_method=S256",
		    "invalid_request" },
		{ "&response_type=code&code_challenge_method=md5"
		  "&code_challenge=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "invalid_request" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		char target[400], got[128];
		snprintf(target, sizeof target,
		    "/hub/api/oauth2/authorize?client_id=%s&state=s1%s", CLIENT,
		    cases[i].query);
		struct answer *a = browse(&alice, target);
		assert_answer(a, 302, NULL);
		assert_true(
		    str_starts(header(a, "Location"), CALLBACK "?error="));
		location_arg(a, "error", got);
		assert_string_equal(got, cases[i].error);
		location_arg(a, "state", got);
		assert_string_equal(got, "s1");
	}
}

static void test_long_state_is_echoed(void **state)
{
	char target[8000], want[4001];

	(void)state;
	memset(want, 'x', 4000);
	want[4000] = '\0';
	snprintf(target, sizeof target,
	    "/hub/api/oauth2/authorize?client_id=%s&response_type=code"
	    "&state=%s",
	    CLIENT, want);
	struct answer *a = browse(&alice, target);
	assert_answer(a, 302, NULL);
	assert_non_null(strstr(a->text, want));
}

/* ---- token -------------------------------------------------------- */

static void test_code_becomes_a_token_that_says_who(void **state)
{
	char code[128], line[200];

	(void)state;
	get_code(&alice, "", code);
	struct answer *a = change(code, "");
	assert_answer(a, 200, "\"token_type\":\"Bearer\"");
	assert_header(a, "Cache-Control", "no-store");
	json_t *j = json_loads(a->body, 0, NULL);
	snprintf(line, sizeof line, "Authorization: token %s\r\n",
	    json_string_value(json_object_get(j, "access_token")));
	assert_int_equal(json_integer_value(json_object_get(j, "expires_in")),
	    app.cfg.oauth_token_max_age_s);
	json_decref(j);
	a = request("GET", "/hub/api/user", line, NULL);
	assert_answer(a, 200, "\"name\":\"alice\"");
	j = json_loads(a->body, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(j, "session_id")),
	    cookie_slot(&alice, "jupyterhub-session-id"));
	char *scopes = json_dumps(json_object_get(j, "scopes"), 0);
	assert_non_null(strstr(scopes, "access:servers!server=alice/"));
	free(scopes);
	json_decref(j);
	/* logging out takes it away */
	browse(&alice, "/hub/logout");
	assert_api_error(
	    request("GET", "/hub/api/user", line, NULL), 403, NULL);
}

/* It says who somebody is, and no more than they may. */
static void test_code_of_a_right_that_is_lost(void **state)
{
	struct browser root = { 0 };
	char code[128], line[200];
	struct err err;

	(void)state;
	log_in(&root, "root1");
	test_ok(user_set_admin(app.db, user_id_of("root1"), true, &err), &err);
	struct answer *a = post(&root, CHALLENGE_PAGE,
	    "scopes=access%3Aservers%21server%3Dalice%2F");
	location_arg(a, "code", code);
	test_ok(user_set_admin(app.db, user_id_of("root1"), false, &err), &err);
	a = change(code, "");
	assert_answer(a, 200, NULL);
	json_t *j = json_loads(a->body, 0, NULL);
	snprintf(line, sizeof line, "Authorization: token %s\r\n",
	    json_string_value(json_object_get(j, "access_token")));
	json_decref(j);
	a = request("GET", "/hub/api/user", line, NULL);
	assert_answer(a, 200, "\"name\":\"root1\"");
	assert_null(strstr(a->body, "access:servers"));
}

static void test_code_works_once(void **state)
{
	char code[128];

	(void)state;
	get_code(&alice, "", code);
	assert_answer(change(code, ""), 200, NULL);
	assert_oauth_error(change(code, ""), 400, "invalid_grant");
}

static void test_code_expires(void **state)
{
	char code[128];

	(void)state;
	get_code(&alice, "", code);
	clock_sim_advance_us(INT64_C(301) * 1000000);
	assert_oauth_error(change(code, ""), 400, "invalid_grant");
}

static void test_code_dies_with_the_session(void **state)
{
	char code[128];

	(void)state;
	get_code(&alice, "", code);
	browse(&alice, "/hub/logout");
	assert_oauth_error(change(code, ""), 400, "invalid_grant");
}

static void test_wrong_proof_leaves_the_code_valid(void **state)
{
	static const char verifier[] =
	    "0123456789-0123456789_0123456789.0123456789~abc";
	unsigned char digest[MAC_SHA256_LEN];
	char code[128], challenge[64], more[200];

	(void)state;
	mac_sha256(verifier, strlen(verifier), digest);
	assert_int_equal(
	    b64url_encode(digest, sizeof digest, challenge, sizeof challenge),
	    0);
	snprintf(more, sizeof more,
	    "&code_challenge=%s&code_challenge_method=S256", challenge);
	get_code(&alice, more, code);
	assert_oauth_error(change(code, ""), 400, "invalid_request");
	snprintf(more, sizeof more, "&code_verifier=%s", challenge);
	assert_oauth_error(change(code, more), 400, "invalid_grant");
	snprintf(more, sizeof more, "&code_verifier=%sx", verifier);
	assert_oauth_error(change(code, more), 400, "invalid_grant");
	snprintf(more, sizeof more, "&code_verifier=%s", verifier);
	assert_answer(change(code, more), 200, "access_token");
}

static void test_plain_challenge(void **state)
{
	static const char verifier[] =
	    "0123456789-0123456789_0123456789.0123456789~abc";
	char code[128], more[200];

	(void)state;
	snprintf(more, sizeof more, "&code_challenge=%s", verifier);
	get_code(&alice, more, code);
	snprintf(more, sizeof more, "&code_verifier=%.46s", verifier);
	assert_oauth_error(change(code, more), 400, "invalid_grant");
	snprintf(more, sizeof more, "&code_verifier=%s", verifier);
	assert_answer(change(code, more), 200, NULL);
}

static void test_bad_exchanges_are_refused(void **state)
{
	static const struct {
		const char *form;
		int status;
		const char *error;
	} cases[] = {
		{ "", 400, "unsupported_grant_type" },
		{ "grant_type=password", 400, "unsupported_grant_type" },
		{ "grant_type=authorization_code", 401, "invalid_client" },
		{ "grant_type=authorization_code&client_id=" CLIENT, 401,
		    "invalid_client" },
		{ "grant_type=authorization_code&client_id=" CLIENT
		  "&client_secret=wrongwrong",
		    401, "invalid_client" },
		{ "grant_type=authorization_code&client_id=nobody"
		  "&client_secret=wrongwrong",
		    401, "invalid_client" },
		{ "grant_type=authorization_code&client_id=jupyterhub"
		  "&client_secret=",
		    401, "invalid_client" },
		{ "grant_type=authorization_code&code=a&code=b", 400,
		    "invalid_request" },
		{ "grant_type=%zz", 400, "invalid_request" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		assert_oauth_error(request("POST", "/hub/api/oauth2/token",
				       FORM_TYPE, cases[i].form),
		    cases[i].status, cases[i].error);
	assert_oauth_error(request("POST", "/hub/api/oauth2/token?code=x",
			       FORM_TYPE, "grant_type=authorization_code"),
	    400, "invalid_request");
	struct answer *a = request("POST", "/hub/api/oauth2/token", FORM_TYPE,
	    "grant_type=authorization_code");
	assert_non_null(header(a, "WWW-Authenticate"));
}

static void test_code_works_for_its_client_only(void **state)
{
	const struct oauth_client other = { .id = "jupyterhub-user-mallory",
		.redirect_uri = "/user/mallory/oauth_callback",
		.description = "Server at /user/mallory/",
		.allowed_scopes = "[]" };
	struct err err;
	char code[128], form[600];

	(void)state;
	test_ok(
	    oauth_client_put(app.db, &other, "mallorys-secret", &err), &err);
	get_code(&alice, "", code);
	snprintf(form, sizeof form,
	    "grant_type=authorization_code&client_id=%s"
	    "&client_secret=mallorys-secret&code=%s",
	    other.id, code);
	assert_oauth_error(
	    request("POST", "/hub/api/oauth2/token", FORM_TYPE, form), 400,
	    "invalid_grant");
	assert_answer(change(code, ""), 200, NULL);
}

static void test_redirect_must_be_that_of_the_code(void **state)
{
	char code[128], form[600];

	(void)state;
	get_code(&alice, "", code);
	snprintf(form, sizeof form,
	    "grant_type=authorization_code&client_id=%s&client_secret=%s"
	    "&code=%s&redirect_uri=%%2Felsewhere",
	    CLIENT, secret, code);
	assert_oauth_error(
	    request("POST", "/hub/api/oauth2/token", FORM_TYPE, form), 400,
	    "invalid_request");
	snprintf(form, sizeof form,
	    "grant_type=authorization_code&client_id=%s&client_secret=%s"
	    "&code=%s",
	    CLIENT, secret, code);
	assert_answer(request("POST", "/hub/api/oauth2/token", FORM_TYPE, form),
	    200, NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fresh, web_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_owner_is_let_in_without_a_question),
		T(test_without_login_the_way_leads_through_it),
		T(test_stranger_gets_403),
		T(test_administrator_is_asked),
		T(test_confirmation_needs_the_xsrf_token),
		T(test_bad_clients_see_no_redirect),
		T(test_other_errors_go_back_to_the_client),
		T(test_long_state_is_echoed),
		T(test_code_becomes_a_token_that_says_who),
		T(test_code_of_a_right_that_is_lost),
		T(test_code_works_once),
		T(test_code_expires),
		T(test_code_dies_with_the_session),
		T(test_wrong_proof_leaves_the_code_valid),
		T(test_plain_challenge),
		T(test_bad_exchanges_are_refused),
		T(test_code_works_for_its_client_only),
		T(test_redirect_must_be_that_of_the_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
