/*
 * See link.h. Whether a keeper lives is told by its pidfd; how its server
 * ended is told by the state.json that it left. So it is one way for a keeper
 * of ours, for one of an earlier spawner, and for one that was killed.
 */
#include "spawner/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/wire.h"
#include "spawner/cgroup.h"
#include "spawner/fleet.h"
#include "spawner/keeper.h"
#include "spawner/logring.h"
#include "spawner/proc.h"
#include "spawner/state.h"
#include "spawner/words.h"

#define ORPHAN_PASSES     100
#define ORPHAN_STEP_MS    10
#define STDERR_SHOWN      400
#define RETRY_MS          200
/* An older keeper looks at the port as well, ends a server whose port somebody
 * else has, and does not tell when all is well. */
#define KEEPER_SAYS_READY 2

struct link {
	struct server *s;
	struct wire *wire; /* NULL: lost; link_stop connects again */
	pid_t keeper;
	int pidfd;
	struct watch watch;    /* the keeper's end */
	struct timer deadline; /* of the start */
	struct timer retry;    /* a keeper that does not listen yet */
	bool timed_out;
	bool wants_stop; /* said again to a keeper that connects */
	int64_t grace_ms;
};

static struct log_ctx ctx_of(const struct server *s)
{
	return (struct log_ctx){ .user = s->account, .server = s->key };
}

