/* Tests of the timers of base/loop.c, most of them in simulated time. */
#include "test_util.h"

#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"

static struct loop *l;
/* What happened, one letter each. */
static char story[256];

static void tell(const char *word)
{
	size_t len = strlen(story);

	snprintf(story + len, sizeof story - len, "%s", word);
}

static void assert_story(const char *expected)
{
	assert_string_equal(story, expected);
	story[0] = '\0';
}

static int setup(void **state)
{
	(void)state;
	story[0] = '\0';
	l = loop_new();
	return 0;
}

static int setup_sim(void **state)
{
	clock_sim_start(0);
	return setup(state);
}

static int teardown(void **state)
{
	(void)state;
	loop_free(&l);
	clock_set_source(NULL);
	return 0;
}

struct alarm {
	struct timer t;
	const char *word;
	int64_t again_ms;
	int n_again;
};

static void on_alarm(struct timer *t, void *arg)
{
	struct alarm *a = arg;

	assert_ptr_equal(t, &a->t);
	assert_false(timer_running(t));
	tell(a->word);
	if (a->n_again-- > 0)
		timer_start(l, t, a->again_ms, on_alarm, a);
}

static void alarm_start(struct alarm *a, const char *word, int64_t after_ms)
{
	a->word = word;
	timer_start(l, &a->t, after_ms, on_alarm, a);
}

static void test_timers_fire_in_order_of_time_then_start(void **state)
{
	struct alarm a = { .n_again = 0 }, b = a, c = a, d = a;

	(void)state;
	alarm_start(&a, "a", 30);
	alarm_start(&b, "b", 10);
	alarm_start(&c, "c", 20);
	alarm_start(&d, "d", 10);
	loop_advance(l, 9);
	assert_story("");
	loop_advance(l, 1);
	assert_story("bd");
	loop_advance(l, 100);
	assert_story("ca");
	assert_false(timer_running(&a.t));
}

static void test_started_again_it_moves(void **state)
{
	struct alarm a = { .n_again = 0 };

	(void)state;
	alarm_start(&a, "a", 10);
	loop_advance(l, 5);
	alarm_start(&a, "A", 10);
	loop_advance(l, 9);
	assert_story("");
	loop_advance(l, 1);
	assert_story("A");
	loop_advance(l, 50);
	assert_story("");
}

static void test_timer_restarts_itself(void **state)
{
	struct alarm a = { .again_ms = 10, .n_again = 3 };
	int64_t begin = clock_mono_ms();

	(void)state;
	alarm_start(&a, "a", 10);
	loop_advance(l, 25);
	assert_story("aa");
	loop_advance(l, 1000);
	assert_story("aa");
	assert_int_equal(clock_mono_ms(), begin + 1025);
}

static void test_restart_with_zero_waits_for_the_next_turn(void **state)
{
	struct alarm a = { .again_ms = 0, .n_again = 2 };

	(void)state;
	alarm_start(&a, "a", 0);
	loop_turn(l, -1);
	assert_story("a");
	loop_turn(l, -1);
	assert_story("a");
	loop_turn(l, -1);
	assert_story("a");
	loop_turn(l, 0);
	assert_story("");
}

static void test_timer_stop_is_safe_and_final(void **state)
{
	struct timer none = { .slot = 0 };
	struct alarm a = { .n_again = 0 };

	(void)state;
	timer_stop(&none);
	assert_false(timer_running(&none));
	alarm_start(&a, "a", 10);
	assert_true(timer_running(&a.t));
	timer_stop(&a.t);
	timer_stop(&a.t);
	assert_false(timer_running(&a.t));
	loop_advance(l, 100);
	assert_story("");
}

static void on_stop_other(struct timer *t, void *arg)
{
	(void)t;
	tell("s");
	timer_stop(arg);
}

static void test_timer_stopped_by_an_earlier_one_of_the_turn(void **state)
{
	struct alarm victim = { .n_again = 0 };
	struct timer killer = { .slot = 0 };

	(void)state;
	timer_start(l, &killer, 10, on_stop_other, &victim.t);
	alarm_start(&victim, "v", 10);
	loop_advance(l, 100);
	assert_story("s");
}

static void on_free_timer(struct timer *t, void *arg)
{
	(void)arg;
	tell("f");
	free(t);
}

static void test_callback_may_free_its_own_timer(void **state)
{
	struct timer *t = xcalloc(1, sizeof *t);

	(void)state;
	timer_start(l, t, 1, on_free_timer, NULL);
	loop_advance(l, 2);
	assert_story("f");
}

static void test_extreme_delays(void **state)
{
	struct alarm a = { .n_again = 0 }, b = a;

	(void)state;
	alarm_start(&a, "a", INT64_MAX);
	alarm_start(&b, "b", -5);
	loop_advance(l, 1000000);
	assert_story("b");
	assert_true(timer_running(&a.t));
	timer_stop(&a.t);
}

static int64_t last_due;
static size_t n_fired;

static void on_sorted(struct timer *t, void *arg)
{
	(void)arg;
	assert_true(t->due_ms >= last_due);
	assert_int_equal(loop_now_ms(l), t->due_ms);
	last_due = t->due_ms;
	n_fired++;
}

static void test_heap_of_many_timers_stays_sorted(void **state)
{
	static struct timer many[1000];
	size_t n_stopped = 0;

	(void)state;
	last_due = 0;
	n_fired = 0;
	for (size_t i = 0; i < N_OF(many); i++)
		timer_start(
		    l, &many[i], (int64_t)(i * 7919 % 997), on_sorted, NULL);
	for (size_t i = 0; i < N_OF(many); i += 3, n_stopped++)
		timer_stop(&many[i]);
	for (size_t i = 1; i < N_OF(many); i += 3)
		timer_start(
		    l, &many[i], (int64_t)(i * 104729 % 1009), on_sorted, NULL);
	loop_advance(l, 2000);
	assert_int_equal(n_fired, N_OF(many) - n_stopped);
}

static void test_real_time_timer_ends_the_wait(void **state)
{
	struct alarm a = { .n_again = 0 };

	(void)state;
	alarm_start(&a, "a", 2);
	while (story[0] == '\0')
		loop_turn(l, -1);
	assert_story("a");
}

#define T(fn)   cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define SIM(fn) cmocka_unit_test_setup_teardown(fn, setup_sim, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SIM(test_timers_fire_in_order_of_time_then_start),
		SIM(test_started_again_it_moves),
		SIM(test_timer_restarts_itself),
		SIM(test_restart_with_zero_waits_for_the_next_turn),
		SIM(test_timer_stop_is_safe_and_final),
		SIM(test_timer_stopped_by_an_earlier_one_of_the_turn),
		SIM(test_callback_may_free_its_own_timer),
		SIM(test_extreme_delays),
		SIM(test_heap_of_many_timers_stays_sorted),
		T(test_real_time_timer_ends_the_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
