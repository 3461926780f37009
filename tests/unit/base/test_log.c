/* Tests of base/log.c. */
#include "test_util.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"

static char last[4096];
static int n_lines;

static void keep(const char *line, void *arg)
{
	(void)arg;
	n_lines++;
	snprintf(last, sizeof last, "%s", line);
	errno = EIO;
}

static int setup(void **state)
{
	(void)state;
	n_lines = 0;
	last[0] = '\0';
	clock_sim_start(1767323045678901);
	log_open("hub", LOG_INFO);
	log_set_sink(keep, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_set_sink(NULL, NULL);
	log_set_fd(-1);
	clock_set_source(NULL);
	return 0;
}

#define HEAD "2026-01-02T03:04:05.678Z "

static void test_line_format(void **state)
{
	struct log_ctx ctx = { .user = "alice" };

	(void)state;
	log_info(&ctx, "server started", "pid=%d", 12);
	assert_string_equal(
	    last, HEAD "info hub server started user=alice pid=12");
}

static void test_all_of_the_context(void **state)
{
	struct log_ctx ctx = {
		.request = "r1",
		.user = "bob",
		.server = "bob/lab",
	};

	(void)state;
	log_error(&ctx, "start failed", "code=%s", "timeout");
	assert_string_equal(last,
	    HEAD "error hub start failed request=r1 user=bob server=bob/lab "
		 "code=timeout");
}

static void test_no_facts_leave_no_blank(void **state)
{
	const char *none = "";

	(void)state;
	log_warn(NULL, "stopped", "%s", none);
	assert_string_equal(last, HEAD "warn hub stopped");
}

static void test_levels(void **state)
{
	enum log_level level;

	(void)state;
	log_debug(NULL, "x", "a=%d", 1);
	assert_int_equal(n_lines, 0);
	log_set_level(LOG_DEBUG);
	log_debug(NULL, "x", "a=%d", 1);
	assert_int_equal(n_lines, 1);
	log_set_level(LOG_ERROR);
	log_warn(NULL, "x", "a=%d", 1);
	assert_int_equal(n_lines, 1);
	assert_true(log_wants(LOG_ERROR));
	assert_false(log_wants(LOG_WARN));
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_DEBUG);
	assert_int_equal(log_level_parse("error", &level), 0);
	assert_int_equal(level, LOG_ERROR);
	assert_int_equal(log_level_parse("warn", &level), 0);
	assert_int_equal(log_level_parse("info", &level), 0);
	assert_int_equal(log_level_parse("INFO", &level), -1);
	assert_int_equal(log_level_parse("", &level), -1);
	assert_int_equal(log_level_parse(NULL, &level), -1);
}

static void test_values_cannot_forge_lines_or_facts(void **state)
{
	struct log_ctx ctx = { .user = "eve pid=1\n2026 \"x\"" };

	(void)state;
	log_info(&ctx, "login", "path=%s", "a\nb\x1b[2J\xff");
	assert_string_equal(last,
	    HEAD "info hub login user=\"eve pid=1?2026 'x'\" path=a?b?[2J?");
	ctx.user = "";
	log_info(&ctx, "login", "n=%d", 1);
	assert_string_equal(last, HEAD "info hub login user=\"\" n=1");
}

static void test_lines_are_bounded(void **state)
{
	char text[10000];
	struct log_ctx ctx = { .user = text };

	(void)state;
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	log_info(&ctx, "x", "a=%s", text);
	assert_true(strlen(last) <= 2047);
	assert_string_equal(last + strlen(last) - 3, "...");
	assert_non_null(strstr(last, " a=aaaa"));
	log_info(NULL, text, "a=%s", text);
	assert_true(strlen(last) <= 2047);
}

static void test_errno_is_kept(void **state)
{
	(void)state;
	errno = EBADMSG;
	log_info(NULL, "x", "a=%d", 1);
	assert_int_equal(errno, EBADMSG);
}

struct capture {
	int err_pipe[2], other_pipe[2];
};

static void log_two(void *arg)
{
	struct capture *c = arg;

	dup2(c->err_pipe[1], STDERR_FILENO);
	log_set_sink(NULL, NULL);
	log_set_fd(c->other_pipe[1]);
	log_info(NULL, "one", "a=%d", 1);
	log_set_fd(-1);
	log_warn(NULL, "two", "a=%d", 2);
}

static void read_text(int fd, char *out, size_t cap)
{
	ssize_t n = read(fd, out, cap - 1);

	out[n > 0 ? n : 0] = '\0';
}

static void test_lines_go_to_stderr_or_where_they_are_sent(void **state)
{
	struct capture c;
	char text[512];

	(void)state;
	assert_int_equal(pipe(c.err_pipe), 0);
	assert_int_equal(pipe(c.other_pipe), 0);
	assert_int_equal(test_in_child(log_two, &c), 0);
	read_text(c.err_pipe[0], text, sizeof text);
	assert_string_equal(text, HEAD "warn hub two a=2\n");
	read_text(c.other_pipe[0], text, sizeof text);
	assert_string_equal(text, HEAD "info hub one a=1\n");
	for (int i = 0; i < 2; i++) {
		close(c.err_pipe[i]);
		close(c.other_pipe[i]);
	}
}

static void log_nowhere(void *arg)
{
	(void)arg;
	log_set_sink(NULL, NULL);
	signal(SIGPIPE, SIG_IGN);
	close(STDERR_FILENO);
	log_info(NULL, "one", "a=%d", 1);
}

static void test_a_log_that_cannot_be_written_is_no_failure(void **state)
{
	(void)state;
	assert_int_equal(test_in_child(log_nowhere, NULL), 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_line_format),
		T(test_all_of_the_context),
		T(test_no_facts_leave_no_blank),
		T(test_levels),
		T(test_values_cannot_forge_lines_or_facts),
		T(test_lines_are_bounded),
		T(test_errno_is_kept),
		T(test_lines_go_to_stderr_or_where_they_are_sent),
		T(test_a_log_that_cannot_be_written_is_no_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
