/*
 * spawner/state, spawner/logring and spawner/proc: what outlives a process.
 */
#include "spawner/state.h"
#include "test_util.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "spawner/logring.h"
#include "spawner/proc.h"

struct fixture {
	struct test_dir dir;
	int fd;
	struct arena arena;
	struct err err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	test_dir_make(&f->dir);
	f->fd = open(f->dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	arena_init(&f->arena);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	arena_fini(&f->arena);
	fd_close(&f->fd);
	test_dir_remove(&f->dir);
	free(f);
	return 0;
}

static const struct state example = {
	.phase = STATE_ENDED,
	.key = "0123456789abcdef",
	.account = "alice",
	.profile = "default",
	.kind = "local",
	.address = "127.0.0.1:1234",
	.boot_id = "b",
	.keeper_pid = 10,
	.keeper_start_time = 11,
	.pid = 12,
	.start_time = 13,
	.status = -1,
	.signo = 9,
	.oom = true,
	.asked = true,
	.cgroups = { "/sys/fs/cgroup/x" },
	.n_cgroups = 1,
};

static void test_state_comes_back(void **state)
{
	struct fixture *f = *state;
	struct state s;

	test_ok(state_write(f->fd, &example, &f->err), &f->err);
	test_ok(state_read(f->fd, &f->arena, &s, &f->err), &f->err);
	assert_int_equal(s.version, STATE_VERSION);
	assert_int_equal(s.phase, STATE_ENDED);
	assert_string_equal(s.account, "alice");
	assert_string_equal(s.address, "127.0.0.1:1234");
	assert_int_equal(s.keeper_pid, 10);
	assert_int_equal(s.keeper_start_time, 11);
	assert_int_equal(s.start_time, 13);
	assert_int_equal(s.status, -1);
	assert_int_equal(s.signo, 9);
	assert_true(s.oom && s.asked);
	assert_int_equal(s.n_cgroups, 1);
	assert_string_equal(s.cgroups[0], "/sys/fs/cgroup/x");
}

static void test_failure_comes_back(void **state)
{
	struct fixture *f = *state;
	struct state s = example;

	s.phase = STATE_FAILED;
	s.fail = "exec";
	s.text = "why";
	test_ok(state_write(f->fd, &s, &f->err), &f->err);
	test_ok(state_read(f->fd, &f->arena, &s, &f->err), &f->err);
	assert_int_equal(s.phase, STATE_FAILED);
	assert_string_equal(s.fail, "exec");
	assert_string_equal(s.text, "why");
}

static void test_missing_state_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct state s;

	assert_int_equal(state_read(f->fd, &f->arena, &s, &f->err), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
}

static void test_damaged_state_is_an_error(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "{}",
		"{\"version\":1}", "{\"version\":1,\"phase\":\"flying\"}",
		"{\"version\":1,\"phase\":\"ended\"}",
		"{\"version\":1,\"phase\":\"running\",\"pid\":\"x\"}",
		"{\"version\":0,\"phase\":\"running\"}" };
	struct fixture *f = *state;
	struct state s;

	for (size_t i = 0; i < N_OF(texts); i++) {
		test_ok(file_replace(f->fd, "state.json", texts[i],
			    strlen(texts[i]), 0600, &f->err),
		    &f->err);
		if (state_read(f->fd, &f->arena, &s, &f->err) == 0)
			fail_msg("accepted: %s", texts[i]);
		assert_int_not_equal(f->err.code, ERR_NOT_FOUND);
	}
}

static void test_newer_state_is_read(void **state)
{
	static const char text[] =
	    "{\"version\":7,\"phase\":\"running\",\"pid\":5,\"new\":[1]}";
	struct fixture *f = *state;
	struct state s;

	test_ok(file_replace(
		    f->fd, "state.json", text, sizeof text - 1, 0600, &f->err),
	    &f->err);
	test_ok(state_read(f->fd, &f->arena, &s, &f->err), &f->err);
	assert_int_equal(s.version, 7);
	assert_int_equal(s.pid, 5);
}

/* ---- log ----------------------------------------------------------------- */

static void test_log_is_a_ring(void **state)
{
	struct fixture *f = *state;
	struct logring r;
	struct stat st;
	char line[64];
	char *tail;

	test_ok(logring_open(&r, f->fd, &f->err), &f->err);
	for (int i = 0; i < 30000; i++) {
		int n = snprintf(line, sizeof line, "line %d of a log\n", i);

		logring_write(&r, line, (size_t)n);
	}
	logring_close(&r);
	assert_int_equal(fstatat(f->fd, "log", &st, 0), 0);
	assert_true(st.st_size > 0 && st.st_size <= LOGRING_FILE_MAX);
	assert_int_equal(fstatat(f->fd, "log.1", &st, 0), 0);
	assert_int_equal(st.st_size, LOGRING_FILE_MAX);
	assert_int_equal(st.st_mode & 0777, 0600);
	tail = logring_tail(f->fd);
	assert_true(strlen(tail) <= LOGRING_TAIL_MAX);
	assert_true(strlen(tail) > LOGRING_TAIL_MAX - 64);
	assert_int_equal(strncmp(tail, "line ", 5), 0);
	assert_non_null(strstr(tail, "line 29999 of a log\n"));
	free(tail);
}

