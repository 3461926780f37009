/*
 * Listening and accepting: see listen.h.
 */
#include "proxy/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cidr.h"
#include "base/fd.h"
#include "base/log.h"
#include "proxy/conn.h"
#include "proxy/worker.h"

#define ACCEPTS_AT_ONCE  32
#define PAUSE_MS         100
#define COMPLAIN_MS      10000
#define KEEPALIVE_IDLE_S 120
#define KEEPALIVE_N      4

/* Accepted sockets inherit these: no system call for each. */
static void set_options(int fd)
{
	const int on = 1, idle = KEEPALIVE_IDLE_S, n = KEEPALIVE_N;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &n, sizeof n);
}

/*
 * SO_REUSEPORT would share a port with another proxy of the same account
 * without a word: one plain socket asks first whether the port is free.
 */
static int probe(const char *ip, uint16_t port, struct err *err)
{
	int fd = port == 0 ? -1 : sock_listen_tcp(ip, port, false, err);

	if (fd < 0 && port != 0)
		return -1;
	fd_close(&fd);
	return 0;
}

int listen_tcp(const char *ip, uint16_t port, int *fds, size_t n,
    uint16_t *port_out, struct err *err)
{
	bool is_shared = n > 1;

	if (is_shared && probe(ip, port, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		fds[i] = -1;
	for (size_t i = 0; i < n; i++) {
		fds[i] = sock_listen_tcp(ip, port, is_shared, err);
		if (fds[i] < 0) {
			for (size_t j = 0; j < i; j++)
				fd_close(&fds[j]);
			return -1;
		}
		set_options(fds[i]);
		port = sock_port(fds[i]);
	}
	*port_out = port;
	return 0;
}

/* umask(2) can only be read by setting it. */
mode_t listen_mode(void)
{
	mode_t mask = umask(077);

	(void)umask(mask);
	return 0666 & ~mask;
}

int listen_unix(const char *path, int *fds, size_t n, struct err *err)
{
	fds[0] = sock_listen_unix(
	    path, SOCK_STREAM, listen_mode(), (uid_t)-1, (gid_t)-1, err);
	if (fds[0] < 0)
		return -1;
	for (size_t i = 1; i < n; i++) {
		fds[i] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
		if (fds[i] >= 0)
			continue;
		(void)err_sys(err, "duplicate the socket %s", path);
		while (i-- > 0)
			fd_close(&fds[i]);
		return -1;
	}
	return 0;
}

/* ---- accepting ----------------------------------------------------------- */

static void on_pause_end(struct timer *timer, void *arg)
{
	struct worker *w = arg;

	(void)timer;
	if (w->listener.loop != NULL)
		watch_set(&w->listener, EPOLLIN);
}

/*
 * No descriptors or memory: the queue stays readable, so leave it alone for a
 * moment instead of spinning.
 */
static void pause_accepting(struct worker *w)
{
	int error = errno;
	int64_t now = worker_now_ms(w);

	metric_add(&w->metrics.errors[METRICS_ACCEPT_FAILED], 1);
	watch_set(&w->listener, 0);
	timer_start(w->loop, &w->accept_pause, PAUSE_MS, on_pause_end, w);
	if (now < w->accept_complaint_ms)
		return;
	w->accept_complaint_ms = now + COMPLAIN_MS;
	log_error(NULL, "connections cannot be accepted",
	    "error=\"%s\" open=%zu advice=\"raise the limit of open files\"",
	    strerror(error), w->n_conns + 2 * w->n_tunnels);
}

/* Errors of the one connection that was lost meanwhile (accept(2)). */
static bool is_passing(int error)
{
	return error == ECONNABORTED || error == EINTR || error == EPROTO ||
	       error == ENETDOWN || error == ENOPROTOOPT ||
	       error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH ||
	       error == EOPNOTSUPP || error == ENETUNREACH || error == EPERM;
}

union peer {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

static void on_readable(struct watch *watch, uint32_t events, void *arg)
{
	struct worker *w = arg;

	(void)events;
	for (int i = 0; i < ACCEPTS_AT_ONCE && watch->loop != NULL; i++) {
		union peer peer = { .sa = { .sa_family = AF_UNSPEC } };
		socklen_t len = sizeof peer;
		struct in6_addr addr;
		int fd = accept4(
		    watch->fd, &peer.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			conn_open(w, fd,
			    cidr_of_sockaddr(&peer.sa, &addr) ? &addr : NULL);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		if (is_passing(errno))
			continue;
		pause_accepting(w);
		return;
	}
}

int listen_start(struct worker *w, int fd, struct err *err)
{
	return watch_start(
	    w->loop, &w->listener, fd, EPOLLIN, on_readable, w, err);
}

int listen_replace(struct worker *w, int fd, struct err *err)
{
	int number = w->listener.fd, rc = 0;

	/* It stopped meanwhile. */
	if (w->listener.loop == NULL)
		goto out;
	/* Who came before the name went is served. */
	on_readable(&w->listener, EPOLLIN, w);
	timer_stop(&w->accept_pause);
	watch_stop(&w->listener);
	if (dup3(fd, number, O_CLOEXEC) < 0)
		rc = err_sys(err, "replace a listening socket");
	if (listen_start(w, number, err) < 0) {
		rc = -1;
		fd_close(&number);
	}
out:
	fd_close(&fd);
	return rc;
}

void listen_stop(struct worker *w)
{
	int fd = w->listener.fd;

	timer_stop(&w->accept_pause);
	if (w->listener.loop == NULL)
		return;
	watch_stop(&w->listener);
	fd_close(&fd);
}
