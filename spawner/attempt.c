/*
 * See attempt.h. The child and the spawner talk over a socket pair: PROMPT and
 * END one way, REPLY the other.
 */
#include "spawner/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/wire.h"
#include "spawner/keeper.h"
#include "spawner/launch.h"
#include "spawner/proc.h"
#include "spawner/words.h"

#define REPLY_MAX       4096
/* All names together: they must fit in a packet. */
#define GROUP_BYTES_MAX 32768

struct attempt {
	struct list link;
	struct attempts *all;
	uint64_t id;
	char *account;
	pid_t pid;
	int pidfd;
	bool is_asking; /* a PROMPT waits for the person */
	bool is_kept;   /* it succeeded and waits to become a keeper */
	struct wire *wire;
	struct timer deadline;
};

struct attempts {
	struct loop *loop;
	struct attempts_config config;
	struct list list;
	size_t n, n_kept;
};

/* ---- in the child -------------------------------------------------------- */

/* The whole life of a child hangs on this one socket. */
static void child_send(int fd, json_t *msg)
{
	size_t len;
	char *text = json_text(msg, &len);
	struct err err;

	if (sock_send_packet(fd, text, len, NULL, 0, &err) != 0)
		_exit(1);
	free(text);
	json_decref(msg);
}

static int child_prompt(
    const char *text, bool echo, char *reply, size_t cap, void *arg)
{
	int fd = *(const int *)arg, rc = -1;
	char packet[REPLY_MAX];
	const char *answer;
	json_t *msg = NULL;
	size_t len = 0, n_fds = 0;
	struct err err;

	child_send(fd, json_pack("{ss ss sb}", "type", "PROMPT", "text", text,
			   "echo", (int)echo));
	if (sock_recv_packet(
		fd, packet, sizeof packet, &len, NULL, 0, &n_fds, &err) > 0 &&
	    json_parse(packet, len, &msg, &err) == 0 &&
	    json_get_str(msg, "reply", cap - 1, &answer, &err) > 0)
		rc = str_copy(reply, cap, answer);
	mem_wipe(packet, len);
	json_decref(msg);
	return rc;
}

static void child_setup(int fd, rlim_t *core_out)
{
	struct rlimit core;
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		(void)signal(signo, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "carrel-login");
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (getrlimit(RLIMIT_CORE, &core) == 0) {
		*core_out = core.rlim_cur;
		core.rlim_cur = 0;
		(void)setrlimit(RLIMIT_CORE, &core);
	}
	if (fd > 3)
		(void)close_range(3, (unsigned)fd - 1, 0);
	(void)close_range((unsigned)fd + 1, ~0U, 0);
	if (fd_set_nonblock(fd, false) != 0)
		_exit(1);
}

static void child_end(int fd, const struct pam_login_result *result)
{
	json_t *groups = json_array();
	size_t total = 0;

	for (size_t i = 0; i < result->n_groups; i++) {
		total += strlen(result->groups[i]);
		if (total > GROUP_BYTES_MAX)
			break;
		json_array_append_new(groups, json_string(result->groups[i]));
	}
	child_send(fd, json_pack("{ss ss ss ss so sb}", "type", "END", "code",
			   auth_word(result->code), "account", result->account,
			   "text", result->text, "groups", groups, "changed",
			   (int)result->is_changed));
}

/* What child_setup did for a login is taken back. */
_Noreturn static void child_become_keeper(
    const int fds[3], struct pam_session *session, rlim_t n_files, rlim_t core)
{
	struct rlimit limit;

	(void)launch_settle(fds, -1, n_files);
	(void)close_range(KEEPER_FD_DIR + 1, ~0U, 0);
	(void)prctl(PR_SET_PDEATHSIG, 0);
	(void)prctl(PR_SET_DUMPABLE, 1);
	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = core;
		(void)setrlimit(RLIMIT_CORE, &limit);
	}
	(void)clearenv();
	(void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	_exit(keeper_main(session));
}

