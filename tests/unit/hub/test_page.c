/*
 * The pages around a server, through the real hub: everything works by plain
 * links and forms; addresses of servers that do not run (contract/hub.md 4.9,
 * 4.10).
 */
#include "web_fixture.c"

static struct browser alice;
static int64_t alice_id;

static int fresh(void **state)
{
	web_setup(state);
	alice = (struct browser){ 0 };
	log_in(&alice, "alice");
	alice_id = user_id_of("alice");
	return 0;
}

static void assert_leads(const struct answer *a, int status, const char *to)
{
	if (a->status != status || !str_eq(header(a, "Location"), to))
		fail_msg("wanted %d to %s, got\n%s", status, to, a->text);
}

/* ---- home ---------------------------------------------------------------- */

static void test_home_offers_what_can_be_done(void **state)
{
	struct answer *a = browse(&alice, "/hub/home");

	(void)state;
	assert_answer(a, 200, "Not running");
	assert_non_null(strstr(
	    a->body, "<form method=\"post\" action=\"/hub/spawn/alice\""));
	assert_null(strstr(a->body, "http-equiv"));
	to_asked(alice_id);
	a = browse(&alice, "/hub/home");
	assert_answer(a, 200, "href=\"/hub/spawn-pending/alice\"");
	assert_non_null(strstr(a->body, "action=\"/hub/stop/alice\""));
	assert_non_null(strstr(a->body, "http-equiv=\"refresh\""));
	say_refused(sent.start_key, "<no> such program");
	a = browse(&alice, "/hub/home");
	assert_answer(a, 200, "&lt;no&gt; such program");
	assert_non_null(strstr(a->body, "Try again"));
}

static void test_home_of_a_running_server(void **state)
{
	(void)state;
	to_running(alice_id);
	struct answer *a = browse(&alice, "/hub/home");
	assert_answer(a, 200, "href=\"/user/alice/\"");
	assert_non_null(strstr(a->body, "2023-11-14T22:13:20Z"));
	assert_leads(post(&alice, "/hub/stop/alice", ""), 303, "/hub/home");
	assert_answer(browse(&alice, "/hub/home"), 200, "Stopping");
}

/* ---- the whole way without scripts ------------------------------------------
 */

static void test_spawn_leads_to_progress_and_server(void **state)
{
	(void)state;
	struct answer *a =
	    browse(&alice, "/hub/spawn?next=%2Fuser%2Falice%2Flab%3Fx");
	assert_leads(
	    a, 302, "/hub/spawn-pending/alice?next=%2Fuser%2Falice%2Flab%3Fx");
	settle();
	a = browse(&alice, "/hub/spawn-pending/alice?next=/user/alice/lab?x");
	assert_answer(a, 200, "Server requested");
	assert_non_null(strstr(
	    a->body, "data-progress=\"/hub/api/users/alice/server/progress\""));
	assert_non_null(strstr(a->body, "data-ready=\"/user/alice/lab?x\""));
	assert_non_null(
	    strstr(a->body, "<noscript><meta http-equiv=\"refresh\""));
	assert_leads(browse(&alice, "/hub/"), 302, "/user/alice/");
	say_started(sent.start_key, "127.0.0.1:40001");
	say_ready(sent.start_key);
	settle();
	answer_http(200);
	settle();
	answer_proxy(FAKE_ADD, ERR_NONE);
	settle();
	assert_leads(
	    browse(&alice, "/hub/spawn-pending/alice?next=/user/alice/lab"),
	    302, "/user/alice/lab");
	assert_leads(browse(&alice, "/hub/spawn"), 302, "/user/alice/");
	assert_leads(browse(&alice, "/hub/"), 302, "/user/alice/");
	assert_int_equal(sent.n[FAKE_START], 1);
}

static void test_spawn_takes_only_checked_next(void **state)
{
	(void)state;
	assert_leads(
	    browse(&alice, "/hub/spawn?next=https%3A%2F%2Fevil.example"), 302,
	    "/hub/spawn-pending/alice");
	settle();
	struct answer *a =
	    browse(&alice, "/hub/spawn-pending/alice?next=%2F%2Fevil.example");
	assert_answer(a, 200, "data-ready=\"/user/alice/\"");
	assert_null(strstr(a->body, "evil"));
}

