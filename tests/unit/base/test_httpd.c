/*
 * base/httpd: real sockets on loopback, one loop for the server and its raw
 * clients.
 */
#include "test_util.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#define WAIT_MS   8000
#define BODY_MAX  65536
#define N_CLIENTS 4

struct client {
	int fd;
	struct watch watch;
	struct buf in;
	bool is_eof;
};

/* The application under the server: it notes what it was called with. */
struct app {
	struct loop *loop;
	struct httpd *httpd;
	uint16_t port;
	uint64_t late_id; /* the last request that was left unanswered */
	int n_requests, n_done, last_status;
	bool stream_ok;
	struct client clients[N_CLIENTS];
};

/* ---- the application ---------------------------------------------------- */

static void reply_text(struct http_req *req, int status, const char *text)
{
	http_set(req, "Content-Type", "text/plain");
	http_reply(req, status, text, strlen(text));
}

static void on_head(struct http_req *req, void *arg)
{
	(void)arg;
	if (str_eq(req->path, "/refuse"))
		reply_text(req, 403, "refused");
}

static void reply_echo(struct http_req *req)
{
	const char *x = http_header(req, "X-Test");
	struct buf b;

	buf_init(&b, (size_t)1 << 20);
	buf_printf(&b, "%s|%s|%s|%s|%s|%s|%zu|", req->method, req->target,
	    req->path, req->query ? req->query : "(none)", req->peer,
	    x ? x : "(none)", http_header_count(req, "x-test"));
	buf_slice(&b, req->body);
	buf_char(&b, '$');
	http_reply(req, 200, b.data, b.len);
	buf_fini(&b);
}

static void fill_stream(struct app *app, struct http_req *req)
{
	char block[4096];

	memset(block, 'x', sizeof block);
	http_stream_begin(req, 200, 65536);
	app->stream_ok = true;
	for (int i = 0; i < 17 && app->stream_ok; i++)
		app->stream_ok = http_stream_write(req, block, sizeof block);
}

static void on_request(struct http_req *req, void *arg)
{
	struct app *app = arg;

	app->n_requests++;
	if (str_eq(req->path, "/late")) {
		app->late_id = req->id;
	} else if (str_eq(req->path, "/204")) {
		http_reply(req, 204, "not sent", 8);
	} else if (str_eq(req->path, "/304")) {
		http_set(req, "ETag", "\"e\"");
		http_reply(req, 304, NULL, 0);
	} else if (str_eq(req->path, "/404")) {
		reply_text(req, 404, "nothing here");
	} else if (str_eq(req->path, "/stream")) {
		app->late_id = req->id;
		http_set(req, "Content-Type", "text/event-stream");
		http_stream_begin(req, 200, 65536);
		(void)http_stream_write(req, "first;", 6);
	} else if (str_eq(req->path, "/flood")) {
		fill_stream(app, req);
	} else {
		reply_echo(req);
	}
}

static void on_done(struct http_req *req, int status, void *arg)
{
	struct app *app = arg;

	(void)req;
	app->n_done++;
	app->last_status = status;
}

static const struct httpd_callbacks callbacks = {
	.on_head = on_head,
	.on_request = on_request,
	.on_done = on_done,
};

/* ---- fixture ------------------------------------------------------------ */

static struct app *app_new(int fd, const struct httpd_options *opt)
{
	struct app *app = xcalloc(1, sizeof *app);
	struct httpd_callbacks cb = callbacks;
	struct err err;

	cb.arg = app;
	app->loop = loop_new();
	app->port = sock_port(fd);
	app->httpd = httpd_open(app->loop, fd, opt, &cb, &err);
	assert_non_null(app->httpd);
	for (int i = 0; i < N_CLIENTS; i++)
		app->clients[i].fd = -1;
	return app;
}

static void client_close(struct client *c)
{
	watch_stop(&c->watch);
	fd_close(&c->fd);
	buf_fini(&c->in);
}

static int teardown(void **state)
{
	struct app *app = *state;

	for (int i = 0; i < N_CLIENTS; i++)
		client_close(&app->clients[i]);
	httpd_close(&app->httpd);
	loop_free(&app->loop);
	free(app);
	return 0;
}

