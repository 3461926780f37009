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

static int compare(const void *x, const void *y)
{
	return strcmp(x, y);
}

/* The escape of one name is never another name that stays as it is: all names
 * of up to five of these bytes, "a@" and "a_40" among them. */
static void test_cve_2020_15110_no_two_names_are_one_account(void **state)
{
	static const char bytes[] = "a40_@";
	static char all[5 + 25 + 125 + 625 + 3125][ACCOUNT_NAME_MAX + 1];
	size_t n = 0;

	(void)state;
	for (int len = 1, n_names = 5; len <= 5; len++, n_names *= 5) {
		for (int i = 0; i < n_names; i++) {
			char name[6] = "";

			for (int j = 0, rest = i; j < len; j++, rest /= 5)
				name[j] = bytes[rest % 5];
			account_name_escape(name, all[n++]);
		}
	}
	assert_int_equal(n, N_OF(all));
	qsort(all, n, sizeof all[0], compare);
	for (size_t i = 1; i < n; i++)
		assert_string_not_equal(all[i - 1], all[i]);
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
