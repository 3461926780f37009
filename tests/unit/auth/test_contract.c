/*
 * The contract of auth/authenticator.h, the same tests for every kind of the
 * registry. A kind joins by a row of `subjects`: its options, a form that is
 * right, and what the world outside does with what it was asked. A kind without
 * a form denies every form. Kinds that send people elsewhere are in
 * test_contract_providers.c.
 */
#include "fake_spawner.h"

#include "auth/directory.h"
#include "auth/pam.h"
#include "auth/passwords.h"
#include "auth/rules.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/offload.h"
#include "db/db.h"
#include "db/password.h"
#include "db/user.h"

struct subject {
	const char *kind;
	const char *options; /* YAML; NULL: none */
	const char *username, *password;
	/* Answer what the kind asked outside; may be NULL. */
	void (*settle)(struct authenticator *au);
};

static const struct subject *subject;

/* PAM knows one password. */
static void settle_pam(struct authenticator *au)
{
	for (size_t i = 0; i < spawner.n; i++) {
		struct fake_ask *a = &spawner.asks[i];
		struct spawner_auth_end end = { .id = a->id, .text = "" };
		bool is_right;

		auth_pam_prompt(au, a->id, "Password: ", false);
		is_right = strcmp(a->reply, "s3cret") == 0;
		end.code = is_right ? AUTH_SUCCESS : AUTH_DENIED;
		end.account = is_right ? a->account : "";
		auth_pam_end(au, &end);
	}
}

static struct offload *offload;
static struct loop *loop;

/* A directory of one person, in the place of auth/directory.c. */
void directory_ask(const struct directory_config *cfg,
    const struct directory_question *q, struct arena *a,
    struct directory_answer *out)
{
	(void)cfg;
	(void)a;
	assert_true(strlen(q->password) > 0);
	*out = (struct directory_answer){ .res = AUTH_RES_DENIED };
	if (strcmp(q->username, "alice") == 0 &&
	    strcmp(q->password, "s3cret") == 0) {
		out->res = AUTH_RES_OK;
		out->name = q->username;
	}
}

static struct passwords *passwords;

static void settle_passwords(struct authenticator *au)
{
	(void)au;
	while (passwords_count(passwords) > 0)
		loop_turn(loop, 1000);
}

static void do_nothing(void *arg)
{
	(void)arg;
}

static void note_done(void *arg)
{
	*(bool *)arg = true;
}

/* The one thread has done all that it was given before. */
static void settle_offload(struct authenticator *au)
{
	bool is_done = false;
	struct err err = { 0 };

	(void)au;
	test_ok(offload_submit(offload, do_nothing, note_done, &is_done, &err),
	    &err);
	while (!is_done)
		loop_turn(loop, 1000);
}

static const struct subject subjects[] = {
	{ "pam", NULL, "alice", "s3cret", settle_pam },
	{ "dummy", "password: s3cret\n", "alice", "s3cret", NULL },
	{ "shared-password", "user_password: the s3cret\n", "alice",
	    "the s3cret", NULL },
	{ "ldap",
	    "server_address: localhost\n"
	    "tls_strategy: insecure\n"
	    "bind_dn_template: 'uid={username},dc=test'\n",
	    "alice", "s3cret", settle_offload },
	{ "native", NULL, "alice", "s3cret!!", settle_passwords },
	{ "first-use", NULL, "alice", "s3cret!!", settle_passwords },
	{ "header", "from: [192.0.2.1]\n", "alice", "s3cret", NULL },
	{ "tmp", "accounts: one\n", "alice", "s3cret", NULL },
	{ "none", NULL, "alice", "s3cret", NULL },
};

static const struct authenticator_kind *kind;
static struct db *db;
static struct auth_rules *rules;
static const struct auth_rules_config rules_cfg = { .allow_all = true };
static struct arena arena;
static struct authenticator *au;
static struct heard heard;

static void quiet(const char *line, void *arg)
{
	(void)arg;
	assert_null(strstr(line, "s3cret"));
}

