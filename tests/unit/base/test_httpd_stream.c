/*
 * base/httpd: streams, and the server on a unix socket.
 */
#include "base/httpd_client.h"

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
	assert_true(wait_connections(app, 0));
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
	assert_true(wait_connections(app, 0));
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
	assert_true(wait_connections(app, 0));
	assert_int_equal(sock_connect_unix(path, SOCK_STREAM, &fd, &err), 0);
	client_adopt(app, c, fd);
	say(app, c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_heard(app, c, "first;");
	client_close(c);
	assert_true(wait_count(app, &app->n_done, 4));
	assert_true(wait_connections(app, 0));
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
