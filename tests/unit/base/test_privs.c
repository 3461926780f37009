/*
 * Tests of base/privs.c. Dropping is tried in child processes, as root only;
 * a child answers by its exit code.
 */
#include "test_util.h"

#include <grp.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "base/privs.h"

#define NOBODY 65534

static void need_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("only root has privileges to drop\n");
	skip();
}

static void test_root_is_refused(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(privs_drop(NULL, 0, NOBODY, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(privs_drop("root", 0, 0, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(privs_drop(NULL, (uid_t)-1, NOBODY, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(privs_drop(NULL, NOBODY, (gid_t)-1, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
}

static void drop_by_ids(void *arg)
{
	const gid_t many[3] = { 0, 1, 2 };
	gid_t groups[4];

	(void)arg;
	if (setgroups(3, many) < 0)
		_exit(1);
	if (privs_drop(NULL, NOBODY, NOBODY - 1, NULL) < 0)
		_exit(2);
	if (getuid() != NOBODY || geteuid() != NOBODY ||
	    getgid() != NOBODY - 1 || getegid() != NOBODY - 1)
		_exit(3);
	if (getgroups(4, groups) != 1 || groups[0] != NOBODY - 1)
		_exit(4);
	if (setuid(0) == 0 || setgid(0) == 0 || seteuid(0) == 0)
		_exit(5);
	if (access("/proc/1/environ", R_OK) == 0)
		_exit(6);
}

static void test_drop_by_ids_is_complete(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(test_in_child(drop_by_ids, NULL), 0);
}

static void drop_by_name(void *arg)
{
	uid_t uid;
	gid_t gid;

	(void)arg;
	if (privs_account("nobody", &uid, &gid, NULL) < 0)
		_exit(1);
	if (privs_drop("nobody", uid, gid, NULL) < 0)
		_exit(2);
	if (geteuid() != uid || getegid() != gid)
		_exit(3);
}

static void test_drop_by_name(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(test_in_child(drop_by_name, NULL), 0);
}

static void drop_twice(void *arg)
{
	struct err err;

	(void)arg;
	if (privs_drop(NULL, NOBODY, NOBODY, &err) < 0)
		_exit(1);
	if (privs_drop(NULL, NOBODY - 1, NOBODY, &err) == 0)
		_exit(2);
	if (err.code != ERR_IO || geteuid() != NOBODY)
		_exit(3);
}

static void test_an_ordinary_process_cannot_drop(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(test_in_child(drop_twice, NULL), 0);
}

/* The capabilities stay permitted: uid 0 is one system call away. */
static void drop_leaky(void *arg)
{
	(void)arg;
	prctl(PR_SET_KEEPCAPS, 1);
	(void)!privs_drop(NULL, NOBODY, NOBODY, NULL);
}

static void test_drop_that_keeps_capabilities_aborts(void **state)
{
	(void)state;
	need_root();
	test_aborts(drop_leaky, NULL);
}

static bool has_cap(cap_flag_t flag, int cap)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	cap_get_flag(caps, cap, flag, &value);
	cap_free(caps);
	return value == CAP_SET;
}

static void keep_two(void *arg)
{
	static const int keep[] = { CAP_KILL, CAP_SETUID };

	(void)arg;
	if (!has_cap(CAP_PERMITTED, CAP_KILL) ||
	    !has_cap(CAP_PERMITTED, CAP_SETUID))
		_exit(9);
	if (privs_keep_caps(keep, 2, NULL) < 0)
		_exit(1);
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++) {
		bool is_kept = cap == CAP_KILL || cap == CAP_SETUID;

		if (has_cap(CAP_PERMITTED, cap) != is_kept ||
		    has_cap(CAP_EFFECTIVE, cap) != is_kept ||
		    has_cap(CAP_INHERITABLE, cap))
			_exit(2);
		if (prctl(PR_CAPBSET_READ, cap) == 1 && !is_kept)
			_exit(3);
	}
	/* A second time, with one that is gone: it is left out. */
	if (privs_keep_caps((const int[]){ CAP_KILL, CAP_CHOWN }, 2, NULL) == 0)
		_exit(4);
}

static void test_keep_caps_keeps_only_these(void **state)
{
	int status;

	(void)state;
	need_root();
	status = test_in_child(keep_two, NULL);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 9) {
		print_message("root lacks capabilities here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void keep_none(void *arg)
{
	(void)arg;
	if (privs_keep_caps(NULL, 0, NULL) < 0)
		_exit(1);
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (has_cap(CAP_PERMITTED, cap) ||
		    prctl(PR_CAPBSET_READ, cap) == 1)
			_exit(2);
}

static void test_keep_caps_can_keep_none(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(test_in_child(keep_none, NULL), 0);
}

static void leave_out(void *arg)
{
	static const int lost[] = { CAP_CHOWN };
	static const int keep[] = { CAP_KILL, CAP_CHOWN };
	cap_t caps = cap_get_proc();

	(void)arg;
	cap_set_flag(caps, CAP_EFFECTIVE, 1, lost, CAP_CLEAR);
	cap_set_flag(caps, CAP_PERMITTED, 1, lost, CAP_CLEAR);
	if (cap_set_proc(caps) < 0)
		_exit(1);
	cap_free(caps);
	if (privs_keep_caps(keep, 2, NULL) < 0)
		_exit(2);
	if (has_cap(CAP_PERMITTED, CAP_CHOWN) ||
	    !has_cap(CAP_PERMITTED, CAP_KILL))
		_exit(3);
}

static void test_caps_that_are_not_there_are_left_out(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(test_in_child(leave_out, NULL), 0);
}

static void no_new_privs(void *arg)
{
	(void)arg;
	if (privs_no_new_privs(NULL) < 0)
		_exit(1);
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		_exit(2);
}

static void test_no_new_privs(void **state)
{
	(void)state;
	assert_int_equal(test_in_child(no_new_privs, NULL), 0);
}

static void test_account(void **state)
{
	struct err err;
	uid_t uid = 7;
	gid_t gid = 7;

	(void)state;
	test_ok(privs_account("root", &uid, &gid, &err), &err);
	assert_int_equal(uid, 0);
	assert_int_equal(gid, 0);
	assert_int_equal(
	    privs_account("no-such-account", &uid, &gid, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	test_err_says(&err, "no-such-account");
	assert_int_equal(privs_account("", &uid, &gid, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_is_refused),
		cmocka_unit_test(test_drop_by_ids_is_complete),
		cmocka_unit_test(test_drop_by_name),
		cmocka_unit_test(test_an_ordinary_process_cannot_drop),
		cmocka_unit_test(test_drop_that_keeps_capabilities_aborts),
		cmocka_unit_test(test_keep_caps_keeps_only_these),
		cmocka_unit_test(test_keep_caps_can_keep_none),
		cmocka_unit_test(test_caps_that_are_not_there_are_left_out),
		cmocka_unit_test(test_no_new_privs),
		cmocka_unit_test(test_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
