/*
 * proxy/api: calls over a unix socket, answered by the loop of this test. (The
 * whole contract: tests/scenario/proxy_http.py.)
 */
#include "test_util.h"

#include <sys/socket.h>

#include "base/fd.h"
#include "base/loop.h"
#include "proxy/api.h"
#include "proxy/table.h"

static struct test_dir dir;
static struct loop *loop;
static struct table *table;
static struct api *api;
static char answer[65536];

static void make_api(const char *token)
{
	struct api_options opt = { .metrics_token = "",
		.loop = loop,
		.table = table,
		.token = token };
	char path[128];
	struct err err;
	int fd;

	snprintf(path, sizeof path, "%s/api", dir.path);
	fd = sock_listen_unix(
	    path, SOCK_STREAM, 0600, (uid_t)-1, (gid_t)-1, &err);
	test_ok(fd, &err);
	api = api_new(&opt);
	test_ok(api_listen(api, fd, &err), &err);
}

static int set_up(void **state)
{
	(void)state;
	test_dir_make(&dir);
	loop = loop_new();
	table = table_new(loop, false);
	table_serve(table, NULL, 0, NULL);
	make_api("secret");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	api_free(&api);
	table_free(&table);
	loop_free(&loop);
	test_dir_remove(&dir);
	return 0;
}

/* The status of the answer; its text stands in `answer`. */
static int call(const char *line, const char *authorization)
{
	char path[128], request[1024];
	size_t len = 0;
	struct err err;
	int fd, status = 0;

	snprintf(path, sizeof path, "%s/api", dir.path);
	test_ok(sock_connect_unix(path, SOCK_STREAM, &fd, &err), &err);
	snprintf(request, sizeof request,
	    "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s%s%s\r\n", line,
	    authorization != NULL ? "Authorization: " : "",
	    authorization != NULL ? authorization : "",
	    authorization != NULL ? "\r\n" : "");
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	for (int i = 0; i < 1000; i++) {
		ssize_t n;

		loop_turn(loop, 10);
		n = read(fd, answer + len, sizeof answer - 1 - len);
		if (n == 0)
			break;
		if (n > 0)
			len += (size_t)n;
	}
	close(fd);
	answer[len] = '\0';
	assert_int_equal(sscanf(answer, "HTTP/1.1 %d", &status), 1);
	return status;
}

static void load(const char *key)
{
	json_t *data = json_pack(
	    "{s:s,s:s}", "target", "http://127.0.0.1:1", "user", "alice");
	struct err err;

	test_ok(table_load(table, key, data, 1700000000000, &err), &err);
	json_decref(data);
}

static void test_the_order_of_refusals(void **state)
{
	static const struct {
		const char *line;
		int status;
	} cases[] = {
		{ "GET /", 404 },
		{ "GET /api", 404 },
		{ "GET /api/routesx", 404 },
		{ "GET /api/holdings/", 404 },
		{ "PUT /api/routes", 405 },
		{ "HEAD /api/routes", 405 },
		{ "DELETE /api/holdings", 405 },
		{ "GET /api/routes", 403 },
		{ "GET /api/holdings", 403 },
		{ "POST /api/routes/x", 403 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		if (call(cases[i].line, NULL) != cases[i].status)
			fail_msg("%s: %s", cases[i].line, answer);
}

static void test_only_the_exact_token(void **state)
{
	static const char *const wrong[] = { "token", "token ", "token wrong",
		"token secretx", "token  secret", "Basic x token secret",
		"secret", "tokensecret", "Basic secret" };

	(void)state;
	for (size_t i = 0; i < N_OF(wrong); i++)
		if (call("GET /api/routes", wrong[i]) != 403)
			fail_msg("\"%s\" was taken", wrong[i]);
	assert_int_equal(call("GET /api/routes", "token secret"), 200);
	assert_int_equal(call("GET /api/routes", "Bearer secret"), 200);
}

static void test_one_route(void **state)
{
	(void)state;
	load("/user/a");
	assert_int_equal(call("GET /api/routes/user/a", "token secret"), 200);
	assert_non_null(strstr(answer, "\"user\":\"alice\""));
	assert_non_null(
	    strstr(answer, "\"last_activity\":\"2023-11-14T22:13:20.000Z\""));
	assert_int_equal(call("GET /api/routes/user", "token secret"), 404);
	assert_int_equal(call("GET /api/routes/%zz", "token secret"), 400);
	assert_int_equal(call("DELETE /api/routes/user", "token secret"), 404);
}

static void test_holdings(void **state)
{
	(void)state;
	load("/user/a");
	assert_int_equal(call("GET /api/holdings", "token secret"), 200);
	assert_non_null(strstr(answer,
	    "{\"order\":\"open\",\"routes\":1,\"open\":0,\"tunnels\":0,"
	    "\"bytes\":0,\"holders\":[]}"));
	assert_int_equal(
	    call("GET /api/holdings?limit=0", "token secret"), 400);
	assert_int_equal(
	    call("GET /api/holdings?order=x", "token secret"), 400);
}

static void test_dates(void **state)
{
	static const char *const bad[] = { "", "yesterday", "2026-13-01",
		"2026-01-02T25:00:00Z", "1700000000000x", "2026-01-02T03",
		"2026-01-02T03:04:", "2026-01-02T03:60Z",
		"2026-01-02T03:04:05+02:0" };
	static const char *const same[] = { "2023-11-14T22:13:20Z",
		"2023-11-14T22:13:20.000Z", "2023-11-15T00:13:20+02:00",
		"2023-11-14 22:13:20", "Tue, 14 Nov 2023 22:13:20 GMT" };
	static const char *const minute[] = { "2023-11-14T22:13",
		"2023-11-14T22:13Z", "2023-11-15T00:13+02:00" };
	int64_t ms;
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_OF(same); i++) {
		test_ok(api_parse_date(same[i], &ms, &err), &err);
		assert_int_equal(ms, 1700000000000);
	}
	for (size_t i = 0; i < N_OF(minute); i++) {
		test_ok(api_parse_date(minute[i], &ms, &err), &err);
		assert_int_equal(ms, 1700000000000 - 20000);
	}
	for (size_t i = 0; i < N_OF(bad); i++)
		if (api_parse_date(bad[i], &ms, &err) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_order_of_refusals),
		TEST(test_only_the_exact_token),
		TEST(test_one_route),
		TEST(test_holdings),
		TEST(test_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
