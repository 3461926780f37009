/*
 * base/httpd: targets, connections, replies and bodies.
 */
#include "base/httpd_client.h"

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

static void test_request_may_come_byte_by_byte(void **state)
{
	static const char text[] =
	    "POST /a?b HTTP/1.1\r\nHost: h\r\nX-Test:\r\nX-Test: 2\r\n"
	    "Content-Length: 3\r\n\r\nxyz";
	struct app *app = *state;
	struct client *c = client_open(app, 0);

	for (size_t i = 0; text[i]; i++) {
		assert_true(send_all(app, c, text + i, 1));
		loop_turn(app->loop, 1);
	}
	assert_heard(app, c, "POST|/a?b|/a|b|127.0.0.1||2|xyz$");
	assert_alive(app, c, "a slow request");
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

/* All of them have come before the server is run. */
static void ask_at_once(struct app *app)
{
	char text[64];

	for (int i = 0; i < N_CLIENTS; i++) {
		snprintf(text, sizeof text,
		    "GET /long?%d HTTP/1.1\r\nHost: h\r\n\r\n", i);
		(void)client_open(app, i);
		assert_int_equal(
		    send(app->clients[i].fd, text, strlen(text), 0),
		    strlen(text));
	}
}

static void test_a_turn_does_not_answer_all_that_come_at_once(void **state)
{
	struct app *app = *state;
	int64_t until = clock_mono_ms() + WAIT_MS;
	int before;

	ask_at_once(app);
	while (app->n_requests < N_CLIENTS && clock_mono_ms() < until) {
		before = app->n_requests;
		loop_turn(app->loop, 100);
		assert_in_range(app->n_requests - before, 0, 1);
	}
	assert_string_equal(app->order, "0123");
	for (int i = 0; i < N_CLIENTS; i++)
		assert_heard(app, &app->clients[i], "GET|/long?");
	assert_int_equal(app->n_done, N_CLIENTS);
}

/* One was called; the others wait for later turns. */
static void begin_one(struct app *app)
{
	ask_at_once(app);
	assert_true(wait_count(app, &app->n_requests, 1));
	assert_int_equal(app->n_requests, 1);
}

static void test_who_leaves_before_their_turn_is_not_served(void **state)
{
	struct app *app = *state;

	begin_one(app);
	client_close(&app->clients[3]);
	assert_true(wait_connections(app, N_CLIENTS - 1));
	assert_heard(app, &app->clients[2], "GET|/long?2|");
	assert_string_equal(app->order, "012");
	assert_alive(app, &app->clients[0], "one left");
}

static void test_close_ends_those_whose_turn_did_not_come(void **state)
{
	struct app *app = *state;

	begin_one(app);
	httpd_close(&app->httpd);
	assert_int_equal(app->n_requests, 1);
	assert_true(hears_end(app, &app->clients[3]));
}

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

static void test_client_that_leaves_a_patient_server_is_noticed(void **state)
{
	test_client_that_leaves_ends_the_request(state);
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
	assert_true(send_all(app, c, body, n));
	assert_true(hears_end(app, c));
	assert_false(c->is_reset);
	assert_true(str_starts(buf_view(&c->in), "HTTP/1.1 413 "));
	assert_non_null(strstr(buf_view(&c->in), "Connection: close\r\n"));
	assert_int_equal(app->n_requests, 0);
	free(body);
}

/* Longer than what is read on to be polite: told at once, then the end. */
static void test_endless_chunked_body_is_413(void **state)
{
	struct app *app = *state;
	struct client *c = client_open(app, 0);
	size_t n = 0x10000;
	char *body = xmalloc(n + 1);

	memset(body, 'b', n);
	body[n] = '\0';
	say(app, c,
	    "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n");
	for (int i = 0; i < 40 && !c->is_eof; i++) {
		say(app, c, "10000\r\n");
		send_all(app, c, body, n);
		say(app, c, "\r\n");
	}
	assert_heard(app, c, "HTTP/1.1 413 ");
	assert_true(hears_end(app, c));
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
	for (int i = 0; i < 3; i++)
		loop_turn(app->loop, 50);
	assert_true(send_all(app, c, body, 30000));
	loop_turn(app->loop, 5);
	assert_true(send_all(app, c, body + 30000, 30000));
	assert_true(hears_end(app, c));
	assert_false(c->is_reset);
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

static void test_shared_listener_refuses_the_newest(void **state)
{
	struct app *app = *state;
	struct client *first = client_open(app, 0), *next;

	assert_alive(app, first, "the first");
	for (int i = 1; i < N_CLIENTS; i++) {
		next = client_open(app, i);
		assert_true(hears_end(app, next));
		assert_false(next->is_reset);
		assert_true(str_starts(buf_view(&next->in), "HTTP/1.1 503 "));
		assert_alive(app, first, "a refusal");
	}
	client_close(first);
	assert_true(wait_connections(app, 0));
	client_close(&app->clients[1]);
	assert_alive(app, client_open(app, 1), "the first has left");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_raw_target_and_any_method_survive),
		T(test_absolute_target_is_split),
		T(test_long_target_works),
		T(test_request_may_come_byte_by_byte),
		T(test_head_of_nearly_16_kib_works),
		T(test_connection_lives_on_after_each_kind_of_reply),
		T(test_pipelined_requests_are_answered_in_order),
		T(test_connection_closes_when_asked),
		T(test_http_1_0_keep_alive),
		T2(test_connections_over_the_limit_wait, setup_narrow),
		T2(test_shared_listener_refuses_the_newest, setup_shared),
		T2(test_a_turn_does_not_answer_all_that_come_at_once,
		    setup_brief),
		T2(test_who_leaves_before_their_turn_is_not_served,
		    setup_brief),
		T2(test_close_ends_those_whose_turn_did_not_come, setup_brief),
		T(test_head_204_and_304_have_no_body),
		T(test_late_answer_comes_through),
		T(test_client_that_leaves_ends_the_request),
		T2(test_client_that_leaves_a_patient_server_is_noticed,
		    setup_patient),
		T2(test_deadline_answers_503, setup_hasty),
		T2(test_slow_body_is_cut_at_the_deadline, setup_hasty),
		T(test_close_ends_open_requests),
		T(test_quiesce_lets_running_answers_go_on),
		T(test_body_at_the_limit_is_taken),
		T(test_announced_body_over_the_limit_is_413),
		T(test_chunked_body_over_the_limit_is_413),
		T(test_endless_chunked_body_is_413),
		T(test_endless_chunked_body_is_cut),
		T(test_refusal_by_head_does_not_read_the_body),
		T(test_expect_continue),
	};

	log_open("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
