/*
 * A bounded file of lines: see base/rotate.h.
 */
#include "test_util.h"

#include "base/fd.h"
#include "base/rotate.h"

static struct test_dir dir;

static int setup(void **state)
{
	(void)state;
	test_dir_make(&dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	test_dir_remove(&dir);
	return 0;
}

static struct rotate *opened(int64_t max, unsigned keep)
{
	struct err err = { .code = ERR_NONE };
	struct rotate *r = rotate_open(test_path(&dir, "log"), max, keep, &err);

	if (!r)
		fail_msg("%s", err.text);
	return r;
}

static void put(struct rotate *r, const char *line)
{
	struct err err = { .code = ERR_NONE };

	test_ok(rotate_write(r, line, strlen(line), &err), &err);
}

static void assert_file(const char *name, const char *want)
{
	struct err err = { .code = ERR_NONE };
	char *text;
	size_t len;

	if (!want) {
		assert_int_equal(access(test_path(&dir, name), F_OK), -1);
		return;
	}
	test_ok(file_read_all(test_path(&dir, name), 4096, &text, &len, &err),
	    &err);
	assert_string_equal(text, want);
	free(text);
}

static void test_lines_are_appended_also_after_a_restart(void **state)
{
	struct rotate *r = opened(100, 1);
	struct stat st;

	(void)state;
	put(r, "one\n");
	rotate_close(&r);
	assert_null(r);
	r = opened(100, 1);
	put(r, "two\n");
	rotate_close(&r);
	assert_file("log", "one\ntwo\n");
	assert_int_equal(stat(test_path(&dir, "log"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_a_full_file_moves_and_the_oldest_goes(void **state)
{
	struct rotate *r = opened(8, 2);

	(void)state;
	put(r, "aaa\n");
	put(r, "bbb\n");
	assert_file("log", "aaa\nbbb\n");
	assert_file("log.1", NULL);
	put(r, "ccccc\n");
	put(r, "ddddd\n");
	put(r, "eeeee\n");
	rotate_close(&r);
	assert_file("log", "eeeee\n");
	assert_file("log.1", "ddddd\n");
	assert_file("log.2", "ccccc\n");
	assert_file("log.3", NULL);
}

static void test_what_was_there_counts(void **state)
{
	struct rotate *r = opened(8, 1);

	(void)state;
	put(r, "aaaaa\n");
	rotate_close(&r);
	r = opened(8, 1);
	put(r, "bbb\n");
	rotate_close(&r);
	assert_file("log", "bbb\n");
	assert_file("log.1", "aaaaa\n");
}

static void test_nothing_is_kept_with_keep_0(void **state)
{
	struct rotate *r = opened(8, 0);

	(void)state;
	put(r, "aaaaa\n");
	put(r, "bbb\n");
	rotate_close(&r);
	assert_file("log", "bbb\n");
	assert_file("log.1", NULL);
}

static void test_too_long_a_line_is_refused(void **state)
{
	struct rotate *r = opened(4, 1);
	struct err err = { .code = ERR_NONE };

	(void)state;
	put(r, "aaa\n");
	assert_int_equal(rotate_write(r, "bbbb\n", 5, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	rotate_close(&r);
	assert_file("log", "aaa\n");
}

static void test_no_symlink_no_device_no_relative_path(void **state)
{
	char path[512];
	struct err err = { .code = ERR_NONE };

	(void)state;
	snprintf(path, sizeof path, "%s", test_path(&dir, "link"));
	assert_int_equal(symlink(test_path(&dir, "to"), path), 0);
	assert_null(rotate_open(path, 8, 1, &err));
	assert_non_null(strstr(err.text, path));
	assert_null(rotate_open("/dev/null", 8, 1, &err));
	assert_non_null(strstr(err.text, "plain file"));
	assert_null(rotate_open("log", 8, 1, &err));
	assert_non_null(strstr(err.text, "must begin with /"));
}

static void test_it_goes_on_when_the_directory_is_back(void **state)
{
	char path[512], elsewhere[512];
	struct err err = { .code = ERR_NONE };

	(void)state;
	snprintf(path, sizeof path, "%s", test_path(&dir, "sub"));
	snprintf(elsewhere, sizeof elsewhere, "%s", test_path(&dir, "away"));
	assert_int_equal(mkdir(path, 0700), 0);
	struct rotate *r = rotate_open(test_path(&dir, "sub/log"), 8, 1, &err);
	assert_non_null(r);
	put(r, "aaaaa\n");
	assert_int_equal(rename(path, elsewhere), 0);
	/* there is no place to open the next file in */
	assert_int_equal(rotate_write(r, "bbb\n", 4, &err), -1);
	assert_int_equal(rotate_write(r, "bbb\n", 4, &err), -1);
	assert_int_equal(rename(elsewhere, path), 0);
	put(r, "ccc\n");
	rotate_close(&r);
	assert_file("sub/log", "ccc\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_lines_are_appended_also_after_a_restart),
		T(test_a_full_file_moves_and_the_oldest_goes),
		T(test_what_was_there_counts),
		T(test_nothing_is_kept_with_keep_0),
		T(test_too_long_a_line_is_refused),
		T(test_no_symlink_no_device_no_relative_path),
		T(test_it_goes_on_when_the_directory_is_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
