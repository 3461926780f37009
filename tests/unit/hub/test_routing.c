/*
 * hub/routing.c: one request a path, and the newest wish wins.
 */
#include "hub_fixture.c"

static int n_told;
static bool told_wanted;
static enum err_code told_code;
static int64_t told_id;

static void on_done(
    struct app *a, int64_t id, bool wanted, const struct err *err)
{
	(void)a;
	n_told++;
	told_id = id;
	told_wanted = wanted;
	told_code = err->code;
}

static int setup_routing(void **state)
{
	n_told = 0;
	return setup(state);
}

static void want(const char *target, int64_t id)
{
	json_t *data = json_pack("{s:s}", "user", "alice");

	routing_want(&app, "/user/alice", target, data, id, on_done);
	json_decref(data);
}

static size_t n_requests(void)
{
	size_t n = 0;

	list_for_each (it, &fake_proxy.requests)
		n++;
	return n;
}

static void test_a_wish_is_carried_out_and_told_once(void **state)
{
	(void)state;
	want("http://h:1", 7);
	assert_int_equal(n_told, 0);
	fake_proxy_serve();
	assert_int_equal(n_told, 1);
	assert_int_equal(told_id, 7);
	assert_true(told_wanted);
	assert_int_equal(told_code, ERR_NONE);
	assert_string_equal(fake_proxy_target("/user/alice"), "http://h:1");
}

static void test_a_newer_wish_waits_for_the_request_under_way(void **state)
{
	(void)state;
	want("http://h:1", 1);
	routing_unwant(&app, "/user/alice", 2, on_done);
	want("http://h:3", 3);
	assert_int_equal(n_requests(), 1);
	answer_proxy(FAKE_ADD, ERR_NONE);
	assert_int_equal(n_told, 0);
	assert_int_equal(n_requests(), 1);
	fake_proxy_serve();
	assert_int_equal(n_told, 1);
	assert_int_equal(told_id, 3);
	assert_string_equal(fake_proxy_target("/user/alice"), "http://h:3");
}

static void test_the_same_wish_again_costs_no_request(void **state)
{
	(void)state;
	want("http://h:1", 1);
	fake_proxy_serve();
	want("http://h:1", 2);
	assert_int_equal(n_requests(), 0);
	assert_int_equal(n_told, 1);
	settle();
	assert_int_equal(n_told, 2);
	assert_int_equal(told_id, 2);
}

static void compare(const json_t *routes, routing_stray_fn *stray)
{
	routing_compare_begin(&app);
	routing_compare_part(&app, routes, stray);
	routing_compare_end(&app);
}

static void test_a_failure_is_told_and_repaired_by_the_next_listing(
    void **state)
{
	json_t *routes = json_object();

	(void)state;
	want("http://h:1", 1);
	answer_proxy(FAKE_ADD, ERR_UNAVAILABLE);
	assert_int_equal(told_code, ERR_UNAVAILABLE);
	compare(routes, NULL);
	fake_proxy_serve();
	assert_string_equal(fake_proxy_target("/user/alice"), "http://h:1");
	assert_int_equal(n_told, 1);
	json_decref(routes);
}

static void test_a_failed_deletion_is_told_too(void **state)
{
	(void)state;
	routing_unwant(&app, "/user/alice", 9, on_done);
	answer_proxy(FAKE_DELETE, ERR_UNAVAILABLE);
	assert_int_equal(n_told, 1);
	assert_false(told_wanted);
	assert_int_equal(told_code, ERR_UNAVAILABLE);
}

static void test_who_is_forgotten_is_not_told(void **state)
{
	(void)state;
	want("http://h:1", 1);
	routing_forget(&app, "/user/alice");
	fake_proxy_serve();
	assert_int_equal(n_told, 0);
	assert_string_equal(fake_proxy_target("/user/alice"), "http://h:1");
}

static bool all_stray(
    struct app *a, const char *user, const char *name, const char *target)
{
	(void)a;
	(void)user;
	(void)name;
	(void)target;
	return true;
}

static void test_a_listing_made_before_a_request_ended_does_no_harm(
    void **state)
{
	json_t *old;

	(void)state;
	old = json_deep_copy(fake_proxy.routes);
	want("http://h:1", 1);
	compare(old, all_stray);
	assert_int_equal(n_requests(), 1);
	fake_proxy_serve();
	compare(old, all_stray);
	fake_proxy_serve();
	assert_string_equal(fake_proxy_target("/user/alice"), "http://h:1");
	json_decref(old);
}

/* The list comes in parts, and wishes change between them. */
static void test_what_was_sent_since_the_list_was_asked_for_is_newer(
    void **state)
{
	json_t *old;

	(void)state;
	want("http://h:1", 1);
	fake_proxy_serve();
	old = json_deep_copy(fake_proxy.routes);
	routing_compare_begin(&app);
	want("http://h:2", 2);
	fake_proxy_serve();
	routing_compare_part(&app, old, all_stray);
	routing_compare_end(&app);
	assert_int_equal(n_requests(), 0);
	routing_compare_begin(&app);
	routing_compare_part(&app, old, all_stray);
	routing_compare_end(&app);
	assert_int_equal(n_requests(), 1);
	json_decref(old);
}

static void test_a_slash_more_is_the_same_target(void **state)
{
	json_t *route;

	(void)state;
	want("http://h:1", 1);
	fake_proxy_serve();
	route = json_object_get(fake_proxy.routes, "/user/alice");
	json_object_set_new(route, "target", json_string("http://h:1/"));
	compare(fake_proxy.routes, all_stray);
	assert_int_equal(n_requests(), 0);
	json_object_set_new(route, "user", json_string("eve"));
	compare(fake_proxy.routes, all_stray);
	assert_int_equal(n_requests(), 1);
}

static void test_keys_come_unescaped(void **state)
{
	json_t *data = json_pack("{s:s}", "user", "a b@c");

	(void)state;
	routing_want(&app, "/user/a%20b@c", "http://h:1", data, 1, NULL);
	fake_proxy_serve();
	assert_non_null(fake_proxy_target("/user/a b@c"));
	compare(fake_proxy.routes, all_stray);
	assert_int_equal(n_requests(), 0);
	json_decref(data);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_routing, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_wish_is_carried_out_and_told_once),
		T(test_a_newer_wish_waits_for_the_request_under_way),
		T(test_the_same_wish_again_costs_no_request),
		T(test_a_failure_is_told_and_repaired_by_the_next_listing),
		T(test_a_failed_deletion_is_told_too),
		T(test_who_is_forgotten_is_not_told),
		T(test_a_listing_made_before_a_request_ended_does_no_harm),
		T(test_what_was_sent_since_the_list_was_asked_for_is_newer),
		T(test_a_slash_more_is_the_same_target),
		T(test_keys_come_unescaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
