/* Tests of auth/registry.c. */
#include "fake_spawner.h"

#include "base/arena.h"
#include "base/conf.h"
#include "base/loop.h"
#include "base/offload.h"

static void test_kinds_are_found_by_their_names(void **state)
{
	const char *const names[] = { "pam", "dummy" };

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		const struct authenticator_kind *k =
		    authenticator_find(names[i]);

		assert_non_null(k);
		assert_string_equal(k->name, names[i]);
		assert_non_null(strstr(authenticator_names(), names[i]));
		assert_true(
		    k->open && k->begin && k->reply && k->cancel && k->close);
	}
}

static void test_other_names_are_no_kinds(void **state)
{
	(void)state;
	assert_null(authenticator_find(""));
	assert_null(authenticator_find("PAM"));
	assert_null(authenticator_find("pa"));
	assert_null(authenticator_find("pam, dummy"));
}

static int nobody_is_admin(const char *name, void *arg, struct err *err)
{
	(void)name, (void)arg, (void)err;
	return 0;
}

static void refuse(const char *kind, const char *text)
{
	struct loop *l = loop_new();
	struct offload *offload = offload_new(l, 1, 1);
	struct auth_env env = {
		.loop = l,
		.offload = offload,
		.is_admin = nobody_is_admin,
		.file = "carrel.yaml",
	};
	struct conf_node *tree;
	struct err err = { 0 };
	struct arena a;

	arena_init(&a);
	test_ok(conf_parse(&a, text, strlen(text), "carrel.yaml", &tree, &err),
	    &err);
	env.options = tree;
	if (authenticator_find(kind)->open(&env, &err))
		fail_msg("%s takes %s", kind, text);
	assert_int_equal(err.code, ERR_INVALID);
	test_err_says(&err, tree->child->key);
	arena_fini(&a);
	offload_free(&offload);
	loop_free(&l);
}

/* An option that a kind does not know may have been meant to restrict. */
static void test_cve_2020_26250_no_kind_reads_past_an_option(void **state)
{
	static const char *const kinds[] = { "pam", "ldap", "native",
		"first-use", "shared-password", "header", "tmp", "dummy",
		"none" };
	static const char *const options[] = { "whitelist: [x]",
		"group_whitelist: [x]", "allowed_groupz: [x]" };

	(void)state;
	for (size_t i = 0; i < N_OF(kinds); i++) {
		for (size_t j = 0; j < N_OF(options); j++)
			refuse(kinds[i], options[j]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_are_found_by_their_names),
		cmocka_unit_test(test_other_names_are_no_kinds),
		cmocka_unit_test(
		    test_cve_2020_26250_no_kind_reads_past_an_option),
	};

	(void)hear_prompt;
	(void)hear_done;
	return cmocka_run_group_tests_name("auth/registry", tests, NULL, NULL);
}