static void test_log_goes_on_where_it_was(void **state)
{
	struct fixture *f = *state;
	struct logring r;
	char *tail;

	for (int i = 0; i < 2; i++) {
		test_ok(logring_open(&r, f->fd, &f->err), &f->err);
		logring_note(&r, "part %d", i);
		logring_close(&r);
	}
	tail = logring_tail(f->fd);
	assert_string_equal(tail, "carrel: part 0\ncarrel: part 1\n");
	free(tail);
}

static void test_tail_of_nothing_is_empty(void **state)
{
	struct fixture *f = *state;
	char *tail = logring_tail(f->fd);

	assert_string_equal(tail, "");
	free(tail);
}

static void test_tail_spans_both_files(void **state)
{
	struct fixture *f = *state;
	char *tail;

	test_ok(
	    file_replace(f->fd, "log.1", "old\n", 4, 0600, &f->err), &f->err);
	test_ok(file_replace(f->fd, "log", "new\n", 4, 0600, &f->err), &f->err);
	tail = logring_tail(f->fd);
	assert_string_equal(tail, "old\nnew\n");
	free(tail);
}

static void test_text_is_fit_to_be_shown(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain\n", "plain\n" },
		{ "a\tb\r\n", "a\tb\n" },
		{ "\x1b[31mred\x1b[0m", "red" },
		{ "\x1b]0;title\x07x", "x" },
		{ "\x1b]0;cut off", "" },
		{ "\x1b[12", "" },
		{ "\x1b", "" },
		{ "\x1b"
		  "Mx",
		    "x" },
		{ "a\x01\x7f"
		  "b",
		    "a??b" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xff\xc3", "??" },
		{ "\xed\xa0\x80", "???" },
		{ "\xf0\x9f\x98\x80!", "\xf0\x9f\x98\x80!" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		char text[64];

		snprintf(text, sizeof text, "%s", cases[i].in);
		text[logring_clean(text, strlen(text))] = '\0';
		assert_string_equal(text, cases[i].out);
	}
}

/* ---- processes ----------------------------------------------------------- */

static void test_own_start_time_is_stable(void **state)
{
	uint64_t t = proc_start_time(getpid());

	(void)state;
	assert_true(t > 0);
	assert_int_equal(proc_start_time(getpid()), t);
	assert_true(proc_is_alive(getpid(), t));
	assert_false(proc_is_alive(getpid(), t + 1));
	assert_int_equal(proc_start_time(0), 0);
	assert_int_equal(proc_start_time(-5), 0);
}

static void test_zombie_is_not_alive(void **state)
{
	pid_t pid = fork();
	siginfo_t info;
	uint64_t t;

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	t = proc_start_time(pid);
	assert_true(t > 0);
	assert_false(proc_is_alive(pid, t));
	waitpid(pid, NULL, 0);
	assert_int_equal(proc_start_time(pid), 0);
}

/* A name with blanks and brackets must not shift the fields. */
static void test_strange_program_name_is_read(void **state)
{
	pid_t pid;
	int pipe_fds[2];
	char c;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, "a) Z 0 (b");
		(void)!write(pipe_fds[1], "x", 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(pipe_fds[0], &c, 1), 1);
	assert_true(proc_is_alive(pid, proc_start_time(pid)));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void test_grandchildren_are_signalled(void **state)
{
	int pipe_fds[2], n = 0, status;
	pid_t child;
	char c;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	child = fork();
	if (child == 0) {
		if (fork() == 0)
			setsid();
		(void)!write(pipe_fds[1], "x", 1);
		pause();
		_exit(0);
	}
	close(pipe_fds[1]);
	while (n < 2 && read(pipe_fds[0], &c, 1) == 1)
		n++;
	assert_int_equal(n, 2);
	assert_int_equal(proc_signal_descendants(getpid(), SIGKILL), 2);
	for (int i = 0; i < 2; i++) {
		assert_true(waitpid(-1, &status, 0) > 0);
		assert_true(WIFSIGNALED(status));
	}
	assert_int_equal(proc_signal_descendants(getpid(), SIGKILL), 0);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(pipe_fds[0]);
}

static void test_boot_id_is_told(void **state)
{
	char id[PROC_BOOT_ID_LEN + 1];

	(void)state;
	proc_boot_id(id);
	assert_int_equal(strlen(id), PROC_BOOT_ID_LEN);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_state_comes_back),
		T(test_failure_comes_back),
		T(test_missing_state_is_not_found),
		T(test_damaged_state_is_an_error),
		T(test_newer_state_is_read),
		T(test_log_is_a_ring),
		T(test_log_goes_on_where_it_was),
		T(test_tail_of_nothing_is_empty),
		T(test_tail_spans_both_files),
		T(test_text_is_fit_to_be_shown),
		T(test_own_start_time_is_stable),
		T(test_zombie_is_not_alive),
		T(test_strange_program_name_is_read),
		T(test_grandchildren_are_signalled),
		T(test_boot_id_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
