/* Tests of base/clock.c. */
#include "test_util.h"

#include "base/clock.h"

#define NOON_US 1767356645678901LL /* 2026-01-02T12:24:05.678901Z */

static int back_to_kernel(void **state)
{
	(void)state;
	clock_set_source(NULL);
	return 0;
}

static void test_kernel_clocks_run(void **state)
{
	int64_t mono = clock_mono_us();

	(void)state;
	assert_false(clock_is_simulated());
	assert_true(clock_mono_us() >= mono);
	assert_true(clock_mono_ms() >= mono / 1000);
	assert_true(clock_wall_s() > 1600000000);
	assert_true(clock_wall_us() / 1000000 >= clock_wall_s() - 1);
}

static int64_t fixed_mono(void *arg)
{
	return *(int64_t *)arg;
}

static int64_t fixed_wall(void *arg)
{
	return -*(int64_t *)arg;
}

static void test_own_source_is_asked_and_copied(void **state)
{
	int64_t now = 1500999;
	struct clock_source src = {
		.mono_us = fixed_mono,
		.wall_us = fixed_wall,
		.arg = &now,
	};

	(void)state;
	clock_set_source(&src);
	memset(&src, 0, sizeof src);
	assert_int_equal(clock_mono_us(), 1500999);
	assert_int_equal(clock_mono_ms(), 1500);
	assert_int_equal(clock_wall_us(), -1500999);
	/* Rounded down, before 1970 too. */
	assert_int_equal(clock_wall_s(), -2);
	assert_true(clock_is_simulated());
}

static void test_simulated_clock_moves_only_by_advance(void **state)
{
	int64_t mono;

	(void)state;
	clock_sim_start(NOON_US);
	mono = clock_mono_us();
	assert_int_equal(clock_wall_us(), NOON_US);
	clock_sim_advance_us(2500);
	assert_int_equal(clock_mono_us(), mono + 2500);
	assert_int_equal(clock_wall_us(), NOON_US + 2500);
	clock_set_source(NULL);
	assert_false(clock_is_simulated());
}

static void advance(void *arg)
{
	clock_sim_advance_us(*(int64_t *)arg);
}

static void test_advance_without_simulation_is_a_bug(void **state)
{
	int64_t us = 1;

	(void)state;
	test_aborts(advance, &us);
	clock_sim_start(0);
	us = -1;
	test_aborts(advance, &us);
}

static void test_format_table(void **state)
{
	static const struct {
		int64_t us;
		const char *iso, *iso_ms;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z" },
		{ NOON_US, "2026-01-02T12:24:05.678901Z",
		    "2026-01-02T12:24:05.678Z" },
		{ 1000, "1970-01-01T00:00:00.001000Z",
		    "1970-01-01T00:00:00.001Z" },
		{ -1, "1969-12-31T23:59:59.999999Z",
		    "1969-12-31T23:59:59.999Z" },
		{ 951782400000000, "2000-02-29T00:00:00Z",
		    "2000-02-29T00:00:00.000Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.775807Z",
		    "9999-12-31T23:59:59.775Z" },
		{ INT64_MIN, "0001-01-01T00:00:00.224192Z",
		    "0001-01-01T00:00:00.224Z" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		char out[CLOCK_ISO_MAX];

		clock_format_iso(cases[i].us, out);
		assert_string_equal(out, cases[i].iso);
		clock_format_iso_ms(cases[i].us, out);
		assert_string_equal(out, cases[i].iso_ms);
	}
}

static void test_http_date(void **state)
{
	char out[30];

	(void)state;
	clock_format_http(784111777, out);
	assert_string_equal(out, "Sun, 06 Nov 1994 08:49:37 GMT");
	clock_format_http(0, out);
	assert_string_equal(out, "Thu, 01 Jan 1970 00:00:00 GMT");
	clock_format_http(1798761599, out);
	assert_string_equal(out, "Thu, 31 Dec 2026 23:59:59 GMT");
}

static void test_parse_table(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} cases[] = {
		{ "2026-01-02T12:24:05.678901Z", NOON_US },
		{ "2026-01-02 12:24:05.678901", NOON_US },
		{ "2026-01-02t12:24:05.678901z", NOON_US },
		{ "2026-01-02T14:24:05.678901+02:00", NOON_US },
		{ "2026-01-02T06:54:05.678901-0530", NOON_US },
		{ "2026-01-02T12:24:05.678901999Z", NOON_US },
		{ "2026-01-02T12:24:05.5Z", NOON_US - 178901 },
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01T00:30:00+01:00", -1800000000LL },
		{ "1969-12-31T23:59:59.999999Z", -1 },
		{ "2000-02-29T00:00:00Z", 951782400000000 },
		{ "2016-12-31T23:59:60Z", 1483228800000000 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct err err;
		int64_t us = 7;

		test_ok(clock_parse_iso(cases[i].text, &us, &err), &err);
		assert_int_equal(us, cases[i].us);
	}
}

static void test_parse_refuses(void **state)
{
	static const char *const bad[] = { "", "now", "2026-01-02",
		"2026-01-02T", "2026-01-02T12:24", "2026-01-02T12:24:5Z",
		"2026-1-02T12:24:05Z", "26-01-02T12:24:05Z",
		"2026-13-02T12:24:05Z", "2026-00-02T12:24:05Z",
		"2026-01-00T12:24:05Z", "2026-01-32T12:24:05Z",
		"2026-02-29T12:24:05Z", "1900-02-29T12:24:05Z",
		"0000-01-01T00:00:00Z", "2026-01-02T24:00:00Z",
		"2026-01-02T12:60:05Z", "2026-01-02T12:24:61Z",
		"2026-01-02T12:24:05.Z", "2026-01-02T12:24:05.1234567890Z",
		"2026-01-02T12:24:05,5Z", "2026-01-02T12:24:05Z ",
		"2026-01-02T12:24:05ZZ", "2026-01-02T12:24:05+2:00",
		"2026-01-02T12:24:05+24:00", "2026-01-02T12:24:05+02:60",
		"2026-01-02T12:24:05+02", " 2026-01-02T12:24:05Z",
		"-026-01-02T12:24:05Z", "2026-01-02X12:24:05Z" };

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct err err;
		int64_t us;

		if (clock_parse_iso(bad[i], &us, &err) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

static void test_formatted_times_parse_back(void **state)
{
	(void)state;
	for (int64_t us = -62135596800000000; us < 253402300799000000;
	     us += 12345678901234567) {
		char out[CLOCK_ISO_MAX];
		int64_t back;

		clock_format_iso(us, out);
		assert_int_equal(clock_parse_iso(out, &back, NULL), 0);
		assert_int_equal(back, us);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_clocks_run),
		cmocka_unit_test_teardown(
		    test_own_source_is_asked_and_copied, back_to_kernel),
		cmocka_unit_test_teardown(
		    test_simulated_clock_moves_only_by_advance, back_to_kernel),
		cmocka_unit_test_teardown(
		    test_advance_without_simulation_is_a_bug, back_to_kernel),
		cmocka_unit_test(test_format_table),
		cmocka_unit_test(test_http_date),
		cmocka_unit_test(test_parse_table),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_formatted_times_parse_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
