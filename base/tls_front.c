/*
 * See tls_front.h.
 */
#include "base/tls_front.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crowd.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"

#define SHAKE_MS      10000
#define LINGER_MS     2000
#define PAUSE_MS      100
#define SAY_EVERY_MS  60000
#define BYTES         8192
#define TURNS_AT_ONCE 8

/* One direction: what was read and not written yet, and its end. */
struct lane {
	size_t off, len;
	bool eof, ended; /* the reader saw the end; the writer passed it on */
	char bytes[BYTES];
};

enum phase { PHASE_SHAKE, PHASE_OPEN, PHASE_LINGER, PHASE_OVER };

struct pass {
	struct tls_front *front;
	struct list link;
	struct crowd_member member;
	struct watch client, inner;
	int inner_fd; /* our end of the pair; -1: none */
	SSL *ssl;
	enum phase phase;
	bool wants_write; /* TLS has something to say first */
	struct timer timer;
	struct lane in, out; /* towards the server, towards the client */
	struct sockaddr_storage peer;
	socklen_t peer_len;
};

struct tls_front {
	struct loop *loop;
	struct tls_front_options opt;
	struct watch listener;
	SSL_CTX *ctx;
	struct list passes;
	struct crowd crowd;
	size_t n_refused;
	int64_t said_ms;
	struct timer pause;
};

/* ---- certificates -------------------------------------------------------- */

static int refuse(struct err *err, const char *what, const char *file)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(err, ERR_INVALID, "%s %.300s: %s", what, file,
	    reason != NULL ? reason : "OpenSSL does not take it");
}

