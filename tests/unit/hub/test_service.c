/* Tests of hub/service.c: the life of managed services, with a fake spawner. */
#include "hub_fixture.c"

#include "db/service.h"
#include "db/token.h"
#include "hub/service.h"

#define AT     "127.0.0.1:40123"
#define PATH   "/services/web"
#define MINUTE INT64_C(60000)

static const char two[] = "services:\n"
			  "  web: {url: 'http://127.0.0.1', managed: web}\n"
			  "  job: {managed: job}\n"
			  "  out: {url: 'http://h:1', "
			  "api_token: 0123456789abcdef}\n";

static struct service *find(const char *name)
{
	struct service *s = service_find(&app, name);

	assert_non_null(s);
	return s;
}

static void expect(const char *name, enum service_state state)
{
	assert_int_equal(find(name)->state, state);
}

/* The hub reads this configuration. */
static void read_services(const char *text)
{
	struct err err = { .code = ERR_NONE };

	test_ok(config_load(&app.config_arena, text, strlen(text), "c.yaml",
		    &app.cfg, NULL, &err),
	    &err);
	app.services = NULL;
	test_ok(services_open(&app, &err), &err);
}

static void begin_with(const char *text)
{
	read_services(text);
	core_begin(&app);
	services_begin(&app);
	fake_spawner_up();
	fake_proxy_serve();
}

static void serve(void)
{
	fake_proxy_serve();
	settle();
}

static char web_key[SPAWNER_KEY_LEN + 1];

/* `web` runs; `job` was asked for. */
static void web_runs(void)
{
	begin_with(two);
	say_list_end();
	settle();
	copy_key(web_key, find("web")->key);
	say_started(web_key, AT);
	say_ready(web_key);
	serve();
}

static const char *target(const char *path)
{
	const json_t *route = json_object_get(fake_proxy.routes, path);

	return json_string_value(json_object_get(route, "target"));
}

/* Does the token of the last START speak for that service? */
static bool is_valid(const char *plain)
{
	struct err err = { 0 };
	struct token t;
	struct arena a;
	int found;

	arena_init(&a);
	found = token_find(app.db, &a, plain, T0_US, &t, &err);
	arena_fini(&a);
	test_ok(found, &err);
	return found == 1;
}

static void test_managed_ones_begin_with_the_first_list(void **state)
{
	(void)state;
	begin_with(two);
	settle();
	assert_int_equal(sent.n[FAKE_START], 0);
	say_list_end();
	settle();
	assert_int_equal(sent.n[FAKE_START], 2);
	expect("web", SERVICE_ASKED);
	expect("out", SERVICE_EXTERNAL);
	assert_string_equal(target("/services/out"), "http://h:1");
	assert_null(target(PATH));
}

static void test_a_start_brings_its_token(void **state)
{
	const char *token;

	(void)state;
	begin_with(two);
	say_list_end();
	settle();
	token = json_string_value(
	    json_object_get(sent.env, "JUPYTERHUB_API_TOKEN"));
	assert_non_null(token);
	assert_true(is_valid(token));
	/* The last one that was asked for has no address. */
	assert_null(json_object_get(sent.env, "JUPYTERHUB_SERVICE_PREFIX"));
	assert_string_equal(find("job")->token, "");
}

static void test_the_route_waits_for_its_own_listener(void **state)
{
	(void)state;
	begin_with(two);
	say_list_end();
	settle();
	copy_key(web_key, find("web")->key);
	say_started(web_key, AT);
	serve();
	expect("web", SERVICE_STARTED);
	assert_null(target(PATH));
	say_ready(web_key);
	serve();
	expect("web", SERVICE_RUNNING);
	assert_string_equal(target(PATH), "http://" AT);
}

static void test_an_end_leads_to_a_start_with_back_off(void **state)
{
	char before[SPAWNER_KEY_LEN + 1];

	(void)state;
	web_runs();
	for (int64_t wait_ms = 1000; wait_ms <= 2 * MINUTE; wait_ms *= 2) {
		size_t n = sent.n[FAKE_START];
		copy_key(before, find("web")->key);
		say_exited(before, 3, 0, false);
		serve();
		assert_string_equal(sent.ack_key, before);
		assert_null(target(PATH));
		assert_string_equal(
		    find("web")->failure, "exited with status 3");
		advance((wait_ms < MINUTE ? wait_ms : MINUTE) - 1);
		assert_int_equal(sent.n[FAKE_START], n);
		advance(1);
		assert_int_equal(sent.n[FAKE_START], n + 1);
		assert_string_not_equal(find("web")->key, before);
	}
}

static void test_a_minute_of_running_begins_anew(void **state)
{
	(void)state;
	web_runs();
	find("web")->delay_ms = 32000;
	advance(MINUTE);
	say_exited(web_key, -1, 9, false);
	assert_string_equal(find("web")->failure, "ended by signal 9");
	assert_int_equal(find("web")->delay_ms, 1000);
}

static void test_a_refusal_is_told_and_tried_again(void **state)
{
	(void)state;
	begin_with(two);
	say_list_end();
	settle();
	say_refused(find("job")->key, "no such entry");
	assert_string_equal(find("job")->failure, "no such entry");
	assert_string_equal(find("job")->tail, "what it said|");
	assert_string_equal(service_state_name(find("job")), "failed");
	assert_int_equal(sent.n[FAKE_START], 2);
	advance(1000);
	assert_int_equal(sent.n[FAKE_START], 3);
}