static int setup_with(void **state, const struct httpd_options *opt)
{
	struct err err;
	int fd = sock_listen_tcp("127.0.0.1", 0, false, &err);

	assert_true(fd >= 0);
	*state = app_new(fd, opt);
	return 0;
}

static int setup(void **state)
{
	const struct httpd_options opt = {
		.max_body_bytes = BODY_MAX,
		.server_name = "test/1",
	};

	return setup_with(state, &opt);
}

static int setup_hasty(void **state)
{
	const struct httpd_options opt = { .deadline_ms = 60 };

	return setup_with(state, &opt);
}

static int setup_narrow(void **state)
{
	const struct httpd_options opt = { .max_connections = 1 };

	return setup_with(state, &opt);
}

/* ---- clients ------------------------------------------------------------ */

static void on_client(struct watch *w, uint32_t events, void *arg)
{
	struct client *c = arg;
	char part[16384];
	ssize_t n = recv(c->fd, part, sizeof part, MSG_DONTWAIT);

	(void)w, (void)events;
	if (n > 0) {
		buf_append(&c->in, part, (size_t)n);
	} else {
		c->is_eof = true;
		watch_stop(&c->watch);
	}
}

static void client_adopt(struct app *app, struct client *c, int fd)
{
	struct err err;

	c->fd = fd;
	c->is_eof = false;
	buf_init(&c->in, (size_t)4 << 20);
	assert_int_equal(
	    watch_start(app->loop, &c->watch, fd, EPOLLIN, on_client, c, &err),
	    0);
}

static struct client *client_open(struct app *app, int i)
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

static void send_all(struct app *app, struct client *c, const char *p, size_t n)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	while (n > 0 && clock_mono_ms() < until) {
		ssize_t k = send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (k > 0) {
			p += k;
			n -= (size_t)k;
		} else if (errno != EAGAIN) {
			return;
		}
		loop_turn(app->loop, n ? 1 : 0);
	}
}

static void say(struct app *app, struct client *c, const char *text)
{
	send_all(app, c, text, strlen(text));
}

/* Until the text has come; false at the end of the connection. */
static bool hears(struct app *app, struct client *c, const char *text)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	while (!strstr(buf_view(&c->in), text)) {
		if (c->is_eof || clock_mono_ms() >= until)
			return false;
		loop_turn(app->loop, 100);
	}
	return true;
}

static bool hears_end(struct app *app, struct client *c)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	while (!c->is_eof && clock_mono_ms() < until)
		loop_turn(app->loop, 100);
	return c->is_eof;
}

static bool wait_count(struct app *app, const int *count, int wanted)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	while (*count < wanted && clock_mono_ms() < until)
		loop_turn(app->loop, 100);
	return *count >= wanted;
}

/* The connection still answers: a mark that no other reply has. */
static void assert_alive(struct app *app, struct client *c, const char *what)
{
	buf_reset(&c->in);
	say(app, c, "GET /alive HTTP/1.1\r\nHost: h\r\n\r\n");
	if (!hears(app, c, "GET|/alive|/alive|(none)|"))
		fail_msg("after %s the connection is dead: %s", what,
		    buf_view(&c->in));
	assert_true(str_starts(buf_view(&c->in), "HTTP/1.1 200 OK\r\n"));
	assert_null(strstr(buf_view(&c->in), "Connection:"));
}

static int count_of(const char *hay, const char *needle)
{
	int n = 0;

	while ((hay = strstr(hay, needle))) {
		n++;
		hay += strlen(needle);
	}
	return n;
}

static void assert_heard(struct app *app, struct client *c, const char *text)
{
	if (!hears(app, c, text))
		fail_msg("not heard: %s\nbut: %s", text, buf_view(&c->in));
}

/* ---- targets, methods, headers ------------------------------------------ */

static void test_raw_target_and_any_method_survive(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);

	say(app, c,
	    "PROPFIND /a%2Fb%20c//d/../e?x=%41+b&&c=?d HTTP/1.1\r\n"
	    "Host: h\r\nX-Test: one \t\r\nx-test: two\r\n\r\n");
	assert_heard(app, c,
	    "PROPFIND|/a%2Fb%20c//d/../e?x=%41+b&&c=?d|/a%2Fb%20c//d/../e|"
	    "x=%41+b&&c=?d|127.0.0.1|one|2|$");
	assert_non_null(strstr(buf_view(&c->in), "Server: test/1\r\n"));
}

