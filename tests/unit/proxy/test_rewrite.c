/*
 * proxy/rewrite: heads on their way through.
 */
#include "test_util.h"

#include "proxy/cell.h"
#include "proxy/config.h"
#include "proxy/rewrite.h"
#include "proxy/route.h"

static struct http_head head;
static struct config config;
static struct route *route;

static int set_up(void **state)
{
	struct err err;

	(void)state;
	config = (struct config){
		.x_forward = true,
		.prepend_path = true,
		.include_prefix = true,
	};
	route = route_new("/bar", "http://t:81/foo?q=1", cell_new(1), &err);
	assert_non_null(route);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	route_unref(&route);
	return 0;
}

/* What becomes of a request; `rest` of its path is behind the prefix. */
static const char *request(
    struct buf *out, const char *text, const char *rest, bool trusted)
{
	struct rewrite_request r = {
		.config = &config,
		.target = &route->target,
		.head = &head,
		.text = slice_of(text),
		.rest = slice_of(rest),
		.peer = "9.9.9.9",
		.peer_is_trusted = trusted,
	};
	struct http_refusal why;

	buf_reset(out);
	assert_int_equal(
	    httphead_parse_request(text, strlen(text), &head, &why), 0);
	assert_int_equal(rewrite_split_target(head.target, &r.split), 0);
	r.host = r.split.authority.p != NULL ? r.split.authority : head.host;
	rewrite_request(out, &r);
	assert_false(out->overflow);
	return buf_view(out);
}

static const char *response(
    struct buf *out, const char *text, const struct rewrite_response *how)
{
	struct rewrite_response r = *how;
	struct http_refusal why;

	buf_reset(out);
	assert_int_equal(
	    httphead_parse_response(text, strlen(text), &head, &why), 0);
	r.config = &config;
	r.target = &route->target;
	r.head = &head;
	r.text = slice_of(text);
	r.host = slice_of("pub:8443");
	r.date = "DATE";
	rewrite_response(out, &r);
	return buf_view(out);
}

static void test_what_stays_is_copied_as_it_came(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	assert_string_equal(
	    request(&b,
		"GET /bar/x?y HTTP/1.0\r\nhOST:  h:8000 \r\nA:\r\n"
		"Connection: A2, close\r\nA: 1\r\na2: gone\r\na:\t2\r\n\r\n",
		"/x", true),
	    "GET /foo/bar/x?q=1&y HTTP/1.1\r\nhOST:  h:8000 \r\nA:\r\n"
	    "A: 1\r\na:\t2\r\n"
	    "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Port: 8000\r\n"
	    "X-Forwarded-Proto: http\r\nX-Forwarded-Host: h:8000\r\n\r\n");
	buf_fini(&b);
}

static void test_a_secure_request_is_said_to_be_one(void **state)
{
	static const char text[] = "GET /bar HTTP/1.1\r\nHost: h\r\n\r\n";
	struct rewrite_request r = {
		.config = &config,
		.target = &route->target,
		.head = &head,
		.text = slice_of(text),
		.peer = "9.9.9.9",
		.is_secure = true,
	};
	struct http_refusal why;
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	assert_int_equal(
	    httphead_parse_request(text, strlen(text), &head, &why), 0);
	assert_int_equal(rewrite_split_target(head.target, &r.split), 0);
	r.host = head.host;
	rewrite_request(&b, &r);
	assert_non_null(strstr(buf_view(&b), "X-Forwarded-Port: 443\r\n"));
	assert_non_null(strstr(buf_view(&b), "X-Forwarded-Proto: https\r\n"));
	buf_reset(&b);
	r.is_upgrade = true;
	rewrite_request(&b, &r);
	assert_non_null(strstr(buf_view(&b), "X-Forwarded-Proto: wss\r\n"));
	buf_fini(&b);
}

