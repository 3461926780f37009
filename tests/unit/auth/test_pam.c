/* Tests of auth/pam.c against a spawner of the test's own. */
#include "fake_spawner.h"

#include "auth/pam.h"
#include "base/log.h"

static struct loop *loop;
static struct authenticator *au;
static struct heard heard;
static struct auth_sink sink;

static void quiet(const char *line, void *arg)
{
	(void)arg;
	assert_null(strstr(line, "s3cret"));
}

static int set_up(void **state)
{
	struct auth_env env = { 0 };
	struct err err = { 0 };

	(void)state;
	log_set_sink(quiet, NULL);
	memset(&spawner, 0, sizeof spawner);
	memset(&heard, 0, sizeof heard);
	loop = loop_new();
	sink = (struct auth_sink){ hear_prompt, hear_done, &heard };
	env.loop = loop;
	env.sink = &sink;
	au = authenticator_pam.open(&env, &err);
	assert_non_null(au);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	authenticator_pam.close(&au);
	loop_free(&loop);
	log_set_sink(NULL, NULL);
	return 0;
}

static void begin_as(uint64_t id, const char *name, const char *password)
{
	const struct auth_form form = { name, password, "192.0.2.1" };

	authenticator_pam.begin(au, id, &form);
}

static void turns(void)
{
	loop_turn(loop, 0);
	loop_turn(loop, 0);
}

static void end_with(uint64_t id, enum spawner_auth_code code,
    const char *account, const char *text)
{
	const char *const groups[] = { "staff", "users" };
	const struct spawner_auth_end end = { .id = id,
		.code = code,
		.account = account,
		.text = text,
		.groups = code == AUTH_SUCCESS ? groups : NULL,
		.n_groups = code == AUTH_SUCCESS ? 2 : 0 };

	auth_pam_end(au, &end);
}

static void test_a_changed_password_is_told(void **state)
{
	struct spawner_auth_end end = {
		.id = 1,
		.code = AUTH_SUCCESS,
		.account = "alice",
		.text = "",
		.is_changed = true,
	};

	(void)state;
	begin_as(1, "alice", "s3cret");
	auth_pam_end(au, &end);
	assert_true(heard.has_new_secret);
	begin_as(2, "alice", "s3cret");
	end_with(2, AUTH_SUCCESS, "alice", "");
	assert_false(heard.has_new_secret);
}

static void test_the_password_answers_the_first_hidden_question(void **state)
{
	(void)state;
	begin_as(1, "alice", "s3cret");
	assert_int_equal(spawner.n, 1);
	assert_string_equal(spawner.asks[0].account, "alice");
	assert_string_equal(spawner.asks[0].rhost, "192.0.2.1");
	auth_pam_prompt(au, 1, "Password: ", false);
	assert_int_equal(heard.n_prompts, 0);
	assert_string_equal(spawner.asks[0].reply, "s3cret");
	end_with(1, AUTH_SUCCESS, "alice", "");
	assert_int_equal(heard.n_done, 1);
	assert_int_equal(heard.id, 1);
	assert_int_equal(heard.res, AUTH_RES_OK);
	assert_string_equal(heard.name, "alice");
	assert_string_equal(heard.account, "alice");
	assert_int_equal(heard.n_groups, 2);
	assert_string_equal(heard.group, "staff");
}

static void test_further_questions_go_to_the_person(void **state)
{
	(void)state;
	begin_as(1, "alice", "s3cret");
	auth_pam_prompt(au, 1, "Which site?", true);
	assert_int_equal(heard.n_prompts, 1);
	assert_true(heard.echo);
	assert_string_equal(heard.text, "Which site?");
	assert_int_equal(spawner.asks[0].n_replies, 0);
	authenticator_pam.reply(au, 1, "north");
	assert_string_equal(spawner.asks[0].reply, "north");
	auth_pam_prompt(au, 1, "Password: ", false);
	assert_string_equal(spawner.asks[0].reply, "s3cret");
	auth_pam_prompt(au, 1, "One-time code: ", false);
	assert_int_equal(heard.n_prompts, 2);
	assert_false(heard.echo);
	authenticator_pam.reply(au, 1, "123456");
	assert_string_equal(spawner.asks[0].reply, "123456");
	assert_int_equal(spawner.asks[0].n_replies, 3);
}

