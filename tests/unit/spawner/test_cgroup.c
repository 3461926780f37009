/*
 * spawner/cgroup on the machine's own hierarchies: needs root, and makes and
 * removes directories called carrel/KEY.
 */
#include "spawner/cgroup.h"
#include "test_util.h"

#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#define KEY       "00000000000000cc"
#define N_PASSES  200
#define PASS_MS   10
#define FREEZER   "/sys/fs/cgroup/freezer"
#define FREEZER_D FREEZER "/carrel-test-" KEY

struct fixture {
	struct cgroup g;
	int n_notes;
	char note[256];
	int up[2];
};

static void on_note(const char *line, void *arg)
{
	struct fixture *f = arg;

	f->n_notes++;
	snprintf(f->note, sizeof f->note, "%s", line);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	*state = f;
	return pipe(f->up);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	cgroup_remove(&f->g);
	close(f->up[0]);
	close(f->up[1]);
	free(f);
	return 0;
}

static void need_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("needs root: it makes control groups\n");
	skip();
}

static void make(struct fixture *f, const struct limits *limits)
{
	need_root();
	cgroup_make(&f->g, KEY, limits, on_note, f);
	if (f->g.n > 0)
		return;
	print_message("this machine lets nobody make control groups\n");
	skip();
}

/* A process inside that ignores what can be ignored, with a child like it. */
static pid_t start_inside(struct fixture *f)
{
	pid_t pid = fork();
	char c;

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGTERM, SIG_IGN);
		if (cgroup_enter(&f->g) != 0)
			_exit(1);
		if (fork() == 0)
			setsid();
		(void)!write(f->up[1], "x", 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(f->up[0], &c, 1), 1);
	assert_int_equal(read(f->up[0], &c, 1), 1);
	return pid;
}

static void until_empty(const struct cgroup *g)
{
	const struct timespec t = { 0, PASS_MS * 1000000L };

	for (int i = 0; i < N_PASSES && !cgroup_is_empty(g); i++) {
		(void)cgroup_kill(g);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		nanosleep(&t, NULL);
	}
	assert_true(cgroup_is_empty(g));
}

static void test_all_inside_are_killed(void **state)
{
	static const struct limits none = { 0 };
	struct fixture *f = *state;
	pid_t pid;

	make(f, &none);
	assert_int_equal(f->n_notes, 0);
	assert_true(cgroup_is_empty(&f->g));
	pid = start_inside(f);
	assert_false(cgroup_is_empty(&f->g));
	assert_true(cgroup_kill(&f->g));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	until_empty(&f->g);
	assert_false(cgroup_had_oom(&f->g));
}

static void test_removed_leaves_no_directory(void **state)
{
	static const struct limits none = { 0 };
	char paths[CGROUP_DIRS_MAX][512];
	struct fixture *f = *state;
	struct stat st;
	size_t n;

	make(f, &none);
	n = f->g.n;
	for (size_t i = 0; i < n; i++) {
		snprintf(paths[i], sizeof paths[i], "%s", f->g.dir[i].path);
		assert_int_equal(stat(paths[i], &st), 0);
	}
	cgroup_remove(&f->g);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(stat(paths[i], &st), -1);
}

/* What a later spawner does when a keeper was killed. */
static void test_reopened_by_path_it_kills(void **state)
{
	static const struct limits none = { 0 };
	const char *paths[CGROUP_DIRS_MAX + 2];
	struct fixture *f = *state;
	struct cgroup again;
	pid_t pid;

	make(f, &none);
	pid = start_inside(f);
	for (size_t i = 0; i < f->g.n; i++)
		paths[i] = f->g.dir[i].path;
	/* Not ours to touch, and gone. */
	paths[f->g.n] = "/tmp";
	paths[f->g.n + 1] = "/sys/fs/cgroup/nothing/carrel/x";
	cgroup_reopen(&again, paths, f->g.n + 2);
	assert_int_equal(again.n, f->g.n);
	for (size_t i = 0; i < again.n; i++)
		assert_int_equal(again.dir[i].parts, f->g.dir[i].parts);
	assert_true(cgroup_kill(&again));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	until_empty(&again);
	cgroup_close(&again);
}

/* Version 1 alone has no cgroup.kill. */
static void test_freezer_kills_too(void **state)
{
	const char *path = FREEZER_D;
	struct fixture *f = *state;
	pid_t pid;

	need_root();
	if (mkdir(FREEZER_D, 0755) != 0) {
		print_message("this machine has no freezer of version 1\n");
		skip();
	}
	cgroup_reopen(&f->g, &path, 1);
	assert_int_equal(f->g.n, 1);
	assert_int_equal(f->g.dir[0].parts, CGROUP_FREEZER);
	pid = start_inside(f);
	assert_true(cgroup_kill(&f->g));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	until_empty(&f->g);
}

static void test_limits_hold_or_are_told(void **state)
{
	static const struct limits limits = { 64 << 20, 500, 30 };
	unsigned parts = 0;
	struct fixture *f = *state;
	int n_missing = 0;

	make(f, &limits);
	for (size_t i = 0; i < f->g.n; i++)
		parts |= f->g.dir[i].parts;
	n_missing += !(parts & CGROUP_MEMORY);
	n_missing += !(parts & CGROUP_CPU);
	n_missing += !(parts & CGROUP_PIDS);
	assert_int_equal(f->n_notes, n_missing);
}

static void test_nothing_is_a_group_too(void **state)
{
	struct fixture *f = *state;

	assert_true(cgroup_is_empty(&f->g));
	assert_false(cgroup_kill(&f->g));
	assert_false(cgroup_had_oom(&f->g));
	assert_int_equal(cgroup_enter(&f->g), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_all_inside_are_killed),
		T(test_removed_leaves_no_directory),
		T(test_reopened_by_path_it_kills),
		T(test_freezer_kills_too),
		T(test_limits_hold_or_are_told),
		T(test_nothing_is_a_group_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
