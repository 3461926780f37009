/*
 * Users and servers over REST, through the real server: start and stop with
 * their waiting, the progress stream, activity, models (contract/hub.md 1.3,
 * 1.5 to 1.8, 4.8).
 */
#include "base/num.h"
#include "web_fixture.c"

static int64_t alice;
static const char *token;

static int fresh(void **state)
{
	web_setup(state);
	alice = add_user("alice");
	token = bearer(alice, "[\"inherit\"]");
	return 0;
}

#define SERVER "/hub/api/users/alice/server"

static struct answer *api(
    const char *method, const char *target, const char *body)
{
	return request(method, target, token, body);
}

static struct call api_begin(
    const char *method, const char *target, const char *body)
{
	return request_begin(method, target, token, body);
}

/* The start that was asked for goes on until the server is ready. */
static void let_it_run(void)
{
	settle();
	say_started(sent.start_key, "127.0.0.1:40001");
	say_ready(sent.start_key);
	settle();
	answer_http(302);
	settle();
	answer_proxy(FAKE_ADD, ERR_NONE);
	settle();
}

/* ---- start -------------------------------------------------------------- */

static void test_start_is_201_when_ready_in_time(void **state)
{
	struct call c = api_begin("POST", SERVER, "");

	(void)state;
	assert_true(call_waits(&c));
	let_it_run();
	struct answer *a = call_end(&c);
	assert_answer(a, 201, NULL);
	assert_header(a, "Content-Type", "text/plain");
	assert_string_equal(a->body, "");
	assert_api_error(
	    api("POST", SERVER, ""), 400, "alice is already running");
}

static void test_start_is_202_when_slow(void **state)
{
	struct call c = api_begin("POST", SERVER, "");

	(void)state;
	assert_true(call_waits(&c));
	advance(app.cfg.slow_spawn_timeout_s * 1000 + 1);
	assert_answer(call_end(&c), 202, NULL);
	assert_answer(api("POST", SERVER, ""), 202, NULL);
	assert_int_equal(sent.n[FAKE_START], 1);
	let_it_run();
	assert_answer(api("GET", SERVER, NULL), 200, "\"ready\":true");
}

/* Each at a moment of its own: else all come back at once. */
static void test_who_is_refused_is_told_when_to_come_back(void **state)
{
	int64_t least = 100, most = 0, wait_s;
	struct err err;

	(void)state;
	app.cfg.concurrent_spawn_limit = app.cfg.queue_limit = 0;
	for (int i = 0; i < 40; i++) {
		struct answer *a = api("POST", SERVER, "");
		assert_api_error(a, 429, "Too many users");
		test_ok(
		    num_range(header(a, "Retry-After"), 30, 60, &wait_s, &err),
		    &err);
		least = wait_s < least ? wait_s : least;
		most = wait_s > most ? wait_s : most;
	}
	assert_true(least < most);
}

static void test_failed_start_is_500_with_the_reason(void **state)
{
	struct call c = api_begin("POST", SERVER, "{}");

	(void)state;
	settle();
	say_refused(sent.start_key, "no such program: /nowhere");
	assert_api_error(call_end(&c), 500, "no such program: /nowhere");
}

static void test_client_that_leaves_does_not_stop_the_start(void **state)
{
	struct call c = api_begin("POST", SERVER, "");

	(void)state;
	assert_true(call_waits(&c));
	call_drop(&c);
	let_it_run();
	assert_true(server_is_ready(server_by_name(&app, "alice", "")));
}

