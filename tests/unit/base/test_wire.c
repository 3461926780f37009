/*
 * base/wire: two ends of a socket pair in one loop; one end may also be a raw
 * socket, to say what a wire never would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/wire.h"

enum { ST_NEW = 1, ST_READY = 2 };

struct end {
	struct wire *wire;
	int n_closed;
	struct err why;
	int n_writable;
	int n_messages;
	int64_t last;
	int taken_fd;
	bool close_on_end, close_in_handler, close_on_room, is_ordered;
	bool refuse, refuse_silently;
};

struct fixture {
	struct loop *loop;
	struct end a, b;
	int raw; /* the other end of a, where b is no wire */
	struct err err;
};

static int on_count(struct wire *w, const json_t *msg, int *fds, size_t n_fds,
    void *arg, struct err *err)
{
	struct end *e = arg;
	int64_t n = json_integer_value(json_object_get(msg, "n"));

	(void)w;
	(void)fds;
	(void)n_fds;
	e->is_ordered = e->is_ordered && n == e->last + 1;
	e->last = n;
	e->n_messages++;
	if (e->close_in_handler)
		wire_close(&e->wire);
	if (e->refuse)
		return err_set(err, ERR_DENIED, "no more");
	return e->refuse_silently ? -1 : 0;
}

static int on_fds(struct wire *w, const json_t *msg, int *fds, size_t n_fds,
    void *arg, struct err *err)
{
	struct end *e = arg;

	(void)w;
	(void)msg;
	(void)err;
	e->n_messages++;
	if (n_fds > 0) {
		e->taken_fd = fds[0];
		fds[0] = -1;
	}
	return 0;
}

static int on_hello(struct wire *w, const json_t *msg, int *fds, size_t n_fds,
    void *arg, struct err *err)
{
	struct end *e = arg;

	(void)msg;
	(void)fds;
	(void)n_fds;
	(void)err;
	e->n_messages++;
	wire_set_state(w, ST_READY);
	return 0;
}

static const struct wire_member count_members[] = {
	{ "n", WIRE_INT, true, 0, 1000000 },
	{ "pad", WIRE_STR, false, 1, 65536 },
	{ 0 },
};
static const struct wire_member all_members[] = {
	{ "s", WIRE_STR, true, 2, 4 },
	{ "i", WIRE_INT, true, -1, 1 },
	{ "b", WIRE_BOOL, false, 0, 0 },
	{ "o", WIRE_OBJ, false, 0, 0 },
	{ "l", WIRE_LIST, false, 0, 2 },
	{ 0 },
};
static const struct wire_message table[] = {
	{ "HELLO", ST_NEW, NULL, 0, on_hello },
	{ "COUNT", ST_READY, count_members, 0, on_count },
	{ "FDS", ST_READY, NULL, 2, on_fds },
	{ "ALL", ST_READY, all_members, 0, on_count },
};
#define N_MESSAGES (sizeof table / sizeof *table)

static void on_closed(struct wire *w, const struct err *why, void *arg)
{
	struct end *e = arg;

	assert_ptr_equal(w, e->wire);
	e->n_closed++;
	e->why = *why;
	if (e->close_on_end)
		wire_close(&e->wire);
}

static void on_writable(struct wire *w, void *arg)
{
	struct end *e = arg;

	(void)w;
	e->n_writable++;
	if (e->close_on_room)
		wire_close(&e->wire);
}

static void open_end(struct fixture *f, struct end *e, int fd)
{
	struct wire_callbacks cb = {
		.table = table,
		.n = N_MESSAGES,
		.on_writable = on_writable,
		.on_closed = on_closed,
		.arg = e,
	};

	e->taken_fd = -1;
	e->last = -1;
	e->is_ordered = true;
	e->wire = wire_open(f->loop, fd, ST_READY, &cb, &f->err);
	assert_non_null(e->wire);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	int pair[2];

	f->loop = loop_new();
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	open_end(f, &f->a, pair[0]);
	f->raw = pair[1];
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	wire_close(&f->a.wire);
	wire_close(&f->b.wire);
	fd_close(&f->a.taken_fd);
	fd_close(&f->raw);
	loop_free(&f->loop);
	free(f);
	return 0;
}

