/* Tests of auth/account_name.c. */
#include "test_util.h"

#include "auth/account_name.h"

static const char *escaped(const char *name)
{
	static char out[ACCOUNT_NAME_MAX + 1];

	account_name_escape(name, out);
	return out;
}

static void test_names(void **state)
{
	static const struct {
		const char *name, *account;
	} table[] = {
		{ "ana", "ana" },
		{ "a-b2", "a-b2" },
		{ "ana@x.org", "ana_40x_2eorg" },
		{ "4ever", "_34ever" },
		{ "-x", "_2dx" },
		{ "a_40x", "a_5f40x" },
		{ "\xc3\xbc", "_c3_bc" },
		{ "abcdefghijklmnopqrstuvwxyz012345",
		    "abcdefghijklmnopqrstuvwxyz012345" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++)
		assert_string_equal(escaped(table[i].name), table[i].account);
}

/* Long ones that begin alike stay apart, and fit. */
static void test_long_names(void **state)
{
	char name[65], first[ACCOUNT_NAME_MAX + 1];

	(void)state;
	memset(name, 'a', 64);
	name[64] = '\0';
	account_name_escape(name, first);
	assert_int_equal(strlen(first), ACCOUNT_NAME_MAX);
	assert_memory_equal(first, "aaaaaaaaaaaaaaaaaa__", 20);
	name[63] = 'b';
	assert_string_not_equal(escaped(name), first);
	memset(name, '@', 64);
	assert_true(strlen(escaped(name)) <= ACCOUNT_NAME_MAX);
	assert_memory_equal(escaped(name), "_40_40_40_40_40_40__", 20);
}

/* The escape of one name is never another name that stays as it is. */
static void test_cve_2020_15110_no_two_names_are_one_account(void **state)
{
	static const char bytes[] = "a4-_@";
	enum { N = 5 * 5 * 5 * 5 };
	static char all[N][ACCOUNT_NAME_MAX + 1];

	(void)state;
	for (int i = 0; i < N; i++) {
		char name[5] = { bytes[i % 5], bytes[i / 5 % 5],
			bytes[i / 25 % 5], bytes[i / 125] };

		account_name_escape(name, all[i]);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(all[i], all[j]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(
		    test_cve_2020_15110_no_two_names_are_one_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
