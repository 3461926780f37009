/*
 * proxy/parcel and proxy/metrics_carry: messages of a takeover, their bounds,
 * their way over a socket; counters that are carried on.
 */
#include "test_util.h"

#include <sys/socket.h>

#include "proxy/metrics.h"
#include "proxy/parcel.h"

static struct slice text(const char *s)
{
	return slice_make(s, strlen(s));
}

static void encode(struct buf *b, const struct parcel *p)
{
	buf_init(b, 2 * PARCEL_MAX);
	parcel_encode(b, p);
	assert_false(b->overflow);
}

/* How many descriptors each type needs. */
static size_t fds_of(enum parcel_type type)
{
	return type == PARCEL_TUNNEL                               ? 2
	       : type == PARCEL_WELCOME || type == PARCEL_LISTENER ? 1
								   : 0;
}

static void test_every_message_comes_back(void **state)
{
	static const struct parcel all[] = {
		{ .type = PARCEL_HELLO, .version = 7 },
		{ .type = PARCEL_WELCOME, .version = 1, .n_lines = 1u << 31 },
		{ .type = PARCEL_REFUSE, .text = { "no", 2 } },
		{ .type = PARCEL_LISTENER,
		    .kind = PARCEL_TAKEOVER,
		    .port = 65535,
		    .text = { "::1", 3 } },
		{ .type = PARCEL_ROUTE,
		    .has_route = true,
		    .last_ms = INT64_MAX,
		    .key = { "/a", 2 },
		    .object = { "{}", 2 } },
		{ .type = PARCEL_ROUTE, .key = { "/b", 2 } },
		{ .type = PARCEL_TUNNEL,
		    .cell = UINT32_MAX,
		    .client_shut = true,
		    .to_target = { "x\0y", 3 } },
		{ .type = PARCEL_TUNNEL, .target_shut = true },
		{ .type = PARCEL_COUNTERS, .items = { "123456789012", 12 } },
		{ .type = PARCEL_ACTIVITY },
		{ .type = PARCEL_ROUTES_END },
		{ .type = PARCEL_GOODBYE },
		{ .type = PARCEL_TICKETS, .text = { "k\0y", 3 } },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(all); i++) {
		struct buf b, again;
		struct parcel p;
		struct err err;

		encode(&b, &all[i]);
		test_ok(parcel_decode(slice_make(b.data, b.len),
			    fds_of(all[i].type), &p, &err),
		    &err);
		encode(&again, &p);
		assert_int_equal(b.len, again.len);
		assert_memory_equal(b.data, again.data, b.len);
		buf_fini(&b);
		buf_fini(&again);
	}
}

static void refused(const char *bytes, size_t n, size_t n_fds)
{
	struct parcel p;
	struct err err;

	assert_int_equal(
	    parcel_decode(slice_make(bytes, n), n_fds, &p, &err), -1);
	assert_int_equal(err.code, ERR_PROTOCOL);
}

static void test_what_is_cut_or_too_long_is_refused(void **state)
{
	const struct parcel tunnel = {
		.type = PARCEL_TUNNEL,
		.to_client = text("abc"),
	};
	struct buf b;

	(void)state;
	encode(&b, &tunnel);
	for (size_t n = 0; n < b.len; n++)
		refused(b.data, n, 2);
	buf_char(&b, 'x');
	refused(b.data, b.len, 2);
	buf_fini(&b);
}

static void test_malformed_members_are_refused(void **state)
{
	(void)state;
	refused("", 0, 0);
	refused("\0", 1, 0);
	refused("\x11", 1, 0);                 /* no such type */
	refused("\x01xxxx\x01\0\0\0", 9, 0);   /* magic */
	refused("\x04\x05\0\0\0\0\0\0", 8, 1); /* no such kind */
	/* longer than a text may be */
	refused("\x03\xff\xff\xff\xff", 5, 0);
	/* a time before 1970, has_route 2 */
	refused("\x05\x01\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0", 18, 0);
	refused("\x05\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18, 0);
	/* bytes for an end that was ended */
	refused("\x08\0\0\0\0\x01\x01\0\0\0x\0\0\0\0", 15, 2);
	refused("\x08\0\0\0\0\x04\0\0\0\0\0\0\0\0", 14, 2);
	refused("\x0d\x01\0\0\0x", 6, 0); /* a part of an item */
}

static void test_descriptors_must_be_as_many_as_needed(void **state)
{
	const struct parcel tunnel = { .type = PARCEL_TUNNEL };
	struct buf b;

	(void)state;
	encode(&b, &tunnel);
	refused(b.data, b.len, 0);
	refused(b.data, b.len, 1);
	refused(b.data, b.len, 3);
	buf_fini(&b);
	refused("\x0b", 1, 1);
}

static void test_items(void **state)
{
	struct parcel_counter c = { 3, 200, UINT64_MAX };
	struct parcel_activity a = { 9, 1234567890123 };
	struct slice rest;
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	parcel_put_counter(&b, c);
	parcel_put_counter(&b, (struct parcel_counter){ 1, 0, 5 });
	rest = slice_make(b.data, b.len);
	assert_true(parcel_next_counter(&rest, &c));
	assert_int_equal(c.family, 3);
	assert_int_equal(c.index, 200);
	assert_true(c.value == UINT64_MAX);
	assert_true(parcel_next_counter(&rest, &c));
	assert_int_equal(c.value, 5);
	assert_false(parcel_next_counter(&rest, &c));
	buf_reset(&b);
	parcel_put_activity(&b, a);
	rest = slice_make(b.data, b.len);
	assert_true(parcel_next_activity(&rest, &a));
	assert_int_equal(a.cell, 9);
	assert_true(a.last_ms == 1234567890123);
	assert_false(parcel_next_activity(&rest, &a));
	buf_fini(&b);
}

/* ---- on a socket --------------------------------------------------------- */

struct pair {
	int fds[2];
	struct parcel_out out;
	struct parcel_in in;
};

static void pair_open(struct pair *p)
{
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, p->fds),
	    0);
	parcel_out_init(&p->out);
	parcel_in_init(&p->in);
}

