/*
 * proxy/door with conn, exchange and error: a worker without a thread, clients
 * that are socket pairs, and a clock that stands still.
 */
#include "test_util.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "proxy/config.h"
#include "proxy/conn.h"
#include "proxy/limit.h"
#include "proxy/metrics.h"
#include "proxy/worker.h"

static struct config config;
static struct limits *limits;
static struct worker *w;

static void begin(const char *flags)
{
	static char copy[256];
	char *argv[16] = { copy };
	enum config_outcome outcome;
	struct buf notes;
	struct err err;
	int argc = 1;

	snprintf(copy, sizeof copy, "%s", flags);
	for (char *s = copy; *s != '\0'; s++) {
		argv[argc++] = s;
		s += strcspn(s, " ");
		if (*s == '\0')
			break;
		*s = '\0';
	}
	buf_init(&notes, 4096);
	test_ok(
	    config_parse(&config, argc, argv, &outcome, &notes, &err), &err);
	buf_fini(&notes);
	limits =
	    limits_new(config.max_connections, config.max_client_connections);
	w = worker_new(0, &config, -1);
	w->limits = limits;
}

static int set_up(void **state)
{
	(void)state;
	clock_sim_start(1700000000000000);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	worker_free(&w);
	assert_int_equal(limits_connections(limits), 0);
	limits_free(&limits);
	config_fini(&config);
	clock_set_source(NULL);
	return 0;
}

/* The client's end of a connection from `from`; NULL: a unix socket. */
static int client(const char *from)
{
	struct in6_addr addr;
	int fds[2];

	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
	if (from != NULL)
		assert_int_equal(inet_pton(AF_INET6, from, &addr), 1);
	conn_open(w, fds[0], from != NULL ? &addr : NULL);
	return fds[1];
}

static void turn(void)
{
	for (int i = 0; i < 5; i++)
		loop_turn(w->loop, 0);
}

static void say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	turn();
}

/* What has come; "" when nothing has, "end" when it ended. */
static const char *heard(int fd)
{
	static char text[65536];
	ssize_t n = read(fd, text, sizeof text - 1);

	if (n <= 0)
		return n == 0 ? "end" : "";
	text[n] = '\0';
	return text;
}

static void says(int fd, const char *part)
{
	const char *text = heard(fd);

	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is not in: %s", part, text);
}

static bool is_open(int fd)
{
	return strcmp(heard(fd), "end") != 0;
}

#define REQUEST "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"

static void test_a_missing_route_is_answered_from_memory(void **state)
{
	int fd;

	(void)state;
	begin("");
	fd = client(NULL);
	say(fd, REQUEST);
	says(fd, "HTTP/1.1 404 Not Found\r\n");
	say(fd, REQUEST);
	says(fd, "Retry-After: 5\r\n");
	say(fd, REQUEST);
	says(fd, "404: Not Found");
	say(fd, "HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_null(strstr(heard(fd), "404: Not Found"));
	assert_int_equal(metric_get(&w->metrics.requests_open), 0);
	close(fd);
	turn();
}

static void test_clients_are_counted(void **state)
{
	int a, b, c, d;

	(void)state;
	begin("--max-client-connections 2");
	a = client("::ffff:192.0.2.1");
	b = client("::ffff:192.0.2.1");
	c = client("::ffff:192.0.2.1");
	d = client("::ffff:192.0.2.2");
	assert_false(is_open(c));
	assert_true(is_open(a) && is_open(b) && is_open(d));
	assert_int_equal(
	    metric_get(&w->metrics.refused[METRICS_LIMIT_CLIENT]), 1);
	close(a);
	turn();
	close(c);
	c = client("::ffff:192.0.2.1");
	assert_true(is_open(c));
	close(b);
	close(c);
	close(d);
	turn();
}

static void test_front_ends_are_not(void **state)
{
	int fds[5];

	(void)state;
	begin("--max-client-connections 1");
	for (size_t i = 0; i < N_OF(fds); i++) {
		fds[i] = client(i % 2 == 0 ? "::ffff:127.0.0.1" : NULL);
		assert_true(is_open(fds[i]));
	}
	for (size_t i = 0; i < N_OF(fds); i++)
		close(fds[i]);
	turn();
}

static void test_who_waits_makes_room(void **state)
{
	int a, b, c;

	(void)state;
	begin("--max-connections 2");
	a = client(NULL);
	b = client(NULL);
	say(a, REQUEST);
	says(a, "404");
	c = client(NULL);
	assert_false(is_open(a));
	assert_true(is_open(b));
	say(c, REQUEST);
	says(c, "404");
	assert_int_equal(metric_get(&w->metrics.gave_way), 1);
	close(a);
	close(b);
	close(c);
	turn();
}

static void test_who_says_nothing_makes_room_after_a_while(void **state)
{
	int a, b;

	(void)state;
	begin("--max-connections 1");
	a = client(NULL);
	say(a, "GET / HT");
	b = client(NULL);
	assert_true(is_open(a));
	assert_false(is_open(b));
	close(b);
	loop_advance(w->loop, 3001);
	b = client(NULL);
	assert_false(is_open(a));
	assert_true(is_open(b));
	close(a);
	close(b);
	turn();
}

static void test_slow_heads_end(void **state)
{
	int a, b;

	(void)state;
	begin("--head-timeout 1000");
	a = client(NULL);
	b = client(NULL);
	say(a, "GET / HT");
	loop_advance(w->loop, 999);
	assert_string_equal(heard(a), "");
	loop_advance(w->loop, 1);
	says(a, "408 Request Timeout");
	assert_false(is_open(b));
	close(a);
	close(b);
	turn();
}

static void test_heads_are_bounded(void **state)
{
	char line[1100];
	int a;

	(void)state;
	begin("--max-head-bytes 1024 --max-header-count 2");
	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	a = client(NULL);
	say(a, "GET / HTTP/1.1\r\nHost: h\r\nA: ");
	say(a, line);
	says(a, "431 Request Header Fields Too Large");
	close(a);
	a = client(NULL);
	say(a, "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n");
	says(a, "404");
	say(a, "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\nA: b\r\n\r\n");
	says(a, "431");
	close(a);
	turn();
	assert_int_equal(
	    metric_get(&w->metrics.refused[METRICS_LIMIT_HEAD]), 2);
}

static void test_idle_connections_end(void **state)
{
	int a;

	(void)state;
	begin("--keep-alive-timeout 2000");
	a = client(NULL);
	say(a, REQUEST);
	says(a, "404");
	loop_advance(w->loop, 1999);
	assert_true(is_open(a));
	loop_advance(w->loop, 2);
	turn();
	assert_false(is_open(a));
	close(a);
	turn();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_missing_route_is_answered_from_memory),
		TEST(test_clients_are_counted),
		TEST(test_front_ends_are_not),
		TEST(test_who_waits_makes_room),
		TEST(test_who_says_nothing_makes_room_after_a_while),
		TEST(test_slow_heads_end),
		TEST(test_heads_are_bounded),
		TEST(test_idle_connections_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
