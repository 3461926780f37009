/* Tests of base/fd.c. */
#include "test_util.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/fd.h"

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

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_close_sets_none_and_keeps_errno(void **state)
{
	int fd = dup(STDERR_FILENO), copy = fd;

	(void)state;
	errno = EDOM;
	fd_close(&fd);
	assert_int_equal(fd, -1);
	fd_close(&fd);
	assert_int_equal(errno, EDOM);
	assert_int_equal(fcntl(copy, F_GETFD), -1);
}

static void test_flags(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fd_set_nonblock(ends[0], true), 0);
	assert_true(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_nonblock(ends[0], false), 0);
	assert_false(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_cloexec(ends[0], true), 0);
	assert_int_equal(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(fd_set_cloexec(ends[0], false), 0);
	assert_int_equal(fcntl(ends[0], F_GETFD), 0);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(fd_set_nonblock(-1, true), -1);
	assert_int_equal(fd_set_cloexec(-1, true), -1);
}

static void test_read_all_up_to_the_limit(void **state)
{
	const char *path = test_path(&dir, "file");
	struct err err;
	char *text;
	size_t len;

	(void)state;
	write_file(path, "0123456789");
	test_ok(file_read_all(path, 10, &text, &len, &err), &err);
	assert_int_equal(len, 10);
	assert_string_equal(text, "0123456789");
	free(text);
	assert_int_equal(file_read_all(path, 9, &text, &len, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	test_err_says(&err, "9 bytes");
	test_err_says(&err, path);
}

static void test_read_empty_and_large_files(void **state)
{
	const char *path = test_path(&dir, "file");
	char *big = calloc(1, 100001), *text;
	struct err err;
	size_t len;

	(void)state;
	write_file(path, "");
	test_ok(file_read_all(path, 0, &text, &len, &err), &err);
	assert_int_equal(len, 0);
	assert_string_equal(text, "");
	free(text);
	assert_non_null(big);
	memset(big, 'x', 100000);
	write_file(path, big);
	test_ok(file_read_all(path, SIZE_MAX, &text, &len, &err), &err);
	assert_int_equal(len, 100000);
	assert_string_equal(text, big);
	free(text);
	free(big);
}

static void test_read_failures_say_where(void **state)
{
	const char *path = test_path(&dir, "none");
	struct err err;
	char *text;
	size_t len;

	(void)state;
	assert_int_equal(file_read_all(path, 10, &text, &len, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(err.sys_errno, ENOENT);
	test_err_says(&err, path);
	assert_int_equal(file_read_all(dir.path, 10, &text, &len, &err), -1);
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(file_read_all(path, 10, &text, &len, NULL), -1);
}

static void test_fifo_does_not_hang(void **state)
{
	const char *path = test_path(&dir, "fifo");
	char *text;
	size_t len;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(file_read_all(path, 10, &text, &len, NULL), 0);
	free(text);
}

static void assert_content(const char *path, const char *expected)
{
	struct err err;
	char *text;
	size_t len;

	test_ok(file_read_all(path, 1000, &text, &len, &err), &err);
	assert_string_equal(text, expected);
	free(text);
}

static void test_replace_writes_content_and_mode(void **state)
{
	int dir_fd = open(dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *path = test_path(&dir, "file");
	mode_t mask = umask(077);
	struct err err;

	(void)state;
	test_ok(file_replace(dir_fd, "file", "one", 3, 0644, &err), &err);
	assert_content(path, "one");
	assert_int_equal(mode_of(path), 0644);
	test_ok(file_replace(dir_fd, "file", "", 0, 0600, &err), &err);
	assert_content(path, "");
	assert_int_equal(mode_of(path), 0600);
	umask(mask);
	close(dir_fd);
}

static void test_replace_refuses_paths(void **state)
{
	static const char *const bad[] = { "", "a/b", "/etc/x", "../x" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		assert_int_equal(
		    file_replace(AT_FDCWD, bad[i], "x", 1, 0600, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

static void test_replace_that_fails_leaves_nothing(void **state)
{
	int dir_fd = open(dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err;

	(void)state;
	/* A directory cannot be replaced by a file. */
	assert_int_equal(mkdir(test_path(&dir, "sub"), 0700), 0);
	assert_int_equal(file_replace(dir_fd, "sub", "x", 1, 0600, &err), -1);
	assert_int_equal(err.code, ERR_IO);
	test_err_says(&err, "sub");
	/* Only if nothing else is in it can the directory be removed. */
	assert_int_equal(rmdir(test_path(&dir, "sub")), 0);
	assert_int_equal(rmdir(dir.path), 0);
	close(dir_fd);
}

static void test_dir_make_makes_all_parts(void **state)
{
	mode_t mask = umask(077);
	struct err err;
	char path[256];

	(void)state;
	snprintf(path, sizeof path, "%s/a//b/c/", dir.path);
	test_ok(dir_make(path, 0710, &err), &err);
	assert_int_equal(mode_of(test_path(&dir, "a")), 0755);
	assert_int_equal(mode_of(test_path(&dir, "a/b")), 0755);
	assert_int_equal(mode_of(test_path(&dir, "a/b/c")), 0710);
	umask(mask);
}

static void test_dir_make_leaves_what_exists(void **state)
{
	const char *path = test_path(&dir, "old");
	struct err err;

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	test_ok(dir_make(path, 0755, &err), &err);
	assert_int_equal(mode_of(path), 0700);
	test_ok(dir_make("/", 0755, &err), &err);
}

static void test_dir_make_fails_over_a_file(void **state)
{
	struct err err;

	(void)state;
	write_file(test_path(&dir, "file"), "x");
	assert_int_equal(dir_make(test_path(&dir, "file"), 0755, &err), -1);
	assert_int_equal(err.sys_errno, ENOTDIR);
	assert_int_equal(dir_make(test_path(&dir, "file/x"), 0755, &err), -1);
	test_err_says(&err, "file");
	assert_int_equal(dir_make("", 0755, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_sets_none_and_keeps_errno),
		cmocka_unit_test(test_flags),
		T(test_read_all_up_to_the_limit),
		T(test_read_empty_and_large_files),
		T(test_read_failures_say_where),
		T(test_fifo_does_not_hang),
		T(test_replace_writes_content_and_mode),
		cmocka_unit_test(test_replace_refuses_paths),
		T(test_replace_that_fails_leaves_nothing),
		T(test_dir_make_makes_all_parts),
		T(test_dir_make_leaves_what_exists),
		T(test_dir_make_fails_over_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
