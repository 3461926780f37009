/*
 * spawner/pam and spawner/attempt with stacks of our own (pam_start_confdir)
 * and pam_matrix of libpam-wrapper: no root, no account of the machine.
 */
#include "spawner/pam.h"
#include "test_util.h"

#include <glob.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/loop.h"
#include "base/str.h"
#include "spawner/attempt.h"

#define TURNS   400
#define TURN_MS 25

struct fixture {
	struct test_dir dir;
	char matrix[256], passdb[256];
	struct arena arena;
	struct pam_login login;
	struct pam_login_result result;
	/* the person */
	const char *replies[4];
	size_t n_prompts;
	char prompts[4][64];
	bool echo[4];
	/* attempts */
	struct loop *loop;
	struct attempts *attempts;
	struct attempts_config config;
	size_t n_ends;
	uint64_t ended[8];
	enum spawner_auth_code codes[8];
	char text[512], account[64];
	size_t n_groups;
};

static void write_file(struct fixture *f, const char *name, const char *text)
{
	FILE *file = fopen(test_path(&f->dir, name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	chmod(test_path(&f->dir, name), 0600);
}

static bool find_matrix(struct fixture *f)
{
	glob_t found;
	bool is_there;

	is_there =
	    glob("/usr/lib/*/pam_wrapper/pam_matrix.so", 0, NULL, &found) == 0;
	if (is_there)
		assert_int_equal(
		    str_copy(f->matrix, sizeof f->matrix, found.gl_pathv[0]),
		    0);
	globfree(&found);
	return is_there;
}

static int prompt(
    const char *text, bool echo, char *reply, size_t cap, void *arg)
{
	struct fixture *f = arg;
	size_t i = f->n_prompts++;

	assert_true(i < 4);
	snprintf(f->prompts[i], sizeof f->prompts[i], "%s", text);
	f->echo[i] = echo;
	return f->replies[i] ? str_copy(reply, cap, f->replies[i]) : -1;
}

static void set_stack(struct fixture *f, const char *options, const char *more)
{
	char text[2048];

	snprintf(text, sizeof text,
	    "auth required %s passdb=%s %s\n"
	    "account required %s passdb=%s %s\n%s",
	    f->matrix, f->passdb, options, f->matrix, f->passdb, options, more);
	write_file(f, "matrix", text);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	test_dir_make(&f->dir);
	arena_init(&f->arena);
	snprintf(f->passdb, sizeof f->passdb, "%s/passdb", f->dir.path);
	write_file(f, "passdb", "neo:Trinity-1:matrix\nroot:known:matrix\n");
	write_file(f, "other", "auth required pam_deny.so\n");
	if (find_matrix(f))
		set_stack(f, "", "");
	f->login = (struct pam_login){
		.place = { "matrix", f->dir.path },
		.account = "neo",
		.rhost = "192.0.2.1",
		.min_uid = 1000,
		.prompt = prompt,
		.arg = f,
	};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	attempts_free(&f->attempts);
	loop_free(&f->loop);
	while (waitpid(-1, NULL, 0) > 0)
		;
	arena_fini(&f->arena);
	test_dir_remove(&f->dir);
	free(f);
	return 0;
}

static void need_matrix(struct fixture *f)
{
	if (f->matrix[0])
		return;
	print_message("pam_matrix.so is missing: install libpam-wrapper\n");
	skip();
}

static enum spawner_auth_code run(struct fixture *f, const char *reply)
{
	f->replies[0] = reply;
	f->n_prompts = 0;
	pam_login_run(&f->login, &f->arena, &f->result);
	return f->result.code;
}

static void test_right_password(void **state)
{
	struct fixture *f = *state;

	need_matrix(f);
	assert_int_equal(run(f, "Trinity-1"), AUTH_SUCCESS);
	assert_string_equal(f->result.account, "neo");
	assert_int_equal(f->n_prompts, 1);
	assert_false(f->echo[0]);
	/* It is no account of the machine. */
	assert_int_equal(f->result.n_groups, 0);
}

static void test_wrong_password_and_unknown_name(void **state)
{
	struct fixture *f = *state;

	need_matrix(f);
	assert_int_equal(run(f, "wrong"), AUTH_DENIED);
	f->login.account = "smith";
	assert_int_equal(run(f, "Trinity-1"), AUTH_DENIED);
	assert_string_equal(f->result.account, "");
}

static void test_empty_password_is_denied(void **state)
{
	struct fixture *f = *state;

	need_matrix(f);
	assert_int_not_equal(run(f, ""), AUTH_SUCCESS);
}

static void test_module_without_replies_is_borne(void **state)
{
	struct fixture *f = *state;

	need_matrix(f);
	/* It calls the conversation with resp == NULL. */
	set_stack(f, "verbose", "");
	assert_int_equal(run(f, "Trinity-1"), AUTH_SUCCESS);
}

static void test_echo_is_told(void **state)
{
	struct fixture *f = *state;

	need_matrix(f);
	set_stack(f, "echo", "");
	assert_int_equal(run(f, "Trinity-1"), AUTH_SUCCESS);
	assert_true(f->echo[0]);
}

static void test_person_who_gives_up(void **state)
{
	struct fixture *f = *state;

	need_matrix(f);
	assert_int_equal(run(f, NULL), AUTH_CANCELLED);
}

static void test_root_is_refused_whatever_the_password(void **state)
{
	struct fixture *f = *state;

	need_matrix(f);
	f->login.account = "root";
	assert_int_equal(run(f, "known"), AUTH_DENIED);
	assert_int_equal(f->n_prompts, 1);
	assert_string_equal(f->result.text, "");
}

static void test_single_account_mode_admits_one(void **state)
{
	struct fixture *f = *state;

	need_matrix(f);
	f->login.only_account = "morpheus";
	assert_int_equal(run(f, "Trinity-1"), AUTH_DENIED);
	f->login.only_account = "neo";
	assert_int_equal(run(f, "Trinity-1"), AUTH_SUCCESS);
}

static void test_names_that_no_account_has_are_denied(void **state)
{
	static const char *const names[] = { "", "-n", "a/b", "a b" };
	struct fixture *f = *state;

	for (size_t i = 0; i < N_OF(names); i++) {
		f->login.account = names[i];
		assert_int_equal(run(f, "x"), AUTH_DENIED);
	}
}

static void test_module_that_is_missing_is_unavailable(void **state)
{
	struct fixture *f = *state;

	write_file(f, "matrix",
	    "auth required /nonexistent.so\naccount required "
	    "/nonexistent.so\n");
	assert_int_equal(run(f, "x"), AUTH_UNAVAILABLE);
	assert_int_not_equal(strlen(f->result.text), 0);
}

static void test_texts_of_modules_are_collected(void **state)
{
	struct fixture *f = *state;

	write_file(f, "motd", "Maintenance at noon\n");
	set_stack(f, "", "");
	write_file(f, "matrix",
	    "auth optional pam_echo.so Maintenance at noon\n"
	    "auth optional pam_echo.so Second line\n"
	    "auth required pam_deny.so\n");
	assert_int_equal(run(f, "x"), AUTH_DENIED);
	assert_string_equal(f->result.text, "Maintenance at noon\nSecond line");
}

/* ---- attempts: the same in children -------------------------------------- */

static void on_prompt(uint64_t id, const char *text, bool echo, void *arg)
{
	struct fixture *f = arg;

	(void)text, (void)echo;
	f->n_prompts++;
	if (f->replies[0])
		attempts_reply(f->attempts, id, f->replies[0]);
}

static void on_end(const struct attempt_end *end, void *arg)
{
	struct fixture *f = arg;

	assert_true(f->n_ends < 8);
	f->ended[f->n_ends] = end->id;
	f->codes[f->n_ends++] = end->code;
	snprintf(f->text, sizeof f->text, "%s", end->text);
	snprintf(f->account, sizeof f->account, "%s", end->account);
	f->n_groups = json_array_size(end->groups);
}

static void start_attempts(struct fixture *f)
{
	need_matrix(f);
	f->loop = loop_new();
	f->config = (struct attempts_config){
		.place = { "matrix", f->dir.path },
		.min_uid = 1000,
		.max = 3,
		.max_per_account = 2,
		.module_timeout_ms = 9000,
		.answer_timeout_ms = 9000,
		.prompt = on_prompt,
		.end = on_end,
		.arg = f,
	};
	f->attempts = attempts_new(f->loop, &f->config);
}

/* With other limits than those of start_attempts. */
static void again(struct fixture *f)
{
	attempts_free(&f->attempts);
	f->attempts = attempts_new(f->loop, &f->config);
}

static void until_ended(struct fixture *f, size_t n)
{
	for (int i = 0; f->n_ends < n && i < TURNS; i++)
		loop_turn(f->loop, TURN_MS);
	assert_int_equal(f->n_ends, n);
}

static void until_asked(struct fixture *f, size_t n)
{
	for (int i = 0; f->n_prompts < n && i < TURNS; i++)
		loop_turn(f->loop, TURN_MS);
	assert_int_equal(f->n_prompts, n);
}

static void test_attempt_succeeds_in_a_child(void **state)
{
	struct fixture *f = *state;

	start_attempts(f);
	f->replies[0] = "Trinity-1";
	attempts_begin(f->attempts, 7, "neo", "");
	assert_true(attempts_has(f->attempts, 7));
	until_ended(f, 1);
	assert_int_equal(f->ended[0], 7);
	assert_int_equal(f->codes[0], AUTH_SUCCESS);
	assert_string_equal(f->account, "neo");
	assert_int_equal(attempts_count(f->attempts), 0);
}

static void test_too_many_attempts_meet_the_limit(void **state)
{
	struct fixture *f = *state;

	start_attempts(f);
	attempts_begin(f->attempts, 1, "neo", "");
	attempts_begin(f->attempts, 2, "neo", "");
	attempts_begin(f->attempts, 3, "neo", "");
	assert_int_equal(f->n_ends, 1);
	assert_int_equal(f->codes[0], AUTH_LIMIT);
	assert_int_equal(f->ended[0], 3);
	attempts_begin(f->attempts, 4, "smith", "");
	attempts_begin(f->attempts, 5, "tank", "");
	assert_int_equal(f->codes[1], AUTH_LIMIT);
	assert_int_equal(attempts_count(f->attempts), 3);
}

static void test_cancelled_attempt_ends_once(void **state)
{
	struct fixture *f = *state;

	start_attempts(f);
	attempts_begin(f->attempts, 1, "neo", "");
	until_asked(f, 1);
	attempts_cancel(f->attempts, 1);
	attempts_cancel(f->attempts, 1);
	attempts_reply(f->attempts, 1, "late");
	assert_int_equal(f->n_ends, 1);
	assert_int_equal(f->codes[0], AUTH_CANCELLED);
}

static void test_person_who_never_answers_times_out(void **state)
{
	struct fixture *f = *state;

	start_attempts(f);
	f->config.answer_timeout_ms = 30;
	again(f);
	attempts_begin(f->attempts, 1, "neo", "");
	until_ended(f, 1);
	assert_int_equal(f->n_prompts, 1);
	assert_int_equal(f->codes[0], AUTH_TIMEOUT);
	assert_non_null(strstr(f->text, "answer"));
}

static void test_module_that_hangs_times_out(void **state)
{
	struct fixture *f = *state;

	start_attempts(f);
	write_file(
	    f, "matrix", "auth required pam_exec.so quiet /bin/sleep 1000\n");
	f->config.module_timeout_ms = 150;
	again(f);
	attempts_begin(f->attempts, 1, "neo", "");
	until_ended(f, 1);
	assert_int_equal(f->codes[0], AUTH_TIMEOUT);
	assert_non_null(strstr(f->text, "module"));
}

/* A module that ends its process takes nothing but the attempt along. */
static void test_child_that_dies_is_unavailable(void **state)
{
	struct fixture *f = *state;
	char text[640];

	start_attempts(f);
	write_file(f, "killer", "#!/bin/sh\nkill -9 $PPID\n");
	chmod(test_path(&f->dir, "killer"), 0700);
	snprintf(text, sizeof text, "auth required pam_exec.so quiet %s\n",
	    test_path(&f->dir, "killer"));
	write_file(f, "matrix", text);
	attempts_begin(f->attempts, 1, "neo", "");
	until_ended(f, 1);
	assert_int_equal(f->codes[0], AUTH_UNAVAILABLE);
	assert_non_null(strstr(f->text, "ended early"));
}

static void test_dropped_attempts_tell_nobody(void **state)
{
	struct fixture *f = *state;

	start_attempts(f);
	attempts_begin(f->attempts, 1, "neo", "");
	attempts_begin(f->attempts, 2, "smith", "");
	until_asked(f, 2);
	attempts_drop_all(f->attempts);
	assert_int_equal(attempts_count(f->attempts), 0);
	for (int i = 0; i < 4; i++)
		loop_turn(f->loop, 5);
	assert_int_equal(f->n_ends, 0);
}

/* One login of an account waits: the last one. It is taken once. */
static void test_success_waits_to_become_a_keeper(void **state)
{
	struct fixture *f = *state;
	int fds[3], pair[2], pidfd = -1, status;
	struct stat st;
	pid_t pid = 0;

	start_attempts(f);
	f->config.keep_ms = 60000;
	again(f);
	f->replies[0] = "Trinity-1";
	for (int i = 1; i <= 2; i++) {
		attempts_begin(f->attempts, (uint64_t)i, "neo", "");
		until_ended(f, (size_t)i);
		assert_int_equal(f->codes[i - 1], AUTH_SUCCESS);
	}
	assert_int_equal(attempts_count(f->attempts), 0);
	assert_false(attempts_has(f->attempts, 2));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fds[1] = pair[1];
	fds[2] = open(f->dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(
	    attempts_make_keeper(f->attempts, "smith", fds, &pid, &pidfd), 0);
	assert_int_equal(
	    attempts_make_keeper(f->attempts, "neo", fds, &pid, &pidfd), 1);
	assert_int_equal(
	    attempts_make_keeper(f->attempts, "neo", fds, &pid, &pidfd), 0);
	/* A job of no bytes: the keeper says so and goes. */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(stat(test_path(&f->dir, "state.json"), &st), 0);
	close(pidfd);
	close(pair[0]);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void test_waiting_login_ends_with_its_time(void **state)
{
	struct fixture *f = *state;
	int fds[3] = { 0, 1, 2 }, pidfd;
	pid_t pid;

	start_attempts(f);
	f->config.keep_ms = 20;
	again(f);
	f->replies[0] = "Trinity-1";
	attempts_begin(f->attempts, 1, "neo", "");
	until_ended(f, 1);
	assert_true(waitpid(-1, &pidfd, WNOHANG) == 0);
	for (int i = 0; i < TURNS && waitpid(-1, &pidfd, WNOHANG) == 0; i++)
		loop_turn(f->loop, TURN_MS);
	assert_int_equal(
	    attempts_make_keeper(f->attempts, "neo", fds, &pid, &pidfd), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_right_password),
		T(test_wrong_password_and_unknown_name),
		T(test_empty_password_is_denied),
		T(test_module_without_replies_is_borne),
		T(test_echo_is_told),
		T(test_person_who_gives_up),
		T(test_root_is_refused_whatever_the_password),
		T(test_single_account_mode_admits_one),
		T(test_names_that_no_account_has_are_denied),
		T(test_module_that_is_missing_is_unavailable),
		T(test_texts_of_modules_are_collected),
		T(test_attempt_succeeds_in_a_child),
		T(test_too_many_attempts_meet_the_limit),
		T(test_cancelled_attempt_ends_once),
		T(test_person_who_never_answers_times_out),
		T(test_module_that_hangs_times_out),
		T(test_child_that_dies_is_unavailable),
		T(test_dropped_attempts_tell_nobody),
		T(test_success_waits_to_become_a_keeper),
		T(test_waiting_login_ends_with_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