static void test_how_pam_ends_is_how_the_login_ends(void **state)
{
	static const struct {
		enum spawner_auth_code code;
		enum auth_result res;
	} rows[] = {
		{ AUTH_DENIED, AUTH_RES_DENIED },
		{ AUTH_EXPIRED, AUTH_RES_EXPIRED },
		{ AUTH_PASSWORD_EXPIRED, AUTH_RES_EXPIRED },
		{ AUTH_UNAVAILABLE, AUTH_RES_UNAVAILABLE },
		{ AUTH_TIMEOUT, AUTH_RES_TIMEOUT },
		{ AUTH_LIMIT, AUTH_RES_LIMIT },
		{ AUTH_CANCELLED, AUTH_RES_UNAVAILABLE },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		begin_as(2 * i + 1, "alice", "s3cret");
		end_with(2 * i + 1, rows[i].code, "", "");
		assert_int_equal(heard.res, rows[i].res);
		assert_false(heard.has_identity);
		/* Something that helps is said; a refusal says the same to
		 * all, which is the login page's business. */
		assert_int_equal(
		    strlen(heard.text) > 10, rows[i].code != AUTH_DENIED);
		begin_as(2 * i + 2, "alice", "s3cret");
		end_with(2 * i + 2, rows[i].code, "", "from the module");
		assert_string_equal(heard.text,
		    rows[i].code == AUTH_DENIED ? "" : "from the module");
		assert_int_equal(heard.n_done, 2 * (int)i + 2);
	}
}

static void test_names_are_asked_for_in_lower_case(void **state)
{
	(void)state;
	begin_as(1, "Alice", "s3cret");
	assert_string_equal(spawner.asks[0].account, "alice");
}

/* Else the Unix account "Bob" would be the hub's "bob". */
static void test_another_account_with_capitals_is_refused(void **state)
{
	(void)state;
	begin_as(1, "alice", "s3cret");
	end_with(1, AUTH_SUCCESS, "Bob", "");
	assert_int_equal(heard.res, AUTH_RES_UNAVAILABLE);
	assert_false(heard.has_identity);
	begin_as(2, "alice", "s3cret");
	end_with(2, AUTH_SUCCESS, "", "");
	assert_int_equal(heard.res, AUTH_RES_UNAVAILABLE);
}

/* Directories that do not tell case apart spell it their own way. */
static void test_the_same_account_in_capitals_is_believed(void **state)
{
	(void)state;
	begin_as(1, "alice", "s3cret");
	end_with(1, AUTH_SUCCESS, "ALICE", "");
	assert_int_equal(heard.res, AUTH_RES_OK);
	assert_string_equal(heard.name, "alice");
	assert_string_equal(heard.account, "ALICE");
}

static void test_a_question_for_the_name_is_answered(void **state)
{
	const char *const asks[] = { "login:", "Username: ", "host login: " };

	(void)state;
	for (size_t i = 0; i < N_OF(asks); i++) {
		begin_as(i + 1, "Alice", "s3cret");
		auth_pam_prompt(au, i + 1, asks[i], true);
		assert_string_equal(spawner.asks[i].reply, "alice");
		assert_int_equal(heard.n_prompts, 0);
	}
	/* Once; then it is the person's. */
	auth_pam_prompt(au, 1, "login:", true);
	assert_int_equal(heard.n_prompts, 1);
}

static void test_an_answer_nobody_waits_for_is_not_sent(void **state)
{
	(void)state;
	begin_as(1, "alice", "s3cret");
	auth_pam_prompt(au, 1, "Password: ", false);
	authenticator_pam.reply(au, 1, "again");
	assert_int_equal(spawner.asks[0].n_replies, 1);
}

static void test_a_module_may_name_another_account(void **state)
{
	(void)state;
	begin_as(1, "alice@example.org", "s3cret");
	end_with(1, AUTH_SUCCESS, "alice", "");
	assert_int_equal(heard.res, AUTH_RES_OK);
	assert_string_equal(heard.name, "alice");
}

static void test_an_empty_password_or_name_is_never_tried(void **state)
{
	(void)state;
	begin_as(1, "alice", "");
	begin_as(2, "alice", NULL);
	begin_as(3, "", "s3cret");
	assert_int_equal(heard.n_done, 0);
	assert_int_equal(spawner.n, 0);
	turns();
	assert_int_equal(heard.n_done, 3);
	assert_int_equal(heard.res, AUTH_RES_DENIED);
}