/* Until the spawner sends the descriptors of a keeper, or time is over. */
static void child_wait(const struct attempts_config *config, int fd,
    struct pam_session *session, rlim_t core)
{
	const struct timeval patience = { .tv_sec =
					      config->keep_ms / 1000 + 1 };
	int fds[3] = { -1, -1, -1 };
	char packet[64];
	size_t len, n_fds = 0;
	struct err err;

	if (setsockopt(
		fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
	    sock_recv_packet(
		fd, packet, sizeof packet, &len, fds, 3, &n_fds, &err) > 0 &&
	    n_fds == 3)
		child_become_keeper(fds, session, config->n_files, core);
	pam_session_close(&session);
}

_Noreturn static void child_main(const struct attempts_config *config, int fd,
    const char *account, const char *rhost)
{
	struct pam_login_result result;
	rlim_t core = RLIM_INFINITY;
	struct arena arena;
	const struct pam_login login = {
		.place = config->place,
		.account = account,
		.rhost = rhost,
		.min_uid = config->min_uid,
		.only_account = config->only_account,
		.refuse_delay_ms = config->refuse_delay_ms,
		.prompt = child_prompt,
		.arg = &fd,
		.changes_passwords = config->changes_passwords,
		.keeps_handle = config->keep_ms > 0,
	};

	child_setup(fd, &core);
	arena_init(&arena);
	pam_login_run(&login, &arena, &result);
	child_end(fd, &result);
	if (result.session)
		child_wait(config, fd, result.session, core);
	_exit(0);
}

/* ---- in the spawner ------------------------------------------------------ */

static bool is_running(const struct attempt *at)
{
	struct pollfd p = { .fd = at->pidfd, .events = POLLIN };

	return at->pidfd >= 0 && poll(&p, 1, 0) == 0;
}

/* pam_exec gives its programs sessions of their own: the tree, not a group. */
static void kill_tree(struct attempt *at)
{
	if (!is_running(at))
		return;
	proc_kill_tree(at->pid, at->pidfd);
}

static void attempt_free(struct attempt *at)
{
	list_del(&at->link);
	if (at->is_kept)
		at->all->n_kept--;
	else
		at->all->n--;
	timer_stop(&at->deadline);
	wire_close(&at->wire);
	kill_tree(at);
	fd_close(&at->pidfd);
	free(at->account);
	free(at);
}

static void finish(struct attempt *at, const struct attempt_end *end)
{
	struct attempts *a = at->all;

	log_info(&(struct log_ctx){ .user = at->account }, "login ended",
	    "code=%s", auth_word(end->code));
	attempt_free(at);
	a->config.end(end, a->config.arg);
}

static void give_up(
    struct attempt *at, enum spawner_auth_code code, const char *text)
{
	const struct attempt_end end = {
		.id = at->id,
		.code = code,
		.account = "",
		.text = text,
	};

