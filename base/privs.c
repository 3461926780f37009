/*
 * Giving up privileges: see privs.h.
 */
#include "base/privs.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/mem.h"

/* Going on with privileges that should be gone is worse than ending. */
static _Noreturn void regained(const char *what)
{
	fprintf(stderr, "privileges were dropped but %s: ending\n", what);
	abort();
}

/* The groups of the process are exactly { gid }. */
static bool has_only_group(gid_t gid)
{
	gid_t groups[2];
	int n = getgroups(2, groups);

	return n == 0 || (n == 1 && groups[0] == gid);
}

/* What cannot be used now could be raised again if it is permitted. */
static bool may_change_ids(void)
{
	static const cap_value_t caps[] = { CAP_SETUID, CAP_SETGID };
	cap_t now = cap_get_proc();
	bool may = now == NULL;

	for (size_t i = 0; i < 2 && !may; i++) {
		cap_flag_value_t has = CAP_SET;

		(void)cap_get_flag(now, caps[i], CAP_PERMITTED, &has);
		may = has == CAP_SET;
	}
	cap_free(now);
	return may;
}

static void verify(const char *name, uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (getresuid(&r, &e, &s) < 0 || r != uid || e != uid || s != uid)
		regained("the user ids are not those asked for");
	if (getresgid(&rg, &eg, &sg) < 0 || rg != gid || eg != gid || sg != gid)
		regained("the group ids are not those asked for");
	if (name == NULL && !has_only_group(gid))
		regained("supplementary groups were kept");
	if (setuid(0) == 0 || setresuid((uid_t)-1, 0, (uid_t)-1) == 0)
		regained("uid 0 could be taken back");
	if (gid != 0 &&
	    (setgid(0) == 0 || setresgid((gid_t)-1, 0, (gid_t)-1) == 0))
		regained("gid 0 could be taken back");
	if (may_change_ids())
		regained("capabilities to take them back were kept");
}

int privs_drop(const char *name, uid_t uid, gid_t gid, struct err *err)
{
	int rc;

	if (uid == 0 || uid == (uid_t)-1 || gid == (gid_t)-1)
		return err_set(err, ERR_INVALID,
		    "privileges cannot be dropped to uid %u, gid %u: choose an "
		    "ordinary account",
		    uid, gid);
	rc = name != NULL ? initgroups(name, gid) : setgroups(1, &gid);
	if (rc < 0)
		return err_sys(err, "set the groups of uid %u", uid);
	if (setresgid(gid, gid, gid) < 0)
		return err_sys(err, "become gid %u", gid);
	if (setresuid(uid, uid, uid) < 0)
		return err_sys(err, "become uid %u", uid);
	verify(name, uid, gid);
	return 0;
}

static bool is_kept(const int *caps, size_t n, int cap)
{
	for (size_t i = 0; i < n; i++)
		if (caps[i] == cap)
			return true;
	return false;
}

static int shrink_bounding_set(const int *caps, size_t n, struct err *err)
{
	/* Unknown capabilities end the count: EINVAL. */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++) {
		if (prctl(PR_CAPBSET_READ, cap) == 0 || is_kept(caps, n, cap))
			continue;
		if (cap_drop_bound(cap) < 0)
			return err_sys(err,
			    "drop capability %d from the bounding set", cap);
	}
	return 0;
}

/* Which of the wanted capabilities the process is permitted now. */
static int permitted_of(const int *caps, size_t n, cap_value_t *out, int *n_out)
{
	cap_t now = cap_get_proc();

	*n_out = 0;
	if (now == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		cap_flag_value_t has = CAP_CLEAR;

		if (cap_get_flag(now, caps[i], CAP_PERMITTED, &has) == 0 &&
		    has == CAP_SET)
			out[(*n_out)++] = caps[i];
	}
	cap_free(now);
	return 0;
}

static int set_caps(const cap_value_t *caps, int n)
{
	cap_t next = cap_init();
	int rc = 0;

	if (next == NULL)
		return -1;
	/* libcap refuses a list of none. */
	if (n > 0 &&
	    (cap_set_flag(next, CAP_PERMITTED, n, caps, CAP_SET) < 0 ||
		cap_set_flag(next, CAP_EFFECTIVE, n, caps, CAP_SET) < 0))
		rc = -1;
	if (rc == 0)
		rc = cap_set_proc(next);
	cap_free(next);
	return rc;
}

int privs_keep_caps(const int *caps, size_t n, struct err *err)
{
	cap_value_t *mine = xcalloc(n + 1, sizeof *mine);
	int n_mine, rc;

	rc = shrink_bounding_set(caps, n, err);
	if (rc == 0 && (permitted_of(caps, n, mine, &n_mine) < 0 ||
			   set_caps(mine, n_mine) < 0))
		rc = err_sys(err, "set the capabilities of the process");
	free(mine);
	return rc;
}

int privs_no_new_privs(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, "set no_new_privs");
	return 0;
}

/* Bounded: an entry of more than this is no entry of a person. */
#define PASSWD_MAX ((size_t)1 << 20)

int privs_account(
    const char *name, uid_t *uid_out, gid_t *gid_out, struct err *err)
{
	struct passwd pw, *found = NULL;
	char *room = NULL;
	int rc = ERANGE;

	for (size_t size = 1024; rc == ERANGE && size <= PASSWD_MAX;
	     size *= 4) {
		room = xreallocarray(room, size, 1);
		rc = getpwnam_r(name, &pw, room, size, &found);
	}
	if (found != NULL) {
		*uid_out = pw.pw_uid;
		*gid_out = pw.pw_gid;
	}
	free(room);
	if (found != NULL)
		return 0;
	if (rc != 0 && rc != ENOENT && rc != ESRCH) {
		errno = rc;
		return err_sys(err, "look up the account \"%s\"", name);
	}
	return err_set(
	    err, ERR_NOT_FOUND, "the account \"%s\" does not exist", name);
}
