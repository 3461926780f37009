/*
 * Sockets: the sock_ functions of fd.h.
 */
#include "base/fd.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

/* As err_sys, with the codes that callers tell apart. */
static int fail_sys(struct err *err, const char *what, const char *path)
{
	(void)err_sys(err, "%s %s", what, path);
	if (err == NULL)
		return -1;
	if (errno == ENOENT)
		err->code = ERR_NOT_FOUND;
	if (errno == EACCES || errno == EPERM)
		err->code = ERR_DENIED;
	return -1;
}

/* ---- unix sockets -------------------------------------------------------- */

static int unix_address(
    const char *path, struct sockaddr_un *out, struct err *err)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (path[0] == '\0')
		return err_set(
		    err, ERR_INVALID, "the path of a socket is empty");
	if (str_copy(out->sun_path, sizeof out->sun_path, path) < 0)
		return err_set(err, ERR_INVALID,
		    "the path of a socket has %zu bytes, and the kernel allows "
		    "%zu: choose a shorter directory than %s",
		    strlen(path), sizeof out->sun_path - 1, path);
	return 0;
}

static int new_socket(int family, int type)
{
	return socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/*
 * Make room for a socket file: 0 when there is nothing, or was a socket that
 * nobody listens on.
 */
static int clear_stale(const struct sockaddr_un *sa, int type, struct err *err)
{
	struct stat st;
	int fd, rc;

	if (lstat(sa->sun_path, &st) < 0)
		return errno == ENOENT ? 0
				       : fail_sys(err, "stat", sa->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_EXISTS,
		    "%s exists and is no socket: move it away", sa->sun_path);
	fd = new_socket(AF_UNIX, type);
	if (fd < 0)
		return err_sys(err, "socket");
	rc = connect(fd, (const struct sockaddr *)sa, sizeof *sa);
	fd_close(&fd);
	/* All other answers (a full queue, another type) come from a peer. */
	if (rc == 0 || (errno != ECONNREFUSED && errno != ENOENT))
		return err_set(err, ERR_EXISTS,
		    "%s is in use: a program listens on it already",
		    sa->sun_path);
	if (unlink(sa->sun_path) < 0 && errno != ENOENT)
		return fail_sys(err, "remove the stale socket", sa->sun_path);
	return 0;
}

static int set_access(
    const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *err)
{
	if (chmod(path, mode) < 0)
		return fail_sys(err, "set the mode of", path);
	if ((uid != (uid_t)-1 || gid != (gid_t)-1) &&
	    lchown(path, uid, gid) < 0)
		return fail_sys(err, "set the owner of", path);
	return 0;
}

int sock_listen_unix(const char *path, int type, mode_t mode, uid_t uid,
    gid_t gid, struct err *err)
{
	struct sockaddr_un sa;
	int fd;

	if (unix_address(path, &sa, err) < 0 || clear_stale(&sa, type, err) < 0)
		return -1;
	fd = new_socket(AF_UNIX, type);
	if (fd < 0)
		return err_sys(err, "socket");
	if (bind(fd, (const struct sockaddr *)&sa, sizeof sa) < 0) {
		(void)fail_sys(err, "bind", path);
		fd_close(&fd);
		return -1;
	}
	/* Until listen(2) every connect is refused: access is set by then. */
	if (set_access(path, mode, uid, gid, err) == 0) {
		if (listen(fd, SOMAXCONN) == 0)
			return fd;
		(void)fail_sys(err, "listen on", path);
	}
	(void)unlink(path);
	fd_close(&fd);
	return -1;
}

static int connect_to(const struct sockaddr *sa, socklen_t len, int type,
    int *fd_out, struct err *err)
{
	int fd = new_socket(sa->sa_family, type), saved;

	if (fd < 0)
		return err_sys(err, "socket");
	if (connect(fd, sa, len) == 0 || errno == EINPROGRESS) {
		*fd_out = fd;
		return 0;
	}
	saved = errno;
	fd_close(&fd);
	errno = saved;
	(void)err_sys(err, "connect");
	if (err == NULL)
		return -1;
	if (saved == EACCES || saved == EPERM)
		err->code = ERR_DENIED;
	else if (saved == EAGAIN)
		err->code = ERR_BUSY;
	else if (saved != EMFILE && saved != ENFILE && saved != ENOMEM)
		err->code = ERR_UNAVAILABLE;
	return -1;
}

int sock_connect_unix(const char *path, int type, int *fd_out, struct err *err)
{
	struct sockaddr_un sa;

	if (unix_address(path, &sa, err) < 0)
		return -1;
	if (connect_to(
		(const struct sockaddr *)&sa, sizeof sa, type, fd_out, err) < 0)
		return err_wrap(err, "%s", path);
	return 0;
}

int sock_connect_addr(
    const struct sockaddr *sa, socklen_t len, int *fd_out, struct err *err)
{
	return connect_to(sa, len, SOCK_STREAM, fd_out, err);
}

int sock_peer(int fd, uid_t *uid_out, pid_t *pid_out, struct err *err)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return err_sys(err, "ask who the peer of a socket is");
	/* On a socket that is none of unix the kernel answers pid 0. */
	if (len != sizeof cred || cred.pid == 0)
		return err_set(
		    err, ERR_INVALID, "the socket has no peer process");
	*uid_out = cred.uid;
	*pid_out = cred.pid;
	return 0;
}

