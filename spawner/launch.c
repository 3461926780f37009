/*
 * See launch.h. The keeper is this very program, executed by descriptor: it
 * need not be reachable by a path, and an upgrade on disk does not mix
 * versions.
 */
#include "spawner/launch.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "spawner/attempt.h"
#include "spawner/keeper.h"

#define PORT_TRIES  64
#define PORT_FIRST  20000
#define FD_LOW      (KEEPER_FD_DIR + 1)
#define NAME_STDERR "keeper.err"

/* ---- the job ------------------------------------------------------------- */

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* In memory only: it has the server's token. */
static int job_file(const struct job *job, struct err *err)
{
	json_t *j = job_to_json(job);
	size_t len;
	char *text = json_text(j, &len);
	int fd = memfd_create("job", MFD_CLOEXEC);

	if (fd < 0 || write_all(fd, text, len) != 0) {
		(void)err_sys(err, "write the job");
		fd_close(&fd);
	}
	mem_wipe(text, len);
	free(text);
	json_decref(j);
	return fd;
}

/* ---- the directory ------------------------------------------------------- */

static int open_dir(int servers_fd, const char *key)
{
	return openat(
	    servers_fd, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int make_dir(int servers_fd, const char *key, struct err *err)
{
	int fd;

	if (mkdirat(servers_fd, key, 0700) != 0) {
		bool exists = errno == EEXIST;

		(void)err_sys(err, "make the directory of server %s", key);
		if (exists && err)
			err->code = ERR_EXISTS;
		return -1;
	}
	fd = open_dir(servers_fd, key);
	if (fd < 0)
		(void)err_sys(err, "open the directory of server %s", key);
	return fd;
}

void launch_remove_dir(int servers_fd, const char *key)
{
	int fd = open_dir(servers_fd, key);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!dir) {
		fd_close(&fd);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] != '.' || strlen(e->d_name) > 2)
			(void)unlinkat(fd, e->d_name, 0);
	}
	closedir(dir);
	(void)unlinkat(servers_fd, key, AT_REMOVEDIR);
}

/* ---- the process --------------------------------------------------------- */

/* To a fixed number, without close-on-exec. */
static void place(int fd, int number)
{
	if (dup2(fd, number) < 0)
		_exit(126);
}

/* out of the way of the fixed numbers */
static int lift(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, FD_LOW);

	if (high < 0)
		_exit(126);
	return high;
}

