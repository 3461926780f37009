/* Tests of auth/throttle.c: a clock that stands still but for the tests. */
#include "test_util.h"

#include "auth/throttle.h"
#include "base/clock.h"
#include "base/str.h"
#include "db/db.h"

#define HERE "192.0.2.7"

static struct test_dir dir;
static char file[128];
static struct loop *loop;
static struct db *db;
static struct throttle *t;

static void open_throttle(void)
{
	struct err err = { 0 };

	t = throttle_open(db, loop, NULL, &err);
	if (t == NULL)
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	struct err err = { 0 };

	(void)state;
	test_dir_make(&dir);
	assert_int_equal(str_format(file, sizeof file, "%s/db", dir.path), 0);
	clock_sim_start(INT64_C(1700000000000000));
	loop = loop_new();
	db = db_open(file, loop, NULL, &err);
	assert_non_null(db);
	open_throttle();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	throttle_close(&t);
	db_close(&db);
	loop_free(&loop);
	clock_set_source(NULL);
	test_dir_remove(&dir);
	return 0;
}

static void pass_s(int64_t s)
{
	clock_sim_advance_us(s * 1000000);
}

static void fail_times(const char *name, const char *address, int n)
{
	for (int i = 0; i < n; i++)
		throttle_failed(t, name, address);
}

static void test_a_few_failures_cost_nothing(void **state)
{
	(void)state;
	assert_int_equal(throttle_wait_s(t, "alice", HERE), 0);
	fail_times("alice", HERE, 4);
	assert_int_equal(throttle_wait_s(t, "alice", HERE), 0);
}

static void test_the_wait_grows_to_its_longest_and_is_waited_out(void **state)
{
	const int64_t want[] = { 2, 4, 8, 16, 32, 64, 128, 256, 300, 300 };

	(void)state;
	fail_times("alice", HERE, 4);
	for (size_t i = 0; i < N_OF(want); i++) {
		throttle_failed(t, "alice", HERE);
		assert_int_equal(throttle_wait_s(t, "alice", HERE), want[i]);
		pass_s(want[i] - 1);
		assert_int_equal(throttle_wait_s(t, "alice", HERE), 1);
		pass_s(1);
		assert_int_equal(throttle_wait_s(t, "alice", HERE), 0);
	}
}

static void test_a_penalty_fades(void **state)
{
	(void)state;
	fail_times("alice", HERE, 8);
	assert_int_equal(throttle_wait_s(t, "alice", HERE), 16);
	pass_s(3 * 600);
	throttle_failed(t, "alice", HERE);
	/* Three of eight have faded, one is new. */
	assert_int_equal(throttle_wait_s(t, "alice", HERE), 4);
	pass_s(24 * 3600);
	throttle_failed(t, "alice", HERE);
	assert_int_equal(throttle_wait_s(t, "alice", HERE), 0);
}

static void test_a_success_ends_it(void **state)
{
	(void)state;
	fail_times("alice", HERE, 9);
	throttle_succeeded(t, "alice", HERE);
	assert_int_equal(throttle_wait_s(t, "alice", HERE), 0);
	fail_times("alice", HERE, 4);
	assert_int_equal(throttle_wait_s(t, "alice", HERE), 0);
}

static void test_one_pupil_does_not_lock_out_the_class(void **state)
{
	(void)state;
	fail_times("alice", HERE, 1000);
	assert_true(throttle_wait_s(t, "alice", HERE) > 0);
	assert_int_equal(throttle_wait_s(t, "bob", HERE), 0);
}

static void test_the_owner_elsewhere_waits_little(void **state)
{
	(void)state;
	fail_times("alice", HERE, 10);
	assert_int_equal(throttle_wait_s(t, "alice", "198.51.100.1"), 0);
	fail_times("alice", HERE, 1000);
	assert_in_range(throttle_wait_s(t, "alice", "198.51.100.1"), 1, 30);
	assert_int_equal(throttle_wait_s(t, "alice", HERE), 300);
}

