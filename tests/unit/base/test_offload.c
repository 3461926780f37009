/* Tests of base/offload.c. */
#include "test_util.h"

#include <pthread.h>
#include <semaphore.h>

#include "base/offload.h"

static struct loop *l;
static pthread_t main_thread;
/* Held work waits here until the test lets it go. */
static sem_t gate, begun;
static int n_done;

struct task {
	int worked, done;
};

static int setup(void **state)
{
	(void)state;
	l = loop_new();
	main_thread = pthread_self();
	sem_init(&gate, 0, 0);
	sem_init(&begun, 0, 0);
	n_done = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sem_destroy(&gate);
	sem_destroy(&begun);
	loop_free(&l);
	return 0;
}

static void work(void *arg)
{
	struct task *t = arg;

	if (!pthread_equal(pthread_self(), main_thread))
		t->worked++;
}

static void held_work(void *arg)
{
	sem_post(&begun);
	while (sem_wait(&gate) != 0)
		;
	work(arg);
}

static void done(void *arg)
{
	struct task *t = arg;

	assert_true(pthread_equal(pthread_self(), main_thread));
	assert_int_equal(t->worked, 1);
	t->done++;
	n_done++;
}

static void test_work_elsewhere_done_here(void **state)
{
	struct offload *o = offload_new(l, 2, 100);
	struct task tasks[50] = { { 0, 0 } };
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_OF(tasks); i++)
		test_ok(offload_submit(o, work, done, &tasks[i], &err), &err);
	assert_int_equal(n_done, 0);
	while (n_done < 50)
		loop_turn(l, -1);
	for (size_t i = 0; i < N_OF(tasks); i++)
		assert_int_equal(tasks[i].done, 1);
	offload_free(&o);
	assert_null(o);
	assert_int_equal(n_done, 50);
}

static void test_full_queue_is_an_error(void **state)
{
	struct offload *o = offload_new(l, 1, 2);
	struct task tasks[4] = { { 0, 0 } };
	struct err err;

	(void)state;
	test_ok(offload_submit(o, held_work, done, &tasks[0], &err), &err);
	while (sem_wait(&begun) != 0)
		;
	/* One runs, two may wait, one is too much. */
	test_ok(offload_submit(o, work, done, &tasks[1], &err), &err);
	test_ok(offload_submit(o, work, done, &tasks[2], &err), &err);
	assert_int_equal(offload_submit(o, work, done, &tasks[3], &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	sem_post(&gate);
	while (n_done < 3)
		loop_turn(l, -1);
	test_ok(offload_submit(o, work, done, &tasks[3], &err), &err);
	while (n_done < 4)
		loop_turn(l, -1);
	offload_free(&o);
}

static void test_free_finishes_what_was_queued(void **state)
{
	struct offload *o = offload_new(l, 2, 100);
	struct task tasks[20] = { { 0, 0 } };
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_OF(tasks); i++)
		test_ok(offload_submit(o, work, done, &tasks[i], &err), &err);
	offload_free(&o);
	for (size_t i = 0; i < N_OF(tasks); i++)
		assert_int_equal(tasks[i].done, 1);
	/* Nothing is left in the loop that would touch the freed object. */
	loop_turn(l, 0);
	offload_free(&o);
}

static struct offload *again;

static void done_submits(void *arg)
{
	struct task *t = arg;
	struct err err;

	n_done++;
	if (n_done == 1)
		test_ok(offload_submit(again, work, done, t + 1, &err), &err);
}

static void test_done_may_submit(void **state)
{
	struct task tasks[2] = { { 0, 0 } };
	struct err err;

	(void)state;
	again = offload_new(l, 1, 10);
	test_ok(
	    offload_submit(again, work, done_submits, &tasks[0], &err), &err);
	while (n_done < 2)
		loop_turn(l, -1);
	assert_int_equal(tasks[1].done, 1);
	offload_free(&again);
}

static void test_done_may_be_null(void **state)
{
	struct offload *o = offload_new(l, 1, 10);
	struct task t = { 0, 0 };
	struct err err;

	(void)state;
	test_ok(offload_submit(o, work, NULL, &t, &err), &err);
	offload_free(&o);
	assert_int_equal(t.worked, 1);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_work_elsewhere_done_here),
		T(test_full_queue_is_an_error),
		T(test_free_finishes_what_was_queued),
		T(test_done_may_submit),
		T(test_done_may_be_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
