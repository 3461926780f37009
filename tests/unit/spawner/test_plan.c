/*
 * spawner/job, spawner/plan and the kinds' pure halves: from a request and a
 * profile to argv, environment and ids, without root.
 */
#include "test_util.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "spawner/kind.h"
#include "spawner/tls_files.h"

#define KEY "0123456789abcdef"

static const struct account alice = { "alice", "/home/alice", "/bin/zsh", 1001,
	1002 };

struct fixture {
	struct job job;
	struct plan plan;
	struct err err;
};

static const char *command[] = { "/usr/bin/server", "--flag" };
static struct conf_pair profile_env[] = { { "PATH", "/usr/bin" },
	{ "LANG", "C.UTF-8" }, { "JUPYTERHUB_SINGLEUSER_APP", "root.says" } };
static struct conf_pair hub_env[] = { { "JUPYTERHUB_SERVICE_PREFIX",
					  "/user/alice/" },
	{ "JUPYTERHUB_SINGLEUSER_APP", "hub.says" }, { "MEM_LIMIT", "1" } };

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct job *j = &f->job;

	arena_init(&j->arena);
	j->key = KEY;
	j->account = "alice";
	j->profile = "default";
	j->kind = "local";
	j->pam_service = "carrel";
	j->command = (struct conf_strings){ command, 2 };
	j->environment = (struct conf_pairs){ profile_env, 3 };
	j->no_new_privs = true;
	j->is_root = true;
	j->min_uid = 1000;
	j->port = 40123;
	j->limits = (struct limits){ 1 << 20, 1500, 10 };
	j->stop_grace_ms = 7000;
	j->listen_timeout_ms = 1000;
	*state = f;
	return 0;
}

/* The environment is on the heap then, as after job_read_env. */
static void use_hub_env(struct fixture *f)
{
	struct conf_pair *items =
	    arena_memdup(&f->job.arena, hub_env, sizeof hub_env);

	for (size_t i = 0; i < 3; i++)
		items[i].value = arena_strdup(&f->job.arena, items[i].value);
	f->job.hub_env = (struct conf_pairs){ items, 3 };
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	job_fini(&f->job);
	free(f);
	return 0;
}

static int make(struct fixture *f, const struct account *account)
{
	return kind_find(f->job.kind)
	    ->plan(&f->job, account, &f->plan, &f->err);
}

static void test_local_becomes_the_account_in_a_session(void **state)
{
	struct fixture *f = *state;

	test_ok(make(f, &alice), &f->err);
	assert_true(f->plan.switches_ids && f->plan.opens_session);
	assert_int_equal(f->plan.uid, 1001);
	assert_int_equal(f->plan.gid, 1002);
	assert_string_equal(f->plan.home, "/home/alice");
	assert_string_equal(f->plan.argv[0], "/usr/bin/server");
	assert_string_equal(f->plan.argv[1], "--flag");
	assert_null(f->plan.argv[2]);
	assert_true(f->plan.no_new_privs);
	assert_int_equal(f->plan.limits.pids, 10);
}

static void test_environment_has_its_layers(void **state)
{
	char *pam_env[] = { (char[]){ "PATH=/pam" }, (char[]){ "KRB5=x" },
		(char[]){ "=bad" }, (char[]){ "bad" }, (char[]){ "HOME=/pam" },
		NULL };
	struct fixture *f = *state;

	use_hub_env(f);
	test_ok(make(f, &alice), &f->err);
	plan_add_pam_env(&f->plan, pam_env);
	assert_string_equal(plan_env(&f->plan, "PATH"), "/usr/bin");
	assert_string_equal(plan_env(&f->plan, "KRB5"), "x");
	assert_string_equal(
	    plan_env(&f->plan, "JUPYTERHUB_SINGLEUSER_APP"), "root.says");
	assert_string_equal(plan_env(&f->plan, "MEM_LIMIT"), "1048576");
	assert_string_equal(plan_env(&f->plan, "CPU_LIMIT"), "1.500");
	assert_string_equal(plan_env(&f->plan, "HOME"), "/home/alice");
	assert_string_equal(plan_env(&f->plan, "USER"), "alice");
	assert_string_equal(plan_env(&f->plan, "LOGNAME"), "alice");
	assert_string_equal(plan_env(&f->plan, "SHELL"), "/bin/zsh");
	assert_string_equal(plan_env(&f->plan, "JUPYTERHUB_SERVICE_URL"),
	    "http://127.0.0.1:40123/user/alice/");
	assert_null(plan_env(&f->plan, "JUPYTERHUB"));
	assert_null(f->plan.env[f->plan.n_env]);
	assert_int_equal(f->plan.n_env, 12);
}

