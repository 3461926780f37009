/*
 * See child.h. The order of the steps matters: cgroups while we may still
 * enter them, ids last to first, then nothing that needs privileges. The
 * child calls only what is async-signal-safe.
 */
#include "spawner/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

enum step {
	STEP_SESSION,
	STEP_CGROUP,
	STEP_GROUPS,
	STEP_GID,
	STEP_UID,
	STEP_VERIFY,
	STEP_PRIVS,
	STEP_STDIO,
	STEP_HOME,
	STEP_EXEC,
};

/* What a failed child says before it ends; nothing: execve worked. */
struct report {
	enum step step;
	int sys_errno;
};

_Noreturn static void give_up(int fd, enum step step)
{
	const struct report r = { .step = step, .sys_errno = errno };

	/* The keeper sees a short or lost report as a failure, too. */
	if (write(fd, &r, sizeof r) != sizeof r)
		_exit(126);
	_exit(127);
}

static bool has_ids(uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (getresuid(&r, &e, &s) != 0 || getresgid(&rg, &eg, &sg) != 0)
		return false;
	return r == uid && e == uid && s == uid && rg == gid && eg == gid &&
	       sg == gid;
}

/* Once, for good, and tried: getting them back must fail. */
static void switch_ids(const struct plan *plan, const gid_t *groups,
    size_t n_groups, int report_fd)
{
	if (setgroups(n_groups, groups) != 0)
		give_up(report_fd, STEP_GROUPS);
	if (setresgid(plan->gid, plan->gid, plan->gid) != 0)
		give_up(report_fd, STEP_GID);
	if (plan->uid == 0 || setresuid(plan->uid, plan->uid, plan->uid) != 0)
		give_up(report_fd, STEP_UID);
	errno = EPERM;
	if (!has_ids(plan->uid, plan->gid) || setuid(0) == 0 ||
	    seteuid(0) == 0 || setresuid(0, 0, 0) == 0)
		give_up(report_fd, STEP_VERIFY);
}

static void reset_signals(void)
{
	sigset_t none;

	/* By the system call: glibc keeps two signals (32, 33) from signal(),
	 * and whoever started us may have had them ignored. A struct of the
	 * kernel that is all zero says SIG_DFL on every architecture. */
	for (int signo = 1; signo < NSIG; signo++) {
		static const unsigned char default_action[64];
		(void)syscall(
		    SYS_rt_sigaction, signo, default_action, NULL, NSIG / 8);
	}
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* 0, 1, 2 and the report, which execve closes. */
static void set_stdio(int out_fd, int report_fd)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(out_fd, 1) < 0 ||
	    dup2(out_fd, 2) < 0)
		give_up(report_fd, STEP_STDIO);
	if (report_fd > 3)
		(void)close_range(3, (unsigned)report_fd - 1, 0);
	(void)close_range((unsigned)report_fd + 1, ~0U, 0);
}

/* The keeper wants to outlive an out-of-memory; the server has no such claim.
 */
static void reset_oom_score(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "0", 1) < 0)
		errno = 0;
	fd_close(&fd);
}

_Noreturn static void child_main(const struct plan *plan,
    const struct cgroup *cgroup, const gid_t *groups, size_t n_groups,
    int out_fd, int report_fd, pid_t keeper)
{
	if (setsid() < 0)
		give_up(report_fd, STEP_SESSION);
	reset_oom_score();
	/* Without root the groups may be of no use; with it limits count. */
	if (cgroup_enter(cgroup) != 0 && plan->switches_ids)
		give_up(report_fd, STEP_CGROUP);
	if (plan->switches_ids)
		switch_ids(plan, groups, n_groups, report_fd);
	/* Nobody waits for a server whose keeper died meanwhile. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(126);
	if (plan->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		give_up(report_fd, STEP_PRIVS);
	set_stdio(out_fd, report_fd);
	reset_signals();
	if (chdir(plan->cwd ? plan->cwd : plan->home) != 0)
		give_up(report_fd, STEP_HOME);
	(void)prctl(PR_SET_PDEATHSIG, 0);
	execve(plan->argv[0], (char *const *)(uintptr_t)plan->argv,
	    (char *const *)(uintptr_t)plan->env);
	give_up(report_fd, STEP_EXEC);
}

/* ---- in the keeper ------------------------------------------------------- */

static enum spawner_fail_code explain_home(
    const struct plan *plan, struct err *err)
{
	if (plan->cwd) {
		(void)err_sys(err,
		    "the directory %.200s cannot be entered by %.64s; change "
		    "\"cwd\" of this service in spawner.yaml",
		    plan->cwd, plan->user);
		return FAIL_EXEC;
	}
	(void)err_sys(err,
	    "the home directory %.200s of %.64s cannot be entered; make it "
	    "(mkhomedir_helper, or pam_mkhomedir in /etc/pam.d/carrel)",
	    plan->home, plan->user);
	return FAIL_ACCOUNT;
}

static enum spawner_fail_code explain(
    const struct plan *plan, const struct report *r, struct err *err)
{
	errno = r->sys_errno;
	switch (r->step) {
	case STEP_HOME:
		return explain_home(plan, err);
	case STEP_EXEC:
		(void)err_sys(err,
		    "%.200s cannot be started; install it, or change "
		    "\"command\" of this %s in spawner.yaml",
		    plan->argv[0], plan->cwd ? "service" : "profile");
		return FAIL_EXEC;
	case STEP_CGROUP:
		(void)err_sys(err, "enter the server's control groups");
		return FAIL_INTERNAL;
	case STEP_SESSION:
	case STEP_GROUPS:
	case STEP_GID:
	case STEP_UID:
	case STEP_VERIFY:
		(void)err_sys(err, "become the account %.64s (step %d)",
		    plan->user, (int)r->step);
		return FAIL_INTERNAL;
	case STEP_PRIVS:
	case STEP_STDIO:
		break;
	}
	(void)err_sys(err, "prepare the process (step %d)", (int)r->step);
	return FAIL_INTERNAL;
}

/* 0: executed. */
static int read_report(int fd, struct report *out)
{
	ssize_t n;

	do
		n = read(fd, out, sizeof *out);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	if (n != sizeof *out)
		*out = (struct report){ STEP_SESSION, EPROTO };
	return -1;
}

pid_t child_start(const struct plan *plan, const struct cgroup *cgroup,
    const gid_t *groups, size_t n_groups, int out_fd,
    enum spawner_fail_code *code_out, struct err *err)
{
	pid_t keeper = getpid(), pid;
	struct report report;
	int pipe_fds[2];

	*code_out = FAIL_INTERNAL;
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return err_sys(err, "make a pipe");
	pid = fork();
	if (pid == 0)
		child_main(plan, cgroup, groups, n_groups, out_fd, pipe_fds[1],
		    keeper);
	fd_close(&pipe_fds[1]);
	if (pid < 0)
		(void)err_sys(err, "start a process for the server");
	else if (read_report(pipe_fds[0], &report) != 0) {
		*code_out = explain(plan, &report, err);
		(void)waitpid(pid, NULL, 0);
		pid = -1;
	}
	fd_close(&pipe_fds[0]);
	return pid;
}
