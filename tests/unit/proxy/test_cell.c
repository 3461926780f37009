/*
 * proxy/cell: activity cells.
 */
#include "test_util.h"

#include "proxy/cell.h"

static void test_the_first_traffic_is_stored_at_once(void **state)
{
	struct cell *c = cell_new(1000);

	(void)state;
	assert_int_equal(cell_last_ms(c), 1000);
	cell_touch(c, 1001);
	assert_int_equal(cell_last_ms(c), 1001);
	cell_unref(&c);
	assert_null(c);
}

static void test_traffic_is_stored_once_a_second(void **state)
{
	struct cell *c = cell_new(1000);

	(void)state;
	cell_touch(c, 5000);
	cell_touch(c, 5999);
	assert_int_equal(cell_last_ms(c), 5000);
	cell_touch(c, 6000);
	assert_int_equal(cell_last_ms(c), 6000);
	/* the clock was set back */
	cell_touch(c, 100);
	assert_int_equal(cell_last_ms(c), 100);
	cell_unref(&c);
}

static void test_a_route_set_anew_stores_always(void **state)
{
	struct cell *c = cell_new(1000);

	(void)state;
	cell_touch(c, 5000);
	cell_set(c, 5001);
	assert_int_equal(cell_last_ms(c), 5001);
	cell_touch(c, 5002);
	assert_int_equal(cell_last_ms(c), 5002);
	cell_unref(&c);
}

static void test_counts_live_as_long_as_a_reference(void **state)
{
	struct cell *c = cell_new(1), *second = cell_ref(c);

	(void)state;
	cell_add_bytes(c, 7);
	cell_opened(c);
	cell_unref(&c);
	cell_add_bytes(second, 3);
	cell_opened(second);
	cell_closed(second);
	assert_int_equal(cell_bytes(second), 10);
	assert_int_equal(cell_open_count(second), 1);
	cell_unref(&second);
	cell_unref(&second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_traffic_is_stored_at_once),
		cmocka_unit_test(test_traffic_is_stored_once_a_second),
		cmocka_unit_test(test_a_route_set_anew_stores_always),
		cmocka_unit_test(test_counts_live_as_long_as_a_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
