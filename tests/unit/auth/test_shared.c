/* Tests of auth/shared.c: what test_contract.c does not ask of every kind. */
#include "test_util.h"

#include "auth/shared.h"
#include "base/log.h"

#define USER_PW  "for all of us"
#define ADMIN_PW "for the few who look after all this"
#define BOTH     "{user_password: " USER_PW ", admin_password: " ADMIN_PW "}"

static struct arena arena;
static struct loop *loop;
static enum auth_result heard;
static int n_heard;
static bool database_fails;

static void quiet(const char *line, void *arg)
{
	(void)arg;
	assert_null(strstr(line, USER_PW));
	assert_null(strstr(line, ADMIN_PW));
}

static void hear(uint64_t attempt, enum auth_result res,
    const struct auth_identity *identity, const char *text, void *arg)
{
	(void)attempt;
	(void)text;
	(void)arg;
	assert_int_equal(identity != NULL, res == AUTH_RES_OK);
	heard = res;
	n_heard++;
}

/* "Boss" is one however it is written. */
static int is_admin(const char *name, void *arg, struct err *err)
{
	assert_ptr_equal(arg, &arena);
	if (database_fails)
		return err_set(err, ERR_IO, "the test's disk is away");
	return slice_ieq(slice_of(name), "boss");
}

static int set_up(void **state)
{
	(void)state;
	n_heard = 0;
	database_fails = false;
	log_set_sink(quiet, NULL);
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

static struct authenticator *open_shared(const char *yaml, struct err *err)
{
	static const struct auth_sink sink = { .done = hear };
	struct conf_node *options = NULL;

	test_ok(conf_parse(&arena, yaml, strlen(yaml), "x.yaml", &options, err),
	    err);
	const struct auth_env env = { .loop = loop,
		.sink = &sink,
		.options = options,
		.is_admin = is_admin,
		.is_admin_arg = &arena,
		.file = "x.yaml" };

	return authenticator_shared.open(&env, err);
}

static enum auth_result try_login(
    const char *yaml, const char *name, const char *password)
{
	struct err err = { 0 };
	struct authenticator *au = open_shared(yaml, &err);
	const struct auth_form form = { name, password, "192.0.2.1" };

	if (au == NULL)
		fail_msg("%s", err.text);
	n_heard = 0;
	authenticator_shared.begin(au, 1, &form);
	loop_turn(loop, 0);
	loop_turn(loop, 0);
	assert_int_equal(n_heard, 1);
	authenticator_shared.close(&au);
	return heard;
}

static void test_everybody_has_the_one_password(void **state)
{
	(void)state;
	assert_int_equal(try_login(BOTH, "alice", USER_PW), AUTH_RES_OK);
	assert_int_equal(try_login(BOTH, "bob", USER_PW), AUTH_RES_OK);
	assert_int_equal(try_login(BOTH, "bob", USER_PW " "), AUTH_RES_DENIED);
}

static void test_administrators_need_theirs(void **state)
{
	(void)state;
	assert_int_equal(try_login(BOTH, "boss", USER_PW), AUTH_RES_DENIED);
	assert_int_equal(try_login(BOTH, "BOSS", USER_PW), AUTH_RES_DENIED);
	assert_int_equal(try_login(BOTH, "boss", ADMIN_PW), AUTH_RES_OK);
}

/* It is not typed into forms under other names either. */
static void test_the_administrators_password_is_for_them_alone(void **state)
{
	(void)state;
	assert_int_equal(try_login(BOTH, "alice", ADMIN_PW), AUTH_RES_DENIED);
}

static void test_without_it_no_administrator_comes_in(void **state)
{
	static const char yaml[] = "user_password: " USER_PW;

	(void)state;
	assert_int_equal(try_login(yaml, "boss", USER_PW), AUTH_RES_DENIED);
	assert_int_equal(try_login(yaml, "boss", ""), AUTH_RES_DENIED);
	assert_int_equal(try_login(yaml, "alice", USER_PW), AUTH_RES_OK);
}

static void test_nobody_comes_in_while_it_is_unknown_who_is_one(void **state)
{
	(void)state;
	database_fails = true;
	assert_int_equal(
	    try_login(BOTH, "alice", USER_PW), AUTH_RES_UNAVAILABLE);
}

static void test_weak_passwords_are_refused(void **state)
{
	static const struct {
		const char *yaml, *says;
	} rows[] = {
		{ "{}", "user_password" },
		{ "user_password: seven77", "user_password" },
		{ "{user_password: long enough, admin_password: "
		  "thirty-one-bytes-are-one-short-}",
		    "admin_password" },
		{ "{user_password: " ADMIN_PW ", admin_password: " ADMIN_PW "}",
		    "the same" },
		{ "admin_password: " ADMIN_PW, "user_password" },
		{ "{user_password: " USER_PW ", password_groups: {" USER_PW
		  ": [a]}}",
		    "stands there twice" },
		{ "{admin_password: " ADMIN_PW ", password_groups: {" ADMIN_PW
		  ": [a]}}",
		    "the same" },
		{ "password_groups: {seven77: [a]}", "x.yaml:1:" },
		{ "password_groups: {long enough: []}", "x.yaml:1:" },
		{ "password_groups: {long enough: [[a]]}", "x.yaml:1:" },
		{ "password_groups: {long enough: ['']}", "x.yaml:1:" },
		{ "password_groups: [a]", "a map" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct err err = { 0 };

		assert_null(open_shared(rows[i].yaml, &err));
		assert_int_equal(err.code, ERR_INVALID);
		test_err_says(&err, rows[i].says);
		if (strstr(err.text, ADMIN_PW) || strstr(err.text, USER_PW) ||
		    strstr(err.text, "long enough"))
			fail_msg("the error tells the password");
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_everybody_has_the_one_password),
		TEST(test_administrators_need_theirs),
		TEST(test_the_administrators_password_is_for_them_alone),
		TEST(test_without_it_no_administrator_comes_in),
		TEST(test_nobody_comes_in_while_it_is_unknown_who_is_one),
		TEST(test_weak_passwords_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
