/*
 * proxy/cell and proxy/cidr: activity cells; whom to believe.
 */
#include "test_util.h"

#include <arpa/inet.h>

#include "proxy/cell.h"
#include "proxy/cidr.h"

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

static struct in6_addr address(const char *text)
{
	struct in6_addr a = IN6ADDR_ANY_INIT;

	if (inet_pton(AF_INET6, text, &a) == 1)
		return a;
	a.s6_addr[10] = a.s6_addr[11] = 0xff;
	assert_int_equal(inet_pton(AF_INET, text, a.s6_addr + 12), 1);
	return a;
}

static void test_ranges(void **state)
{
	static const struct {
		const char *range, *address;
		bool is_in;
	} table[] = {
		{ "127.0.0.0/8", "127.9.9.9", true },
		{ "127.0.0.0/8", "128.0.0.1", false },
		{ "10.0.0.128/25", "10.0.0.129", true },
		{ "10.0.0.128/25", "10.0.0.127", false },
		{ "192.0.2.7", "192.0.2.7", true },
		{ "192.0.2.7", "192.0.2.8", false },
		{ "0.0.0.0/0", "8.8.8.8", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "8.8.8.8", true },
		{ "::1", "::1", true },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::ffff:10.0.0.0/104", "10.1.2.3", true },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct in6_addr a = address(table[i].address);
		struct cidr c;
		struct err err;

		test_ok(cidr_parse(table[i].range, &c, &err), &err);
		if (cidr_has(&c, 1, &a) != table[i].is_in)
			fail_msg("%s %s", table[i].range, table[i].address);
		assert_false(cidr_has(&c, 0, &a));
	}
}

static void test_bad_ranges_are_refused(void **state)
{
	static const char *const table[] = { "", "/", "10.0.0", "10.0.0.0/33",
		"10.0.0.0/", "10.0.0.0/-1", "::/129", "host", "10.0.0.0/8/8",
		"10.0.0.0 /8" };

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct cidr c;
		struct err err;

		assert_int_equal(cidr_parse(table[i], &c, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_traffic_is_stored_at_once),
		cmocka_unit_test(test_traffic_is_stored_once_a_second),
		cmocka_unit_test(test_a_route_set_anew_stores_always),
		cmocka_unit_test(test_counts_live_as_long_as_a_reference),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_bad_ranges_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
