/*
 * HTTP server: closing a connection whose client is still sending. If a socket
 * is closed with unread bytes, the kernel answers with a reset, and the client
 * may lose the answer that says why it was refused. A duplicate of the
 * descriptor keeps the socket open while the rest is read and dropped, for a
 * bounded time and amount (RFC 9112 section 9.6).
 */
#include "base/httpd_priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"

#define LINGER_MS    3000
#define LINGER_MAX   128
#define LINGER_BYTES ((size_t)32 << 20)

struct leftover {
	struct list link;
	struct httpd *httpd;
	struct watch watch;
	struct timer timer;
	int fd;
	size_t n_dropped;
};

static void linger_free(struct leftover *l)
{
	list_del(&l->link);
	l->httpd->n_lingering--;
	watch_stop(&l->watch);
	timer_stop(&l->timer);
	fd_close(&l->fd);
	free(l);
}

static void on_bytes(struct watch *w, uint32_t events, void *arg)
{
	struct leftover *l = arg;
	char drop[16384];
	ssize_t n;

	(void)w, (void)events;
	n = recv(l->fd, drop, sizeof drop, MSG_DONTWAIT);
	if (n > 0)
		l->n_dropped += (size_t)n;
	if (n == 0 || (n < 0 && events & (EPOLLERR | EPOLLHUP)) ||
	    l->n_dropped > LINGER_BYTES)
		linger_free(l);
}

static void on_time(struct timer *t, void *arg)
{
	(void)t;
	linger_free(arg);
}

void httpd_linger(struct httpd *h, int fd)
{
	struct leftover *l;
	int copy;

	if (h->n_lingering >= LINGER_MAX)
		return;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return;
	l = xcalloc(1, sizeof *l);
	l->httpd = h;
	l->fd = copy;
	l->watch.fd = -1;
	list_add_tail(&h->lingering, &l->link);
	h->n_lingering++;
	timer_start(h->loop, &l->timer, LINGER_MS, on_time, l);
	if (watch_start(h->loop, &l->watch, copy, EPOLLIN, on_bytes, l, NULL))
		linger_free(l);
}

void httpd_linger_end_all(struct httpd *h)
{
	list_for_each (it, &h->lingering)
		linger_free(LIST_ITEM(it, struct leftover, link));
}
