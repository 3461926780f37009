/* Tests of auth/passwords.c. */
#include "test_util.h"

#include <sodium.h>

#include "auth/passwords.h"
#include "base/str.h"

static struct loop *loop;
static struct passwords *passwords;
static int n_heard;
static bool is_right, has_account;
static char hash[128];

static int set_up(void **state)
{
	(void)state;
	n_heard = 0;
	loop = loop_new();
	passwords = passwords_new(loop);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	passwords_free(&passwords);
	assert_null(passwords);
	loop_free(&loop);
	return 0;
}

static void hear(const struct passwords_answer *ans, void *arg)
{
	assert_ptr_equal(arg, &loop);
	n_heard++;
	is_right = ans->is_right;
	has_account = ans->has_account;
	if (ans->hash != NULL)
		assert_int_equal(str_copy(hash, sizeof hash, ans->hash), 0);
}

static void wait_for(int n)
{
	while (n_heard < n)
		loop_turn(loop, 1000);
}

static void make(const char *password, const char *account)
{
	hash[0] = '\0';
	assert_non_null(
	    passwords_make(passwords, password, account, hear, &loop));
	wait_for(n_heard + 1);
	assert_true(str_starts(hash, "$argon2id$"));
}

static bool check(const char *of, const char *password)
{
	assert_non_null(passwords_check(passwords, of, password, hear, &loop));
	wait_for(n_heard + 1);
	return is_right;
}

static void test_the_same_password_fits_and_no_other(void **state)
{
	char first[128];

	(void)state;
	make("correct horse", NULL);
	assert_int_equal(str_copy(first, sizeof first, hash), 0);
	assert_true(check(first, "correct horse"));
	assert_false(check(first, "correct hors"));
	assert_false(check(first, "correct horse "));
	assert_false(check(first, "Correct horse"));
	make("correct horse", NULL);
	assert_string_not_equal(first, hash);
}

/* The work for a name that nobody has is the work for one that somebody has. */
static void test_nobodys_hash_costs_what_ours_cost(void **state)
{
	(void)state;
	make("correct horse", NULL);
	assert_int_equal(crypto_pwhash_str_needs_rehash(hash, 3, 32u << 20), 0);
	assert_false(check(NULL, "correct horse"));
	assert_false(check("", "correct horse"));
	assert_false(check("$argon2id$v=19$m=8,t=1,p=1$", "correct horse"));
}

static void test_accounts_of_the_machine_are_seen(void **state)
{
	(void)state;
	make("correct horse", "root");
	assert_true(has_account);
	make("correct horse", "no-such-account-here");
	assert_false(has_account);
}

static void test_who_left_is_told_nothing(void **state)
{
	struct passwords_job *job;

	(void)state;
	job = passwords_make(passwords, "correct horse", NULL, hear, &loop);
	assert_non_null(job);
	passwords_cancel(&job);
	assert_null(job);
	passwords_cancel(&job);
	make("another one", NULL);
	assert_int_equal(n_heard, 1);
}

static void test_the_line_is_bounded(void **state)
{
	size_t n = 0;

	(void)state;
	while (passwords_check(passwords, NULL, "x", hear, &loop) != NULL)
		assert_true(++n < 1000);
	assert_true(n >= 200);
	/* The end cancels them: none of them is worked on to its end. */
}

static void test_what_is_guessed_first_is_refused(void **state)
{
	static const struct {
		const char *password, *says;
	} bad[] = {
		{ "", "at least 8" },
		{ "seven77", "at least 8" },
		{ "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc", "at least 8" },
		{ "password1", "guessed first" },
		{ "PassWord1", "guessed first" },
		{ "zzzzzzzzzzz", "guessed first" },
		{ "Alice-Liddell", "user name" },
	};
	char longest[PASSWORD_MAX + 2];
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		err = (struct err){ 0 };
		assert_int_equal(
		    passwords_judge(bad[i].password, "alice-liddell", 8, &err),
		    -1);
		assert_int_equal(err.code, ERR_INVALID);
		test_err_says(&err, bad[i].says);
	}
	memset(longest, 'a', sizeof longest);
	longest[0] = 'b';
	longest[PASSWORD_MAX + 1] = '\0';
	assert_int_equal(passwords_judge(longest, "alice", 8, &err), -1);
	test_err_says(&err, "at most 1024");
	longest[PASSWORD_MAX] = '\0';
	test_ok(passwords_judge(longest, "alice", 8, &err), &err);
	test_ok(passwords_judge("eight888", "alice", 8, &err), &err);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_same_password_fits_and_no_other),
		TEST(test_nobodys_hash_costs_what_ours_cost),
		TEST(test_accounts_of_the_machine_are_seen),
		TEST(test_who_left_is_told_nothing),
		TEST(test_the_line_is_bounded),
		TEST(test_what_is_guessed_first_is_refused),
	};

	return cmocka_run_group_tests_name("auth/passwords", tests, NULL, NULL);
}
