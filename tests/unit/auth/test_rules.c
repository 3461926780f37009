/* Tests of auth/rules.c. */
#include "test_util.h"

#include "auth/rules.h"
#include "base/str.h"

#define LIST(...)                                                              \
	{                                                                      \
		(const char *[]){ __VA_ARGS__ },                               \
		    sizeof((const char *[]){ __VA_ARGS__ }) /                  \
			sizeof(const char *)                                   \
	}

static struct auth_rules *open_rules(const struct auth_rules_config *cfg)
{
	struct err err = { 0 };
	struct auth_rules *r = rules_open(cfg, &err);

	if (r == NULL)
		fail_msg("%s", err.text);
	return r;
}

static struct rules_decision decide(const struct auth_rules_config *cfg,
    const char *name, const char *const *groups, size_t n)
{
	const struct auth_identity id = {
		.name = name, .groups = groups, .n_groups = n
	};
	struct auth_rules *r = open_rules(cfg);
	struct rules_decision d;

	rules_decide(r, &id, &d);
	/* What is borrowed from the rules is looked at while they live. */
	if (d.detail != NULL)
		assert_non_null(strstr(d.text, d.detail));
	d.detail = NULL;
	rules_close(&r);
	assert_null(r);
	return d;
}

static void assert_in(const struct rules_decision *d, enum rules_reason why)
{
	if (!d->allowed)
		fail_msg("not let in: %s", d->text);
	assert_int_equal(d->reason, why);
}

static void assert_out(const struct rules_decision *d, enum rules_reason why)
{
	if (d->allowed)
		fail_msg("let in: %s", d->text);
	assert_int_equal(d->reason, why);
}

static void test_without_a_rule_nobody_comes_in(void **state)
{
	const struct auth_rules_config cfg = { 0 };
	struct auth_rules *r = open_rules(&cfg);
	struct rules_decision d = decide(&cfg, "alice", NULL, 0);

	(void)state;
	assert_out(&d, RULE_NONE);
	assert_string_equal(d.name, "alice");
	assert_true(rules_admit_nobody(r));
	rules_close(&r);
}

static void test_each_allow_rule_admits_its_own(void **state)
{
	const struct auth_rules_config cfg = {
		.allowed_users = LIST("alice"),
		.allowed_groups = LIST("class", "staff"),
		.admin_users = LIST("root2"),
		.admin_groups = LIST("sudo"),
	};
	const char *const in[] = { "users", "staff" },
			  *const sudo[] = { "sudo" }, *const no[] = { "Staff" };
	struct rules_decision d = decide(&cfg, "alice", NULL, 0);

	(void)state;
	assert_in(&d, RULE_ALLOWED_USERS);
	d = decide(&cfg, "bob", in, 2);
	assert_in(&d, RULE_ALLOWED_GROUPS);
	d = decide(&cfg, "bob", no, 1);
	assert_out(&d, RULE_NONE);
	d = decide(&cfg, "root2", NULL, 0);
	assert_in(&d, RULE_ADMIN_USERS);
	d = decide(&cfg, "eve", sudo, 1);
	assert_in(&d, RULE_ADMIN_GROUPS);
	d = decide(&cfg, "eve", NULL, 0);
	assert_out(&d, RULE_NONE);
}

static void test_deny_comes_before_every_allow(void **state)
{
	const struct auth_rules_config cfg = {
		.allow_all = true,
		.allowed_users = LIST("eve"),
		.allowed_groups = LIST("class"),
		.blocked_users = LIST("Eve"),
		.admin_users = LIST("eve"),
		.admin_groups = LIST("class"),
	};
	const char *const groups[] = { "class" };
	struct rules_decision d = decide(&cfg, "EVE", groups, 1);

	(void)state;
	assert_out(&d, RULE_BLOCKED_USERS);
	assert_int_equal(d.admin, RULES_ADMIN_KEEP);
	d = decide(&cfg, "alice", NULL, 0);
	assert_in(&d, RULE_ALLOW_ALL);
}

/* ---- administrators ---- */