/* Both ends are wires. */
static void make_b(struct fixture *f)
{
	open_end(f, &f->b, f->raw);
	f->raw = -1;
}

static void turns(struct fixture *f, int n)
{
	for (int i = 0; i < n; i++)
		loop_turn(f->loop, 0);
}

static void say(struct fixture *f, const char *packet)
{
	assert_int_equal(
	    write(f->raw, packet, strlen(packet)), (ssize_t)strlen(packet));
}

static int count(struct end *e, int64_t n, size_t pad, struct err *err)
{
	json_t *msg = json_pack("{s:s, s:I}", "type", "COUNT", "n", n);
	int rc;

	if (pad > 0) {
		char *text = malloc(pad);

		memset(text, 'x', pad);
		json_object_set_new(msg, "pad", json_stringn(text, pad));
		free(text);
	}
	rc = wire_send(e->wire, msg, NULL, 0, err);
	json_decref(msg);
	return rc;
}

static int n_open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* ---- wire_check ---------------------------------------------------------- */

static int check(const char *text, uint32_t st, struct err *err)
{
	const struct wire_message *found;
	json_t *msg;
	int rc;

	assert_int_equal(json_parse(text, strlen(text), &msg, err), 0);
	rc = wire_check(table, N_MESSAGES, st, msg, &found, err);
	assert_true((rc == 0) == (found != NULL));
	json_decref(msg);
	return rc;
}

static void test_check_permits(void **state)
{
	static const char *const texts[] = {
		"{\"type\":\"COUNT\",\"n\":0}",
		"{\"type\":\"COUNT\",\"n\":1000000,\"pad\":\"x\"}",
		"{\"type\":\"COUNT\",\"n\":1,\"pad\":null}",
		"{\"type\":\"ALL\",\"s\":\"ab\",\"i\":-1}",
		"{\"type\":\"ALL\",\"s\":\"abcd\",\"i\":1,\"b\":false,"
		"\"o\":{\"x\":1},\"l\":[1,2]}",
		"{\"type\":\"FDS\"}",
	};
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		if (check(texts[i], ST_READY, &err) != 0)
			fail_msg("%s: %s", texts[i], err.text);
	}
	assert_int_equal(check("{\"type\":\"HELLO\"}", ST_NEW, &err), 0);
}

static void test_check_refuses(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "[]", "no JSON object" },
		{ "{}", "no JSON object with a \"type\"" },
		{ "{\"type\":1}", "no JSON object with a \"type\"" },
		{ "{\"type\":\"NOPE\"}", "unknown message \"NOPE\"" },
		{ "{\"type\":\"HELLO\"}",
		    "HELLO is not permitted in this state (0x2)" },
		{ "{\"type\":\"COUNT\"}",
		    "message COUNT: member \"n\" is missing" },
		{ "{\"type\":\"COUNT\",\"n\":null}", "\"n\" is missing" },
		{ "{\"type\":\"COUNT\",\"n\":1,\"m\":2}",
		    "message COUNT: unknown member \"m\"" },
		{ "{\"type\":\"FDS\",\"n\":1}", "unknown member \"n\"" },
		{ "{\"type\":\"COUNT\",\"n\":-1}",
		    "\"n\" must be a whole number from 0 to 1000000" },
		{ "{\"type\":\"COUNT\",\"n\":\"1\"}", "whole number" },
		{ "{\"type\":\"ALL\",\"s\":\"a\",\"i\":0}",
		    "\"s\" must be a string of at least 2 bytes" },
		{ "{\"type\":\"ALL\",\"s\":\"abcde\",\"i\":0}",
		    "\"s\" must be a string of at most 4 bytes" },
		{ "{\"type\":\"ALL\",\"s\":\"ab\",\"i\":0,\"b\":1}",
		    "\"b\" must be true or false" },
		{ "{\"type\":\"ALL\",\"s\":\"ab\",\"i\":0,\"o\":[]}",
		    "\"o\" must be an object" },
		{ "{\"type\":\"ALL\",\"s\":\"ab\",\"i\":0,\"l\":[1,2,3]}",
		    "\"l\" must be a list of at most 2 items" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = { 0 };

		assert_int_equal(check(cases[i].text, ST_READY, &err), -1);
		assert_int_equal(err.code, ERR_PROTOCOL);
		if (!strstr(err.text, cases[i].why))
			fail_msg("case %zu: %s", i, err.text);
	}
}

