/*
 * HTTP server: a listener that many accounts can reach (httpd_options
 * is_shared). libmicrohttpd would stop listening at its limit, and whoever has
 * filled it keeps everybody out. So it has some room beyond the limit of the
 * options, and who comes into that room costs the greediest peer its newest
 * connection, which may be this one.
 */
#include "base/httpd_priv.h"

#include <assert.h>
#include <sys/socket.h>

/* What comes to a full house is told so before it has asked; a request that
 * has begun is cut off. */
static void show_the_door(struct http_link *l, bool is_new)
{
	static const char text[] =
	    "HTTP/1.1 503 Service Unavailable\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Length: 58\r\n"
	    "Retry-After: 5\r\n"
	    "Connection: close\r\n"
	    "\r\n"
	    "503: too many connections are open; close some of yours.\r\n";

	if (l->current) {
		httpd_cut(l->current);
		return;
	}
	if (is_new)
		(void)send(
		    l->fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(l->fd, SHUT_RDWR);
}

void httpd_crowd_enter(
    struct httpd *h, struct http_link *l, const struct sockaddr *peer)
{
	struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
	socklen_t own_len = sizeof own;
	struct crowd_member *out;

	if (!h->opt.is_shared || !peer)
		return;
	(void)getsockname(l->fd, (struct sockaddr *)&own, &own_len);
	crowd_join(&h->crowd, &l->member, peer, (const struct sockaddr *)&own);
	if (h->crowd.n_members <= h->opt.max_connections)
		return;
	out = crowd_newest_of_greediest(&h->crowd);
	assert(out);
	crowd_refuse(&h->crowd, out, "connections of an HTTP listener",
	    loop_now_ms(h->loop));
	show_the_door(
	    LIST_ITEM(out, struct http_link, member), out == &l->member);
}

void httpd_crowd_leave(struct httpd *h, struct http_link *l)
{
	crowd_leave(&h->crowd, &l->member);
}
