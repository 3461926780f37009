/* Tests of base/num.c. */
#include "test_util.h"

#include "base/num.h"

static void test_u64_table(void **state)
{
	static const struct {
		const char *text;
		bool is_good;
		uint64_t value;
	} cases[] = {
		{ "0", true, 0 },
		{ "7", true, 7 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "99999999999999999999999", false, 0 },
		{ "", false, 0 },
		{ " 1", false, 0 },
		{ "1 ", false, 0 },
		{ "+1", false, 0 },
		{ "-1", false, 0 },
		{ "-0", false, 0 },
		{ "01", false, 0 },
		{ "00", false, 0 },
		{ "1.0", false, 0 },
		{ "0x10", false, 0 },
		{ "1e3", false, 0 },
		{ "\xd9\xa1", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		uint64_t value = 99;
		struct err err;
		int rc = num_u64(cases[i].text, &value, &err);

		if ((rc == 0) != cases[i].is_good)
			fail_msg("\"%s\": %d", cases[i].text, rc);
		assert_true(value == (cases[i].is_good ? cases[i].value : 99));
		if (rc < 0)
			assert_int_equal(err.code, ERR_INVALID);
	}
}

static void test_null_is_refused(void **state)
{
	uint64_t u;
	int64_t i;

	(void)state;
	assert_int_equal(num_u64(NULL, &u, NULL), -1);
	assert_int_equal(num_i64(NULL, &i, NULL), -1);
	assert_int_equal(num_bytes(NULL, &i, NULL), -1);
	assert_int_equal(num_seconds(NULL, &i, NULL), -1);
	assert_int_equal(num_range(NULL, 0, 1, &i, NULL), -1);
}

static void test_slice_ends_where_it_ends(void **state)
{
	uint64_t value;

	(void)state;
	assert_int_equal(num_slice_u64(slice_make("1234", 2), &value, NULL), 0);
	assert_int_equal(value, 12);
	assert_int_equal(num_slice_u64(slice_make("1\0", 2), &value, NULL), -1);
}

static void test_narrow_types_have_their_range(void **state)
{
	struct err err;
	uint16_t small;
	uint32_t wide;

	(void)state;
	assert_int_equal(num_u16("65535", &small, &err), 0);
	assert_int_equal(small, 65535);
	assert_int_equal(num_u16("65536", &small, &err), -1);
	test_err_says(&err, "0 to 65535");
	assert_int_equal(num_u32("4294967295", &wide, &err), 0);
	assert_true(wide == UINT32_MAX);
	assert_int_equal(num_u32("4294967296", &wide, &err), -1);
}

static void test_i64_table(void **state)
{
	static const struct {
		const char *text;
		bool is_good;
		int64_t value;
	} cases[] = {
		{ "0", true, 0 },
		{ "-1", true, -1 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775809", false, 0 },
		{ "-", false, 0 },
		{ "--1", false, 0 },
		{ "-0", false, 0 },
		{ "-01", false, 0 },
		{ "+1", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		int64_t value = 99;

		if ((num_i64(cases[i].text, &value, NULL) == 0) !=
		    cases[i].is_good)
			fail_msg("\"%s\"", cases[i].text);
		assert_true(value == (cases[i].is_good ? cases[i].value : 99));
	}
}

static void test_range_names_itself(void **state)
{
	struct err err;
	int64_t value;

	(void)state;
	assert_int_equal(num_range("-5", -5, 5, &value, &err), 0);
	assert_int_equal(value, -5);
	assert_int_equal(num_range("5", -5, 5, &value, &err), 0);
	assert_int_equal(num_range("6", -5, 5, &value, &err), -1);
	assert_string_equal(err.text, "\"6\" is no whole number from -5 to 5");
	assert_int_equal(num_range("x", -5, 5, &value, &err), -1);
}

static void test_bytes_table(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} cases[] = {
		{ "0", 0 },
		{ "1048576", 1048576 },
		{ "1K", 1024 },
		{ "512M", 512LL << 20 },
		{ "2G", 2LL << 30 },
		{ "1T", 1LL << 40 },
		{ "8388607T", 8388607LL << 40 },
		{ "8388608T", -1 },
		{ "9223372036854775808", -1 },
		{ "1k", -1 },
		{ "1KB", -1 },
		{ "1.5G", -1 },
		{ "K", -1 },
		{ "", -1 },
		{ "-1K", -1 },
		{ "1 K", -1 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		int64_t value = -1;
		int rc = num_bytes(cases[i].text, &value, NULL);

		if (value != cases[i].value ||
		    (rc == 0) != (cases[i].value >= 0))
			fail_msg("\"%s\"", cases[i].text);
	}
}

static void test_seconds_table(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} cases[] = {
		{ "30", 30 },
		{ "30s", 30 },
		{ "5m", 300 },
		{ "2h", 7200 },
		{ "14d", 14 * 86400 },
		{ "0", 0 },
		{ "106751991167300d", 106751991167300LL * 86400 },
		{ "106751991167301d", -1 },
		{ "5M", -1 },
		{ "m", -1 },
		{ "1m30s", -1 },
		{ "-1m", -1 },
		{ "1w", -1 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		int64_t value = -1;
		int rc = num_seconds(cases[i].text, &value, NULL);

		if (value != cases[i].value ||
		    (rc == 0) != (cases[i].value >= 0))
			fail_msg("\"%s\"", cases[i].text);
	}
}

static void test_messages_quote_boundedly(void **state)
{
	struct err err;
	char text[2000];
	uint64_t value;

	(void)state;
	memset(text, '\n', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_int_equal(num_u64(text, &value, &err), -1);
	assert_true(strlen(err.text) < 120);
	assert_null(strchr(err.text, '\n'));
	assert_int_equal(num_u64("", &value, &err), -1);
	test_err_says(&err, "missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64_table),
		cmocka_unit_test(test_null_is_refused),
		cmocka_unit_test(test_slice_ends_where_it_ends),
		cmocka_unit_test(test_narrow_types_have_their_range),
		cmocka_unit_test(test_i64_table),
		cmocka_unit_test(test_range_names_itself),
		cmocka_unit_test(test_bytes_table),
		cmocka_unit_test(test_seconds_table),
		cmocka_unit_test(test_messages_quote_boundedly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
