/* Tests of auth/dummy.c: what test_contract.c does not ask of every kind. */
#include "fake_spawner.h"

#include "auth/dummy.h"
#include "base/log.h"

static struct arena arena;
static struct loop *loop;
static struct heard heard;
static int n_warnings;

static void count_warnings(const char *line, void *arg)
{
	(void)arg;
	n_warnings += strstr(line, "kind=dummy") != NULL;
}

static int set_up(void **state)
{
	(void)state;
	n_warnings = 0;
	memset(&heard, 0, sizeof heard);
	log_set_sink(count_warnings, NULL);
	loop = loop_new();
	arena_init(&arena);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(&loop);
	arena_fini(&arena);
	log_set_sink(NULL, NULL);
	return 0;
}

static struct authenticator *open_dummy(
    const char *yaml, bool is_public, struct err *err)
{
	static const struct auth_sink sink = { hear_prompt, hear_done, &heard };
	struct conf_node *options = NULL;

	test_ok(conf_parse(&arena, yaml, strlen(yaml), "x.yaml", &options, err),
	    err);
	const struct auth_env env = { .loop = loop,
		.sink = &sink,
		.options = options,
		.file = "x.yaml",
		.public_address = is_public };

	return authenticator_dummy.open(&env, err);
}

static void test_it_refuses_a_public_address(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_null(open_dummy("password: s3cret", true, &err));
	assert_int_equal(err.code, ERR_INVALID);
	test_err_says(&err, "from elsewhere");
}

static void test_it_warns_when_it_is_used(void **state)
{
	struct err err = { 0 };
	struct authenticator *au = open_dummy("password: s3cret", false, &err);

	(void)state;
	assert_non_null(au);
	assert_int_equal(n_warnings, 1);
	authenticator_dummy.close(&au);
}

static void test_it_wants_a_password(void **state)
{
	const char *const bad[] = { "{}", "password: \"\"",
		"password:", "password: [a]" };

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct err err = { 0 };

		if (open_dummy(bad[i], false, &err) != NULL)
			fail_msg("opened with %s", bad[i]);
		assert_int_equal(err.code, ERR_INVALID);
		test_err_says(&err, "password");
	}
}

static void test_a_missing_password_is_not_an_empty_one(void **state)
{
	const struct auth_form none = { "alice", NULL, "" };
	struct err err = { 0 };
	struct authenticator *au = open_dummy("password: s3cret", false, &err);

	(void)state;
	assert_non_null(au);
	authenticator_dummy.begin(au, 2, &none);
	loop_turn(loop, 0);
	assert_int_equal(heard.n_done, 1);
	assert_int_equal(heard.res, AUTH_RES_DENIED);
	authenticator_dummy.close(&au);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_it_refuses_a_public_address),
		TEST(test_it_warns_when_it_is_used),
		TEST(test_it_wants_a_password),
		TEST(test_a_missing_password_is_not_an_empty_one),
	};

	return cmocka_run_group_tests_name("auth/dummy", tests, NULL, NULL);
}
