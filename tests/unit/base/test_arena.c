/* Tests of base/arena.c. */
#include "test_util.h"

#include <stdalign.h>

#include "base/arena.h"

static void test_memory_is_zeroed_and_aligned(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t size = 0; size < 3000; size += 7) {
		unsigned char *p = arena_alloc(&a, size);

		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xaa, size);
	}
	arena_fini(&a);
}

static void test_memory_that_was_used_before_is_zeroed(void **state)
{
	struct arena a;
	unsigned char *p;

	(void)state;
	arena_init(&a);
	for (int i = 0; i < 3; i++) {
		p = arena_alloc(&a, 1500);
		for (size_t k = 0; k < 1500; k++)
			assert_int_equal(p[k], 0);
		memset(p, 0xaa, 1500);
		arena_fini(&a);
	}
}

static void test_allocations_do_not_overlap(void **state)
{
	struct arena a;
	unsigned char *p[300];

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < N_OF(p); i++) {
		p[i] = arena_alloc(&a, i + 1);
		memset(p[i], (int)(i & 255), i + 1);
	}
	for (size_t i = 0; i < N_OF(p); i++)
		for (size_t k = 0; k <= i; k++)
			assert_int_equal(p[i][k], i & 255);
	arena_fini(&a);
}

static void test_large_pieces_keep_the_current_chunk(void **state)
{
	struct arena a;
	struct arena_chunk *head;

	(void)state;
	arena_init(&a);
	(void)arena_alloc(&a, 1);
	head = a.head;
	memset(arena_alloc(&a, 1000000), 1, 1000000);
	assert_ptr_equal(a.head, head);
	(void)arena_alloc(&a, 1);
	assert_ptr_equal(a.head, head);
	assert_true(a.used_bytes >= 1000002);
	arena_fini(&a);
	assert_int_equal(a.used_bytes, 0);
}

static void test_large_first_piece(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	memset(arena_alloc(&a, 200000), 1, 200000);
	memset(arena_alloc(&a, 200), 1, 200);
	arena_fini(&a);
}

static void test_can_be_used_again_after_fini(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	arena_fini(&a);
	assert_string_equal(arena_strdup(&a, "again"), "again");
	arena_fini(&a);
}

static void test_copies(void **state)
{
	struct arena a;
	char raw[3] = { 'x', 'y', 'z' };
	int *numbers;

	(void)state;
	arena_init(&a);
	assert_string_equal(arena_strdup(&a, ""), "");
	assert_string_equal(arena_strndup(&a, raw, 3), "xyz");
	assert_string_equal(arena_strndup(&a, "ab", 9), "ab");
	assert_memory_equal(arena_memdup(&a, raw, 3), "xyz", 3);
	assert_non_null(arena_memdup(&a, NULL, 0));
	assert_string_equal(arena_printf(&a, "%d/%s", 3, "q"), "3/q");
	for (int n = 250; n < 260; n++)
		assert_int_equal(strlen(arena_printf(&a, "%0*d", n, 1)), n);
	assert_int_equal(strlen(arena_printf(&a, "%09999d", 1)), 9999);
	numbers = arena_array(&a, 10, sizeof *numbers);
	assert_int_equal(numbers[9], 0);
	arena_fini(&a);
}

static void overflow(void *arg)
{
	arena_array(arg, SIZE_MAX / 2, 4);
}

static void test_array_overflow_ends_the_process(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	test_aborts(overflow, &a);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_is_zeroed_and_aligned),
		cmocka_unit_test(test_memory_that_was_used_before_is_zeroed),
		cmocka_unit_test(test_allocations_do_not_overlap),
		cmocka_unit_test(test_large_pieces_keep_the_current_chunk),
		cmocka_unit_test(test_large_first_piece),
		cmocka_unit_test(test_can_be_used_again_after_fini),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_array_overflow_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
