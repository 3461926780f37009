/*
 * proxy/access_line: what is in a line, and what never is.
 */
#include "test_util.h"

#include "base/json.h"
#include "proxy/access.h"
#include "proxy/access_line.h"

static struct buf out;

static struct access_entry entry(const char *target)
{
	return (struct access_entry){
		.wall_us = 1763649067412000,
		.took_ms = 17,
		.client = "192.0.2.7",
		.method = slice_of("GET"),
		.target = slice_of(target),
		.minor = 1,
		.status = 200,
		.n_bytes = 5120,
		.route = "/user/alice",
		.origin = "http://127.0.0.1:41001",
	};
}

static void json_of(const struct access_entry *e)
{
	buf_reset(&out);
	access_line_json(&out, e);
	assert_false(out.overflow);
	assert_true(out.len <= ACCESS_LINE_MAX);
	assert_int_equal(out.data[out.len - 1], '\n');
	assert_ptr_equal(
	    memchr(out.data, '\n', out.len), out.data + out.len - 1);
}

static void combined_of(const struct access_entry *e)
{
	buf_reset(&out);
	access_line_combined(&out, e);
	assert_false(out.overflow);
	assert_ptr_equal(
	    memchr(out.data, '\n', out.len), out.data + out.len - 1);
}

static int set_up(void **state)
{
	(void)state;
	buf_init(&out, ACCESS_LINE_MAX);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

static void test_json(void **state)
{
	struct access_entry e = entry("/user/alice/x?token=secret");

	(void)state;
	json_of(&e);
	assert_string_equal(buf_view(&out),
	    "{\"time\":\"2025-11-20T14:31:07.412Z\",\"client\":\"192.0.2.7\","
	    "\"method\":\"GET\",\"path\":\"/user/alice/x\",\"http\":\"1.1\","
	    "\"tls\":false,\"upgrade\":false,\"status\":200,\"bytes\":5120,"
	    "\"ms\":17,\"route\":\"/user/alice\","
	    "\"target\":\"http://127.0.0.1:41001\"}\n");
}

static void test_combined(void **state)
{
	struct access_entry e = entry("/user/alice/x?token=secret");

	(void)state;
	combined_of(&e);
	assert_string_equal(buf_view(&out),
	    "192.0.2.7 - - [20/Nov/2025:14:31:07 +0000] "
	    "\"GET /user/alice/x HTTP/1.1\" 200 5120 \"-\" \"-\"\n");
}

static void test_of_a_target_only_the_path(void **state)
{
	static const char *const cases[] = { "/a?secret", "/a?x=1?secret",
		"http://secret@h/a?secret", "http://h/a?secret", "?secret",
		"secret", "*" };

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct access_entry e = entry(cases[i]);

		json_of(&e);
		assert_null(strstr(buf_view(&out), "secret"));
		combined_of(&e);
		assert_null(strstr(buf_view(&out), "secret"));
	}
}

static void test_odd_bytes(void **state)
{
	struct access_entry e = entry("/\"\\\n\r\x1b[31m\x7f\xc3\xa9");
	json_t *line = NULL;
	struct err err;

	(void)state;
	json_of(&e);
	test_ok(json_parse(out.data, out.len, &line, &err), &err);
	assert_string_equal(json_string_value(json_object_get(line, "path")),
	    "/\"\\\n\r\x1b[31m\x7f\xc3\x83\xc2\xa9");
	json_decref(line);
	combined_of(&e);
	assert_non_null(strstr(
	    buf_view(&out), "/\\\"\\\\\\x0a\\x0d\\x1b[31m\\x7f\\xc3\\xa9"));
}

static void test_lines_are_bounded(void **state)
{
	static char path[70000], route[5000], method[3000];
	struct access_entry e;

	(void)state;
	memset(path, '\x01', sizeof path - 1);
	memset(route, '"', sizeof route - 1);
	memset(method, 'M', sizeof method - 1);
	path[0] = '/';
	e = entry(path);
	e.route = e.origin = e.client = route;
	e.method = slice_of(method);
	e.n_bytes = UINT64_MAX;
	e.took_ms = INT64_MAX;
	json_of(&e);
	assert_non_null(strstr(buf_view(&out), "...\""));
	combined_of(&e);
}

static void test_what_is_not_known(void **state)
{
	struct access_entry e = entry("");

	(void)state;
	e.method = slice_of("");
	e.route = e.origin = NULL;
	json_of(&e);
	assert_non_null(
	    strstr(buf_view(&out), "\"method\":null,\"path\":null"));
	assert_non_null(strstr(buf_view(&out), "\"route\":null"));
	combined_of(&e);
	assert_non_null(strstr(buf_view(&out), "\"- - HTTP/1.1\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_combined),
		cmocka_unit_test(test_of_a_target_only_the_path),
		cmocka_unit_test(test_odd_bytes),
		cmocka_unit_test(test_lines_are_bounded),
		cmocka_unit_test(test_what_is_not_known),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