/* ---- talking ------------------------------------------------------------- */

static void test_messages_arrive_in_order(void **state)
{
	struct fixture *f = *state;

	make_b(f);
	for (int i = 0; i < 200; i++)
		assert_int_equal(count(&f->a, i, 0, &f->err), 0);
	turns(f, 40);
	assert_int_equal(f->b.n_messages, 200);
	assert_true(f->b.is_ordered);
	assert_int_equal(f->b.n_closed, 0);
}

static void test_state_set_by_a_handler_holds_for_the_next(void **state)
{
	struct fixture *f = *state;

	wire_set_state(f->a.wire, ST_NEW);
	say(f, "{\"type\":\"HELLO\"}");
	say(f, "{\"type\":\"COUNT\",\"n\":0}");
	say(f, "{\"type\":\"HELLO\"}");
	turns(f, 2);
	assert_int_equal(f->a.n_messages, 2);
	assert_int_equal(f->a.n_closed, 1);
	assert_non_null(strstr(f->a.why.text, "HELLO is not permitted"));
}

static void test_a_wrong_packet_closes(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "hello", "a packet of 5 bytes: JSON, line 1" },
		{ "{\"type\":\"X\"}", "unknown message" },
		{ "{\"type\":\"COUNT\",\"n\":1,\"n\":2}", "occurs twice" },
		{ "{\"type\":\"COUNT\",\"n\":1}{}", "more text" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fixture *f;

		set_up((void **)&f);
		say(f, cases[i].text);
		say(f, "{\"type\":\"COUNT\",\"n\":1}");
		turns(f, 3);
		assert_int_equal(f->a.n_closed, 1);
		assert_int_equal(f->a.n_messages, 0);
		assert_int_equal(f->a.why.code, ERR_PROTOCOL);
		if (!strstr(f->a.why.text, cases[i].why))
			fail_msg("case %zu: %s", i, f->a.why.text);
		tear_down((void **)&f);
	}
	(void)state;
}

static void test_a_packet_over_64_kib_closes(void **state)
{
	struct fixture *f = *state;
	char *big = malloc(WIRE_PACKET_MAX + 1);

	memset(big, ' ', WIRE_PACKET_MAX + 1);
	assert_int_equal(
	    write(f->raw, big, WIRE_PACKET_MAX + 1), WIRE_PACKET_MAX + 1);
	turns(f, 2);
	assert_int_equal(f->a.n_closed, 1);
	assert_int_equal(f->a.why.code, ERR_LIMIT);
	free(big);
}

static void test_the_peers_end_is_orderly_after_its_last_word(void **state)
{
	struct fixture *f = *state;

	say(f, "{\"type\":\"COUNT\",\"n\":0}");
	fd_close(&f->raw);
	turns(f, 3);
	assert_int_equal(f->a.n_messages, 1);
	assert_int_equal(f->a.n_closed, 1);
	assert_int_equal(f->a.why.code, ERR_NONE);
	assert_int_equal(count(&f->a, 1, 0, &f->err), -1);
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
}

static void test_sending_to_a_peer_that_left_loses_none_of_its_words(
    void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 40; i++)
		say(f, "{\"type\":\"COUNT\",\"n\":0}");
	fd_close(&f->raw);
	assert_int_equal(count(&f->a, 1, 0, &f->err), -1);
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
	assert_int_equal(f->a.n_closed, 0);
	turns(f, 5);
	assert_int_equal(f->a.n_messages, 40);
	assert_int_equal(f->a.n_closed, 1);
}