static int fill_ctx(
    SSL_CTX *ctx, const struct tls_front_files *files, struct err *err)
{
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	/* Each connection shows its certificate. */
	SSL_CTX_set_options(ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_verify(
	    ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (SSL_CTX_use_certificate_chain_file(ctx, files->cert) != 1)
		return refuse(err, "the certificate", files->cert);
	if (SSL_CTX_use_PrivateKey_file(ctx, files->key, SSL_FILETYPE_PEM) !=
		1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		return refuse(err, "the key", files->key);
	if (SSL_CTX_load_verify_file(ctx, files->authorities) != 1)
		return refuse(err, "the authorities", files->authorities);
	return 0;
}

int tls_front_load(
    struct tls_front *f, const struct tls_front_files *files, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx || fill_ctx(ctx, files, err) != 0) {
		if (!ctx)
			(void)refuse(err, "TLS of", f->opt.name);
		SSL_CTX_free(ctx);
		return -1;
	}
	SSL_CTX_free(f->ctx);
	f->ctx = ctx;
	return 0;
}

/* ---- life of a pass ------------------------------------------------------ */

static void accept_again(struct tls_front *f)
{
	if (f->listener.loop && !timer_running(&f->pause))
		watch_set(&f->listener, EPOLLIN);
}

static void close_watch(struct watch *w)
{
	int fd = w->loop ? w->fd : -1;

	watch_stop(w);
	fd_close(&fd);
}

static void close_inner(struct pass *p)
{
	watch_stop(&p->inner);
	fd_close(&p->inner_fd);
}

static void pass_free(struct pass *p)
{
	timer_stop(&p->timer);
	crowd_leave(&p->front->crowd, &p->member);
	SSL_free(p->ssl);
	close_watch(&p->client);
	close_inner(p);
	list_del(&p->link);
	mem_wipe(&p->in, sizeof p->in);
	mem_wipe(&p->out, sizeof p->out);
	free(p);
}

static void on_slow(struct timer *t, void *arg)
{
	(void)t;
	pass_free(arg);
}

/* Whoever can connect can fail as often as he likes. */
static void note_refused(struct pass *p, const char *why)
{
	struct tls_front *f = p->front;
	int64_t now = loop_now_ms(f->loop);

	f->n_refused++;
	if (f->said_ms && now - f->said_ms < SAY_EVERY_MS)
		return;
	f->said_ms = now;
	log_warn(NULL, "a client's TLS is refused",
	    "at=\"%s\" times=%zu why=\"%s\"", f->opt.name, f->n_refused,
	    why ? why : "it left");
	f->n_refused = 0;
}

/* ---- bytes --------------------------------------------------------------- */

/* > 0 bytes, 0 nothing now, -1 over. */
static int tls_result(struct pass *p, int n)
{
	int why;

	if (n > 0)
		return n;
	why = SSL_get_error(p->ssl, n);
	ERR_clear_error();
	if (why == SSL_ERROR_WANT_WRITE)
		p->wants_write = true;
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0
									 : -1;
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static void set_over(struct pass *p)
{
	p->phase = PHASE_OVER;
}

/* true: something moved. */
static bool read_client(struct pass *p)
{
	struct lane *in = &p->in;
	int n;

	if (in->len > 0 || in->eof)
		return false;
	ERR_clear_error();
	n = tls_result(p, SSL_read(p->ssl, in->bytes, BYTES));
	if (n < 0) {
		/* A proper end, or none: a request cut short is seen as such by
		 * the server. */
		in->eof = true;
		return true;
	}
	in->off = 0;
	in->len = p->phase == PHASE_LINGER ? 0 : (size_t)n;
	return n > 0;
}

static bool write_inner(struct pass *p)
{
	struct lane *in = &p->in;
	ssize_t n;

	if (in->len == 0) {
		if (!in->eof || in->ended)
			return false;
		in->ended = true;
		(void)shutdown(p->inner_fd, SHUT_WR);
		return false;
	}
	n = send(p->inner_fd, in->bytes + in->off, in->len, MSG_NOSIGNAL);
	if (n < 0 && would_block())
		return false;
	/* The server has closed: its answer may still be in the pair. */
	if (n < 0)
		n = (ssize_t)in->len;
	in->off += (size_t)n;
	in->len -= (size_t)n;
	return true;
}

static bool read_inner(struct pass *p)
{
	struct lane *out = &p->out;
	ssize_t n;

	if (out->len > 0 || out->eof)
		return false;
	n = recv(p->inner_fd, out->bytes, BYTES, 0);
	if (n < 0 && would_block())
		return false;
	out->off = 0;
	out->len = n > 0 ? (size_t)n : 0;
	out->eof = n <= 0;
	return true;
}

/* All is said. The client may be sending: closing now would be a reset, and
 * could cost it our answer. */
static void linger(struct pass *p)
{
	p->out.ended = true;
	p->phase = PHASE_LINGER;
	(void)SSL_shutdown(p->ssl);
	ERR_clear_error();
	(void)shutdown(p->client.fd, SHUT_WR);
	close_inner(p);
	p->in.len = 0;
	timer_start(p->front->loop, &p->timer, LINGER_MS, on_slow, p);
}

static bool write_client(struct pass *p)
{
	struct lane *out = &p->out;
	int n;

	if (out->len == 0) {
		if (out->eof && !out->ended)
			linger(p);
		return false;
	}
	ERR_clear_error();
	n = tls_result(
	    p, SSL_write(p->ssl, out->bytes + out->off, (int)out->len));
	if (n < 0)
		set_over(p);
	if (n <= 0)
		return false;
	out->off += (size_t)n;
	out->len -= (size_t)n;
	return true;
}

static void watch_more(struct pass *p)
{
	uint32_t client = 0, inner = 0;

	if (p->phase == PHASE_SHAKE || (p->in.len == 0 && !p->in.eof))
		client |= EPOLLIN;
	if (p->wants_write || p->out.len > 0)
		client |= EPOLLOUT;
	watch_set(&p->client, client);
	if (!p->inner.loop)
		return;
	if (p->out.len == 0 && !p->out.eof)
		inner |= EPOLLIN;
	if (p->in.len > 0)
		inner |= EPOLLOUT;
	watch_set(&p->inner, inner);
}

/* ---- the handshake ------------------------------------------------------- */

static void run(struct pass *p);

static void on_ready(struct watch *w, uint32_t events, void *arg)
{
	struct pass *p = arg;

	/* These are told for ever, asked for or not. The server's end: what it
	 * said is in the pair already, and more is not to come. */
	if (events & (EPOLLERR | EPOLLHUP)) {
		if (w == &p->inner)
			watch_stop(w);
		else if (p->in.eof || p->in.len > 0)
			set_over(p);
	}
	run(p);
}

static int open_inner(struct pass *p, struct err *err)
{
	struct tls_front *f = p->front;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		fds) != 0)
		return err_sys(err, "make a socket pair");
	if (watch_start(
		f->loop, &p->inner, fds[0], EPOLLIN, on_ready, p, err) != 0) {
		fd_close(&fds[0]);
		fd_close(&fds[1]);
		return -1;
	}
	p->inner_fd = fds[0];
	f->opt.fn(
	    fds[1], (const struct sockaddr *)&p->peer, p->peer_len, f->opt.arg);
	return 0;
}

/* Why OpenSSL says no; NULL: it does not say. */
static const char *why_refused(const SSL *ssl)
{
	long verified = SSL_get_verify_result(ssl);
	unsigned long code = ERR_peek_last_error();

	if (verified != X509_V_OK)
		return X509_verify_cert_error_string(verified);
	return code ? ERR_reason_error_string(code) : NULL;
}

static void shake(struct pass *p)
{
	struct err err;
	int n, why;

	ERR_clear_error();
	n = SSL_accept(p->ssl);
	why = n > 0 ? SSL_ERROR_NONE : SSL_get_error(p->ssl, n);
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
		p->wants_write = why == SSL_ERROR_WANT_WRITE;
		return;
	}
	timer_stop(&p->timer);
	if (why != SSL_ERROR_NONE) {
		note_refused(p, why_refused(p->ssl));
		set_over(p);
	} else if (open_inner(p, &err) != 0) {
		note_refused(p, err.text);
		set_over(p);
	} else {
		p->phase = PHASE_OPEN;
	}
	ERR_clear_error();
}

