/*
 * Sockets under edge-triggered watches: see transport.h.
 */
#include "proxy/transport.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "proxy/tls_io.h"

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

/* Nothing is missing of what the peer was to get. */
static bool is_in_order(const struct transport *t)
{
	return t->out_len == 0 && !t->failed && !t->out_failed;
}

void transport_close(struct transport *t)
{
	int fd = t->watch.fd;

	if (t->tls != NULL && is_in_order(t) && !t->shut)
		(void)tls_io_end(t->tls);
	tls_io_free(&t->tls);
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
	t->out_failed = true;
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
	from->tls = NULL;
	from->ticket = (struct limit_ticket){ .has_place = false };
	if (watch_start(l, &to->watch, fd, EDGES, fn, arg, err) == 0)
		return 0;
	drop_queue(to);
	tls_io_free(&to->tls);
	fd_close(&fd);
	return -1;
}

bool transport_is_plain(const struct transport *t)
{
	return transport_is_open(t) && t->tls == NULL;
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

/* ---- TLS ----------------------------------------------------------------- */

int transport_start_tls(struct transport *t, struct ssl_ctx_st *ctx,
    const char *host, struct err *err)
{
	assert(t->tls == NULL && t->out_len == 0);
	t->tls = tls_io_new(ctx, t->watch.fd, host);
	t->shakes_out = host != NULL;
	if (t->tls == NULL)
		return err_set(err, ERR_INTERNAL, "TLS cannot begin");
	return 0;
}

bool transport_can_shake(const struct transport *t)
{
	return t->readable || (t->shakes_out && t->writable);
}

int transport_shake(struct transport *t, struct err *err)
{
	if (!transport_can_shake(t))
		return 0;
	t->shakes_out = false;
	switch (tls_io_shake(t->tls, err)) {
	case TLS_DONE:
		return 1;
	case TLS_WANTS_IN:
		t->readable = false;
		return 0;
	case TLS_WANTS_ROOM:
		t->writable = false;
		t->shakes_out = true;
		return 0;
	case TLS_ENDED:
	case TLS_BROKEN:
		break;
	}
	t->failed = t->out_failed = true;
	return -1;
}

bool transport_was_resumed(const struct transport *t)
{
	return tls_io_was_resumed(t->tls);
}

bool transport_chose_h2(const struct transport *t)
{
	return tls_io_chose_h2(t->tls);
}

static ssize_t recv_tls(struct transport *t, void *p, size_t cap)
{
	enum tls_outcome why;
	size_t n = tls_io_read(t->tls, p, cap, !t->fin_seen, &why);

	if (why == TLS_WANTS_IN)
		t->readable = false;
	/* To read on it has to write (a new key): the next edge tells. */
	if (why == TLS_WANTS_ROOM)
		t->writable = false;
	/* An end behind these bytes is found again. */
	if (n > 0)
		return (ssize_t)n;
	if (why == TLS_WANTS_IN || why == TLS_WANTS_ROOM)
		return TRANSPORT_AGAIN;
	t->readable = false;
	if (why == TLS_ENDED) {
		t->eof = t->fin_seen = true;
		return 0;
	}
	/* Without its last word anybody may have cut it off. */
	t->failed = true;
	return TRANSPORT_ERROR;
}

static ssize_t put_tls(
    struct transport *t, const struct iovec *iov, size_t n_iov)
{
	enum tls_outcome why;
	size_t n = tls_io_write(t->tls, iov, n_iov, &why);

	if (why == TLS_WANTS_ROOM)
		t->writable = false;
	if (why == TLS_ENDED || why == TLS_BROKEN)
		t->out_failed = true;
	return n == 0 && t->out_failed ? -1 : (ssize_t)n;
}

static void shut_tls(struct transport *t)
{
	enum tls_outcome out = tls_io_end(t->tls);

	t->owes_end = out == TLS_WANTS_ROOM;
	if (out == TLS_WANTS_ROOM)
		t->writable = false;
	else
		(void)shutdown(t->watch.fd, SHUT_WR);
}

bool transport_is_quiet(struct transport *t)
{
	char c;

	if (t->fin_seen || t->failed || t->out_failed)
		return false;
	if (t->tls != NULL) {
		if (tls_io_peek(t->tls) != TLS_WANTS_IN)
			return false;
	} else if (recv(t->watch.fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
		   errno != EAGAIN) {
		return false;
	}
	t->readable = false;
	return true;
}

/* ---- reading ------------------------------------------------------------- */

ssize_t transport_recv(struct transport *t, void *p, size_t cap)
{
	ssize_t n;

	if (t->failed)
		return TRANSPORT_ERROR;
	if (t->eof)
		return 0;
	if (t->tls != NULL)
		return recv_tls(t, p, cap);
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

/* ---- writing ------------------------------------------------------------- */

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
	if (t->tls != NULL)
		return put_tls(t, iov, n_iov);
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

size_t transport_unread(const struct transport *t)
{
	int n = 0;

	if (ioctl(t->watch.fd, SIOCOUTQ, &n) < 0 || n < 0)
		n = 0;
	return t->out_len + (size_t)n;
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
	if (t->owes_end && t->writable)
		shut_tls(t);
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
	if (t->tls != NULL)
		shut_tls(t);
	else
		(void)shutdown(t->watch.fd, SHUT_WR);
}
