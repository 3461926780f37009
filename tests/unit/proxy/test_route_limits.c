/*
 * proxy/route_limits: what a route may say for itself.
 */
#include "test_util.h"

#include "proxy/cell.h"
#include "proxy/route_limits.h"

static int read_text(
    const char *text, struct route_limits *out, struct err *err)
{
	json_t *data = NULL;
	int rc;

	test_ok(json_parse(text, strlen(text), &data, err), err);
	rc = route_limits_read(data, out, err);
	json_decref(data);
	return rc;
}

static void test_what_is_left_out_is_unset(void **state)
{
	static const char *const cases[] = { "{}", "{\"proxy_limits\": null}",
		"{\"proxy_limits\": {}}" };
	struct route_limits l;
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		test_ok(read_text(cases[i], &l, &err), &err);
		assert_memory_equal(&l, &route_limits_unset, sizeof l);
	}
	test_ok(read_text("{\"proxy_limits\": {\"open\": 0}}", &l, &err), &err);
	assert_int_equal(l.max_open, 0);
	assert_int_equal(l.tunnel_idle_s, ROUTE_LIMITS_UNSET);
	assert_int_equal(route_limits_choose(l.max_open, 7), 0);
	assert_int_equal(route_limits_choose(l.tunnel_idle_s, 7), 7);
}

static void test_a_cell_has_them(void **state)
{
	struct cell *c = cell_new(1);
	struct route_limits l = cell_limits(c);
	struct err err;

	(void)state;
	assert_memory_equal(&l, &route_limits_unset, sizeof l);
	test_ok(read_text("{\"proxy_limits\": {\"open\": 3, \"tunnel_idle\": "
			  "31536000, \"request_idle\": 9}}",
		    &l, &err),
	    &err);
	cell_set_limits(c, &l);
	l = cell_limits(c);
	assert_int_equal(l.max_open, 3);
	assert_int_equal(l.tunnel_idle_s, 31536000);
	assert_int_equal(l.request_idle_s, 9);
	cell_unref(&c);
}

static void test_everything_else_is_refused(void **state)
{
	static const char *const cases[] = { "7", "\"x\"", "[]", "true",
		"{\"opn\": 1}", "{\"open\": -1}", "{\"open\": \"1\"}",
		"{\"open\": 1.5}", "{\"open\": null}", "{\"open\": 1000001}",
		"{\"tunnel_idle\": 31536001}" };
	struct route_limits l;
	char text[128];
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		snprintf(text, sizeof text, "{\"proxy_limits\": %s}", cases[i]);
		if (read_text(text, &l, &err) == 0)
			fail_msg("%s was taken", text);
		assert_int_equal(err.code, ERR_INVALID);
		test_err_says(&err, "proxy_limits");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_left_out_is_unset),
		cmocka_unit_test(test_a_cell_has_them),
		cmocka_unit_test(test_everything_else_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
