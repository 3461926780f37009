/*
 * auth/nonces.c: once, bounded, forgotten in time.
 */
#include "test_util.h"

#include "auth/nonces.h"
#include "base/mem.h"

static struct nonces *memory;

static int up(void **state)
{
	(void)state;
	memory = xcalloc(1, sizeof *memory);
	return 0;
}

static int down(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

static void expect(enum nonce_verdict v, const char *text, int64_t now_s)
{
	assert_int_equal(nonces_use(memory, text, now_s, now_s + 60), v);
}

static void test_each_counts_once_until_its_time_is_over(void **state)
{
	(void)state;
	expect(NONCE_NEW, "a", 1000);
	expect(NONCE_NEW, "b", 1030);
	expect(NONCE_USED, "a", 1030);
	expect(NONCE_USED, "a", 1060);
	expect(NONCE_NEW, "a", 1061);
	expect(NONCE_USED, "b", 1061);
	assert_int_equal(memory->n, 2);
}

static void test_a_full_memory_forgets_nothing(void **state)
{
	char text[32];

	(void)state;
	for (int i = 0; i < NONCES_MAX; i++) {
		snprintf(text, sizeof text, "n%d", i);
		expect(NONCE_NEW, text, 1000);
	}
	expect(NONCE_FULL, "one more", 1060);
	expect(NONCE_USED, "n0", 1060);
	expect(NONCE_NEW, "one more", 1061);
	assert_int_equal(memory->n, 1);
}

/* The ring goes round many times. */
static void test_memory_is_used_again(void **state)
{
	char text[32], before[32];

	(void)state;
	for (int i = 0; i < 3 * NONCES_MAX; i++) {
		snprintf(text, sizeof text, "n%d", i);
		expect(NONCE_NEW, text, 1000 + i);
		snprintf(before, sizeof before, "n%d", i > 60 ? i - 60 : i);
		expect(NONCE_USED, before, 1000 + i);
		assert_true(memory->n <= 61);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_each_counts_once_until_its_time_is_over, up, down),
		cmocka_unit_test_setup_teardown(
		    test_a_full_memory_forgets_nothing, up, down),
		cmocka_unit_test_setup_teardown(
		    test_memory_is_used_again, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