static void test_absolute_target_is_split(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);

	say(app, c, "GET http://h:1?q HTTP/1.1\r\nHost: h:1\r\n\r\n");
	assert_heard(app, c, "GET|http://h:1?q|/|q|");
}

static void test_long_target_works(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);
	struct buf b, want;

	buf_init(&b, 65536);
	buf_str(&b, "GET /x?");
	while (b.len < 9000)
		buf_str(&b, "state=abcdef&a&");
	buf_init(&want, 65536);
	buf_printf(
	    &want, "GET|%s|/x|%s|127.0.0.1|(none)|0|$", b.data + 4, b.data + 7);
	buf_str(&b, " HTTP/1.1\r\nHost: h\r\n\r\n");
	say(app, c, b.data);
	assert_heard(app, c, want.data);
	assert_alive(app, c, "a long target");
	buf_fini(&b);
	buf_fini(&want);
}

static void test_head_of_nearly_16_kib_works(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);
	struct buf b;

	buf_init(&b, 65536);
	buf_str(&b, "GET /x HTTP/1.1\r\nHost: h\r\nCookie: ");
	while (b.len < 16000)
		buf_printf(&b,
		    "name%zu=a-long-value-of-a-cookie-of-some-other-site-"
		    "which-is-signed-and-so-gets-longer; ",
		    b.len);
	buf_str(&b, "z=1\r\n\r\n");
	say(app, c, b.data);
	assert_heard(app, c, "GET|/x|/x|(none)|127.0.0.1|(none)|0|$");
	assert_alive(app, c, "a long head");
	buf_fini(&b);
}

/* ---- connections -------------------------------------------------------- */

static void test_connection_lives_on_after_each_kind_of_reply(void **state)
{
	static const struct {
		const char *request, *ends_with;
	} table[] = {
		{ "GET /200 HTTP/1.1\r\nHost: h\r\n\r\n", "$" },
		{ "GET /404 HTTP/1.1\r\nHost: h\r\n\r\n", "nothing here" },
		{ "GET /204 HTTP/1.1\r\nHost: h\r\n\r\n", "\r\n\r\n" },
		{ "GET /304 HTTP/1.1\r\nHost: h\r\n\r\n", "\r\n\r\n" },
		{ "HEAD /404 HTTP/1.1\r\nHost: h\r\n\r\n", "\r\n\r\n" },
		{ "GET /refuse HTTP/1.1\r\nHost: h\r\n\r\n", "refused" },
		{ "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: "
		  "4\r\n\r\nbody",
		    "body$" },
		{ "PUT /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
		  "\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n",
		    "abcde$" },
		{ "DELETE /d HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
		    "$" },
	};
	struct app *app = *state;
	struct client *c = client_open(app, 0);

	for (size_t i = 0; i < N_OF(table); i++) {
		buf_reset(&c->in);
		say(app, c, table[i].request);
		assert_heard(app, c, table[i].ends_with);
		assert_null(strstr(buf_view(&c->in), "Connection:"));
		assert_alive(app, c, table[i].request);
	}
	assert_int_equal(httpd_connections(app->httpd), 1);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);
	const char *first, *second;

	say(app, c,
	    "GET /late HTTP/1.1\r\nHost: h\r\n\r\n"
	    "POST /two HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz"
	    "HEAD /three HTTP/1.1\r\nHost: h\r\n\r\n"
	    "GET /four HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(wait_count(app, &app->n_requests, 1));
	loop_turn(app->loop, 0);
	assert_int_equal(app->n_requests, 1);
	reply_text(httpd_find(app->httpd, app->late_id), 200, "the late one");
	assert_heard(app, c, "GET|/four|");
	first = strstr(buf_view(&c->in), "the late one");
	second = strstr(buf_view(&c->in), "POST|/two|");
	assert_true(first && second && first < second);
	assert_int_equal(count_of(buf_view(&c->in), "HTTP/1.1 200 OK\r\n"), 4);
	assert_int_equal(app->n_done, 4);
}

