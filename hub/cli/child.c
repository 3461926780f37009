/*
 * Starting, watching and ending one program under `carrel up`.
 */
#include "hub/cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/privs.h"
#include "base/str.h"

#define BACKOFF_MIN_MS 200
#define BACKOFF_MAX_MS 30000
/* A program that ran this long has proved itself: its next death is a first. */
#define PROVED_MS      60000

int child_init(struct child *c, struct loop *l, const struct child_spec *spec,
    const char *bin_dir, struct err *err)
{
	char path[4096];

	memset(c, 0, sizeof *c);
	c->spec = *spec;
	c->loop = l;
	c->pid_fd = -1;
	c->out.watch.fd = -1;
	c->backoff_ms = BACKOFF_MIN_MS;
	if (str_format(path, sizeof path, "%s/%s", bin_dir, spec->program) < 0)
		return err_set(err, ERR_INVALID, "%s is too long", bin_dir);
	/* Opened now, executed by descriptor: the account that it will run as
	 * may be unable to enter the directory. */
	c->exe_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (c->exe_fd < 0)
		return err_sys(err, "open the program %s", path);
	return 0;
}

static void output_close(struct child *c)
{
	int fd = c->out.watch.fd;
	watch_stop(&c->out.watch);
	c->out.watch.fd = -1;
	fd_close(&fd);
	c->out.len = 0;
}

void child_fini(struct child *c)
{
	timer_stop(&c->restart);
	watch_stop(&c->pid_watch);
	output_close(c);
	fd_close(&c->pid_fd);
	fd_close(&c->exe_fd);
}

static void print_line(const struct child *c, const char *p, size_t n)
{
	char text[CHILD_LINE_MAX + 32];
	int len = snprintf(
	    text, sizeof text, "%-7s | %.*s\n", c->spec.name, (int)n, p);
	if (len > 0 && write(STDOUT_FILENO, text, (size_t)len) < 0)
		return; /* nobody reads us: the programs work on */
}

static void print_lines(struct child *c, bool end)
{
	char *p = c->out.line, *stop = c->out.line + c->out.len, *nl;

	while ((nl = memchr(p, '\n', (size_t)(stop - p)))) {
		print_line(c, p, (size_t)(nl - p));
		p = nl + 1;
	}
	size_t left = (size_t)(stop - p);
	if (left && (end || left == sizeof c->out.line)) {
		print_line(c, p, left);
		left = 0;
	}
	memmove(c->out.line, p, left);
	c->out.len = left;
}

static void on_output(struct watch *w, uint32_t events, void *arg)
{
	struct child *c = arg;
	(void)events;
	for (int turns = 0; turns < 16; turns++) {
		ssize_t n = read(w->fd, c->out.line + c->out.len,
		    sizeof c->out.line - c->out.len);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			print_lines(c, true);
			output_close(c);
			return;
		}
		c->out.len += (size_t)n;
		print_lines(c, false);
	}
}

void child_explain(int st, char *out, size_t cap)
{
	int rc;
	if (WIFEXITED(st))
		rc = str_format(
		    out, cap, "exited with status %d", WEXITSTATUS(st));
	else
		rc = str_format(out, cap, "was ended by signal %d (%s)",
		    WTERMSIG(st), strsignal(WTERMSIG(st)));
	(void)rc;
}

static void restart_now(struct timer *t, void *arg)
{
	struct child *c = arg;
	struct err err;
	(void)t;
	if (child_start(c, &err) < 0) {
		fprintf(
		    stderr, "carrel: start %s: %s\n", c->spec.name, err.text);
		c->backoff_ms = BACKOFF_MAX_MS;
		timer_start(
		    c->loop, &c->restart, c->backoff_ms, restart_now, c);
	}
}

static void on_exit_of(struct watch *w, uint32_t events, void *arg)
{
	struct child *c = arg;
	int status = 0;
	char why[128];
	(void)w;
	(void)events;

	if (waitpid(c->pid, &status, WNOHANG) != c->pid)
		return;
	watch_stop(&c->pid_watch);
	fd_close(&c->pid_fd);
	if (c->out.watch.fd >= 0)
		on_output(&c->out.watch, EPOLLIN, c);
	int64_t ran_ms = loop_now_ms(c->loop) - c->started_ms;
	c->pid = 0;
	c->ready = false;
	if (!c->exited(c, status, c->arg) || c->stopping)
		return;
	if (ran_ms >= PROVED_MS)
		c->backoff_ms = BACKOFF_MIN_MS;
	child_explain(status, why, sizeof why);
	fprintf(stderr, "carrel: %s %s; starting it again in %.1f s\n",
	    c->spec.name, why, (double)c->backoff_ms / 1000);
	timer_start(c->loop, &c->restart, c->backoff_ms, restart_now, c);
	c->backoff_ms *= 2;
	if (c->backoff_ms > BACKOFF_MAX_MS)
		c->backoff_ms = BACKOFF_MAX_MS;
}

/* What a program may know of our environment, and what it is told. */
struct child_env {
	char text[8][1024];
	char *ptr[10];
	size_t n;
};

static void env_add(struct child_env *e, const char *name, const char *value)
{
	if (!value || e->n == 8)
		return;
	if (str_format(e->text[e->n], sizeof e->text[0], "%s=%s", name, value))
		return;
	e->ptr[e->n] = e->text[e->n];
	e->ptr[++e->n] = NULL;
}

