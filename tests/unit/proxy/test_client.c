/*
 * proxy/client: the hub's calls, against a small API in the same loop.
 */
#include "test_util.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/loop.h"
#include "proxy/client.h"

#define ANSWERS_MAX 64

struct world {
	struct test_dir dir;
	char path[128];
	struct loop *loop;
	struct httpd *httpd;
	struct proxy_client *client;
	/* What the API answers, one after another; 0: 200 from then on. */
	int statuses[ANSWERS_MAX];
	const char *body;
	bool holds; /* do not answer */
	uint64_t held[ANSWERS_MAX];
	int n_requests, n_held, n_open, most_open;
	char last[256], last_body[256], token[64];
	/* What the callbacks saw. */
	int n_done;
	enum err_code code;
	char text[480];
	size_t n_routes;
	int n_parts, ends_at_part;
	uint64_t list_id;
	char order[64];
};

static struct world w;

static void on_request(struct http_req *req, void *arg)
{
	int status;

	(void)arg;
	snprintf(w.last, sizeof w.last, "%s %s", req->method, req->target);
	snprintf(w.last_body, sizeof w.last_body, "%.*s", (int)req->body.len,
	    req->body.p == NULL ? "" : req->body.p);
	snprintf(
	    w.token, sizeof w.token, "%s", http_header(req, "Authorization"));
	status = w.statuses[w.n_requests++ % ANSWERS_MAX];
	w.n_open++;
	if (w.n_open > w.most_open)
		w.most_open = w.n_open;
	if (w.holds) {
		w.held[w.n_held++] = req->id;
		return;
	}
	http_reply(req, status == 0 ? 200 : status, w.body, strlen(w.body));
}

static void on_gone(struct http_req *req, int status, void *arg)
{
	(void)req;
	(void)status;
	(void)arg;
	w.n_open--;
}

static void quiet(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

static int set_up(void **state)
{
	const struct httpd_callbacks cb = {
		.on_request = on_request,
		.on_done = on_gone,
	};
	struct proxy_client_options opt = {
		.api_url = "http://localhost/",
		.token = "secret",
		.retry_ms = 300,
	};
	const struct httpd_options server = { .deadline_ms = 0 };
	struct err err;
	int fd;

	(void)state;
	memset(&w, 0, sizeof w);
	w.body = "{}";
	log_set_sink(quiet, NULL);
	test_dir_make(&w.dir);
	snprintf(w.path, sizeof w.path, "%s/api.sock", w.dir.path);
	w.loop = loop_new();
	fd = sock_listen_unix(
	    w.path, SOCK_STREAM, 0600, (uid_t)-1, (gid_t)-1, &err);
	test_ok(fd, &err);
	w.httpd = httpd_open(w.loop, fd, &server, &cb, &err);
	assert_non_null(w.httpd);
	opt.unix_socket = w.path;
	w.client = proxy_client_new(w.loop, &opt);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	proxy_client_free(&w.client);
	httpd_close(&w.httpd);
	loop_free(&w.loop);
	test_dir_remove(&w.dir);
	log_set_sink(NULL, NULL);
	return 0;
}

static void on_done(const struct err *err, void *arg)
{
	size_t n = strlen(w.order);

	if (arg != NULL && n + 1 < sizeof w.order)
		w.order[n] = *(const char *)arg;
	w.code = err->code;
	snprintf(w.text, sizeof w.text, "%s", err->text);
	w.n_done++;
}

static void on_list(const struct err *err, const json_t *routes, void *arg)
{
	if (routes == NULL) {
		on_done(err, arg);
		return;
	}
	assert_int_equal(err->code, ERR_NONE);
	w.n_routes += json_object_size(routes);
	w.n_parts++;
	if (w.ends_at_part == w.n_parts)
		proxy_cancel(w.client, w.list_id);
}

static void run_until(const int *value, int wanted)
{
	for (int i = 0; i < 2000 && *value < wanted; i++)
		loop_turn(w.loop, 20);
	assert_int_equal(*value, wanted);
}

static void test_add_sends_target_and_data(void **state)
{
	json_t *data = json_pack("{s:s}", "user", "alice");

	(void)state;
	w.statuses[0] = 201;
	proxy_add(w.client, "/user/a%40b", "http://h:1", data, on_done, NULL);
	json_decref(data);
	assert_int_equal(w.n_done, 0);
	run_until(&w.n_done, 1);
	assert_int_equal(w.code, ERR_NONE);
	assert_string_equal(w.last, "POST /api/routes/user/a%40b");
	assert_string_equal(w.last_body,
	    "{\"user\":\"alice\",\"target\":\"http://h:1\","
	    "\"jupyterhub\":true}");
	assert_string_equal(w.token, "token secret");
}

static void test_deleting_what_is_not_there_is_done(void **state)
{
	(void)state;
	w.statuses[0] = 404;
	proxy_delete(w.client, "/x", on_done, NULL);
	run_until(&w.n_done, 1);
	assert_int_equal(w.code, ERR_NONE);
	assert_string_equal(w.last, "DELETE /api/routes/x");
}

static void test_list_gives_the_object(void **state)
{
	(void)state;
	w.body = "{\"/a\":{\"target\":\"x\"},\"/b\":{}}";
	proxy_list(w.client, on_list, NULL);
	run_until(&w.n_done, 1);
	assert_int_equal(w.code, ERR_NONE);
	assert_int_equal(w.n_routes, 2);
	assert_string_equal(w.last, "GET /api/routes");
}

/* {"/r0":{},"/r1":{}, ... */
static char *long_list(int n, const char *end)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_char(&b, '{');
	for (int i = 0; i < n; i++)
		buf_printf(&b, "%s\"/r%d\": {\"target\":\"{,}\"}",
		    i > 0 ? ", " : "", i);
	buf_str(&b, end);
	return buf_steal(&b);
}

