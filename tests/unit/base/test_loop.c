/* Tests of base/loop.c; its timers are in test_loop_timer.c. */
#include "test_util.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

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

static int teardown(void **state)
{
	(void)state;
	loop_free(&l);
	return 0;
}

/* ---- watches ------------------------------------------------------------ */

/* An eventfd that is readable, with its watch. */
struct source {
	int fd;
	struct watch w;
	const char *word;
	struct source *other;
};

static void source_open(struct source *s, const char *word)
{
	*s = (struct source){ .word = word };
	s->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(s->fd >= 0);
}

static void source_start(struct source *s, watch_fn *fn)
{
	struct err err;

	test_ok(watch_start(l, &s->w, s->fd, EPOLLIN, fn, s, &err), &err);
}

static void source_close(struct source *s)
{
	watch_stop(&s->w);
	close(s->fd);
}

static void on_tell(struct watch *w, uint32_t events, void *arg)
{
	struct source *s = arg;

	assert_ptr_equal(w, &s->w);
	assert_true(events & EPOLLIN);
	tell(s->word);
}

static void test_watch_is_level_triggered(void **state)
{
	struct source a;
	uint64_t count;

	(void)state;
	source_open(&a, "a");
	source_start(&a, on_tell);
	loop_turn(l, 0);
	loop_turn(l, 0);
	assert_story("aa");
	assert_int_equal(read(a.fd, &count, sizeof count), sizeof count);
	loop_turn(l, 0);
	assert_story("");
	source_close(&a);
}

static void test_edge_triggered_on_request(void **state)
{
	struct source a;
	struct err err;

	(void)state;
	source_open(&a, "a");
	test_ok(
	    watch_start(l, &a.w, a.fd, EPOLLIN | EPOLLET, on_tell, &a, &err),
	    &err);
	loop_turn(l, 0);
	loop_turn(l, 0);
	assert_story("a");
	/* The same interest set again arms the edge again. */
	watch_set(&a.w, EPOLLIN | EPOLLET);
	loop_turn(l, 0);
	assert_story("a");
	source_close(&a);
}

static void test_interest_can_be_changed(void **state)
{
	struct source a;

	(void)state;
	source_open(&a, "a");
	source_start(&a, on_tell);
	watch_set(&a.w, 0);
	loop_turn(l, 0);
	assert_story("");
	watch_set(&a.w, EPOLLIN);
	loop_turn(l, 0);
	assert_story("a");
	source_close(&a);
}

static void test_stop_is_safe_on_zeroed_and_stopped(void **state)
{
	struct watch w = { .fd = 0 };
	struct source a;

	(void)state;
	watch_stop(&w);
	source_open(&a, "a");
	source_start(&a, on_tell);
	watch_stop(&a.w);
	assert_int_equal(a.w.fd, -1);
	watch_stop(&a.w);
	loop_turn(l, 0);
	assert_story("");
	source_start(&a, on_tell);
	loop_turn(l, 0);
	assert_story("a");
	source_close(&a);
}

static void test_start_of_a_bad_descriptor_fails(void **state)
{
	struct watch w = { .fd = -1 };
	struct err err;

	(void)state;
	assert_int_equal(
	    watch_start(l, &w, -1, EPOLLIN, on_tell, NULL, &err), -1);
	assert_int_equal(err.code, ERR_IO);
	watch_stop(&w);
}

static void on_free_self(struct watch *w, uint32_t events, void *arg)
{
	struct source *s = arg;

	(void)w;
	(void)events;
	tell(s->word);
	source_close(s);
	memset(s, 0x5a, sizeof *s);
	free(s);
}

static void test_callback_may_free_its_own_watch(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct source *s = xcalloc(1, sizeof *s);

		source_open(s, "f");
		source_start(s, on_free_self);
	}
	loop_turn(l, 0);
	loop_turn(l, 0);
	assert_story("fff");
}

static void on_free_other(struct watch *w, uint32_t events, void *arg)
{
	struct source *s = arg;

	(void)w;
	(void)events;
	tell(s->word);
	if (s->other == NULL)
		return;
	s->other->other = NULL;
	source_close(s->other);
	memset(s->other, 0x5a, sizeof *s->other);
	free(s->other);
	s->other = NULL;
}

static void test_watch_stopped_in_the_same_batch_is_not_called(void **state)
{
	struct source *a = xcalloc(1, sizeof *a), *b = xcalloc(1, sizeof *b);
	struct source *left;

	(void)state;
	source_open(a, "a");
	source_open(b, "b");
	a->other = b;
	b->other = a;
	source_start(a, on_free_other);
	source_start(b, on_free_other);
	/* Both are ready; whichever runs first frees the other. */
	loop_turn(l, 0);
	assert_int_equal(strlen(story), 1);
	left = story[0] == 'a' ? a : b;
	assert_null(left->other);
	source_close(left);
	free(left);
}

