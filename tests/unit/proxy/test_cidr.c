/*
 * proxy/cidr: addresses as sockets and X-Forwarded-For have them. (Ranges are
 * in test_cell.)
 */
#include "test_util.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proxy/cidr.h"

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
		cmocka_unit_test(test_hops),
		cmocka_unit_test(test_addresses_of_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