static void test_a_handler_that_fails_closes(void **state)
{
	struct fixture *f = *state;

	f->a.refuse = true;
	say(f, "{\"type\":\"COUNT\",\"n\":0}");
	say(f, "{\"type\":\"COUNT\",\"n\":1}");
	turns(f, 2);
	assert_int_equal(f->a.n_messages, 1);
	assert_int_equal(f->a.n_closed, 1);
	assert_int_equal(f->a.why.code, ERR_DENIED);
	assert_string_equal(f->a.why.text, "no more");
}

static void test_a_handler_may_close_its_own_wire(void **state)
{
	struct fixture *f = *state;

	f->a.close_in_handler = true;
	say(f, "{\"type\":\"COUNT\",\"n\":0}");
	say(f, "{\"type\":\"COUNT\",\"n\":1}");
	turns(f, 3);
	assert_null(f->a.wire);
	assert_int_equal(f->a.n_messages, 1);
	assert_int_equal(f->a.n_closed, 0);
	f->a.close_in_handler = false;
}

static void test_a_handler_may_close_and_fail(void **state)
{
	struct fixture *f = *state;

	f->a.close_in_handler = f->a.refuse = true;
	say(f, "{\"type\":\"COUNT\",\"n\":0}");
	turns(f, 2);
	assert_null(f->a.wire);
	assert_int_equal(f->a.n_closed, 0);
}

static void test_on_closed_may_free_the_wire(void **state)
{
	struct fixture *f = *state;

	f->a.close_on_end = true;
	say(f, "{}");
	turns(f, 2);
	assert_int_equal(f->a.n_closed, 1);
	assert_null(f->a.wire);
}

static void test_a_handler_that_fails_without_a_reason_closes(void **state)
{
	struct fixture *f = *state;

	f->a.refuse_silently = true;
	say(f, "{\"type\":\"COUNT\",\"n\":0}");
	turns(f, 2);
	assert_int_equal(f->a.n_closed, 1);
	assert_int_equal(f->a.why.code, ERR_PROTOCOL);
	assert_string_equal(f->a.why.text, "message COUNT was refused");
}

static void test_open_takes_the_descriptor_also_when_it_fails(void **state)
{
	struct fixture *f = *state;
	struct wire_callbacks cb = { .table = table, .n = N_MESSAGES };
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* A directory cannot be watched. */
	assert_true(fd >= 0);
	assert_null(wire_open(f->loop, fd, ST_NEW, &cb, &f->err));
	assert_int_equal(f->err.code, ERR_IO);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_null(wire_open(f->loop, 250, ST_NEW, &cb, &f->err));
}

/* ---- bounds -------------------------------------------------------------- */

static void test_an_oversized_message_is_refused_and_the_wire_lives(
    void **state)
{
	struct fixture *f = *state;

	make_b(f);
	assert_int_equal(count(&f->a, 0, WIRE_PACKET_MAX, &f->err), -1);
	assert_int_equal(f->err.code, ERR_LIMIT);
	assert_int_equal(count(&f->a, 0, WIRE_PACKET_MAX - 36, &f->err), 0);
	turns(f, 3);
	assert_int_equal(f->b.n_messages, 1);
	assert_int_equal(f->b.n_closed, 0);
}

/* How many the wire takes while nobody reads. */
static int fill(struct fixture *f, size_t pad)
{
	int n = 0;

	while (count(&f->a, n, pad, &f->err) == 0)
		assert_true(++n < 20000);
	assert_int_equal(f->err.code, ERR_BUSY);
	return n;
}

static void test_a_full_queue_is_busy_then_writable_and_drops_nothing(
    void **state)
{
	static const size_t pads[] = { 1, 30000 };

	for (size_t i = 0; i < 2; i++) {
		struct fixture *f;
		int n;

		set_up((void **)&f);
		n = fill(f, pads[i]);
		turns(f, 2);
		assert_int_equal(f->a.n_writable, 0);
		make_b(f);
		turns(f, n);
		assert_int_equal(f->b.n_messages, n);
		assert_true(f->b.is_ordered);
		assert_int_equal(f->a.n_writable, 1);
		assert_int_equal(count(&f->a, n, 0, &f->err), 0);
		turns(f, 2);
		assert_true(f->b.is_ordered);
		assert_int_equal(f->b.n_messages, n + 1);
		tear_down((void **)&f);
	}
	(void)state;
}