static int dir_of(const struct server *s)
{
	return openat(fleet_config(s->fleet)->place.servers_fd, s->key,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* ---- what a keeper left -------------------------------------------------- */

static void sleep_ms(long ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	(void)nanosleep(&t, NULL);
}

/*
 * The keeper was killed and its server may live: nobody would close its
 * session or tell its end, so it goes, too. Waits a second at most, for what
 * never happens unless root kills keepers.
 */
static void end_orphans(const struct server *s, const struct state *state)
{
	struct log_ctx ctx = ctx_of(s);
	struct cgroup cgroup;

	cgroup_reopen(&cgroup, state->cgroups, state->n_cgroups);
	for (int i = 0; i < ORPHAN_PASSES; i++) {
		bool is_there = proc_is_alive(state->pid, state->start_time);

		if (!is_there && cgroup_is_empty(&cgroup))
			break;
		(void)cgroup_kill(&cgroup);
		if (is_there) {
			(void)proc_signal_descendants(state->pid, SIGKILL);
			(void)kill(state->pid, SIGKILL);
		}
		sleep_ms(ORPHAN_STEP_MS);
	}
	cgroup_remove(&cgroup);
	log_warn(&ctx, "keeper was killed; its server is ended", "pid=%d",
	    (int)state->pid);
}

/* What the keeper's program said last (an assertion, a sanitizer). */
static char *keeper_words(int dir_fd)
{
	int fd = openat(dir_fd, "keeper.err",
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[STDERR_SHOWN], shown[STDERR_SHOWN];
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : 0;

	fd_close(&fd);
	str_printable(shown, sizeof shown, text, n > 0 ? (size_t)n : 0);
	return xstrdup(shown);
}

static bool is_this_boot(const struct state *state)
{
	char boot_id[PROC_BOOT_ID_LEN + 1];

	proc_boot_id(boot_id);
	return str_eq(boot_id, state->boot_id);
}

/* It ended without a word: killed, crashed, or the machine went down. */
static void judge_silent(
    struct server *s, const struct state *state, int dir_fd, bool timed_out)
{
	static const struct server_exit killed = { -1, SIGKILL, false, false };
	struct log_ctx ctx = ctx_of(s);
	char *words;

	if (is_this_boot(state))
		end_orphans(s, state);
	else if (state->pid > 0)
		log_warn(&ctx, "server ended with the machine", "pid=%d",
		    (int)state->pid);
	if (state->phase == STATE_RUNNING) {
		server_exited(s, &killed, logring_tail(dir_fd));
		return;
	}
	if (timed_out) {
		server_failed(s, FAIL_SESSION,
		    "the start took longer than \"start_timeout\" of "
		    "spawner.yaml: a PAM module or the home directory hangs",
		    logring_tail(dir_fd));
		return;
	}
	words = keeper_words(dir_fd);
	log_error(&ctx, "keeper ended without a report", "words=\"%s\"", words);
	server_failed(s, FAIL_INTERNAL,
	    "the keeper ended without a report; see the spawner's log",
	    logring_tail(dir_fd));
	free(words);
}

/* The keeper is gone. The server may be gone on return. */
static void judge(struct server *s, bool timed_out)
{
	struct state state = { 0 };
	struct server_exit exit;
	int dir_fd = dir_of(s);
	struct err err = { 0 };
	struct arena a;

	arena_init(&a);
	if (dir_fd < 0 || state_read(dir_fd, &a, &state, &err) != 0)
		state.boot_id = "";
	if (state.phase == STATE_ENDED) {
		exit = (struct server_exit){ state.status, state.signo,
			state.oom, state.asked };
		server_exited(s, &exit, logring_tail(dir_fd));
	} else if (state.phase == STATE_FAILED) {
		server_failed(s, fail_code_of(state.fail), state.text,
		    logring_tail(dir_fd));
	} else {
		judge_silent(s, &state, dir_fd, timed_out);
	}
	arena_fini(&a);
	fd_close(&dir_fd);
}

/* ---- the connection ------------------------------------------------------ */

static int send_stop(struct link *l, struct err *err)
{
	json_t *msg = json_pack("{ss}", "type", "STOP");
	int rc;

	if (l->grace_ms >= 0)
		json_object_set_new(msg, "grace_ms", json_integer(l->grace_ms));
	rc = wire_send(l->wire, msg, NULL, 0, err);
	json_decref(msg);
	return rc;
}

static int on_STATE(struct wire *w, const json_t *msg, int *fds, size_t n_fds,
    void *arg, struct err *err)
{
	int64_t version = 0, pid = 0, start_time = 0;
	struct link *l = arg;
	struct server *s = l->s;
	bool is_stopping = false, is_ready = false;

	(void)w, (void)fds, (void)n_fds;
	if (json_get_int(msg, "version", 1, 1000, &version, err) < 0 ||
	    json_get_int(msg, "pid", 0, INT32_MAX, &pid, err) < 0 ||
	    json_get_int(msg, "start_time", 0, INT64_MAX, &start_time, err) <
		0 ||
	    json_get_bool(msg, "stopping", &is_stopping, err) < 0 ||
	    json_get_bool(msg, "ready", &is_ready, err) < 0)
		return -1;
	timer_stop(&l->deadline);
	if (s->state == SERVER_STARTING)
		server_started(s, (pid_t)pid, (uint64_t)start_time);
	if (is_stopping)
		server_stopping(s);
	if (is_ready || version < KEEPER_SAYS_READY)
		server_ready(s);
	if (is_stopping)
		return 0;
	return l->wants_stop ? send_stop(l, err) : 0;
}

#define UNUSED        __attribute__((unused))
#define TO_LINK(type) static const struct wire_member link_##type[] = {
#define TO_KEEPER(type)                                                        \
	static const struct wire_member keeper_##type[] UNUSED = {
#define MEMBER(name, type, required, lo, hi) { #name, type, required, lo, hi },
#define END                                                                    \
	{                                                                      \
		0                                                              \
	}                                                                      \
	}                                                                      \
	;
#include "spawner/keeper.def"

static const struct wire_message table[] = {
#define TO_LINK(type) { #type, 1, link_##type, 0, on_##type },
#define TO_KEEPER(type)
#define MEMBER(name, type, required, lo, hi)
#define END
#include "spawner/keeper.def"
};

static void on_closed(struct wire *w, const struct err *why, void *arg)
{
	struct link *l = arg;
	struct log_ctx ctx = ctx_of(l->s);

	(void)w;
	if (why->code != ERR_NONE)
		log_warn(
		    &ctx, "keeper's connection lost", "why=\"%s\"", why->text);
	wire_close(&l->wire);
}

static int open_wire(struct link *l, int fd, struct err *err)
{
	const struct wire_callbacks cb = {
		.table = table,
		.n = sizeof table / sizeof table[0],
		.on_closed = on_closed,
		.arg = l,
	};

	l->wire = wire_open(fleet_loop(l->s->fleet), fd, 1, &cb, err);
	return l->wire ? 0 : -1;
}

int link_connect(int servers_fd, const char *key, int *fd_out, struct err *err)
{
	char path[64];

	/* By descriptor: a long run-dir does not matter. */
	if (str_format(path, sizeof path, "/proc/self/fd/%d/%s/keeper.sock",
		servers_fd, key) != 0)
		return err_set(err, ERR_INTERNAL, "path of a keeper");
	return sock_connect_unix(path, SOCK_SEQPACKET, fd_out, err);
}

static int connect_again(struct link *l, struct err *err)
{
	int fd = -1;

	if (link_connect(fleet_config(l->s->fleet)->place.servers_fd, l->s->key,
		&fd, err) != 0)
		return -1;
	return open_wire(l, fd, err);
}

static void on_retry(struct timer *t, void *arg)
{
	struct link *l = arg;
	struct err err;

	if (!l->wire && connect_again(l, &err) != 0)
		timer_start(fleet_loop(l->s->fleet), t, RETRY_MS, on_retry, l);
}

/* ---- the keeper's life --------------------------------------------------- */

static void on_keeper_end(struct watch *w, uint32_t events, void *arg)
{
	struct link *l = arg;
	struct server *s = l->s;
	bool timed_out = l->timed_out;

	(void)events;
	watch_stop(w);
	link_forget(s, false);
	judge(s, timed_out);
}

static bool is_running(const struct link *l)
{
	struct pollfd p = { .fd = l->pidfd, .events = POLLIN };

	return l->pidfd >= 0 && poll(&p, 1, 0) == 0;
}

static void on_deadline(struct timer *t, void *arg)
{
	struct link *l = arg;

	(void)t;
	if (!is_running(l))
		return;
	l->timed_out = true;
	proc_kill_tree(l->keeper, l->pidfd);
}

static int link_open(
    struct server *s, pid_t keeper, int pidfd, int sock_fd, struct err *err)
{
	const struct fleet_config *config = fleet_config(s->fleet);
	struct link *l = xcalloc(1, sizeof *l);

	l->s = s;
	l->keeper = keeper;
	l->pidfd = pidfd;
	s->priv = l;
	/* One that runs already has time to say so. */
	if (s->state == SERVER_STARTING)
		timer_start(fleet_loop(s->fleet), &l->deadline,
		    config->policy->start_timeout_s * 1000, on_deadline, l);
	if (sock_fd < 0)
		timer_start(
		    fleet_loop(s->fleet), &l->retry, RETRY_MS, on_retry, l);
	else if (open_wire(l, sock_fd, err) != 0)
		return -1;
	return watch_start(fleet_loop(s->fleet), &l->watch, pidfd, EPOLLIN,
	    on_keeper_end, l, err);
}

int link_start(struct server *s, struct job *job, struct err *err)
{
	const struct fleet_config *config = fleet_config(s->fleet);
	struct launch launch;

	if (launch_keeper(&config->place, job, config->logins, &launch, err) !=
	    0)
		return -1;
	if (link_open(s, launch.pid, launch.pidfd, launch.sock_fd, err) == 0)
		return 0;
	(void)pidfd_send_signal(launch.pidfd, SIGKILL, NULL, 0);
	link_forget(s, true);
	return -1;
}

void link_adopt(struct server *s, pid_t keeper, int pidfd, int sock_fd)
{
	struct log_ctx ctx = ctx_of(s);
	struct err err = { 0 };

	if (pidfd < 0) {
		judge(s, false);
		return;
	}
	if (link_open(s, keeper, pidfd, sock_fd, &err) != 0)
		log_error(
		    &ctx, "keeper cannot be watched", "why=\"%s\"", err.text);
}

enum kind_alive link_alive(const struct server *s)
{
	const struct link *l = s->priv;

	if (!l)
		return KIND_GONE;
	if (!is_running(l))
		return KIND_UNKNOWN;
	return KIND_ALIVE;
}

int link_stop(struct server *s, int64_t grace_ms, struct err *err)
{
	struct link *l = s->priv;

	if (!l || !is_running(l))
		return 0;
	l->wants_stop = true;
	l->grace_ms = grace_ms;
	if (l->wire)
		return send_stop(l, err);
	/* One that does not listen yet is told when it says its state. */
	if (timer_running(&l->retry))
		return 0;
	if (connect_again(l, err) == 0)
		return 0;
	/* A keeper that nobody can speak with: what it keeps ends with it. */
	(void)pidfd_send_signal(l->pidfd, SIGKILL, NULL, 0);
	return -1;
}

int link_tail(struct server *s, struct err *err)
{
	int dir_fd = dir_of(s);
	char *text;

	if (dir_fd < 0)
		return err_sys(err, "open the directory of the server");
	text = logring_tail(dir_fd);
	fd_close(&dir_fd);
	server_tail(s, text);
	free(text);
	return 0;
}

void link_forget(struct server *s, bool is_over)
{
	struct link *l = s->priv;

	s->priv = NULL;
	if (is_over)
		launch_remove_dir(
		    fleet_config(s->fleet)->place.servers_fd, s->key);
	if (!l)
		return;
	timer_stop(&l->deadline);
	timer_stop(&l->retry);
	watch_stop(&l->watch);
	wire_close(&l->wire);
	fd_close(&l->pidfd);
	free(l);
}