static void test_admin_groups_decide_both_ways_at_each_login(void **state)
{
	const struct auth_rules_config cfg = {
		.allow_all = true,
		.admin_users = LIST("boss"),
		.admin_groups = LIST("sudo"),
	};
	const char *const sudo[] = { "sudo" };

	(void)state;
	assert_int_equal(decide(&cfg, "alice", sudo, 1).admin, RULES_ADMIN_YES);
	assert_int_equal(decide(&cfg, "alice", NULL, 0).admin, RULES_ADMIN_NO);
	assert_int_equal(decide(&cfg, "boss", NULL, 0).admin, RULES_ADMIN_YES);
}

static void test_without_admin_groups_what_was_set_stays(void **state)
{
	const struct auth_rules_config none = { .allow_all = true };
	const struct auth_rules_config users = { .allow_all = true,
		.admin_users = LIST("boss") };
	const char *const sudo[] = { "sudo" };

	(void)state;
	assert_int_equal(
	    decide(&none, "alice", sudo, 1).admin, RULES_ADMIN_KEEP);
	assert_int_equal(
	    decide(&users, "alice", NULL, 0).admin, RULES_ADMIN_KEEP);
	assert_int_equal(
	    decide(&users, "boss", NULL, 0).admin, RULES_ADMIN_YES);
}

/* ---- names ---- */

static void test_cve_2021_41194_names_are_made_normal_before_any_rule(
    void **state)
{
	const struct auth_rules_config cfg = {
		.allowed_users = LIST("alice", "AL"),
		.username_map = { (struct conf_pair[]){
				      { "A.Smith@X.Org", "al" } },
		    1 },
	};
	struct rules_decision d = decide(&cfg, "ALICE", NULL, 0);

	(void)state;
	assert_in(&d, RULE_ALLOWED_USERS);
	assert_string_equal(d.name, "alice");
	d = decide(&cfg, "a.smith@x.ORG", NULL, 0);
	assert_in(&d, RULE_ALLOWED_USERS);
	assert_string_equal(d.name, "al");
}

static void test_names_that_break_a_rule_stay_outside(void **state)
{
	static char longer[300];
	const struct auth_rules_config cfg = { .allow_all = true };
	const char *const bad[] = { "", "a/b", "../x", ".", "..", " alice",
		"alice ", "\talice", "a\nb", "a\rb", "a\x01", "a\x7f",
		"\xff\xfe", "a\xc3", longer };

	(void)state;
	memset(longer, 'a', sizeof longer - 1);
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct rules_decision d = decide(&cfg, bad[i], NULL, 0);

		assert_out(&d, RULE_BAD_NAME);
		assert_string_equal(d.name, "");
		assert_false(str_has_control(d.text, strlen(d.text)));
		assert_true(strlen(d.text) > 0);
	}
	longer[RULES_NAME_MAX] = 0;
	assert_true(decide(&cfg, longer, NULL, 0).allowed);
	longer[RULES_NAME_MAX] = 'a';
	longer[RULES_NAME_MAX + 1] = 0;
	assert_false(decide(&cfg, longer, NULL, 0).allowed);
}

static void test_other_names_are_fine(void **state)
{
	const struct auth_rules_config cfg = { .allow_all = true };
	const char *const good[] = { "a", "alice", "a.b-c_d", "...",
		"alice@example.org", "j\xc3\xbcrgen", "a b", "100%", "o'neil",
		"-x" };

	(void)state;
	for (size_t i = 0; i < N_OF(good); i++) {
		struct rules_decision d = decide(&cfg, good[i], NULL, 0);

		assert_in(&d, RULE_ALLOW_ALL);
		assert_string_equal(d.name, good[i]);
	}
}

static void test_the_regex_wants_the_whole_name(void **state)
{
	const struct auth_rules_config cfg = { .allow_all = true,
		.admin_users = LIST("boss"),
		.username_regex = "[a-z]+|x[0-9]{3}" };
	struct rules_decision d = decide(&cfg, "alice", NULL, 0);

	(void)state;
	assert_in(&d, RULE_ALLOW_ALL);
	d = decide(&cfg, "alice2", NULL, 0);
	assert_out(&d, RULE_USERNAME_REGEX);
	d = decide(&cfg, "x123", NULL, 0);
	assert_in(&d, RULE_ALLOW_ALL);
	d = decide(&cfg, "2alice", NULL, 0);
	assert_out(&d, RULE_USERNAME_REGEX);
}

/* ---- configuration ---- */