static void pair_close(struct pair *p)
{
	parcel_out_fini(&p->out);
	parcel_in_fini(&p->in);
	close(p->fds[0]);
	close(p->fds[1]);
}

static void test_a_long_message_goes_in_parts(void **state)
{
	size_t n = PARCEL_MAX - 100;
	char *queue = malloc(n);
	struct parcel sent = { .type = PARCEL_TUNNEL }, got;
	struct err err = { .code = ERR_NONE };
	int ends[2], rc_out = 0, rc_in = 0;
	struct pair p;

	(void)state;
	pair_open(&p);
	assert_int_equal(pipe(ends), 0);
	memset(queue, 'q', n);
	queue[n - 1] = 'z';
	sent.to_client = slice_make(queue, n);
	parcel_out_set(&p.out, &sent, ends, 2);
	/* One side, then the other: the socket holds only a part of it. */
	while (rc_in == 0) {
		if (rc_out == 0)
			rc_out = parcel_flush(&p.out, p.fds[0], &err);
		rc_in = parcel_receive(&p.in, p.fds[1], &got, &err);
	}
	test_ok(rc_in, &err);
	assert_int_equal(got.to_client.len, n);
	assert_memory_equal(got.to_client.p, queue, n);
	assert_int_equal(p.in.n_fds, 2);
	assert_int_equal(write(p.in.fds[1], "x", 1), 1);
	free(queue);
	close(ends[0]);
	close(ends[1]);
	pair_close(&p);
}

static void test_too_long_a_message_is_refused(void **state)
{
	char *part = calloc(1, 32769);
	struct err err = { .code = ERR_NONE };
	struct parcel got;
	struct pair p;
	int rc = 0;

	(void)state;
	pair_open(&p);
	part[0] = 1; /* more follows, for ever */
	while (rc == 0) {
		assert_int_equal(send(p.fds[0], part, 32769, 0), 32769);
		rc = parcel_receive(&p.in, p.fds[1], &got, &err);
	}
	assert_int_equal(rc, -1);
	assert_int_equal(err.code, ERR_LIMIT);
	free(part);
	pair_close(&p);
}

static void test_the_end_of_the_peer(void **state)
{
	struct parcel got;
	struct err err;
	struct pair p;

	(void)state;
	pair_open(&p);
	close(p.fds[0]);
	assert_int_equal(parcel_receive(&p.in, p.fds[1], &got, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	p.fds[0] = dup(p.fds[1]);
	pair_close(&p);
}

/* ---- counters ------------------------------------------------------------ */

static struct metrics one, two, sum;

static void carry(void)
{
	struct metrics *sets[] = { &one, &two };
	struct parcel_counter c;
	struct slice rest;
	struct buf b;

	buf_init(&b, PARCEL_MAX);
	metrics_carry(&b, sets, 2);
	rest = slice_make(b.data, b.len);
	while (parcel_next_counter(&rest, &c))
		metrics_take(&sum, c.family, c.index, c.value);
	assert_int_equal(rest.len, 0);
	buf_fini(&b);
}

static void test_counters_are_carried_as_their_sum(void **state)
{
	(void)state;
	metric_add(&one.requests_web, 3);
	metric_add(&two.requests_web, 4);
	metric_add(&two.requests_proxy[999], 1);
	metrics_note(&one.find_target, 1000);
	metric_set(&one.open_tunnels, 5);
	metric_set(&one.longest_turn_us, 70);
	metric_set(&two.longest_turn_us, 50);
	carry();
	assert_int_equal(metric_get(&sum.requests_web), 7);
	assert_int_equal(metric_get(&sum.requests_proxy[999]), 1);
	assert_int_equal(metric_get(&sum.find_target.sum_ns), 1000);
	assert_int_equal(metric_get(&sum.open_tunnels), 5);
	assert_int_equal(metric_get(&sum.longest_turn_us), 70);
	/* a gauge comes back to nothing, and is forgotten at the end */
	metric_set(&one.open_tunnels, 0);
	carry();
	assert_int_equal(metric_get(&sum.open_tunnels), 0);
	metric_set(&sum.open_connections, 9);
	metrics_forget_open(&sum);
	assert_int_equal(metric_get(&sum.open_connections), 0);
	assert_int_equal(metric_get(&sum.requests_web), 7);
}

static void test_unknown_counters_are_left_out(void **state)
{
	struct metrics before;

	(void)state;
	memcpy(&before, &sum, sizeof before);
	metrics_take(&sum, 999, 0, 1);
	metrics_take(&sum, 0, 0, 1);
	metrics_take(&sum, 1, 1, 1);
	metrics_take(&sum, 3, METRICS_STATUSES, 1);
	assert_memory_equal(&before, &sum, sizeof before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_message_comes_back),
		cmocka_unit_test(test_what_is_cut_or_too_long_is_refused),
		cmocka_unit_test(test_malformed_members_are_refused),
		cmocka_unit_test(test_descriptors_must_be_as_many_as_needed),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_a_long_message_goes_in_parts),
		cmocka_unit_test(test_too_long_a_message_is_refused),
		cmocka_unit_test(test_the_end_of_the_peer),
		cmocka_unit_test(test_counters_are_carried_as_their_sum),
		cmocka_unit_test(test_unknown_counters_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