static void on_restart_other(struct watch *w, uint32_t events, void *arg)
{
	struct source *s = arg;

	(void)w;
	(void)events;
	tell(s->word);
	if (s->other == NULL)
		return;
	watch_stop(&s->other->w);
	source_start(s->other, on_tell);
	s->other->other = NULL;
	s->other = NULL;
}

static void test_watch_started_anew_in_the_batch_waits_a_turn(void **state)
{
	struct source a, b;

	(void)state;
	source_open(&a, "a");
	source_open(&b, "b");
	a.other = &b;
	b.other = &a;
	source_start(&a, on_restart_other);
	source_start(&b, on_restart_other);
	loop_turn(l, 0);
	assert_int_equal(strlen(story), 1);
	loop_turn(l, 0);
	assert_int_equal(strlen(story), 3);
	source_close(&a);
	source_close(&b);
}

static void on_hup(struct watch *w, uint32_t events, void *arg)
{
	(void)arg;
	assert_true(events & EPOLLHUP);
	tell("h");
	watch_stop(w);
}

static void test_hangup_is_told_unasked(void **state)
{
	struct watch w = { .fd = -1 };
	struct err err;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	test_ok(watch_start(l, &w, ends[0], 0, on_hup, NULL, &err), &err);
	close(ends[1]);
	loop_turn(l, 0);
	assert_story("h");
	close(ends[0]);
}

static void test_more_watches_than_a_batch(void **state)
{
	static struct source many[300];

	(void)state;
	for (size_t i = 0; i < N_OF(many); i++) {
		source_open(&many[i], "");
		source_start(&many[i], on_tell);
	}
	loop_turn(l, 0);
	loop_turn(l, 0);
	loop_turn(l, 0);
	for (size_t i = 0; i < N_OF(many); i++)
		source_close(&many[i]);
}

static void on_outer(struct watch *w, uint32_t events, void *arg)
{
	(void)w;
	(void)events;
	tell("outer ");
	loop_turn(arg, 0);
}

static void test_loops_nest(void **state)
{
	struct loop *outer = loop_new();
	struct watch w = { .fd = -1 };
	struct source a;
	struct err err;

	(void)state;
	test_ok(watch_start(outer, &w, loop_fd(l), EPOLLIN, on_outer, l, &err),
	    &err);
	source_open(&a, "inner");
	source_start(&a, on_tell);
	loop_turn(outer, 0);
	assert_story("outer inner");
	source_close(&a);
	watch_stop(&w);
	loop_free(&outer);
}

/* ---- deferred calls ----------------------------------------------------- */

static struct defer first, second;

static void on_word(void *arg)
{
	tell(arg);
}

static void on_defer_more(void *arg)
{
	(void)arg;
	tell("m");
	defer_call(l, &first, on_word, "1");
	defer_call(l, &second, on_word, "2");
}

static void test_deferred_run_once_in_order(void **state)
{
	(void)state;
	defer_call(l, &first, on_word, "1");
	defer_call(l, &second, on_word, "2");
	defer_call(l, &first, on_word, "1");
	loop_turn(l, -1);
	loop_turn(l, 0);
	assert_story("12");
}

static void test_deferred_meanwhile_come_in_the_next_turn(void **state)
{
	struct defer d = { .queued = false };

	(void)state;
	defer_call(l, &d, on_defer_more, NULL);
	loop_turn(l, -1);
	assert_story("m");
	/* Without waiting, although it was allowed. */
	loop_turn(l, -1);
	assert_story("12");
}

static void on_cancel(void *arg)
{
	tell("c");
	defer_cancel(arg);
}

static void test_cancel(void **state)
{
	struct defer d = { .queued = false };

	(void)state;
	defer_cancel(&d);
	defer_call(l, &first, on_cancel, &second);
	defer_call(l, &second, on_word, "2");
	defer_call(l, &d, on_word, "d");
	loop_turn(l, -1);
	assert_story("cd");
	assert_false(second.queued);
}

static void on_free_defer(void *arg)
{
	tell("f");
	free(arg);
}

static void test_callback_may_free_its_own_defer(void **state)
{
	struct defer *d = xcalloc(1, sizeof *d);

	(void)state;
	defer_call(l, d, on_free_defer, d);
	loop_turn(l, -1);
	assert_story("f");
}

static struct timer order_timer;

