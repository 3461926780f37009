/* Tests of base/mem.c. */
#include "test_util.h"

#include "base/mem.h"

static void test_zero_sizes_give_a_pointer(void **state)
{
	void *a = xmalloc(0), *b = xcalloc(0, 8),
	     *c = xreallocarray(NULL, 0, 8);
	void *d = xmemdup("", 0);

	(void)state;
	assert_true(a != NULL && b != NULL && c != NULL && d != NULL);
	free(a);
	free(b);
	free(c);
	free(d);
}

static void test_calloc_is_zeroed(void **state)
{
	unsigned char *p = xcalloc(100, 3);

	(void)state;
	for (size_t i = 0; i < 300; i++)
		assert_int_equal(p[i], 0);
	free(p);
}

static void test_reallocarray_keeps_content(void **state)
{
	int *p = xreallocarray(NULL, 2, sizeof *p);

	(void)state;
	p[0] = 1;
	p[1] = 2;
	p = xreallocarray(p, 1000, sizeof *p);
	assert_int_equal(p[0], 1);
	assert_int_equal(p[1], 2);
	free(p);
}

static void overflow_calloc(void *arg)
{
	(void)arg;
	free(xcalloc((size_t)-1 / 2, 4));
}

static void overflow_reallocarray(void *arg)
{
	(void)arg;
	free(xreallocarray(NULL, (size_t)-1 / 2, 4));
}

static void test_overflow_ends_the_process(void **state)
{
	(void)state;
	/* By abort, or by the sanitizer's own end of the process. */
	assert_int_not_equal(test_in_child(overflow_calloc, NULL), 0);
	assert_int_not_equal(test_in_child(overflow_reallocarray, NULL), 0);
}

static void test_string_copies(void **state)
{
	char *a = xstrdup("abc"), *b = xstrndup("abcdef", 4);
	char *c = xstrndup("ab", 100), *d = xasprintf("%s-%d", "x", 5);

	(void)state;
	assert_string_equal(a, "abc");
	assert_string_equal(b, "abcd");
	assert_string_equal(c, "ab");
	assert_string_equal(d, "x-5");
	free(a);
	free(b);
	free(c);
	free(d);
}

static void test_strndup_reads_no_further_than_told(void **state)
{
	/* No NUL within reach: the sanitizer would see a longer read. */
	char *text = xmemdup("wxyz", 4), *copy = xstrndup(text, 4);

	(void)state;
	assert_string_equal(copy, "wxyz");
	free(copy);
	free(text);
}

static void test_wipe_zeroes(void **state)
{
	char secret[] = "secret";

	(void)state;
	mem_wipe(secret, sizeof secret);
	for (size_t i = 0; i < sizeof secret; i++)
		assert_int_equal(secret[i], 0);
	mem_wipe(NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zero_sizes_give_a_pointer),
		cmocka_unit_test(test_calloc_is_zeroed),
		cmocka_unit_test(test_reallocarray_keeps_content),
		cmocka_unit_test(test_overflow_ends_the_process),
		cmocka_unit_test(test_string_copies),
		cmocka_unit_test(test_strndup_reads_no_further_than_told),
		cmocka_unit_test(test_wipe_zeroes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
