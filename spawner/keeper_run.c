/*
 * The keeper's loop: the server's process, its output, its port, and the
 * spawner that asks.
 */
#include "spawner/keeper_run.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "spawner/proc.h"

#define OUT_BYTES         16384
#define OUT_PER_TURN      16
#define OUT_AT_END        256
/* Often while most servers come up, for the person waits; then less so. */
#define LISTENER_FAST_MS  25
#define LISTENER_FAST_FOR 5000
#define LISTENER_SLOW_MS  100
#define LISTENER_LATE_MS  1000
#define LISTENER_AGAIN_MS 5000
#define SWEEP_LIMIT_MS    10000
#define SWEEP_STEP_MS     10

#define SOCKET_PATH "/proc/self/fd/5/keeper.sock"

/* ---- processes ----------------------------------------------------------- */

static void set_status(struct keeper *k, int status)
{
	if (WIFEXITED(status))
		k->state.status = WEXITSTATUS(status);
	else
		k->state.signo = WTERMSIG(status);
	k->has_ended = true;
}

/* Ours and, since we are a subreaper, all orphans below us. */
static bool reap(struct keeper *k)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == k->server)
			set_status(k, status);
	}
	return pid == 0; /* there still are children */
}

static void on_child(struct keeper *k)
{
	(void)reap(k);
	if (k->has_ended)
		loop_stop(k->loop);
}

static void on_sigchld(int signo, void *arg)
{
	(void)signo;
	on_child(arg);
}

static void on_pidfd(struct watch *w, uint32_t events, void *arg)
{
	(void)events;
	on_child(arg);
	watch_stop(w);
}

/*
 * Do the cgroups hold every process of the server? Without root it may not
 * have entered them. Where they do, our other descendants are helpers that PAM
 * modules started, and those need them to close the session.
 */
static bool has_cgroup(const struct keeper *k)
{
	return k->cgroup.n > 0 && k->plan.switches_ids;
}

static void kill_all(struct keeper *k)
{
	(void)cgroup_kill(&k->cgroup);
	/* Stopped first: a process that cannot run does not fork. */
	if (!has_cgroup(k) && proc_signal_descendants(getpid(), SIGSTOP) > 0)
		(void)proc_signal_descendants(getpid(), SIGKILL);
}

static bool is_swept(struct keeper *k)
{
	bool has_children = reap(k);

	if (!cgroup_is_empty(&k->cgroup))
		return false;
	return has_cgroup(k) ? k->has_ended : !has_children;
}

/* ---- output -------------------------------------------------------------- */

/* false: nothing more to read. */
static bool take_output(struct keeper *k)
{
	char bytes[OUT_BYTES];
	ssize_t n = read(k->out_fd, bytes, sizeof bytes);

	if (n > 0)
		logring_write(&k->log, bytes, (size_t)n);
	if (n == 0)
		watch_stop(&k->out_watch);
	return n > 0 || (n < 0 && errno == EINTR);
}

static void on_output(struct watch *w, uint32_t events, void *arg)
{
	(void)w, (void)events;
	for (int i = 0; i < OUT_PER_TURN && take_output(arg); i++)
		;
}

/* ---- stopping ------------------------------------------------------------ */

static void stop_next(struct keeper *k);

static void on_stop_timer(struct timer *t, void *arg)
{
	(void)t;
	stop_next(arg);
}

static void stop_next(struct keeper *k)
{
	int signo = k->stop == STOP_NONE ? SIGINT : SIGTERM;

	if (k->grace_ms == 0 || k->stop >= STOP_TERM) {
		/* Again as long as it takes: a fork may have slipped away. */
		k->stop = STOP_KILL;
		kill_all(k);
		timer_start(k->loop, &k->stop_timer, 100, on_stop_timer, k);
		return;
	}
	k->stop = k->stop == STOP_NONE ? STOP_INT : STOP_TERM;
	(void)pidfd_send_signal(k->pidfd, signo, NULL, 0);
	timer_start(k->loop, &k->stop_timer, k->grace_ms, on_stop_timer, k);
}

static void stop(struct keeper *k, int64_t grace_ms)
{
	bool hurry = k->stop != STOP_NONE && grace_ms < k->grace_ms;

	if (k->stop != STOP_NONE && !hurry)
		return;
	k->grace_ms = grace_ms;
	if (hurry && grace_ms > 0)
		timer_start(
		    k->loop, &k->stop_timer, grace_ms, on_stop_timer, k);
	else
		stop_next(k);
}