static void on_timer(struct timer *t, void *arg)
{
	assert_ptr_equal(t, &order_timer);
	tell(arg);
}

static void on_event_first(struct watch *w, uint32_t events, void *arg)
{
	(void)events;
	(void)arg;
	tell("event ");
	watch_stop(w);
	defer_call(l, &first, on_word, "deferred");
}

static void test_order_in_a_turn(void **state)
{
	struct source a;

	(void)state;
	source_open(&a, "");
	source_start(&a, on_event_first);
	timer_start(l, &order_timer, 0, on_timer, "timer ");
	loop_turn(l, -1);
	assert_story("event timer deferred");
	close(a.fd);
}

static void test_free_forgets_what_waits(void **state)
{
	struct loop *other = loop_new();
	struct timer t = { .slot = 0 };

	(void)state;
	timer_start(other, &t, 1000, on_timer, NULL);
	defer_call(other, &first, on_word, "x");
	loop_post(other, on_word, "y");
	loop_free(&other);
	assert_null(other);
	assert_false(timer_running(&t));
	assert_false(first.queued);
	loop_free(&other);
	assert_story("");
}

/* ---- signals, posts, turns ---------------------------------------------- */

static void on_signal(int signo, void *arg)
{
	tell(signo == SIGUSR1 ? "1" : "2");
	tell(arg);
}

static void test_signals(void **state)
{
	struct err err;

	(void)state;
	test_ok(loop_signal(l, SIGUSR1, on_signal, "x", &err), &err);
	test_ok(loop_signal(l, SIGUSR2, on_signal, "y", &err), &err);
	raise(SIGUSR2);
	loop_turn(l, 0);
	assert_story("2y");
	raise(SIGUSR1);
	loop_turn(l, 0);
	assert_story("1x");
	assert_int_equal(loop_signal(l, SIGKILL, on_signal, "", &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(loop_signal(l, 0, on_signal, "", &err), -1);
	assert_int_equal(loop_signal(l, 999, on_signal, "", &err), -1);
}

static int n_posts;

static void on_post(void *arg)
{
	(void)arg;
	if (++n_posts == 1000)
		loop_stop(l);
}

static void *post_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 500; i++)
		loop_post(l, on_post, NULL);
	return NULL;
}

static void test_posts_from_threads_all_arrive(void **state)
{
	pthread_t threads[2];

	(void)state;
	n_posts = 0;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, post_many, NULL), 0);
	loop_run(l);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(n_posts, 1000);
}

static void on_post_again(void *arg)
{
	tell("p");
	loop_post(l, on_word, arg);
}

static void test_post_from_a_post_comes_in_the_next_turn(void **state)
{
	(void)state;
	loop_post(l, on_post_again, "q");
	loop_turn(l, -1);
	assert_story("p");
	loop_turn(l, -1);
	assert_story("q");
}

static void on_stop(void *arg)
{
	(void)arg;
	tell("stop");
	loop_stop(l);
}

static void test_run_until_stop(void **state)
{
	(void)state;
	loop_post(l, on_stop, NULL);
	loop_run(l);
	assert_story("stop");
	/* Stopped before it runs: it returns at once, and can run again. */
	loop_stop(l);
	loop_run(l);
	loop_post(l, on_stop, NULL);
	loop_run(l);
	assert_story("stop");
}

static void test_turns_are_counted(void **state)
{
	struct loop_stats stats;

	(void)state;
	loop_turn(l, 0);
	loop_turn(l, 0);
	stats = loop_stats(l);
	assert_int_equal(stats.n_turns, 2);
	assert_true(stats.longest_turn_us >= 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_watch_is_level_triggered),
		T(test_edge_triggered_on_request),
		T(test_interest_can_be_changed),
		T(test_stop_is_safe_on_zeroed_and_stopped),
		T(test_start_of_a_bad_descriptor_fails),
		T(test_callback_may_free_its_own_watch),
		T(test_watch_stopped_in_the_same_batch_is_not_called),
		T(test_watch_started_anew_in_the_batch_waits_a_turn),
		T(test_hangup_is_told_unasked),
		T(test_more_watches_than_a_batch),
		T(test_loops_nest),
		T(test_deferred_run_once_in_order),
		T(test_deferred_meanwhile_come_in_the_next_turn),
		T(test_cancel),
		T(test_callback_may_free_its_own_defer),
		T(test_order_in_a_turn),
		T(test_free_forgets_what_waits),
		T(test_signals),
		T(test_posts_from_threads_all_arrive),
		T(test_post_from_a_post_comes_in_the_next_turn),
		T(test_run_until_stop),
		T(test_turns_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
