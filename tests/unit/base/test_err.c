/* Tests of base/err.c. */
#include "test_util.h"

#include <errno.h>

static void test_set_formats_and_returns_minus_one(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(err_set(&err, ERR_BUSY, "server %d", 7), -1);
	assert_int_equal(err.code, ERR_BUSY);
	assert_int_equal(err.sys_errno, 0);
	assert_string_equal(err.text, "server 7");
}

static void test_null_err_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_BUSY, "x"), -1);
	assert_int_equal(err_sys(NULL, "x"), -1);
	assert_int_equal(err_wrap(NULL, "x"), -1);
}

static void test_sys_appends_reason_and_keeps_errno(void **state)
{
	struct err err;

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_sys(&err, "open %s", "x"), -1);
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(err.sys_errno, ENOENT);
	assert_string_equal(err.text, "open x: No such file or directory");
	assert_int_equal(errno, ENOENT);
}

static void test_wrap_puts_context_before(void **state)
{
	struct err err;

	(void)state;
	errno = EACCES;
	(void)err_sys(&err, "open x");
	assert_int_equal(err_wrap(&err, "start %s", "alice"), -1);
	assert_string_equal(err.text, "start alice: open x: Permission denied");
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(err.sys_errno, EACCES);
}

static void test_long_text_is_cut_with_dots(void **state)
{
	struct err err;
	char text[3000];

	(void)state;
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	(void)err_set(&err, ERR_INVALID, "%s", text);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	assert_string_equal(err.text + sizeof err.text - 4, "...");
	(void)err_wrap(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	errno = EIO;
	(void)err_sys(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void test_text_is_one_printable_line(void **state)
{
	struct err err;

	(void)state;
	(void)err_set(&err, ERR_INVALID, "bad name \"%s\"", "a\nb\x1b[31m\xff");
	assert_string_equal(err.text, "bad name \"a?b?[31m?\"");
}

static void test_clear(void **state)
{
	struct err err;

	(void)state;
	(void)err_set(&err, ERR_LIMIT, "x");
	err_clear(&err);
	assert_int_equal(err.code, ERR_NONE);
	assert_string_equal(err.text, "");
}

static void test_code_names_round_trip(void **state)
{
	(void)state;
	for (int c = ERR_NONE; c <= ERR_INTERNAL; c++) {
		enum err_code code = (enum err_code)c;

		assert_non_null(err_code_name(code));
		assert_int_equal(err_code_parse(err_code_name(code)), code);
	}
	assert_string_equal(err_code_name(ERR_NOT_FOUND), "not_found");
}

static void test_unknown_code_is_internal(void **state)
{
	(void)state;
	assert_int_equal(err_code_parse("nonsense"), ERR_INTERNAL);
	assert_int_equal(err_code_parse(""), ERR_INTERNAL);
	assert_int_equal(err_code_parse(NULL), ERR_INTERNAL);
	assert_string_equal(err_code_name((enum err_code)99), "internal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_formats_and_returns_minus_one),
		cmocka_unit_test(test_null_err_is_allowed),
		cmocka_unit_test(test_sys_appends_reason_and_keeps_errno),
		cmocka_unit_test(test_wrap_puts_context_before),
		cmocka_unit_test(test_long_text_is_cut_with_dots),
		cmocka_unit_test(test_text_is_one_printable_line),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_code_names_round_trip),
		cmocka_unit_test(test_unknown_code_is_internal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
