/*
 * base/fetch: against base/httpd for what is right, and against sockets that
 * answer canned bytes for what is wrong. One loop drives all.
 */
#include "test_util.h"

#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/fetch.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#define WAIT_MS   8000
/* Over the size at which curl would ask for 100 Continue. */
#define LONG_BODY ((size_t)2 << 20)

/* A server that says one thing to whoever connects. */
struct parrot {
	struct watch listen, conn;
	int listen_fd, conn_fd;
	const char *text;
	bool closes;
};

struct world {
	struct loop *loop;
	struct fetcher *fetcher;
	struct httpd *httpd;
	uint16_t port;
	char url[96];
	struct parrot parrot;
	int n_requests, n_running, max_running;
	uint64_t waiting[16];
	/* What came back. */
	int n_done, status;
	struct err err;
	struct buf body;
	char header[64];
	size_t n_headers;
	bool frees_fetcher;
};

/* ---- the servers -------------------------------------------------------- */

static void echo(struct http_req *req)
{
	const char *names[] = { "Host", "User-Agent", "Content-Type", "Expect",
		"X-One", "Content-Length", "Transfer-Encoding", "Cookie" };
	struct buf b;

	buf_init(&b, 2 * LONG_BODY);
	buf_printf(&b, "%s %s\n", req->method, req->target);
	for (size_t i = 0; i < N_OF(names); i++) {
		const char *v = http_header(req, names[i]);

		if (v && !str_eq(names[i], "Host"))
			buf_printf(&b, "%s: %s\n", names[i], v);
	}
	buf_slice(&b, req->body);
	http_set(req, "X-Back", "  yes ");
	http_set(req, "Set-Cookie", "a=b");
	http_reply(req, 201, b.data, b.len);
	buf_fini(&b);
}

static void on_request(struct http_req *req, void *arg)
{
	struct world *w = arg;
	char big[5000];

	w->n_requests++;
	if (str_eq(req->path, "/redirect")) {
		http_set(req, "Location", "/echo");
		http_reply(req, 302, NULL, 0);
	} else if (str_eq(req->path, "/big")) {
		memset(big, 'x', sizeof big);
		http_reply(req, 200, big, sizeof big);
	} else if (str_eq(req->path, "/empty")) {
		http_reply(req, 204, NULL, 0);
	} else if (str_eq(req->path, "/wait")) {
		w->waiting[w->n_running++ % 16] = req->id;
		if (w->n_running > w->max_running)
			w->max_running = w->n_running;
	} else {
		echo(req);
	}
}

static void on_parrot_conn(struct watch *watch, uint32_t events, void *arg)
{
	struct parrot *p = arg;
	char in[4096];
	ssize_t n = recv(p->conn_fd, in, sizeof in, MSG_DONTWAIT);

	(void)watch, (void)events;
	if (n > 0 && p->text)
		(void)send(p->conn_fd, p->text, strlen(p->text), MSG_NOSIGNAL);
	if (n > 0 && !p->closes)
		return;
	watch_stop(&p->conn);
	fd_close(&p->conn_fd);
}

static void on_parrot(struct watch *watch, uint32_t events, void *arg)
{
	struct parrot *p = arg;
	struct err err;

	(void)events;
	watch_stop(&p->conn);
	fd_close(&p->conn_fd);
	p->conn_fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(p->conn_fd >= 0);
	test_ok(watch_start(watch->loop, &p->conn, p->conn_fd, EPOLLIN,
		    on_parrot_conn, p, &err),
	    &err);
}

/* From now on the URL leads to the parrot. */
static void parrot_open(struct world *w, const char *text, bool closes)
{
	struct parrot *p = &w->parrot;
	struct err err;

	p->text = text;
	p->closes = closes;
	p->listen_fd = sock_listen_tcp("127.0.0.1", 0, false, &err);
	test_ok(p->listen_fd, &err);
	test_ok(watch_start(w->loop, &p->listen, p->listen_fd, EPOLLIN,
		    on_parrot, p, &err),
	    &err);
	test_ok(str_format(w->url, sizeof w->url,
		    "http://127.0.0.1:%u/p?token=secret",
		    (unsigned)sock_port(p->listen_fd)),
	    &err);
}

static void parrot_close(struct parrot *p)
{
	watch_stop(&p->listen);
	watch_stop(&p->conn);
	fd_close(&p->listen_fd);
	fd_close(&p->conn_fd);
}