static void test_failure_page_has_reason_log_and_retry(void **state)
{
	(void)state;
	to_asked(alice_id);
	say_refused(sent.start_key, "no such program: <x>");
	struct answer *a =
	    browse(&alice, "/hub/spawn-pending/alice?next=/user/alice/lab");
	assert_answer(a, 500, "no such program: &lt;x&gt;");
	assert_non_null(strstr(a->body, "what it said"));
	assert_non_null(strstr(
	    a->body, "action=\"/hub/spawn/alice?next=%2Fuser%2Falice%2Flab\""));
	/* a visit does not start it again, the button does */
	assert_int_equal(sent.n[FAKE_START], 1);
	assert_leads(
	    post(&alice, "/hub/spawn/alice?next=%2Fuser%2Falice%2Flab", ""),
	    302, "/hub/spawn-pending/alice?next=%2Fuser%2Falice%2Flab");
	settle();
	assert_int_equal(sent.n[FAKE_START], 2);
}

static void test_pending_page_of_a_server_at_rest(void **state)
{
	(void)state;
	struct answer *a = browse(&alice, "/hub/spawn-pending/alice");
	assert_answer(a, 200, "Your notebook server is not running");
	assert_int_equal(sent.n[FAKE_START], 0);
	to_unrouting(alice_id);
	assert_answer(
	    browse(&alice, "/hub/spawn-pending/alice"), 200, "is stopping");
}

static void test_options_come_from_query_and_form(void **state)
{
	static const struct {
		const char *query, *form, *want;
	} cases[] = {
		{ "?opt-image=a&opt-image=b&x=1&next=/", "",
		    "{\"image\":[\"a\",\"b\"]}" },
		{ "",
		    "image=a+b&mem=", "{\"image\":[\"a b\"],\"mem\":[\"\"]}" },
	};
	char target[100];

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		snprintf(target, sizeof target, "/hub/spawn/alice%s",
		    cases[i].query);
		assert_answer(post(&alice, target, cases[i].form), 302, NULL);
		settle();
		struct arena mem;
		struct server_row row;
		struct err err;
		arena_init(&mem);
		assert_int_equal(
		    server_row_find(app.db, &mem, alice_id, "", &row, &err), 1);
		assert_string_equal(row.options, cases[i].want);
		arena_fini(&mem);
		say_refused(sent.start_key, "enough");
	}
	assert_answer(
	    post(&alice, "/hub/spawn/alice?opt-=x", ""), 422, "need names");
}

static void test_named_servers_are_refused(void **state)
{
	(void)state;
	assert_answer(browse(&alice, "/hub/spawn/alice/gpu"), 400,
	    "Named servers are not enabled.");
	assert_answer(browse(&alice, "/hub/spawn-pending/alice/gpu"), 400,
	    "Named servers are not enabled.");
}

/* ---- /user/...
 * ---------------------------------------------------------------- */

static void test_address_of_a_stopped_server(void **state)
{
	(void)state;
	struct answer *a = browse(&alice, "/hub/user/alice/lab?x=1");
	assert_answer(a, 424, "Your notebook server is not running");
	assert_non_null(strstr(a->body,
	    "action=\"/hub/spawn/alice?next=%2Fhub%2Fuser%2Falice%2Flab%3Fx"
	    "%3D1\""));
	app.cfg.legacy_stopped_status = true;
	assert_answer(browse(&alice, "/hub/user/alice/"), 503, NULL);
}

static void assert_json_424(const struct answer *a, const char *path)
{
	char text[200];

	snprintf(text, sizeof text,
	    "{\"message\":\"JupyterHub server no longer running at "
	    "/user/alice%s. Restart the server at "
	    "http://hub/hub/spawn/alice\"}",
	    path);
	assert_answer(a, 424, text);
	assert_header(a, "Content-Type", "application/json");
}

static void test_scripts_get_json_for_a_stopped_server(void **state)
{
	const char *token = bearer(alice_id, "[\"inherit\"]");
	char more[200];

	(void)state;
	assert_json_424(
	    request("GET", "/hub/user/alice/api/kernels", token, NULL),
	    "/api/kernels");
	snprintf(more, sizeof more, "%sAccept: application/json\r\n", token);
	assert_json_424(
	    request("GET", "/hub/user/alice/lab", more, NULL), "/lab");
	assert_json_424(
	    request("POST", "/hub/user/alice/api/kernels", token, "{}"),
	    "/api/kernels");
	assert_json_424(
	    request("DELETE", "/hub/user/alice/files/x", token, NULL),
	    "/files/x");
	assert_answer(
	    request("PUT", "/hub/user/alice/files/x", token, ""), 405, NULL);
}

static void test_address_of_others_is_404(void **state)
{
	(void)state;
	add_user("bob");
	assert_answer(browse(&alice, "/hub/user/bob/"), 404, NULL);
	assert_answer(browse(&alice, "/hub/user/nobody/"), 404, NULL);
	struct call c = browse_begin(
	    &alice, "POST", "/hub/user/bob/api", "X-XSRFToken: x\r\n", "");
	assert_answer(call_end(&c), 403, NULL);
}