static void test_a_long_list_comes_in_parts(void **state)
{
	char *text = long_list(1000, "}");

	(void)state;
	w.body = text;
	proxy_list(w.client, on_list, NULL);
	run_until(&w.n_parts, 1);
	assert_int_equal(w.n_done, 0);
	run_until(&w.n_done, 1);
	assert_int_equal(w.code, ERR_NONE);
	assert_int_equal(w.n_routes, 1000);
	assert_int_equal(w.n_parts, 4);
	free(text);
}

static void test_a_long_list_can_be_cancelled_between_its_parts(void **state)
{
	char *text = long_list(1000, "}");

	(void)state;
	w.body = text;
	w.ends_at_part = 2;
	w.list_id = proxy_list(w.client, on_list, NULL);
	run_until(&w.n_parts, 2);
	for (int i = 0; i < 5; i++)
		loop_turn(w.loop, 1);
	assert_int_equal(w.n_parts, 2);
	assert_int_equal(w.n_done, 0);
	free(text);
}

static void test_a_long_list_that_breaks_off_ends_with_an_error(void **state)
{
	char *text = long_list(300, "");

	(void)state;
	w.body = text;
	proxy_list(w.client, on_list, NULL);
	run_until(&w.n_done, 1);
	assert_int_equal(w.code, ERR_PROTOCOL);
	assert_int_equal(w.n_parts, 1);
	free(text);
}

static void test_a_list_that_is_no_object_is_an_error(void **state)
{
	static const char *const bodies[] = { "[]", "{", "", "1" };

	(void)state;
	for (size_t i = 0; i < N_OF(bodies); i++) {
		w.body = bodies[i];
		proxy_list(w.client, on_list, NULL);
		run_until(&w.n_done, (int)i + 1);
		assert_int_equal(w.code, ERR_PROTOCOL);
	}
}

static void test_a_wrong_token_is_denied_at_once(void **state)
{
	(void)state;
	w.statuses[0] = 403;
	proxy_add(w.client, "/x", "http://h", NULL, on_done, NULL);
	run_until(&w.n_done, 1);
	assert_int_equal(w.code, ERR_DENIED);
	assert_null(strstr(w.text, "secret"));
	assert_int_equal(w.n_requests, 1);
}

static void test_a_refusal_is_not_tried_again(void **state)
{
	(void)state;
	w.statuses[0] = 400;
	w.body = "bad target";
	proxy_add(w.client, "/x", "http://h", NULL, on_done, NULL);
	run_until(&w.n_done, 1);
	assert_int_equal(w.code, ERR_PROTOCOL);
	assert_non_null(strstr(w.text, "400: bad target"));
	assert_int_equal(w.n_requests, 1);
}

static void test_failures_that_pass_are_tried_again(void **state)
{
	(void)state;
	w.statuses[0] = 503;
	w.statuses[1] = 429;
	w.statuses[2] = 201;
	proxy_add(w.client, "/x", "http://h", NULL, on_done, NULL);
	run_until(&w.n_done, 1);
	assert_int_equal(w.code, ERR_NONE);
	assert_int_equal(w.n_requests, 3);
}

