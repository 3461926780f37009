/*
 * Sockets: whose they are, asked of the kernel (sock_diag(7)). Functions of
 * fd.h.
 */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

/* ---- who listens on a port ----------------------------------------------- */

struct listener {
	/* How surely it is the one that a client of 127.0.0.1 reaches; 0: none
	 * found; 1: it listens on the port at an address of other networks. */
	int score;
	uid_t uid;
	unsigned inode;
};

static int score_ipv4(const uint32_t *src)
{
	if (src[0] == htonl(INADDR_LOOPBACK))
		return 6;
	return src[0] == htonl(INADDR_ANY) ? 5 : 1;
}

static int score_ipv6(const uint32_t *src, bool is_v6only)
{
	struct in6_addr a;

	memcpy(&a, src, sizeof a);
	if (IN6_IS_ADDR_V4MAPPED(&a))
		return score_ipv4(src + 3);
	if (IN6_IS_ADDR_UNSPECIFIED(&a))
		return is_v6only ? 2 : 4;
	return IN6_IS_ADDR_LOOPBACK(&a) ? 3 : 1;
}

/* The attributes after the message: only whether the socket is IPv6 alone. */
static bool says_v6only(const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	size_t left = h->nlmsg_len - NLMSG_LENGTH(sizeof *m);
	const char *at = (const char *)(m + 1);

	while (left >= sizeof(struct nlattr)) {
		struct nlattr a;
		size_t step;

		memcpy(&a, at, sizeof a);
		step = NLA_ALIGN(a.nla_len);
		if (a.nla_len < sizeof a || step > left)
			break;
		if (a.nla_type == INET_DIAG_SKV6ONLY && a.nla_len > sizeof a)
			return at[sizeof a] != 0;
		at += step;
		left -= step;
	}
	return false;
}

static void consider(
    struct listener *best, const struct nlmsghdr *h, uint16_t port)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	int score;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof *m) ||
	    m->id.idiag_sport != htons(port) || m->idiag_state != TCP_LISTEN)
		return;
	score = m->idiag_family == AF_INET6
		    ? score_ipv6(m->id.idiag_src, says_v6only(h))
		    : score_ipv4(m->id.idiag_src);
	if (score <= best->score)
		return;
	best->score = score;
	best->uid = m->idiag_uid;
	best->inode = m->idiag_inode;
}

static int diag_ask(int fd, int family, uint16_t port)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} ask = {
		.head = {
			.nlmsg_len = sizeof ask,
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.body = {
			.sdiag_family = (unsigned char)family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = 1u << TCP_LISTEN,
			.id.idiag_sport = htons(port),
		},
	};

	return send(fd, &ask, sizeof ask, 0) == (ssize_t)sizeof ask ? 0 : -1;
}

/* One datagram of the answer: 1 more follow, 0 that was all, -1 error. */
static int diag_take(int fd, uint16_t port, struct listener *best)
{
	union {
		struct nlmsghdr head;
		char bytes[16384];
	} in;
	ssize_t n = recv(fd, &in, sizeof in, 0);
	size_t left;

	if (n < 0)
		return errno == EINTR ? 1 : -1;
	left = (size_t)n;
	for (struct nlmsghdr *h = &in.head; NLMSG_OK(h, left);
	     h = NLMSG_NEXT(h, left)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *e = NLMSG_DATA(h);

			errno = -e->error;
			return -1;
		}
		consider(best, h, port);
	}
	return 1;
}

static int find_listener(uint16_t port, struct listener *best, struct err *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	/* Blocking on purpose: the kernel answers within the call. */
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int rc = fd >= 0 ? 0 : -1;

	*best = (struct listener){ .score = 0 };
	for (size_t i = 0; i < 2 && rc == 0; i++) {
		rc = diag_ask(fd, families[i], port);
		if (rc < 0)
			break;
		do
			rc = diag_take(fd, port, best);
		while (rc > 0);
	}
	fd_close(&fd);
	if (rc < 0)
		return err_sys(err, "ask the kernel who listens on port %u",
		    (unsigned)port);
	return 0;
}

int sock_listener_uid(uint16_t port, uid_t *uid_out, struct err *err)
{
	struct listener best;

	if (find_listener(port, &best, err) < 0)
		return -1;
	if (best.score <= 1)
		return 0;
	*uid_out = best.uid;
	return 1;
}

