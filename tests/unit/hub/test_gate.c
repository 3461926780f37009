/*
 * hub/gate.c through the real server: who is asked, XSRF, Fetch-Metadata,
 * forwarded headers, scopes, and the order of refusals (contract/hub.md 1.1,
 * 2).
 */
#include "web_fixture.c"

#include "hub/redirect.h"

static struct browser alice;

static int fresh(void **state)
{
	web_setup(state);
	alice = (struct browser){ 0 };
	log_in(&alice, "alice");
	return 0;
}

static struct answer *with(
    const char *method, const char *target, const char *more, const char *body)
{
	struct call c = browse_begin(&alice, method, target, more, body);

	return call_end(&c);
}

/* ---- credentials -------------------------------------------------- */

static void test_credentials_are_taken_where_they_belong(void **state)
{
	const char *token = bearer(user_id_of("alice"), "[\"inherit\"]");

	(void)state;
	assert_api_error(request("GET", "/hub/api/user", "", NULL), 403,
	    "Missing or invalid credentials.");
	assert_answer(request("GET", "/hub/api/user", token, NULL), 200,
	    "\"name\":\"alice\"");
	assert_answer(with("GET", "/hub/api/user", "", NULL), 200, "alice");
	/* pages do not know tokens */
	assert_answer(request("GET", "/hub/home", token, NULL), 302, NULL);
	/* a bad token falls through to the cookie */
	assert_answer(
	    with("GET", "/hub/api/user",
		"Authorization: token 00000000000000000000000000000000\r\n",
		NULL),
	    200, "alice");
	assert_api_error(request("GET", "/hub/api/user",
			     "Authorization: Basic YTpi\r\n", NULL),
	    403, "Missing");
	assert_api_error(
	    request("GET", "/hub/api/user?token=x", "", NULL), 403, "Missing");
}

static void test_bearer_has_several_spellings(void **state)
{
	const char *token = bearer(user_id_of("alice"), "[\"inherit\"]");
	const char *plain = token + strlen("Authorization: token ");
	static const char *const words[] = { "token", "Token", "bearer",
		"Bearer", "BEARER" };
	char line[160];

	(void)state;
	for (size_t i = 0; i < N_OF(words); i++) {
		snprintf(
		    line, sizeof line, "Authorization: %s %s", words[i], plain);
		assert_answer(
		    request("GET", "/hub/api/user", line, NULL), 200, NULL);
	}
}

static void test_page_without_login_leads_to_it_and_back(void **state)
{
	struct answer *a = request("GET", "/hub/spawn/alice?a=b%20c", "", NULL);

	(void)state;
	assert_answer(a, 302, NULL);
	assert_header(a, "Location",
	    "/hub/login?next=%2Fhub%2Fspawn%2Falice%3Fa%3Db%2520c");
}

static void test_long_addresses_survive_the_login(void **state)
{
	static char target[REDIRECT_NEXT_MAX + 100];

	(void)state;
	memset(target, '\'', REDIRECT_NEXT_MAX);
	memcpy(target, "/hub/home?", 10);
	struct answer *a = request("GET", target, "", NULL);
	assert_answer(a, 302, NULL);
	assert_non_null(strstr(a->text, "login?next=%2Fhub%2Fhome%3F%27%27"));
	memset(target + REDIRECT_NEXT_MAX, '\'', 50);
	a = request("GET", target, "", NULL);
	assert_answer(a, 302, NULL);
	assert_header(a, "Location", "/hub/login");
}

/* ---- XSRF --------------------------------------------------------- */

static void test_cve_2024_28233_writing_needs_the_token_of_this_login(
    void **state)
{
	struct browser bob = { 0 };
	char foreign[200];

	(void)state;
	assert_answer(with("POST", "/hub/stop/alice", FORM_TYPE, ""), 403,
	    "argument missing from POST");
	assert_answer(
	    with("POST", "/hub/stop/alice", FORM_TYPE, "_xsrf=x"), 403, NULL);
	log_in(&bob, "bob");
	snprintf(
	    foreign, sizeof foreign, "_xsrf=%s", cookie_slot(&bob, "_xsrf"));
	assert_answer(
	    with("POST", "/hub/stop/alice", FORM_TYPE, foreign), 403, NULL);
	assert_answer(post(&alice, "/hub/stop/alice", ""), 303, NULL);
}

static void test_token_may_come_in_a_header(void **state)
{
	static const char *const names[] = { "X-XSRFToken", "X-CSRFToken" };
	char line[200];

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		snprintf(line, sizeof line,
		    "%s: %s\r\nSec-Fetch-Mode: cors\r\n", names[i],
		    cookie_slot(&alice, "_xsrf"));
		assert_answer(
		    with("DELETE", "/hub/api/users/alice/server", line, NULL),
		    204, NULL);
	}
	assert_api_error(
	    with("DELETE", "/hub/api/users/alice/server", "", NULL), 403,
	    "'_xsrf' argument missing from DELETE");
}

