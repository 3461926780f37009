/*
 * Raw clients of the server under test, in its own loop.
 */
#ifndef CARREL_TESTS_UNIT_BASE_HTTPD_CLIENT_H
#define CARREL_TESTS_UNIT_BASE_HTTPD_CLIENT_H

#include "base/httpd_fixture.h"

static inline void on_client(struct watch *w, uint32_t events, void *arg)
{
	struct client *c = arg;
	char part[16384];
	ssize_t n = recv(c->fd, part, sizeof part, MSG_DONTWAIT);

	(void)w, (void)events;
	if (n > 0) {
		buf_append(&c->in, part, (size_t)n);
	} else {
		c->is_eof = true;
		c->is_reset = n < 0;
		watch_stop(&c->watch);
	}
}

static inline void client_adopt(struct app *app, struct client *c, int fd)
{
	struct err err;

	c->fd = fd;
	c->is_eof = c->is_reset = false;
	buf_init(&c->in, (size_t)4 << 20);
	assert_int_equal(
	    watch_start(app->loop, &c->watch, fd, EPOLLIN, on_client, c, &err),
	    0);
}

static inline struct client *client_open(struct app *app, int i)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons(app->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	client_adopt(app, &app->clients[i], fd);
	return &app->clients[i];
}

static inline bool send_all(
    struct app *app, struct client *c, const char *p, size_t n)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	while (n > 0 && clock_mono_ms() < until) {
		ssize_t k = send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (k > 0) {
			p += k;
			n -= (size_t)k;
		} else if (errno != EAGAIN) {
			return false;
		}
		loop_turn(app->loop, n ? 1 : 0);
	}
	return n == 0;
}

static inline void say(struct app *app, struct client *c, const char *text)
{
	send_all(app, c, text, strlen(text));
}

/* Until the text has come; false at the end of the connection. */
static inline bool hears(struct app *app, struct client *c, const char *text)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	while (!strstr(buf_view(&c->in), text)) {
		if (c->is_eof || clock_mono_ms() >= until)
			return false;
		loop_turn(app->loop, 100);
	}
	return true;
}

static inline bool hears_end(struct app *app, struct client *c)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	while (!c->is_eof && clock_mono_ms() < until)
		loop_turn(app->loop, 100);
	return c->is_eof;
}

static inline bool wait_count(struct app *app, const int *count, int wanted)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	while (*count < wanted && clock_mono_ms() < until)
		loop_turn(app->loop, 100);
	return *count >= wanted;
}

static inline bool wait_connections(struct app *app, size_t wanted)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	while (
	    httpd_connections(app->httpd) != wanted && clock_mono_ms() < until)
		loop_turn(app->loop, 100);
	return httpd_connections(app->httpd) == wanted;
}

/* The connection still answers: a mark that no other reply has. */
static inline void assert_alive(
    struct app *app, struct client *c, const char *what)
{
	buf_reset(&c->in);
	say(app, c, "GET /alive HTTP/1.1\r\nHost: h\r\n\r\n");
	if (!hears(app, c, "GET|/alive|/alive|(none)|"))
		fail_msg("after %s the connection is dead: %s", what,
		    buf_view(&c->in));
	assert_true(str_starts(buf_view(&c->in), "HTTP/1.1 200 OK\r\n"));
	assert_null(strstr(buf_view(&c->in), "Connection:"));
}

static inline int count_of(const char *hay, const char *needle)
{
	int n = 0;

	while ((hay = strstr(hay, needle))) {
		n++;
		hay += strlen(needle);
	}
	return n;
}

static inline void assert_heard(
    struct app *app, struct client *c, const char *text)
{
	if (!hears(app, c, text))
		fail_msg("not heard: %s\nbut: %s", text, buf_view(&c->in));
}

#endif
