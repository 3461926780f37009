/*
 * See keeper.h. First a start that may block (account, PAM session, execve),
 * then a loop that watches the server, then an end that leaves nothing behind
 * but state.json and the log.
 */
#include "spawner/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "spawner/child.h"
#include "spawner/create.h"
#include "spawner/keeper_run.h"
#include "spawner/kind.h"
#include "spawner/tls_files.h"
#include "spawner/visit.h"
#include "spawner/words.h"

#define JOB_BYTES_MAX    (1024 * 1024)
#define CLOSE_TIMEOUT_S  30
#define REMOVE_TIMEOUT_S 60
#define GROUPS_MAX       65536

/* ---- the start ----------------------------------------------------------- */

static int read_job(struct keeper *k, struct err *err)
{
	int fd = KEEPER_FD_JOB, rc;
	char *text = NULL;
	json_t *j = NULL;
	size_t len = 0;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "read the job");
	rc = fd_read_all(fd, JOB_BYTES_MAX, &text, &len, err);
	fd_close(&fd);
	if (rc == 0)
		rc = json_parse(text, len, &j, err);
	if (rc == 0)
		rc = job_from_json(&k->job, j, err);
	mem_wipe(text, len);
	free(text);
	json_decref(j);
	return rc == 0 ? 0 : err_wrap(err, "the job");
}

/* By what /proc tells, so that a later spawner knows us again. */
static void fill_state(struct keeper *k)
{
	struct state *s = &k->state;

	proc_boot_id(k->boot_id);
	s->phase = STATE_STARTING;
	s->status = -1;
	s->key = k->job.key;
	s->account = k->job.account;
	s->profile = k->job.profile;
	s->kind = k->job.kind;
	s->boot_id = k->boot_id;
	s->address = job_address(&k->job);
	s->keeper_pid = getpid();
	s->keeper_start_time = proc_start_time(s->keeper_pid);
}

static int open_servers(struct err *err)
{
	int fd = openat(KEEPER_FD_DIR, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 ? fd : err_sys(err, "open the directory of the servers");
}

/* Of a visitor it is noted that it was made; one that was there, too, may have
 * been, for another server of theirs. */
static int make_locked(struct keeper *k, int servers_fd, struct err *err)
{
	const struct job *job = &k->job;
	struct account made;
	int rc = 0;

	if (job->create && job->create_command.n > 0)
		rc = create_account(&job->create_command, job->account, err);
	if (rc < 0)
		return -1;
	if (rc == 1)
		logring_note(&k->log, "the account %s was made", job->account);
	if (!job->visit || job->remove_command.n == 0)
		return 0;
	if (rc == 1 &&
	    (account_find(&k->job.arena, job->account, &made, err) != 1 ||
		visit_mark(servers_fd, job->account, made.uid, err) != 0))
		return -1;
	return visit_join(servers_fd, job->account, &k->visit_fd, err);
}

static int make_account(struct keeper *k, struct err *err)
{
	int servers_fd = open_servers(err), lock_fd = -1, rc = -1;

	if (servers_fd >= 0)
		lock_fd = accounts_lock(servers_fd, err);
	if (lock_fd >= 0)
		rc = make_locked(k, servers_fd, err);
	fd_close(&lock_fd);
	fd_close(&servers_fd);
	return rc;
}

/* The last server of a visitor whose account was made takes it along. */
static void remove_account(struct keeper *k)
{
	struct err err = { 0 };
	int servers_fd, lock_fd = -1, rc = -1;

	if (k->visit_fd < 0)
		return;
	(void)alarm(REMOVE_TIMEOUT_S);
	servers_fd = open_servers(&err);
	if (servers_fd >= 0)
		lock_fd = accounts_lock(servers_fd, &err);
	if (lock_fd >= 0)
		rc = visit_leave(servers_fd, &k->visit_fd, k->job.account,
		    &k->job.remove_command, k->job.min_uid, &err);
	if (rc != 0)
		logring_note(&k->log, "%s",
		    rc == 1 ? "the visitor's account was removed" : err.text);
	fd_close(&lock_fd);
	fd_close(&servers_fd);
	fd_close(&k->visit_fd);
}

static int find_account(struct keeper *k, const struct kind *kind,
    struct account *out, struct err *err)
{
	struct arena *a = &k->job.arena;
	int found = kind->runs_as_self
			? account_find_uid(a, getuid(), out, err)
			: account_find(a, k->job.account, out, err);

	/* Of a visitor also one that is there: it may be about to go. */
	if (found >= 0 && !kind->runs_as_self &&
	    ((found == 0 && k->job.create && k->job.create_command.n > 0) ||
		k->job.visit)) {
		if (make_account(k, err) != 0)
			return -1;
		found = account_find(a, k->job.account, out, err);
	}
	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND,
		    "there is no account %.64s on this machine%s",
		    k->job.account,
		    k->job.create ? ", and root's spawner.yaml has no "
				    "\"create_account\" to make it"
				  : "");
	return 0;
}

