/*
 * proxy/access: rings, files, and a log that is slow.
 */
#include "test_util.h"

#include <sys/stat.h>

#include "base/fd.h"
#include "proxy/access.h"

static struct test_dir dir;

static int set_up(void **state)
{
	(void)state;
	test_dir_make(&dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_dir_remove(&dir);
	return 0;
}

static size_t count_lines(const char *path, const char *wanted)
{
	char *text;
	size_t len, n = 0;
	struct err err;

	test_ok(file_read_all(path, 1 << 24, &text, &len, &err), &err);
	for (char *line = text; *line != '\0'; line += strlen(wanted), n++)
		assert_memory_equal(line, wanted, strlen(wanted));
	free(text);
	return n;
}

static void test_all_lines_are_in_the_file_at_the_end(void **state)
{
	char path[128];
	struct access *a;
	struct err err;

	(void)state;
	snprintf(path, sizeof path, "%s/log", dir.path);
	a = access_open(path, 2, &err);
	assert_non_null(a);
	/* Before the thread runs: across the end of a ring, too. */
	for (int i = 0; i < 30000; i++)
		assert_true(access_put(
		    access_ring(a, (size_t)(i % 2)), "a line of it\n", 13));
	test_ok(access_run(a, &err), &err);
	for (int i = 0; i < 1000; i++)
		assert_true(
		    access_put(access_ring(a, 0), "a line of it\n", 13));
	access_close(&a);
	assert_null(a);
	assert_int_equal(count_lines(path, "a line of it\n"), 31000);
}

static void test_a_full_ring_takes_nothing(void **state)
{
	char line[ACCESS_LINE_MAX], path[128];
	struct access *a;
	struct err err;
	int n = 0;

	(void)state;
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	snprintf(path, sizeof path, "%s/full", dir.path);
	a = access_open(path, 1, &err);
	assert_non_null(a);
	while (access_put(access_ring(a, 0), line, sizeof line))
		assert_true(++n < 1000);
	assert_int_equal(n, 524288 / ACCESS_LINE_MAX);
	/* A shorter one still fits. */
	assert_true(access_put(access_ring(a, 0), "\n", 1));
	access_close(&a);
}

static void refused(const char *name, const char *why)
{
	char path[128];
	struct err err;

	snprintf(path, sizeof path, "%s/%s", dir.path, name);
	assert_null(access_open(path, 1, &err));
	test_err_says(&err, why);
}

static void test_files_that_are_not_safe(void **state)
{
	char path[128], other[128];
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/file", dir.path);
	snprintf(other, sizeof other, "%s/other", dir.path);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(symlink("file", other), 0);
	refused("other", "symbolic link");
	assert_int_equal(unlink(other), 0);
	assert_int_equal(link(path, other), 0);
	refused("file", "more than one name");
	assert_int_equal(unlink(other), 0);
	assert_int_equal(chmod(path, 0602), 0);
	refused("file", "chmod o-w");
	assert_int_equal(mkfifo(other, 0600), 0);
	refused("other", "nobody reads");
	refused(".", "directory");
	refused("none/file", "none/file");
}

static void test_a_reader_that_does_not_read_holds_up_nobody(void **state)
{
	char line[1000], path[128];
	struct access *a;
	struct err err;
	int reader;

	(void)state;
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	snprintf(path, sizeof path, "%s/fifo", dir.path);
	assert_int_equal(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	assert_true(reader >= 0);
	a = access_open(path, 1, &err);
	assert_non_null(a);
	test_ok(access_run(a, &err), &err);
	while (access_put(access_ring(a, 0), line, sizeof line))
		;
	access_close(&a);
	close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_lines_are_in_the_file_at_the_end),
		cmocka_unit_test(test_a_full_ring_takes_nothing),
		cmocka_unit_test(test_files_that_are_not_safe),
		cmocka_unit_test(
		    test_a_reader_that_does_not_read_holds_up_nobody),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