static void test_connection_closes_when_asked(void **state)
{
	static const char *const table[] = {
		"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		"GET /x HTTP/1.0\r\n\r\n",
		"GET /204 HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n",
	};
	struct app *app = *state;

	for (size_t i = 0; i < N_OF(table); i++) {
		struct client *c = client_open(app, 0);

		say(app, c, table[i]);
		assert_true(hears_end(app, c));
		assert_non_null(
		    strstr(buf_view(&c->in), "Connection: close\r\n"));
		client_close(c);
	}
}

static void test_http_1_0_keep_alive(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);

	say(app, c, "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_heard(app, c, "GET|/x|");
	assert_non_null(strstr(buf_view(&c->in), "Connection: Keep-Alive\r\n"));
	assert_alive(app, c, "HTTP/1.0 keep-alive");
}

static void test_connections_over_the_limit_wait(void **state)
{
	struct app *app = *state;
	struct client *a = client_open(app, 0), *b;

	say(app, a, "GET /one HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_heard(app, a, "GET|/one|");
	b = client_open(app, 1);
	say(app, b, "GET /two HTTP/1.1\r\nHost: h\r\n\r\n");
	for (int i = 0; i < 3; i++)
		loop_turn(app->loop, 0);
	assert_int_equal(app->n_requests, 1);
	client_close(a);
	assert_heard(app, b, "GET|/two|");
}

/* ---- replies ------------------------------------------------------------ */

static void test_head_204_and_304_have_no_body(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);

	say(app, c,
	    "HEAD /404 HTTP/1.1\r\nHost: h\r\n\r\n"
	    "GET /204 HTTP/1.1\r\nHost: h\r\n\r\n"
	    "GET /304 HTTP/1.1\r\nHost: h\r\n\r\n"
	    "GET /end HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_heard(app, c, "GET|/end|");
	assert_non_null(strstr(buf_view(&c->in), "Content-Length: 12\r\n"));
	assert_null(strstr(buf_view(&c->in), "nothing here"));
	assert_null(strstr(buf_view(&c->in), "not sent"));
	assert_non_null(strstr(buf_view(&c->in), "\r\n\r\nHTTP/1.1 304 "));
	assert_non_null(strstr(buf_view(&c->in), "\r\n\r\nHTTP/1.1 200 "));
}

static void test_late_answer_comes_through(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);
	struct http_req *req;

	say(app, c, "GET /late HTTP/1.1\r\nHost: h\r\nX-Test: v\r\n\r\n");
	assert_true(wait_count(app, &app->n_requests, 1));
	req = httpd_find(app->httpd, app->late_id);
	assert_non_null(req);
	assert_false(http_replied(req));
	assert_string_equal(http_header(req, "x-TEST"), "v");
	reply_text(req, 202, "now");
	assert_true(http_replied(req));
	assert_heard(app, c, "\r\n\r\nnow");
	assert_true(str_starts(buf_view(&c->in), "HTTP/1.1 202 "));
	assert_true(wait_count(app, &app->n_done, 1));
	assert_int_equal(app->last_status, 202);
	assert_null(httpd_find(app->httpd, app->late_id));
	assert_alive(app, c, "a late answer");
}

static void test_client_that_leaves_ends_the_request(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);

	say(app, c, "GET /late HTTP/1.1\r\nHost: h\r\n\r\nGET /pipelined");
	assert_true(wait_count(app, &app->n_requests, 1));
	client_close(c);
	assert_true(wait_count(app, &app->n_done, 1));
	assert_int_equal(app->last_status, 0);
	assert_null(httpd_find(app->httpd, app->late_id));
}

static void test_deadline_answers_503(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);
	struct http_req *req;

	say(app, c, "GET /late HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(wait_count(app, &app->n_requests, 1));
	assert_heard(app, c, "HTTP/1.1 503 ");
	req = httpd_find(app->httpd, app->late_id);
	if (req)
		reply_text(req, 200, "too late");
	assert_alive(app, c, "a 503");
	assert_int_equal(app->n_done, 2);
}

static void test_slow_body_is_cut_at_the_deadline(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);

	say(app, c,
	    "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab");
	assert_true(hears_end(app, c));
	assert_int_equal(app->n_requests, 0);
}

