/*
 * proxy/limit: counts in total and by client.
 */
#include "test_util.h"

#include <arpa/inet.h>

#include "proxy/limit.h"

static struct in6_addr six(const char *text)
{
	struct in6_addr out;

	assert_int_equal(inet_pton(AF_INET6, text, &out), 1);
	return out;
}

static enum limit_answer take(
    struct limits *l, const char *client, struct limit_ticket *t)
{
	struct in6_addr addr = six(client);

	*t = (struct limit_ticket){ .has_place = false };
	return limit_take_client(l, &addr, t);
}

static void test_places_are_given_back(void **state)
{
	struct limits *l = limits_new(2, 0);
	struct limit_ticket t[3] = { { .has_place = false } };

	(void)state;
	assert_int_equal(limit_take_place(l, &t[0]), LIMIT_OK);
	assert_int_equal(limit_take_place(l, &t[1]), LIMIT_OK);
	assert_int_equal(limit_take_place(l, &t[2]), LIMIT_FULL);
	assert_int_equal(limits_connections(l), 2);
	limit_give_back(l, &t[2]);
	assert_int_equal(limits_connections(l), 2);
	limit_give_back(l, &t[0]);
	limit_give_back(l, &t[0]);
	assert_int_equal(limit_take_place(l, &t[2]), LIMIT_OK);
	limits_free(&l);
}

static void test_each_client_has_its_own(void **state)
{
	struct limits *l = limits_new(0, 2);
	struct limit_ticket a, b, c, other;

	(void)state;
	assert_int_equal(take(l, "::ffff:192.0.2.1", &a), LIMIT_OK);
	assert_int_equal(take(l, "::ffff:192.0.2.1", &b), LIMIT_OK);
	assert_int_equal(take(l, "::ffff:192.0.2.1", &c), LIMIT_CLIENT);
	assert_false(c.has_client);
	assert_int_equal(take(l, "::ffff:192.0.2.2", &other), LIMIT_OK);
	limit_give_back(l, &a);
	assert_int_equal(take(l, "::ffff:192.0.2.1", &c), LIMIT_OK);
	limits_free(&l);
}

static void test_an_ipv6_client_is_its_network(void **state)
{
	struct limits *l = limits_new(0, 2);
	struct limit_ticket t;

	(void)state;
	assert_int_equal(take(l, "2001:db8:0:1::1", &t), LIMIT_OK);
	assert_int_equal(take(l, "2001:db8:0:1:ffff::2", &t), LIMIT_OK);
	assert_int_equal(take(l, "2001:db8:0:1::3", &t), LIMIT_CLIENT);
	assert_int_equal(take(l, "2001:db8:0:2::1", &t), LIMIT_OK);
	limits_free(&l);
}

static void test_many_clients_do_not_meet(void **state)
{
	struct limits *l = limits_new(0, 8);
	struct limit_ticket t;
	char text[64];

	(void)state;
	for (int i = 0; i < 4000; i++) {
		snprintf(
		    text, sizeof text, "::ffff:10.0.%d.%d", i / 250, i % 250);
		assert_int_equal(take(l, text, &t), LIMIT_OK);
	}
	limits_free(&l);
}

static void test_who_is_here_counts_beyond_the_limit(void **state)
{
	struct limits *l = limits_new(1, 1);
	struct in6_addr addr = six("::ffff:192.0.2.1");
	struct limit_ticket t[3] = { { .has_place = false } };

	(void)state;
	limit_must_take(l, &addr, &t[0]);
	limit_must_take(l, &addr, &t[1]);
	assert_int_equal(limits_connections(l), 2);
	assert_int_equal(limit_take_place(l, &t[2]), LIMIT_FULL);
	limit_give_back(l, &t[0]);
	limit_give_back(l, &t[1]);
	assert_int_equal(limits_connections(l), 0);
	assert_int_equal(limit_take_client(l, &addr, &t[2]), LIMIT_OK);
	limits_free(&l);
}

static void test_a_request_becomes_a_part_of_its_tunnel(void **state)
{
	struct limits *l = limits_new(5, 1);
	struct in6_addr addr = six("::ffff:192.0.2.1");
	struct limit_ticket place = { .has_place = false }, request = place,
			    next = place;

	(void)state;
	assert_int_equal(limit_take_place(l, &place), LIMIT_OK);
	assert_int_equal(limit_take_client(l, &addr, &request), LIMIT_OK);
	limit_join(l, &place, &request);
	limit_give_back(l, &request);
	assert_int_equal(limit_take_client(l, &addr, &next), LIMIT_CLIENT);
	limit_give_back(l, &place);
	assert_int_equal(limit_take_client(l, &addr, &next), LIMIT_OK);
	assert_int_equal(limits_connections(l), 0);
	limits_free(&l);
}

static void test_a_client_has_so_many_requests_a_second(void **state)
{
	struct limits *l = limits_new(0, 0);
	struct in6_addr one = six("2001:db8::1"), other = six("2001:db9::1"),
			same = six("2001:db8::2");

	(void)state;
	assert_int_equal(limit_take_request(l, &one, 1000), LIMIT_OK);
	limits_set_rate(l, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(limit_take_request(l, &one, 1000), LIMIT_OK);
	assert_int_equal(limit_take_request(l, &one, 1000), LIMIT_CLIENT);
	assert_int_equal(limit_take_request(l, &same, 1000), LIMIT_CLIENT);
	assert_int_equal(limit_take_request(l, &other, 1000), LIMIT_OK);
	assert_int_equal(limit_take_request(l, &one, 1249), LIMIT_CLIENT);
	assert_int_equal(limit_take_request(l, &one, 1250), LIMIT_OK);
	assert_int_equal(limit_take_request(l, &one, 1250), LIMIT_CLIENT);
	/* What was not used is not saved up. */
	for (int i = 0; i < 4; i++)
		assert_int_equal(limit_take_request(l, &one, 90000), LIMIT_OK);
	assert_int_equal(limit_take_request(l, &one, 90000), LIMIT_CLIENT);
	limits_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places_are_given_back),
		cmocka_unit_test(test_each_client_has_its_own),
		cmocka_unit_test(test_an_ipv6_client_is_its_network),
		cmocka_unit_test(test_many_clients_do_not_meet),
		cmocka_unit_test(test_who_is_here_counts_beyond_the_limit),
		cmocka_unit_test(test_a_request_becomes_a_part_of_its_tunnel),
		cmocka_unit_test(test_a_client_has_so_many_requests_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