static void assert_refused(
    const struct auth_rules_config *cfg, const char *option, const char *why)
{
	struct err err = { 0 };

	assert_null(rules_open(cfg, &err));
	assert_int_equal(err.code, ERR_INVALID);
	test_err_says(&err, option);
	test_err_says(&err, why);
}

static void test_rules_that_could_not_mean_what_they_say_are_fatal(void **state)
{
	const struct conf_pair twice[] = { { "A", "x" }, { "a", "y" } };
	const struct conf_pair capital[] = { { "a", "Alice" } };
	const struct conf_pair slash[] = { { "a", "x/y" } };
	const struct conf_pair moved[] = { { "eve", "evelyn" } };

	(void)state;
	assert_refused(
	    &(struct auth_rules_config){ .blocked_users = LIST("a/b") },
	    "blocked_users", "URLs");
	assert_refused(&(struct auth_rules_config){ .allowed_users = LIST("") },
	    "allowed_users", "empty");
	assert_refused(&(struct auth_rules_config){ .admin_groups = LIST("") },
	    "admin_groups", "empty");
	assert_refused(
	    &(struct auth_rules_config){
		.username_map = { (struct conf_pair *)twice, 2 } },
	    "username_map", "twice");
	assert_refused(
	    &(struct auth_rules_config){
		.username_map = { (struct conf_pair *)capital, 1 } },
	    "username_map", "lower case");
	assert_refused(
	    &(struct auth_rules_config){
		.username_map = { (struct conf_pair *)slash, 1 } },
	    "username_map", "URLs");
	assert_refused(
	    &(struct auth_rules_config){
		.username_map = { (struct conf_pair *)moved, 1 },
		.blocked_users = LIST("Eve") },
	    "blocked_users", "\"evelyn\"");
}

static void test_a_swap_of_names_is_possible(void **state)
{
	const struct auth_rules_config cfg = {
		.username_map = { (struct conf_pair[]){
				      { "a", "b" }, { "b", "a" } },
		    2 },
		.allowed_users = LIST("a"),
	};

	(void)state;
	assert_true(decide(&cfg, "b", NULL, 0).allowed);
	assert_false(decide(&cfg, "a", NULL, 0).allowed);
}

static void test_a_regex_of_another_language_is_fatal(void **state)
{
	const char *const bad[] = { "\\d+", "(?i)alice", "[a-z", "a{2", "(?:x)",
		"\\p{L}" };

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_refused(
		    &(struct auth_rules_config){ .username_regex = bad[i] },
		    "username_regex", "");
	decide(&(struct auth_rules_config){ .username_regex = "\\w+\\.\\\\d" },
	    "x", NULL, 0);
}

/* ---- every combination ---- */

enum {
	HIT_ALL = 1,
	HIT_USERS = 2,
	HIT_GROUPS = 4,
	HIT_ADMINS = 8,
	HIT_ADMIN_GROUPS = 16,
	HIT_EXISTING = 32,
	HIT_BLOCKED = 64,
	HIT_REGEX = 128,
	N_COMBINATIONS = 256,
};

static int knows_alice(const char *name, void *arg)
{
	(void)arg;
	return str_eq(name, "alice");
}

/* What docs/config.md promises, written down once more. */
static enum rules_reason expected(unsigned hits)
{
	if (hits & HIT_REGEX)
		return RULE_USERNAME_REGEX;
	if (hits & HIT_BLOCKED)
		return RULE_BLOCKED_USERS;
	if (hits & HIT_ADMINS)
		return RULE_ADMIN_USERS;
	if (hits & HIT_ADMIN_GROUPS)
		return RULE_ADMIN_GROUPS;
	if (hits & HIT_USERS)
		return RULE_ALLOWED_USERS;
	if (hits & HIT_GROUPS)
		return RULE_ALLOWED_GROUPS;
	if (hits & HIT_EXISTING)
		return RULE_EXISTING_USERS;
	return hits & HIT_ALL ? RULE_ALLOW_ALL : RULE_NONE;
}

