/* Tests of auth/registry.c. */
#include "fake_spawner.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_are_found_by_their_names),
		cmocka_unit_test(test_other_names_are_no_kinds),
	};

	(void)hear_prompt;
	(void)hear_done;
	return cmocka_run_group_tests_name("auth/registry", tests, NULL, NULL);
}
