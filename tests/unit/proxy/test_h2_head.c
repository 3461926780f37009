/*
 * proxy/h2_head: fields of HTTP/2 as text of HTTP/1.1 and back, without a way
 * to say in the one what the other reads otherwise.
 */
#include "test_util.h"

#include "proxy/h2_head.h"

struct pair {
	const char *name, *value;
};

#define LINE                                                                   \
	{ ":method", "GET" }, { ":scheme", "https" }, { ":authority", "h" },   \
	{                                                                      \
		":path", "/x"                                                  \
	}

static struct http_head head;
static struct buf text;

/* Status of the refusal, 0: none. */
static int finish(const struct pair *fields, size_t n, bool ended)
{
	struct http_refusal why;
	struct h2_request r;
	int rc;

	h2_request_init(&r);
	for (size_t i = 0; i < n && fields[i].name != NULL; i++)
		h2_request_add(
		    &r, slice_of(fields[i].name), slice_of(fields[i].value));
	rc = h2_request_finish(
	    &r, ended, "dGhlIHNhbXBsZSBub25jZQ==", &text, &head, &why);
	h2_request_fini(&r);
	assert_true(rc == 0 || why.status >= 400);
	return rc == 0 ? 0 : why.status;
}

static void test_a_request(void **state)
{
	static const struct pair fields[] = {
		LINE,
		{ "accept", "*/*" },
		{ "cookie", "a=1" },
		{ "x-empty", "" },
		{ "cookie", "b=2" },
		{ "te", "trailers" },
	};

	(void)state;
	assert_int_equal(finish(fields, N_OF(fields), true), 0);
	assert_string_equal(buf_view(&text), "GET /x HTTP/1.1\r\n"
					     "Host: h\r\n"
					     "accept: */*\r\n"
					     "x-empty: \r\n"
					     "te: trailers\r\n"
					     "cookie: a=1; b=2\r\n"
					     "\r\n");
	assert_int_equal(head.body, HTTP_BODY_NONE);
	assert_true(head.accepts_trailers);
}

static void test_the_body_has_one_framing(void **state)
{
	static const struct {
		struct pair method, more;
		bool ended;
		enum http_body body;
		const char *says;
	} table[] = {
		{ { ":method", "POST" }, { NULL, NULL }, false,
		    HTTP_BODY_CHUNKED, "Transfer-Encoding: chunked\r\n" },
		{ { ":method", "GET" }, { NULL, NULL }, false,
		    HTTP_BODY_CHUNKED, "Transfer-Encoding: chunked\r\n" },
		{ { ":method", "POST" }, { NULL, NULL }, true, HTTP_BODY_LENGTH,
		    "Content-Length: 0\r\n" },
		{ { ":method", "GET" }, { NULL, NULL }, true, HTTP_BODY_NONE,
		    "GET" },
		{ { ":method", "POST" }, { "content-length", "5" }, false,
		    HTTP_BODY_LENGTH, "content-length: 5\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		const struct pair fields[] = {
			table[i].method,
			{ ":scheme", "https" },
			{ ":authority", "h" },
			{ ":path", "/" },
			table[i].more,
		};

		assert_int_equal(
		    finish(fields, N_OF(fields), table[i].ended), 0);
		assert_int_equal(head.body, table[i].body);
		assert_non_null(strstr(buf_view(&text), table[i].says));
	}
}