/* ---- fixture ------------------------------------------------------------ */

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof *w);
	const struct httpd_callbacks cb = { .on_request = on_request,
		.arg = w };
	struct err err;
	int fd = sock_listen_tcp("127.0.0.1", 0, false, &err);

	test_ok(fd, &err);
	w->loop = loop_new();
	w->port = sock_port(fd);
	w->httpd = httpd_open(w->loop, fd,
	    &(struct httpd_options){ .max_body_bytes = LONG_BODY }, &cb, &err);
	assert_non_null(w->httpd);
	w->fetcher = fetcher_new(w->loop, 2);
	w->parrot.listen_fd = w->parrot.conn_fd = -1;
	buf_init(&w->body, 2 * LONG_BODY);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	fetcher_free(&w->fetcher);
	parrot_close(&w->parrot);
	httpd_close(&w->httpd);
	loop_free(&w->loop);
	buf_fini(&w->body);
	free(w);
	return 0;
}

static void on_result(const struct fetch_result *res, void *arg)
{
	struct world *w = arg;
	const char *back = fetch_header(res, "x-back");

	w->n_done++;
	w->status = res->status;
	w->err = res->err;
	w->n_headers = res->n_headers;
	buf_reset(&w->body);
	buf_slice(&w->body, res->body);
	test_ok(str_copy(w->header, sizeof w->header, back ? back : "(none)"),
	    &w->err);
	if (w->frees_fetcher)
		fetcher_free(&w->fetcher);
}

static const char *url_to(struct world *w, const char *path)
{
	assert_int_equal(str_format(w->url, sizeof w->url,
			     "http://127.0.0.1:%u%s", (unsigned)w->port, path),
	    0);
	return w->url;
}

static bool wait_done(struct world *w, int n)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	while (w->n_done < n && clock_mono_ms() < until)
		loop_turn(w->loop, 50);
	return w->n_done >= n;
}

static void run(struct world *w, struct fetch_req *req)
{
	int before = w->n_done;

	if (!req->url)
		req->url = w->url;
	assert_true(fetch_start(w->fetcher, req, on_result, w) > 0);
	assert_int_equal(w->n_done, before);
	assert_true(wait_done(w, before + 1));
}

static void assert_failed(struct world *w, enum err_code code, const char *text)
{
	assert_int_equal(w->status, 0);
	test_err_says(&w->err, text);
	assert_int_equal(w->err.code, code);
	assert_null(strstr(w->err.text, "secret"));
}

/* ---- exchanges ---------------------------------------------------------- */

static void test_get(void **state)
{
	struct world *w = *state;
	const struct fetch_header head[] = {
		{ "X-One", "1" },
		{ "X-Empty", "" },
	};

	run(w, &(struct fetch_req){ .url = url_to(w, "/a%2Fb/../c//?x=%41+"),
		   .headers = head,
		   .n_headers = 2 });
	assert_int_equal(w->status, 201);
	assert_int_equal(w->err.code, ERR_NONE);
	assert_string_equal(
	    buf_view(&w->body), "GET /a%2Fb/../c//?x=%41+\nX-One: 1\n");
	assert_string_equal(w->header, "yes");
	run(w, &(struct fetch_req){ .url = url_to(w, "/second") });
	assert_string_equal(buf_view(&w->body), "GET /second\n");
	assert_int_equal(httpd_connections(w->httpd), 1);
}