static int nobody_is(const char *name, void *arg, struct err *err)
{
	(void)name;
	(void)arg;
	(void)err;
	return 0;
}

static struct authenticator *open_with(const char *yaml, struct err *err)
{
	static const struct auth_sink sink = { hear_prompt, hear_done, &heard };
	struct conf_node *options = NULL;
	struct auth_env env = {
		.loop = loop,
		.offload = offload,
		.is_admin = nobody_is,
		.sink = &sink,
		.file = "carrel.yaml",
		.db = db,
		.rules = rules,
		.passwords = passwords,
	};

	if (yaml != NULL)
		test_ok(conf_parse(&arena, yaml, strlen(yaml), "carrel.yaml",
			    &options, err),
		    err);
	env.options = options;
	return kind->open(&env, err);
}

static void note_hash(const struct passwords_answer *ans, void *arg)
{
	struct err err = { 0 };
	int64_t id;

	test_ok(user_create(db, subject->username, false, 1, &id, &err), &err);
	test_ok(password_add(db, id, ans->hash, 1, &err), &err);
	*(bool *)arg = true;
}

/* A hub in which the person has their password. */
static void open_hub(void)
{
	struct err err = { 0 };
	bool is_done = false;

	db = db_open(":memory:", loop, NULL, &err);
	assert_non_null(db);
	rules = rules_open(&rules_cfg, &err);
	assert_non_null(rules);
	passwords = passwords_new(loop);
	assert_non_null(passwords_make(
	    passwords, subject->password, NULL, note_hash, &is_done));
	while (!is_done)
		loop_turn(loop, 1000);
}

static int set_up(void **state)
{
	struct err err = { 0 };

	(void)state;
	log_set_sink(quiet, NULL);
	memset(&spawner, 0, sizeof spawner);
	memset(&heard, 0, sizeof heard);
	arena_init(&arena);
	loop = loop_new();
	offload = offload_new(loop, 1, 100);
	if (subject->settle == settle_passwords)
		open_hub();
	kind = authenticator_find(subject->kind);
	assert_non_null(kind);
	au = open_with(subject->options, &err);
	if (au == NULL)
		fail_msg("%s", err.text);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kind->close(&au);
	assert_null(au);
	passwords_free(&passwords);
	rules_close(&rules);
	if (db != NULL)
		db_close(&db);
	offload_free(&offload);
	loop_free(&loop);
	arena_fini(&arena);
	log_set_sink(NULL, NULL);
	return 0;
}

static void begin(uint64_t id, const char *username, const char *password)
{
	/* What the form holds may be gone when begin has returned. */
	char *u = strdup(username), *p = strdup(password);
	const struct auth_form form = { u, p, "192.0.2.1" };
	int before = heard.n_done + heard.n_prompts;

	kind->begin(au, id, &form);
	assert_int_equal(heard.n_done + heard.n_prompts, before);
	memset(u, 'x', strlen(u));
	memset(p, 'x', strlen(p));
	free(u);
	free(p);
}

static void settle(void)
{
	if (subject->settle != NULL)
		subject->settle(au);
	for (int i = 0; i < 3; i++)
		loop_turn(loop, 0);
}

static enum auth_result res_of_right(void)
{
	return kind->has_form ? AUTH_RES_OK : AUTH_RES_DENIED;
}

static void test_a_right_form_ends_once_with_an_identity(void **state)
{
	(void)state;
	begin(41, subject->username, subject->password);
	settle();
	settle();
	assert_int_equal(heard.n_done, 1);
	assert_int_equal(heard.id, 41);
	assert_int_equal(heard.res, res_of_right());
	assert_int_equal(heard.has_identity, kind->has_form);
	if (kind->has_form)
		assert_string_equal(heard.name, subject->username);
}

