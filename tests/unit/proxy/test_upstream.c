/*
 * proxy/upstream: connections to a target of this test: fresh, kept, stale, and
 * a target that refuses.
 */
#include "test_util.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "proxy/cell.h"
#include "proxy/metrics.h"
#include "proxy/route.h"
#include "proxy/upstream.h"

static struct loop *loop;
static struct backends *pool;
static struct metrics metrics;
static struct route *route;
static struct test_dir dir;
static int listener, accepted;
static int n_calls;
/* Nobody looks into it. */
static char exchange_memory;
static struct exchange *const ex = (struct exchange *)(void *)&exchange_memory;

static void on_upstream(struct exchange *which)
{
	assert_ptr_equal(which, ex);
	n_calls++;
}

static void listen_again(void)
{
	char path[128];
	struct err err;

	snprintf(path, sizeof path, "%s/t", dir.path);
	listener = sock_listen_unix(
	    path, SOCK_STREAM, 0600, (uid_t)-1, (gid_t)-1, &err);
	test_ok(listener, &err);
}

static int set_up(void **state)
{
	char target[256];
	struct err err;

	(void)state;
	clock_sim_start(1700000000000000);
	test_dir_make(&dir);
	snprintf(target, sizeof target, "http+unix://%%2Ftmp%%2F%s%%2Ft",
	    dir.path + strlen("/tmp/"));
	loop = loop_new();
	memset(&metrics, 0, sizeof metrics);
	pool = backends_new(loop, on_upstream, &metrics);
	route = route_new("/t", target, cell_new(1), &err);
	assert_non_null(route);
	accepted = -1;
	n_calls = 0;
	listen_again();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	backends_free(&pool);
	route_unref(&route);
	fd_close(&accepted);
	fd_close(&listener);
	loop_free(&loop);
	test_dir_remove(&dir);
	clock_set_source(NULL);
	return 0;
}

static enum upstream_state get(struct upstream **up, struct err *err)
{
	static struct upstream_wait wait;

	return upstream_get(pool, &route->target, false, ex, &wait, up, err);
}

/* A connection that is there, and the target's end of it. */
static struct upstream *must_connect(void)
{
	struct upstream *up;
	enum upstream_state s;
	struct err err;

	s = get(&up, &err);
	for (int i = 0; i < 100 && s == UPSTREAM_PENDING; i++) {
		loop_turn(loop, 0);
		s = upstream_connected(&up, &route->target, &err);
	}
	assert_int_equal(s, UPSTREAM_READY);
	if (!up->is_reused) {
		fd_close(&accepted);
		accepted = accept(listener, NULL, NULL);
		assert_true(accepted >= 0);
	}
	return up;
}

static uint64_t n_open(void)
{
	return metric_get(&metrics.targets_open);
}

static uint64_t n_idle(void)
{
	return metric_get(&metrics.targets_idle);
}

static void test_one_is_kept_and_used_again(void **state)
{
	struct upstream *up = must_connect(), *first = up;

	(void)state;
	assert_false(up->is_reused);
	assert_int_equal(n_open(), 1);
	upstream_release(&up);
	assert_null(up);
	assert_int_equal(n_idle(), 1);
	up = must_connect();
	assert_ptr_equal(up, first);
	assert_true(up->is_reused);
	assert_int_equal(n_idle(), 0);
	upstream_close(&up);
	assert_int_equal(n_open(), 0);
}

static void test_one_that_its_target_closes_is_gone(void **state)
{
	struct upstream *up = must_connect();

	(void)state;
	upstream_release(&up);
	fd_close(&accepted);
	for (int i = 0; i < 100 && n_idle() > 0; i++)
		loop_turn(loop, 10);
	assert_int_equal(n_open(), 0);
	up = must_connect();
	assert_false(up->is_reused);
	upstream_close(&up);
}

static void test_one_with_an_unasked_answer_is_not_kept(void **state)
{
	struct upstream *up = must_connect();

	(void)state;
	assert_int_equal(write(accepted, "x", 1), 1);
	loop_turn(loop, 10);
	assert_true(upstream_is_stale(up));
	upstream_release(&up);
	assert_int_equal(n_open(), 0);
}

static void test_idle_ones_end(void **state)
{
	struct upstream *up = must_connect();

	(void)state;
	up->idle_limit_ms = 3000;
	upstream_release(&up);
	loop_advance(loop, 1500);
	assert_int_equal(n_idle(), 1);
	loop_advance(loop, 3000);
	assert_int_equal(n_open(), 0);
}

static void test_a_dead_target_costs_no_socket(void **state)
{
	struct upstream *up = NULL;
	struct err err;

	(void)state;
	fd_close(&listener);
	assert_int_equal(get(&up, &err), UPSTREAM_FAILED);
	assert_null(up);
	assert_int_equal(get(&up, &err), UPSTREAM_DEAD);
	test_err_says(&err, "refused just before");
	/* The back-off grows: 250, 500, 1000, 2000 ms. */
	for (int64_t ms = 250; ms <= 2000; ms *= 2) {
		loop_advance(loop, ms - 1);
		assert_int_equal(get(&up, &err), UPSTREAM_DEAD);
		loop_advance(loop, 1);
		assert_int_equal(get(&up, &err), UPSTREAM_FAILED);
	}
	loop_advance(loop, 2000);
	assert_int_equal(get(&up, &err), UPSTREAM_FAILED);
	assert_int_equal(n_open(), 0);
}

static void test_a_route_set_anew_is_tried_at_once(void **state)
{
	struct upstream *up = NULL;
	struct err err;

	(void)state;
	fd_close(&listener);
	assert_int_equal(get(&up, &err), UPSTREAM_FAILED);
	listen_again();
	assert_int_equal(get(&up, &err), UPSTREAM_DEAD);
	backends_forgive(pool, &route->target);
	up = must_connect();
	upstream_close(&up);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_is_kept_and_used_again),
		TEST(test_one_that_its_target_closes_is_gone),
		TEST(test_one_with_an_unasked_answer_is_not_kept),
		TEST(test_idle_ones_end),
		TEST(test_a_dead_target_costs_no_socket),
		TEST(test_a_route_set_anew_is_tried_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
