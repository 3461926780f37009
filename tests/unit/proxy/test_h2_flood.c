/*
 * proxy/h2_flood: buckets empty, fill with time and with work, and do not
 * touch each other.
 */
#include "test_util.h"

#include "proxy/h2_flood.h"

static unsigned spend_all(
    struct h2_budget *b, enum metrics_flood kind, int64_t now_ms)
{
	unsigned n = 0;

	while (n < 100000 && h2_budget_spend(b, kind, now_ms))
		n++;
	return n;
}

static void test_a_burst_is_bounded_and_comes_back_slowly(void **state)
{
	struct h2_budget b;

	(void)state;
	h2_budget_init(&b, 1000);
	assert_int_equal(spend_all(&b, METRICS_FLOOD_PINGS, 1000), 100);
	assert_false(h2_budget_spend(&b, METRICS_FLOOD_PINGS, 1099));
	assert_true(h2_budget_spend(&b, METRICS_FLOOD_PINGS, 1100));
	assert_false(h2_budget_spend(&b, METRICS_FLOOD_PINGS, 1100));
	assert_int_equal(spend_all(&b, METRICS_FLOOD_PINGS, 2100), 10);
	/* However long it was quiet */
	assert_int_equal(
	    spend_all(&b, METRICS_FLOOD_PINGS, INT64_MAX / 2), 100);
}

static void test_kinds_are_separate(void **state)
{
	struct h2_budget b;

	(void)state;
	h2_budget_init(&b, 0);
	(void)spend_all(&b, METRICS_FLOOD_RESETS, 0);
	for (int k = METRICS_FLOOD_SETTINGS; k < METRICS_N_FLOODS; k++)
		assert_int_equal(h2_budget_spend(&b, (enum metrics_flood)k, 0),
		    k != METRICS_FLOOD_CONTINUATIONS);
}

static void test_work_of_ours_is_credit(void **state)
{
	struct h2_budget b;

	(void)state;
	h2_budget_init(&b, 0);
	assert_int_equal(spend_all(&b, METRICS_FLOOD_WINDOWS, 0), 1000);
	h2_budget_earn(&b, METRICS_FLOOD_WINDOWS, 4);
	assert_int_equal(spend_all(&b, METRICS_FLOOD_WINDOWS, 0), 4);
	h2_budget_earn(&b, METRICS_FLOOD_WINDOWS, UINT32_MAX);
	assert_int_equal(spend_all(&b, METRICS_FLOOD_WINDOWS, 0), 1000);
}

static void test_a_clock_that_stands_or_goes_back(void **state)
{
	struct h2_budget b;

	(void)state;
	h2_budget_init(&b, 5000);
	(void)spend_all(&b, METRICS_FLOOD_SETTINGS, 5000);
	assert_false(h2_budget_spend(&b, METRICS_FLOOD_SETTINGS, 1000));
	assert_true(h2_budget_spend(&b, METRICS_FLOOD_SETTINGS, 5200));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_is_bounded_and_comes_back_slowly),
		cmocka_unit_test(test_kinds_are_separate),
		cmocka_unit_test(test_work_of_ours_is_credit),
		cmocka_unit_test(test_a_clock_that_stands_or_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