static void test_a_wrong_form_ends_once_without_one(void **state)
{
	(void)state;
	begin(41, subject->username, "guess4");
	settle();
	settle();
	assert_int_equal(heard.n_done, 1);
	assert_int_equal(heard.id, 41);
	assert_int_equal(heard.res, AUTH_RES_DENIED);
	assert_false(heard.has_identity);
	/* What is typed comes back nowhere. */
	assert_null(strstr(heard.text, "guess4"));
}

static void test_empty_fields_are_denied(void **state)
{
	(void)state;
	begin(1, "", "");
	begin(2, subject->username, "");
	begin(3, "", subject->password);
	settle();
	assert_int_equal(heard.n_done, 3);
	assert_int_equal(heard.res, AUTH_RES_DENIED);
}

static void test_nothing_comes_after_a_cancel(void **state)
{
	(void)state;
	begin(1, subject->username, subject->password);
	begin(2, subject->username, "wrong");
	kind->cancel(au, 1);
	kind->cancel(au, 2);
	kind->cancel(au, 2);
	kind->cancel(au, 99);
	settle();
	assert_int_equal(heard.n_done, 0);
	assert_int_equal(heard.n_prompts, 0);
}

static void test_attempts_do_not_disturb_each_other(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= 10; id++)
		begin(id, subject->username,
		    id % 2 == 0 ? subject->password : "wrong");
	kind->cancel(au, 3);
	kind->cancel(au, 4);
	settle();
	assert_int_equal(heard.n_done, 8);
	begin(11, subject->username, subject->password);
	memset(&heard, 0, sizeof heard);
	settle();
	assert_int_equal(heard.n_done, 1);
	assert_int_equal(heard.id, 11);
	assert_int_equal(heard.res, res_of_right());
}

static void test_a_reply_that_nobody_asked_for_does_no_harm(void **state)
{
	(void)state;
	kind->reply(au, 7, "hello");
	settle();
	assert_int_equal(heard.n_done, 0);
}

static void test_closing_with_attempts_under_way_is_silent(void **state)
{
	(void)state;
	begin(1, subject->username, subject->password);
	begin(2, subject->username, "");
	kind->close(&au);
	assert_null(au);
	for (int i = 0; i < 3; i++)
		loop_turn(loop, 0);
	assert_int_equal(heard.n_done, 0);
}

/* An option that was meant to restrict must not be ignored. */
static void test_an_unknown_option_is_fatal_and_named(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_null(open_with("whitelist: yes\n", &err));
	assert_int_equal(err.code, ERR_INVALID);
	test_err_says(&err, "auth.options");
	test_err_says(&err, "whitelist");
}

static bool is_subject(struct slice name)
{
	for (size_t i = 0; i < N_OF(subjects); i++) {
		if (slice_eq(name, subjects[i].kind))
			return true;
	}
	return false;
}

static void test_every_kind_of_the_registry_is_here(void **state)
{
	struct slice rest = slice_of(authenticator_names()), name;
	size_t n = 0;

	(void)state;
	for (; slice_split(&rest, ',', &name); n++) {
		name = slice_trim(name);
		if (!is_subject(name))
			fail_msg("give %.*s a row of subjects", (int)name.len,
			    name.p);
	}
	assert_int_equal(n, N_OF(subjects));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_right_form_ends_once_with_an_identity),
		TEST(test_a_wrong_form_ends_once_without_one),
		TEST(test_empty_fields_are_denied),
		TEST(test_nothing_comes_after_a_cancel),
		TEST(test_attempts_do_not_disturb_each_other),
		TEST(test_a_reply_that_nobody_asked_for_does_no_harm),
		TEST(test_closing_with_attempts_under_way_is_silent),
		TEST(test_an_unknown_option_is_fatal_and_named),
	};
	const struct CMUnitTest whole[] = {
		cmocka_unit_test(test_every_kind_of_the_registry_is_here),
	};
	int failed = cmocka_run_group_tests_name("all", whole, NULL, NULL);

	for (size_t i = 0; i < N_OF(subjects); i++) {
		subject = &subjects[i];
		failed += cmocka_run_group_tests_name(
		    subject->kind, tests, NULL, NULL);
	}
	return failed != 0;
}