static void test_close_ends_open_requests(void **state)
{
	struct app *app = *state;

	say(app, client_open(app, 0), "GET /late HTTP/1.1\r\nHost: h\r\n\r\n");
	say(app, client_open(app, 1),
	    "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(wait_count(app, &app->n_requests, 2));
	assert_heard(app, &app->clients[1], "first;");
	httpd_close(&app->httpd);
	assert_null(app->httpd);
	assert_int_equal(app->n_done, 2);
	assert_true(hears_end(app, &app->clients[0]));
}

static void test_quiesce_lets_running_answers_go_on(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons(app->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	say(app, c, "GET /late HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(wait_count(app, &app->n_requests, 1));
	httpd_quiesce(app->httpd);
	httpd_quiesce(app->httpd);
	assert_int_not_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	close(fd);
	reply_text(httpd_find(app->httpd, app->late_id), 200, "still");
	assert_heard(app, c, "\r\n\r\nstill");
	assert_true(hears_end(app, c));
}

/* ---- bodies ------------------------------------------------------------- */

static void test_body_at_the_limit_is_taken(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);
	struct buf b;
	char *body = xmalloc(BODY_MAX + 1);

	memset(body, 'b', BODY_MAX);
	body[BODY_MAX] = '\0';
	buf_init(&b, BODY_MAX + 4096);
	buf_printf(&b,
	    "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n",
	    BODY_MAX);
	buf_str(&b, body);
	send_all(app, c, b.data, b.len);
	assert_heard(app, c, "b$");
	assert_true(c->in.len > BODY_MAX);
	assert_alive(app, c, "a long body");
	buf_fini(&b);
	free(body);
}

static void test_announced_body_over_the_limit_is_413(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);
	size_t n = (size_t)3 << 20;
	char *body = xcalloc(1, n);

	say(app, c,
	    "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3145728\r\n\r\n");
	send_all(app, c, body, n);
	assert_true(hears_end(app, c));
	assert_true(str_starts(buf_view(&c->in), "HTTP/1.1 413 "));
	assert_non_null(strstr(buf_view(&c->in), "Connection: close\r\n"));
	assert_int_equal(app->n_requests, 0);
	free(body);
}

static void test_chunked_body_over_the_limit_is_413(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);
	size_t n = BODY_MAX + 0x1000;
	char *body = xmalloc(n + 1);

	memset(body, 'b', n);
	body[n] = '\0';
	say(app, c,
	    "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "11000\r\n");
	send_all(app, c, body, n);
	say(app, c, "\r\n0\r\n\r\n");
	assert_heard(app, c, "HTTP/1.1 413 ");
	assert_alive(app, c, "a chunked 413");
	assert_int_equal(app->n_requests, 1);
	free(body);
}

static void test_endless_chunked_body_is_cut(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);
	char *body = xcalloc(1, (size_t)4 << 20);

	say(app, c,
	    "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "ffffff\r\n");
	send_all(app, c, body, (size_t)4 << 20);
	assert_true(hears_end(app, c));
	assert_int_equal(app->n_requests, 0);
	free(body);
}

static void test_refusal_by_head_does_not_read_the_body(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);
	char *body = xcalloc(1, 60000);

	say(app, c,
	    "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: "
	    "60000\r\n\r\n");
	assert_heard(app, c, "refused");
	send_all(app, c, body, 60000);
	assert_true(hears_end(app, c));
	assert_true(str_starts(buf_view(&c->in), "HTTP/1.1 403 "));
	assert_int_equal(app->n_requests, 0);
	assert_int_equal(app->n_done, 1);
	assert_int_equal(app->last_status, 403);
	free(body);
}

static void test_expect_continue(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);

	say(app, c,
	    "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
	    "Expect: 100-continue\r\n\r\n");
	assert_heard(app, c, "HTTP/1.1 100 Continue\r\n\r\n");
	say(app, c, "ok");
	assert_heard(app, c, "|ok$");
	c = client_open(app, 1);
	say(app, c,
	    "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
	    "Expect: 100-continue\r\n\r\n");
	assert_true(hears_end(app, c));
	assert_true(str_starts(buf_view(&c->in), "HTTP/1.1 403 "));
}

/* ---- refusals ----------------------------------------------------------- */

