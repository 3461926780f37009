/*
 * proxy/transport: one end of a socket pair; the test holds the other.
 */
#include "test_util.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/loop.h"
#include "proxy/transport.h"

static struct loop *loop;
static struct transport t;
static int peer;
static int n_events;

static void on_event(struct watch *watch, uint32_t events, void *arg)
{
	(void)watch;
	n_events++;
	transport_note(arg, events);
}

static int set_up(void **state)
{
	int fds[2];
	struct err err;

	(void)state;
	loop = loop_new();
	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
	peer = fds[1];
	n_events = 0;
	memset(&t, 0, sizeof t);
	test_ok(transport_open(&t, loop, fds[0], on_event, &t, &err), &err);
	loop_turn(loop, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	transport_close(&t);
	fd_close(&peer);
	loop_free(&loop);
	return 0;
}

static void must_send(const char *p, size_t n)
{
	assert_int_equal(transport_send_bytes(&t, p, n), 0);
}

/* All that is there for the peer. */
static size_t drain_peer(char *sum)
{
	static char buf[65536];
	size_t all = 0;
	ssize_t n;

	while ((n = read(peer, buf, sizeof buf)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			*sum = (char)(*sum + buf[i]);
		all += (size_t)n;
	}
	return all;
}

static void test_bytes_both_ways(void **state)
{
	char got[8];

	(void)state;
	assert_int_equal(write(peer, "abc", 3), 3);
	loop_turn(loop, 0);
	assert_true(t.readable);
	assert_int_equal(transport_recv(&t, got, sizeof got), 3);
	assert_int_equal(transport_recv(&t, got, sizeof got), TRANSPORT_AGAIN);
	assert_false(t.readable);
	must_send("xyz", 3);
	assert_int_equal(read(peer, got, sizeof got), 3);
	assert_memory_equal(got, "xyz", 3);
}

static void test_what_is_not_taken_waits(void **state)
{
	static char chunk[65536];
	char wanted = 0, seen = 0;
	size_t sent = 0, got = 0;

	(void)state;
	for (size_t i = 0; i < sizeof chunk; i++)
		chunk[i] = (char)(i * 31);
	while (!transport_is_blocked(&t)) {
		must_send(chunk, sizeof chunk);
		sent += sizeof chunk;
		for (size_t i = 0; i < sizeof chunk; i++)
			wanted = (char)(wanted + chunk[i]);
	}
	assert_true(t.out_len <= sizeof chunk);
	assert_true(transport_unread(&t) >= t.out_len);
	for (int i = 0; i < 1000 && got < sent; i++) {
		got += drain_peer(&seen);
		loop_turn(loop, 0);
		assert_int_equal(transport_flush(&t), 0);
	}
	assert_int_equal(got, sent);
	assert_int_equal(seen, wanted);
	assert_false(transport_is_blocked(&t));
	assert_int_equal(transport_unread(&t), 0);
}

static void test_ends(void **state)
{
	char got[8];

	(void)state;
	assert_int_equal(write(peer, "last", 4), 4);
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	loop_turn(loop, 0);
	assert_true(t.fin_seen);
	assert_int_equal(transport_recv(&t, got, sizeof got), 4);
	assert_int_equal(transport_recv(&t, got, sizeof got), 0);
	assert_true(t.eof);
	must_send("bye", 3);
	transport_shut(&t);
	assert_int_equal(read(peer, got, sizeof got), 3);
	assert_int_equal(read(peer, got, sizeof got), 0);
}

static void test_a_peer_that_is_gone(void **state)
{
	(void)state;
	fd_close(&peer);
	loop_turn(loop, 0);
	assert_int_equal(transport_send_bytes(&t, "x", 1), -1);
	assert_true(t.out_failed);
}

static void test_a_move_takes_queue_and_ticket_along(void **state)
{
	static char chunk[65536];
	struct transport to = { .out = NULL };
	char seen = 0;
	size_t sent = 0, got = 0;
	struct err err;

	(void)state;
	t.ticket.has_place = true;
	while (!transport_is_blocked(&t)) {
		must_send(chunk, sizeof chunk);
		sent += sizeof chunk;
	}
	test_ok(transport_move(&to, &t, on_event, &to, &err), &err);
	assert_false(transport_is_open(&t));
	assert_false(t.ticket.has_place);
	assert_true(to.ticket.has_place);
	for (int i = 0; i < 1000 && got < sent; i++) {
		got += drain_peer(&seen);
		loop_turn(loop, 0);
		assert_int_equal(transport_flush(&to), 0);
	}
	assert_int_equal(got, sent);
	transport_close(&to);
	assert_int_equal(read(peer, chunk, 1), 0);
}

static void test_taken_apart_and_put_together(void **state)
{
	struct transport_rest rest;
	char got[8] = "";
	struct err err;

	(void)state;
	transport_queue(&t, "queued", 6);
	assert_true(transport_is_plain(&t));
	rest = transport_leave(&t);
	assert_false(transport_is_open(&t));
	assert_int_equal(rest.out_len, 6);
	test_ok(transport_enter(&t, loop, &rest, on_event, &t, &err), &err);
	loop_turn(loop, 0);
	assert_int_equal(transport_flush(&t), 0);
	assert_int_equal(read(peer, got, sizeof got), 6);
	assert_memory_equal(got, "queued", 6);
}

static void test_quiet(void **state)
{
	(void)state;
	assert_true(transport_is_quiet(&t));
	assert_int_equal(write(peer, "x", 1), 1);
	assert_false(transport_is_quiet(&t));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bytes_both_ways),
		TEST(test_what_is_not_taken_waits),
		TEST(test_ends),
		TEST(test_a_peer_that_is_gone),
		TEST(test_a_move_takes_queue_and_ticket_along),
		TEST(test_taken_apart_and_put_together),
		TEST(test_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
