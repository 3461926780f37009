/* Tests of auth/dummy.c: what test_contract.c does not ask of every kind. */
#include "fake_spawner.h"

#include "auth/dummy.h"
#include "base/log.h"

static struct loop *loop;
static struct heard heard;
static int n_warnings;

static void count_warnings(const char *line, void *arg)
{
	(void)arg;
	n_warnings += strstr(line, "dummy login in use") != NULL;
}

static int set_up(void **state)
{
	(void)state;
	n_warnings = 0;
	memset(&heard, 0, sizeof heard);
	log_set_sink(count_warnings, NULL);
	loop = loop_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(&loop);
	log_set_sink(NULL, NULL);
	return 0;
}

static struct authenticator *open_dummy(bool is_public, struct err *err)
{
	const struct auth_sink sink = { hear_prompt, hear_done, &heard };
	const struct auth_env env = {
		.loop = loop, .sink = &sink, .public_address = is_public
	};

	return authenticator_dummy.open(&env, err);
}

static void test_it_refuses_a_public_address(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_null(open_dummy(true, &err));
	assert_int_equal(err.code, ERR_DENIED);
	test_err_says(&err, "127.0.0.1");
}

static void test_it_warns_when_it_is_used(void **state)
{
	struct err err = { 0 };
	struct authenticator *au = open_dummy(false, &err);

	(void)state;
	assert_non_null(au);
	assert_int_equal(n_warnings, 1);
	authenticator_dummy.close(&au);
}

static void test_without_the_option_any_password_will_do_but_one(void **state)
{
	const struct auth_form any = { "alice", "anything", "" };
	const struct auth_form none = { "alice", NULL, "" };
	struct err err = { 0 };
	struct authenticator *au = open_dummy(false, &err);

	(void)state;
	assert_non_null(au);
	authenticator_dummy.begin(au, 1, &any);
	loop_turn(loop, 0);
	assert_int_equal(heard.res, AUTH_RES_OK);
	assert_string_equal(heard.name, "alice");
	authenticator_dummy.begin(au, 2, &none);
	loop_turn(loop, 0);
	assert_int_equal(heard.n_done, 2);
	assert_int_equal(heard.res, AUTH_RES_DENIED);
	authenticator_dummy.close(&au);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_it_refuses_a_public_address),
		TEST(test_it_warns_when_it_is_used),
		TEST(test_without_the_option_any_password_will_do_but_one),
	};

	return cmocka_run_group_tests_name("auth/dummy", tests, NULL, NULL);
}
