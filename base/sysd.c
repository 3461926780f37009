/*
 * systemd's two small protocols: see sysd.h.
 */
#include "base/sysd.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"

#define FIRST_FD 3
#define FDS_MAX  64

void sysd_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	socklen_t len;
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@') ||
	    str_copy(sa.sun_path, sizeof sa.sun_path, path) < 0)
		return;
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			  strlen(path) + (path[0] == '/'));
	/* A name that begins with @ is abstract: its first byte is NUL. */
	if (path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	/* Nobody may be there: readiness is a courtesy, never a need. */
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
	    (const struct sockaddr *)&sa, len);
	fd_close(&fd);
}

int sysd_listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int64_t my_pid, n;

	if (pid == NULL || count == NULL ||
	    num_range(pid, 1, INT32_MAX, &my_pid, NULL) < 0 ||
	    my_pid != getpid() || num_range(count, 0, FDS_MAX, &n, NULL) < 0)
		return 0;
	for (int i = 0; i < n; i++)
		if (fd_set_cloexec(FIRST_FD + i, true) < 0 ||
		    fd_set_nonblock(FIRST_FD + i, true) < 0)
			return i;
	return (int)n;
}