static void test_the_queue_is_bounded_by_packets_and_by_bytes(void **state)
{
	const int kernel_bytes_max = 1024 * 1024;
	struct fixture *f = *state;
	int n;

	assert_true(fill(f, 1) >= 256);
	tear_down(state);
	set_up(state);
	f = *state;
	n = fill(f, 30000);
	assert_true(n >= 34);
	assert_true(n * 30000 <= 1024 * 1024 + kernel_bytes_max);
}

/* Take off the raw end what the kernel holds. */
static int drain(struct fixture *f)
{
	char packet[WIRE_PACKET_MAX];
	int n = 0;

	while (recv(f->raw, packet, sizeof packet, MSG_DONTWAIT) > 0)
		n++;
	return n;
}

static void test_no_message_overtakes_those_that_wait(void **state)
{
	struct fixture *f = *state;
	int n = fill(f, 1000), n_read = drain(f);

	turns(f, 1);
	/* More than half of the queue is still there: no word of room yet. */
	assert_int_equal(f->a.n_writable, 0);
	n_read += drain(f);
	assert_int_equal(count(&f->a, n, 1000, &f->err), 0);
	make_b(f);
	f->b.last = n_read - 1;
	turns(f, n);
	assert_int_equal(f->b.n_messages, n + 1 - n_read);
	assert_true(f->b.is_ordered);
	assert_int_equal(f->a.n_writable, 1);
}

static void test_a_peer_that_leaves_a_full_queue_is_the_end(void **state)
{
	struct fixture *f = *state;

	fill(f, 1);
	fd_close(&f->raw);
	turns(f, 3);
	assert_int_equal(f->a.n_closed, 1);
}

static void test_on_writable_may_close_the_wire(void **state)
{
	struct fixture *f = *state;
	int n = fill(f, 1);

	f->a.close_on_room = true;
	make_b(f);
	turns(f, n);
	assert_int_equal(f->a.n_writable, 1);
	assert_null(f->a.wire);
	assert_int_equal(f->a.n_closed, 0);
	assert_int_equal(f->b.n_closed, 1);
}

static void test_closing_drops_the_queue(void **state)
{
	struct fixture *f = *state;
	int before = n_open_fds();

	fill(f, 1);
	wire_close(&f->a.wire);
	assert_null(f->a.wire);
	assert_int_equal(n_open_fds(), before - 1);
}

/* ---- descriptors --------------------------------------------------------- */