static bool turn(struct pass *p)
{
	bool moved = read_client(p);

	if (p->phase == PHASE_LINGER)
		return moved && !p->in.eof;
	moved = write_inner(p) || moved;
	moved = read_inner(p) || moved;
	moved = write_client(p) || moved;
	return moved && p->phase == PHASE_OPEN;
}

/* Is there a watch that tells what some turns have left over? Bytes inside
 * OpenSSL have none, nor has a pair whose other end is closed. */
static bool may_wait(const struct pass *p)
{
	return !SSL_has_pending(p->ssl) &&
	       (p->inner.loop != NULL || p->phase == PHASE_LINGER);
}

/* May free p. */
static void run(struct pass *p)
{
	p->wants_write = false;
	if (p->phase == PHASE_SHAKE)
		shake(p);
	for (int i = 0; p->phase == PHASE_OPEN || p->phase == PHASE_LINGER;
	     i++) {
		if ((i >= TURNS_AT_ONCE && may_wait(p)) || !turn(p))
			break;
	}
	if (p->phase == PHASE_OVER || (p->phase == PHASE_LINGER && p->in.eof))
		pass_free(p);
	else
		watch_more(p);
}

/* ---- accepting ----------------------------------------------------------- */

static void on_pause_end(struct timer *t, void *arg)
{
	(void)t;
	accept_again(arg);
}

/* Whoever has the most makes room: p itself, perhaps. */
static void enter_crowd(struct pass *p, int fd)
{
	struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
	socklen_t own_len = sizeof own;
	struct tls_front *f = p->front;
	struct crowd_member *out;

	(void)getsockname(fd, (struct sockaddr *)&own, &own_len);
	crowd_join(&f->crowd, &p->member, (const struct sockaddr *)&p->peer,
	    (const struct sockaddr *)&own);
	if (f->crowd.n_members <= f->opt.max_connections)
		return;
	out = crowd_newest_of_greediest(&f->crowd);
	crowd_refuse(&f->crowd, out, f->opt.name, loop_now_ms(f->loop));
	pass_free(LIST_ITEM(out, struct pass, member));
}

static void begin(struct tls_front *f, int fd,
    const struct sockaddr_storage *peer, socklen_t len)
{
	struct pass *p = xcalloc(1, sizeof *p);
	struct err err;

	p->front = f;
	p->inner_fd = -1;
	p->peer = *peer;
	p->peer_len = len;
	p->ssl = SSL_new(f->ctx);
	list_add_tail(&f->passes, &p->link);
	if (watch_start(f->loop, &p->client, fd, EPOLLIN, on_ready, p, &err) !=
	    0) {
		fd_close(&fd);
		pass_free(p);
		return;
	}
	if (!p->ssl || SSL_set_fd(p->ssl, fd) != 1) {
		ERR_clear_error();
		pass_free(p);
		return;
	}
	timer_start(f->loop, &p->timer, SHAKE_MS, on_slow, p);
	enter_crowd(p, fd);
}

static void on_accept(struct watch *w, uint32_t events, void *arg)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof peer;
	struct tls_front *f = arg;
	int fd = accept4(w->fd, (struct sockaddr *)&peer, &len,
	    SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0) {
		begin(f, fd, &peer, len);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		   errno == ENOMEM) {
		log_error(NULL, "cannot accept",
		    "at=\"%s\" advice=\"raise the limit of open files\"",
		    f->opt.name);
		watch_set(w, 0);
		timer_start(f->loop, &f->pause, PAUSE_MS, on_pause_end, f);
	}
}

/* ---- life ---------------------------------------------------------------- */

struct tls_front *tls_front_open(struct loop *l, int listen_fd,
    const struct tls_front_files *files, const struct tls_front_options *opt,
    struct err *err)
{
	struct tls_front *f = xcalloc(1, sizeof *f);

	f->loop = l;
	f->opt = *opt;
	list_init(&f->passes);
	crowd_init(&f->crowd);
	if (fd_set_nonblock(listen_fd, true) != 0)
		(void)err_sys(err, "prepare the listener of %s", opt->name);
	else if (tls_front_load(f, files, err) == 0 &&
		 watch_start(l, &f->listener, listen_fd, EPOLLIN, on_accept, f,
		     err) == 0)
		return f;
	fd_close(&listen_fd);
	tls_front_close(&f);
	return NULL;
}

void tls_front_quiesce(struct tls_front *f)
{
	timer_stop(&f->pause);
	close_watch(&f->listener);
}

void tls_front_close(struct tls_front **fp)
{
	struct tls_front *f = *fp;

	*fp = NULL;
	if (!f)
		return;
	tls_front_quiesce(f);
	list_for_each (it, &f->passes)
		pass_free(LIST_ITEM(it, struct pass, link));
	crowd_fini(&f->crowd);
	SSL_CTX_free(f->ctx);
	free(f);
}