static void test_forwarded_fields_of_a_trusted_peer_grow(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	assert_string_equal(
	    request(&b,
		"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1\r\n"
		"x-forwarded-for: 2\r\nX-Real-IP: 1\r\n\r\n",
		"", true),
	    "GET /foo/?q=1 HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1\r\n"
	    "x-forwarded-for: 2,9.9.9.9\r\nX-Real-IP: 1\r\n"
	    "X-Forwarded-Port: 80\r\nX-Forwarded-Proto: http\r\n"
	    "X-Forwarded-Host: h\r\n\r\n");
	assert_null(strstr(request(&b,
			       "GET / HTTP/1.1\r\nHost: h\r\n"
			       "X-Forwarded-For: 1.2.3.4\r\n"
			       "Forwarded: for=1.2.3.4\r\n"
			       "X-Forwarded-Prefix: 1.2.3.4\r\n\r\n",
			       "", false),
	    "1.2.3.4"));
	buf_fini(&b);
}

static void test_paths_by_flags(void **state)
{
	static const struct {
		bool prepend, include;
		const char *target, *rest, *sent;
	} table[] = {
		{ true, true, "/bar/a?b", "/a", "GET /foo/bar/a?q=1&b " },
		{ true, true, "/bar?", "", "GET /foo/bar?q=1 " },
		{ false, true, "/bar/a?b", "/a", "GET /bar/a?b " },
		{ true, false, "/bar/a?b", "/a", "GET /foo/a?q=1&b " },
		{ true, false, "/bar", "", "GET /foo?q=1 " },
		{ true, false, "/bar%2Fa", "%2Fa", "GET /foo/a?q=1 " },
		{ false, false, "/bar/a?b", "/a", "GET /a?b " },
		{ false, false, "/bar?b", "", "GET /?b " },
		{ true, true, "http://x/bar", "", "GET /foo/bar?q=1 " },
		{ true, true, "http://x", "", "GET /foo/?q=1 " },
	};
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	for (size_t i = 0; i < N_OF(table); i++) {
		char text[256];

		config.prepend_path = table[i].prepend;
		config.include_prefix = table[i].include;
		snprintf(text, sizeof text,
		    "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", table[i].target);
		request(&b, text, table[i].rest, true);
		if (strncmp(buf_view(&b), table[i].sent,
			strlen(table[i].sent)) != 0)
			fail_msg("%s: %s", table[i].sent, buf_view(&b));
	}
	buf_fini(&b);
}

static void test_cve_2022_21697_targets_that_are_no_path_are_refused(
    void **state)
{
	static const char *const table[] = { "*", "h:80", "ftp://h/", "http:/x",
		"http://", "http://a@b/", "http:///x" };
	struct rewrite_target t;

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++)
		if (rewrite_split_target(slice_of(table[i]), &t) == 0)
			fail_msg("taken: %s", table[i]);
	assert_int_equal(rewrite_split_target(slice_of("HTTP://h:1?x"), &t), 0);
	assert_true(slice_eq(t.authority, "h:1") && slice_eq(t.path, "/") &&
		    slice_eq(t.query, "?x"));
}

static void test_the_host_of_a_target(void **state)
{
	static const char text[] = "GET /bar HTTP/1.1\r\nHost: pub:1\r\n\r\n";
	static const struct {
		const char *target, *host;
	} table[] = {
		{ "http://t:81/foo", "\r\nHost: t:81\r\n" },
		{ "http://t:80", "\r\nHost: t\r\n" },
		{ "https://t:443", "\r\nHost: t\r\n" },
		{ "http+unix://%2Frun%2Fx", "\r\nHost: pub:1\r\n" },
	};
	struct buf b;
	struct err err;

	(void)state;
	buf_init(&b, 65536);
	config.change_origin = true;
	for (size_t i = 0; i < N_OF(table); i++) {
		route_unref(&route);
		route = route_new("/bar", table[i].target, cell_new(1), &err);
		assert_non_null(route);
		if (strstr(request(&b, text, "", true), table[i].host) == NULL)
			fail_msg("%s: %s", table[i].target, buf_view(&b));
	}
	buf_fini(&b);
}

