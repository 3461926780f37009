/*
 * hub/server.c and its files: a start, a stop and what people see of it, told
 * with a fake spawner, proxy and network.
 */
#include "hub_fixture.c"

static int64_t alice, bob;

static int setup_people(void **state)
{
	setup(state);
	alice = add_user("alice");
	bob = add_user("bob");
	begin();
	return 0;
}

static bool row_of(int64_t user_id, struct server_row *row, struct arena *a)
{
	struct err err;
	int found = server_row_find(app.db, a, user_id, "", row, &err);

	test_ok(found, &err);
	return found == 1;
}

static const char *env_value(const char *name)
{
	return json_string_value(json_object_get(sent.env, name));
}

static int token_lives(const char *text)
{
	struct arena a;
	struct token t;
	struct err err;
	int found;

	arena_init(&a);
	found = token_find(app.db, &a, text, clock_wall_us(), &t, &err);
	arena_fini(&a);
	return found;
}

/* ---- a start ------------------------------------------------------------- */

static void test_a_start_goes_from_row_to_route(void **state)
{
	struct server *s = start("alice", alice);
	struct seen seen;

	(void)state;
	watch(&seen, s);
	assert_int_equal(sent.n[FAKE_START], 0);
	settle();
	assert_int_equal(sent.n[FAKE_START], 1);
	say_started(sent.start_key, "127.0.0.1:40001");
	say_ready(sent.start_key);
	settle();
	assert_string_equal(
	    fake_fetch_first()->url, "http://127.0.0.1:40001/user/alice/api");
	answer_http(404);
	assert_string_equal(proxy_request(FAKE_ADD)->path, "/user/alice");
	answer_proxy(FAKE_ADD, ERR_NONE);
	assert_true(server_is_ready(s));
	assert_string_equal(
	    fake_proxy_target("/user/alice"), "http://127.0.0.1:40001");
	assert_true(seen.ready);
	assert_int_equal(seen.last_percent, 100);
	assert_int_equal(seen.n_settled, 1);
	assert_non_null(strstr(seen.text, "Server requested\n"));
	assert_non_null(strstr(seen.text, "The process runs (pid 4242)"));
	assert_non_null(strstr(seen.text, "Server ready at /user/alice/\n"));
	assert_string_equal(server_version(s), "3.0.0");
}

static void test_a_start_writes_row_token_and_client_before_it_is_sent(
    void **state)
{
	struct server_row row;
	struct oauth_client client;
	struct arena a;
	struct token t;
	struct err err;

	(void)state;
	arena_init(&a);
	to_asked(alice);
	assert_true(row_of(alice, &row, &a));
	assert_string_equal(row.key, sent.start_key);
	assert_true(row.wanted);
	assert_string_equal(row.profile, "default");
	assert_string_equal(row.account, "alice");
	assert_int_equal(
	    token_find(app.db, &a, env_value("JUPYTERHUB_API_TOKEN"),
		clock_wall_us(), &t, &err),
	    1);
	assert_string_equal(t.note, "Server at /user/alice/");
	assert_int_equal(t.server_id, row.id);
	assert_string_equal(t.scopes,
	    "[\"users:activity!user=alice\",\"access:servers!server=alice/\"]");
	assert_int_equal(oauth_client_find(app.db, &a, "jupyterhub-user-alice",
			     &client, &err),
	    1);
	assert_string_equal(client.redirect_uri, "/user/alice/oauth_callback");
	assert_int_equal(oauth_client_check(app.db, "jupyterhub-user-alice",
			     env_value("JUPYTERHUB_API_TOKEN"), &err),
	    1);
	arena_fini(&a);
}

static void test_a_second_start_is_the_first_one(void **state)
{
	struct server *s = start("alice", alice);

	(void)state;
	assert_ptr_equal(start("alice", alice), s);
	settle();
	assert_ptr_equal(start("alice", alice), s);
	assert_int_equal(sent.n[FAKE_START], 1);
}

static const struct {
	const char *what;
	enum err_code code;
	const char *says;
} busy[] = {
	{ "running", ERR_BUSY, "alice is already running" },
	{ "unrouting", ERR_BUSY, "alice is pending stop" },
};