/* Reading by a browser's fetch needs it; by a link or a script it does not. */
static void test_api_reading_by_fetch_needs_the_token(void **state)
{
	static const struct {
		const char *headers;
		int status;
	} cases[] = {
		{ "", 200 },
		{ "Sec-Fetch-Mode: navigate\r\n", 200 },
		{ "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: same-origin\r\n",
		    200 },
		{ "Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n",
		    403 },
		{ "Sec-Fetch-Mode: same-origin\r\n", 403 },
		{ "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: cross-site\r\n",
		    403 },
		{ "Sec-Fetch-Mode: no-cors\r\n", 403 },
	};
	char target[200];

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		assert_answer(
		    with("GET", "/hub/api/user", cases[i].headers, NULL),
		    cases[i].status, NULL);
	snprintf(target, sizeof target, "/hub/api/user?_xsrf=%s",
	    cookie_slot(&alice, "_xsrf"));
	assert_answer(
	    with("GET", target, "Sec-Fetch-Mode: cors\r\n", NULL), 200, NULL);
}

/* A hand-shake is a request like any other. */
static void test_cve_2024_28179_an_upgrade_needs_the_same_login(void **state)
{
	static const char upgrade[] =
	    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

	(void)state;
	assert_api_error(request("GET", "/hub/api/user", upgrade, NULL), 403,
	    "Missing or invalid credentials.");
	assert_answer(request("GET", "/hub/home", upgrade, NULL), 302, NULL);
	assert_answer(with("GET", "/hub/api/user", upgrade, NULL), 200, NULL);
}

/* CVE-2026-40864: the metadata never takes the check away from a write. */
static void test_cve_2026_40864_metadata_never_permits_writing(void **state)
{
	static const char *const headers[] = {
		"Sec-Fetch-Mode: navigate\r\n",
		"Sec-Fetch-Mode: websocket\r\n",
		"Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: same-origin\r\n",
	};
	char more[200];

	(void)state;
	for (size_t i = 0; i < N_OF(headers); i++) {
		snprintf(more, sizeof more, "%s" FORM_TYPE, headers[i]);
		assert_answer(with("POST", "/hub/spawn", more, ""), 403, NULL);
		assert_api_error(with("DELETE", "/hub/api/users/alice/server",
				     headers[i], NULL),
		    403, "_xsrf");
	}
	assert_null(server_by_name(&app, "alice", ""));
}

static void test_other_sites_cannot_make_the_browser_read(void **state)
{
	static const char sibling[] =
	    "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\n";
	static const char foreign[] =
	    "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n";

	(void)state;
	assert_answer(with("GET", "/hub/spawn", foreign, NULL), 403, NULL);
	assert_null(server_by_name(&app, "alice", ""));
	assert_answer(with("GET", "/hub/spawn", sibling, NULL), 403, NULL);
	assert_answer(with("GET", "/hub/logout", foreign, NULL), 403, NULL);
	assert_answer(browse(&alice, "/hub/home"), 200, NULL);
	assert_answer(with("GET", "/hub/home",
			  "Sec-Fetch-Site: cross-site\r\n"
			  "Sec-Fetch-Mode: navigate\r\n",
			  NULL),
	    200, NULL);
}

static void test_json_with_a_cookie_must_say_that_it_is_json(void **state)
{
	char target[200];

	(void)state;
	snprintf(target, sizeof target,
	    "/hub/api/users/alice/activity?_xsrf=%s",
	    cookie_slot(&alice, "_xsrf"));
	assert_api_error(with("POST", target,
			     "Origin: http://evil.example\r\n"
			     "Content-Type: text/plain\r\n",
			     "{}"),
	    403, NULL);
	assert_api_error(
	    with("POST", target, "Content-Type: text/plain\r\n", "{}"), 403,
	    "Missing or invalid credentials.");
	assert_api_error(
	    with("POST", target,
		"Content-Type: application/json; charset=utf-8\r\n", "{}"),
	    400, "at least one of");
	assert_api_error(with("POST", target, "", "{}"), 400, NULL);
}

static void test_first_of_several_cookies_that_verifies_counts(void **state)
{
	char more[400];

	(void)state;
	snprintf(more, sizeof more,
	    "Cookie: _xsrf=other; jupyterhub-hub-login=%s; _xsrf=%s\r\n"
	    "X-XSRFToken: %s\r\n",
	    cookie_slot(&alice, "jupyterhub-hub-login"),
	    cookie_slot(&alice, "_xsrf"), cookie_slot(&alice, "_xsrf"));
	assert_answer(
	    request("DELETE", "/hub/api/users/alice/server", more, NULL), 204,
	    NULL);
}