static void test_custom_headers_replace(void **state)
{
	struct config_header items[] = { { "X-A", "1" }, { "Host", "other" } };
	struct buf b;

	(void)state;
	config.custom_headers = (struct config_headers){ items, 2 };
	config.x_forward = false;
	buf_init(&b, 65536);
	assert_string_equal(
	    request(&b, "GET / HTTP/1.1\r\nHost: h\r\nx-a: 0\r\nB: 2\r\n\r\n",
		"", true),
	    "GET /foo/?q=1 HTTP/1.1\r\nB: 2\r\nX-A: 1\r\nHost: other\r\n\r\n");
	buf_fini(&b);
}

static void test_answers_lose_what_belongs_to_one_hop(void **state)
{
	const struct rewrite_response plain = { .keeps_length = true };
	const struct rewrite_response chunked = {
		.re_chunks = true,
		.closes = true,
	};
	const struct rewrite_response interim = { .is_interim = true };
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	assert_string_equal(
	    response(&b,
		"HTTP/1.0 200 Fine\r\nDate: x\r\nKeep-Alive: 1\r\n"
		"Connection: B\r\nb: 1\r\nContent-Length: 3\r\nC: 2\r\n\r\n",
		&plain),
	    "HTTP/1.1 200 Fine\r\nDate: x\r\nContent-Length: 3\r\n"
	    "C: 2\r\n\r\n");
	assert_string_equal(
	    response(&b, "HTTP/1.1 200\r\nTrailer: X\r\n\r\n", &chunked),
	    "HTTP/1.1 200 \r\nTrailer: X\r\nDate: DATE\r\n"
	    "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
	assert_string_equal(
	    response(&b, "HTTP/1.1 103 E\r\nLink: x\r\n\r\n", &interim),
	    "HTTP/1.1 103 E\r\nLink: x\r\n\r\n");
	buf_fini(&b);
}

static void test_locations(void **state)
{
	static const struct {
		const char *status, *location, *sent;
	} table[] = {
		{ "302", "http://t:81/x?y#z", "https://pub:8443/x?y#z" },
		{ "303", "HTTP://T:81", "https://pub:8443" },
		{ "200", "http://t:81/", "http://t:81/" },
		{ "302", "http://t:82/", "http://t:82/" },
		{ "302", "//t:81/", "//t:81/" },
		{ "302", "/x", "/x" },
		{ "302", "ftp://t:81/", "ftp://t:81/" },
	};
	const struct rewrite_response plain = { .keeps_length = true };
	struct buf b;

	(void)state;
	config.auto_rewrite = true;
	config.protocol_rewrite = "https";
	buf_init(&b, 65536);
	for (size_t i = 0; i < N_OF(table); i++) {
		char text[256], wanted[256];

		snprintf(text, sizeof text,
		    "HTTP/1.1 %s x\r\nLocation: %s\r\n\r\n", table[i].status,
		    table[i].location);
		snprintf(wanted, sizeof wanted, "\r\nLocation: %s\r\n",
		    table[i].sent);
		if (strstr(response(&b, text, &plain), wanted) == NULL)
			fail_msg("%s: %s", table[i].location, buf_view(&b));
	}
	buf_fini(&b);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_what_stays_is_copied_as_it_came),
		TEST(test_a_secure_request_is_said_to_be_one),
		TEST(test_forwarded_fields_of_a_trusted_peer_grow),
		TEST(test_paths_by_flags),
		TEST(test_cve_2022_21697_targets_that_are_no_path_are_refused),
		TEST(test_the_host_of_a_target),
		TEST(test_custom_headers_replace),
		TEST(test_answers_lose_what_belongs_to_one_hop),
		TEST(test_locations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