static void test_a_start_of_what_runs_or_stops_is_refused(void **state)
{
	const struct user u = { .id = alice, .name = "alice" };
	const struct server_start_args args = { .user = &u, .name = "" };
	struct server *s = to_running(alice), *out;
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_OF(busy); i++) {
		assert_int_equal(server_start(&app, &args, &out, &err), -1);
		assert_null(out);
		assert_int_equal(err.code, busy[i].code);
		assert_string_equal(err.text, busy[i].says);
		test_ok(server_stop(&app, s, &err), &err);
	}
}

static void test_without_a_spawner_a_start_is_refused(void **state)
{
	const struct user u = { .id = alice, .name = "alice" };
	const struct server_start_args args = { .user = &u, .name = "" };
	struct server *out;
	struct err err;

	(void)state;
	fake_spawner_down();
	assert_int_equal(server_start(&app, &args, &out, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_null(server_by_name(&app, "alice", ""));
}

static void test_active_server_limit(void **state)
{
	const struct user u = { .id = bob, .name = "bob" };
	const struct server_start_args args = { .user = &u, .name = "" };
	struct server *out;
	struct err err;

	(void)state;
	app.cfg.active_server_limit = 1;
	to_running(alice);
	assert_int_equal(server_count_active(&app), 1);
	assert_int_equal(server_start(&app, &args, &out, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(err.text,
	    "Active user limit exceeded. Try again in a few minutes.");
}

static const struct {
	const char *name;
	bool good;
} names[] = {
	{ "lab", true },
	{ "a1-b2", true },
	{ "x", true },
	{ "abcdefghijklmnopqrstuvwxyz1234", true },
	{ "abcdefghijklmnopqrstuvwxyz12345", false },
	{ "1a", false },
	{ "-a", false },
	{ "a-", false },
	{ "a--b", false },
	{ "A", false },
	{ "a/b", false },
	{ "a_b", false },
	{ "\xc3\xa9", false },
	{ "a\n", false },
};

static void test_new_names_are_slugs(void **state)
{
	const struct user u = { .id = alice, .name = "alice" };

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		const struct server_start_args args = {
			.user = &u,
			.name = names[i].name,
		};
		struct server *out;
		struct err err = { .code = ERR_NONE };
		int rc = server_start(&app, &args, &out, &err);

		if ((rc == 0) != names[i].good)
			fail_msg("\"%s\": %d %s", names[i].name, rc, err.text);
		if (rc != 0)
			assert_int_equal(err.code, ERR_INVALID);
	}
}

/* No use to try that again later. */
static void test_options_that_are_too_long_are_invalid(void **state)
{
	const struct user u = { .id = alice, .name = "alice" };
	char text[33000];
	struct server *out;
	struct err err;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	json_t *options = json_pack("{s:s}", "image", text);
	const struct server_start_args args = {
		.user = &u,
		.name = "",
		.options = options,
	};
	assert_int_equal(server_start(&app, &args, &out, &err), -1);
	json_decref(options);
	assert_int_equal(err.code, ERR_INVALID);
	assert_null(server_by_name(&app, "alice", ""));
}

static void test_options_of_the_last_time_are_used_again(void **state)
{
	const struct user u = { .id = alice, .name = "alice" };
	json_t *options = json_pack("{s:s}", "image", "big");
	struct server_start_args args = {
		.user = &u,
		.name = "",
		.options = options,
	};
	struct server *s;
	struct err err;

	(void)state;
	test_ok(server_start(&app, &args, &s, &err), &err);
	json_decref(options);
	settle();
	say_refused(s->key, "no");
	args.options = NULL;
	test_ok(server_start(&app, &args, &s, &err), &err);
	assert_string_equal(
	    json_string_value(json_object_get(s->options, "image")), "big");
}

/* ---- failures ------------------------------------------------------------ */

static const struct {
	int status, signo;
	bool oom;
	const char *says;
} ends[] = {
	{ 1, 0, false, "exited with status 1" },
	{ -1, 9, false, "was ended by signal 9" },
	{ -1, 9, true, "out of memory" },
};

static void test_an_exit_while_waiting_is_told_at_once_with_reason_and_tail(
    void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(ends); i++) {
		struct server *s = to_waiting(alice);
		struct seen seen;

		watch(&seen, s);
		say_exited(s->key, ends[i].status, ends[i].signo, ends[i].oom);
		assert_int_equal(seen.n_settled, 1);
		assert_true(seen.failed);
		assert_non_null(strstr(seen.text, ends[i].says));
		assert_string_equal(seen.tail, "the last line\n");
		assert_int_equal(s->state, SERVER_FAILED);
		assert_non_null(strstr(server_failure(s), ends[i].says));
		assert_string_equal(server_failure_tail(s), "the last line\n");
		assert_int_equal(sent.n[FAKE_ACK], i + 1);
	}
}

static void test_a_refusal_is_told_with_its_words(void **state)
{
	struct server *s = to_asked(alice);
	struct server_row row;
	struct arena a;

	(void)state;
	arena_init(&a);
	say_refused(s->key, "/usr/bin/nothing: No such file or directory");
	assert_string_equal(
	    server_failure(s), "/usr/bin/nothing: No such file or directory");
	assert_true(row_of(alice, &row, &a));
	assert_null(row.key);
	assert_false(row.wanted);
	assert_int_equal(token_lives(env_value("JUPYTERHUB_API_TOKEN")), 0);
	arena_fini(&a);
}

static void test_a_failed_start_is_remembered_for_a_while(void **state)
{
	struct server *s = to_failed(alice);
	struct seen seen;

	(void)state;
	watch(&seen, s);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.n_settled, 1);
	assert_string_equal(seen.text, "Spawn failed: no such program\n");
	advance(app.cfg.failed_keep_s * 1000 - 10);
	assert_non_null(server_by_name(&app, "alice", ""));
	advance(20);
	assert_null(server_by_name(&app, "alice", ""));
}

static void test_a_failed_start_can_be_started_again(void **state)
{
	struct server *s = to_failed(alice);
	char old[TOKEN_LEN + 1];

	(void)state;
	assert_int_equal(
	    str_copy(old, sizeof old, env_value("JUPYTERHUB_API_TOKEN")), 0);
	assert_ptr_equal(to_running(alice), s);
	assert_null(server_failure(s));
	assert_int_equal(token_lives(old), 0);
	assert_int_equal(token_lives(env_value("JUPYTERHUB_API_TOKEN")), 1);
}

static void test_who_does_not_answer_is_ended_and_the_reason_says_so(
    void **state)
{
	struct server *s = to_waiting(alice);
	struct seen seen;

	(void)state;
	watch(&seen, s);
	for (int i = 0; i < 40 && s->state == SERVER_WAITING; i++) {
		if (fake_fetch_first())
			fake_fetch_answer(fake_fetch_first(), 0);
		advance(1000);
	}
	assert_int_equal(s->state, SERVER_STOPPING);
	assert_string_equal(sent.stop_key, s->key);
	say_exited(s->key, -1, 2, false);
	assert_int_equal(s->state, SERVER_FAILED);
	assert_true(seen.failed);
	assert_non_null(
	    strstr(server_failure(s), "did not answer within 30 s"));
	assert_non_null(strstr(server_failure(s), "connection refused"));
	assert_string_equal(server_failure_tail(s), "the last line\n");
}

static void test_an_answer_of_500_is_no_answer(void **state)
{
	struct server *s = to_waiting(alice);

	(void)state;
	answer_http(503);
	assert_int_equal(s->state, SERVER_WAITING);
	advance(300);
	answer_http(499);
	assert_int_equal(s->state, SERVER_ROUTING);
}

static void test_a_start_that_hangs_ends_at_the_deadline(void **state)
{
	struct server *s = to_asked(alice);

	(void)state;
	advance(60001);
	assert_int_equal(s->state, SERVER_STOPPING);
	say_exited(s->key, -1, 9, false);
	assert_non_null(strstr(server_failure(s), "did not run within 60 s"));
}

static void test_a_proxy_that_refuses_ends_the_start(void **state)
{
	struct server *s = to_routing(alice);

	(void)state;
	answer_proxy(FAKE_ADD, ERR_UNAVAILABLE);
	assert_int_equal(s->state, SERVER_UNROUTING);
	answer_proxy(FAKE_DELETE, ERR_NONE);
	assert_int_equal(s->state, SERVER_STOPPING);
	say_exited(s->key, 0, 0, false);
	assert_non_null(strstr(server_failure(s), "proxy did not take"));
}

static void test_a_disk_that_refuses_ends_the_program(void **state)
{
	struct server *s = start("alice", alice);
	struct err err = { .code = ERR_NONE };

	(void)state;
	err_set(&err, ERR_IO, "fdatasync: No space left on device");
	s->saved.fn(&err, s->saved.arg);
	assert_int_equal(app.exit_code, 1);
	assert_true(app.stopping);
	assert_int_equal(sent.n[FAKE_START], 0);
}

/* ---- a stop -------------------------------------------------------------- */

static void test_a_stop_takes_the_route_first(void **state)
{
	struct server *s = to_running(alice);
	struct server_row row;
	struct seen seen;
	struct arena a;
	struct err err;
	char token[TOKEN_LEN + 1];

	(void)state;
	arena_init(&a);
	assert_int_equal(
	    str_copy(token, sizeof token, env_value("JUPYTERHUB_API_TOKEN")),
	    0);
	test_ok(server_stop(&app, s, &err), &err);
	watch(&seen, s);
	assert_string_equal(server_pending(s), "stop");
	assert_int_equal(sent.n[FAKE_STOP], 0);
	assert_true(row_of(alice, &row, &a));
	assert_false(row.wanted);
	assert_non_null(row.key);
	answer_proxy(FAKE_DELETE, ERR_NONE);
	assert_null(fake_proxy_target("/user/alice"));
	assert_int_equal(sent.n[FAKE_STOP], 1);
	say_exited(s->key, 0, 0, false);
	assert_int_equal(seen.n_settled, 1);
	assert_int_equal(seen.at, SERVER_GONE);
	assert_null(strstr(seen.text, "ready"));
	assert_null(server_by_name(&app, "alice", ""));
	assert_true(row_of(alice, &row, &a));
	assert_null(row.key);
	assert_int_equal(token_lives(token), 0);
	assert_int_equal(sent.n[FAKE_ACK], 1);
	arena_fini(&a);
}

static void test_a_stop_does_not_wait_long_for_the_proxy(void **state)
{
	to_unrouting(alice);
	(void)state;
	advance(5001);
	assert_int_equal(sent.n[FAKE_STOP], 1);
}

static void test_a_stop_that_is_not_heard_is_said_again(void **state)
{
	struct server *s = to_stopping(alice);

	(void)state;
	advance(2 * 30000 + 15001);
	assert_int_equal(sent.n[FAKE_STOP], 2);
	fake_spawner_down();
	fake_spawner_up();
	say_found(s->key, "127.0.0.1:40001");
	assert_int_equal(sent.n[FAKE_STOP], 3);
	/* Once a connection is enough. */
	say_found(s->key, "127.0.0.1:40001");
	assert_int_equal(sent.n[FAKE_STOP], 3);
}

static struct server *cancel_at(enum server_state st)
{
	struct server *s;
	struct err err;

	if (st == SERVER_SAVING)
		s = start("alice", alice);
	else if (st == SERVER_ASKED)
		s = to_asked(alice);
	else if (st == SERVER_WAITING)
		s = to_waiting(alice);
	else
		s = to_routing(alice);
	assert_int_equal(s->state, st);
	test_ok(server_stop(&app, s, &err), &err);
	return s;
}

static void test_a_cancelled_start_ends_with_failed_and_cancelled(void **state)
{
	static const enum server_state when[] = { SERVER_SAVING, SERVER_ASKED,
		SERVER_WAITING, SERVER_ROUTING };

	(void)state;
	for (size_t i = 0; i < N_OF(when); i++) {
		struct server *s = cancel_at(when[i]);
		struct seen seen;

		watch(&seen, s);
		if (when[i] == SERVER_ROUTING) {
			answer_proxy(FAKE_ADD, ERR_NONE);
			answer_proxy(FAKE_DELETE, ERR_NONE);
		}
		if (when[i] != SERVER_SAVING)
			say_exited(s->key, -1, 15, false);
		assert_int_equal(seen.n_settled, 1);
		assert_true(seen.failed);
		assert_non_null(strstr(seen.text, "Spawn cancelled"));
		assert_null(fake_proxy_target("/user/alice"));
		settle();
		assert_null(server_by_name(&app, "alice", ""));
		assert_int_equal(app.servers->starts.n_held, 0);
	}
}

/* ---- its own end --------------------------------------------------------- */

static void test_the_end_of_a_running_server_cleans_up(void **state)
{
	struct server *s = to_running(alice);
	struct server_row row;
	struct arena a;

	(void)state;
	arena_init(&a);
	say_exited(s->key, 0, 0, false);
	assert_string_equal(server_pending(s), "stop");
	assert_int_equal(sent.n[FAKE_ACK], 1);
	assert_true(row_of(alice, &row, &a));
	assert_null(row.key);
	answer_proxy(FAKE_DELETE, ERR_NONE);
	assert_null(server_by_name(&app, "alice", ""));
	assert_null(fake_proxy_target("/user/alice"));
	arena_fini(&a);
}

static void test_late_and_repeated_answers_of_old_keys_change_nothing(
    void **state)
{
	struct server *s = to_stopping(alice);
	char old[SPAWNER_KEY_LEN + 1];

	(void)state;
	copy_key(old, s->key);
	say_exited(old, 0, 0, false);
	s = to_running(alice);
	say_exited(old, 0, 0, false);
	assert_int_equal(sent.n[FAKE_ACK], 2);
	assert_string_equal(sent.ack_key, old);
	say_refused(old, "late");
	say_started(s->key, "127.0.0.1:40001");
	say_ready(s->key);
	assert_true(server_is_ready(s));
	/* Something that runs under an old key must not. */
	say_started(old, "127.0.0.1:40009");
	assert_string_equal(sent.stop_key, old);
	assert_int_equal(n_bugs, 0);
}

/* ---- activity, names ----------------------------------------------------- */

static void test_activity_moves_forward_only(void **state)
{
	struct server *s = to_running(alice);
	int64_t ready_us = server_last_activity_us(s);
	struct server_row row;
	struct arena a;

	(void)state;
	arena_init(&a);
	server_touch(&app, s, ready_us - 5);
	assert_int_equal(server_last_activity_us(s), ready_us);
	server_touch(&app, s, ready_us + 10 * 1000000);
	row_of(alice, &row, &a);
	/* Below the resolution nothing is written. */
	assert_int_equal(row.last_activity_us, ready_us);
	server_touch(&app, s, ready_us + 31 * 1000000);
	row_of(alice, &row, &a);
	assert_int_equal(row.last_activity_us, ready_us + 31 * 1000000);
	arena_fini(&a);
}

static void test_paths_are_escaped(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_string_equal(server_path(&app, &a, "a@b", ""), "/user/a@b/");
	assert_string_equal(
	    server_path(&app, &a, "a b", "x/y"), "/user/a%20b/x%2Fy/");
	app.cfg.base_url = "/nb/";
	assert_string_equal(
	    server_path(&app, &a, "alice", "lab"), "/nb/user/alice/lab/");
	arena_fini(&a);
}

static void test_a_walk_over_a_users_servers(void **state)
{
	const struct user u = { .id = alice, .name = "alice" };
	const struct server_start_args args = { .user = &u, .name = "lab" };
	struct server *s, *out;
	struct err err;
	size_t pos = 0, n = 0;

	(void)state;
	start("alice", alice);
	start("bob", bob);
	test_ok(server_start(&app, &args, &out, &err), &err);
	while ((s = server_next_of(&app, alice, &pos)) != NULL) {
		assert_int_equal(server_user_id(s), alice);
		n++;
	}
	assert_int_equal(n, 2);
	pos = 0;
	assert_null(server_next_of(&app, 999, &pos));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_people, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_start_goes_from_row_to_route),
		T(test_a_start_writes_row_token_and_client_before_it_is_sent),
		T(test_a_second_start_is_the_first_one),
		T(test_a_start_of_what_runs_or_stops_is_refused),
		T(test_without_a_spawner_a_start_is_refused),
		T(test_active_server_limit),
		T(test_new_names_are_slugs),
		T(test_options_that_are_too_long_are_invalid),
		T(test_options_of_the_last_time_are_used_again),
		T(test_an_exit_while_waiting_is_told_at_once_with_reason_and_tail),
		T(test_a_refusal_is_told_with_its_words),
		T(test_a_failed_start_is_remembered_for_a_while),
		T(test_a_failed_start_can_be_started_again),
		T(test_who_does_not_answer_is_ended_and_the_reason_says_so),
		T(test_an_answer_of_500_is_no_answer),
		T(test_a_start_that_hangs_ends_at_the_deadline),
		T(test_a_proxy_that_refuses_ends_the_start),
		T(test_a_disk_that_refuses_ends_the_program),
		T(test_a_stop_takes_the_route_first),
		T(test_a_stop_does_not_wait_long_for_the_proxy),
		T(test_a_stop_that_is_not_heard_is_said_again),
		T(test_a_cancelled_start_ends_with_failed_and_cancelled),
		T(test_the_end_of_a_running_server_cleans_up),
		T(test_late_and_repeated_answers_of_old_keys_change_nothing),
		T(test_activity_moves_forward_only),
		T(test_paths_are_escaped),
		T(test_a_walk_over_a_users_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