static void set_stdio(int dir_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int err_fd = openat(dir_fd, NAME_STDERR,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

	/* Never the terminal or the pipe of whoever started the spawner. */
	place(null, 0);
	place(null, 1);
	place(err_fd >= 0 ? err_fd : null, 2);
}

static void lower_limit(rlim_t n_files)
{
	struct rlimit limit;

	if (n_files == 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = n_files;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int launch_settle(const int fds[3], int also, rlim_t n_files)
{
	const int high[] = { lift(fds[0]), lift(fds[1]), lift(fds[2]) };

	if (also >= 0)
		also = lift(also);
	set_stdio(high[2]);
	place(high[0], KEEPER_FD_JOB);
	place(high[1], KEEPER_FD_LINK);
	place(high[2], KEEPER_FD_DIR);
	(void)close_range(FD_LOW, ~0U, CLOSE_RANGE_CLOEXEC);
	lower_limit(n_files);
	if (chdir("/") != 0)
		_exit(126);
	return also;
}

_Noreturn static void become_keeper(
    const struct launch_place *place_of, const int fds[3])
{
	char caps[24];
	char *const argv[] = { (char[]){ "carrel-spawner" },
		(char[]){ "--keeper" }, caps, NULL };
	char *const env[] = { (char[]){ "PATH=/usr/sbin:/usr/bin:/sbin:/bin" },
		(char[]){ "LANG=C.UTF-8" }, NULL };
	int exe_fd = launch_settle(fds, place_of->exe_fd, place_of->n_files);
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		(void)signal(signo, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setsid();
	if (str_format(caps, sizeof caps, "%" PRIu64, place_of->caps) != 0)
		_exit(126);
	(void)execveat(exe_fd, "", argv, env, AT_EMPTY_PATH);
	_exit(127);
}

static int fork_keeper(const struct launch_place *place_of, const int fds[3],
    struct launch *out, struct err *err)
{
	out->pid = fork();
	if (out->pid == 0)
		become_keeper(place_of, fds);
	if (out->pid < 0)
		return err_sys(err, "start a keeper");
	out->pidfd = pidfd_open(out->pid, 0);
	return 0;
}

/* job_fd and dir_fd are borrowed. */
static int give_birth(const struct launch_place *place_of,
    const struct job *job, struct attempts *logins, int job_fd, int dir_fd,
    struct launch *out, struct err *err)
{
	int pair[2], fds[] = { job_fd, -1, dir_fd }, rc = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(err, "make a socket pair");
	fds[1] = pair[1];
	if (!job->uses_login || !logins ||
	    attempts_make_keeper(
		logins, job->account, fds, &out->pid, &out->pidfd) == 0)
		rc = fork_keeper(place_of, fds, out, err);
	fd_close(&pair[1]);
	if (rc != 0)
		fd_close(&pair[0]);
	out->sock_fd = pair[0];
	return rc;
}

int launch_keeper(const struct launch_place *place_of, const struct job *job,
    struct attempts *logins, struct launch *out, struct err *err)
{
	int dir_fd = make_dir(place_of->servers_fd, job->key, err);
	int job_fd, rc = -1;

	*out = (struct launch){ .pidfd = -1, .sock_fd = -1 };
	if (dir_fd < 0)
		return -1;
	job_fd = job_file(job, err);
	if (job_fd >= 0)
		rc =
		    give_birth(place_of, job, logins, job_fd, dir_fd, out, err);
	fd_close(&job_fd);
	fd_close(&dir_fd);
	if (rc != 0)
		launch_remove_dir(place_of->servers_fd, job->key);
	return rc;
}

/* ---- ports --------------------------------------------------------------- */

/* The port that was bound for a moment, 0 when it is in use. */
static uint16_t try_port(uint16_t port)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint16_t bound = 0;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
		bound = sock_port(fd);
	fd_close(&fd);
	return bound;
}

/*
 * Where no range is set: from PORT_FIRST up to where the kernel's own begin. A
 * notebook listens a second after its port was chosen; by then the kernel could
 * have given one of its own to somebody's connection. (0, 0): no room there.
 */
static void default_ports(uint16_t *first, uint16_t *last)
{
	const char *path = "/proc/sys/net/ipv4/ip_local_port_range";
	unsigned low = 0;
	FILE *f = fopen(path, "re");

	*first = *last = 0;
	if (f == NULL)
		return;
	if (fscanf(f, "%5u", &low) == 1 && low >= PORT_FIRST + PORT_TRIES &&
	    low <= UINT16_MAX) {
		*first = PORT_FIRST;
		*last = (uint16_t)(low - 1);
	}
	(void)fclose(f);
}

static bool pick(uint16_t first, uint16_t last,
    bool (*is_taken)(uint16_t port, void *arg), void *arg, uint16_t *out)
{
	uint64_t n = first ? (uint64_t)last - first + 1 : PORT_TRIES;
	uint64_t from = rand_below(n);

	for (uint64_t i = 0; i < n; i++) {
		uint64_t offset = (from + i) % n;
		uint16_t port = 0;

		if (first)
			port = (uint16_t)(first + offset);

		if (port && is_taken(port, arg))
			continue;
		*out = try_port(port);
		if (*out && !is_taken(*out, arg))
			return true;
	}
	return false;
}

int launch_pick_port(uint16_t first, uint16_t last,
    bool (*is_taken)(uint16_t port, void *arg), void *arg, uint16_t *out,
    struct err *err)
{
	uint16_t own_first, own_last;

	if (first && pick(first, last, is_taken, arg, out))
		return 0;
	if (first)
		return err_set(err, ERR_LIMIT,
		    "every port from %u to %u is in use: widen \"port_range\" "
		    "in spawner.yaml",
		    (unsigned)first, (unsigned)last);
	default_ports(&own_first, &own_last);
	if ((own_first && pick(own_first, own_last, is_taken, arg, out)) ||
	    pick(0, 0, is_taken, arg, out))
		return 0;
	return err_set(err, ERR_LIMIT, "no port of 127.0.0.1 is free");
}
