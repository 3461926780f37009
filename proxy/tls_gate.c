/*
 * TLS in front of a plain server: see tls_gate.h.
 */
#include "proxy/tls_gate.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crowd.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/tls.h"
#include "proxy/transport.h"

#define PASSES_MAX    512
#define SHAKE_MS      10000
#define PAUSE_MS      100
#define SCRATCH       16384
#define READS_AT_ONCE 8

struct tls_gate {
	struct loop *loop;
	struct watch listener;
	struct ssl_ctx_st *ctx;
	tls_gate_fn *fn;
	void *arg;
	struct list passes;
	struct crowd crowd;
	struct timer pause; /* no accepting */
	char scratch[SCRATCH];
};

/* One client: its socket, and our end of the pair once it is through. */
struct pass {
	struct tls_gate *gate;
	struct transport client, inner;
	struct list link;
	struct crowd_member member;
	struct timer timer; /* of the handshake */
	struct defer again;
	struct sockaddr_storage peer;
	socklen_t peer_len;
	bool is_through, is_over;
	bool is_inner_gone; /* the server has closed its end */
};

static void run(struct pass *p);

/* ---- life of a pass ------------------------------------------------------ */

static void pass_free(struct pass *p)
{
	struct tls_gate *g = p->gate;

	timer_stop(&p->timer);
	defer_cancel(&p->again);
	transport_close(&p->client);
	transport_close(&p->inner);
	list_del(&p->link);
	crowd_leave(&g->crowd, &p->member);
	free(p);
}

static void on_client(struct watch *watch, uint32_t events, void *arg)
{
	struct pass *p = arg;

	(void)watch;
	transport_note(&p->client, events);
	run(p);
}

static void on_inner(struct watch *watch, uint32_t events, void *arg)
{
	struct pass *p = arg;

	(void)watch;
	transport_note(&p->inner, events);
	p->is_inner_gone = (events & (EPOLLHUP | EPOLLERR)) != 0;
	run(p);
}

static void on_slow(struct timer *timer, void *arg)
{
	(void)timer;
	pass_free(arg);
}

/* ---- the handshake ------------------------------------------------------- */

static int open_inner(struct pass *p, struct err *err)
{
	struct tls_gate *g = p->gate;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		fds) < 0)
		return err_sys(err, "make a socket pair");
	if (transport_open(&p->inner, g->loop, fds[0], on_inner, p, err) < 0) {
		fd_close(&fds[1]);
		return -1;
	}
	g->fn(fds[1], (const struct sockaddr *)&p->peer, p->peer_len, g->arg);
	return 0;
}

/* false: not through yet, or over. */
static bool shake(struct pass *p)
{
	struct err err = { .code = ERR_NONE };
	int rc = transport_shake(&p->client, &err);

	if (rc == 0)
		return false;
	timer_stop(&p->timer);
	if (rc < 0 || open_inner(p, &err) < 0) {
		log_warn(NULL, "a client of the REST API is refused",
		    "reason=\"%s\"", err.text);
		p->is_over = true;
		return false;
	}
	p->is_through = true;
	return true;
}

/* ---- bytes --------------------------------------------------------------- */

/* One direction. true: there is more to do at once. */
static bool pump(struct pass *p, struct transport *from, struct transport *to)
{
	char *scratch = p->gate->scratch;

	if (transport_flush(to) < 0)
		p->is_over = true;
	for (int i = 0; i < READS_AT_ONCE && !p->is_over; i++) {
		ssize_t n;

		if (transport_is_blocked(to) || !from->readable || from->eof)
			return false;
		n = transport_recv(from, scratch, SCRATCH);
		if (n == TRANSPORT_AGAIN || n == 0)
			return false;
		p->is_over =
		    n < 0 || transport_send_bytes(to, scratch, (size_t)n) < 0;
	}
	return !p->is_over;
}

static void pass_end(const struct transport *from, struct transport *to)
{
	if (from->eof && !to->shut && !transport_is_blocked(to))
		transport_shut(to);
}

static void on_again(void *arg)
{
	run(arg);
}

