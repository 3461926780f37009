/*
 * /hub/metrics through the real hub: who may read it, what is recorded where,
 * and that every route has its handler label (contract/hub.md 1.4, 10).
 */
#include "web_fixture.c"

#include "hub/match.h"
#include "hub/metrics.h"

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

static const char *metrics(void)
{
	static char *text;
	struct err err = { .code = ERR_NONE };
	struct buf b;

	free(text);
	buf_init(&b, 1 << 20);
	test_ok(metrics_text(&app, &b, &err), &err);
	text = buf_steal(&b);
	buf_fini(&b);
	return text;
}

static double value_of(const char *series)
{
	const char *all = metrics(), *at = all;
	size_t len = strlen(series);

	while ((at = strstr(at, series))) {
		if ((at == all || at[-1] == '\n') && at[len] == ' ')
			return strtod(at + len, NULL);
		at += len;
	}
	fail_msg("no series %s in:\n%s", series, all);
	return 0;
}

static void assert_value(const char *series, double want)
{
	double got = value_of(series);

	if (got < want || got > want)
		fail_msg("%s is %g, not %g", series, got, want);
}

#define SPAWN(labels)                                                          \
	"jupyterhub_server_spawn_duration_seconds_count{" labels "}"
#define STOP(labels) "jupyterhub_server_stop_seconds_count{" labels "}"

/* ---- who may ------------------------------------------------------------- */

static void test_the_scope_is_wanted(void **state)
{
	static const char *const paths[] = { "/hub/metrics",
		"/hub/api/metrics" };

	(void)state;
	for (size_t i = 0; i < N_OF(paths); i++) {
		struct answer *a = request("GET", paths[i], "", NULL);
		assert_answer(a, 403, "<html");
		assert_header(a, "Content-Type", "text/html; charset=utf-8");
		a = request("GET", paths[i],
		    bearer(alice_id, "[\"read:users!user=alice\"]"), NULL);
		assert_answer(a, 403, "read:metrics");
		assert_header(a, "Content-Type", "text/html; charset=utf-8");
		assert_answer(browse(&alice, paths[i]), 403, "read:metrics");
	}
}