static void test_address_of_a_starting_or_failed_server(void **state)
{
	(void)state;
	to_asked(alice_id);
	assert_leads(browse(&alice, "/hub/user/alice/lab"), 303,
	    "/hub/spawn-pending/alice?next=%2Fhub%2Fuser%2Falice%2Flab");
	say_refused(sent.start_key, "x");
	assert_answer(browse(&alice, "/hub/user/alice/lab"), 303, NULL);
}

static void test_address_of_a_running_server_counts_redirects(void **state)
{
	(void)state;
	to_running(alice_id);
	assert_leads(browse(&alice, "/hub/user/alice/lab/a%20b?x=1&y"), 302,
	    "/user/alice/lab/a%20b?x=1&y&redirects=1");
	assert_leads(
	    browse(&alice, "/hub/user/alice"), 302, "/user/alice?redirects=1");
	struct call c = browse_begin(
	    &alice, "GET", "/hub/user/alice/?redirects=1&x=2", "", NULL);
	assert_true(call_waits(&c));
	advance(2001);
	assert_leads(call_end(&c), 302, "/user/alice/?x=2&redirects=2");
	c = browse_begin(
	    &alice, "GET", "/hub/user/alice/?redirects=3", "", NULL);
	assert_true(call_waits(&c));
	call_drop(&c);
	assert_answer(browse(&alice, "/hub/user/alice/?redirects=4"), 500,
	    "Redirect loop detected.");
	assert_answer(
	    browse(&alice, "/hub/user/alice/?redirects=x"), 400, NULL);
}

static void test_user_redirect_keeps_every_byte(void **state)
{
	(void)state;
	assert_leads(browse(&alice,
			 "/hub/user-redirect/git-pull?repo=https%3A%2F%2Fx%2Fy"
			 "&urlpath=a%20b"),
	    302,
	    "/hub/spawn/alice?next=%2Fuser%2Falice%2Fgit-pull%3Frepo%3Dhttps"
	    "%253A%252F%252Fx%252Fy%26urlpath%3Da%2520b");
	assert_leads(browse(&alice, "/hub/user-redirect/"), 302,
	    "/hub/spawn/alice?next=%2Fuser%2Falice%2F");
}

/* ---- others
 * ------------------------------------------------------------------- */

static void test_administrator_starts_for_somebody(void **state)
{
	struct err err;

	(void)state;
	add_user("bob");
	test_ok(user_set_admin(app.db, alice_id, true, &err), &err);
	struct answer *a = browse(&alice, "/hub/user/bob/");
	assert_answer(a, 424, "The notebook server of bob is not running");
	assert_leads(
	    post(&alice, "/hub/spawn/bob", ""), 302, "/hub/spawn-pending/bob");
	settle();
	assert_answer(browse(&alice, "/hub/spawn-pending/bob"), 200,
	    "the notebook server of bob");
}

/* As a page has its browser send one, but for what is wrong with it. */
static struct answer *report(
    struct browser *who, const char *type, const char *more)
{
	char head[600];

	snprintf(head, sizeof head,
	    "Cookie: jupyterhub-hub-login=%s; _xsrf=%s\r\n"
	    "Content-Type: %s\r\n%s",
	    cookie_slot(who, "jupyterhub-hub-login"), cookie_slot(who, "_xsrf"),
	    type, more);
	return request("POST", "/hub/security/csp-report", head,
	    "{\"csp-report\": {\"blocked-uri\": \"inline\","
	    "\"document-uri\": \"http://h/hub/accept-share?code=topsecret\","
	    "\"violated-directive\": \"script-src\"}}");
}

static void test_csp_reports_need_a_login_and_a_token(void **state)
{
	(void)state;
	assert_answer(request("POST", "/hub/security/csp-report",
			  "Content-Type: application/csp-report\r\n", "{}"),
	    403, NULL);
	assert_answer(
	    post(&alice, "/hub/security/csp-report", "a=b"), 200, NULL);
	assert_answer(report(&alice, "text/plain", ""), 403, "_xsrf");
}

/* A browser knows no token of ours; no other site can have it send this. */
static void test_csp_reports_of_browsers_are_taken(void **state)
{
	(void)state;
	assert_answer(report(&alice, "application/csp-report",
			  "Sec-Fetch-Site: same-origin\r\n"
			  "Sec-Fetch-Mode: no-cors\r\n"),
	    200, NULL);
	assert_answer(report(&alice, "application/csp-report", ""), 200, NULL);
	assert_answer(report(&alice, "application/csp-report",
			  "Sec-Fetch-Site: cross-site\r\n"
			  "Sec-Fetch-Mode: no-cors\r\n"),
	    403, NULL);
}

