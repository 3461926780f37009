/*
 * spawner/fleet with real keepers (this very program, started again with
 * --keeper) and the kind "simple": what an ordinary user's spawner does. Run
 * by root it becomes an ordinary account first. So there are no cgroups here:
 * the walk of the descendants has to find all.
 */
#include "spawner/fleet.h"
#include "test_util.h"

#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/privs.h"
#include "spawner/adopt.h"
#include "spawner/keeper.h"
#include "spawner/proc.h"

#define TURNS      800
#define TURN_MS    25
#define KEY        "00000000000000aa"
#define CHILD_UID  1
#define CHILD_NAME "daemon"

static const char policy_text[] =
    "start_timeout: 20s\n"
    "profiles:\n"
    "  sleep: {kind: simple, command: [/bin/sleep, '100']}\n"
    "  exit: {kind: simple, command: [/bin/sh, -c, 'echo last words; exit "
    "7']}\n"
    "  gone: {kind: simple, command: [/nonexistent/x]}\n"
    "  local: {kind: local, command: [/bin/sleep, '100']}\n"
    "  env: {kind: simple, command: [/usr/bin/env], environment: {A: b}}\n"
    "  tree:\n"
    "    kind: simple\n"
    "    command:\n"
    "      - /bin/sh\n"
    "      - -c\n"
    "      - |\n"
    "        trap '' INT TERM\n"
    "        setsid sh -c 'trap \"\" INT TERM; (sleep 100) & echo up; wait' "
    "&\n"
    "        while :; do sleep 100; done\n";

struct fixture {
	struct test_dir dir;
	int servers_fd, exe_fd;
	struct policy policy;
	struct loop *loop;
	struct fleet *fleet;
	struct adopt adopt;
	struct err err;
	bool hub_is_there;
	int n_ready, n_started, n_failed, n_exited, n_tail;
	pid_t pid;
	char text[512], tail[9000];
	enum spawner_fail_code fail;
	struct server_exit exit;
};

static bool on_started(const struct server *s, void *arg)
{
	struct fixture *f = arg;

	f->n_started++;
	f->pid = s->pid;
	return f->hub_is_there;
}

static bool on_ready(const struct server *s, void *arg)
{
	struct fixture *f = arg;

	f->n_ready++;
	f->pid = s->pid;
	return f->hub_is_there;
}

static bool on_failed(const char *key, enum spawner_fail_code code,
    const char *text, const char *tail, void *arg)
{
	struct fixture *f = arg;

	(void)key;
	f->n_failed++;
	f->fail = code;
	snprintf(f->text, sizeof f->text, "%s", text);
	snprintf(f->tail, sizeof f->tail, "%s", tail);
	return f->hub_is_there;
}

static bool on_exited(const struct server *s, void *arg)
{
	struct fixture *f = arg;

	f->n_exited++;
	f->exit = s->exit;
	snprintf(f->tail, sizeof f->tail, "%s", s->tail ? s->tail : "");
	return f->hub_is_there;
}

static bool on_tail(const char *key, const char *text, void *arg)
{
	struct fixture *f = arg;

	(void)key;
	f->n_tail++;
	snprintf(f->tail, sizeof f->tail, "%s", text);
	return true;
}

