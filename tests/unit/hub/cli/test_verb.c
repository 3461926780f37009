/*
 * hub/cli/verb.c: the command line, by the table of verbs.
 */
#include "test_util.h"

#include "hub/cli/verb.h"

static struct call call;
static struct err err;

static int read_line(const char *noun, const char *name, const char **words)
{
	const struct verb *v = verb_find(noun, name);
	int n = 0;

	assert_non_null(v);
	while (words[n])
		n++;
	return call_read(&call, v, n, (char **)(uintptr_t)words, &err);
}

static void test_options_stand_anywhere(void **state)
{
	const char *words[] = { "--note", "a b", "alice", "--scope=x",
		"--scope", "y", NULL };
	size_t pos = 0;

	(void)state;
	test_ok(read_line("tokens", "add", words), &err);
	assert_int_equal(call.n_args, 1);
	assert_string_equal(call.args[0], "alice");
	assert_string_equal(call_value(&call, OPTION_NOTE), "a b");
	assert_string_equal(call_next(&call, OPTION_SCOPE, &pos), "x");
	assert_string_equal(call_next(&call, OPTION_SCOPE, &pos), "y");
	assert_null(call_next(&call, OPTION_SCOPE, &pos));
	assert_false(call_has(&call, OPTION_JSON));
}

static void test_two_dashes_end_the_options(void **state)
{
	const char *words[] = { "--", "--admin", "-x", NULL };

	(void)state;
	test_ok(read_line("users", "add", words), &err);
	assert_int_equal(call.n_args, 2);
	assert_false(call_has(&call, OPTION_ADMIN));
}

static void test_help_needs_no_arguments(void **state)
{
	const char *words[] = { "--help", NULL };

	(void)state;
	test_ok(read_line("users", "rename", words), &err);
	assert_true(call_has(&call, OPTION_HELP));
}

static void test_what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *words[3], *said;
	} cases[] = {
		{ { NULL }, "it wants NAME NEW" },
		{ { "a", NULL }, "it wants NAME NEW" },
		{ { "--bogus", NULL }, "unknown option --bogus" },
		{ { "--admin", NULL }, "unknown option --admin" },
		{ { "-j", NULL }, "unknown option -j" },
		{ { "--json=1", NULL }, "--json takes no value" },
		{ { "--api-url", NULL }, "--api-url wants URL" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		const char *words[] = { cases[i].words[0], cases[i].words[1],
			NULL };
		assert_int_equal(read_line("users", "rename", words), -1);
		test_err_says(&err, cases[i].said);
	}
}

static void test_too_many_are_refused(void **state)
{
	const char *words[ARGS_MANY + 2] = { NULL };

	(void)state;
	for (size_t i = 0; i <= ARGS_MANY; i++)
		words[i] = "x";
	assert_int_equal(read_line("users", "add", words), -1);
	test_err_says(&err, "at most 100");
	for (size_t i = 0; i <= ARGS_MANY; i++)
		words[i] = "--yes";
	assert_int_equal(read_line("users", "remove", words), -1);
	test_err_says(&err, "too many options");
}

/* Every verb of the table can be found, has a noun that exists, and examples
 * that begin with itself. */
static void test_the_table_is_whole(void **state)
{
	size_t n, n_nouns;
	const struct verb *v = verb_table(&n);
	const struct noun *nouns = noun_table(&n_nouns);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		char begin[64];
		bool known = !*v[i].noun;
		for (size_t k = 0; k < n_nouns; k++)
			known |= strcmp(nouns[k].name, v[i].noun) == 0;
		assert_true(known);
		assert_ptr_equal(verb_find(v[i].noun, v[i].name), &v[i]);
		assert_true(v[i].min <= v[i].max);
		snprintf(begin, sizeof begin, "carrel %s",
		    *v[i].noun ? v[i].noun : v[i].name);
		assert_non_null(strstr(v[i].examples, begin));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_stand_anywhere),
		cmocka_unit_test(test_two_dashes_end_the_options),
		cmocka_unit_test(test_help_needs_no_arguments),
		cmocka_unit_test(test_what_is_wrong_is_said),
		cmocka_unit_test(test_too_many_are_refused),
		cmocka_unit_test(test_the_table_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
