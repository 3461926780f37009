/*
 * hub/server_turn.c: bounded concurrency, first come, first served.
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

/* ---- the line ------------------------------------------------------------ */

static void test_starts_wait_in_line_in_their_order(void **state)
{
	struct server *s[4];
	struct seen seen;
	char name[16];

	(void)state;
	app.cfg.concurrent_spawn_limit = 2;
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof name, "u%d", i);
		s[i] = start(name, add_user(name));
		settle();
	}
	assert_int_equal(sent.n[FAKE_START], 2);
	assert_int_equal(s[3]->state, SERVER_QUEUED);
	watch(&seen, s[3]);
	assert_non_null(strstr(seen.text, "1 start is before this one"));
	say_refused(s[0]->key, "no");
	settle();
	assert_int_equal(s[2]->state, SERVER_ASKED);
	advance(1000);
	assert_non_null(strstr(seen.text, "this start is the next one"));
	say_refused(s[2]->key, "no");
	settle();
	assert_int_equal(s[3]->state, SERVER_ASKED);
	assert_int_equal(sent.n[FAKE_START], 4);
	server_watch_stop(&seen.watch);
}

static void test_the_line_is_bounded(void **state)
{
	const struct user u = { .id = bob, .name = "bob" };
	const struct server_start_args args = { .user = &u, .name = "" };
	struct server *out;
	struct err err;

	(void)state;
	app.cfg.concurrent_spawn_limit = 1;
	app.cfg.queue_limit = 0;
	assert_int_equal(start("alice", alice)->state, SERVER_SAVING);
	settle();
	assert_int_equal(server_start(&app, &args, &out, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	app.cfg.queue_limit = 1;
	test_ok(server_start(&app, &args, &out, &err), &err);
	settle();
	assert_int_equal(out->state, SERVER_QUEUED);
}

static void test_the_line_waits_for_the_spawner_but_not_for_ever(void **state)
{
	struct server *s;

	(void)state;
	fake_spawner.refuse = ERR_BUSY;
	s = start("alice", alice);
	settle();
	assert_int_equal(s->state, SERVER_QUEUED);
	fake_spawner_down();
	advance(59000);
	assert_int_equal(s->state, SERVER_QUEUED);
	advance(2000);
	assert_int_equal(s->state, SERVER_FAILED);
	assert_non_null(strstr(server_failure(s), "spawner has been away"));
}

static void test_a_full_queue_to_the_spawner_is_tried_again(void **state)
{
	struct server *s;

	(void)state;
	fake_spawner.refuse = ERR_BUSY;
	s = start("alice", alice);
	settle();
	fake_spawner.refuse = ERR_NONE;
	advance(250);
	assert_int_equal(s->state, SERVER_ASKED);
}

/* The spawner has less room than we thought. */
static void test_no_room_at_the_spawner_is_a_longer_line(void **state)
{
	struct server *s = to_asked(alice);
	const struct spawner_failed full = {
		.key = sent.start_key,
		.code = FAIL_LIMIT,
		.text = "too many starts",
		.tail = "",
	};

	(void)state;
	/* 0.25 s each, for 60 s. */
	for (int i = 0; i < 240; i++) {
		fake_spawner.cb.failed(&full, fake_spawner.cb.arg);
		assert_int_equal(s->state, SERVER_SAVING);
		/* The key is new, so a repeated answer is nobody's. */
		assert_string_not_equal(s->key, sent.start_key);
		advance(250);
		assert_int_equal(s->state, SERVER_ASKED);
	}
	assert_true(s->n_steps < 5);
	fake_spawner.cb.failed(&full, fake_spawner.cb.arg);
	assert_string_equal(server_failure(s), "too many starts");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_people, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_starts_wait_in_line_in_their_order),
		T(test_the_line_is_bounded),
		T(test_the_line_waits_for_the_spawner_but_not_for_ever),
		T(test_a_full_queue_to_the_spawner_is_tried_again),
		T(test_no_room_at_the_spawner_is_a_longer_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
