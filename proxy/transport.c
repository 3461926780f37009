/*
 * Sockets under edge-triggered watches: see transport.h.
 */
#include "proxy/transport.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"

#define FLAT_MAX 2048
#define EDGES    (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

int transport_open(struct transport *t, struct loop *l, int fd, watch_fn *fn,
    void *arg, struct err *err)
{
	*t = (struct transport){ .watch = { .fd = -1 }, .writable = true };
	if (watch_start(l, &t->watch, fd, EDGES, fn, arg, err) == 0)
		return 0;
	fd_close(&fd);
	return -1;
}

bool transport_is_open(const struct transport *t)
{
	return t->watch.loop != NULL;
}

static void drop_queue(struct transport *t)
{
	free(t->out);
	t->out = NULL;
	t->out_off = t->out_len = 0;
}

void transport_close(struct transport *t)
{
	int fd = t->watch.fd;

	drop_queue(t);
	if (!transport_is_open(t))
		return;
	watch_stop(&t->watch);
	fd_close(&fd);
}

void transport_reset(struct transport *t)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	/* A unix socket does not know it; its peer sees an early end. */
	if (transport_is_open(t))
		(void)setsockopt(
		    t->watch.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	transport_close(t);
}

int transport_move(struct transport *to, struct transport *from, watch_fn *fn,
    void *arg, struct err *err)
{
	struct loop *l = from->watch.loop;
	int fd = from->watch.fd;

	watch_stop(&from->watch);
	*to = *from;
	from->out = NULL;
	from->out_len = 0;
	if (watch_start(l, &to->watch, fd, EDGES, fn, arg, err) == 0)
		return 0;
	drop_queue(to);
	fd_close(&fd);
	return -1;
}

bool transport_is_plain(const struct transport *t)
{
	return transport_is_open(t);
}

struct transport_rest transport_leave(struct transport *t)
{
	struct transport_rest rest = {
		.fd = t->watch.fd,
		.out = t->out,
		.out_len = t->out_len,
		.shut = t->shut,
	};

	if (t->out_off > 0)
		memmove(t->out, t->out + t->out_off, t->out_len);
	watch_stop(&t->watch);
	t->out = NULL;
	t->out_off = t->out_len = 0;
	return rest;
}

int transport_enter(struct transport *t, struct loop *l,
    struct transport_rest *rest, watch_fn *fn, void *arg, struct err *err)
{
	int fd = rest->fd;

	rest->fd = -1;
	if (transport_open(t, l, fd, fn, arg, err) < 0)
		return -1;
	t->out = rest->out;
	t->out_len = rest->out_len;
	t->shut = rest->shut;
	rest->out = NULL;
	return 0;
}

void transport_rest_free(struct transport_rest *rest)
{
	free(rest->out);
	rest->out = NULL;
	fd_close(&rest->fd);
}

void transport_note(struct transport *t, uint32_t events)
{
	if ((events & EPOLLOUT) != 0)
		t->writable = true;
	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		t->readable = true;
	if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0)
		t->fin_seen = true;
	if ((events & EPOLLERR) != 0)
		t->writable = true;
}