static void test_malformed_requests_are_refused(void **state)
{
	static const struct {
		const char *status, *request;
	} table[] = {
		{ "400", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
			 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
		{ "400", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
			 "Content-Length: 1\r\n\r\nx" },
		{ "400",
		    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n"
		    "\r\nx" },
		{ "400", "POST / HTTP/1.1\r\nHost: h\r\n"
			 "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" },
		{ "400", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
			 "0\r\n\r\n" },
		{ "400",
		    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 5\r\n\r\n"
		    "GET /" },
		{ "400", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5x\r\n"
			 "\r\nabcde" },
		{ "400", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n"
			 "\r\n" },
		{ "413", "POST / HTTP/1.1\r\nHost: h\r\n"
			 "Content-Length: 99999999999999999999999\r\n\r\n" },
		{ "400", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" },
		{ "400", "GET / HTTP/1.1\r\nX-Test: a\r\n\r\n" },
		{ "400", "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n" },
		{ "400", "GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n" },
		{ "400", "GET / HTTP/1.1\r\nHost: h\r\n:\r\n\r\n" },
		{ "400", "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n" },
		{ "400", "GET / HTTP/1.1\r\nHost: h\nX: a\r\n\r\n" },
		{ "400", "GET / HTTP/1.1\r\nHost: h\r\n\n" },
		{ "400", "GET / HTTP/1.1\nHost: h\r\n\r\n" },
		{ "400", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n" },
		{ "400", "GET /  HTTP/1.1\r\nHost: h\r\n\r\n" },
		{ "400", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n" },
		{ "400", "GET relative HTTP/1.1\r\nHost: h\r\n\r\n" },
		{ "400", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n" },
		{ "400", "GET /a\x01 HTTP/1.1\r\nHost: h\r\n\r\n" },
		{ "400", "G(T / HTTP/1.1\r\nHost: h\r\n\r\n" },
		{ "400", "GET / HTTX/1.1\r\nHost: h\r\n\r\n" },
		{ "505", "GET / HTTP/2.0\r\nHost: h\r\n\r\n" },
		{ "400", "POST / HTTP/1.1\r\nHost: h\r\n"
			 "Transfer-Encoding: chunked\r\n\r\nzz\r\n" },
	};
	struct app *app = *state;

	for (size_t i = 0; i < N_OF(table); i++) {
		struct client *c = client_open(app, 0);
		char want[32];

		say(app, c, table[i].request);
		(void)hears_end(app, c);
		assert_int_equal(str_format(want, sizeof want, "HTTP/1.1 %s ",
				     table[i].status),
		    0);
		if (!c->is_eof || !str_starts(buf_view(&c->in), want))
			fail_msg(
			    "%s\n-> %s", table[i].request, buf_view(&c->in));
		client_close(c);
		assert_int_equal(app->n_requests, 0);
	}
}

static void send_filled(struct app *app, struct client *c, const char *before,
    char fill, size_t n, const char *after)
{
	struct buf b;

	buf_init(&b, (size_t)1 << 20);
	buf_str(&b, before);
	for (size_t i = 0; i < n; i++)
		buf_char(&b, fill);
	buf_str(&b, after);
	send_all(app, c, b.data, b.len);
	buf_fini(&b);
}

static void test_too_long_heads_are_431(void **state)
{
	static const size_t lengths[] = { 16384, 20000, 60000, 400000 };
	struct app *app = *state;

	for (size_t i = 0; i < N_OF(lengths); i++) {
		struct client *c = client_open(app, 0);

		send_filled(app, c, "GET / HTTP/1.1\r\nHost: h\r\nX: ", 'x',
		    lengths[i], "\r\n\r\n");
		assert_true(hears_end(app, c));
		if (!str_starts(buf_view(&c->in), "HTTP/1.1 431 "))
			fail_msg("%zu -> %s", lengths[i], buf_view(&c->in));
		client_close(c);
	}
	assert_int_equal(app->n_requests, 0);
}

static void test_too_long_targets_are_refused(void **state)
{
	static const struct {
		size_t len;
		const char *status;
	} table[] = {
		{ 17000, "HTTP/1.1 431 " },
		{ 400000, "HTTP/1.1 414 " },
	};
	struct app *app = *state;

	for (size_t i = 0; i < N_OF(table); i++) {
		struct client *c = client_open(app, 0);

		send_filled(app, c, "GET /?", '&', table[i].len,
		    " HTTP/1.1\r\nHost: h\r\n\r\n");
		assert_true(hears_end(app, c));
		if (!str_starts(buf_view(&c->in), table[i].status))
			fail_msg("%zu -> %s", table[i].len, buf_view(&c->in));
		client_close(c);
	}
}

static void test_too_many_cookies_are_refused(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);

	send_filled(app, c, "GET / HTTP/1.1\r\nHost: h\r\nCookie: a", ';',
	    15000, "\r\n\r\n");
	(void)hears(app, c, "\r\n\r\n");
	assert_true(str_starts(buf_view(&c->in), "HTTP/1.1 "));
	client_close(c);
	c = client_open(app, 0);
	{
		struct buf b;

		buf_init(&b, 65536);
		buf_str(&b, "GET / HTTP/1.1\r\nHost: h\r\nCookie: ");
		while (b.len < 16000)
			buf_str(&b, "a=b;");
		buf_str(&b, "\r\n\r\n");
		send_all(app, c, b.data, b.len);
		buf_fini(&b);
	}
	assert_true(hears_end(app, c));
	assert_true(str_starts(buf_view(&c->in), "HTTP/1.1 431 "));
}

/* libmicrohttpd does not tell of the end of such a request. */
static void test_doubly_bad_head_leaves_nothing_behind(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);
	struct buf b;

	buf_init(&b, 65536);
	buf_str(&b, "POST / HTTP/1.1\r\nHost: h\r\nCookie: ");
	while (b.len < 16000)
		buf_str(&b, "a=b;");
	buf_str(&b, "\r\nContent-Length: x\r\n\r\n");
	send_all(app, c, b.data, b.len);
	buf_fini(&b);
	assert_true(hears_end(app, c));
	httpd_close(&app->httpd);
	assert_int_equal(app->n_done, 0);
}

static void test_nul_bytes_are_refused(void **state)
{
	static const struct slice table[] = {
		{ "GET /x\0y HTTP/1.1\r\nHost: h\r\n\r\n", 31 },
		{ "GET / HTTP/1.1\r\nHost: h\0\r\n\r\n", 28 },
		{ "GET / HTTP/1.1\r\nHost: h\r\nX\0: y\r\n\r\n", 33 },
		{ "G\0T / HTTP/1.1\r\nHost: h\r\n\r\n", 27 },
	};
	struct app *app = *state;

	for (size_t i = 0; i < N_OF(table); i++) {
		struct client *c = client_open(app, 0);

		send_all(app, c, table[i].p, table[i].len);
		assert_true(hears_end(app, c));
		assert_true(str_starts(buf_view(&c->in), "HTTP/1.1 400 "));
		client_close(c);
	}
	assert_int_equal(app->n_requests, 0);
}

/* ---- streams ------------------------------------------------------------ */

static void test_stream_delivers_each_piece(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);
	struct http_req *req;

	say(app, c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_heard(app, c, "6\r\nfirst;\r\n");
	assert_non_null(
	    strstr(buf_view(&c->in), "Transfer-Encoding: chunked\r\n"));
	for (int i = 0; i < 3; i++) {
		req = httpd_find(app->httpd, app->late_id);
		assert_non_null(req);
		buf_reset(&c->in);
		assert_true(http_stream_write(req, "piece", 5));
		assert_heard(app, c, "5\r\npiece\r\n");
	}
	http_stream_end(httpd_find(app->httpd, app->late_id));
	assert_heard(app, c, "0\r\n\r\n");
	assert_true(wait_count(app, &app->n_done, 1));
	assert_int_equal(app->last_status, 200);
	assert_alive(app, c, "a stream");
}

static void test_stream_ends_at_once_when_its_client_leaves(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);

	say(app, c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_heard(app, c, "first;");
	client_close(c);
	assert_true(wait_count(app, &app->n_done, 1));
	assert_null(httpd_find(app->httpd, app->late_id));
}

static void test_stream_over_its_queue_is_cut(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);

	say(app, c, "GET /flood HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(wait_count(app, &app->n_requests, 1));
	assert_false(app->stream_ok);
	assert_true(hears_end(app, c));
	assert_true(wait_count(app, &app->n_done, 1));
}

static void test_stream_to_a_client_that_does_not_read_is_cut(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);
	char block[8192];
	struct http_req *req;
	int n = 0;

	memset(block, 'x', sizeof block);
	say(app, c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_heard(app, c, "first;");
	watch_stop(&c->watch);
	while ((req = httpd_find(app->httpd, app->late_id)) && n < 100000 &&
	       http_stream_write(req, block, sizeof block)) {
		n++;
		loop_turn(app->loop, 0);
	}
	assert_true(n < 100000);
	assert_true(wait_count(app, &app->n_done, 1));
	assert_null(httpd_find(app->httpd, app->late_id));
}

static void test_stream_to_http_1_0_ends_with_the_connection(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);

	say(app, c, "GET /stream HTTP/1.0\r\n\r\n");
	assert_heard(app, c, "\r\n\r\nfirst;");
	http_stream_end(httpd_find(app->httpd, app->late_id));
	assert_true(hears_end(app, c));
	assert_true(str_ends(buf_view(&c->in), "\r\n\r\nfirst;"));
}

static void test_head_of_a_stream_has_no_body(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);

	say(app, c, "HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_heard(app, c, "\r\n\r\n");
	assert_alive(app, c, "HEAD of a stream");
	assert_true(str_starts(buf_view(&c->in), "HTTP/1.1 200 OK\r\n"));
	assert_int_equal(app->n_done, 2);
}

/* ---- unix sockets ------------------------------------------------------- */

static void test_unix_socket(void **state)
{
	char dir[] = "/tmp/test-httpd-XXXXXX", path[64];
	struct app *app;
	struct client *c;
	struct err err;
	int fd;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(str_format(path, sizeof path, "%s/s", dir), 0);
	fd = sock_listen_unix(
	    path, SOCK_STREAM, 0600, (uid_t)-1, (gid_t)-1, &err);
	assert_true(fd >= 0);
	app = app_new(fd, NULL);
	*state = app;
	assert_int_equal(sock_connect_unix(path, SOCK_STREAM, &fd, &err), 0);
	client_adopt(app, &app->clients[0], fd);
	c = &app->clients[0];
	say(app, c,
	    "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
	assert_heard(app, c, "POST|/x|/x|(none)||(none)|0|hi$");
	assert_alive(app, c, "a request by a unix socket");
	say(app, c, "GET /late HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(wait_count(app, &app->n_requests, 3));
	client_close(c);
	assert_true(wait_count(app, &app->n_done, 3));
	assert_int_equal(app->last_status, 0);
	unlink(path);
	rmdir(dir);
}

#define T(f)     cmocka_unit_test_setup_teardown(f, setup, teardown)
#define T2(f, s) cmocka_unit_test_setup_teardown(f, s, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_raw_target_and_any_method_survive),
		T(test_absolute_target_is_split),
		T(test_long_target_works),
		T(test_head_of_nearly_16_kib_works),
		T(test_connection_lives_on_after_each_kind_of_reply),
		T(test_pipelined_requests_are_answered_in_order),
		T(test_connection_closes_when_asked),
		T(test_http_1_0_keep_alive),
		T2(test_connections_over_the_limit_wait, setup_narrow),
		T(test_head_204_and_304_have_no_body),
		T(test_late_answer_comes_through),
		T(test_client_that_leaves_ends_the_request),
		T2(test_deadline_answers_503, setup_hasty),
		T2(test_slow_body_is_cut_at_the_deadline, setup_hasty),
		T(test_close_ends_open_requests),
		T(test_quiesce_lets_running_answers_go_on),
		T(test_body_at_the_limit_is_taken),
		T(test_announced_body_over_the_limit_is_413),
		T(test_chunked_body_over_the_limit_is_413),
		T(test_endless_chunked_body_is_cut),
		T(test_refusal_by_head_does_not_read_the_body),
		T(test_expect_continue),
		T(test_malformed_requests_are_refused),
		T(test_too_long_heads_are_431),
		T(test_too_long_targets_are_refused),
		T(test_too_many_cookies_are_refused),
		T(test_doubly_bad_head_leaves_nothing_behind),
		T(test_nul_bytes_are_refused),
		T(test_stream_delivers_each_piece),
		T(test_stream_ends_at_once_when_its_client_leaves),
		T(test_stream_over_its_queue_is_cut),
		T(test_stream_to_a_client_that_does_not_read_is_cut),
		T(test_stream_to_http_1_0_ends_with_the_connection),
		T(test_head_of_a_stream_has_no_body),
		cmocka_unit_test_teardown(test_unix_socket, teardown),
	};

	log_open("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