	finish(at, &end);
}

static void on_deadline(struct timer *t, void *arg)
{
	struct attempt *at = arg;

	(void)t;
	give_up(at, AUTH_TIMEOUT,
	    at->is_asking ? "The answer took too long: log in again."
			  : "The login took too long: a PAM module did not "
			    "answer. Tell the administrator of this machine.");
}

static void expect(struct attempt *at, int64_t timeout_ms)
{
	timer_start(at->all->loop, &at->deadline, timeout_ms, on_deadline, at);
}

static int on_prompt(struct wire *w, const json_t *msg, int *fds, size_t n_fds,
    void *arg, struct err *err)
{
	struct attempt *at = arg;
	const char *text = "";
	bool echo = false;

	(void)w, (void)fds, (void)n_fds;
	if (json_get_str(msg, "text", REPLY_MAX, &text, err) < 0 ||
	    json_get_bool(msg, "echo", &echo, err) < 0)
		return -1;
	at->is_asking = true;
	expect(at, at->all->config.answer_timeout_ms);
	at->all->config.prompt(at->id, text, echo, at->all->config.arg);
	return 0;
}

static struct attempt *find_kept(const struct attempts *a, const char *account)
{
	list_for_each (it, &a->list) {
		struct attempt *at = LIST_ITEM(it, struct attempt, link);

		if (at->is_kept && str_eq(at->account, account))
			return at;
	}
	return NULL;
}

static void on_kept_too_long(struct timer *t, void *arg)
{
	(void)t;
	attempt_free(arg);
}

/* Told as a success; the process stays, for the account's next server. */
static void keep(struct attempt *at, const struct attempt_end *end)
{
	struct attempts *a = at->all;
	struct attempt *older = find_kept(a, end->account);

	if (older)
		attempt_free(older);
	free(at->account);
	at->account = xstrdup(end->account);
	at->is_kept = true;
	a->n--;
	a->n_kept++;
	timer_start(
	    a->loop, &at->deadline, a->config.keep_ms, on_kept_too_long, at);
	log_info(&(struct log_ctx){ .user = end->account }, "login ended",
	    "code=%s kept=%zu", auth_word(end->code), a->n_kept);
	a->config.end(end, a->config.arg);
}

static int on_end(struct wire *w, const json_t *msg, int *fds, size_t n_fds,
    void *arg, struct err *err)
{
	struct attempt *at = arg;
	struct attempt_end end = { .id = at->id, .account = "", .text = "" };
	const char *code = "";
	json_t *groups = NULL;

	(void)w, (void)fds, (void)n_fds;
	if (json_get_str(msg, "code", 32, &code, err) < 0 ||
	    json_get_str(msg, "account", 256, &end.account, err) < 0 ||
	    json_get_str(msg, "text", REPLY_MAX, &end.text, err) < 0 ||
	    json_get_array(msg, "groups", PAM_GROUPS_MAX, &groups, err) < 0 ||
	    json_get_bool(msg, "changed", &end.is_changed, err) < 0)
		return -1;
	end.code = auth_code_of(code);
	end.groups = groups;
	if (end.code == AUTH_SUCCESS && at->all->config.keep_ms > 0 &&
	    at->all->n_kept < at->all->config.max)
		keep(at, &end);
	else
		finish(at, &end);
	return 0;
}

static const struct wire_member prompt_members[] = {
	{ "text", WIRE_STR, true, 0, 1024 },
	{ "echo", WIRE_BOOL, true, 0, 0 },
	{ 0 },
};
static const struct wire_member end_members[] = {
	{ "code", WIRE_STR, true, 1, 32 },
	{ "account", WIRE_STR, true, 0, 256 },
	{ "text", WIRE_STR, true, 0, 2048 },
	{ "groups", WIRE_LIST, true, 0, PAM_GROUPS_MAX },
	{ "changed", WIRE_BOOL, true, 0, 0 },
	{ 0 },
};
static const struct wire_message table[] = {
	{ "PROMPT", 1, prompt_members, 0, on_prompt },
	{ "END", 1, end_members, 0, on_end },
};

static void on_closed(struct wire *w, const struct err *why, void *arg)
{
	struct attempt *at = arg;

	(void)w;
	if (at->is_kept) {
		attempt_free(at);
		return;
	}
	log_warn(&(struct log_ctx){ .user = at->account },
	    "login process ended early", "why=\"%s\"",
	    why->code ? why->text : "no answer");
	give_up(at, AUTH_UNAVAILABLE,
	    "The login process ended early: a PAM module may have crashed. "
	    "Tell the administrator of this machine.");
}

struct attempts *attempts_new(
    struct loop *l, const struct attempts_config *config)
{
	struct attempts *a = xcalloc(1, sizeof *a);