static void test_what_has_two_meanings_is_refused(void **state)
{
	static const struct pair table[][8] = {
		{ LINE, { "x", "a\r\nb: c" } },
		{ LINE, { "x", "a\nb: c" } },
		{ LINE, { "x", "a\rb" } },
		{ LINE, { "x", "a\x7f" } },
		{ LINE, { "x", " a" } },
		{ LINE, { "x", "a\t" } },
		{ LINE, { "X", "a" } },
		{ LINE, { "x:", "a" } },
		{ LINE, { "x y", "a" } },
		{ LINE, { "", "a" } },
		{ LINE, { "x\r\ny", "a" } },
		{ LINE, { "connection", "close" } },
		{ LINE, { "keep-alive", "5" } },
		{ LINE, { "proxy-connection", "close" } },
		{ LINE, { "transfer-encoding", "chunked" } },
		{ LINE, { "upgrade", "websocket" } },
		{ LINE, { "te", "gzip" } },
		{ LINE, { "host", "other" } },
		{ LINE, { "host", "h" }, { "host", "h" } },
		{ LINE, { "content-length", "1" }, { "content-length", "1" } },
		{ LINE, { "content-length", "1, 1" } },
		{ LINE, { "content-length", "-1" } },
		{ LINE, { ":path", "/y" } },
		{ LINE, { ":status", "200" } },
		{ LINE, { "x", "a" }, { ":protocol", "websocket" } },
		{ { ":method", "GET" }, { ":scheme", "https" },
		    { ":authority", "h" } },
		{ { ":method", "GET" }, { ":scheme", "https" },
		    { ":path", "/" } },
		{ { ":scheme", "https" }, { ":authority", "h" },
		    { ":path", "/" } },
		{ { ":method", "GET" }, { ":authority", "h" },
		    { ":path", "/" } },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++)
		if (finish(table[i], N_OF(table[i]), true) != 400)
			fail_msg("case %zu", i);
}

static int line_of(const char *method, const char *scheme,
    const char *authority, const char *path)
{
	const struct pair fields[] = {
		{ ":method", method },
		{ ":scheme", scheme },
		{ ":authority", authority },
		{ ":path", path },
	};

	return finish(fields, N_OF(fields), true);
}

static void test_the_first_line_is_what_was_said(void **state)
{
	static const char *const paths[] = { "", "x", "*", "/a b", "/a\tb",
		"/a#b", "/a\r\nb", "http://h/x", "/x HTTP/1.1\r\nX: y" };
	static const char *const hosts[] = { "", "u@h", "a,b", "a/b", "a b",
		"h\r\nX: y" };
	static const char *const methods[] = { "", "GET /evil", "G\r\nT",
		"CONNECT" };

	(void)state;
	assert_int_equal(line_of("GET", "https", "h:1", "/a%0d?b=//c"), 0);
	assert_int_equal(line_of("OPTIONS", "https", "[::1]:1", "*"), 0);
	assert_int_equal(line_of("GET", "http", "h", "/"), 400);
	for (size_t i = 0; i < N_OF(paths); i++)
		assert_int_equal(line_of("GET", "https", "h", paths[i]), 400);
	for (size_t i = 0; i < N_OF(hosts); i++)
		assert_int_equal(line_of("GET", "https", hosts[i], "/"), 400);
	for (size_t i = 0; i < N_OF(methods); i++)
		assert_int_equal(line_of(methods[i], "https", "h", "/"), 400);
}

static void test_bounds(void **state)
{
	static char value[HTTPHEAD_MAX_BYTES + 1];
	static struct pair fields[HTTPHEAD_MAX_FIELDS + 10];
	static const struct pair line[] = { LINE };
	const struct pair one[] = { LINE, { "x", value } };

	(void)state;
	memset(value, 'y', sizeof value - 1);
	assert_int_equal(finish(one, N_OF(one), true), 431);
	value[60000] = '\0';
	assert_int_equal(finish(one, N_OF(one), true), 0);
	memcpy(fields, line, sizeof line);
	for (size_t i = N_OF(line); i < N_OF(fields); i++)
		fields[i] = (struct pair){ "x", "y" };
	assert_int_equal(finish(fields, N_OF(fields), true), 431);
	assert_int_equal(finish(fields, 250, true), 0);
}