static void test_descriptors_cross_and_the_rest_is_closed(void **state)
{
	struct fixture *f = *state;
	json_t *msg = json_pack("{s:s}", "type", "FDS");
	int pipes[2], fds[2], before;
	char c = 0;

	make_b(f);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	before = n_open_fds();
	fds[0] = pipes[1];
	fds[1] = pipes[0];
	assert_int_equal(wire_send(f->b.wire, msg, fds, 2, &f->err), 0);
	turns(f, 2);
	assert_int_equal(f->a.n_messages, 1);
	assert_true(f->a.taken_fd >= 0);
	assert_int_equal(n_open_fds(), before + 1);
	close(pipes[1]);
	assert_int_equal(write(f->a.taken_fd, "x", 1), 1);
	assert_int_equal(read(pipes[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	close(pipes[0]);
	json_decref(msg);
}

static void test_queued_descriptors_cross(void **state)
{
	struct fixture *f = *state;
	json_t *msg = json_pack("{s:s}", "type", "FDS");
	int pipes[2], n = fill(f, 1), before;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	make_b(f);
	turns(f, 4);
	/* Behind others: room there is, but not at the front. */
	while (f->a.n_writable == 0)
		turns(f, 1);
	before = n_open_fds();
	assert_int_equal(wire_send(f->a.wire, msg, &pipes[1], 1, &f->err), 0);
	close(pipes[1]);
	turns(f, n);
	assert_int_equal(f->b.n_messages, n + 1);
	assert_int_equal(n_open_fds(), before);
	assert_int_equal(write(f->b.taken_fd, "x", 1), 1);
	fd_close(&f->b.taken_fd);
	close(pipes[0]);
	json_decref(msg);
}

static void test_descriptors_over_the_permitted_number_close(void **state)
{
	static const struct {
		const char *text;
		size_t n_fds;
		enum err_code code;
	} cases[] = {
		{ "{\"type\":\"FDS\"}", 3, ERR_PROTOCOL },
		{ "{\"type\":\"COUNT\",\"n\":1}", 1, ERR_PROTOCOL },
		{ "{\"type\":\"FDS\"}", 5, ERR_LIMIT },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fixture *f;
		int fds[5] = { 0, 0, 0, 0, 0 }, before;

		set_up((void **)&f);
		before = n_open_fds();
		assert_int_equal(
		    sock_send_packet(f->raw, cases[i].text,
			strlen(cases[i].text), fds, cases[i].n_fds, &f->err),
		    0);
		turns(f, 2);
		assert_int_equal(f->a.n_messages, 0);
		assert_int_equal(f->a.n_closed, 1);
		assert_int_equal(f->a.why.code, cases[i].code);
		assert_int_equal(n_open_fds(), before - 1);
		tear_down((void **)&f);
	}
	(void)state;
}

static void test_a_descriptor_that_cannot_be_sent_ends_the_wire_later(
    void **state)
{
	struct fixture *f = *state;
	json_t *msg = json_pack("{s:s}", "type", "FDS");
	int none = 250;

	assert_int_equal(wire_send(f->a.wire, msg, &none, 1, &f->err), -1);
	assert_int_equal(f->err.code, ERR_IO);
	assert_int_equal(f->a.n_closed, 0);
	assert_int_equal(wire_send(f->a.wire, msg, NULL, 0, &f->err), -1);
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
	turns(f, 1);
	assert_int_equal(f->a.n_closed, 1);
	assert_int_equal(f->a.why.code, ERR_IO);
	json_decref(msg);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_permits),
		cmocka_unit_test(test_check_refuses),
		TEST(test_messages_arrive_in_order),
		TEST(test_state_set_by_a_handler_holds_for_the_next),
		cmocka_unit_test(test_a_wrong_packet_closes),
		TEST(test_a_packet_over_64_kib_closes),
		TEST(test_the_peers_end_is_orderly_after_its_last_word),
		TEST(test_sending_to_a_peer_that_left_loses_none_of_its_words),
		TEST(test_a_handler_that_fails_closes),
		TEST(test_a_handler_that_fails_without_a_reason_closes),
		TEST(test_open_takes_the_descriptor_also_when_it_fails),
		TEST(test_a_handler_may_close_its_own_wire),
		TEST(test_a_handler_may_close_and_fail),
		TEST(test_on_closed_may_free_the_wire),
		TEST(test_an_oversized_message_is_refused_and_the_wire_lives),
		cmocka_unit_test(
		    test_a_full_queue_is_busy_then_writable_and_drops_nothing),
		TEST(test_the_queue_is_bounded_by_packets_and_by_bytes),
		TEST(test_no_message_overtakes_those_that_wait),
		TEST(test_a_peer_that_leaves_a_full_queue_is_the_end),
		TEST(test_on_writable_may_close_the_wire),
		TEST(test_closing_drops_the_queue),
		TEST(test_descriptors_cross_and_the_rest_is_closed),
		TEST(test_queued_descriptors_cross),
		cmocka_unit_test(
		    test_descriptors_over_the_permitted_number_close),
		TEST(test_a_descriptor_that_cannot_be_sent_ends_the_wire_later),
	};

	return cmocka_run_group_tests_name("base/wire", tests, NULL, NULL);
}