static void test_a_lost_spawner_is_no_end(void **state)
{
	(void)state;
	web_runs();
	fake_spawner_down();
	settle();
	expect("web", SERVICE_CHECKING);
	assert_string_equal(target(PATH), "http://" AT);
	fake_spawner_up();
	settle();
	say_found(web_key, AT);
	say_list_end();
	settle();
	expect("web", SERVICE_RUNNING);
	assert_string_equal(find("web")->key, web_key);
	/* The other one's START was lost. */
	assert_string_equal(
	    find("job")->failure, "it ended while the hub was away");
}

/* As after a restart: what is known is in the database. */
static void forget(const char *text)
{
	services_free(&app);
	read_services(text);
}

static void test_a_new_hub_takes_it_up(void **state)
{
	(void)state;
	web_runs();
	forget(two);
	expect("web", SERVICE_CHECKING);
	assert_true(service_is_in_doubt(&app, "web"));
	fake_spawner_down();
	fake_spawner_up();
	settle();
	say_found(web_key, AT);
	say_list_end();
	settle();
	expect("web", SERVICE_RUNNING);
	assert_int_equal(sent.n[FAKE_STOP], 0);
	assert_string_equal(find("web")->key, web_key);
}

static void test_other_settings_begin_anew(void **state)
{
	(void)state;
	web_runs();
	forget("services: {web: {url: 'http://127.0.0.1:4000', "
	       "managed: web}}\n");
	fake_spawner_down();
	fake_spawner_up();
	settle();
	say_found(web_key, AT);
	say_list_end();
	settle();
	expect("web", SERVICE_STOPPING);
	assert_string_equal(sent.stop_key, web_key);
	say_exited(web_key, -1, 2, false);
	assert_string_equal(find("web")->failure, "");
	advance(1000);
	expect("web", SERVICE_ASKED);
}

/* Left over from another hub.base_url. */
static void test_only_one_place_in_the_proxy_is_its_own(void **state)
{
	(void)state;
	web_runs();
	json_object_set_new(fake_proxy.routes, "/old/services/web",
	    json_pack("{s:s, s:s, s:b}", "service", "web", "target", AT,
		"jupyterhub", 1));
	json_object_set_new(fake_proxy.routes, "/old/services/out",
	    json_pack("{s:s, s:s, s:b}", "service", "out", "target",
		"http://h:1", "jupyterhub", 1));
	advance(app.cfg.proxy_check_s * 1000);
	fake_proxy_serve();
	fake_proxy_serve();
	assert_null(target("/old/services/web"));
	assert_null(target("/old/services/out"));
	assert_non_null(target(PATH));
	assert_string_equal(target("/services/out"), "http://h:1");
}

static void test_what_is_not_configured_is_stopped(void **state)
{
	(void)state;
	web_runs();
	forget("services: {job: {managed: job}}\n");
	fake_spawner_down();
	fake_spawner_up();
	settle();
	say_found(web_key, AT);
	say_list_end();
	assert_string_equal(sent.stop_key, web_key);
	assert_false(service_is_in_doubt(&app, "web"));
}

static void test_an_ending_hub_takes_them_along(void **state)
{
	(void)state;
	web_runs();
	assert_int_equal(services_count_active(&app), 2);
	services_stop_all(&app);
	assert_int_equal(sent.n[FAKE_STOP], 2);
	say_exited(web_key, -1, 2, false);
	say_exited(find("job")->key, -1, 2, false);
	assert_int_equal(services_count_active(&app), 0);
	advance(2 * MINUTE);
	assert_int_equal(sent.n[FAKE_START], 2);
}

static void test_a_change_of_its_answers_is_noticed(void **state)
{
	(void)state;
	web_runs();
	assert_int_equal(find("web")->answers, -1);
	assert_true(service_is_usable(find("web")));
	advance(app.cfg.service_check_s * 1000);
	while (fake_fetch_first())
		fake_fetch_answer(fake_fetch_first(), 404);
	assert_int_equal(find("web")->answers, 1);
	advance(app.cfg.service_check_s * 1000);
	while (fake_fetch_first())
		fake_fetch_answer(fake_fetch_first(), 503);
	assert_int_equal(find("web")->answers, 0);
	assert_false(service_is_usable(find("web")));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_managed_ones_begin_with_the_first_list),
		TEST(test_a_start_brings_its_token),
		TEST(test_the_route_waits_for_its_own_listener),
		TEST(test_an_end_leads_to_a_start_with_back_off),
		TEST(test_a_minute_of_running_begins_anew),
		TEST(test_a_refusal_is_told_and_tried_again),
		TEST(test_a_lost_spawner_is_no_end),
		TEST(test_a_new_hub_takes_it_up),
		TEST(test_other_settings_begin_anew),
		TEST(test_only_one_place_in_the_proxy_is_its_own),
		TEST(test_what_is_not_configured_is_stopped),
		TEST(test_an_ending_hub_takes_them_along),
		TEST(test_a_change_of_its_answers_is_noticed),
	};

	return cmocka_run_group_tests_name("hub/service", tests, NULL, NULL);
}
