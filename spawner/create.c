/*
 * See create.h. The command runs as root with the spawner's own capabilities,
 * without a shell and with nothing of the keeper but its stdout.
 */
#include "spawner/create.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/str.h"
#include "spawner/account.h"

#define NAME_LEN_MAX 32
#define SAID_MAX     512
#define PLACEHOLDER  "{account}"

bool create_name_ok(const char *account)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz_";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyz_0123456789-";
	size_t len = strlen(account);

	return len > 0 && len <= NAME_LEN_MAX && strchr(first, account[0]) &&
	       strspn(account, rest) == len;
}

static const char *fill_in(struct arena *a, const char *arg, const char *name)
{
	const char *at = strstr(arg, PLACEHOLDER);

	if (!at)
		return arg;
	return arena_printf(a, "%.*s%s%s", (int)(at - arg), arg, name,
	    at + strlen(PLACEHOLDER));
}

static char *const *make_argv(
    struct arena *a, const struct conf_strings *command, const char *account)
{
	const char **argv = arena_array(a, command->n + 1, sizeof *argv);

	for (size_t i = 0; i < command->n; i++)
		argv[i] = fill_in(a, command->items[i], account);
	argv[command->n] = NULL;
	return (char *const *)(const void *)argv;
}

_Noreturn static void become(char *const argv[], int out_fd)
{
	static char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG=C.UTF-8", NULL };
	int null_fd = open("/dev/null", O_RDONLY);

	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
	    dup2(out_fd, STDOUT_FILENO) < 0 ||
	    dup2(out_fd, STDERR_FILENO) < 0 ||
	    close_range(STDERR_FILENO + 1, ~0U, 0) != 0)
		_exit(126);
	(void)execve(argv[0], argv, env);
	_exit(127);
}

/* All that it says until it closes its end; the first part is kept. */
static void listen_to(int fd, char *said, size_t cap)
{
	char bytes[SAID_MAX];
	size_t len = 0;

	for (;;) {
		ssize_t n = read(fd, bytes, sizeof bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if ((size_t)n > cap - 1 - len)
			n = (ssize_t)(cap - 1 - len);
		memcpy(said + len, bytes, (size_t)n);
		len += (size_t)n;
	}
	said[len] = '\0';
}

static int fail(const char *program, const char *account, const char *deed,
    int status, const char *said, struct err *err)
{
	char shown[SAID_MAX];
	struct slice line = slice_make(said, strcspn(said, "\r\n"));

	str_printable(shown, sizeof shown, line.p, line.len);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(err, ERR_NOT_FOUND,
		    "%.200s of spawner.yaml, by which accounts are %s, cannot "
		    "be executed",
		    program, deed);
	return err_set(err, ERR_IO,
	    "the account %.64s could not be %s: %.200s ended with %s %d: %s",
	    account, deed, program, WIFEXITED(status) ? "status" : "signal",
	    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), shown);
}

static int run(
    char *const argv[], const char *account, const char *deed, struct err *err)
{
	char said[SAID_MAX];
	int fds[2], status = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_sys(err, "make a pipe");
	pid = fork();
	if (pid == 0)
		become(argv, fds[1]);
	fd_close(&fds[1]);
	if (pid < 0) {
		fd_close(&fds[0]);
		return err_sys(err, "fork");
	}
	listen_to(fds[0], said, sizeof said);
	fd_close(&fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0 ? 0
			   : fail(argv[0], account, deed, status, said, err);
}

int account_run(const struct conf_strings *command, const char *account,
    const char *deed, struct err *err)
{
	struct arena a;
	int rc;

	arena_init(&a);
	rc = run(make_argv(&a, command, account), account, deed, err);
	arena_fini(&a);
	return rc;
}

/* A lock of our own: descriptors of one open file would share it. */
int accounts_lock(int servers_fd, struct err *err)
{
	int fd = openat(servers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX) == 0)
		return fd;
	(void)err_sys(err, "wait for other accounts to be made");
	fd_close(&fd);
	return -1;
}

int create_account(
    const struct conf_strings *command, const char *account, struct err *err)
{
	struct account found;
	struct arena a;
	int rc;

	if (!create_name_ok(account))
		return err_set(err, ERR_INVALID,
		    "there is no account %.64s, and none can have that name: "
		    "set auth.account_names to escaped in carrel.yaml",
		    account);
	arena_init(&a);
	rc = account_find(&a, account, &found, err);
	arena_fini(&a);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return account_run(command, account, "made", err) != 0 ? -1 : 1;
}
