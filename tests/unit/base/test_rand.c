/* Tests of base/rand.c. The seeded tests run last: there is no way back. */
#include "test_util.h"

#include "base/rand.h"

static void test_bytes_differ(void **state)
{
	unsigned char a[32], b[32], many[1000] = { 0 };
	size_t n_zero = 0;

	(void)state;
	rand_bytes(a, sizeof a);
	rand_bytes(b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
	rand_bytes(many, sizeof many);
	for (size_t i = 0; i < sizeof many; i++)
		n_zero += many[i] == 0;
	assert_true(n_zero < 100);
	rand_bytes(NULL, 0);
}

static void test_exact_length_is_written(void **state)
{
	unsigned char at[300];

	(void)state;
	for (size_t n = 0; n < 290; n++) {
		memset(at, 0x5a, sizeof at);
		rand_bytes(at, n);
		for (size_t i = n; i < sizeof at; i++)
			assert_int_equal(at[i], 0x5a);
	}
}

static void test_below_stays_below_and_reaches_all(void **state)
{
	unsigned seen[6] = { 0 };

	(void)state;
	for (int i = 0; i < 6000; i++) {
		uint64_t v = rand_below(6);

		assert_true(v < 6);
		seen[v]++;
	}
	for (size_t i = 0; i < 6; i++)
		assert_true(seen[i] > 700 && seen[i] < 1300);
	assert_int_equal(rand_below(1), 0);
	assert_true(rand_below((1ull << 63) + 1) <= 1ull << 63);
}

static void test_below_favours_nobody(void **state)
{
	/* Three quarters of the range: a plain remainder would give the first
	 * third of the values half of the draws. */
	const uint64_t third = 1ull << 62;
	unsigned n_low = 0;

	(void)state;
	for (int i = 0; i < 6000; i++)
		n_low += rand_below(3 * third) < third;
	assert_true(n_low > 1700 && n_low < 2300);
}

static void test_hex_and_alnum_alphabets(void **state)
{
	char text[201];

	(void)state;
	rand_hex(text, 200);
	assert_int_equal(strlen(text), 200);
	assert_int_equal(strspn(text, "0123456789abcdef"), 200);
	rand_alnum(text, 200);
	assert_int_equal(strlen(text), 200);
	for (size_t i = 0; i < 200; i++)
		assert_true((text[i] >= '0' && text[i] <= '9') ||
			    (text[i] >= 'a' && text[i] <= 'z') ||
			    (text[i] >= 'A' && text[i] <= 'Z'));
	rand_hex(text, 0);
	assert_string_equal(text, "");
}

static void send_u64(void *arg)
{
	uint64_t v = rand_u64();

	if (write(*(int *)arg, &v, sizeof v) != sizeof v)
		_exit(1);
}

static void test_forked_child_does_not_repeat_the_parent(void **state)
{
	uint64_t mine, childs;
	int ends[2];

	(void)state;
	(void)rand_u64();
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(test_in_child(send_u64, &ends[1]), 0);
	assert_int_equal(read(ends[0], &childs, sizeof childs), sizeof childs);
	mine = rand_u64();
	assert_true(mine != childs);
	close(ends[0]);
	close(ends[1]);
}

static void test_simulation_repeats_by_seed(void **state)
{
	unsigned char a[100], b[100], c[100];

	(void)state;
	rand_seed_simulation(42);
	rand_bytes(a, sizeof a);
	rand_seed_simulation(42);
	rand_bytes(b, sizeof b);
	rand_seed_simulation(43);
	rand_bytes(c, sizeof c);
	assert_memory_equal(a, b, sizeof a);
	assert_memory_not_equal(a, c, sizeof a);
}

static void test_simulation_is_the_same_on_every_machine(void **state)
{
	(void)state;
	/* The reference xoshiro256** behind splitmix64 of 0. */
	rand_seed_simulation(0);
	assert_true(rand_u64() == 0x99ec5f36cb75f2b4u);
	assert_true(rand_u64() == 0xbf6e1f784956452au);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_differ),
		cmocka_unit_test(test_exact_length_is_written),
		cmocka_unit_test(test_below_stays_below_and_reaches_all),
		cmocka_unit_test(test_below_favours_nobody),
		cmocka_unit_test(test_hex_and_alnum_alphabets),
		cmocka_unit_test(test_forked_child_does_not_repeat_the_parent),
		cmocka_unit_test(test_simulation_repeats_by_seed),
		cmocka_unit_test(test_simulation_is_the_same_on_every_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