static int make_plan(struct keeper *k, struct err *err)
{
	const struct kind *kind = kind_find(k->job.kind);
	struct account account;

	if (!kind || !kind->plan)
		return err_set(err, ERR_INTERNAL, "kind %s", k->job.kind);
	k->code = FAIL_ACCOUNT;
	if (find_account(k, kind, &account, err) != 0)
		return -1;
	if (kind->plan(&k->job, &account, &k->plan, err) == 0)
		return 0;
	k->code = err->code == ERR_DENIED ? FAIL_ACCOUNT : FAIL_PROFILE;
	return -1;
}

/* Without a session nobody has said which groups the account has. */
static int take_own_groups(struct keeper *k, struct err *err)
{
	int n = 64;

	k->groups = xcalloc((size_t)n, sizeof *k->groups);
	while (getgrouplist(k->plan.user, k->plan.gid, k->groups, &n) < 0) {
		if (n > GROUPS_MAX)
			return err_set(err, ERR_LIMIT,
			    "account %.64s is in %d groups", k->plan.user, n);
		k->groups =
		    xreallocarray(k->groups, (size_t)n, sizeof *k->groups);
	}
	k->n_groups = (size_t)n;
	return 0;
}

static int open_session(struct keeper *k, struct err *err)
{
	const struct pam_place place = { k->job.pam_service, k->job.pam_dir };
	int n;

	if (!k->plan.opens_session)
		return k->plan.switches_ids ? take_own_groups(k, err) : 0;
	k->session = pam_session_open(
	    k->session, &place, k->plan.user, k->plan.gid, err);
	if (!k->session) {
		k->code = err->code == ERR_DENIED ? FAIL_ACCOUNT : FAIL_SESSION;
		return -1;
	}
	plan_add_pam_env(&k->plan, pam_session_env(k->session));
	/* The groups that the session gave are for the server, not for us. */
	k->code = FAIL_INTERNAL;
	n = getgroups(0, NULL);
	if (n < 0)
		return err_sys(err, "read the groups of the session");
	k->groups = xcalloc((size_t)n + 1, sizeof *k->groups);
	n = getgroups(n, k->groups);
	if (n < 0 || setgroups(0, NULL) != 0)
		return err_sys(err, "read the groups of the session");
	k->n_groups = (size_t)n;
	return 0;
}

static void note_line(const char *line, void *arg)
{
	struct keeper *k = arg;

	logring_note(&k->log, "%s", line);
}

static void make_cgroup(struct keeper *k)
{
	struct state *s = &k->state;

	cgroup_make(&k->cgroup, k->job.key, &k->plan.limits, note_line, k);
	for (size_t i = 0; i < k->cgroup.n; i++)
		s->cgroups[s->n_cgroups++] = k->cgroup.dir[i].path;
}

