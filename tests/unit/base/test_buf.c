/* Tests of base/buf.c. */
#include "test_util.h"

#include "base/buf.h"

static void test_fresh_buffer_reads_as_empty(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_string_equal(buf_view(&b), "");
	buf_append(&b, "", 0);
	buf_append(&b, NULL, 0);
	buf_consume(&b, 0);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

static void test_appends_build_a_string(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_str(&b, "ab");
	buf_char(&b, 'c');
	buf_slice(&b, slice_make("defgh", 3));
	buf_printf(&b, "-%05d-%s", 42, "x");
	buf_append(&b, "\0y", 2);
	assert_int_equal(b.len, 16);
	assert_memory_equal(b.data, "abcdef-00042-x\0y", 17);
	assert_false(b.overflow);
	buf_fini(&b);
	assert_null(b.data);
}

static void test_exactly_max_fits_one_more_does_not(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	buf_str(&b, "12345");
	assert_false(b.overflow);
	buf_char(&b, '6');
	assert_true(b.overflow);
	assert_string_equal(buf_view(&b), "12345");
	assert_true(b.cap <= b.max);
	buf_fini(&b);
}

static void test_overflow_stays_until_reset(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	buf_str(&b, "12");
	buf_str(&b, "too long for it");
	buf_str(&b, "3");
	buf_printf(&b, "%d", 4);
	assert_null(buf_reserve(&b, 1));
	assert_string_equal(buf_view(&b), "12");
	assert_true(b.overflow);
	buf_reset(&b);
	assert_false(b.overflow);
	buf_str(&b, "3");
	assert_string_equal(buf_view(&b), "3");
	buf_fini(&b);
}

static void test_printf_past_max_leaves_the_content(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 70);
	buf_str(&b, "keep");
	buf_printf(&b, "%0100d", 1);
	assert_true(b.overflow);
	assert_string_equal(buf_view(&b), "keep");
	buf_fini(&b);
	buf_init(&b, 3);
	buf_printf(&b, "abcd");
	assert_true(b.overflow);
	assert_string_equal(buf_view(&b), "");
	buf_fini(&b);
}

static void test_printf_grows(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5000);
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%04d ", i);
	assert_false(b.overflow);
	assert_int_equal(b.len, 5000);
	assert_memory_equal(b.data + 4995, "0999 ", 6);
	buf_fini(&b);
}

static void test_reserve_and_commit(void **state)
{
	struct buf b;
	char *at;

	(void)state;
	buf_init(&b, 100);
	at = buf_reserve(&b, 50);
	assert_non_null(at);
	memcpy(at, "hello", 5);
	buf_commit(&b, 5);
	assert_string_equal(buf_view(&b), "hello");
	assert_null(buf_reserve(&b, 96));
	assert_true(b.overflow);
	buf_fini(&b);
}

static void test_consume_drops_from_the_front(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_str(&b, "abcdef");
	buf_consume(&b, 2);
	assert_string_equal(buf_view(&b), "cdef");
	buf_consume(&b, 4);
	assert_string_equal(buf_view(&b), "");
	buf_str(&b, "x");
	assert_string_equal(buf_view(&b), "x");
	buf_fini(&b);
}

static void test_steal_gives_the_string_away(void **state)
{
	struct buf b;
	char *s;

	(void)state;
	buf_init(&b, 100);
	s = buf_steal(&b);
	assert_string_equal(s, "");
	free(s);
	buf_str(&b, "mine");
	s = buf_steal(&b);
	assert_string_equal(s, "mine");
	free(s);
	assert_int_equal(b.len, 0);
	buf_str(&b, "again");
	assert_string_equal(buf_view(&b), "again");
	buf_fini(&b);
}

static void test_unlimited_max_does_not_wrap(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX / 2);
	buf_str(&b, "x");
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_true(b.overflow);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fresh_buffer_reads_as_empty),
		cmocka_unit_test(test_appends_build_a_string),
		cmocka_unit_test(test_exactly_max_fits_one_more_does_not),
		cmocka_unit_test(test_overflow_stays_until_reset),
		cmocka_unit_test(test_printf_past_max_leaves_the_content),
		cmocka_unit_test(test_printf_grows),
		cmocka_unit_test(test_reserve_and_commit),
		cmocka_unit_test(test_consume_drops_from_the_front),
		cmocka_unit_test(test_steal_gives_the_string_away),
		cmocka_unit_test(test_unlimited_max_does_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
