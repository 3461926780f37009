/*
 * The second step of auth/own_login.c and auth/second_step.c; the first one is
 * test_contract.c's and tests/scenario/native.py's.
 */
#include "fake_spawner.h"

#include <liboath/oath.h>
#include <time.h>

#include "auth/native.h"
#include "auth/own_login.h"
#include "auth/passwords.h"
#include "auth/rules.h"
#include "auth/sealer.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/db.h"
#include "db/password.h"
#include "db/totp.h"
#include "db/user.h"

#define RIGHT "s3cret!!"

static const struct auth_rules_config rules_cfg = { .allow_all = true };
static struct test_dir dir;
static struct arena arena;
static struct loop *loop;
static struct db *db;
static struct auth_rules *rules;
static struct passwords *passwords;
static struct sealer *sealer;
static struct authenticator *au;
static struct heard heard;
static int64_t alice, now_s;

static void quiet(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

static int64_t wall_us(void *arg)
{
	(void)arg;
	return now_s * 1000000;
}

static int64_t mono_us(void *arg)
{
	struct timespec ts;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static const struct sealer *give_sealer(void *arg, struct err *err)
{
	(void)arg;
	if (!sealer)
		sealer = sealer_open(test_path(&dir, "keys"), true, err);
	return sealer;
}

static void open_with(const char *yaml)
{
	static const struct auth_sink sink = { hear_prompt, hear_done, &heard };
	struct conf_node *options = NULL;
	struct err err = { 0 };
	struct auth_env env = {
		.loop = loop,
		.sink = &sink,
		.file = "carrel.yaml",
		.db = db,
		.rules = rules,
		.passwords = passwords,
		.sealer = give_sealer,
		.public_name = "hub.example.org",
	};

	test_ok(conf_parse(
		    &arena, yaml, strlen(yaml), "carrel.yaml", &options, &err),
	    &err);
	env.options = options;
	if (au)
		authenticator_native.close(&au);
	au = authenticator_native.open(&env, &err);
	if (!au)
		fail_msg("%s", err.text);
}

static void settle(void)
{
	while (passwords_count(passwords) > 0)
		loop_turn(loop, 1000);
	for (int i = 0; i < 3; i++)
		loop_turn(loop, 0);
}

static void keep_hash(const struct passwords_answer *ans, void *arg)
{
	struct err err = { 0 };

	(void)arg;
	test_ok(password_change(db, alice, ans->hash, 1, &err), &err);
}

static int set_up(void **state)
{
	static const struct clock_source source = { .mono_us = mono_us,
		.wall_us = wall_us };
	struct err err = { 0 };

	(void)state;
	now_s = 1111111109;
	clock_set_source(&source);
	log_set_sink(quiet, NULL);
	memset(&heard, 0, sizeof heard);
	test_dir_make(&dir);
	arena_init(&arena);
	loop = loop_new();
	db = db_open(":memory:", loop, NULL, &err);
	rules = rules_open(&rules_cfg, &err);
	passwords = passwords_new(loop);
	test_ok(user_create(db, "alice", false, 1, &alice, &err), &err);
	assert_non_null(
	    passwords_make(passwords, RIGHT, NULL, keep_hash, NULL));
	settle();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	authenticator_native.close(&au);
	sealer_close(&sealer);
	passwords_free(&passwords);
	rules_close(&rules);
	db_close(&db);
	loop_free(&loop);
	arena_fini(&arena);
	test_dir_remove(&dir);
	log_set_sink(NULL, NULL);
	clock_set_source(NULL);
	return 0;
}

static void begin(uint64_t id, const char *password)
{
	const struct auth_form form = { "Alice", password, "192.0.2.1" };

	memset(&heard, 0, sizeof heard);
	authenticator_native.begin(au, id, &form);
	settle();
}

static void answer(uint64_t id, const char *text)
{
	memset(&heard, 0, sizeof heard);
	authenticator_native.reply(au, id, text);
	settle();
}

/* What the app of who typed `key` shows. */
static const char *shown(const char *key)
{
	static char code[8];
	char *raw = NULL;
	size_t len = 0;

	assert_int_equal(
	    oath_base32_decode(key, strlen(key), &raw, &len), OATH_OK);
	assert_int_equal(
	    oath_totp_generate(raw, len, (time_t)now_s, 30, 0, 6, code),
	    OATH_OK);
	free(raw);
	return code;
}

/* A second step that is confirmed; its key. */
static const char *with_second_step(void)
{
	struct second_step_offer offer;
	struct err err = { 0 };
	const struct second_step *s;

	open_with("{totp: optional}");
	s = own_second_step_of(au);
	test_ok(
	    second_step_offer(s, &arena, alice, "alice", &offer, &err), &err);
	assert_int_equal(
	    second_step_confirm(s, alice, shown(offer.key), &err), 1);
	now_s += 30;
	return offer.key;
}

static void assert_ended(enum auth_result res)
{
	assert_int_equal(heard.n_prompts, 0);
	assert_int_equal(heard.n_done, 1);
	assert_int_equal(heard.res, res);
	assert_int_equal(heard.has_identity, res == AUTH_RES_OK);
}

static void assert_asked(const char *part)
{
	assert_int_equal(heard.n_done, 0);
	assert_int_equal(heard.n_prompts, 1);
	if (!strstr(heard.text, part))
		fail_msg("\"%s\" does not ask \"%s\"", heard.text, part);
}

/* ---- */

static void test_without_one_the_password_is_enough(void **state)
{
	(void)state;
	open_with("{totp: optional}");
	begin(1, RIGHT);
	assert_ended(AUTH_RES_OK);
	assert_false(heard.has_new_secret);
}

static void test_the_code_is_asked_after_the_right_password_only(void **state)
{
	const char *key = with_second_step();

	(void)state;
	begin(1, "guess4567");
	assert_ended(AUTH_RES_DENIED);
	assert_string_equal(heard.text, "");
	begin(2, RIGHT);
	assert_asked("Code");
	answer(2, shown(key));
	assert_ended(AUTH_RES_OK);
	assert_string_equal(heard.name, "Alice");
	assert_false(heard.has_new_secret);
}

static void test_a_code_is_taken_once(void **state)
{
	const char *key = with_second_step();

	(void)state;
	begin(1, RIGHT);
	answer(1, shown(key));
	assert_ended(AUTH_RES_OK);
	begin(2, RIGHT);
	answer(2, shown(key));
	assert_ended(AUTH_RES_DENIED);
	now_s += 30;
	begin(3, RIGHT);
	answer(3, shown(key));
	assert_ended(AUTH_RES_OK);
}

static void test_a_wrong_code_ends_the_login(void **state)
{
	const char *key = with_second_step();
	char wrong[8];

	(void)state;
	snprintf(wrong, sizeof wrong, "%s", shown(key));
	wrong[0] = wrong[0] == '9' ? '0' : '9';
	begin(1, RIGHT);
	answer(1, wrong);
	assert_ended(AUTH_RES_DENIED);
	assert_non_null(strstr(heard.text, "code"));
	answer(1, shown(key));
	assert_int_equal(heard.n_done + heard.n_prompts, 0);
	begin(2, RIGHT);
	answer(2, "");
	assert_ended(AUTH_RES_DENIED);
}

static void test_a_reset_while_the_code_is_asked_ends_the_login(void **state)
{
	const char *key = with_second_step();
	struct err err = { 0 };

	(void)state;
	begin(1, RIGHT);
	assert_int_equal(
	    second_step_forget(own_second_step_of(au), alice, &err), 1);
	answer(1, shown(key));
	assert_ended(AUTH_RES_EXPIRED);
}

static void test_a_changed_password_while_the_code_is_asked_ends_it(
    void **state)
{
	const char *key = with_second_step();
	struct err err = { 0 };

	(void)state;
	begin(1, RIGHT);
	test_ok(password_change(db, alice, "$another", 2, &err), &err);
	answer(1, shown(key));
	assert_ended(AUTH_RES_EXPIRED);
}

/* The line of the prompt that begins with these words. */
static const char *key_in_prompt(void)
{
	static const char words[] = "Put this key into the app: ";
	const char *p = strstr(heard.text, words);

	assert_non_null(p);
	p += strlen(words);
	return arena_strndup(&arena, p, strcspn(p, "\n"));
}

static void test_a_required_one_is_set_up_after_the_password(void **state)
{
	const char *key;

	(void)state;
	open_with("{totp: required}");
	begin(1, "guess4567");
	assert_ended(AUTH_RES_DENIED);
	begin(2, RIGHT);
	assert_asked("otpauth://totp/hub.example.org:alice?secret=");
	key = key_in_prompt();
	answer(2, "000000");
	assert_asked("does not fit");
	assert_null(strstr(heard.text, key));
	answer(2, shown(key));
	assert_ended(AUTH_RES_OK);
	assert_true(heard.has_new_secret);
	now_s += 30;
	begin(3, RIGHT);
	assert_asked("Code");
	answer(3, shown(key));
	assert_ended(AUTH_RES_OK);
	assert_false(heard.has_new_secret);
}

static void test_first_codes_are_bounded(void **state)
{
	(void)state;
	open_with("{totp: required}");
	begin(1, RIGHT);
	for (int i = 0; i < 4; i++) {
		answer(1, "x");
		assert_asked("does not fit");
	}
	answer(1, "x");
	assert_ended(AUTH_RES_EXPIRED);
}

static void test_a_login_that_was_given_up_confirms_nothing(void **state)
{
	struct err err = { 0 };

	(void)state;
	open_with("{totp: required}");
	begin(1, RIGHT);
	authenticator_native.cancel(au, 1);
	answer(1, "x");
	assert_int_equal(heard.n_done + heard.n_prompts, 0);
	assert_int_equal(
	    second_step_has(own_second_step_of(au), alice, &err), 0);
}

static void test_off_asks_nobody(void **state)
{
	(void)state;
	with_second_step();
	open_with("{totp: off}");
	assert_null(own_second_step_of(au));
	begin(1, RIGHT);
	assert_ended(AUTH_RES_OK);
}

/* What is sealed for one person, or by a lost key, opens for nobody. */
static void test_a_secret_that_cannot_be_opened_lets_nobody_in(void **state)
{
	const char *key = with_second_step();
	struct totp_row row;
	struct err err = { 0 };
	int64_t bob;

	(void)state;
	assert_int_equal(totp_find(db, &arena, alice, &row, &err), 1);
	assert_null(strstr(row.sealed, key));
	test_ok(user_create(db, "bob", false, 1, &bob, &err), &err);
	test_ok(totp_begin(db, bob, row.sealed, 1, &err), &err);
	assert_int_equal(totp_confirm(db, bob, 1, &err), 1);
	assert_int_equal(
	    second_step_check(own_second_step_of(au), bob, shown(key), &err),
	    -1);
	test_err_says(&err, "reset the second step");
	begin(1, RIGHT);
	sealer_close(&sealer);
	(void)unlink(test_path(&dir, "keys"));
	open_with("{totp: optional}");
	begin(2, RIGHT);
	answer(2, shown(key));
	assert_ended(AUTH_RES_UNAVAILABLE);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_without_one_the_password_is_enough),
		TEST(test_the_code_is_asked_after_the_right_password_only),
		TEST(test_a_code_is_taken_once),
		TEST(test_a_wrong_code_ends_the_login),
		TEST(test_a_reset_while_the_code_is_asked_ends_the_login),
		TEST(test_a_changed_password_while_the_code_is_asked_ends_it),
		TEST(test_a_required_one_is_set_up_after_the_password),
		TEST(test_first_codes_are_bounded),
		TEST(test_a_login_that_was_given_up_confirms_nothing),
		TEST(test_off_asks_nobody),
		TEST(test_a_secret_that_cannot_be_opened_lets_nobody_in),
	};

	return cmocka_run_group_tests_name("auth/own_login", tests, NULL, NULL);
}
