/*
 * What every unit test needs: cmocka with its includes, and a few helpers.
 */
#ifndef CARREL_TESTS_UNIT_TEST_UTIL_H
#define CARREL_TESTS_UNIT_TEST_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* TEST_FILTER=NAME in the environment: this test alone (tests/guards). */
__attribute__((constructor)) static inline void test_filter(void)
{
	const char *name = getenv("TEST_FILTER");

	if (name != NULL)
		cmocka_set_test_filter(name);
}

/* The call succeeded; its error is shown when it did not. */
static inline void test_ok(int rc, const struct err *err)
{
	if (rc < 0)
		fail_msg("%s: %s", err_code_name(err->code), err->text);
}

/* The text of the error holds `part`. */
static inline void test_err_says(const struct err *err, const char *part)
{
	if (strstr(err->text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err->text, part);
}

struct test_dir {
	char path[64];
};

static inline void test_dir_make(struct test_dir *d)
{
	snprintf(d->path, sizeof d->path, "/tmp/carrel-test-XXXXXX");
	assert_non_null(mkdtemp(d->path));
}

static inline int test_remove_one(
    const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void test_dir_remove(struct test_dir *d)
{
	(void)nftw(d->path, test_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* "dir/name", valid until the next call. */
static inline const char *test_path(const struct test_dir *d, const char *name)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/%s", d->path, name);
	return path;
}

/* fn in a child process, quiet and without a core; returns the wait status. */
static inline int test_in_child(void (*fn)(void *arg), void *arg)
{
	static const struct rlimit none = { 0, 0 };
	int status = 0, quiet;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(quiet, STDERR_FILENO);
		fn(arg);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static inline void test_aborts(void (*fn)(void *arg), void *arg)
{
	int status = test_in_child(fn, arg);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

#endif