/* Has the process `pid` (a name in /proc) a descriptor that is `link`? */
static bool holds(const char *pid, const char *link)
{
	char path[64], target[64];
	bool is_found = false;
	struct dirent *e;
	DIR *dir;

	if (str_format(path, sizeof path, "/proc/%s/fd", pid) < 0)
		return false;
	dir = opendir(path);
	if (dir == NULL)
		return false;
	while (!is_found && (e = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(
		    dirfd(dir), e->d_name, target, sizeof target - 1);

		target[n > 0 ? n : 0] = '\0';
		is_found = str_eq(target, link);
	}
	closedir(dir);
	return is_found;
}

static void describe_process(const char *pid, char *out, size_t cap)
{
	char path[64], shown[48], *name = NULL;
	size_t len;

	if (str_format(path, sizeof path, "/proc/%s/comm", pid) < 0 ||
	    file_read_all(path, 256, &name, &len, NULL) < 0)
		return;
	if (len > 0 && name[len - 1] == '\n')
		len--;
	str_printable(shown, sizeof shown, name, len);
	free(name);
	if (str_format(path, sizeof path, "%s (pid %s)", shown, pid) == 0)
		str_printable(out, cap, path, strlen(path));
}

void sock_port_owner(uint16_t port, char *out, size_t cap)
{
	static const char unknown[] = "another process";
	struct listener found;
	struct dirent *e;
	char link[48];
	DIR *dir;

	str_printable(out, cap, unknown, sizeof unknown - 1);
	if (find_listener(port, &found, NULL) < 0 || found.score == 0 ||
	    str_format(link, sizeof link, "socket:[%u]", found.inode) < 0)
		return;
	dir = opendir("/proc");
	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' ||
		    !holds(e->d_name, link))
			continue;
		describe_process(e->d_name, out, cap);
		break;
	}
	closedir(dir);
}

/* ---- who is at the other end ----------------------------------------------
 */

struct end {
	uint32_t ip[4];
	uint16_t port; /* network order */
};

static int end_of(const struct sockaddr *sa, struct end *out)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	*out = (struct end){ .port = 0 };
	if (sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof v4);
		out->ip[0] = v4.sin_addr.s_addr;
		out->port = v4.sin_port;
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&v6, sa, sizeof v6);
		memcpy(out->ip, &v6.sin6_addr, sizeof out->ip);
		out->port = v6.sin6_port;
	} else {
		return -1;
	}
	return 0;
}

/* One socket by its two ends: a look-up in the kernel's hash table. */
static int diag_ask_one(
    int fd, int family, const struct end *from, const struct end *to)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} ask = {
		.head = {
			.nlmsg_len = sizeof ask,
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST,
		},
		.body = {
			.sdiag_family = (unsigned char)family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = ~0u,
			.id.idiag_sport = from->port,
			.id.idiag_dport = to->port,
			.id.idiag_cookie = {
				INET_DIAG_NOCOOKIE,
				INET_DIAG_NOCOOKIE,
			},
		},
	};

	memcpy(ask.body.id.idiag_src, from->ip, sizeof from->ip);
	memcpy(ask.body.id.idiag_dst, to->ip, sizeof to->ip);
	return send(fd, &ask, sizeof ask, 0) == (ssize_t)sizeof ask ? 0 : -1;
}

/* Where there is no such connection the kernel looks for a listener, and a
 * socket that no process has any more belongs to nobody. */
static int diag_take_one(int fd, const struct end *to, uid_t *uid_out)
{
	union {
		struct nlmsghdr head;
		char bytes[2048];
	} in;
	const struct inet_diag_msg *m = NLMSG_DATA(&in.head);
	ssize_t n;

	do
		n = recv(fd, &in, sizeof in, 0);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof *m) ||
	    in.head.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    m->idiag_state == TCP_LISTEN || m->id.idiag_dport != to->port ||
	    m->idiag_inode == 0)
		return 0;
	*uid_out = m->idiag_uid;
	return 1;
}

int sock_remote_uid(
    const struct sockaddr *peer, const struct sockaddr *own, uid_t *uid_out)
{
	struct end from, to;
	int fd, rc = 0;

	if (peer->sa_family != own->sa_family || end_of(peer, &from) < 0 ||
	    end_of(own, &to) < 0)
		return 0;
	/* Blocking on purpose, as above. */
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return 0;
	if (diag_ask_one(fd, peer->sa_family, &from, &to) == 0)
		rc = diag_take_one(fd, &to, uid_out);
	fd_close(&fd);
	return rc;
}