static void check_combination(unsigned hits, const char *name, bool is_alice)
{
	const struct auth_rules_config cfg = {
		.allow_all = hits & HIT_ALL,
		.allow_existing_users = hits & HIT_EXISTING,
		.allowed_users = { (const char *[]){ "Alice" },
		    !!(hits & HIT_USERS) },
		.allowed_groups = { (const char *[]){ "class" },
		    !!(hits & HIT_GROUPS) },
		.admin_users = { (const char *[]){ "ALICE" },
		    !!(hits & HIT_ADMINS) },
		.admin_groups = { (const char *[]){ "staff" },
		    !!(hits & HIT_ADMIN_GROUPS) },
		.blocked_users = { (const char *[]){ "aLiCe" },
		    !!(hits & HIT_BLOCKED) },
		.username_regex = hits & HIT_REGEX ? "x.*" : NULL,
	};
	const char *const groups[] = { "class", "staff" };
	const struct auth_identity id = {
		.name = name,
		.groups = groups,
		.n_groups = is_alice ? 2 : 0,
	};
	enum rules_reason want =
	    expected(is_alice ? hits : hits & (HIT_ALL | HIT_REGEX));
	struct auth_rules *r = open_rules(&cfg);
	struct rules_decision d;
	bool is_in = want != RULE_NONE && want != RULE_BLOCKED_USERS &&
		     want != RULE_USERNAME_REGEX;

	rules_set_known(r, knows_alice, NULL);
	rules_decide(r, &id, &d);
	if (d.reason != want || d.allowed != is_in)
		fail_msg("%s with %#x: %s, not %s", name, hits,
		    rules_reason_name(d.reason), rules_reason_name(want));
	/* An administrator is made by one of two rules, and by nothing else. */
	if (!is_in || !(hits & (HIT_ADMINS | HIT_ADMIN_GROUPS)) || !is_alice)
		assert_int_not_equal(d.admin, RULES_ADMIN_YES);
	else
		assert_int_equal(d.admin, RULES_ADMIN_YES);
	assert_true(rules_admit_nobody(r) ==
		    !(hits & ~(unsigned)(HIT_BLOCKED | HIT_REGEX)));
	rules_close(&r);
}

static void test_every_combination_of_rules(void **state)
{
	(void)state;
	for (unsigned hits = 0; hits < N_COMBINATIONS; hits++) {
		check_combination(hits, "alice", true);
		check_combination(hits, "ALICE", true);
		check_combination(hits, "eve", false);
	}
}

static int knows_not(const char *name, void *arg)
{
	(void)name;
	(void)arg;
	return -1;
}

/* A database that cannot be asked lets nobody in. */
static void test_who_cannot_be_looked_up_is_not_known(void **state)
{
	const struct auth_rules_config cfg = { .allow_existing_users = true };
	const struct auth_identity id = { .name = "alice" };
	struct auth_rules *r = open_rules(&cfg);
	struct rules_decision d;

	(void)state;
	rules_decide(r, &id, &d);
	assert_out(&d, RULE_NONE);
	rules_set_known(r, knows_not, NULL);
	rules_decide(r, &id, &d);
	assert_out(&d, RULE_NONE);
	rules_close(&r);
}

static void test_explain_says_each_rule_and_the_outcome(void **state)
{
	const struct auth_rules_config cfg = {
		.allowed_groups = LIST("class"),
		.admin_groups = LIST("sudo"),
		.blocked_users = LIST("eve"),
	};
	const char *const groups[] = { "users", "class" };
	const struct auth_identity id = {
		.name = "Alice", .groups = groups, .n_groups = 2
	};
	struct auth_rules *r = open_rules(&cfg);
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	rules_explain(r, &id, &b);
	assert_string_equal(buf_view(&b),
	    "name: alice\n"
	    "username_regex: none\n"
	    "blocked_users: no\n"
	    "admin_users: empty\n"
	    "admin_groups: no\n"
	    "allowed_users: empty\n"
	    "allowed_groups: yes, by class\n"
	    "allow_existing_users: false\n"
	    "allow_all: false\n"
	    "may come in: allowed_groups: member of class\n"
	    "administrator: no\n");
	buf_fini(&b);
	rules_close(&r);
}

/* A name of the database is not mapped a second time. */
static void test_a_known_name_is_taken_as_it_is(void **state)
{
	const struct auth_rules_config cfg = {
		.allowed_users = LIST("bob"),
		.username_map = { (struct conf_pair[]){
				      { "alice", "bob" }, { "bob", "carl" } },
		    2 },
	};
	const struct auth_identity id = { .name = "bob" };
	struct auth_rules *r = open_rules(&cfg);
	struct rules_decision d;

	(void)state;
	rules_decide_known(r, &id, &d);
	assert_in(&d, RULE_ALLOWED_USERS);
	assert_string_equal(d.name, "bob");
	rules_decide(r, &id, &d);
	assert_out(&d, RULE_NONE);
	rules_close(&r);
}