static void test_methods_and_bodies(void **state)
{
	static const struct {
		const char *method, *body, *says;
	} table[] = {
		{ "POST", "{}", "POST /x\nContent-Length: 2\n{}" },
		{ "POST", "", "POST /x\nContent-Length: 0\n" },
		{ "POST", NULL, "POST /x\nContent-Length: 0\n" },
		{ "PUT", "abc", "PUT /x\nContent-Length: 3\nabc" },
		{ "PATCH", "abc", "PATCH /x\nContent-Length: 3\nabc" },
		{ "DELETE", NULL, "DELETE /x\n" },
		{ "DELETE", "abc", "DELETE /x\nContent-Length: 3\nabc" },
		{ "HEAD", NULL, "" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < N_OF(table); i++) {
		run(w, &(struct fetch_req){ .url = url_to(w, "/x"),
			   .method = table[i].method,
			   .body = table[i].body,
			   .body_len =
			       table[i].body ? strlen(table[i].body) : 0 });
		assert_int_equal(w->status, 201);
		assert_string_equal(buf_view(&w->body), table[i].says);
	}
}

static void test_long_body_is_sent_without_waiting_for_continue(void **state)
{
	struct world *w = *state;
	size_t n = LONG_BODY;
	char *body = xmalloc(n);

	memset(body, 'b', n);
	run(w, &(struct fetch_req){ .url = url_to(w, "/x"),
		   .method = "POST",
		   .body = body,
		   .body_len = n,
		   .max_body_bytes = 2 * LONG_BODY });
	assert_int_equal(w->status, 201);
	assert_true(str_starts(
	    buf_view(&w->body), "POST /x\nContent-Length: 2097152\n"));
	assert_true(w->body.len > n);
	free(body);
}

static void test_redirects_are_not_followed(void **state)
{
	struct world *w = *state;

	run(w, &(struct fetch_req){ .url = url_to(w, "/redirect") });
	assert_int_equal(w->status, 302);
	assert_int_equal(w->n_requests, 1);
}

static void test_environment_proxy_and_cookies_are_not_used(void **state)
{
	struct world *w = *state;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	run(w, &(struct fetch_req){ .url = url_to(w, "/x") });
	run(w, &(struct fetch_req){ .url = url_to(w, "/x") });
	unsetenv("http_proxy");
	assert_int_equal(w->status, 201);
	assert_string_equal(buf_view(&w->body), "GET /x\n");
}

static void test_unix_socket(void **state)
{
	struct world *w = *state;
	const struct httpd_callbacks cb = { .on_request = on_request,
		.arg = w };
	struct test_dir dir;
	struct httpd *h;
	struct err err;
	char url[128];
	int fd;

	test_dir_make(&dir);
	fd = sock_listen_unix(test_path(&dir, "s"), SOCK_STREAM, 0600,
	    (uid_t)-1, (gid_t)-1, &err);
	test_ok(fd, &err);
	h = httpd_open(w->loop, fd, NULL, &cb, &err);
	assert_non_null(h);
	run(w, &(struct fetch_req){ .url = "http://hub/x",
		   .unix_socket = test_path(&dir, "s") });
	assert_string_equal(buf_view(&w->body), "GET /x\n");
	test_ok(str_format(url, sizeof url,
		    "http+unix://%%2Ftmp%%2F%s%%2Fs/y?z", dir.path + 5),
	    &err);
	run(w, &(struct fetch_req){ .url = url });
	assert_string_equal(buf_view(&w->body), "GET /y?z\n");
	run(w, &(struct fetch_req){ .url = "http://hub/x",
		   .unix_socket = test_path(&dir, "none") });
	assert_failed(w, ERR_UNAVAILABLE, "/none: No such file or directory");
	httpd_close(&h);
	test_dir_remove(&dir);
}

static void test_interim_answer_is_skipped(void **state)
{
	struct world *w = *state;

	parrot_open(w,
	    "HTTP/1.1 103 Early Hints\r\nX-Back: early\r\n\r\n"
	    "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nok",
	    false);
	run(w, &(struct fetch_req){ 0 });
	assert_int_equal(w->status, 200);
	assert_int_equal(w->n_headers, 2);
	assert_string_equal(w->header, "(none)");
}

/* ---- failures ----------------------------------------------------------- */

static void test_refused_connection_is_named(void **state)
{
	struct world *w = *state;
	char says[96];
	struct err err;

	parrot_open(w, NULL, true);
	test_ok(str_format(says, sizeof says,
		    "connect to 127.0.0.1:%u: Connection refused",
		    (unsigned)sock_port(w->parrot.listen_fd)),
	    &err);
	parrot_close(&w->parrot);
	run(w, &(struct fetch_req){ 0 });
	assert_failed(w, ERR_UNAVAILABLE, says);
	assert_string_equal(w->err.text, says);
}

static void test_bad_answers(void **state)
{
	static const struct {
		const char *text;
		bool closes;
		enum err_code code;
		const char *says;
	} table[] = {
		{ NULL, true, ERR_UNAVAILABLE, "without an answer" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", true,
		    ERR_PROTOCOL, "broke off" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
		  "chunked\r\n\r\n3\r\nab",
		    true, ERR_PROTOCOL, "broke off" },
		{ "SSH-2.0-OpenSSH_9\r\n", true, ERR_PROTOCOL,
		    "does not answer with HTTP" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		    true, ERR_PROTOCOL, "is malformed" },
		{ NULL, false, ERR_TIMEOUT, "did not answer within 60 ms" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", false,
		    ERR_TIMEOUT, "did not answer within 60 ms" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < N_OF(table); i++) {
		parrot_open(w, table[i].text, table[i].closes);
		run(w, &(struct fetch_req){
			   .timeout_ms = table[i].closes ? 0 : 60 });
		assert_failed(w, table[i].code, table[i].says);
		parrot_close(&w->parrot);
	}
}

static void test_bounds_of_the_answer(void **state)
{
	struct world *w = *state;
	struct buf b;

	run(w, &(struct fetch_req){
		   .url = url_to(w, "/big"), .max_body_bytes = 4999 });
	assert_failed(w, ERR_LIMIT, "more than 4999 bytes");
	run(w, &(struct fetch_req){
		   .url = url_to(w, "/big"), .max_body_bytes = 5000 });
	assert_int_equal(w->status, 200);
	assert_int_equal(w->body.len, 5000);
	buf_init(&b, 65536);
	buf_str(&b, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
	for (int i = 0; i < 200; i++)
		buf_printf(&b, "X-%d: y\r\n", i);
	buf_str(&b, "\r\n");
	parrot_open(w, b.data, true);
	run(w, &(struct fetch_req){ 0 });
	assert_failed(w, ERR_LIMIT, "headers");
	buf_fini(&b);
}

static void test_bad_requests_fail_through_the_callback(void **state)
{
	static const struct fetch_header injected[] = {
		{ "X", "a\r\nY: b" },
	};
	static const char *const urls[] = { "ftp://h/x", "file:///etc/passwd",
		"h", "http://u:secret@h/" };
	struct world *w = *state;

	for (size_t i = 0; i < N_OF(urls); i++) {
		run(w, &(struct fetch_req){ .url = urls[i] });
		assert_failed(w, ERR_INVALID, "URL");
	}
	run(w,
	    &(struct fetch_req){
		.url = url_to(w, "/x"), .headers = injected, .n_headers = 1 });
	assert_failed(w, ERR_INVALID, "header");
	assert_int_equal(w->n_requests, 0);
}

/* ---- many at once, cancel, free ----------------------------------------- */

static void answer_waiting(struct world *w)
{
	int n = w->n_running;

	w->n_running = 0;
	for (int i = 0; i < n; i++)
		http_reply(httpd_find(w->httpd, w->waiting[i]), 200, "ok", 2);
}

static void test_connections_are_bounded(void **state)
{
	struct world *w = *state;
	int64_t until = clock_mono_ms() + WAIT_MS;

	for (int i = 0; i < 7; i++)
		(void)fetch_start(w->fetcher,
		    &(struct fetch_req){ .url = url_to(w, "/wait") }, on_result,
		    w);
	while (w->n_done < 7 && clock_mono_ms() < until) {
		loop_turn(w->loop, 20);
		if (w->n_running == 2 || w->n_requests == 7)
			answer_waiting(w);
	}
	assert_int_equal(w->n_done, 7);
	assert_int_equal(w->max_running, 2);
	assert_int_equal(w->status, 200);
}

static void test_cancel_means_no_callback(void **state)
{
	struct world *w = *state;
	const struct fetch_req req = { .url = url_to(w, "/wait") };
	const struct fetch_req bad = { .url = "ftp://h" };
	uint64_t early = fetch_start(w->fetcher, &req, on_result, w);
	uint64_t late = fetch_start(w->fetcher, &req, on_result, w);
	uint64_t broken = fetch_start(w->fetcher, &bad, on_result, w);
	int64_t until = clock_mono_ms() + WAIT_MS;

	assert_true(early > 0 && late > 0 && early != late);
	fetch_cancel(w->fetcher, early);
	fetch_cancel(w->fetcher, early);
	fetch_cancel(w->fetcher, broken);
	fetch_cancel(w->fetcher, 4711);
	while (w->n_requests < 1 && clock_mono_ms() < until)
		loop_turn(w->loop, 20);
	assert_int_equal(w->n_requests, 1);
	fetch_cancel(w->fetcher, late);
	run(w, &(struct fetch_req){ .url = "http://127.0.0.1:1/" });
	assert_int_equal(w->n_done, 1);
}

static void test_callback_may_free_the_fetcher(void **state)
{
	struct world *w = *state;

	w->frees_fetcher = true;
	for (int i = 0; i < 3; i++)
		(void)fetch_start(w->fetcher,
		    &(struct fetch_req){ .url = url_to(w, "/x") }, on_result,
		    w);
	assert_true(wait_done(w, 1));
	loop_turn(w->loop, 0);
	loop_turn(w->loop, 0);
	assert_int_equal(w->n_done, 1);
	assert_null(w->fetcher);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_get),
		T(test_methods_and_bodies),
		T(test_long_body_is_sent_without_waiting_for_continue),
		T(test_redirects_are_not_followed),
		T(test_environment_proxy_and_cookies_are_not_used),
		T(test_unix_socket),
		T(test_interim_answer_is_skipped),
		T(test_refused_connection_is_named),
		T(test_bad_answers),
		T(test_bounds_of_the_answer),
		T(test_bad_requests_fail_through_the_callback),
		T(test_connections_are_bounded),
		T(test_cancel_means_no_callback),
		T(test_callback_may_free_the_fetcher),
	};

	log_open("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