static void test_many_addresses_that_guess_one_name_are_slowed(void **state)
{
	char address[32];

	(void)state;
	for (int i = 0; i < 40; i++) {
		snprintf(address, sizeof address, "192.0.2.%d", i);
		throttle_failed(t, "alice", address);
	}
	assert_int_equal(throttle_wait_s(t, "alice", "203.0.113.1"), 30);
	assert_int_equal(throttle_wait_s(t, "bob", "203.0.113.1"), 0);
}

static void test_an_address_that_tries_many_names_waits(void **state)
{
	char name[16];

	(void)state;
	for (int i = 0; i < 49; i++) {
		snprintf(name, sizeof name, "user%d", i);
		fail_times(name, HERE, 3);
	}
	assert_int_equal(throttle_wait_s(t, "new", HERE), 0);
	for (int i = 49; i < 53; i++) {
		snprintf(name, sizeof name, "user%d", i);
		throttle_failed(t, name, HERE);
	}
	assert_int_equal(throttle_wait_s(t, "new", HERE), 16);
	assert_int_equal(throttle_wait_s(t, "new", "192.0.2.8"), 0);
	/* A success of whoever guesses changes nothing. */
	throttle_succeeded(t, "mallory", HERE);
	assert_int_equal(throttle_wait_s(t, "new", HERE), 16);
}

static void test_addresses_that_are_one(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true },
		{ "2001:db8:1:2::1", "2001:db8:1:3::1", false },
		{ "192.0.2.1", "::ffff:192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "garbage", "garbage", true },
		{ "garbage", "other", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char name[16];

		snprintf(name, sizeof name, "row%zu", i);
		fail_times(name, rows[i].a, 7);
		assert_int_equal(
		    throttle_wait_s(t, name, rows[i].b) > 0, rows[i].same);
	}
}

static void test_names_are_one_however_they_are_written(void **state)
{
	(void)state;
	fail_times("Alice", HERE, 3);
	fail_times("ALICE", HERE, 3);
	assert_true(throttle_wait_s(t, "alice", HERE) > 0);
	fail_times("", "", 9);
	assert_true(throttle_wait_s(t, "", "") > 0);
	assert_int_equal(throttle_wait_s(t, "bob", ""), 0);
}

static void test_memory_is_bounded_and_the_faint_go_first(void **state)
{
	char name[32];

	(void)state;
	fail_times("alice", HERE, 10);
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof name, "flood%d", i);
		throttle_failed(t, name, name);
	}
	assert_true(throttle_count(t) <= 8192);
	assert_true(throttle_wait_s(t, "alice", HERE) > 0);
}

static void test_penalties_survive_a_restart(void **state)
{
	int64_t wait;

	(void)state;
	fail_times("alice", HERE, 9);
	wait = throttle_wait_s(t, "alice", HERE);
	throttle_close(&t);
	open_throttle();
	assert_int_equal(throttle_wait_s(t, "alice", HERE), wait);
	throttle_succeeded(t, "alice", HERE);
	throttle_close(&t);
	open_throttle();
	assert_int_equal(throttle_wait_s(t, "alice", HERE), 0);
	pass_s(3 * 24 * 3600);
	throttle_close(&t);
	open_throttle();
	assert_int_equal(throttle_count(t), 0);
}

static void test_they_are_written_by_a_timer_in_batches(void **state)
{
	char name[16];
	struct throttle *other;
	struct err err = { 0 };

	(void)state;
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "user%d", i);
		throttle_failed(t, name, HERE);
	}
	loop_advance(loop, 4000);
	other = throttle_open(db, loop, NULL, &err);
	assert_int_equal(throttle_count(other), 0);
	throttle_close(&other);
	loop_advance(loop, 2000);
	other = throttle_open(db, loop, NULL, &err);
	assert_int_equal(throttle_count(other), throttle_count(t));
	assert_int_equal(throttle_wait_s(other, "new", HERE),
	    throttle_wait_s(t, "new", HERE));
	throttle_close(&other);
}

