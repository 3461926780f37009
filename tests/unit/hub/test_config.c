/*
 * hub/config.c: what carrel.yaml may say and what is said about mistakes.
 */
#include "test_util.h"

#include "base/conf.h"
#include "hub/config.h"

static struct arena arena;
static struct config cfg;
static struct buf problems;
static struct err err;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	buf_init(&problems, 65536);
	err = (struct err){ .code = ERR_NONE };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	buf_fini(&problems);
	return 0;
}

static int load(const char *text)
{
	buf_reset(&problems);
	return config_load(&arena, text, text ? strlen(text) : 0, "c.yaml",
	    &cfg, &problems, &err);
}

static void test_built_in_defaults_admit_nobody(void **state)
{
	struct auth_rules *rules;

	(void)state;
	test_ok(load(NULL), &err);
	assert_false(cfg.rules.allow_all);
	rules = rules_open(&cfg.rules, &err);
	assert_non_null(rules);
	assert_true(rules_admit_nobody(rules));
	rules_close(&rules);
}

static void test_defaults_are_those_of_the_contract(void **state)
{
	(void)state;
	test_ok(load(NULL), &err);
	assert_string_equal(cfg.base_url, "/");
	assert_int_equal(cfg.hub_port, 8081);
	assert_string_equal(cfg.hub_host, "127.0.0.1");
	assert_string_equal(cfg.proxy_api_url, "http://127.0.0.1:8001");
	assert_int_equal(cfg.start_timeout_s, 60);
	assert_int_equal(cfg.http_timeout_s, 30);
	assert_int_equal(cfg.slow_spawn_timeout_s, 10);
	assert_int_equal(cfg.slow_stop_timeout_s, 10);
	assert_int_equal(cfg.concurrent_spawn_limit, 100);
	assert_int_equal(cfg.cookie_max_age_s, 14 * 86400);
	assert_int_equal(cfg.activity_resolution_s, 30);
	assert_int_equal(cfg.throttle.name_free, throttle_defaults.name_free);
	assert_int_equal(
	    cfg.throttle.address_free, throttle_defaults.address_free);
	assert_int_equal(cfg.throttle.first_s, throttle_defaults.first_s);
	assert_int_equal(cfg.throttle.max_s, throttle_defaults.max_s);
	assert_int_equal(cfg.throttle.fade_s, throttle_defaults.fade_s);
}

static void test_texts_are_never_null_but_the_regular_expression(void **state)
{
	size_t n;
	const struct conf_option *o = config_options(&n);

	(void)state;
	test_ok(load(NULL), &err);
	for (size_t i = 0; i < n; i++) {
		const char *text;

		if (o[i].type != CONF_STRING && o[i].type != CONF_WORD)
			continue;
		memcpy(&text, (const char *)&cfg + o[i].offset, sizeof text);
		assert_int_equal(text == NULL,
		    strcmp(o[i].path, "auth.username_regex") == 0);
	}
}

static void test_every_option_is_documented_and_unique(void **state)
{
	size_t n;
	const struct conf_option *o = config_options(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_non_null(o[i].doc);
		assert_true(strlen(o[i].doc) > 15);
		assert_int_equal(o[i].doc[strlen(o[i].doc) - 1], '.');
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(o[i].path, o[j].path);
			assert_int_not_equal(o[i].offset, o[j].offset);
		}
	}
}

static void test_values_arrive(void **state)
{
	(void)state;
	test_ok(load("hub:\n  base_url: /nb/\n  port: 9081\n"
		     "auth:\n  allow_all: true\n  admin_groups: [sudo, wheel]\n"
		     "  throttle:\n    failures: 7\n"
		     "server:\n  stop_grace: 1m\n"),
	    &err);
	assert_string_equal(cfg.base_url, "/nb/");
	assert_int_equal(cfg.hub_port, 9081);
	assert_true(cfg.rules.allow_all);
	assert_int_equal(cfg.rules.admin_groups.n, 2);
	assert_string_equal(cfg.rules.admin_groups.items[1], "wheel");
	assert_int_equal(cfg.throttle.name_free, 7);
	assert_int_equal(cfg.stop_grace_s, 60);
}