static void test_a_websocket(void **state)
{
	static const struct pair fields[] = {
		{ ":method", "CONNECT" },
		{ ":protocol", "websocket" },
		{ ":scheme", "https" },
		{ ":authority", "h" },
		{ ":path", "/ws" },
		{ "sec-websocket-key", "theirs" },
		{ "sec-websocket-version", "13" },
	};
	struct pair other[N_OF(fields)];

	(void)state;
	assert_int_equal(finish(fields, N_OF(fields), false), 0);
	assert_string_equal(buf_view(&text),
	    "GET /ws HTTP/1.1\r\n"
	    "Host: h\r\n"
	    "sec-websocket-version: 13\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	    "\r\n");
	memcpy(other, fields, sizeof fields);
	other[1].value = "h2c";
	assert_int_equal(finish(other, N_OF(other), false), 501);
	other[1].value = "websocket";
	other[0].value = "GET";
	assert_int_equal(finish(other, N_OF(other), false), 400);
	other[0].value = "CONNECT";
	other[5] = (struct pair){ "content-length", "5" };
	assert_int_equal(finish(other, N_OF(other), false), 400);
}

static void has(
    const struct h2_fields *f, size_t i, const char *name, const char *value)
{
	assert_true(i < f->n);
	assert_int_equal(f->nv[i].namelen, strlen(name));
	assert_memory_equal(f->nv[i].name, name, strlen(name));
	assert_int_equal(f->nv[i].valuelen, strlen(value));
	assert_memory_equal(f->nv[i].value, value, strlen(value));
}

static void test_an_answer(void **state)
{
	char in[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n"
		    "Connection: close\r\nKeep-Alive: 5\r\nX-Own:  a b \r\n"
		    "Transfer: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n";
	char junk[] = "HTTP/1.1 404\nx";
	struct h2_fields f;

	(void)state;
	assert_int_equal(h2_answer_fields(in, sizeof in - 1, false, &f), 0);
	assert_int_equal(f.n, 6);
	has(&f, 0, ":status", "404");
	has(&f, 1, "content-length", "3");
	has(&f, 2, "x-own", "a b");
	has(&f, 4, "set-cookie", "a");
	has(&f, 5, "set-cookie", "b");
	assert_int_equal(
	    h2_answer_fields(junk, sizeof junk - 1, false, &f), -1);
}

static void test_the_answer_that_opens_a_tunnel(void **state)
{
	char in[] = "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n"
		    "Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n"
		    "Sec-WebSocket-Protocol: v1\r\n\r\n";
	struct h2_fields f;

	(void)state;
	assert_int_equal(h2_answer_fields(in, sizeof in - 1, true, &f), 0);
	assert_int_equal(f.n, 2);
	has(&f, 0, ":status", "200");
	has(&f, 1, "sec-websocket-protocol", "v1");
}

static void test_trailers(void **state)
{
	char in[] = "X-Sum: 6\r\n";
	struct h2_fields f;
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(
	    h2_trailer_add(&b, slice_of("x-sum"), slice_of("6")), 0);
	assert_string_equal(buf_view(&b), "x-sum: 6\r\n");
	assert_int_equal(
	    h2_trailer_add(&b, slice_of("x"), slice_of("a\r\nb: c")), -1);
	assert_int_equal(h2_trailer_add(&b, slice_of("X"), slice_of("a")), -1);
	assert_int_equal(
	    h2_trailer_add(&b, slice_of(":path"), slice_of("/")), -1);
	buf_fini(&b);
	assert_int_equal(h2_trailer_fields(in, sizeof in - 1, &f), 0);
	has(&f, 0, "x-sum", "6");
}

static int set_up(void **state)
{
	(void)state;
	buf_init(&text, HTTPHEAD_MAX_BYTES);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_fini(&text);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request),
		cmocka_unit_test(test_the_body_has_one_framing),
		cmocka_unit_test(test_what_has_two_meanings_is_refused),
		cmocka_unit_test(test_the_first_line_is_what_was_said),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_a_websocket),
		cmocka_unit_test(test_an_answer),
		cmocka_unit_test(test_the_answer_that_opens_a_tunnel),
		cmocka_unit_test(test_trailers),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