static void test_an_administrator_reads(void **state)
{
	struct err err = { .code = ERR_NONE };

	(void)state;
	test_ok(user_set_admin(app.db, alice_id, true, &err), &err);
	struct answer *a = request("GET", "/hub/metrics",
	    bearer(alice_id, "[\"read:metrics\"]"), NULL);
	assert_answer(a, 200, "\njupyterhub_total_users 1\n");
	assert_header(
	    a, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	assert_answer(browse(&alice, "/hub/api/metrics"), 200,
	    "# TYPE process_cpu_seconds_total counter\n");
}

static void test_the_configuration_may_open_it(void **state)
{
	(void)state;
	app.cfg.authenticate_prometheus = false;
	assert_answer(request("GET", "/hub/metrics", "", NULL), 200,
	    "jupyterhub_running_servers 0");
	assert_answer(
	    request("GET", "/hub/metrics",
		bearer(alice_id, "[\"read:users!user=alice\"]"), NULL),
	    200, "jupyterhub_running_servers 0");
}

/* ---- what is recorded ---------------------------------------------------- */

static void test_every_request_is_timed(void **state)
{
#define REQUESTS(labels) "jupyterhub_request_duration_seconds_count{" labels "}"
	(void)state;
	request("GET", "/hub/api/users/nobody", "", NULL);
	request("BREW", "/hub/home", "", NULL);
	request("GET", "/hub/api/no-such", "", NULL);
	request("GET", "/elsewhere", "", NULL);
	assert_value(REQUESTS("method=\"GET\",handler=\"jupyterhub."
			      "apihandlers.users.UserAPIHandler\","
			      "code=\"403\""),
	    1);
	assert_value(REQUESTS("method=\"OTHER\",handler=\"jupyterhub."
			      "handlers.pages.HomeHandler\",code=\"403\""),
	    1);
	assert_value(REQUESTS("method=\"GET\",handler=\"jupyterhub."
			      "apihandlers.base.API404\",code=\"404\""),
	    1);
	assert_value(REQUESTS("method=\"GET\",handler=\"jupyterhub.handlers."
			      "base.PrefixRedirectHandler\",code=\"302\""),
	    1);
}

static void test_logins_are_timed(void **state)
{
	struct browser bob = { 0 };

	(void)state;
	browse(&bob, "/hub/login");
	post(&bob, "/hub/login", "username=bob&password=wrong");
	assert_value("jupyterhub_login_duration_seconds_count{"
		     "status=\"LoginStatus.success\"}",
	    1);
	assert_value("jupyterhub_login_duration_seconds_count{"
		     "status=\"LoginStatus.failure\"}",
	    1);
	browse(&alice, "/hub/logout");
	assert_value("jupyterhub_logout_duration_seconds_count", 1);
}

static void test_a_start_and_a_stop_are_timed(void **state)
{
	struct err err = { .code = ERR_NONE };
	struct server *s = to_waiting(alice_id);

	(void)state;
	advance(3000);
	answer_http(200);
	settle();
	answer_proxy(FAKE_ADD, ERR_NONE);
	settle();
	assert_value("jupyterhub_running_servers", 1);
	assert_value(SPAWN("status=\"success\",reason=\"\""), 1);
	assert_value("jupyterhub_server_spawn_duration_seconds_bucket{"
		     "status=\"success\",reason=\"\",le=\"2.5\"}",
	    0);
	assert_value("jupyterhub_server_spawn_duration_seconds_bucket{"
		     "status=\"success\",reason=\"\",le=\"5.0\"}",
	    1);
	test_ok(server_stop(&app, s, &err), &err);
	settle();
	answer_proxy(FAKE_DELETE, ERR_NONE);
	settle();
	say_exited(sent.stop_key, 0, 0, false);
	settle();
	assert_value("jupyterhub_running_servers", 0);
	assert_value(STOP("status=\"success\""), 1);
}

static void test_a_failed_start_tells_how(void **state)
{
	struct server *s = to_waiting(alice_id);

	(void)state;
	say_exited(s->key, 1, 0, false);
	settle();
	assert_value(SPAWN("status=\"error\",reason=\"exited\""), 1);
	to_asked(alice_id);
	say_refused(sent.start_key, "no such profile");
	settle();
	assert_value(SPAWN("status=\"error\",reason=\"error\""), 1);
	assert_value(SPAWN("status=\"success\",reason=\"\""), 0);
	assert_value(STOP("status=\"success\""), 0);
}

static void test_a_refused_start_tells_why(void **state)
{
	const struct user u = { .id = alice_id, .name = "alice" };
	const struct server_start_args args = { .user = &u, .name = "" };
	struct server *s;
	struct err err = { .code = ERR_NONE };

	(void)state;
	int64_t bob_id = add_user("bob");
	start("bob", bob_id);
	app.cfg.active_server_limit = 1;
	assert_int_equal(server_start(&app, &args, &s, &err), -1);
	assert_value(SPAWN("status=\"failure\",reason=\"too-many-users\""), 1);
}

static void test_routes_are_timed(void **state)
{
	(void)state;
	to_running(alice_id);
	assert_value(
	    "jupyterhub_proxy_add_duration_seconds_count{status=\"success\"}",
	    2);
	assert_value("jupyterhub_proxy_delete_duration_seconds_count{status="
		     "\"failure\"}",
	    0);
	assert_value("jupyterhub_proxy_poll_duration_seconds_count", 1);
	assert_value("jupyterhub_check_routes_duration_seconds_count", 1);
	assert_value("jupyterhub_init_spawners_duration_seconds_count", 1);
}

static void test_active_users_are_counted_hourly(void **state)
{
	(void)state;
	assert_value("jupyterhub_active_users{period=\"24h\"}", 0);
	advance(3600 * 1000);
	assert_value("jupyterhub_active_users{period=\"24h\"}", 1);
	advance(25 * INT64_C(3600) * 1000);
	assert_value("jupyterhub_active_users{period=\"24h\"}", 0);
	assert_value("jupyterhub_active_users{period=\"7d\"}", 1);
}

static void test_ticks_of_a_quiet_loop_need_no_timer(void **state)
{
	double before =
	    value_of("jupyterhub_event_loop_interval_seconds_count");

	(void)state;
	advance(1000);
	assert_value(
	    "jupyterhub_event_loop_interval_seconds_count", before + 20);
	assert_true(value_of("carrel_loop_turns_total") > 0);
}

/* ---- the environment ----------------------------------------------------- */

static struct metrics *remade(const char *name, const char *value)
{
	struct err err = { .code = ERR_NONE };

	setenv(name, value, 1);
	metrics_free(&app.metrics);
	app.metrics = metrics_new(&app, &err);
	unsetenv(name);
	if (!app.metrics)
		assert_non_null(strstr(err.text, name));
	return app.metrics;
}

static void test_prefix_and_buckets_may_be_set(void **state)
{
	(void)state;
	assert_non_null(remade("JUPYTERHUB_METRICS_PREFIX", "lab_1"));
	assert_value("lab_1_running_servers", 0);
	assert_value("carrel_longest_turn_seconds",
	    value_of("carrel_longest_turn_seconds"));
	assert_non_null(remade(
	    "JUPYTERHUB_SERVER_SPAWN_DURATION_SECONDS_BUCKETS", "1, 2.5"));
	assert_value("jupyterhub_server_spawn_duration_seconds_bucket{"
		     "status=\"error\",reason=\"\",le=\"2.5\"}",
	    0);
	assert_null(strstr(metrics(), "le=\"600.0\""));
}

static void test_a_wrong_environment_is_refused(void **state)
{
	static const char *const buckets[] = { "1,1", "x", "1,,2", "-1", "2,1",
		"nan", "inf" };
	static const char *const prefixes[] = { "1a", "a b", "a{", "a-b" };

	(void)state;
	for (size_t i = 0; i < N_OF(buckets); i++)
		assert_null(
		    remade("JUPYTERHUB_SERVER_STOP_DURATION_SECONDS_BUCKETS",
			buckets[i]));
	for (size_t i = 0; i < N_OF(prefixes); i++)
		assert_null(remade("JUPYTERHUB_METRICS_PREFIX", prefixes[i]));
}

/* ---- the tables ---------------------------------------------------------- */

static void test_every_route_has_a_handler_label(void **state)
{
	size_t n;
	const struct route *table = match_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		if (!metrics_handler_of(table[i].pattern))
			fail_msg("hub/metrics_handler.def lacks %s",
			    table[i].pattern);
	assert_string_equal(metrics_handler_of("/api/users/:user/tokens/:id"),
	    "jupyterhub.apihandlers.users.UserTokenAPIHandler");
	assert_null(metrics_handler_of("/api/users/:user/none"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, web_teardown)
		T(test_the_scope_is_wanted),
		T(test_an_administrator_reads),
		T(test_the_configuration_may_open_it),
		T(test_every_request_is_timed),
		T(test_logins_are_timed),
		T(test_a_start_and_a_stop_are_timed),
		T(test_a_failed_start_tells_how),
		T(test_a_refused_start_tells_why),
		T(test_routes_are_timed),
		T(test_active_users_are_counted_hourly),
		T(test_ticks_of_a_quiet_loop_need_no_timer),
		T(test_prefix_and_buckets_may_be_set),
		T(test_a_wrong_environment_is_refused),
		T(test_every_route_has_a_handler_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
