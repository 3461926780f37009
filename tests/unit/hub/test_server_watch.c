/*
 * hub/server_watch.c: the steps of a start, and those who watch them.
 */
#include "hub_fixture.c"

static int64_t alice;

static int setup_people(void **state)
{
	setup(state);
	alice = add_user("alice");
	begin();
	return 0;
}

/* ---- watchers ------------------------------------------------------------ */

static void on_settled_start_again(
    struct server_watch *w, struct server *s, void *arg)
{
	(void)w;
	(void)s;
	(*(int *)arg)++;
	start("alice", alice);
}

static void test_a_watcher_may_start_the_server_again(void **state)
{
	struct server *s = to_asked(alice);
	int n = 0;
	struct server_watch w = {
		.settled = on_settled_start_again,
		.arg = &n,
	};

	(void)state;
	server_watch_start(s, &w);
	say_refused(s->key, "no");
	assert_int_equal(n, 1);
	settle();
	assert_int_equal(s->state, SERVER_ASKED);
}

static void on_settled_stop_other(
    struct server_watch *w, struct server *s, void *arg)
{
	(void)w;
	(void)s;
	server_watch_stop(arg);
}

static void test_a_watcher_may_stop_another_watcher(void **state)
{
	struct server *s = to_asked(alice);
	struct seen other;
	struct server_watch w = { .settled = on_settled_stop_other,
		.arg = &other.watch };

	(void)state;
	server_watch_start(s, &w);
	watch(&other, s);
	say_refused(s->key, "no");
	assert_int_equal(other.n_settled, 0);
}

static void test_stopping_a_watch_twice_or_never_started_is_fine(void **state)
{
	struct server *s = to_asked(alice);
	struct server_watch never = { .fn = NULL };
	struct seen seen;

	(void)state;
	server_watch_stop(&never);
	watch(&seen, s);
	server_watch_stop(&seen.watch);
	server_watch_stop(&seen.watch);
	say_refused(s->key, "no");
	assert_int_equal(seen.n_settled, 0);
}

static void test_a_newcomer_sees_all_steps_so_far(void **state)
{
	struct server *s = to_waiting(alice);
	struct seen seen;

	(void)state;
	watch(&seen, s);
	assert_int_equal(seen.n, 4);
	assert_string_equal(server_pending(s), "spawn");
	server_watch_stop(&seen.watch);
}

static void test_a_newcomer_at_a_running_server_is_told_ready(void **state)
{
	struct server *s = to_running(alice);
	struct seen seen;

	(void)state;
	watch(&seen, s);
	assert_int_equal(seen.n, 1);
	assert_true(seen.ready);
	assert_int_equal(seen.n_settled, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_people, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_watcher_may_start_the_server_again),
		T(test_a_watcher_may_stop_another_watcher),
		T(test_stopping_a_watch_twice_or_never_started_is_fine),
		T(test_a_newcomer_sees_all_steps_so_far),
		T(test_a_newcomer_at_a_running_server_is_told_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
