/*
 * HTTP server: what comes to the listening socket is accepted here and given to
 * libmicrohttpd. Its own way of listening is not used: it has one socket for
 * its life, and once no descriptor was free it accepts nobody until one of its
 * connections has ended.
 */
#include "base/httpd_priv.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"

#define ACCEPTS_AT_ONCE 16
#define PAUSE_MS        100

static void on_pause_over(struct timer *t, void *arg)
{
	(void)t;
	httpd_has_room(arg);
}

/* No descriptor is free: who waits is looked at again in a moment. */
static void pause_when_full(struct httpd *h)
{
	if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS &&
	    errno != ENOMEM)
		return;
	watch_set(&h->listener, 0);
	timer_start(h->loop, &h->pause, PAUSE_MS, on_pause_over, h);
}

static void accept_some(struct httpd *h, int most)
{
	for (int i = 0; i < most; i++) {
		struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
		socklen_t len = sizeof peer;
		struct err err;
		int fd;

		if (h->n_connections >= httpd_most_connections(h)) {
			watch_set(&h->listener, 0);
			return;
		}
		fd = accept4(h->listener.fd, (struct sockaddr *)&peer, &len,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			pause_when_full(h);
			return;
		}
		if (httpd_add(h, fd, (struct sockaddr *)&peer, len, &err) < 0)
			log_debug(NULL, "a connection is not served",
			    "why=\"%s\"", err.text);
	}
}

static void on_more(struct watch *w, uint32_t events, void *arg)
{
	(void)w, (void)events;
	accept_some(arg, ACCEPTS_AT_ONCE);
}

int httpd_listen(struct httpd *h, int listen_fd, struct err *err)
{
	/* Who waits at the socket of before comes in. */
	if (h->listener.loop != NULL)
		accept_some(h, INT_MAX);
	httpd_unlisten(h);
	if (!h->is_quiesced && watch_start(h->loop, &h->listener, listen_fd,
				   EPOLLIN, on_more, h, err) == 0)
		return 0;
	fd_close(&listen_fd);
	return h->is_quiesced ? 0 : -1;
}

void httpd_unlisten(struct httpd *h)
{
	int fd = h->listener.fd;

	if (h->listener.loop == NULL)
		return;
	timer_stop(&h->pause);
	watch_stop(&h->listener);
	fd_close(&fd);
}

void httpd_has_room(struct httpd *h)
{
	if (h->listener.loop != NULL)
		watch_set(&h->listener, EPOLLIN);
}
