/*
 * base/httphead: the strict parser of HTTP/1.x heads. What could be read in two
 * ways has to be refused.
 */
#include "test_util.h"

#include "base/httphead.h"

static struct http_head head;

static int parse_request(const char *text, struct http_refusal *why)
{
	return httphead_parse_request(text, strlen(text), &head, why);
}

static int parse_response(const char *text, struct http_refusal *why)
{
	return httphead_parse_response(text, strlen(text), &head, why);
}

#define assert_slice(s, text)                                                  \
	do {                                                                   \
		assert_int_equal((s).len, strlen(text));                       \
		assert_memory_equal((s).p, text, strlen(text));                \
	} while (0)

/* ---- the end of the head ------------------------------------------------- */

static void test_scan_finds_the_end_byte_by_byte(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\nbody";
	const size_t end = sizeof text - 1 - 4;

	(void)state;
	for (size_t step = 1; step <= sizeof text - 1; step++) {
		struct httphead_scan s = { 0 };
		struct http_refusal why;
		size_t len = 0, n = 0;
		enum httphead_state r = HTTPHEAD_MORE;

		while (r == HTTPHEAD_MORE && n < sizeof text - 1) {
			n += step;
			if (n > sizeof text - 1)
				n = sizeof text - 1;
			r = httphead_scan(&s, text, n, &len, &why);
			if (n < end)
				assert_int_equal(r, HTTPHEAD_MORE);
		}
		assert_int_equal(r, HTTPHEAD_DONE);
		assert_int_equal(len, end);
	}
}

static void test_scan_refuses_early_what_can_be_no_head(void **state)
{
	static const struct {
		const char *text;
		int status;
	} table[] = {
		{ "GET / HTTP/1.1\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: h\n", 400 },
		{ "\n", 400 },
		{ "\r\n", 400 },
		{ " GET", 400 },
		{ "\x16\x03\x01", 400 },
		{ "GET / HTTP/1.1\r\nA: b\r\n\n", 400 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct httphead_scan s = { 0 };
		struct http_refusal why = { 0 };
		size_t len;

		assert_int_equal(httphead_scan(&s, table[i].text,
				     strlen(table[i].text), &len, &why),
		    HTTPHEAD_BAD);
		assert_int_equal(why.status, table[i].status);
		assert_non_null(why.why);
	}
}

static void test_scan_refuses_a_head_over_64_KiB(void **state)
{
	static char text[HTTPHEAD_MAX_BYTES + 100];
	struct httphead_scan s = { 0 };
	struct http_refusal why = { 0 };
	size_t len;

	(void)state;
	memset(text, 'x', sizeof text);
	assert_int_equal(
	    httphead_scan(&s, text, HTTPHEAD_MAX_BYTES - 1, &len, &why),
	    HTTPHEAD_MORE);
	assert_int_equal(
	    httphead_scan(&s, text, HTTPHEAD_MAX_BYTES, &len, &why),
	    HTTPHEAD_BAD);
	assert_int_equal(why.status, 431);
}

static void test_scan_takes_a_head_of_exactly_64_KiB(void **state)
{
	static char text[HTTPHEAD_MAX_BYTES];
	struct httphead_scan s = { 0 };
	struct http_refusal why = { 0 };
	size_t len;

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text + sizeof text - 4, "\r\n\r\n", 4);
	assert_int_equal(
	    httphead_scan(&s, text, sizeof text, &len, &why), HTTPHEAD_DONE);
	assert_int_equal(len, sizeof text);
}

/* ---- requests ------------------------------------------------------------ */

