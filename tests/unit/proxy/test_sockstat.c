/*
 * proxy/sockstat: the kernel's text.
 */
#include "test_util.h"

#include "base/buf.h"
#include "proxy/sockstat.h"

static void test_both_families_are_added(void **state)
{
	struct sockstat s = { .in_use = 0 };

	(void)state;
	sockstat_parse("sockets: used 64\n"
		       "TCP: inuse 30 orphan 2 tw 276 alloc 30 mem 140\n"
		       "UDP: inuse 5 mem 0\nFRAG: inuse 0 memory 0\n",
	    &s);
	sockstat_parse("TCP6: inuse 4\nUDP6: inuse 1\n", &s);
	assert_int_equal(s.in_use, 34);
	assert_int_equal(s.orphans, 2);
	assert_int_equal(s.time_wait, 276);
}

static void test_what_is_odd_counts_nothing(void **state)
{
	static const char *const cases[] = { "", "\n\n",
		"TCP:", "TCP: ", "TCP: inuse", "TCP: inuse x tw -1",
		"TCPX: inuse 4", "TCP: inuse 99999999999999999999999" };
	struct sockstat s = { .in_use = 0 };

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		sockstat_parse(cases[i], &s);
	assert_int_equal(s.in_use + s.orphans + s.time_wait, 0);
}

static void test_this_machine(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	sockstat_write(&b);
	assert_non_null(
	    strstr(buf_view(&b), "proxy_machine_sockets{state=\"time_wait\"}"));
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_families_are_added),
		cmocka_unit_test(test_what_is_odd_counts_nothing),
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