static void test_service_url_without_a_prefix_is_the_root(void **state)
{
	struct fixture *f = *state;

	test_ok(make(f, &alice), &f->err);
	assert_string_equal(plan_env(&f->plan, "JUPYTERHUB_SERVICE_URL"),
	    "http://127.0.0.1:40123/");
}

static void be_service(struct fixture *f, const char *account)
{
	f->job.kind = "service";
	f->job.account = account;
	f->job.cwd = "/srv";
}

static void test_a_service_has_no_session_and_its_own_directory(void **state)
{
	struct account system = alice;
	struct fixture *f = *state;

	be_service(f, "alice");
	system.uid = 200;
	use_hub_env(f);
	test_ok(make(f, &system), &f->err);
	assert_true(f->plan.switches_ids);
	assert_false(f->plan.opens_session);
	assert_string_equal(f->plan.cwd, "/srv");
	assert_string_equal(plan_env(&f->plan, "JUPYTERHUB_SERVICE_URL"),
	    "http://127.0.0.1:40123");
	f->job.port = 0;
	test_ok(make(f, &system), &f->err);
	assert_null(plan_env(&f->plan, "JUPYTERHUB_SERVICE_URL"));
}

static void test_a_service_hears_whom_it_runs_as(void **state)
{
	static struct conf_pair other[] = {
		{ "JUPYTERHUB_USER", "grader" },
	};
	struct account system = alice;
	struct fixture *f = *state;

	be_service(f, "alice");
	system.uid = 200;
	test_ok(make(f, &system), &f->err);
	assert_string_equal(plan_env(&f->plan, "JUPYTERHUB_USER"), "alice");
	f->job.environment = (struct conf_pairs){ other, 1 };
	test_ok(make(f, &system), &f->err);
	assert_string_equal(plan_env(&f->plan, "JUPYTERHUB_USER"), "grader");
}

static void be_given_tls(struct fixture *f)
{
	f->job.tls = (struct job_tls){
		.key = "-----BEGIN key",
		.certificate = "-----BEGIN certificate",
		.authority = "-----BEGIN authority",
	};
}

static void test_who_is_given_tls_listens_with_it(void **state)
{
	struct fixture *f = *state;

	be_given_tls(f);
	test_ok(make(f, &alice), &f->err);
	assert_string_equal(plan_env(&f->plan, "JUPYTERHUB_SERVICE_URL"),
	    "https://127.0.0.1:40123/");
	assert_string_equal(job_address(&f->job), "https://127.0.0.1:40123");
	/* A service needs it for the hub alone. */
	be_service(f, "alice");
	test_ok(make(f, &alice), &f->err);
	assert_string_equal(plan_env(&f->plan, "JUPYTERHUB_SERVICE_URL"),
	    "http://127.0.0.1:40123");
	f->job.tls.key = NULL;
}