static void env_build(const struct child *c, struct child_env *e)
{
	memset(e, 0, sizeof *e);
	env_add(e, "PATH",
	    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	env_add(e, "LANG", getenv("LANG") ? getenv("LANG") : "C.UTF-8");
	env_add(e, "TZ", getenv("TZ"));
	env_add(e, "NOTIFY_SOCKET", c->notify);
	env_add(e, "CONFIGPROXY_AUTH_TOKEN_FILE", c->spec.token_file);
	env_add(e, "ASAN_OPTIONS", getenv("ASAN_OPTIONS"));
	if (!c->spec.account)
		env_add(e, "HOME", getenv("HOME"));
}

static void child_refuse(const char *what, const struct err *err)
{
	fprintf(stderr, "cannot start: %s%s%s\n", what, err ? ": " : "",
	    err ? err->text : "");
	_exit(126);
}

/* In the new process. Everything but 0-2 and the configuration is closed. */
static void child_become(
    struct child *c, int out_fd, int config_fd, struct child_env *env)
{
	struct err err;
	char *argv[CHILD_ARGS_MAX + 2];
	sigset_t none;
	size_t n = 0;

	int null_fd = open("/dev/null", O_RDONLY);
	if (dup2(null_fd, 0) < 0 || dup2(out_fd, 1) < 0 || dup2(out_fd, 2) < 0)
		_exit(126);
	/* Keep the program's descriptor above the range that is cleared. */
	int exe = fcntl(c->exe_fd, F_DUPFD_CLOEXEC, 64);
	if (config_fd >= 0 && dup2(config_fd, CHILD_CONFIG_FD) < 0)
		_exit(126);
	if (config_fd >= 0 && fd_set_cloexec(CHILD_CONFIG_FD, false) < 0)
		_exit(126);
	close_range(config_fd >= 0 ? 4 : 3, (unsigned)exe - 1, 0);
	close_range((unsigned)exe + 1, ~0U, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	if (c->spec.account) {
		uid_t uid;
		gid_t gid;
		if (privs_account(c->spec.account, &uid, &gid, &err) < 0 ||
		    privs_drop(c->spec.account, uid, gid, &err) < 0)
			child_refuse(c->spec.account, &err);
	}
	/* After the ids, which would reset it: when we are killed, the three
	 * end, so that the next `carrel up` finds its ports free. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	argv[n++] = (char *)(uintptr_t)c->spec.program;
	for (size_t i = 0; c->spec.args[i]; i++)
		argv[n++] = (char *)(uintptr_t)c->spec.args[i];
	argv[n] = NULL;
	if (chdir("/") == 0)
		syscall(SYS_execveat, exe, "", argv, env->ptr, AT_EMPTY_PATH);
	fprintf(stderr, "cannot execute: %s\n", strerror(errno));
	_exit(126);
}

static int open_config(const struct child *c, int *fd_out, struct err *err)
{
	*fd_out = -1;
	if (!c->spec.config)
		return 0;
	int fd = open(c->spec.config, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open %s", c->spec.config);
	/* Clear of the places that the child arranges. */
	*fd_out = fcntl(fd, F_DUPFD_CLOEXEC, 16);
	close(fd);
	if (*fd_out < 0)
		return err_sys(err, "open %s", c->spec.config);
	return 0;
}

static int watch_child(struct child *c, int out_fd, struct err *err)
{
	c->pid_fd = pidfd_open(c->pid, 0);
	if (c->pid_fd < 0)
		return err_sys(err, "watch %s", c->spec.name);
	if (watch_start(c->loop, &c->pid_watch, c->pid_fd, EPOLLIN, on_exit_of,
		c, err) < 0)
		return -1;
	return watch_start(
	    c->loop, &c->out.watch, out_fd, EPOLLIN, on_output, c, err);
}

int child_start(struct child *c, struct err *err)
{
	int pipe_fd[2], config_fd;
	struct child_env env;

	if (open_config(c, &config_fd, err) < 0)
		return -1;
	output_close(c);
	if (pipe2(pipe_fd, O_CLOEXEC) < 0) {
		fd_close(&config_fd);
		return err_sys(err, "make a pipe for %s", c->spec.name);
	}
	env_build(c, &env);
	c->pid = fork();
	if (c->pid == 0)
		child_become(c, pipe_fd[1], config_fd, &env);
	int saved = errno;
	close(pipe_fd[1]);
	fd_close(&config_fd);
	if (c->pid < 0) {
		c->pid = 0;
		close(pipe_fd[0]);
		errno = saved;
		return err_sys(err, "start %s", c->spec.name);
	}
	c->started_ms = loop_now_ms(c->loop);
	if (fd_set_nonblock(pipe_fd[0], true) < 0)
		return err_sys(err, "read from %s", c->spec.name);
	return watch_child(c, pipe_fd[0], err);
}

bool child_runs(const struct child *c)
{
	return c->pid != 0;
}

void child_stop(struct child *c)
{
	timer_stop(&c->restart);
	if (!c->stopping && c->pid)
		kill(c->pid, SIGTERM);
	c->stopping = true;
}

void child_kill(struct child *c)
{
	if (c->pid)
		kill(c->pid, SIGKILL);
}
