/*
 * base/httpd: heads that must be refused.
 */
#include "base/httpd_client.h"

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

/*
 * Two errors in one head, the first for want of memory: depending on how much
 * is left, libmicrohttpd does not tell of the end of the request.
 */
static void test_doubly_bad_head_leaves_nothing_behind(void **state)
{
	struct app *app = *state;
	int64_t until = clock_mono_ms() + WAIT_MS;

	for (size_t len = 20000; len < 60000; len += 1000) {
		struct client *c = client_open(app, 0);
		struct buf b;

		buf_init(&b, 131072);
		buf_str(&b, "GET / HTTP/1.1\r\nHost: h\r\nCookie: ");
		while (b.len < 3200)
			buf_str(&b, "a=b;");
		buf_str(&b, "\r\nContent-Length: 99999999999999999999\r\n\r\n");
		while (b.len < len)
			buf_char(&b, 'z');
		send_all(app, c, b.data, b.len);
		buf_fini(&b);
		for (int i = 0; i < 4; i++)
			loop_turn(app->loop, 1);
		client_close(c);
	}
	while (httpd_connections(app->httpd) > 0 && clock_mono_ms() < until)
		loop_turn(app->loop, 20);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_malformed_requests_are_refused),
		T(test_too_long_heads_are_431),
		T(test_too_long_targets_are_refused),
		T(test_too_many_cookies_are_refused),
		T(test_doubly_bad_head_leaves_nothing_behind),
		T(test_nul_bytes_are_refused),
	};

	log_open("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