/* ---- TCP ----------------------------------------------------------------- */

uint16_t sock_port(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return 0;
	if (ss.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&ss)->sin_port);
	if (ss.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&ss)->sin6_port);
	return 0;
}

/* The kernel binds to own addresses only. With net.ipv6.ip_nonlocal_bind it
 * takes every one; then every address counts as ours. */
bool sock_is_own_address(const struct in6_addr *addr)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
		.sin6_addr = *addr };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	bool is_v4 = IN6_IS_ADDR_V4MAPPED(addr);
	bool is_own;
	int fd;

	memcpy(&v4.sin_addr, addr->s6_addr + 12, sizeof v4.sin_addr);
	fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno != EAFNOSUPPORT;
	is_own = (is_v4 ? bind(fd, (struct sockaddr *)&v4, sizeof v4)
			: bind(fd, (struct sockaddr *)&v6, sizeof v6)) == 0 ||
		 errno != EADDRNOTAVAIL;
	fd_close(&fd);
	return is_own;
}

/* The text of a bind or listen that failed says what a person can do. */
static int fail_listen(
    int saved, const char *host, uint16_t port, struct err *err)
{
	char owner[64];

	if (saved == EADDRINUSE) {
		sock_port_owner(port, owner, sizeof owner);
		return err_set(
		    err, ERR_EXISTS, "port %u is in use by %s", port, owner);
	}
	errno = saved;
	if (saved == EACCES) {
		(void)err_sys(err,
		    "port %u is reserved for the system: choose one from 1024 "
		    "on, or give the program CAP_NET_BIND_SERVICE",
		    port);
		if (err != NULL)
			err->code = ERR_DENIED;
		return -1;
	}
	return err_sys(err, "listen on %s port %u", host, port);
}

static int listen_on(const struct addrinfo *ai, bool reuseport, int *errno_out)
{
	static const int on = 1, off = 0;
	int fd = new_socket(ai->ai_family, SOCK_STREAM), rc = 0;

	if (fd < 0)
		goto fail;
	rc |= setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (reuseport)
		rc |= setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	/* "::" is everything, IPv4 included, whatever the sysctl says. */
	if (ai->ai_family == AF_INET6)
		rc |=
		    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (rc == 0 && bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 &&
	    listen(fd, SOMAXCONN) == 0)
		return fd;
fail:
	*errno_out = errno;
	fd_close(&fd);
	return -1;
}

static bool is_wildcard(const char *host)
{
	return host == NULL || host[0] == '\0' || str_eq(host, "*");
}

/* For every address: IPv6 with IPv4 in it, or IPv4 where there is no IPv6. */
static int listen_wildcard(uint16_t port, bool reuseport, int *errno_out)
{
	struct sockaddr_in6 sa6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_ANY_INIT,
	};
	struct sockaddr_in sa4 = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
	};
	const struct addrinfo ai6 = {
		.ai_family = AF_INET6,
		.ai_addr = (struct sockaddr *)&sa6,
		.ai_addrlen = sizeof sa6,
	};
	const struct addrinfo ai4 = {
		.ai_family = AF_INET,
		.ai_addr = (struct sockaddr *)&sa4,
		.ai_addrlen = sizeof sa4,
	};
	int fd = listen_on(&ai6, reuseport, errno_out);

	if (fd < 0 &&
	    (*errno_out == EAFNOSUPPORT || *errno_out == EADDRNOTAVAIL))
		fd = listen_on(&ai4, reuseport, errno_out);
	return fd;
}