static void test_request_parts_are_views_of_the_bytes(void **state)
{
	static const char text[] = "PROPFIND /a%2Fb?x=%zz HTTP/1.1\r\n"
				   "hOST:\t Name.example:8000 \r\n"
				   "X-Odd:\r\n"
				   "Cookie: a=b\r\n"
				   "Cookie: c=\xc3\xa9\r\n\r\n";
	struct http_refusal why;

	(void)state;
	assert_int_equal(parse_request(text, &why), 0);
	assert_slice(head.method, "PROPFIND");
	assert_slice(head.target, "/a%2Fb?x=%zz");
	assert_int_equal(head.minor, 1);
	assert_slice(head.host, "Name.example:8000");
	assert_int_equal(head.n_fields, 4);
	assert_slice(head.fields[0].name, "hOST");
	assert_slice(head.fields[1].value, "");
	assert_slice(head.fields[3].value, "c=\xc3\xa9");
	assert_ptr_equal(head.method.p, text);
	assert_int_equal(head.body, HTTP_BODY_NONE);
}

static void test_request_framing(void **state)
{
	static const struct {
		const char *fields;
		enum http_body body;
		uint64_t length;
	} table[] = {
		{ "", HTTP_BODY_NONE, 0 },
		{ "Content-Length: 0\r\n", HTTP_BODY_LENGTH, 0 },
		{ "content-length: 12\r\n", HTTP_BODY_LENGTH, 12 },
		{ "Content-Length: 9223372036854775807\r\n", HTTP_BODY_LENGTH,
		    INT64_MAX },
		{ "Transfer-Encoding: chunked\r\n", HTTP_BODY_CHUNKED, 0 },
		{ "transfer-encoding:  Chunked \r\n", HTTP_BODY_CHUNKED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct http_refusal why;
		char text[256];

		snprintf(text, sizeof text,
		    "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", table[i].fields);
		assert_int_equal(parse_request(text, &why), 0);
		assert_int_equal(head.body, table[i].body);
		assert_int_equal(head.content_length, table[i].length);
	}
}

/* Each would let two parsers read two different messages. */
static void test_ambiguous_requests_are_refused(void **state)
{
	static const char *const table[] = {
		/* framing */
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
		"Transfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
		"Content-Length: 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
		"Content-Length: 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1 2\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 007\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\n"
		"Content-Length: 9223372036854775808\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\n"
		"Content-Length: 99999999999999999999\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\n"
		"Transfer-Encoding: identity, chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\n"
		"Transfer-Encoding: chunked, chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
		"Transfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
		"chunked\r\nTransfer-Encoding: identity\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\n"
		"Transfer-Encoding: \"chunked\"\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\n"
		"Transfer-Encoding: \x0b"
		"chunked\r\n\r\n",
		"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
		/* hosts */
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
		/* fields */
		"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
		"GET / HTTP/1.1\r\n Host: h\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\n\tA: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nA\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nA(: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nA: b\x01\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nA: b\x7f\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nA: b\nC: d\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nX\xc3: b\r\n\r\n",
		/* the request line */
		"GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /  HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
		" GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\nHost: h\r\n\r\n",
		"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /#x HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /\r\nHost: h\r\n\r\n",
		"GET / \r\nHost: h\r\n\r\n",
		"GET\r\nHost: h\r\n\r\n",
		"/ HTTP/1.1\r\nHost: h\r\n\r\n",
		"G@T / HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET / HTTP/11\r\nHost: h\r\n\r\n",
		"GET / HTTP/1.1x\r\nHost: h\r\n\r\n",
		"GET / http/1.1\r\nHost: h\r\n\r\n",
		"GET / HTTP/01.1\r\nHost: h\r\n\r\n",
		"GET / HTTP/1.\r\nHost: h\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct http_refusal why = { 0 };

		if (parse_request(table[i], &why) == 0)
			fail_msg("taken: %s", table[i]);
		assert_int_equal(why.status, 400);
		assert_non_null(why.why);
	}
}

static void test_nul_in_a_request_is_refused(void **state)
{
	static const char value[] =
	    "GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n";
	static const char target[] = "GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n";
	struct http_refusal why;

	(void)state;
	assert_int_equal(
	    httphead_parse_request(value, sizeof value - 1, &head, &why), -1);
	assert_int_equal(
	    httphead_parse_request(target, sizeof target - 1, &head, &why), -1);
}

static void test_other_versions_are_505(void **state)
{
	static const char *const table[] = {
		"GET / HTTP/2.0\r\nHost: h\r\n\r\n",
		"GET / HTTP/0.9\r\nHost: h\r\n\r\n",
		"GET / HTTP/1.2\r\nHost: h\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct http_refusal why = { 0 };

		assert_int_equal(parse_request(table[i], &why), -1);
		assert_int_equal(why.status, 505);
	}
}

static void test_more_than_256_fields_are_431(void **state)
{
	static char text[16384];
	struct http_refusal why = { 0 };
	size_t n = 0;

	(void)state;
	n += (size_t)snprintf(
	    text, sizeof text, "GET / HTTP/1.1\r\nHost: h\r\n");
	for (int i = 0; i < HTTPHEAD_MAX_FIELDS - 1; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "A: b\r\n");
	snprintf(text + n, sizeof text - n, "\r\n");
	assert_int_equal(parse_request(text, &why), 0);
	assert_int_equal(head.n_fields, HTTPHEAD_MAX_FIELDS);
	snprintf(text + n, sizeof text - n, "A: b\r\n\r\n");
	assert_int_equal(parse_request(text, &why), -1);
	assert_int_equal(why.status, 431);
}

static void test_an_http_1_0_request_needs_no_host(void **state)
{
	struct http_refusal why;

	(void)state;
	assert_int_equal(parse_request("GET / HTTP/1.0\r\n\r\n", &why), 0);
	assert_false(head.has_host);
	assert_int_equal(head.minor, 0);
}

static void test_host_names(void **state)
{
	static const struct {
		const char *host;
		bool ok;
	} table[] = {
		{ "", true },
		{ "a", true },
		{ "a.b:80", true },
		{ "[::1]:80", true },
		{ "a_b~c%20", true },
		{ "a,b", false },
		{ "a\\b", false },
		{ "a?b", false },
		{ "a#b", false },
		{ "a\"b", false },
		{ "<a>", false },
		{ "\xc3\xa9", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++)
		assert_int_equal(
		    httphead_is_host(slice_of(table[i].host)), table[i].ok);
}

/* ---- connections --------------------------------------------------------- */

static void test_keep_alive_by_version_and_words(void **state)
{
	static const struct {
		const char *text;
		bool keeps;
	} table[] = {
		{ "GET / HTTP/1.1\r\nHost: h\r\n\r\n", true },
		{ "GET / HTTP/1.0\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		    false },
		{ "GET / HTTP/1.1\r\nHost: h\r\nConnection: a ,CLOSE\r\n\r\n",
		    false },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive\r\n"
		  "Connection: close\r\n\r\n",
		    false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct http_refusal why;

		assert_int_equal(parse_request(table[i].text, &why), 0);
		assert_int_equal(httphead_keeps_alive(&head), table[i].keeps);
	}
}

static void test_hop_by_hop_fields(void **state)
{
	static const struct {
		const char *field;
		bool is_hop;
	} table[] = {
		{ "Connection", true },
		{ "Keep-Alive", true },
		{ "Proxy-Connection", true },
		{ "Proxy-Authorization", true },
		{ "Proxy-Authenticate", true },
		{ "TE", true },
		{ "Upgrade", true },
		{ "Named", true },
		{ "named", true },
		{ "Host", false },
		{ "Content-Length", false },
		{ "Cookie", false },
		{ "Trailer", false },
		{ "Not-Named", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct http_refusal why;
		char text[256];

		snprintf(text, sizeof text,
		    "GET / HTTP/1.0\r\nConnection: NAMED, host, "
		    "content-length\r\n%s: 1\r\n\r\n",
		    table[i].field);
		assert_int_equal(parse_request(text, &why), 0);
		if (httphead_is_hop_by_hop(&head, &head.fields[1]) !=
		    table[i].is_hop)
			fail_msg("%s", table[i].field);
	}
}

static void test_upgrade_expect_and_te_are_noted(void **state)
{
	struct http_refusal why;

	(void)state;
	assert_int_equal(
	    parse_request("GET / HTTP/1.1\r\nHost: h\r\n"
			  "Connection: keep-alive, Upgrade\r\n"
			  "Upgrade: websocket\r\n"
			  "Expect: 100-Continue\r\nTE: gzip, trailers\r\n\r\n",
		&why),
	    0);
	assert_slice(head.upgrade, "websocket");
	assert_true((head.named & HTTP_NAMED_UPGRADE) != 0);
	assert_true(head.expects_continue);
	assert_true(head.accepts_trailers);
}

static void test_known_fields_are_recognised_without_case(void **state)
{
	static const struct {
		const char *name;
		enum http_field_id id;
	} table[] = {
		{ "TE", HTTP_TE },
		{ "dAtE", HTTP_DATE },
		{ "HOST", HTTP_HOST },
		{ "Expect", HTTP_EXPECT },
		{ "Trailer", HTTP_TRAILER },
		{ "Upgrade", HTTP_UPGRADE },
		{ "Location", HTTP_LOCATION },
		{ "X-Scheme", HTTP_X_SCHEME },
		{ "Forwarded", HTTP_FORWARDED },
		{ "X-Real-IP", HTTP_X_REAL_IP },
		{ "Connection", HTTP_CONNECTION },
		{ "Keep-Alive", HTTP_KEEP_ALIVE },
		{ "Proxy-Connection", HTTP_PROXY_CONNECTION },
		{ "Proxy-Authenticate", HTTP_PROXY_AUTHENTICATE },
		{ "Proxy-Authorization", HTTP_PROXY_AUTHORIZATION },
		{ "X-Forwarded-For", HTTP_X_FORWARDED_FOR },
		{ "x-forwarded-host", HTTP_X_FORWARDED_HOST },
		{ "X-FORWARDED-PORT", HTTP_X_FORWARDED_PORT },
		{ "X-Forwarded-Proto", HTTP_X_FORWARDED_PROTO },
		{ "X-Forwarded-Prefix", HTTP_X_FORWARDED_OTHER },
		{ "X-Forwarded-A-Very-Long-Name-Indeed",
		    HTTP_X_FORWARDED_OTHER },
		{ "Hosts", HTTP_OTHER },
		{ "Hos", HTTP_OTHER },
		{ "Accept", HTTP_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct http_refusal why;
		char text[256];

		snprintf(text, sizeof text, "GET / HTTP/1.0\r\n%s: 1\r\n\r\n",
		    table[i].name);
		assert_int_equal(parse_request(text, &why), 0);
		if (head.fields[0].id != table[i].id)
			fail_msg("%s", table[i].name);
	}
}

static void test_find_takes_the_first_of_a_name(void **state)
{
	struct http_refusal why;

	(void)state;
	assert_int_equal(parse_request("GET / HTTP/1.0\r\nAccept: 1\r\n"
				       "accept: 2\r\n\r\n",
			     &why),
	    0);
	assert_ptr_equal(httphead_find(&head, "ACCEPT"), &head.fields[0]);
	assert_null(httphead_find(&head, "accept2"));
}

/* ---- responses ----------------------------------------------------------- */

static void test_status_lines(void **state)
{
	static const struct {
		const char *line;
		int status; /* 0: refused */
		const char *reason;
	} table[] = {
		{ "HTTP/1.1 200 OK", 200, "OK" },
		{ "HTTP/1.0 404 Not  Found", 404, "Not  Found" },
		{ "HTTP/1.1 204 ", 204, "" },
		{ "HTTP/1.1 204", 204, "" },
		{ "HTTP/1.1 599 \xc3\xa9", 599, "\xc3\xa9" },
		{ "HTTP/1.1  200 OK", 0, "" },
		{ "HTTP/1.1 20 OK", 0, "" },
		{ "HTTP/1.1 2000 OK", 0, "" },
		{ "HTTP/1.1 099 OK", 0, "" },
		{ "HTTP/1.1 2x0 OK", 0, "" },
		{ "HTTP/1.1 200 O\x01K", 0, "" },
		{ "HTTP/2.0 200 OK", 0, "" },
		{ "ICY 200 OK  xxx", 0, "" },
		{ "HTTP/1.1", 0, "" },
		{ "", 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct http_refusal why;
		char text[128];
		int rc;

		snprintf(text, sizeof text, "%s\r\n\r\n", table[i].line);
		rc = parse_response(text, &why);
		if ((rc == 0) != (table[i].status != 0))
			fail_msg("%s", table[i].line);
		if (rc < 0)
			continue;
		assert_int_equal(head.status, table[i].status);
		assert_slice(head.reason, table[i].reason);
	}
}

static void test_framing_of_responses(void **state)
{
	static const struct {
		const char *text;
		bool is_head;
		enum http_body body;
	} table[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false,
		    HTTP_BODY_LENGTH },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true,
		    HTTP_BODY_NONE },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		    false, HTTP_BODY_CHUNKED },
		{ "HTTP/1.1 200 OK\r\n\r\n", false, HTTP_BODY_UNTIL_CLOSE },
		{ "HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n", false,
		    HTTP_BODY_NONE },
		{ "HTTP/1.1 304 No\r\nContent-Length: 3\r\n\r\n", false,
		    HTTP_BODY_NONE },
		{ "HTTP/1.1 103 Early\r\n\r\n", false, HTTP_BODY_NONE },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct http_refusal why;

		assert_int_equal(parse_response(table[i].text, &why), 0);
		assert_int_equal(
		    httphead_response_body(&head, table[i].is_head),
		    table[i].body);
	}
}

static void test_ambiguous_responses_are_refused(void **state)
{
	static const char *const table[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		"Content-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		"Transfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct http_refusal why;

		assert_int_equal(parse_response(table[i], &why), -1);
	}
}

/* ---- trailers ------------------------------------------------------------ */

static void test_trailers(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} table[] = {
		{ "", true },
		{ "X-Sum: 1\r\nDate: now\r\n", true },
		{ "Content-Length: 1\r\n", false },
		{ "Transfer-Encoding: chunked\r\n", false },
		{ "Host: a\r\n", false },
		{ "Connection: close\r\n", false },
		{ "set-cookie: a=b\r\n", false },
		{ "Authorization: x\r\n", false },
		{ "A : b\r\n", false },
		{ "A: b\r\n\r\nC: d\r\n", false },
		{ "A: b", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct http_refusal why;
		int rc = httphead_parse_trailers(
		    table[i].text, strlen(table[i].text), &head, &why);

		if ((rc == 0) != table[i].ok)
			fail_msg("%s", table[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan_finds_the_end_byte_by_byte),
		cmocka_unit_test(test_scan_refuses_early_what_can_be_no_head),
		cmocka_unit_test(test_scan_refuses_a_head_over_64_KiB),
		cmocka_unit_test(test_scan_takes_a_head_of_exactly_64_KiB),
		cmocka_unit_test(test_request_parts_are_views_of_the_bytes),
		cmocka_unit_test(test_request_framing),
		cmocka_unit_test(test_ambiguous_requests_are_refused),
		cmocka_unit_test(test_nul_in_a_request_is_refused),
		cmocka_unit_test(test_other_versions_are_505),
		cmocka_unit_test(test_more_than_256_fields_are_431),
		cmocka_unit_test(test_an_http_1_0_request_needs_no_host),
		cmocka_unit_test(test_host_names),
		cmocka_unit_test(test_keep_alive_by_version_and_words),
		cmocka_unit_test(test_hop_by_hop_fields),
		cmocka_unit_test(test_upgrade_expect_and_te_are_noted),
		cmocka_unit_test(test_known_fields_are_recognised_without_case),
		cmocka_unit_test(test_find_takes_the_first_of_a_name),
		cmocka_unit_test(test_status_lines),
		cmocka_unit_test(test_framing_of_responses),
		cmocka_unit_test(test_ambiguous_responses_are_refused),
		cmocka_unit_test(test_trailers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