static void on_sigchld(int signo, void *arg)
{
	(void)signo, (void)arg;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* As a spawner that begins: with what earlier ones left. */
static void begin(struct fixture *f)
{
	const struct fleet_callbacks cb = { on_started, on_ready, on_failed,
		on_exited, on_tail, f };
	const struct fleet_config config = {
		.policy = &f->policy,
		.own_uid = getuid(),
		.place = { .servers_fd = f->servers_fd, .exe_fd = f->exe_fd },
	};

	f->loop = loop_new();
	test_ok(
	    loop_signal(f->loop, SIGCHLD, on_sigchld, NULL, &f->err), &f->err);
	f->fleet = fleet_new(f->loop, &config, &cb);
	adopt_all(&f->adopt, f->fleet);
}

/* As one that is killed: nothing is said to the keepers. */
static void end(struct fixture *f)
{
	adopt_stop(&f->adopt);
	fleet_free(&f->fleet);
	loop_free(&f->loop);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	log_set_level(LOG_ERROR);
	test_dir_make(&f->dir);
	f->servers_fd = open(f->dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->exe_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	test_ok(policy_parse(&f->policy, policy_text, strlen(policy_text), "p",
		    false, NULL, &f->err),
	    &f->err);
	f->hub_is_there = true;
	begin(f);
	*state = f;
	return 0;
}

static void until(struct fixture *f, const int *count, int n)
{
	for (int i = 0; *count < n && i < TURNS; i++)
		loop_turn(f->loop, TURN_MS);
	if (*count != n)
		fail_msg("came %d times, not %d: %s", *count, n, f->text);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (fleet_find(f->fleet, KEY) && f->n_exited == 0) {
		fleet_stop(f->fleet, KEY, 0);
		until(f, &f->n_exited, 1);
	}
	end(f);
	policy_fini(&f->policy);
	fd_close(&f->servers_fd);
	fd_close(&f->exe_fd);
	test_dir_remove(&f->dir);
	free(f);
	return 0;
}

static void start(struct fixture *f, const char *profile)
{
	json_t *env = json_pack("{ss ss}", "JUPYTERHUB_SERVICE_PREFIX",
	    "/user/x/", "JPY_API_TOKEN", "secret");
	const struct fleet_request r = { .key = KEY,
		.account = "somebody",
		.profile = profile,
		.env = env };

	fleet_start(f->fleet, &r);
	json_decref(env);
}

static void until_tail_says(struct fixture *f, const char *text)
{
	for (int i = 0; i < TURNS && !strstr(f->tail, text); i++) {
		fleet_tail(f->fleet, KEY);
		loop_turn(f->loop, TURN_MS);
	}
	assert_non_null(strstr(f->tail, text));
}

static bool dir_exists(const struct fixture *f)
{
	struct stat st;

	return fstatat(f->servers_fd, KEY, &st, 0) == 0;
}

static void test_server_starts_and_stops(void **state)
{
	struct fixture *f = *state;

	start(f, "sleep");
	until(f, &f->n_started, 1);
	assert_int_equal(getsid(f->pid), f->pid);
	assert_true(dir_exists(f));
	fleet_stop(f->fleet, KEY, 5000);
	until(f, &f->n_exited, 1);
	assert_int_equal(f->exit.signo, SIGINT);
	assert_int_equal(f->exit.status, -1);
	assert_true(f->exit.asked);
	assert_int_equal(kill(f->pid, 0), -1);
	fleet_ack(f->fleet, KEY);
	assert_false(dir_exists(f));
	assert_null(fleet_find(f->fleet, KEY));
}

static void test_exit_brings_status_and_words(void **state)
{
	struct fixture *f = *state;

	start(f, "exit");
	until(f, &f->n_exited, 1);
	assert_int_equal(f->exit.status, 7);
	assert_int_equal(f->exit.signo, 0);
	assert_false(f->exit.asked);
	assert_string_equal(f->tail, "last words\n");
	/* Told again to the next hub. */
	fleet_report(f->fleet);
	assert_int_equal(f->n_exited, 2);
	fleet_tail(f->fleet, KEY);
	assert_string_equal(f->tail, "last words\n");
}

static void test_environment_is_exact(void **state)
{
	struct fixture *f = *state;
	int n_lines = 0;

	start(f, "env");
	until(f, &f->n_exited, 1);
	assert_non_null(strstr(f->tail, "A=b\n"));
	assert_non_null(strstr(f->tail, "JPY_API_TOKEN=secret\n"));
	assert_non_null(
	    strstr(f->tail, "JUPYTERHUB_SERVICE_URL=http://127.0.0.1:"));
	assert_null(strstr(f->tail, "PATH="));
	for (const char *c = f->tail; *c; c++)
		n_lines += *c == '\n';
	/* A, two of the hub, HOME USER LOGNAME SHELL, the URL. */
	assert_int_equal(n_lines, 8);
}

static void test_missing_program_is_told(void **state)
{
	struct fixture *f = *state;

	start(f, "gone");
	until(f, &f->n_failed, 1);
	assert_int_equal(f->fail, FAIL_EXEC);
	assert_non_null(strstr(f->text, "/nonexistent/x"));
	assert_non_null(strstr(f->text, "No such file"));
	assert_false(dir_exists(f));
}

static void test_other_accounts_are_refused(void **state)
{
	struct fixture *f = *state;

	start(f, "local");
	until(f, &f->n_failed, 1);
	assert_int_equal(f->fail, FAIL_ACCOUNT);
	assert_non_null(strstr(f->text, "somebody"));
}

static void test_stop_finds_the_whole_tree(void **state)
{
	struct fixture *f = *state;

	start(f, "tree");
	until(f, &f->n_started, 1);
	until_tail_says(f, "up\n");
	fleet_stop(f->fleet, KEY, 50);
	until(f, &f->n_exited, 1);
	assert_int_equal(f->exit.signo, SIGKILL);
	/* We are the subreaper above the keeper: nobody came up to us. */
	assert_int_equal(proc_signal_descendants(getpid(), 0), 0);
}

static void test_stop_again_hurries(void **state)
{
	struct fixture *f = *state;

	start(f, "tree");
	until(f, &f->n_started, 1);
	until_tail_says(f, "up\n");
	fleet_stop(f->fleet, KEY, 600000);
	fleet_stop(f->fleet, KEY, 0);
	until(f, &f->n_exited, 1);
	assert_int_equal(f->exit.signo, SIGKILL);
}

static void test_next_spawner_adopts(void **state)
{
	struct fixture *f = *state;
	const struct server *s;
	uint16_t port;
	pid_t pid;

	start(f, "sleep");
	until(f, &f->n_started, 1);
	pid = f->pid;
	port = fleet_find(f->fleet, KEY)->port;
	end(f);
	f->hub_is_there = false;
	begin(f);
	assert_int_equal(f->n_started, 2);
	assert_int_equal(f->pid, pid);
	s = fleet_find(f->fleet, KEY);
	assert_non_null(s);
	assert_int_equal(s->port, port);
	assert_string_equal(s->account, "somebody");
	assert_string_equal(s->profile, "sleep");
	assert_int_equal(s->kind->alive(s), KIND_ALIVE);
	f->hub_is_there = true;
	fleet_stop(f->fleet, KEY, 5000);
	until(f, &f->n_exited, 1);
	assert_true(f->exit.asked);
}

static void test_end_in_between_is_reported(void **state)
{
	struct fixture *f = *state;

	start(f, "sleep");
	until(f, &f->n_started, 1);
	end(f);
	kill(f->pid, SIGTERM);
	/* Until the keeper, our child, has gone. */
	while (waitpid(-1, NULL, 0) > 0)
		;
	f->hub_is_there = false;
	begin(f);
	assert_int_equal(f->n_exited, 1);
	assert_int_equal(f->exit.signo, SIGTERM);
	assert_false(f->exit.asked);
	f->hub_is_there = true;
	fleet_report(f->fleet);
	assert_int_equal(f->n_exited, 2);
	fleet_ack(f->fleet, KEY);
	assert_false(dir_exists(f));
}

static void test_failure_waits_for_a_hub(void **state)
{
	struct fixture *f = *state;

	f->hub_is_there = false;
	start(f, "gone");
	until(f, &f->n_failed, 1);
	assert_true(dir_exists(f));
	end(f);
	begin(f);
	assert_int_equal(f->n_failed, 2);
	f->hub_is_there = true;
	fleet_report(f->fleet);
	assert_int_equal(f->n_failed, 3);
	assert_false(dir_exists(f));
}

static void test_killed_keeper_ends_its_server(void **state)
{
	struct fixture *f = *state;
	char *text;
	size_t len;
	char path[128];
	json_t *j;

	start(f, "tree");
	until(f, &f->n_started, 1);
	until_tail_says(f, "up\n");
	snprintf(path, sizeof path, "%s/" KEY "/state.json", f->dir.path);
	test_ok(file_read_all(path, 65536, &text, &len, &f->err), &f->err);
	test_ok(json_parse(text, len, &j, &f->err), &f->err);
	kill((pid_t)json_integer_value(json_object_get(j, "keeper_pid")),
	    SIGKILL);
	json_decref(j);
	free(text);
	until(f, &f->n_exited, 1);
	assert_int_equal(f->exit.signo, SIGKILL);
	assert_false(f->exit.asked);
	/* All were killed: those that are not would be waited for in vain. */
	(void)alarm(10);
	while (waitpid(-1, NULL, 0) > 0)
		;
	(void)alarm(0);
	assert_int_equal(proc_signal_descendants(getpid(), 0), 0);
}

static void test_directory_without_a_state_is_removed_later(void **state)
{
	struct fixture *f = *state;

	end(f);
	assert_int_equal(mkdirat(f->servers_fd, KEY, 0700), 0);
	begin(f);
	assert_true(dir_exists(f));
	assert_null(fleet_find(f->fleet, KEY));
	assert_true(timer_running(&f->adopt.again));
	f->adopt.again.fn(&f->adopt.again, f->adopt.again.arg);
	assert_false(dir_exists(f));
}

static void test_unknown_keys_change_nothing(void **state)
{
	struct fixture *f = *state;

	fleet_stop(f->fleet, KEY, 0);
	assert_int_equal(f->n_exited, 1);
	assert_int_equal(f->exit.status, -1);
	assert_int_equal(f->exit.signo, 0);
	fleet_ack(f->fleet, KEY);
	fleet_tail(f->fleet, KEY);
	assert_int_equal(f->n_tail, 1);
	assert_string_equal(f->tail, "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(test_server_starts_and_stops),
		T(test_exit_brings_status_and_words),
		T(test_environment_is_exact),
		T(test_missing_program_is_told),
		T(test_other_accounts_are_refused),
		T(test_stop_finds_the_whole_tree),
		T(test_stop_again_hurries),
		T(test_next_spawner_adopts),
		T(test_end_in_between_is_reported),
		T(test_failure_waits_for_a_hub),
		T(test_killed_keeper_ends_its_server),
		T(test_directory_without_a_state_is_removed_later),
		T(test_unknown_keys_change_nothing),
	};
	struct err err;

	if (argc == 3 && strcmp(argv[1], "--keeper") == 0)
		return keeper_main(NULL);
	if (getuid() == 0 &&
	    privs_drop(CHILD_NAME, CHILD_UID, CHILD_UID, &err) != 0)
		return 1;
	/* Where a keeper dies, its server's processes come up to us. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