int sock_listen_tcp(
    const char *host, uint16_t port, bool reuseport, struct err *err)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *list = NULL;
	char service[8];
	int fd = -1, saved = 0, rc;

	if (is_wildcard(host)) {
		fd = listen_wildcard(port, reuseport, &saved);
		return fd >= 0 ? fd : fail_listen(saved, "*", port, err);
	}
	if (str_format(service, sizeof service, "%u", port) < 0)
		return err_set(err, ERR_INTERNAL, "port number");
	rc = getaddrinfo(host, service, &hints, &list);
	if (rc != 0)
		return err_set(err, ERR_INVALID,
		    "\"%s\" is no address that can be listened on: %s", host,
		    gai_strerror(rc));
	for (struct addrinfo *ai = list; ai != NULL && fd < 0; ai = ai->ai_next)
		fd = listen_on(ai, reuseport, &saved);
	freeaddrinfo(list);
	return fd >= 0 ? fd : fail_listen(saved, host, port, err);
}

/* ---- packets with descriptors -------------------------------------------- */

union packet_control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(SOCK_PACKET_FDS_MAX * sizeof(int))];
};

static int fail_send(struct err *err)
{
	int saved = errno;

	if (saved == EAGAIN)
		return err_set(err, ERR_BUSY, "the peer does not read now");
	if (saved == EMSGSIZE)
		return err_set(err, ERR_LIMIT, "the packet is too long");
	(void)err_sys(err, "send a packet");
	if (err != NULL && (saved == EPIPE || saved == ECONNRESET))
		err->code = ERR_UNAVAILABLE;
	return -1;
}

int sock_send_packet(int fd, const void *p, size_t n, const int *fds,
    size_t n_fds, struct err *err)
{
	union packet_control control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	assert(n > 0);
	if (n_fds > SOCK_PACKET_FDS_MAX)
		return err_set(err, ERR_LIMIT,
		    "%zu descriptors are more than a packet carries (%d)",
		    n_fds, SOCK_PACKET_FDS_MAX);
	if (n_fds > 0) {
		struct cmsghdr *c = &control.head;

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof *fds);
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof *fds);
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof *fds);
	}
	do
		sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? fail_send(err) : 0;
}

struct fd_set_in {
	int fds[SOCK_PACKET_FDS_MAX];
	size_t n;
};

static void take_fds(struct msghdr *msg, struct fd_set_in *in)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
	     c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		assert(n <= SOCK_PACKET_FDS_MAX - in->n);
		memcpy(in->fds + in->n, CMSG_DATA(c), n * sizeof(int));
		in->n += n;
	}
}

static int fail_receive(struct err *err)
{
	int saved = errno;

	if (saved == EAGAIN)
		return err_set(err, ERR_BUSY, "no packet is there now");
	(void)err_sys(err, "receive a packet");
	if (err != NULL && saved == ECONNRESET)
		err->code = ERR_UNAVAILABLE;
	return -1;
}

int sock_recv_packet(int fd, void *p, size_t cap, size_t *n_out, int *fds,
    size_t cap_fds, size_t *n_fds_out, struct err *err)
{
	union packet_control control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = p, .iov_len = cap };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control,
	};
	struct fd_set_in in = { .n = 0 };
	bool is_cut;
	ssize_t n;

	*n_out = *n_fds_out = 0;
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail_receive(err);
	take_fds(&msg, &in);
	is_cut = (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
	if (n == 0 || is_cut || in.n > cap_fds) {
		while (in.n > 0)
			fd_close(&in.fds[--in.n]);
		if (n == 0 && !is_cut)
			return 0;
		return err_set(err, ERR_LIMIT,
		    "a packet has more than %zu bytes or %zu descriptors", cap,
		    cap_fds);
	}
	if (in.n > 0)
		memcpy(fds, in.fds, in.n * sizeof *fds);
	*n_out = (size_t)n;
	*n_fds_out = in.n;
	return 1;
}