/* May free p. */
static void run(struct pass *p)
{
	bool more = false;

	if (p->is_through || shake(p)) {
		more = pump(p, &p->client, &p->inner);
		more = pump(p, &p->inner, &p->client) || more;
		pass_end(&p->client, &p->inner);
		pass_end(&p->inner, &p->client);
		/* All that the server said is out. While it still listens,
		 * the client may be sending: closing now would be a reset. */
		if (p->client.shut && !p->client.owes_end &&
		    (p->client.eof || p->is_inner_gone))
			p->is_over = true;
	}
	if (p->is_over)
		pass_free(p);
	else if (more)
		defer_call(p->gate->loop, &p->again, on_again, p);
}

/* ---- accepting ----------------------------------------------------------- */

static void on_pause_end(struct timer *timer, void *arg)
{
	struct tls_gate *g = arg;

	(void)timer;
	watch_set(&g->listener, EPOLLIN);
}

/* false: there is no room for this one. */
static bool enter(struct tls_gate *g, struct pass *p, int fd)
{
	struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof own;
	struct crowd_member *out;

	(void)getsockname(fd, (struct sockaddr *)&own, &len);
	crowd_join(&g->crowd, &p->member, (const struct sockaddr *)&p->peer,
	    (const struct sockaddr *)&own);
	if (g->crowd.n_members <= PASSES_MAX)
		return true;
	out = crowd_newest_of_greediest(&g->crowd);
	crowd_refuse(&g->crowd, out, "connections of the REST API",
	    loop_now_ms(g->loop));
	if (out == &p->member)
		return false;
	pass_free(LIST_ITEM(out, struct pass, member));
	return true;
}

static void begin(struct tls_gate *g, int fd,
    const struct sockaddr_storage *peer, socklen_t len)
{
	struct pass *p = xcalloc(1, sizeof *p);
	struct err err;

	p->gate = g;
	p->peer = *peer;
	p->peer_len = len;
	list_add_tail(&g->passes, &p->link);
	if (!enter(g, p, fd)) {
		fd_close(&fd);
		pass_free(p);
		return;
	}
	if (transport_open(&p->client, g->loop, fd, on_client, p, &err) < 0 ||
	    transport_start_tls(&p->client, g->ctx, NULL, &err) < 0) {
		pass_free(p);
		return;
	}
	timer_start(g->loop, &p->timer, SHAKE_MS, on_slow, p);
}

static void on_accept(struct watch *watch, uint32_t events, void *arg)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof peer;
	struct tls_gate *g = arg;
	int fd = accept4(watch->fd, (struct sockaddr *)&peer, &len,
	    SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0) {
		begin(g, fd, &peer, len);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		   errno == ENOMEM) {
		log_error(NULL, "the REST API cannot accept",
		    "advice=\"raise the limit of open files\"");
		watch_set(watch, 0);
		timer_start(g->loop, &g->pause, PAUSE_MS, on_pause_end, g);
	}
}

/* ---- life ---------------------------------------------------------------- */

static void unlisten(struct tls_gate *g)
{
	int fd = g->listener.loop != NULL ? g->listener.fd : -1;

	timer_stop(&g->pause);
	watch_stop(&g->listener);
	fd_close(&fd);
}

int tls_gate_listen(struct tls_gate *g, int listen_fd, struct err *err)
{
	unlisten(g);
	if (watch_start(g->loop, &g->listener, listen_fd, EPOLLIN, on_accept, g,
		err) == 0)
		return 0;
	fd_close(&listen_fd);
	return -1;
}

struct tls_gate *tls_gate_open(struct loop *l, int listen_fd,
    struct ssl_ctx_st *ctx, tls_gate_fn *fn, void *arg, struct err *err)
{
	struct tls_gate *g = xcalloc(1, sizeof *g);

	g->loop = l;
	g->ctx = ctx;
	g->fn = fn;
	g->arg = arg;
	list_init(&g->passes);
	crowd_init(&g->crowd);
	if (tls_gate_listen(g, listen_fd, err) < 0)
		tls_gate_close(&g);
	return g;
}

void tls_gate_close(struct tls_gate **gp)
{
	struct tls_gate *g = *gp;

	*gp = NULL;
	if (g == NULL)
		return;
	unlisten(g);
	while (!list_empty(&g->passes))
		pass_free(LIST_ITEM(g->passes.next, struct pass, link));
	crowd_fini(&g->crowd);
	tls_unref(&g->ctx);
	free(g);
}

void tls_gate_set(struct tls_gate *g, struct ssl_ctx_st *ctx)
{
	tls_unref(&g->ctx);
	g->ctx = ctx;
}