ssize_t transport_recv(struct transport *t, void *p, size_t cap)
{
	ssize_t n;

	if (t->failed)
		return TRANSPORT_ERROR;
	if (t->eof)
		return 0;
	do
		n = recv(t->watch.fd, p, cap, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		/* Less than asked for: it is empty, and the next byte will
		 * be a new edge. An end that was announced still waits. */
		if ((size_t)n < cap)
			t->readable = t->fin_seen;
		return n;
	}
	t->readable = false;
	if (n == 0) {
		t->eof = t->fin_seen = true;
		return 0;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return TRANSPORT_AGAIN;
	t->failed = true;
	return TRANSPORT_ERROR;
}

/*
 * A short message in one piece: send(2) costs less than sendmsg(2) and a copy
 * of a few hundred bytes together.
 */
static ssize_t send_some(int fd, struct iovec *iov, size_t n_iov)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n_iov };
	char flat[FLAT_MAX];
	size_t len = 0;

	if (n_iov == 1)
		return send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
	for (size_t i = 0; i < n_iov; i++)
		len += iov[i].iov_len;
	if (len > sizeof flat)
		return sendmsg(fd, &msg, MSG_NOSIGNAL);
	len = 0;
	for (size_t i = 0; i < n_iov; i++) {
		memcpy(flat + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	return send(fd, flat, len, MSG_NOSIGNAL);
}

/* Bytes that the socket took, 0 when it takes none now, -1 on failure. */
static ssize_t put(struct transport *t, struct iovec *iov, size_t n_iov)
{
	ssize_t n;

	if (t->failed || t->out_failed || t->shut)
		return -1;
	if (!t->writable)
		return 0;
	do
		n = send_some(t->watch.fd, iov, n_iov);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EWOULDBLOCK) {
		t->writable = false;
		return 0;
	}
	t->out_failed = true;
	return -1;
}

void transport_queue(struct transport *t, const void *p, size_t n)
{
	char *fresh;

	if (n == 0)
		return;
	assert(t->out_len + n <= UINT32_MAX);
	fresh = xmalloc(t->out_len + n);
	if (t->out_len > 0)
		memcpy(fresh, t->out + t->out_off, t->out_len);
	memcpy(fresh + t->out_len, p, n);
	free(t->out);
	t->out = fresh;
	t->out_off = 0;
	t->out_len += (uint32_t)n;
}

/* Queue what is left of the array behind the first `skip` bytes. */
static void queue_rest(
    struct transport *t, const struct iovec *iov, size_t n_iov, size_t skip)
{
	size_t total = 0, at = 0;

	for (size_t i = 0; i < n_iov; i++)
		total += iov[i].iov_len;
	if (total == skip)
		return;
	assert(t->out == NULL && total - skip <= UINT32_MAX);
	t->out = xmalloc(total - skip);
	for (size_t i = 0; i < n_iov; i++) {
		size_t drop = skip < iov[i].iov_len ? skip : iov[i].iov_len;
		size_t keep = iov[i].iov_len - drop;

		if (keep > 0)
			memcpy(t->out + at,
			    (const char *)iov[i].iov_base + drop, keep);
		at += keep;
		skip -= drop;
	}
	t->out_off = 0;
	t->out_len = (uint32_t)at;
}

int transport_send(struct transport *t, struct iovec *iov, size_t n)
{
	ssize_t done;

	if (t->out_len > 0) {
		for (size_t i = 0; i < n; i++)
			transport_queue(t, iov[i].iov_base, iov[i].iov_len);
		return transport_flush(t);
	}
	done = put(t, iov, n);
	if (done < 0)
		return -1;
	queue_rest(t, iov, n, (size_t)done);
	/* It took a part: it is full, and says when it has room again; the
	 * kernel arms that edge only when a send was refused. */
	return transport_is_blocked(t) ? transport_flush(t) : 0;
}

int transport_send_bytes(struct transport *t, const void *p, size_t n)
{
	union {
		const void *from;
		void *to;
	} u = { .from = p };
	struct iovec iov = { .iov_base = u.to, .iov_len = n };

	return n == 0 ? 0 : transport_send(t, &iov, 1);
}

int transport_flush(struct transport *t)
{
	while (t->out_len > 0) {
		struct iovec iov = {
			.iov_base = t->out + t->out_off,
			.iov_len = t->out_len,
		};
		ssize_t n = put(t, &iov, 1);

		if (n < 0)
			return -1;
		if (n == 0)
			return 0;
		t->out_off += (uint32_t)n;
		t->out_len -= (uint32_t)n;
	}
	drop_queue(t);
	return 0;
}

void transport_shut(struct transport *t)
{
	assert(t->out_len == 0);
	if (t->shut || !transport_is_open(t))
		return;
	t->shut = true;
	(void)shutdown(t->watch.fd, SHUT_WR);
}
