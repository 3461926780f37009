/*
 * What stands behind the proxies of a benchmark: answers any request with 200
 * bytes, or with 64 KiB below /64k, and any upgrade with 101, after which every
 * byte goes back. Prints its port; ends with its standard input.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"

enum { HEAD_MAX = 16384, ECHO_MAX = 256 * 1024, SMALL = 200, LARGE = 65536 };

struct peer {
	struct watch watch;
	int fd;
	bool echoes;
	char *echo; /* what the other side has not taken yet */
	size_t n_echo, echoed;
	size_t n_in;
	char in[];
};

struct answer {
	char *bytes;
	size_t n;
};

static struct loop *loop;
static struct answer small, large;
static const char upgraded[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static void drop(struct peer *p)
{
	watch_stop(&p->watch);
	fd_close(&p->fd);
	free(p->echo);
	free(p);
}

/* 1 all sent, 0 later, -1 gone. */
static int send_some(int fd, const char *bytes, size_t n, size_t *sent)
{
	ssize_t got;

	while (*sent < n) {
		got = send(fd, bytes + *sent, n - *sent, MSG_NOSIGNAL);
		if (got < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		*sent += (size_t)got;
	}
	return 1;
}

/* What does not go out at once is kept, and nothing is read meanwhile. */
static int send_or_keep(struct peer *p, const char *bytes, size_t n)
{
	size_t sent = 0;
	int rc = send_some(p->fd, bytes, n, &sent);

	if (rc != 0)
		return rc;
	p->n_echo = n - sent;
	p->echoed = 0;
	p->echo = xmalloc(p->n_echo);
	memcpy(p->echo, bytes + sent, p->n_echo);
	return 0;
}

static int send_kept(struct peer *p)
{
	int rc;

	if (p->echo == NULL)
		return 1;
	rc = send_some(p->fd, p->echo, p->n_echo, &p->echoed);
	if (rc == 1) {
		free(p->echo);
		p->echo = NULL;
	}
	return rc;
}

static int answer(struct peer *p, const char *head)
{
	const struct answer *a;

	if (strcasestr(head, "\r\nupgrade:") != NULL) {
		p->echoes = true;
		return send_or_keep(p, upgraded, sizeof upgraded - 1);
	}
	a = strstr(head, "/64k") != NULL ? &large : &small;
	return send_or_keep(p, a->bytes, a->n);
}

static int take_heads(struct peer *p)
{
	char *end;
	size_t used;
	int rc = 1;

	while (rc == 1 && (end = strstr(p->in, "\r\n\r\n")) != NULL) {
		end[2] = '\0';
		rc = answer(p, p->in);
		used = (size_t)(end + 4 - p->in);
		memmove(p->in, end + 4, p->n_in - used + 1);
		p->n_in -= used;
	}
	return rc;
}

static int take(struct peer *p)
{
	static char scratch[ECHO_MAX];
	ssize_t n;

	if (p->echoes) {
		n = recv(p->fd, scratch, sizeof scratch, 0);
		if (n > 0)
			return send_or_keep(p, scratch, (size_t)n);
	} else {
		n = recv(p->fd, p->in + p->n_in, HEAD_MAX - p->n_in, 0);
		if (n > 0) {
			p->n_in += (size_t)n;
			p->in[p->n_in] = '\0';
			return take_heads(p);
		}
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return -1;
}

static void on_peer(struct watch *w, uint32_t events, void *arg)
{
	struct peer *p = arg;
	int rc;

	(void)w;
	(void)events;
	do
		rc = send_kept(p);
	while (rc == 1 && (rc = take(p)) == 1);
	if (rc < 0)
		drop(p);
}

static void on_accept(struct watch *w, uint32_t events, void *arg)
{
	struct err err;
	struct peer *p;
	int fd, one = 1;

	(void)events;
	(void)arg;
	while ((fd = accept4(
		    w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		(void)setsockopt(
		    fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		p = xcalloc(1, sizeof *p + HEAD_MAX + 1);
		p->fd = fd;
		if (watch_start(loop, &p->watch, fd,
			EPOLLIN | EPOLLOUT | EPOLLET, on_peer, p, &err) < 0)
			drop(p);
	}
}

static void on_input(struct watch *w, uint32_t events, void *arg)
{
	char line[16];

	(void)w;
	(void)events;
	(void)arg;
	if (read(STDIN_FILENO, line, sizeof line) <= 0)
		loop_stop(loop);
}

static void make(struct answer *a, size_t body)
{
	char head[128];
	int n = snprintf(head, sizeof head,
	    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    body);

	a->n = (size_t)n + body;
	a->bytes = xmalloc(a->n);
	memcpy(a->bytes, head, (size_t)n);
	memset(a->bytes + n, 'x', body);
}

int main(void)
{
	struct rlimit files;
	struct watch listener = { .fd = -1 }, input = { .fd = -1 };
	struct err err;
	int fd;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	make(&small, SMALL);
	make(&large, LARGE);
	loop = loop_new();
	fd = sock_listen_tcp("127.0.0.1", 0, false, &err);
	if (fd < 0 ||
	    watch_start(loop, &listener, fd, EPOLLIN, on_accept, NULL, &err) <
		0 ||
	    watch_start(loop, &input, STDIN_FILENO, EPOLLIN, on_input, NULL,
		&err) < 0) {
		fprintf(stderr, "backend: %s\n", err.text);
		return 1;
	}
	printf("%u\n", sock_port(fd));
	fflush(stdout);
	loop_run(loop);
	return 0;
}