static void test_who_is_blocked_can_change(void **state)
{
	struct auth_rules_config cfg = { .allow_all = true,
		.blocked_users = LIST("alice") };
	const struct auth_identity id = { .name = "Bob" };
	struct auth_rules *r = open_rules(&cfg);
	struct rules_decision d;
	struct err err = { 0 };

	(void)state;
	rules_decide(r, &id, &d);
	assert_in(&d, RULE_ALLOW_ALL);
	cfg.blocked_users = (struct conf_strings)LIST("BOB");
	test_ok(rules_block_anew(r, &err), &err);
	rules_decide(r, &id, &d);
	assert_out(&d, RULE_BLOCKED_USERS);
	cfg.blocked_users = (struct conf_strings)LIST("a/b");
	assert_int_equal(rules_block_anew(r, &err), -1);
	test_err_says(&err, "blocked_users");
	rules_decide(r, &id, &d);
	assert_out(&d, RULE_BLOCKED_USERS);
	rules_close(&r);
}

/* ---- who is listed ------------------------------------------------ */

static int note_listed(const char *name, bool is_admin, void *arg)
{
	buf_printf(arg, "%s%s ", name, is_admin ? "*" : "");
	return strcmp(name, "stop") == 0 ? 7 : 0;
}

static void test_listed_are_those_who_could_come_in(void **state)
{
	const struct auth_rules_config cfg = {
		.allowed_users = LIST("Alice", "eve", "b0b"),
		.admin_users = LIST("ROOT", "alice", "mallory"),
		.blocked_users = LIST("eve", "mallory"),
		.username_regex = "[a-z]+",
	};
	struct auth_rules *r = open_rules(&cfg);
	struct buf b;

	(void)state;
	buf_init(&b, 256);
	assert_int_equal(rules_each_listed(r, note_listed, &b), 0);
	assert_string_equal(buf_view(&b), "root* alice* alice* ");
	buf_fini(&b);
	rules_close(&r);
}

static void test_a_walk_over_the_listed_can_end(void **state)
{
	const struct auth_rules_config cfg = {
		.allowed_users = LIST("a", "stop", "z"),
	};
	struct auth_rules *r = open_rules(&cfg);
	struct buf b;

	(void)state;
	buf_init(&b, 256);
	assert_int_equal(rules_each_listed(r, note_listed, &b), 7);
	assert_string_equal(buf_view(&b), "a stop ");
	buf_fini(&b);
	rules_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_rule_nobody_comes_in),
		cmocka_unit_test(test_each_allow_rule_admits_its_own),
		cmocka_unit_test(test_deny_comes_before_every_allow),
		cmocka_unit_test(
		    test_admin_groups_decide_both_ways_at_each_login),
		cmocka_unit_test(test_without_admin_groups_what_was_set_stays),
		cmocka_unit_test(
		    test_cve_2021_41194_names_are_made_normal_before_any_rule),
		cmocka_unit_test(test_names_that_break_a_rule_stay_outside),
		cmocka_unit_test(test_other_names_are_fine),
		cmocka_unit_test(test_the_regex_wants_the_whole_name),
		cmocka_unit_test(
		    test_rules_that_could_not_mean_what_they_say_are_fatal),
		cmocka_unit_test(test_a_swap_of_names_is_possible),
		cmocka_unit_test(test_a_regex_of_another_language_is_fatal),
		cmocka_unit_test(test_every_combination_of_rules),
		cmocka_unit_test(test_who_cannot_be_looked_up_is_not_known),
		cmocka_unit_test(test_explain_says_each_rule_and_the_outcome),
		cmocka_unit_test(test_a_known_name_is_taken_as_it_is),
		cmocka_unit_test(test_who_is_blocked_can_change),
		cmocka_unit_test(test_listed_are_those_who_could_come_in),
		cmocka_unit_test(test_a_walk_over_the_listed_can_end),
	};

	return cmocka_run_group_tests_name("auth/rules", tests, NULL, NULL);
}