static int start_server(struct keeper *k, struct err *err)
{
	int pipe_fds[2];

	k->code = FAIL_INTERNAL;
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return err_sys(err, "make a pipe");
	k->out_fd = pipe_fds[0];
	k->server = child_start(&k->plan, &k->cgroup, k->groups, k->n_groups,
	    pipe_fds[1], &k->code, err);
	fd_close(&pipe_fds[1]);
	if (k->server < 0)
		return -1;
	k->state.phase = STATE_RUNNING;
	k->state.pid = k->server;
	k->state.start_time = proc_start_time(k->server);
	return 0;
}

/*
 * In steps, so that a spawner that comes meanwhile finds out what is going on,
 * and so that what was made before a failure can be taken back.
 */
static int start(struct keeper *k, struct err *err)
{
	if (read_job(k, err) != 0)
		return -1;
	fill_state(k);
	if (logring_open(&k->log, KEEPER_FD_DIR, err) != 0 ||
	    state_write(KEEPER_FD_DIR, &k->state, err) != 0 ||
	    make_plan(k, err) != 0 || open_session(k, err) != 0)
		return -1;
	k->code = FAIL_INTERNAL;
	if (tls_files_write(&k->job, &k->plan, KEEPER_FD_DIR, err) != 0)
		return err_wrap(err, "internal TLS");
	make_cgroup(k);
	/* Before there is a process: whoever cleans up finds the cgroups. */
	if (state_write(KEEPER_FD_DIR, &k->state, err) != 0 ||
	    start_server(k, err) != 0)
		return -1;
	return state_write(KEEPER_FD_DIR, &k->state, err);
}

/* ---- the end ------------------------------------------------------------- */

static void set_failed(
    struct keeper *k, enum spawner_fail_code code, const char *text)
{
	k->state.phase = STATE_FAILED;
	k->state.fail = fail_word(code);
	str_printable(k->fail_text, sizeof k->fail_text, text, strlen(text));
	k->state.text = k->fail_text;
}

static void end(struct keeper *k)
{
	struct err err = { 0 };

	if (k->state.phase == STATE_RUNNING) {
		k->state.phase = STATE_ENDED;
		k->state.oom =
		    k->state.signo == SIGKILL && cgroup_had_oom(&k->cgroup);
		k->state.asked = k->asked;
	}
	tls_files_remove(KEEPER_FD_DIR);
	cgroup_remove(&k->cgroup);
	k->state.n_cgroups = 0;
	if (state_write(KEEPER_FD_DIR, &k->state, &err) != 0)
		logring_note(&k->log, "%s", err.text);
	/* A module that hangs now must not keep us for ever. */
	(void)alarm(CLOSE_TIMEOUT_S);
	pam_session_close(&k->session);
	remove_account(k);
	logring_close(&k->log);
	job_fini(&k->job);
	free(k->groups);
}

/* ---- the whole ----------------------------------------------------------- */

static void become_keeper(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	/* Who shall die for memory is the server; only root may say so. */
	if (fd >= 0 && write(fd, "-900", 4) < 0)
		errno = 0;
	fd_close(&fd);
	(void)prctl(PR_SET_NAME, "carrel-keeper");
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	/* A person's limit on the size of files must not end us. */
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)umask(022);
	for (int i = KEEPER_FD_JOB; i <= KEEPER_FD_DIR; i++) {
		if (fd_set_cloexec(i, true) != 0)
			_exit(2);
	}
}

int keeper_main(struct pam_session *kept)
{
	struct keeper k = {
		.code = FAIL_INTERNAL,
		.session = kept,
		.out_fd = -1,
		.pidfd = -1,
		.listen_fd = -1,
		.visit_fd = -1,
		.log = { .fd = -1 },
	};
	struct err err = { 0 };

	become_keeper();
	if (start(&k, &err) != 0)
		set_failed(&k, k.code, err.text);
	else if (keeper_run(&k, &err) != 0)
		set_failed(&k, FAIL_INTERNAL, err.text);
	else if (k.failure.code != ERR_NONE)
		set_failed(&k, FAIL_LISTENER, k.failure.text);
	keeper_sweep(&k);
	end(&k);
	return 0;
}