	a->loop = l;
	a->config = *config;
	list_init(&a->list);
	return a;
}

void attempts_drop_all(struct attempts *a)
{
	list_for_each (it, &a->list)
		attempt_free(LIST_ITEM(it, struct attempt, link));
}

void attempts_free(struct attempts **a)
{
	if (!*a)
		return;
	attempts_drop_all(*a);
	free(*a);
	*a = NULL;
}

size_t attempts_count(const struct attempts *a)
{
	return a->n;
}

static struct attempt *find(const struct attempts *a, uint64_t id)
{
	list_for_each (it, &a->list) {
		struct attempt *at = LIST_ITEM(it, struct attempt, link);

		if (at->id == id && !at->is_kept)
			return at;
	}
	return NULL;
}

bool attempts_has(const struct attempts *a, uint64_t id)
{
	return find(a, id) != NULL;
}

/* ---- beginning ----------------------------------------------------------- */

static bool is_full(const struct attempts *a, const char *account)
{
	size_t n_same = 0;

	list_for_each (it, &a->list) {
		if (str_eq(
			LIST_ITEM(it, struct attempt, link)->account, account))
			n_same++;
	}
	return a->n >= a->config.max || n_same >= a->config.max_per_account;
}

static int fork_child(struct attempt *at, const char *rhost, struct err *err)
{
	const struct wire_callbacks cb = {
		.table = table,
		.n = sizeof table / sizeof table[0],
		.on_closed = on_closed,
		.arg = at,
	};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(err, "make a socket pair");
	at->pid = fork();
	if (at->pid == 0)
		child_main(&at->all->config, pair[1], at->account, rhost);
	fd_close(&pair[1]);
	if (at->pid < 0) {
		fd_close(&pair[0]);
		return err_sys(err, "start a process for the login");
	}
	at->pidfd = pidfd_open(at->pid, 0);
	at->wire = wire_open(at->all->loop, pair[0], 1, &cb, err);
	return at->wire ? 0 : -1;
}

void attempts_begin(
    struct attempts *a, uint64_t id, const char *account, const char *rhost)
{
	bool full = is_full(a, account);
	struct attempt *at = xcalloc(1, sizeof *at);
	struct err err = { 0 };

	at->all = a;
	at->id = id;
	at->account = xstrdup(account);
	at->pidfd = -1;
	list_add_tail(&a->list, &at->link);
	a->n++;
	if (full) {
		give_up(at, AUTH_LIMIT,
		    "Too many logins are under way: try again in a minute.");
		return;
	}
	if (fork_child(at, rhost, &err) != 0) {
		give_up(at, AUTH_UNAVAILABLE, err.text);
		return;
	}
	expect(at, a->config.module_timeout_ms);
}

void attempts_reply(struct attempts *a, uint64_t id, const char *reply)
{
	struct attempt *at = find(a, id);
	struct err err;
	json_t *msg;
	int rc;

	if (!at || !at->is_asking)
		return;
	at->is_asking = false;
	expect(at, a->config.module_timeout_ms);
	msg = json_pack("{ss ss}", "type", "REPLY", "reply", reply);
	rc = wire_send(at->wire, msg, NULL, 0, &err);
	json_decref(msg);
	if (rc != 0)
		log_warn(&(struct log_ctx){ .user = at->account },
		    "login process takes no answer", "why=\"%s\"", err.text);
}

void attempts_cancel(struct attempts *a, uint64_t id)
{
	struct attempt *at = find(a, id);

	if (at)
		give_up(at, AUTH_CANCELLED, "");
}

int attempts_make_keeper(struct attempts *a, const char *account,
    const int fds[3], pid_t *pid_out, int *pidfd_out)
{
	struct attempt *at = find_kept(a, account);
	struct err err;
	json_t *msg;
	int rc;

	if (!at || !is_running(at))
		return 0;
	msg = json_pack("{ss}", "type", "KEEP");
	rc = wire_send(at->wire, msg, fds, 3, &err);
	json_decref(msg);
	if (rc == 0) {
		*pid_out = at->pid;
		*pidfd_out = at->pidfd;
		at->pidfd = -1; /* so attempt_free lets it live */
	}
	attempt_free(at);
	return rc == 0;
}