static void test_tls_files_are_written_and_named(void **state)
{
	struct fixture *f = *state;
	struct test_dir dir;
	struct stat st;
	char path[PATH_MAX];
	int fd;

	test_dir_make(&dir);
	fd = open(dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	be_given_tls(f);
	test_ok(make(f, &alice), &f->err);
	f->plan.switches_ids = false;
	test_ok(tls_files_write(&f->job, &f->plan, fd, &f->err), &f->err);
	assert_int_equal(
	    str_format(path, sizeof path, "%s/tls.key", dir.path), 0);
	assert_string_equal(plan_env(&f->plan, "JUPYTERHUB_SSL_KEYFILE"), path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0400);
	assert_int_equal(st.st_size, strlen(f->job.tls.key));
	assert_non_null(plan_env(&f->plan, "JUPYTERHUB_SSL_CERTFILE"));
	assert_non_null(plan_env(&f->plan, "JUPYTERHUB_SSL_CLIENT_CA"));
	tls_files_remove(fd);
	assert_int_not_equal(stat(path, &st), 0);
	fd_close(&fd);
	test_dir_remove(&dir);
	f->job.tls.key = NULL;
}

static void test_without_tls_no_file_is_named(void **state)
{
	struct fixture *f = *state;

	test_ok(make(f, &alice), &f->err);
	test_ok(tls_files_write(&f->job, &f->plan, -1, &f->err), &f->err);
	assert_null(plan_env(&f->plan, "JUPYTERHUB_SSL_KEYFILE"));
}

static void test_the_hubs_tls_is_checked(void **state)
{
	static const char *const bad[] = {
		"{\"key\":\"-----BEGIN a\",\"certificate\":\"-----BEGIN b\"}",
		"{\"key\":\"/etc/shadow\",\"certificate\":\"-----BEGIN b\","
		"\"authority\":\"-----BEGIN c\"}",
		"{\"key\":7,\"certificate\":\"-----BEGIN b\","
		"\"authority\":\"-----BEGIN c\"}",
		"[]",
	};
	struct fixture *f = *state;
	struct job_tls tls;

	for (size_t i = 0; i < N_OF(bad); i++) {
		json_t *j;

		test_ok(
		    json_parse(bad[i], strlen(bad[i]), &j, &f->err), &f->err);
		assert_int_equal(
		    job_read_tls(&f->job.arena, j, &tls, &f->err), -1);
		json_decref(j);
	}
	test_ok(job_read_tls(&f->job.arena, NULL, &tls, &f->err), &f->err);
	assert_null(tls.key);
}

static void test_a_service_is_root_by_that_name_only(void **state)
{
	static const struct account root = { "root", "/", "/bin/sh", 0, 0 };
	static const struct account toor = { "toor", "/", "/bin/sh", 0, 0 };
	struct account nobody = alice;
	struct fixture *f = *state;

	be_service(f, "toor");
	assert_int_equal(make(f, &toor), -1);
	test_err_says(&f->err, "user: root");
	be_service(f, "root");
	test_ok(make(f, &root), &f->err);
	assert_false(f->plan.switches_ids);
	nobody.uid = 65534;
	be_service(f, "alice");
	assert_int_equal(make(f, &nobody), -1);
}

static void test_one_account_runs_its_own_services_only(void **state)
{
	struct fixture *f = *state;

	be_service(f, "alice");
	f->job.is_root = false;
	f->job.own_uid = 1001;
	test_ok(make(f, &alice), &f->err);
	assert_false(f->plan.switches_ids);
	f->job.own_uid = 1005;
	assert_int_equal(make(f, &alice), -1);
	test_err_says(&f->err, "one account");
}

static void test_local_refuses_root_and_system_accounts(void **state)
{
	static const uid_t uids[] = { 0, 1, 999, 65534 };
	struct fixture *f = *state;

	for (size_t i = 0; i < N_OF(uids); i++) {
		struct account other = alice;

		other.uid = uids[i];
		assert_int_equal(make(f, &other), -1);
		assert_int_equal(f->err.code, ERR_DENIED);
	}
}

static void test_single_account_mode_serves_itself_alone(void **state)
{
	struct fixture *f = *state;

	f->job.is_root = false;
	f->job.own_uid = 1001;
	test_ok(make(f, &alice), &f->err);
	assert_false(f->plan.switches_ids);
	assert_false(f->plan.opens_session);
	f->job.own_uid = 1007;
	assert_int_equal(make(f, &alice), -1);
	test_err_says(&f->err, "alice");
}

static void test_simple_never_runs_under_root(void **state)
{
	struct account root = alice;
	struct fixture *f = *state;

	f->job.kind = "simple";
	assert_int_equal(make(f, &alice), -1);
	f->job.is_root = false;
	test_ok(make(f, &alice), &f->err);
	assert_false(f->plan.switches_ids);
	root.uid = 0;
	assert_int_equal(make(f, &root), -1);
}

static void test_fake_reads_its_script(void **state)
{
	struct fixture *f = *state;

	f->job.kind = "fake";
	test_ok(make(f, NULL), &f->err);
	assert_int_equal(f->plan.script.exit_after_ms, -1);
	f->job.options =
	    json_pack("{si si ss ss s[s]}", "delay_ms", 5, "exit_status", 3,
		"fail", "exec", "address", "127.0.0.1:9", "of the person", "x");
	test_ok(make(f, NULL), &f->err);
	assert_int_equal(f->plan.script.delay_ms, 5);
	assert_int_equal(f->plan.script.exit_status, 3);
	assert_string_equal(f->plan.script.fail, "exec");
	json_object_set_new(f->job.options, "delay_ms", json_integer(-1));
	assert_int_equal(make(f, NULL), -1);
}

static void test_job_survives_the_way_to_the_keeper(void **state)
{
	struct fixture *f = *state;
	struct job copy;
	json_t *j;

	use_hub_env(f);
	f->job.options = json_pack("{ss}", "a", "b");
	f->job.pam_dir = "/pam";
	f->job.cwd = "/srv";
	be_given_tls(f);
	j = job_to_json(&f->job);
	f->job.tls.key = NULL;
	test_ok(job_from_json(&copy, j, &f->err), &f->err);
	json_decref(j);
	assert_string_equal(copy.key, KEY);
	assert_string_equal(copy.pam_dir, "/pam");
	assert_string_equal(copy.cwd, "/srv");
	assert_string_equal(copy.tls.key, "-----BEGIN key");
	assert_string_equal(copy.tls.authority, "-----BEGIN authority");
	assert_int_equal(copy.command.n, 2);
	assert_int_equal(copy.environment.n, 3);
	assert_int_equal(copy.hub_env.n, 3);
	assert_int_equal(copy.port, 40123);
	assert_int_equal(copy.limits.cpu_millis, 1500);
	assert_int_equal(copy.stop_grace_ms, 7000);
	assert_true(copy.no_new_privs && copy.is_root);
	assert_string_equal(
	    json_string_value(json_object_get(copy.options, "a")), "b");
	job_fini(&copy);
}

static void test_job_without_a_member_is_refused(void **state)
{
	static const char *const names[] = { "key", "account", "profile",
		"kind", "pam_service", "command", "environment", "hub_env",
		"no_new_privs", "is_root", "memory", "cpu", "pids",
		"stop_grace_ms", "listen_timeout_ms", "min_uid", "own_uid",
		"port" };
	struct fixture *f = *state;
	struct job copy;

	for (size_t i = 0; i < N_OF(names); i++) {
		json_t *j = job_to_json(&f->job);

		json_object_del(j, names[i]);
		assert_int_equal(job_from_json(&copy, j, &f->err), -1);
		test_err_says(&f->err, names[i]);
		job_fini(&copy);
		json_decref(j);
	}
}

static void test_hub_environment_is_checked(void **state)
{
	static const char *const bad[] = { "{\"PATH\":\"x\"}",
		"{\"JUPYTERHUB_A\":1}", "{\"JUPYTERHUB_A\":null}",
		"{\"JUPYTERHUB_A=B\":\"x\"}" };
	static const char *token[] = { "CAMPUS_TOKEN" };
	const struct conf_strings none = { 0 }, some = { token, 1 };
	struct fixture *f = *state;
	struct conf_pairs pairs;
	json_t *j;

	for (size_t i = 0; i < N_OF(bad); i++) {
		test_ok(
		    json_parse(bad[i], strlen(bad[i]), &j, &f->err), &f->err);
		assert_int_equal(
		    job_read_env(&f->job.arena, j, &none, &pairs, &f->err), -1);
		json_decref(j);
	}
	j = json_pack("{ss ss}", "JPY_API_TOKEN", "t", "MEM_LIMIT", "1");
	test_ok(
	    job_read_env(&f->job.arena, j, &none, &pairs, &f->err), &f->err);
	assert_int_equal(pairs.n, 2);
	json_decref(j);
	j = json_pack("{ss}", "CAMPUS_TOKEN", "t");
	assert_int_equal(
	    job_read_env(&f->job.arena, j, &none, &pairs, &f->err), -1);
	test_ok(
	    job_read_env(&f->job.arena, j, &some, &pairs, &f->err), &f->err);
	assert_int_equal(pairs.n, 1);
	json_decref(j);
}

static void test_keys(void **state)
{
	(void)state;
	assert_true(job_key_ok(KEY));
	assert_false(job_key_ok(""));
	assert_false(job_key_ok("0123456789ABCDEF"));
	assert_false(job_key_ok("0123456789abcde"));
	assert_false(job_key_ok("0123456789abcdef0"));
	assert_false(job_key_ok("../../../../etc/"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_local_becomes_the_account_in_a_session),
		T(test_environment_has_its_layers),
		T(test_service_url_without_a_prefix_is_the_root),
		T(test_local_refuses_root_and_system_accounts),
		T(test_a_service_has_no_session_and_its_own_directory),
		T(test_a_service_is_root_by_that_name_only),
		T(test_a_service_hears_whom_it_runs_as),
		T(test_one_account_runs_its_own_services_only),
		T(test_single_account_mode_serves_itself_alone),
		T(test_simple_never_runs_under_root),
		T(test_fake_reads_its_script),
		T(test_job_survives_the_way_to_the_keeper),
		T(test_job_without_a_member_is_refused),
		T(test_hub_environment_is_checked),
		T(test_who_is_given_tls_listens_with_it),
		T(test_tls_files_are_written_and_named),
		T(test_without_tls_no_file_is_named),
		T(test_the_hubs_tls_is_checked),
		T(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