static void test_a_spawner_that_refuses_ends_the_attempt_later(void **state)
{
	static const struct {
		enum err_code code;
		enum auth_result res;
	} rows[] = {
		{ ERR_UNAVAILABLE, AUTH_RES_UNAVAILABLE },
		{ ERR_BUSY, AUTH_RES_UNAVAILABLE },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		memset(&heard, 0, sizeof heard);
		spawner.refuse = rows[i].code;
		begin_as(i + 1, "alice", "s3cret");
		assert_int_equal(heard.n_done, 0);
		turns();
		assert_int_equal(heard.n_done, 1);
		assert_int_equal(heard.res, rows[i].res);
	}
}

static void test_an_answer_that_cannot_be_sent_ends_the_attempt(void **state)
{
	(void)state;
	begin_as(1, "alice", "s3cret");
	auth_pam_prompt(au, 1, "Password: ", false);
	auth_pam_prompt(au, 1, "Code: ", false);
	assert_int_equal(heard.n_prompts, 1);
	spawner.refuse = ERR_UNAVAILABLE;
	authenticator_pam.reply(au, 1, "123456");
	assert_int_equal(heard.n_done, 0);
	turns();
	assert_int_equal(heard.n_done, 1);
	assert_int_equal(heard.res, AUTH_RES_UNAVAILABLE);
	end_with(1, AUTH_SUCCESS, "alice", "");
	assert_int_equal(heard.n_done, 1);
}

static void test_a_lost_spawner_ends_every_attempt_once(void **state)
{
	(void)state;
	begin_as(1, "alice", "s3cret");
	begin_as(2, "bob", "s3cret");
	begin_as(3, "eve", "");
	auth_pam_down(au);
	auth_pam_down(au);
	assert_int_equal(heard.n_done, 0);
	turns();
	assert_int_equal(heard.n_done, 3);
	end_with(1, AUTH_SUCCESS, "alice", "");
	auth_pam_prompt(au, 2, "Password: ", false);
	turns();
	assert_int_equal(heard.n_done, 3);
	assert_int_equal(spawner.asks[1].n_replies, 0);
}

static void test_cancel_tells_the_spawner_and_nobody_else(void **state)
{
	(void)state;
	begin_as(1, "alice", "s3cret");
	authenticator_pam.cancel(au, 1);
	assert_true(spawner.asks[0].is_cancelled);
	end_with(1, AUTH_CANCELLED, "", "");
	auth_pam_prompt(au, 1, "Password: ", false);
	authenticator_pam.cancel(au, 1);
	authenticator_pam.cancel(au, 99);
	turns();
	assert_int_equal(heard.n_done, 0);
	assert_int_equal(heard.n_prompts, 0);
}

static void test_strangers_are_ignored(void **state)
{
	struct authenticator other = { .kind = NULL };

	(void)state;
	begin_as(1, "alice", "s3cret");
	end_with(7, AUTH_SUCCESS, "eve", "");
	auth_pam_prompt(au, 7, "Password: ", false);
	authenticator_pam.reply(au, 7, "x");
	auth_pam_prompt(&other, 1, "Password: ", false);
	auth_pam_down(&other);
	auth_pam_down(NULL);
	auth_pam_end(NULL, &(struct spawner_auth_end){ .id = 1 });
	turns();
	assert_int_equal(heard.n_done, 0);
	assert_int_equal(spawner.asks[0].n_replies, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_password_answers_the_first_hidden_question),
		TEST(test_a_changed_password_is_told),
		TEST(test_further_questions_go_to_the_person),
		TEST(test_how_pam_ends_is_how_the_login_ends),
		TEST(test_names_are_asked_for_in_lower_case),
		TEST(test_another_account_with_capitals_is_refused),
		TEST(test_the_same_account_in_capitals_is_believed),
		TEST(test_a_question_for_the_name_is_answered),
		TEST(test_an_answer_nobody_waits_for_is_not_sent),
		TEST(test_a_module_may_name_another_account),
		TEST(test_an_empty_password_or_name_is_never_tried),
		TEST(test_a_spawner_that_refuses_ends_the_attempt_later),
		TEST(test_an_answer_that_cannot_be_sent_ends_the_attempt),
		TEST(test_a_lost_spawner_ends_every_attempt_once),
		TEST(test_cancel_tells_the_spawner_and_nobody_else),
		TEST(test_strangers_are_ignored),
	};

	return cmocka_run_group_tests_name("auth/pam", tests, NULL, NULL);
}