/* The machine goes down, or an administrator ends us: as if asked to stop. */
static void on_sigterm(int signo, void *arg)
{
	struct keeper *k = arg;

	(void)signo;
	k->asked = true;
	stop(k, k->job.stop_grace_ms);
}

/* ---- the spawner --------------------------------------------------------- */

static void send_state(struct keeper *k)
{
	const struct state *s = &k->state;
	json_t *msg = json_pack("{ss si ss ss ss ss ss si sI sb sb}", "type",
	    "STATE", "version", KEEPER_VERSION, "key", s->key, "account",
	    s->account, "profile", s->profile, "kind", s->kind, "address",
	    s->address, "pid", (int)s->pid, "start_time",
	    (json_int_t)s->start_time, "stopping", (int)(k->stop != STOP_NONE),
	    "ready", (int)k->is_ready);
	struct err err;

	/* A spawner that does not read is told again when it connects. */
	if (k->link && wire_send(k->link, msg, NULL, 0, &err) != 0)
		logring_note(&k->log, "%s", err.text);
	json_decref(msg);
}

static int on_STOP(struct wire *w, const json_t *msg, int *fds, size_t n_fds,
    void *arg, struct err *err)
{
	struct keeper *k = arg;
	int64_t grace_ms = k->job.stop_grace_ms;

	(void)w, (void)fds, (void)n_fds;
	if (json_get_int(msg, "grace_ms", 0, 600000, &grace_ms, err) < 0)
		return -1;
	k->asked = true;
	stop(k, grace_ms);
	send_state(k);
	return 0;
}

#define UNUSED                               __attribute__((unused))
#define TO_LINK(type)                        static const struct wire_member link_##type[] UNUSED = {
#define TO_KEEPER(type)                      static const struct wire_member keeper_##type[] = {
#define MEMBER(name, type, required, lo, hi) { #name, type, required, lo, hi },
#define END                                                                    \
	{                                                                      \
		0                                                              \
	}                                                                      \
	}                                                                      \
	;
#include "spawner/keeper.def"

static const struct wire_message table[] = {
#define TO_LINK(type)
#define TO_KEEPER(type) { #type, 1, keeper_##type, 0, on_##type },
#define MEMBER(name, type, required, lo, hi)
#define END
#include "spawner/keeper.def"
};

static void on_closed(struct wire *w, const struct err *why, void *arg)
{
	struct keeper *k = arg;

	(void)w;
	if (why->code != ERR_NONE)
		logring_note(
		    &k->log, "the spawner's connection: %s", why->text);
	wire_close(&k->link);
}

/* Takes fd. The newest spawner is the one that counts. */
static int take_link(struct keeper *k, int fd, struct err *err)
{
	const struct wire_callbacks cb = {
		.table = table,
		.n = sizeof table / sizeof table[0],
		.on_closed = on_closed,
		.arg = k,
	};

	wire_close(&k->link);
	k->link = wire_open(k->loop, fd, 1, &cb, err);
	if (!k->link)
		return -1;
	send_state(k);
	return 0;
}

static void on_connection(struct watch *w, uint32_t events, void *arg)
{
	struct keeper *k = arg;
	struct err err = { 0 };
	uid_t uid;
	pid_t pid;
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	if (sock_peer(fd, &uid, &pid, &err) != 0 || uid != geteuid()) {
		logring_note(&k->log, "a connection of another account was "
				      "refused");
		fd_close(&fd);
		return;
	}
	if (take_link(k, fd, &err) != 0)
		logring_note(&k->log, "%s", err.text);
}

static int listen_for_spawners(struct keeper *k, struct err *err)
{
	k->listen_fd = sock_listen_unix(
	    SOCKET_PATH, SOCK_SEQPACKET, 0600, (uid_t)-1, (gid_t)-1, err);
	if (k->listen_fd < 0)
		return -1;
	return watch_start(k->loop, &k->listen_watch, k->listen_fd, EPOLLIN,
	    on_connection, k, err);
}

/* ---- the port ------------------------------------------------------------ */

static uid_t expected_uid(const struct keeper *k)
{
	return k->plan.switches_ids ? k->plan.uid : getuid();
}

