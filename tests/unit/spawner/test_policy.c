/*
 * spawner/policy: root's file, and the names that the hub may say.
 */
#include "spawner/policy.h"
#include "test_util.h"

#include "base/fd.h"

struct fixture {
	struct policy p;
	struct buf problems;
	struct err err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	buf_init(&f->problems, 65536);
	arena_init(&f->p.arena);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	policy_fini(&f->p);
	buf_fini(&f->problems);
	free(f);
	return 0;
}

static int parse(struct fixture *f, const char *text, bool is_root)
{
	policy_fini(&f->p);
	buf_reset(&f->problems);
	return policy_parse(&f->p, text, text ? strlen(text) : 0,
	    "spawner.yaml", is_root, &f->problems, &f->err);
}

static void test_no_file_is_one_default_profile(void **state)
{
	struct fixture *f = *state;
	const struct profile *p;

	test_ok(parse(f, NULL, true), &f->err);
	assert_int_equal(f->p.n_profiles, 1);
	p = policy_profile(&f->p, "default");
	assert_non_null(p);
	assert_string_equal(p->kind, "local");
	assert_string_equal(
	    p->command.items[0], "/usr/bin/jupyterhub-singleuser");
	assert_true(p->no_new_privs);
	assert_int_equal(p->environment.n, 3);
	assert_int_equal(f->p.min_uid, 1000);
	assert_false(policy_wants_new_privs(&f->p));
}

static void test_shipped_file_is_right_and_says_the_defaults(void **state)
{
	struct fixture *f = *state;
	struct policy shipped = { 0 };
	const struct profile *a, *b;
	char *text;
	size_t len;

	if (file_read_all("etc/spawner.yaml", 65536, &text, &len, &f->err)) {
		print_message("etc/spawner.yaml: run from the top folder\n");
		skip();
	}
	test_ok(policy_parse(&shipped, text, len, "spawner.yaml", true,
		    &f->problems, &f->err),
	    &f->err);
	test_ok(parse(f, NULL, true), &f->err);
	a = policy_profile(&shipped, "default");
	b = policy_profile(&f->p, "default");
	assert_int_equal(a->environment.n, b->environment.n);
	for (size_t i = 0; i < a->environment.n; i++)
		assert_string_equal(
		    a->environment.items[i].name, b->environment.items[i].name);
	assert_string_equal(a->command.items[0], b->command.items[0]);
	policy_fini(&shipped);
#define OPT(member, path, type, fallback, lo, hi, words, doc)                  \
	assert_non_null(strstr(text, strrchr("." path, '.') + 1));
#define PROFILE(member, path, type, fallback, lo, hi, words, doc)              \
	assert_non_null(strstr(text, strrchr("." path, '.') + 1));
#include "spawner/policy.def"
	free(text);
}

static void test_profile_is_read(void **state)
{
	struct fixture *f = *state;
	const struct profile *p;

	test_ok(parse(f,
		    "profiles:\n"
		    "  big:\n"
		    "    command: [/opt/x, --flag]\n"
		    "    environment: {A: b}\n"
		    "    no_new_privs: false\n"
		    "    limits: {memory: 2G, cpu: 1.5, pids: 100}\n"
		    "    stop_grace: 3s\n"
		    "port_range: 41000-41999\n"
		    "services: {x: {command: [/bin/y], user: z}}\n",
		    true),
	    &f->err);
	p = policy_profile(&f->p, "big");
	assert_non_null(p);
	assert_int_equal(p->command.n, 2);
	assert_int_equal(p->limits.memory_bytes, (int64_t)2 << 30);
	assert_int_equal(p->limits.cpu_millis, 1500);
	assert_int_equal(p->limits.pids, 100);
	assert_int_equal(p->stop_grace_s, 3);
	assert_true(policy_wants_new_privs(&f->p));
	assert_int_equal(f->p.port_first, 41000);
	assert_int_equal(f->p.port_last, 41999);
	assert_int_equal(f->p.n_services, 1);
	assert_string_equal(policy_service(&f->p, "x")->user, "z");
	assert_string_equal(policy_service(&f->p, "x")->cwd, "/");
	assert_string_equal(
	    policy_service(&f->p, "x")->profile.name, "service:x");
	assert_true(policy_service(&f->p, "x")->profile.no_new_privs);
	assert_null(policy_service(&f->p, "y"));
	assert_null(policy_profile(&f->p, "service:x"));
	assert_null(policy_profile(&f->p, "default"));
}