static void test_without_a_database_nothing_is_kept_but_counted(void **state)
{
	struct err err = { 0 };
	struct throttle *other = throttle_open(NULL, NULL, NULL, &err);

	(void)state;
	assert_non_null(other);
	for (int i = 0; i < 9; i++)
		throttle_failed(other, "alice", HERE);
	assert_true(throttle_wait_s(other, "alice", HERE) > 0);
	throttle_succeeded(other, "alice", HERE);
	assert_int_equal(throttle_wait_s(other, "alice", HERE), 0);
	test_ok(throttle_flush(other, &err), &err);
	throttle_close(&other);
}

static void test_a_clock_that_goes_back_does_not_lock_anybody_out(void **state)
{
	(void)state;
	fail_times("alice", HERE, 5);
	clock_sim_start(INT64_C(1700000000000000) - INT64_C(3600000000));
	assert_in_range(throttle_wait_s(t, "alice", HERE), 1, 2);
}

static void test_the_text_says_when_to_try_again(void **state)
{
	static const struct {
		int64_t wait;
		const char *ends;
	} rows[] = { { 1, "in 1 second." }, { 90, "in 90 seconds." },
		{ 91, "in 2 minutes." }, { 300, "in 5 minutes." } };
	char text[100];

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		throttle_text(rows[i].wait, text, sizeof text);
		assert_true(str_ends(text, rows[i].ends));
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

/* A class that signs up does not keep itself from logging in. */
static void test_newcomers_are_counted_apart(void **state)
{
	struct err err = { 0 };

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(
		    throttle_newcomer_wait_s(t, "signup", HERE), 0);
		throttle_newcomer(t, "signup", HERE);
	}
	assert_int_equal(throttle_newcomer_wait_s(t, "signup", HERE), 2);
	assert_int_equal(throttle_newcomer_wait_s(t, "visit", HERE), 0);
	assert_int_equal(throttle_newcomer_wait_s(t, "signup", "192.0.2.8"), 0);
	assert_int_equal(throttle_wait_s(t, "alice", HERE), 0);
	test_ok(throttle_flush(t, &err), &err);
	throttle_close(&t);
	open_throttle();
	assert_int_equal(throttle_newcomer_wait_s(t, "signup", HERE), 2);
	for (int i = 0; i < 60; i++) {
		char name[16];

		snprintf(name, sizeof name, "u%d", i);
		throttle_failed(t, name, "192.0.2.8");
	}
	assert_true(throttle_wait_s(t, "alice", "192.0.2.8") > 0);
	assert_int_equal(throttle_newcomer_wait_s(t, "signup", "192.0.2.8"), 0);
	/* Nobody knows where they come from: no count of all of them. */
	throttle_newcomer(t, "signup", "");
	assert_int_equal(throttle_newcomer_wait_s(t, "signup", ""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_few_failures_cost_nothing),
		TEST(test_the_wait_grows_to_its_longest_and_is_waited_out),
		TEST(test_a_penalty_fades),
		TEST(test_a_success_ends_it),
		TEST(test_one_pupil_does_not_lock_out_the_class),
		TEST(test_the_owner_elsewhere_waits_little),
		TEST(test_many_addresses_that_guess_one_name_are_slowed),
		TEST(test_an_address_that_tries_many_names_waits),
		TEST(test_addresses_that_are_one),
		TEST(test_names_are_one_however_they_are_written),
		TEST(test_memory_is_bounded_and_the_faint_go_first),
		TEST(test_penalties_survive_a_restart),
		TEST(test_they_are_written_by_a_timer_in_batches),
		TEST(test_without_a_database_nothing_is_kept_but_counted),
		TEST(test_a_clock_that_goes_back_does_not_lock_anybody_out),
		TEST(test_newcomers_are_counted_apart),
		TEST(test_the_text_says_when_to_try_again),
	};

	return cmocka_run_group_tests_name("auth/throttle", tests, NULL, NULL);
}