static void test_it_gives_up_after_the_time(void **state)
{
	(void)state;
	for (int i = 0; i < ANSWERS_MAX; i++)
		w.statuses[i] = 500;
	proxy_add(w.client, "/x", "http://h", NULL, on_done, NULL);
	run_until(&w.n_done, 1);
	assert_int_equal(w.code, ERR_UNAVAILABLE);
	assert_true(w.n_requests > 1 && w.n_requests < 10);
}

static void test_a_proxy_that_is_away_is_unavailable(void **state)
{
	(void)state;
	httpd_close(&w.httpd);
	proxy_list(w.client, on_list, NULL);
	run_until(&w.n_done, 1);
	assert_int_equal(w.code, ERR_UNAVAILABLE);
}

static void answer_held(int status)
{
	for (int i = 0; i < w.n_held; i++) {
		struct http_req *req = httpd_find(w.httpd, w.held[i]);

		if (req != NULL)
			http_reply(req, status, "", 0);
	}
	w.n_held = 0;
}

static void test_ten_run_and_the_rest_waits(void **state)
{
	char path[16];

	(void)state;
	w.holds = true;
	for (int i = 0; i < 25; i++) {
		snprintf(path, sizeof path, "/r%d", i);
		proxy_add(w.client, path, "http://h", NULL, on_done, NULL);
	}
	run_until(&w.n_requests, 10);
	for (int i = 0; i < 5; i++)
		loop_turn(w.loop, 1);
	assert_int_equal(w.n_requests, 10);
	w.holds = false;
	answer_held(201);
	run_until(&w.n_done, 25);
	assert_int_equal(w.most_open, 10);
}

static void test_calls_for_one_path_keep_their_order(void **state)
{
	(void)state;
	w.holds = true;
	proxy_add(w.client, "/x", "http://h", NULL, on_done, "1");
	proxy_delete(w.client, "/x", on_done, "2");
	proxy_add(w.client, "/y", "http://h", NULL, on_done, "y");
	run_until(&w.n_requests, 2);
	for (int i = 0; i < 5; i++)
		loop_turn(w.loop, 1);
	assert_int_equal(w.n_requests, 2);
	w.holds = false;
	answer_held(201);
	run_until(&w.n_done, 3);
	assert_true(strchr(w.order, '1') < strchr(w.order, '2'));
}

static void test_a_cancelled_call_does_not_come_back(void **state)
{
	uint64_t first, second;

	(void)state;
	w.holds = true;
	first = proxy_add(w.client, "/x", "http://h", NULL, on_done, NULL);
	second = proxy_delete(w.client, "/x", on_done, NULL);
	run_until(&w.n_requests, 1);
	proxy_cancel(w.client, second);
	proxy_cancel(w.client, first);
	proxy_cancel(w.client, 12345);
	w.holds = false;
	proxy_list(w.client, on_list, NULL);
	run_until(&w.n_done, 1);
	assert_int_equal(w.n_requests, 2);
}

static void test_freeing_ends_everything_silently(void **state)
{
	(void)state;
	w.holds = true;
	for (int i = 0; i < 12; i++)
		proxy_list(w.client, on_list, NULL);
	run_until(&w.n_requests, 1);
	proxy_client_free(&w.client);
	for (int i = 0; i < 5; i++)
		loop_turn(w.loop, 1);
	assert_int_equal(w.n_done, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_add_sends_target_and_data),
		TEST(test_deleting_what_is_not_there_is_done),
		TEST(test_list_gives_the_object),
		TEST(test_a_long_list_comes_in_parts),
		TEST(test_a_long_list_can_be_cancelled_between_its_parts),
		TEST(test_a_long_list_that_breaks_off_ends_with_an_error),
		TEST(test_a_list_that_is_no_object_is_an_error),
		TEST(test_a_wrong_token_is_denied_at_once),
		TEST(test_a_refusal_is_not_tried_again),
		TEST(test_failures_that_pass_are_tried_again),
		TEST(test_it_gives_up_after_the_time),
		TEST(test_a_proxy_that_is_away_is_unavailable),
		TEST(test_ten_run_and_the_rest_waits),
		TEST(test_calls_for_one_path_keep_their_order),
		TEST(test_a_cancelled_call_does_not_come_back),
		TEST(test_freeing_ends_everything_silently),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
