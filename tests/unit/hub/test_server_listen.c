/*
 * Nothing that answers at a server's address counts before the spawner has said
 * that the server itself listens there: another account's program may have
 * taken the port first.
 */
#include "hub_fixture.c"

#define KEY "00112233445566aa"
#define AT  "127.0.0.1:40001"

static int64_t alice;

static int setup_alice(void **state)
{
	setup(state);
	alice = add_user("alice");
	begin();
	return 0;
}

static struct server *to_started(void)
{
	struct server *s = to_asked(alice);

	say_started(s->key, AT);
	settle();
	assert_int_equal(s->state, SERVER_WAITING);
	return s;
}

static void say_found_deaf(const char *key)
{
	struct spawner_server p = process(key, AT);

	fake_spawner.cb.found(&p, fake_spawner.cb.arg);
	settle();
}

static void test_nobody_is_asked_before_the_server_listens(void **state)
{
	struct server *s = to_started();

	(void)state;
	advance(2000);
	assert_null(fake_fetch_first());
	say_ready(s->key);
	settle();
	assert_non_null(fake_fetch_first());
	assert_int_equal(s->state, SERVER_WAITING);
	answer_http(302);
	assert_int_equal(s->state, SERVER_ROUTING);
}

static void test_people_read_what_is_waited_for(void **state)
{
	struct server *s = to_started();
	struct seen seen;

	(void)state;
	watch(&seen, s);
	assert_non_null(strstr(seen.text, "waiting until it listens\n"));
	say_ready(s->key);
	assert_non_null(strstr(
	    seen.text, "It listens on " AT "; waiting until it answers\n"));
	assert_int_equal(seen.last_percent, 60);
	server_watch_stop(&seen.watch);
}

static void test_again_and_of_other_keys_it_says_nothing(void **state)
{
	struct server *s = to_started();

	(void)state;
	say_ready("ffffffffffffffff");
	settle();
	assert_null(fake_fetch_first());
	say_ready(s->key);
	settle();
	say_ready(s->key);
	answer_http(302);
	say_ready(s->key);
	answer_proxy(FAKE_ADD, ERR_NONE);
	say_ready(s->key);
	settle();
	assert_int_equal(s->state, SERVER_RUNNING);
	assert_int_equal(n_bugs, 0);
}

static void test_the_list_makes_up_for_a_lost_word(void **state)
{
	struct server *s = to_started();

	(void)state;
	say_found_deaf(s->key);
	assert_null(fake_fetch_first());
	say_found(s->key, AT);
	settle();
	assert_non_null(fake_fetch_first());
}

static void test_a_word_before_the_address_is_remembered(void **state)
{
	struct server *s = to_asked(alice);

	(void)state;
	say_ready(s->key);
	settle();
	assert_int_equal(s->state, SERVER_ASKED);
	assert_null(fake_fetch_first());
	say_started(s->key, AT);
	settle();
	assert_non_null(fake_fetch_first());
}

static void test_who_never_listens_is_ended_and_the_reason_says_so(void **state)
{
	struct server *s = to_started();

	(void)state;
	advance(app.cfg.http_timeout_s * 1000 - 1);
	assert_int_equal(s->state, SERVER_WAITING);
	advance(1);
	assert_int_equal(s->state, SERVER_STOPPING);
	assert_int_equal(sent.n[FAKE_STOP], 1);
	say_exited(s->key, -1, 2, false);
	assert_int_equal(s->state, SERVER_FAILED);
	assert_non_null(strstr(server_failure(s), "does not listen on " AT));
}

static void test_http_timeout_counts_from_the_start_of_the_process(void **state)
{
	struct server *s = to_started();

	(void)state;
	advance(app.cfg.http_timeout_s * 1000 - 1000);
	say_ready(s->key);
	settle();
	answer_http(0);
	advance(1000);
	answer_http(0);
	assert_int_equal(s->state, SERVER_STOPPING);
}

static void test_without_a_spawner_the_reason_is_another(void **state)
{
	struct server *s = to_started();

	(void)state;
	fake_spawner_down();
	advance(app.cfg.http_timeout_s * 1000);
	assert_int_equal(s->state, SERVER_STOPPING);
	assert_non_null(strstr(s->failure, "the spawner is away"));
}

static struct server *adopt(bool was_ready)
{
	struct server_row row = {
		.id = 77,
		.user_id = alice,
		.user_name = "alice",
		.name = "",
		.key = KEY,
		.wanted = true,
		.profile = "default",
		.account = "alice",
		.address = AT,
		.started_us = T0_US,
		.last_activity_us = was_ready ? T0_US + 1 : T0_US,
	};
	struct err err;

	test_ok(
	    server_row_create(app.db, alice, "", T0_US, &row.id, &err), &err);
	test_ok(server_row_start(app.db, row.id, row.key, "default", "alice",
		    NULL, T0_US, &err),
	    &err);
	assert_int_equal(server_adopt(&app, &row), 1);
	return server_by_id(&app, row.id);
}

/* As after the next question for a list. */
static struct server *adopt_and_list(bool was_ready)
{
	struct server *s = adopt(was_ready);

	say_found_deaf(KEY);
	assert_int_equal(s->state, SERVER_CHECKING);
	return s;
}

static void test_what_ran_before_is_asked_only_when_it_listens(void **state)
{
	struct server *s = adopt_and_list(true);

	(void)state;
	advance(2000);
	assert_null(fake_fetch_first());
	say_ready(KEY);
	settle();
	answer_http(302);
	assert_int_equal(s->state, SERVER_ROUTING);
}

static void test_what_ran_before_and_never_listened_has_failed(void **state)
{
	struct server *s = adopt_and_list(false);

	(void)state;
	advance(app.cfg.start_timeout_s * 1000);
	assert_int_equal(s->state, SERVER_UNROUTING);
	assert_non_null(strstr(s->failure, "restart of the hub"));
}

static void test_work_is_kept_without_a_route_until_it_listens(void **state)
{
	struct server *s = adopt_and_list(true);

	(void)state;
	for (int i = 0; i < 3; i++)
		advance(app.cfg.start_timeout_s * 1000);
	assert_int_equal(s->state, SERVER_CHECKING);
	assert_int_equal(sent.n[FAKE_STOP], 0);
	assert_null(fake_proxy_target("/user/alice"));
	say_ready(KEY);
	settle();
	answer_http(302);
	assert_int_equal(s->state, SERVER_ROUTING);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_alice, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_nobody_is_asked_before_the_server_listens),
		T(test_people_read_what_is_waited_for),
		T(test_again_and_of_other_keys_it_says_nothing),
		T(test_the_list_makes_up_for_a_lost_word),
		T(test_a_word_before_the_address_is_remembered),
		T(test_who_never_listens_is_ended_and_the_reason_says_so),
		T(test_http_timeout_counts_from_the_start_of_the_process),
		T(test_without_a_spawner_the_reason_is_another),
		T(test_what_ran_before_is_asked_only_when_it_listens),
		T(test_what_ran_before_and_never_listened_has_failed),
		T(test_work_is_kept_without_a_route_until_it_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
