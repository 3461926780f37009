/*
 * proxy/relay: a tunnel between two socket pairs, on a worker without a thread
 * and a clock that stands still.
 */
#include "test_util.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "proxy/cell.h"
#include "proxy/config.h"
#include "proxy/limit.h"
#include "proxy/metrics.h"
#include "proxy/relay.h"
#include "proxy/worker.h"

static struct config config;
static struct limits *limits;
static struct worker *w;
static struct cell *cell;
static int client, target; /* the far ends */

static void on_event(struct watch *watch, uint32_t events, void *arg)
{
	(void)watch;
	transport_note(arg, events);
}

static int open_end(struct transport *t)
{
	int fds[2];
	struct err err;

	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
	memset(t, 0, sizeof *t);
	test_ok(transport_open(t, w->loop, fds[0], on_event, t, &err), &err);
	return fds[1];
}

static void open_tunnel(void)
{
	struct transport a, b;
	struct err err;

	client = open_end(&a);
	target = open_end(&b);
	assert_int_equal(limit_take_place(limits, &a.ticket), LIMIT_OK);
	test_ok(relay_begin(w, &a, &b, cell_ref(cell), &err), &err);
}

static void turn(void)
{
	for (int i = 0; i < 5; i++)
		loop_turn(w->loop, 0);
}

static int set_up(void **state)
{
	(void)state;
	clock_sim_start(1700000000000000);
	memset(&config, 0, sizeof config);
	limits = limits_new(0, 0);
	w = worker_new(0, &config, -1);
	w->limits = limits;
	cell = cell_new(1);
	client = target = -1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	worker_free(&w);
	assert_int_equal(cell_open_count(cell), 0);
	assert_int_equal(cell_tunnel_count(cell), 0);
	assert_int_equal(limits_connections(limits), 0);
	cell_unref(&cell);
	limits_free(&limits);
	fd_close(&client);
	fd_close(&target);
	clock_set_source(NULL);
	return 0;
}

static void passes(int from, int to)
{
	char got[8] = "";

	assert_int_equal(write(from, "bytes", 5), 5);
	turn();
	assert_int_equal(read(to, got, sizeof got), 5);
	assert_string_equal(got, "bytes");
}

static bool has_ended(int fd)
{
	char c;

	return read(fd, &c, 1) == 0;
}

static void test_bytes_pass_and_are_counted(void **state)
{
	(void)state;
	open_tunnel();
	passes(client, target);
	passes(target, client);
	assert_int_equal(metric_get(&w->metrics.open_tunnels), 1);
	assert_int_equal(cell_open_count(cell), 1);
	assert_int_equal(cell_tunnel_count(cell), 1);
	assert_int_equal(limits_connections(limits), 1);
	fd_close(&client);
	turn();
	assert_true(has_ended(target));
	fd_close(&target);
	turn();
	assert_int_equal(cell_bytes(cell), 10);
	assert_int_equal(metric_get(&w->metrics.open_tunnels), 0);
}

static void test_the_first_bytes_are_activity(void **state)
{
	(void)state;
	cell_set(cell, 1);
	open_tunnel();
	assert_int_equal(cell_last_ms(cell), 1);
	passes(client, target);
	assert_int_equal(cell_last_ms(cell), 1700000000000);
}

static void test_one_end_leaves_the_other(void **state)
{
	(void)state;
	open_tunnel();
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	turn();
	assert_true(has_ended(target));
	passes(target, client);
	/* It may be silent for five minutes. */
	loop_advance(w->loop, 299000);
	passes(target, client);
	loop_advance(w->loop, 301000);
	turn();
	assert_true(has_ended(client));
}

static void test_idle_ones_stay_without_a_limit(void **state)
{
	(void)state;
	open_tunnel();
	loop_advance(w->loop, (int64_t)30 * 86400 * 1000);
	passes(client, target);
}

static void test_idle_ones_end_at_the_flags_limit(void **state)
{
	(void)state;
	config.tunnel_idle_s = 60;
	open_tunnel();
	loop_advance(w->loop, 59000);
	passes(client, target);
	loop_advance(w->loop, 59000);
	passes(target, client);
	loop_advance(w->loop, 62000);
	assert_true(has_ended(client));
	assert_true(has_ended(target));
	assert_int_equal(
	    metric_get(&w->metrics.errors[METRICS_TUNNEL_IDLE]), 1);
}

static void test_a_routes_limit_goes_before(void **state)
{
	struct route_limits l = route_limits_unset;

	(void)state;
	config.tunnel_idle_s = 60;
	l.tunnel_idle_s = 0;
	cell_set_limits(cell, &l);
	open_tunnel();
	loop_advance(w->loop, 3600000);
	passes(client, target);
	/* One that is set later is learnt with the next bytes. */
	l.tunnel_idle_s = 10;
	cell_set_limits(cell, &l);
	loop_advance(w->loop, 3600000);
	passes(client, target);
	loop_advance(w->loop, 12000);
	assert_true(has_ended(client));
}

static void test_a_reader_that_stops_bounds_the_other(void **state)
{
	static char chunk[65536];
	size_t sent = 0;
	ssize_t n;

	(void)state;
	open_tunnel();
	for (int i = 0; i < 1000; i++) {
		n = write(client, chunk, sizeof chunk);
		if (n > 0)
			sent += (size_t)n;
		turn();
		if (n <= 0)
			break;
	}
	/* Two sockets' buffers and one of ours. */
	assert_true(sent < (size_t)4 << 20);
	passes(target, client);
	while (read(target, chunk, sizeof chunk) > 0)
		turn();
	passes(client, target);
}

static void test_boxed_and_opened_again(void **state)
{
	struct list boxes;
	struct err err;

	(void)state;
	open_tunnel();
	passes(client, target);
	list_init(&boxes);
	relay_box_all(w, &boxes);
	assert_int_equal(w->n_tunnels, 0);
	assert_int_equal(limits_connections(limits), 0);
	assert_int_equal(write(client, "early", 5), 5);
	test_ok(relay_unbox(w, LIST_ITEM(boxes.next, struct box, link), &err),
	    &err);
	assert_int_equal(limits_connections(limits), 1);
	turn();
	assert_int_equal(read(target, (char[8]){ 0 }, 8), 5);
	passes(target, client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bytes_pass_and_are_counted),
		TEST(test_the_first_bytes_are_activity),
		TEST(test_one_end_leaves_the_other),
		TEST(test_idle_ones_stay_without_a_limit),
		TEST(test_idle_ones_end_at_the_flags_limit),
		TEST(test_a_routes_limit_goes_before),
		TEST(test_a_reader_that_stops_bounds_the_other),
		TEST(test_boxed_and_opened_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