static void test_start_bodies(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *says;
	} cases[] = {
		{ "[]", 400, "Body must be a JSON object" },
		{ "3", 400, "Body must be a JSON object" },
		{ "{\"display_name\":3}", 400,
		    "display_name must be a string" },
		{ "{\"user_options\":[]}", 400,
		    "user_options must be an object or null" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		assert_api_error(api("POST", SERVER, cases[i].body),
		    cases[i].status, cases[i].says);
	assert_int_equal(sent.n[FAKE_START], 0);
}

static void start_with(const char *body, const char *want_options)
{
	app.cfg.slow_spawn_timeout_s = 0;
	assert_answer(api("POST", SERVER, body), 202, NULL);
	let_it_run();
	struct answer *a = api("GET", SERVER, NULL);
	json_t *j = json_loads(a->body, 0, NULL);
	char *got = json_dumps(
	    json_object_get(j, "user_options"), JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(got, want_options);
	free(got);
	json_decref(j);
	app.cfg.slow_stop_timeout_s = 0;
	assert_answer(api("DELETE", SERVER, NULL), 202, NULL);
	answer_proxy(FAKE_DELETE, ERR_NONE);
	settle();
	say_exited(sent.stop_key, 0, 0, false);
	settle();
}

static void test_options_of_both_kinds_of_clients(void **state)
{
	(void)state;
	start_with("{\"user_options\":{\"a\":1}}", "{\"a\":1}");
	start_with(
	    "{\"image\":\"x\",\"n\":[1]}", "{\"image\":\"x\",\"n\":[1]}");
	/* nothing given: those of the last time */
	start_with("", "{\"image\":\"x\",\"n\":[1]}");
	start_with("null", "{\"image\":\"x\",\"n\":[1]}");
	start_with("{\"user_options\":null}", "{\"image\":\"x\",\"n\":[1]}");
	start_with("{\"user_options\":{}}", "{}");
}

static void test_named_servers_are_refused(void **state)
{
	static const char *const methods[] = { "POST", "DELETE" };

	(void)state;
	for (size_t i = 0; i < N_OF(methods); i++)
		assert_api_error(
		    api(methods[i], "/hub/api/users/alice/servers/gpu", ""),
		    400, "Named servers are not enabled.");
	assert_api_error(api("GET", "/hub/api/users/alice/servers/gpu", NULL),
	    404, "alice has no server named 'gpu'");
	app.cfg.slow_spawn_timeout_s = 0;
	assert_answer(
	    api("POST", "/hub/api/users/alice/servers/", ""), 202, NULL);
}

/* ---- stop ---------------------------------------------------------------- */

static void finish_stop(void)
{
	settle();
	answer_proxy(FAKE_DELETE, ERR_NONE);
	settle();
	say_exited(sent.stop_key, 0, 0, false);
	settle();
}

static void test_stop_is_204_when_over_in_time(void **state)
{
	(void)state;
	to_running(alice);
	struct call c = api_begin("DELETE", SERVER, NULL);
	assert_true(call_waits(&c));
	finish_stop();
	assert_answer(call_end(&c), 204, NULL);
	assert_answer(api("DELETE", SERVER, NULL), 204, NULL);
}

static void test_stop_is_202_when_slow_or_under_way(void **state)
{
	(void)state;
	to_running(alice);
	struct call c = api_begin("DELETE", SERVER, "{}");
	assert_true(call_waits(&c));
	assert_answer(api("DELETE", SERVER, NULL), 202, NULL);
	assert_api_error(api("POST", SERVER, ""), 400, "alice is pending stop");
	advance(app.cfg.slow_stop_timeout_s * 1000 + 1);
	assert_answer(call_end(&c), 202, NULL);
	finish_stop();
}

static void test_stop_cancels_a_pending_start(void **state)
{
	(void)state;
	struct call start = api_begin("POST", SERVER, "");
	assert_true(call_waits(&start));
	struct call stop = api_begin("DELETE", SERVER, NULL);
	settle();
	say_started(sent.start_key, "127.0.0.1:40001");
	say_ready(sent.start_key);
	settle();
	say_exited(sent.start_key, 0, 2, false);
	settle();
	assert_answer(call_end(&stop), 204, NULL);
	assert_answer(call_end(&start), 500, NULL);
}

static void test_stop_bodies(void **state)
{
	(void)state;
	assert_api_error(api("DELETE", SERVER, "{\"remove\":true}"), 400,
	    "Cannot delete the default server");
	assert_api_error(
	    api("DELETE", SERVER, "{\"remove\":\"yes\"}"), 400, "remove");
	assert_api_error(
	    api("DELETE", SERVER, "[1]"), 400, "must be a JSON object");
	assert_answer(api("DELETE", SERVER, "{\"remove\":false}"), 204, NULL);
}

/* ---- progress ---------------------------------------------------------------
 */

#define PROGRESS SERVER "/progress"

static void test_progress_tells_the_steps_and_ends(void **state)
{
	(void)state;
	to_asked(alice);
	struct call c = api_begin("GET", PROGRESS, NULL);
	assert_true(call_hears(&c, "\"message\":\"Server requested\""));
	let_it_run();
	struct answer *a = call_end(&c);
	assert_answer(a, 200, "data: {\"progress\":0,");
	assert_header(a, "Content-Type", "text/event-stream");
	assert_header(a, "Cache-Control", "no-cache");
	assert_non_null(strstr(a->body,
	    "\"ready\":true,\"message\":\"Server ready at /user/alice/\","
	    "\"url\":\"/user/alice/\",\"html_message\":\"Server ready at "
	    "<a href=\\\"/user/alice/\\\">/user/alice/</a>\"}\n\n"));
	/* a first event only once */
	const char *first = strstr(a->body, "Server requested");
	assert_null(strstr(first + 1, "Server requested"));
}

static void test_progress_of_a_running_server_is_one_event(void **state)
{
	(void)state;
	to_running(alice);
	struct answer *a = api("GET", PROGRESS, NULL);
	assert_answer(a, 200, "\"ready\":true");
	const char *first = strstr(a->body, "data:");
	assert_null(strstr(first + 1, "data:"));
}

static void test_progress_of_a_failed_start(void **state)
{
	(void)state;
	to_asked(alice);
	struct call c = api_begin("GET", PROGRESS, NULL);
	assert_true(call_hears(&c, "Server requested"));
	say_refused(sent.start_key, "no such program");
	struct answer *a = call_end(&c);
	assert_answer(a, 200,
	    "\"failed\":true,\"message\":"
	    "\"Spawn failed: no such program\"");
	assert_null(strstr(a->body, "\"ready\":true"));
	/* afterwards it is told again, at once */
	a = api("GET", PROGRESS, NULL);
	assert_answer(a, 200, "\"failed\":true");
	const char *first = strstr(a->body, "data:");
	assert_null(strstr(first + 1, "data:"));
}

static void test_progress_of_a_cancelled_start_never_says_ready(void **state)
{
	(void)state;
	struct server *s = to_waiting(alice);
	struct call c = api_begin("GET", PROGRESS, NULL);
	struct err err;
	assert_true(call_hears(&c, "data:"));
	test_ok(server_stop(&app, s, &err), &err);
	settle();
	say_exited(sent.start_key, 0, 2, false);
	settle();
	struct answer *a = call_end(&c);
	assert_answer(
	    a, 200, "\"failed\":true,\"message\":\"Spawn cancelled\"");
	assert_null(strstr(a->body, "\"ready\":true"));
}

static void test_progress_keeps_alive(void **state)
{
	(void)state;
	to_asked(alice);
	struct call c = api_begin("GET", PROGRESS, NULL);
	assert_true(call_hears(&c, "process"));
	size_t before = c.in.len;
	advance(8001);
	for (int i = 0; i < 100 && c.in.len == before; i++)
		call_turn(&c);
	assert_true(c.in.len > before);
	assert_true(str_ends(buf_view(&c.in), "\n\n\r\n"));
	call_drop(&c);
}

static void test_progress_without_a_server_is_404(void **state)
{
	(void)state;
	assert_api_error(api("GET", PROGRESS, NULL), 404, NULL);
	assert_api_error(
	    api("GET", "/hub/api/users/nobody/server/progress", NULL), 404,
	    NULL);
}

/* ---- models
 * -------------------------------------------------------------------- */

static void test_user_tells_who_asks(void **state)
{
	(void)state;
	const char *narrow = bearer(alice, "[]");
	struct answer *a = request("GET", "/hub/api/user", narrow, NULL);
	assert_answer(a, 200, "\"kind\":\"user\"");
	json_t *j = json_loads(a->body, 0, NULL);
	assert_string_equal(
	    json_string_value(json_object_get(j, "name")), "alice");
	assert_non_null(json_object_get(j, "groups"));
	assert_non_null(json_object_get(j, "admin"));
	assert_null(json_object_get(j, "servers"));
	assert_true(json_is_null(json_object_get(j, "session_id")));
	assert_int_equal(
	    json_string_value(json_object_get(j, "token_id"))[0], 'a');
	json_decref(j);
}

static void test_user_model_follows_the_scopes(void **state)
{
	(void)state;
	to_running(alice);
	struct answer *a = api("GET", "/hub/api/users/alice", NULL);
	json_t *j = json_loads(a->body, 0, NULL);
	static const char *const keys[] = { "kind", "name", "admin",
		"user_info", "roles", "groups", "server", "pending", "created",
		"last_activity", "servers" };
	for (size_t i = 0; i < N_OF(keys); i++)
		if (!json_object_get(j, keys[i]))
			fail_msg("no %s in %s", keys[i], a->body);
	assert_null(json_object_get(j, "auth_state"));
	assert_string_equal(
	    json_string_value(json_object_get(j, "server")), "/user/alice/");
	json_t *s = json_object_get(json_object_get(j, "servers"), "");
	static const char *const server_keys[] = { "name", "display_name",
		"full_name", "last_activity", "started", "pending", "ready",
		"stopped", "url", "user_options", "progress_url", "full_url",
		"full_progress_url" };
	for (size_t i = 0; i < N_OF(server_keys); i++)
		assert_non_null(json_object_get(s, server_keys[i]));
	assert_string_equal(
	    json_string_value(json_object_get(s, "full_name")), "alice/");
	assert_string_equal(
	    json_string_value(json_object_get(s, "progress_url")), PROGRESS);
	assert_null(json_object_get(s, "state"));
	json_decref(j);
}

static void test_stopped_servers_are_shown_when_asked_for(void **state)
{
	static const struct {
		const char *query;
		bool shown;
	} cases[] = {
		{ "", false },
		{ "?include_stopped_servers", true },
		{ "?include_stopped_servers=", true },
		{ "?include_stopped_servers=1", true },
		{ "?include_stopped_servers=0", false },
		{ "?include_stopped_servers=False", false },
	};
	struct err err;

	(void)state;
	struct server *s = to_stopping(alice);
	(void)s;
	say_exited(sent.stop_key, 0, 0, false);
	settle();
	assert_null(server_by_name(&app, "alice", ""));
	(void)err;
	for (size_t i = 0; i < N_OF(cases); i++) {
		char target[100];
		snprintf(target, sizeof target, "/hub/api/users/alice%s",
		    cases[i].query);
		struct answer *a = api("GET", target, NULL);
		assert_answer(a, 200, NULL);
		bool shown = strstr(a->body, "\"stopped\":true") != NULL;
		if (shown != cases[i].shown)
			fail_msg("%s: %s", target, a->body);
	}
}

/* ---- activity
 * -------------------------------------------------------------------- */

#define ACTIVITY "/hub/api/users/alice/activity"

static void test_activity_bodies(void **state)
{
	static const struct {
		const char *body, *says;
	} cases[] = {
		{ "", "body must be a json dict" },
		{ "[]", "body must be a json dict" },
		{ "{}", "at least one of" },
		{ "{\"last_activity\":3}", "must be a timestamp" },
		{ "{\"last_activity\":\"soon\"}",
		    "Not a valid timestamp: soon" },
		{ "{\"last_activity\":\"2033-01-01T00:00:00Z\"}",
		    "more than an hour in the future" },
		{ "{\"servers\":[]}", "servers must be" },
		{ "{\"servers\":{\"x\":{\"last_activity\":"
		  "\"2023-01-01T00:00:00Z\"}}}",
		    "No such server 'x' for user alice" },
		{ "{\"servers\":{\"\":{}}}", "servers must be" },
		{ "{\"servers\":{\"\":[]}}", "servers must be" },
	};

	(void)state;
	to_running(alice);
	for (size_t i = 0; i < N_OF(cases); i++)
		assert_api_error(
		    api("POST", ACTIVITY, cases[i].body), 400, cases[i].says);
}

static int64_t activity_of_alice(void)
{
	struct arena a;
	struct user u = { 0 };
	struct err err;

	arena_init(&a);
	assert_int_equal(user_find(app.db, &a, "alice", &u, &err), 1);
	arena_fini(&a);
	return u.last_activity_us;
}

static void test_activity_is_merged_and_never_goes_back(void **state)
{
	struct server *s = to_running(alice);

	(void)state;
	/* T0 is 2023-11-14T22:13:20Z */
	struct answer *a = api("POST", ACTIVITY,
	    "{\"last_activity\":\"2023-11-14T22:20:00.5Z\",\"servers\":{\"\":"
	    "{\"last_activity\":\"2023-11-14T23:21:00+01:00\"}}}");
	assert_answer(a, 200, NULL);
	assert_string_equal(a->body, "");
	assert_int_equal(
	    server_last_activity_us(s), INT64_C(1700000460) * 1000000);
	assert_int_equal(activity_of_alice(), INT64_C(1700000460) * 1000000);
	assert_answer(api("POST", ACTIVITY,
			  "{\"last_activity\":\"2023-11-14T22:13:00\"}"),
	    200, NULL);
	assert_int_equal(activity_of_alice(), INT64_C(1700000460) * 1000000);
}

/* Nothing is written when one part is wrong. */
static void test_activity_is_all_or_nothing(void **state)
{
	(void)state;
	to_running(alice);
	int64_t before = activity_of_alice();
	assert_api_error(
	    api("POST", ACTIVITY,
		"{\"last_activity\":\"2023-11-14T22:20:00Z\",\"servers\":"
		"{\"\":{\"last_activity\":\"never\"}}}"),
	    400, "Not a valid timestamp");
	assert_int_equal(activity_of_alice(), before);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fresh, web_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_start_is_201_when_ready_in_time),
		T(test_start_is_202_when_slow),
		T(test_who_is_refused_is_told_when_to_come_back),
		T(test_failed_start_is_500_with_the_reason),
		T(test_client_that_leaves_does_not_stop_the_start),
		T(test_start_bodies),
		T(test_options_of_both_kinds_of_clients),
		T(test_named_servers_are_refused),
		T(test_stop_is_204_when_over_in_time),
		T(test_stop_is_202_when_slow_or_under_way),
		T(test_stop_cancels_a_pending_start),
		T(test_stop_bodies),
		T(test_progress_tells_the_steps_and_ends),
		T(test_progress_of_a_running_server_is_one_event),
		T(test_progress_of_a_failed_start),
		T(test_progress_of_a_cancelled_start_never_says_ready),
		T(test_progress_keeps_alive),
		T(test_progress_without_a_server_is_404),
		T(test_user_tells_who_asks),
		T(test_user_model_follows_the_scopes),
		T(test_stopped_servers_are_shown_when_asked_for),
		T(test_activity_bodies),
		T(test_activity_is_merged_and_never_goes_back),
		T(test_activity_is_all_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
