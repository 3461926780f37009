/* Tests of auth/keys.c. */
#include "test_util.h"

#include <sys/stat.h>

#include "auth/keys.h"
#include "base/str.h"

static struct test_dir dir;
static char keys_dir[128], key_file[160];

static int set_up(void **state)
{
	(void)state;
	test_dir_make(&dir);
	assert_int_equal(
	    str_format(keys_dir, sizeof keys_dir, "%s/keys", dir.path), 0);
	assert_int_equal(
	    str_format(key_file, sizeof key_file, "%s/xsrf.key", keys_dir), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_dir_remove(&dir);
	return 0;
}

static void test_a_key_is_made_once_and_stays(void **state)
{
	const unsigned char zero[KEY_LEN] = { 0 };
	struct keys first = { 0 }, second = { 0 };
	struct err err = { 0 };
	struct stat st;

	(void)state;
	test_ok(keys_load(keys_dir, &first, &err), &err);
	test_ok(keys_load(keys_dir, &second, &err), &err);
	assert_memory_equal(first.xsrf, second.xsrf, KEY_LEN);
	assert_memory_not_equal(first.xsrf, zero, KEY_LEN);
	assert_int_equal(stat(key_file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, KEY_LEN);
	assert_int_equal(stat(keys_dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	keys_wipe(&first);
	assert_memory_equal(first.xsrf, zero, KEY_LEN);
}

static void assert_refused(const char *says)
{
	struct keys keys;
	struct err err = { 0 };

	assert_int_equal(keys_load(keys_dir, &keys, &err), -1);
	test_err_says(&err, "xsrf.key");
	test_err_says(&err, says);
}

static void test_a_key_that_others_may_read_is_refused(void **state)
{
	struct keys keys;
	struct err err = { 0 };

	(void)state;
	test_ok(keys_load(keys_dir, &keys, &err), &err);
	assert_int_equal(chmod(key_file, 0640), 0);
	assert_refused("read by others");
}

static void test_a_key_of_another_length_is_refused_not_replaced(void **state)
{
	struct keys keys;
	struct err err = { 0 };
	struct stat st;

	(void)state;
	test_ok(keys_load(keys_dir, &keys, &err), &err);
	assert_int_equal(truncate(key_file, 5), 0);
	assert_refused("32 bytes");
	assert_int_equal(stat(key_file, &st), 0);
	assert_int_equal(st.st_size, 5);
}

static void test_a_link_or_a_pipe_is_no_key(void **state)
{
	(void)state;
	assert_int_equal(mkdir(keys_dir, 0700), 0);
	assert_int_equal(symlink("/etc/hostname", key_file), 0);
	assert_refused("open");
	assert_int_equal(unlink(key_file), 0);
	assert_int_equal(mkfifo(key_file, 0600), 0);
	assert_refused("not a file");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_key_is_made_once_and_stays),
		TEST(test_a_key_that_others_may_read_is_refused),
		TEST(test_a_key_of_another_length_is_refused_not_replaced),
		TEST(test_a_link_or_a_pipe_is_no_key),
	};

	return cmocka_run_group_tests_name("auth/keys", tests, NULL, NULL);
}