static char noted[1024];

static void keep_log(const char *line, void *arg)
{
	(void)arg;
	if (strstr(line, "a browser refused"))
		snprintf(noted, sizeof noted, "%s", line);
}

/* Addresses of pages have share codes and the like behind them. */
static void test_csp_reports_are_logged_without_queries(void **state)
{
	(void)state;
	log_set_level(LOG_INFO);
	log_set_sink(keep_log, NULL);
	assert_answer(report(&alice, "application/csp-report", ""), 200, NULL);
	log_set_sink(count_bugs, NULL);
	log_set_level(LOG_ERROR);
	assert_non_null(strstr(noted, "page=\"http://h/hub/accept-share\" "));
	assert_non_null(strstr(noted, "blocked=\"inline\""));
	assert_non_null(strstr(noted, "directive=\"script-src\""));
	assert_null(strstr(noted, "topsecret"));
}

static void test_root_leads_where_the_configuration_says(void **state)
{
	(void)state;
	assert_leads(browse(&alice, "/hub/?a=b&next=x"), 302, "/hub/spawn?a=b");
	app.cfg.redirect_to_server = false;
	assert_leads(browse(&alice, "/hub/"), 302, "/hub/home");
	app.cfg.default_url = "/hub/spawn/alice";
	assert_leads(browse(&alice, "/hub/"), 302, "/hub/spawn/alice");
	app.cfg.default_url = "";
	assert_answer(request("GET", "/hub/", "", NULL), 302, NULL);
}

static void test_stopping_hub_says_so(void **state)
{
	(void)state;
	app.stopping = true;
	assert_answer(browse(&alice, "/hub/home"), 503, "restarted");
	assert_api_error(
	    request("GET", "/hub/api/user", "", NULL), 503, "restarted");
	app.stopping = false;
}

/* ---- below another path
 * ---------------------------------------------------------- */

static int fresh_lab(void **state)
{
	setup(state);
	core_down();
	core_up(":memory:");
	app.cfg.base_url = "/lab/";
	app.cfg.rules.allow_all = true;
	test_dir_make(&web_dir);
	web_up();
	begin();
	return 0;
}

static void test_everything_works_below_another_path(void **state)
{
	struct browser b = { 0 };
	struct answer *a = browse(&b, "/lab/hub/login");

	(void)state;
	assert_answer(a, 200, "href=\"/lab/hub/static/carrel.css");
	assert_non_null(strstr(a->body, "action=\"/lab/hub/login\""));
	assert_non_null(strstr(a->text, "Path=/lab/hub/"));
	a = post(&b, "/lab/hub/login", "username=alice&password=right");
	assert_leads(a, 302, "/lab/hub/spawn");
	assert_leads(
	    browse(&b, "/lab/hub/spawn"), 302, "/lab/hub/spawn-pending/alice");
	assert_leads(browse(&b, "/lab/"), 302, "/lab/hub/");
	assert_leads(browse(&b, "/lab/hub"), 301, "/lab/hub/");
	assert_leads(browse(&b, "/lab/user/alice"), 301, "/lab/user/alice/");
	assert_leads(
	    browse(&b, "/lab/user/alice/x"), 302, "/lab/hub/user/alice/x");
	assert_answer(browse(&b, "/hub/login"), 302, NULL);
	assert_answer(browse(&b, "/lab/favicon.ico"), 200, NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fresh, web_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_home_offers_what_can_be_done),
		T(test_home_of_a_running_server),
		T(test_spawn_leads_to_progress_and_server),
		T(test_spawn_takes_only_checked_next),
		T(test_failure_page_has_reason_log_and_retry),
		T(test_pending_page_of_a_server_at_rest),
		T(test_options_come_from_query_and_form),
		T(test_named_servers_are_refused),
		T(test_address_of_a_stopped_server),
		T(test_scripts_get_json_for_a_stopped_server),
		T(test_address_of_others_is_404),
		T(test_address_of_a_starting_or_failed_server),
		T(test_address_of_a_running_server_counts_redirects),
		T(test_user_redirect_keeps_every_byte),
		T(test_administrator_starts_for_somebody),
		T(test_csp_reports_need_a_login_and_a_token),
		T(test_csp_reports_of_browsers_are_taken),
		T(test_csp_reports_are_logged_without_queries),
		T(test_root_leads_where_the_configuration_says),
		T(test_stopping_hub_says_so),
		cmocka_unit_test_setup_teardown(
		    test_everything_works_below_another_path, fresh_lab,
		    web_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