static void test_wrong_files_name_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "profils: {}\n", "profiles" },
		{ "profiles: {a: {comand: [/x]}}\n", "command" },
		{ "profiles: {}\n", "profiles" },
		{ "profiles: [a]\n", "profiles" },
		{ "profiles: {a: {kind: nope}}\n", "local, simple, fake" },
		{ "profiles: {a: {kind: fake}}\n", "allow_fake" },
		{ "profiles: {a: {kind: simple}}\n", "root" },
		{ "profiles: {a: {command: []}}\n", "absolute" },
		{ "profiles: {a: {command: [relative]}}\n", "absolute" },
		{ "profiles: {'a/b': {kind: local}}\n", "name" },
		{ "profiles: {a: {environment: {'A=B': c}}}\n", "environment" },
		{ "profiles: {a: {limits: {cpu: fast}}}\n", "limits.cpu" },
		{ "profiles: {a: {limits: {cpu: '0.0001'}}}\n", "limits.cpu" },
		{ "profiles: {a: {limits: {cpu: '1.'}}}\n", "limits.cpu" },
		{ "profiles: {a: {limits: {cpu: '0'}}}\n", "limits.cpu" },
		{ "port_range: 80-90\n", "port_range" },
		{ "port_range: 2000\n", "port_range" },
		{ "port_range: 3000-2000\n", "port_range" },
		{ "min_uid: 0\n", "min_uid" },
		{ "max_servers: many\n", "max_servers" },
		{ "services: {a: {command: [x]}}\n", "service" },
		{ "services: {a: {}}\n", "absolute path" },
		{ "services: {'a:b': {command: [/x]}}\n", "name of a service" },
		{ "services: {a: {command: [/x], cwd: x}}\n", "cwd" },
		{ "services: {a: {command: [/x], user: 'a b'}}\n", "user" },
		{ "services: {a: {command: [/x], limits: {cpu: 0}}}\n", "cpu" },
		{ "profiles: {a: {kind: service}}\n", "local, simple, fake" },
		{ "a: [\n", "spawner.yaml:" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < N_OF(cases); i++) {
		if (parse(f, cases[i].text, true) == 0)
			fail_msg("accepted: %s", cases[i].text);
		test_err_says(&f->err, cases[i].says);
		assert_non_null(
		    strstr(buf_view(&f->problems), "spawner.yaml:"));
	}
}

static void test_simple_and_fake_exist_where_they_may(void **state)
{
	struct fixture *f = *state;

	test_ok(parse(f, "profiles: {a: {kind: simple}}\n", false), &f->err);
	test_ok(
	    parse(f, "allow_fake: true\nprofiles: {a: {kind: fake}}\n", true),
	    &f->err);
}

static void test_all_problems_are_told(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f,
			     "profiles:\n"
			     "  a: {kind: nope}\n"
			     "  b: {command: [x]}\n"
			     "  c: {wrong: 1}\n",
			     true),
	    -1);
	assert_non_null(strstr(buf_view(&f->problems), "nope"));
	assert_non_null(strstr(buf_view(&f->problems), "\"b\""));
	assert_non_null(strstr(buf_view(&f->problems), "wrong"));
	test_err_says(&f->err, "nope");
}

static void test_uids_that_never_run_are_refused(void **state)
{
	static const struct {
		uid_t uid;
		int rc;
	} cases[] = { { 0, -1 }, { 1, -1 }, { 999, -1 }, { 1000, 0 },
		{ 65534, -1 }, { (uid_t)-1, -1 }, { 100000, 0 } };
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		assert_int_equal(
		    policy_check_uid(1000, "a", cases[i].uid, &err),
		    cases[i].rc);
	/* Root even where there is no minimum. */
	assert_int_equal(policy_check_uid(0, "root", 0, &err), -1);
}

static void test_environment_names_of_the_hub(void **state)
{
	static const char *const good[] = { "JUPYTERHUB_API_TOKEN",
		"JPY_API_TOKEN", "MEM_LIMIT", "MEM_GUARANTEE", "CPU_LIMIT",
		"CPU_GUARANTEE", "JUPYTERHUB_OAUTH2_X" };
	static const char *const bad[] = { "", "PATH", "LD_PRELOAD",
		"PYTHONPATH", "JUPYTERHUB_SERVICE_URL", "JUPYTERHUB_a",
		"JUPYTERHUB_A=B", "XJUPYTERHUB_A", "MEM_LIMITS",
		"jpy_api_token", "JUPYTERHUB_\n" };

	(void)state;
	for (size_t i = 0; i < N_OF(good); i++)
		assert_true(policy_env_name_ok(good[i]));
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_false(policy_env_name_ok(bad[i]));
}

/* CVE-2021-39160 is its twin: what a request says is never read as an option.
 */
static void test_cve_2021_39159_account_names_begin_no_option(void **state)
{
	static const char *const good[] = { "alice", "a.b", "a-b", "A_1",
		"user@example.org", "j\xc3\xb6rg" };
	static const char *const bad[] = { "", "-x", ".x", "a b", "a:b", "a/b",
		"a\nb", "\xff", "a\"b", "a\\b" };

	(void)state;
	for (size_t i = 0; i < N_OF(good); i++)
		assert_true(policy_account_name_ok(good[i]));
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_false(policy_account_name_ok(bad[i]));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_no_file_is_one_default_profile),
		T(test_shipped_file_is_right_and_says_the_defaults),
		T(test_profile_is_read),
		T(test_wrong_files_name_what_is_wrong),
		T(test_simple_and_fake_exist_where_they_may),
		T(test_all_problems_are_told),
		T(test_uids_that_never_run_are_refused),
		T(test_environment_names_of_the_hub),
		T(test_cve_2021_39159_account_names_begin_no_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
