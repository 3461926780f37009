/*
 * base/cidr: ranges of addresses.
 */
#include "test_util.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cidr.h"
#include "base/fd.h"

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

static void test_overlaps(void **state)
{
	static const struct {
		const char *a, *b;
		bool do_they;
	} table[] = {
		{ "127.0.0.0/8", "127.9.0.0/16", true },
		{ "0.0.0.0/0", "127.0.0.0/8", true },
		{ "::/0", "127.0.0.0/8", true },
		{ "::/0", "::1", true },
		{ "127.0.0.1", "127.0.0.1", true },
		{ "127.0.0.0/9", "127.128.0.0/9", false },
		{ "10.0.0.0/8", "127.0.0.0/8", false },
		{ "2001:db8::/32", "127.0.0.0/8", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct cidr a, b;
		struct err err;

		test_ok(cidr_parse(table[i].a, &a, &err), &err);
		test_ok(cidr_parse(table[i].b, &b, &err), &err);
		if (cidr_overlap(&a, &b) != table[i].do_they ||
		    cidr_overlap(&b, &a) != table[i].do_they)
			fail_msg("%s %s", table[i].a, table[i].b);
	}
}

static void test_addresses(void **state)
{
	struct in6_addr expected = address("192.0.2.7"), out;

	(void)state;
	assert_int_equal(cidr_address("192.0.2.7", &out), 0);
	assert_memory_equal(&out, &expected, sizeof out);
	assert_int_equal(cidr_address("::ffff:192.0.2.7", &out), 0);
	assert_memory_equal(&out, &expected, sizeof out);
	assert_int_equal(cidr_address("192.0.2.7/32", &out), -1);
	assert_int_equal(cidr_address("", &out), -1);
}

static void test_own_addresses(void **state)
{
	struct in6_addr own = address("127.0.0.1"),
			other = address("192.0.2.7");

	(void)state;
	assert_true(sock_is_own_address(&own));
	assert_false(sock_is_own_address(&other));
}

static void test_hops(void **state)
{
	static const struct {
		const char *hop, *wanted;
	} cases[] = {
		{ "192.0.2.7", "192.0.2.7" },
		{ "192.0.2.7:4711", "192.0.2.7" },
		{ "2001:db8::1", "2001:db8::1" },
		{ "[2001:db8::1]", "2001:db8::1" },
		{ "[2001:db8::1]:443", "2001:db8::1" },
		{ "::ffff:192.0.2.7", "192.0.2.7" },
		{ "", NULL },
		{ ":", NULL },
		{ "[", NULL },
		{ "[]", NULL },
		{ "unknown", NULL },
		{ "192.0.2", NULL },
		{ "192.0.2.7.8", NULL },
		{ "1.2.3.4:5:6", NULL },
		{ "0123456789012345678901234567890123456789012345678", NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		char text[INET6_ADDRSTRLEN];
		struct in6_addr addr;
		int rc = cidr_parse_hop(slice_of(cases[i].hop), &addr);

		if (rc != (cases[i].wanted == NULL ? -1 : 0))
			fail_msg("\"%s\": %d", cases[i].hop, rc);
		if (rc < 0)
			continue;
		cidr_format(&addr, text);
		assert_string_equal(text, cases[i].wanted);
	}
}

static void test_addresses_of_sockets(void **state)
{
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	(void)state;
	inet_pton(AF_INET, "192.0.2.9", &four.sin_addr);
	inet_pton(AF_INET6, "2001:db8::9", &six.sin6_addr);
	assert_true(cidr_of_sockaddr((const void *)&four, &addr));
	cidr_format(&addr, text);
	assert_string_equal(text, "192.0.2.9");
	assert_true(cidr_of_sockaddr((const void *)&six, &addr));
	cidr_format(&addr, text);
	assert_string_equal(text, "2001:db8::9");
	assert_false(cidr_of_sockaddr((const void *)&un, &addr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_bad_ranges_are_refused),
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_own_addresses),
		cmocka_unit_test(test_hops),
		cmocka_unit_test(test_addresses_of_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