static const struct {
	const char *name, *text, *says;
} mistakes[] = {
	{ "unknown key", "hub:\n  prot: 1\n",
	    "c.yaml:2:3: unknown key \"prot\" in \"hub\"; did you mean "
	    "\"port\"?" },
	{ "unknown section", "servr:\n  stop_grace: 1s\n",
	    "c.yaml:1:1: unknown key \"servr\"; did you mean \"server\"?" },
	{ "command", "server:\n  command: [sh]\n",
	    "c.yaml:2:3: \"command\" has no place in this file" },
	{ "command says where", "command: sh\n", "/etc/carrel/spawner.yaml" },
	{ "command deep down", "auth:\n  options:\n    x:\n      - cmd: sh\n",
	    "c.yaml:4:9: \"cmd\" has no place" },
	{ "port", "hub:\n  port: 70000\n",
	    "c.yaml:2:9: \"hub.port\" must be a whole number from 1 to 65535" },
	{ "base_url", "hub:\n  base_url: nb\n",
	    "c.yaml:2:13: \"hub.base_url\"" },
	{ "base_url twice", "hub:\n  base_url: //x/\n", "\"hub.base_url\"" },
	{ "public_url with a path", "hub:\n  public_url: https://h/x\n",
	    "without a path" },
	{ "public_url is none", "hub:\n  public_url: h.example\n",
	    "c.yaml:2:15: \"hub.public_url\"" },
	{ "default_url elsewhere", "hub:\n  default_url: //evil/\n",
	    "one slash in front" },
	{ "log level", "hub:\n  log_level: loud\n",
	    "one of error, warn, info, debug" },
	{ "waits",
	    "auth:\n  throttle:\n    first_wait: 10s\n"
	    "    longest_wait: 5s\n",
	    "c.yaml:4:19: \"auth.throttle.longest_wait\"" },
	{ "server name", "server:\n  default_name: Desk\n",
	    "c.yaml:2:17: \"server.default_name\": Invalid server_name" },
	{ "profiles without the default", "server:\n  profiles: [big]\n",
	    "\"server.profiles\" lacks \"default\"" },
	{ "options are no map", "auth:\n  options: x\n",
	    "c.yaml:2:12: \"auth.options\" must be a section" },
	{ "not YAML", "hub: [\n", "c.yaml:" },
	{ "key twice", "hub:\n  port: 1\n  port: 2\n",
	    "\"port\" is given twice" },
};

static void test_mistakes_are_named_with_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(mistakes); i++) {
		if (load(mistakes[i].text) == 0)
			fail_msg("%s: accepted", mistakes[i].name);
		if (!strstr(err.text, mistakes[i].says))
			fail_msg("%s: \"%s\" does not say \"%s\"",
			    mistakes[i].name, err.text, mistakes[i].says);
		assert_non_null(strstr(buf_view(&problems), "c.yaml:"));
	}
}

static void test_all_problems_are_listed(void **state)
{
	(void)state;
	assert_int_equal(load("hub:\n  prot: 1\n  port: x\n"), -1);
	assert_non_null(strstr(buf_view(&problems), "c.yaml:2:3"));
	assert_non_null(strstr(buf_view(&problems), "c.yaml:3:9"));
	test_err_says(&err, "2 problems in all");
}

static void test_a_change_is_applied_or_waits_for_a_restart(void **state)
{
	struct config now;
	struct buf applied, waiting;

	(void)state;
	buf_init(&applied, 1024);
	buf_init(&waiting, 1024);
	test_ok(load("auth:\n  options: {a: {b: [1]}}\n"), &err);
	now = cfg;
	test_ok(load("auth:\n  options: {a: {b: [1]}}\n"), &err);
	config_apply(&now, &cfg, &applied, &waiting);
	assert_string_equal(buf_view(&applied), "");
	assert_string_equal(buf_view(&waiting), "");
	test_ok(load("hub:\n  port: 9\n  log_level: debug\n"
		     "server:\n  stop_grace: 1s\n"
		     "auth:\n  admin_users: [x]\n"
		     "  options: {a: {b: [2]}}\n"),
	    &err);
	config_apply(&now, &cfg, &applied, &waiting);
	assert_string_equal(
	    buf_view(&applied), "hub.log_level server.stop_grace");
	assert_string_equal(
	    buf_view(&waiting), "hub.port auth.options auth.admin_users");
	assert_int_equal(now.stop_grace_s, 1);
	assert_string_equal(now.log_level, "debug");
	assert_int_equal(now.hub_port, 8081);
	assert_int_equal(now.rules.admin_users.n, 0);
	buf_fini(&applied);
	buf_fini(&waiting);
}

static void test_sample_says_allow_all_and_admin_groups_in_plain_sight(
    void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	config_write_sample(&b);
	assert_false(b.overflow);
	assert_non_null(strstr(buf_view(&b), "\n  allow_all: true\n"));
	assert_non_null(strstr(buf_view(&b), "\n  admin_groups: [sudo]\n"));
	test_ok(load(buf_view(&b)), &err);
	assert_true(cfg.rules.allow_all);
	assert_string_equal(cfg.rules.admin_groups.items[0], "sudo");
	buf_fini(&b);
}

static void test_sample_and_manual_name_every_option(void **state)
{
	struct buf sample, manual;
	size_t n;
	const struct conf_option *o = config_options(&n);

	(void)state;
	buf_init(&sample, 1 << 20);
	buf_init(&manual, 1 << 20);
	config_write_sample(&sample);
	config_write_manual(&manual);
	for (size_t i = 0; i < n; i++) {
		const char *last = strrchr(o[i].path, '.');

		assert_non_null(strstr(buf_view(&manual), o[i].path));
		assert_non_null(
		    strstr(buf_view(&sample), last ? last + 1 : o[i].path));
	}
	buf_fini(&sample);
	buf_fini(&manual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_built_in_defaults_admit_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_defaults_are_those_of_the_contract, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_texts_are_never_null_but_the_regular_expression, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_every_option_is_documented_and_unique, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_values_arrive, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_mistakes_are_named_with_their_place, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_all_problems_are_listed, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_change_is_applied_or_waits_for_a_restart, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_sample_says_allow_all_and_admin_groups_in_plain_sight,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_sample_and_manual_name_every_option, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
