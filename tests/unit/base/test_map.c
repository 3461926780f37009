/* Tests of base/map.c. */
#include "test_util.h"

#include "base/map.h"
#include "base/rand.h"

static int values[20000];

static struct slice key_of(int i)
{
	static char text[32];

	snprintf(text, sizeof text, "key-%d", i);
	return slice_of(text);
}

static void test_empty_map(void **state)
{
	struct map *m = map_new();
	const char *key;
	void *value;
	size_t pos = 0;

	(void)state;
	assert_int_equal(map_count(m), 0);
	assert_null(map_get(m, slice_of("x")));
	assert_null(map_del(m, slice_of("x")));
	assert_false(map_next(m, &pos, &key, &value));
	map_free(&m);
	assert_null(m);
	map_free(&m);
}

static void test_put_get_replace_delete(void **state)
{
	struct map *m = map_new();

	(void)state;
	assert_null(map_put(m, slice_of("a"), &values[1]));
	assert_ptr_equal(map_put(m, slice_of("a"), &values[2]), &values[1]);
	assert_int_equal(map_count(m), 1);
	assert_ptr_equal(map_get(m, slice_of("a")), &values[2]);
	assert_null(map_get(m, slice_of("b")));
	assert_ptr_equal(map_del(m, slice_of("a")), &values[2]);
	assert_null(map_del(m, slice_of("a")));
	assert_null(map_get(m, slice_of("a")));
	assert_int_equal(map_count(m), 0);
	map_free(&m);
}

static void test_keys_are_copied_and_binary(void **state)
{
	struct map *m = map_new();
	char key[] = "abc";

	(void)state;
	map_put(m, slice_of(key), &values[1]);
	key[0] = 'x';
	assert_ptr_equal(map_get(m, slice_of("abc")), &values[1]);
	assert_null(map_get(m, slice_of("xbc")));
	map_put(m, slice_make("a\0b", 3), &values[2]);
	assert_null(map_get(m, slice_make("a\0c", 3)));
	assert_ptr_equal(map_get(m, slice_make("a\0b", 3)), &values[2]);
	map_put(m, slice_of(""), &values[3]);
	assert_ptr_equal(map_get(m, slice_of(NULL)), &values[3]);
	assert_null(map_get(m, slice_of("a")));
	map_free(&m);
}

static void test_many_keys_come_and_go(void **state)
{
	struct map *m = map_new();

	(void)state;
	for (int i = 0; i < 20000; i++)
		assert_null(map_put(m, key_of(i), &values[i]));
	assert_int_equal(map_count(m), 20000);
	for (int i = 0; i < 20000; i++)
		assert_ptr_equal(map_get(m, key_of(i)), &values[i]);
	for (int i = 0; i < 20000; i += 2)
		assert_ptr_equal(map_del(m, key_of(i)), &values[i]);
	for (int i = 0; i < 20000; i++)
		assert_ptr_equal(
		    map_get(m, key_of(i)), i % 2 != 0 ? &values[i] : NULL);
	for (int i = 1; i < 20000; i += 2)
		assert_ptr_equal(map_del(m, key_of(i)), &values[i]);
	assert_int_equal(map_count(m), 0);
	map_free(&m);
}

static void test_random_deeds_agree_with_an_array(void **state)
{
	struct map *m = map_new();
	bool has[200] = { false };
	size_t count = 0;

	(void)state;
	for (int n = 0; n < 100000; n++) {
		int i = (int)rand_below(200);
		void *before = has[i] ? &values[i] : NULL;

		if (rand_below(2) == 0) {
			assert_ptr_equal(
			    map_put(m, key_of(i), &values[i]), before);
			count += !has[i];
			has[i] = true;
		} else {
			assert_ptr_equal(map_del(m, key_of(i)), before);
			count -= has[i];
			has[i] = false;
		}
		assert_int_equal(map_count(m), count);
	}
	for (int i = 0; i < 200; i++)
		assert_true((map_get(m, key_of(i)) != NULL) == has[i]);
	map_free(&m);
}

static void test_walk_is_in_the_order_of_adding(void **state)
{
	struct map *m = map_new();
	const char *key;
	void *value;
	size_t pos = 0;
	int n = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		map_put(m, key_of(i), &values[i]);
	for (int i = 0; i < 1000; i += 3)
		map_del(m, key_of(i));
	while (map_next(m, &pos, &key, &value)) {
		n += n % 3 == 0;
		assert_string_equal(key, key_of(n).p);
		assert_ptr_equal(value, &values[n]);
		n++;
	}
	assert_int_equal(n, 999);
	map_free(&m);
}

static void test_walk_may_delete_what_it_returned(void **state)
{
	struct map *m = map_new();
	const char *key;
	void *value;
	size_t pos = 0;
	int n = 0;

	(void)state;
	for (int i = 0; i < 500; i++)
		map_put(m, key_of(i), &values[i]);
	while (map_next(m, &pos, &key, &value)) {
		assert_ptr_equal(value, &values[n++]);
		assert_ptr_equal(map_del(m, slice_of(key)), value);
	}
	assert_int_equal(n, 500);
	assert_int_equal(map_count(m), 0);
	map_free(&m);
}

static void test_all_key_lengths_are_hashed(void **state)
{
	struct map *m = map_new();
	char key[64];

	(void)state;
	memset(key, 'k', sizeof key);
	for (size_t len = 0; len <= sizeof key; len++)
		assert_null(map_put(m, slice_make(key, len), &values[len]));
	for (size_t len = 0; len <= sizeof key; len++)
		assert_ptr_equal(
		    map_get(m, slice_make(key, len)), &values[len]);
	map_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_map),
		cmocka_unit_test(test_put_get_replace_delete),
		cmocka_unit_test(test_keys_are_copied_and_binary),
		cmocka_unit_test(test_many_keys_come_and_go),
		cmocka_unit_test(test_random_deeds_agree_with_an_array),
		cmocka_unit_test(test_walk_is_in_the_order_of_adding),
		cmocka_unit_test(test_walk_may_delete_what_it_returned),
		cmocka_unit_test(test_all_key_lengths_are_hashed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
