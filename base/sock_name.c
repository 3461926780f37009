/*
 * See sock_name.h.
 */
#include "base/sock_name.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"

#define LOOK_EVERY_MS 2000

/*
 * Does somebody listen there? Asked with a socket of the other type: the kernel
 * looks for the listener first (none: ECONNREFUSED), and then refuses because
 * of the type, so nobody has to accept anything. EACCES: something of another
 * account has taken the place. What cannot be asked counts as yes.
 */
static bool leads_somewhere(const struct sock_name *n)
{
	const int other = n->type == SOCK_STREAM ? SOCK_SEQPACKET : SOCK_STREAM;
	bool is_gone;
	int fd, rc;

	rc = sock_connect_unix(n->path, other, &fd, NULL);
	is_gone = rc < 0 && (errno == ENOENT || errno == ENOTDIR ||
				errno == ECONNREFUSED || errno == EACCES);
	if (rc == 0)
		fd_close(&fd);
	return !is_gone;
}

static void make_again(struct sock_name *n)
{
	struct err err;
	int fd =
	    sock_listen_unix(n->path, n->type, n->mode, n->uid, n->gid, &err);

	if (fd >= 0) {
		log_warn(NULL, "a socket had been removed and is made again",
		    "path=%s", n->path);
		n->has_failed = false;
		n->fn(fd, n->arg);
		return;
	}
	if (!n->has_failed)
		log_error(NULL, "a socket was removed and cannot be made again",
		    "why=\"%s\" advice=\"once the way is free it is made "
		    "within two seconds\"",
		    err.text);
	n->has_failed = true;
}

static void on_time(struct timer *t, void *arg)
{
	struct sock_name *n = arg;

	timer_start(n->loop, t, LOOK_EVERY_MS, on_time, n);
	if (!leads_somewhere(n))
		make_again(n);
}

void sock_name_keep(struct sock_name *n, struct loop *l)
{
	n->loop = l;
	timer_start(l, &n->timer, LOOK_EVERY_MS, on_time, n);
}

void sock_name_stop(struct sock_name *n)
{
	timer_stop(&n->timer);
}