/* Another account's listener would get this person's cookies and tokens. */
static void refuse_listener(struct keeper *k, uid_t uid)
{
	err_set(&k->failure, ERR_DENIED,
	    "a process of uid %" PRIu32 " listens on port %u, which was "
	    "chosen for %.64s (uid %" PRIu32 "): start again; \"port_range\" "
	    "in spawner.yaml keeps other programs away",
	    (uint32_t)uid, (unsigned)k->job.port, k->plan.user,
	    (uint32_t)expected_uid(k));
	stop(k, 0);
}

static int64_t next_look_ms(const struct keeper *k)
{
	int64_t since_ms = loop_now_ms(k->loop) - k->listener_from_ms;

	if (since_ms < LISTENER_FAST_FOR)
		return LISTENER_FAST_MS;
	return since_ms < k->job.listen_timeout_ms ? LISTENER_SLOW_MS
						   : LISTENER_LATE_MS;
}

/* The hub makes no route before it is told that somebody listens. After that
 * the server may still close its port and leave it to others. */
static void on_listener_timer(struct timer *t, void *arg)
{
	struct keeper *k = arg;
	struct err err;
	uid_t uid = 0;
	int found = sock_listener_uid(k->job.port, &uid, &err);

	if (found > 0 && uid != expected_uid(k)) {
		refuse_listener(k, uid);
		return;
	}
	if (found > 0 && !k->is_ready) {
		k->is_ready = true;
		send_state(k);
	}
	timer_start(k->loop, t,
	    k->is_ready ? LISTENER_AGAIN_MS : next_look_ms(k),
	    on_listener_timer, k);
}

/* ---- the loop ------------------------------------------------------------ */

static int watch_server(struct keeper *k, struct err *err)
{
	k->pidfd = pidfd_open(k->server, 0);
	if (k->pidfd < 0)
		return err_sys(err, "watch process %d", (int)k->server);
	if (fd_set_nonblock(k->out_fd, true) != 0)
		return err_sys(err, "watch the server's output");
	if (watch_start(k->loop, &k->pid_watch, k->pidfd, EPOLLIN, on_pidfd, k,
		err) != 0 ||
	    watch_start(k->loop, &k->out_watch, k->out_fd, EPOLLIN, on_output,
		k, err) != 0)
		return -1;
	/* A service without a port is as ready as it will ever be. */
	k->is_ready = k->job.port == 0;
	if (k->is_ready)
		return 0;
	k->listener_from_ms = loop_now_ms(k->loop);
	timer_start(k->loop, &k->listener_timer, LISTENER_FAST_MS,
	    on_listener_timer, k);
	return 0;
}

static void leave_loop(struct keeper *k)
{
	watch_stop(&k->pid_watch);
	watch_stop(&k->out_watch);
	watch_stop(&k->listen_watch);
	timer_stop(&k->stop_timer);
	timer_stop(&k->listener_timer);
	fd_close(&k->listen_fd);
	fd_close(&k->pidfd);
}

int keeper_run(struct keeper *k, struct err *err)
{
	int rc = -1;

	k->loop = loop_new();
	if (loop_signal(k->loop, SIGCHLD, on_sigchld, k, err) == 0 &&
	    loop_signal(k->loop, SIGTERM, on_sigterm, k, err) == 0 &&
	    watch_server(k, err) == 0 && listen_for_spawners(k, err) == 0) {
		/* The spawner that started us. It may be gone already. */
		if (take_link(k, KEEPER_FD_LINK, err) != 0)
			logring_note(&k->log, "%s", err->text);
		/* It may have ended before SIGCHLD was ours. */
		(void)reap(k);
		if (!k->has_ended)
			loop_run(k->loop);
		rc = 0;
	}
	leave_loop(k);
	return rc;
}

void keeper_sweep(struct keeper *k)
{
	const struct timespec step = { 0, SWEEP_STEP_MS * 1000000L };
	int64_t until_ms = clock_mono_ms() + SWEEP_LIMIT_MS;

	if (k->server <= 0)
		return;
	while (!is_swept(k)) {
		if (clock_mono_ms() >= until_ms) {
			logring_note(&k->log, "processes are left that do not "
					      "end: they hang in the kernel");
			break;
		}
		kill_all(k);
		(void)nanosleep(&step, NULL);
	}
	/* What a pipe can hold, not more: its owner may have lent the other
	 * end to a process elsewhere, which writes for ever. */
	if (fd_set_nonblock(k->out_fd, true) == 0) {
		for (int i = 0; i < OUT_AT_END && take_output(k); i++)
			;
	}
	fd_close(&k->out_fd);
}