/* ---- the order of refusals ---------------------------------------- */

static void test_refusals_come_in_order(void **state)
{
	static const struct {
		const char *method, *target;
		bool anonymous;
		int status;
		const char *says;
	} cases[] = {
		{ "GET", "/hub/nothing", false, 404, "Not found" },
		{ "GET", "/hub/nothing", true, 404, "Not found" },
		{ "POST", "/hub/nothing", false, 403, "_xsrf" },
		{ "POST", "/hub/home", false, 403, "_xsrf" },
		{ "HEAD", "/hub/home", false, 405, NULL },
		{ "GET", "/hub/login/", true, 404, NULL },
		{ "GET", "/hub/api/nothing", true, 404, "\"status\":404" },
		{ "DELETE", "/hub/api/nothing", false, 404, "\"status\":404" },
		{ "PUT", "/hub/api/user", true, 405, "\"status\":405" },
		{ "PUT", "/hub/api/user", false, 403, "_xsrf" },
		{ "HEAD", "/hub/api/user", false, 405, NULL },
		{ "OPTIONS", "/hub/api/user", true, 200, NULL },
		{ "OPTIONS", "/hub/api/nothing", true, 200, NULL },
		{ "PUT", "/hub/user/alice/lab", true, 403, "_xsrf" },
		{ "GET", "/hub/spawn/%ff", false, 400, NULL },
		{ "GET", "/hub/spawn/a%00b", false, 400, NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct answer *a =
		    cases[i].anonymous
			? request(cases[i].method, cases[i].target, "", NULL)
			: with(cases[i].method, cases[i].target, "", NULL);
		if (a->status != cases[i].status ||
		    (cases[i].says && !strstr(a->body, cases[i].says)))
			fail_msg("%s %s: wanted %d %s, got\n%s",
			    cases[i].method, cases[i].target, cases[i].status,
			    cases[i].says ? cases[i].says : "", a->text);
	}
}

static void test_missing_scope_is_403_and_other_resource_404(void **state)
{
	int64_t id = user_id_of("alice");
	const char *narrow = bearer(id, "[\"read:users:name!user\"]");
	const char *full = bearer(id, "[\"inherit\"]");

	(void)state;
	add_user("bob");
	assert_answer(
	    request("GET", "/hub/api/users/alice", narrow, NULL), 200, "alice");
	assert_api_error(
	    request("POST", "/hub/api/users/alice/server", narrow, NULL), 403,
	    "requires any of [start:servers]");
	assert_api_error(request("GET", "/hub/api/users/bob", full, NULL), 404,
	    "No access to resources or resources not found");
	assert_api_error(request("GET", "/hub/api/users/nobody", full, NULL),
	    404, "No access to resources or resources not found");
	assert_answer(browse(&alice, "/hub/spawn/bob"), 404, "No access");
}

/* ---- where from --------------------------------------------------- */

static struct answer *from(
    const char *listener, const char *target, const char *headers)
{
	char *text = request_text("GET", target, headers, NULL);
	struct call c = call_begin(listener, text);

	free(text);
	return call_end(&c);
}

static void test_forwarded_headers_count_from_the_proxy_only(void **state)
{
	static const char https[] = "X-Forwarded-Proto: https\r\n";
	struct answer *a = from("proxy", "/hub/login", https);

	(void)state;
	assert_answer(a, 200, NULL);
	assert_non_null(strstr(a->text, "; Secure"));
	a = from("servers", "/hub/login", https);
	assert_null(strstr(a->text, "; Secure"));
	a = from("proxy", "/hub/login", "X-Forwarded-Proto: http,https\r\n");
	assert_null(strstr(a->text, "; Secure"));
}

static int fresh_anonymous(void **state)
{
	alice = (struct browser){ 0 };
	return web_setup(state);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fresh, web_teardown)
#define A(name)                                                                \
	cmocka_unit_test_setup_teardown(name, fresh_anonymous, web_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_credentials_are_taken_where_they_belong),
		T(test_bearer_has_several_spellings),
		A(test_page_without_login_leads_to_it_and_back),
		A(test_long_addresses_survive_the_login),
		T(test_cve_2024_28233_writing_needs_the_token_of_this_login),
		T(test_token_may_come_in_a_header),
		T(test_api_reading_by_fetch_needs_the_token),
		T(test_cve_2026_40864_metadata_never_permits_writing),
		T(test_cve_2024_28179_an_upgrade_needs_the_same_login),
		T(test_other_sites_cannot_make_the_browser_read),
		T(test_json_with_a_cookie_must_say_that_it_is_json),
		T(test_first_of_several_cookies_that_verifies_counts),
		T(test_refusals_come_in_order),
		T(test_missing_scope_is_403_and_other_resource_404),
		A(test_forwarded_headers_count_from_the_proxy_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
